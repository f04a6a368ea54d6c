// Profiles: what a kind of certificate may contain, and who may have one.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "troth/base/time.h"
#include "troth/ca/name_rules.h"
#include "troth/pki/key.h"

namespace troth {

// How a request of this profile that carries no token is decided.
enum class Approval {
  kManual,     // an operator approves
  kAutomatic,  // at once, for a name never seen in any state that `automatic` matches; others wait
  kNone,       // only with a token (or an approved predecessor): refused
};

enum class LeafUsages { kClient, kServer, kServerAndClient };

struct Profile {
  std::string name;
  Seconds default_lifetime = std::chrono::hours(24 * 30);
  Seconds max_lifetime = std::chrono::hours(24 * 90);
  std::vector<KeyType> key_types = {KeyType::kP256,    KeyType::kP384,    KeyType::kEd25519,
                                    KeyType::kRsa2048, KeyType::kRsa3072, KeyType::kRsa4096};
  LeafUsages usages = LeafUsages::kServerAndClient;
  bool usages_critical = false;
  AllowedNames names = {};
  Approval approval = Approval::kManual;
  std::string automatic = {};  // "uuid", or a pattern of the common name with '*'
  // Certificates of this profile are admin identities: the one profile that may issue the names
  // below spiffe://TRUST-DOMAIN/troth/admin/. Built in, cannot be set in a file.
  bool admin = false;
  // The subject of a certificate is that of its request in full, not the common name alone: for
  // Caramel, whose front end has compared its attributes with those of the CA. Built in, cannot be
  // set in a file.
  bool whole_subject = false;
  // The common name alone counts, and is the one alternative name too where it can be; alternative
  // names that a request asks for are left out, as Caramel does: nobody there ever looked at them.
  // Built in, cannot be set in a file.
  bool common_name_only = false;
  // How many requests may wait, and how many of one address.
  std::uint32_t max_pending = 10000, max_pending_per_address = 20;
  Seconds pending_lifetime = std::chrono::hours(24 * 30);
};

// A set of profiles. Immutable once made.
class Profiles {
 public:
  // Two-tier: "default" (manual, any name, 30 days), "server", "client", "admin" (built in).
  static Profiles BuiltIn();
  // What Caramel does: "caramel" (manual; CA:FALSE, EKU both and critical; 48 h and 7 days).
  static Profiles CaramelBuiltIn(bool sign_unseen_uuids);
  // TOML: [profiles.NAME] tables, over the built-in ones (docs/profiles.md). Errors name line and
  // key, with the nearest right one: configuration_invalid.
  static absl::StatusOr<Profiles> FromToml(std::string_view text, Profiles base);

  const Profile* Find(std::string_view name) const;  // null: no such
  const std::vector<Profile>& all() const { return all_; }
  // The one that is used when a request names none.
  const Profile& standard() const { return all_.front(); }

 private:
  // Of at least one, the standard one first.
  explicit Profiles(std::vector<Profile> all) : all_(std::move(all)) {}
  std::vector<Profile> all_;
};

}  // namespace troth
