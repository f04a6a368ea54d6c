#include "troth/ca/profile.h"

#include <algorithm>

namespace troth {

using std::chrono::hours;

Profiles Profiles::BuiltIn() {
  Profile standard{.name = "default"};
  standard.names.any = true;
  Profile server{.name = "server", .usages = LeafUsages::kServer};
  server.names.any = true;
  Profile client{.name = "client", .usages = LeafUsages::kClient};
  client.names.any = true;
  // Whoever holds one may do anything with the authority: short, and never by a request that
  // anybody may leave.
  Profile admin{.name = "admin",
                .default_lifetime = hours(24 * 7),
                .max_lifetime = hours(24 * 30),
                .usages = LeafUsages::kClient,
                .approval = Approval::kNone,
                .admin = true};
  admin.names.common_name = "*";
  return Profiles({std::move(standard), std::move(server), std::move(client), std::move(admin)});
}

Profiles Profiles::CaramelBuiltIn(bool sign_unseen_uuids) {
  Profile caramel{.name = "caramel",
                  .default_lifetime = hours(48),
                  .max_lifetime = hours(24 * 7),
                  .usages_critical = true,
                  .whole_subject = true,
                  .common_name_only = true};
  caramel.names.any = true;
  if (sign_unseen_uuids) {
    caramel.approval = Approval::kAutomatic;
    caramel.automatic = "uuid";
  }
  return Profiles({std::move(caramel)});
}

const Profile* Profiles::Find(std::string_view name) const {
  const auto found = std::ranges::find(all_, name, &Profile::name);
  return found == all_.end() ? nullptr : &*found;
}

}  // namespace troth
