// troth ca list: what lies in the folder, and whether it still counts.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "troth/base/strings.h"
#include "troth/ca/depot_listing.h"
#include "troth/cli/ca_internal.h"
#include "troth/cli/certificate_text.h"

namespace troth {
namespace {

std::string Coloured(DepotState state, const std::string& text, const Session& session) {
  switch (state) {
    case DepotState::kValid:
      return session.Green(text);
    case DepotState::kExpired:
    case DepotState::kRevoked:
      return session.Red(text);
    default:
      return session.Dim(text);
  }
}

void PrintListing(const DepotListing& listing, const std::string& folder, const Session& session) {
  if (listing.entries.empty()) {
    session.out << "Nothing is in " << folder
                << "; begin with `troth ca init --common-name NAME`\n";
    return;
  }
  size_t width = 4;
  size_t authority_width = 6;
  for (const DepotEntry& entry : listing.entries) {
    width = std::max(width, Printable(entry.name).size());
    authority_width = std::max(authority_width, Printable(entry.authority).size());
  }
  const auto padded = [](std::string text, size_t to) {
    if (text.size() < to) text.append(to - text.size(), ' ');
    return text + "  ";
  };
  session.out << session.Bold(padded("NAME", width) + padded("STATE", 13) + padded("UNTIL", 22) +
                              padded("ISSUER", authority_width) + "FOR")
              << "\n";
  for (const DepotEntry& entry : listing.entries) {
    session.out << padded(Printable(entry.name), width)
                << Coloured(entry.state, padded(std::string(NameOf(entry.state)), 13), session);
    if (entry.certificate.has_value()) {
      session.out << padded(DateAndDaysLeft(entry.certificate->validity().not_after,
                                            session.clock.Now()),
                            22)
                  << padded(entry.authority.empty() ? "-" : Printable(entry.authority),
                            authority_width)
                  << (entry.certificate->is_ca() ? "a CA" : NamesInWords(*entry.certificate));
    }
    session.out << "\n";
  }
}

int RunList(const Depot& depot, const std::string& authority, const Session& session) {
  DepotListing listing = ListDepot(depot, session.clock.Now());
  if (!authority.empty()) {
    const absl::StatusOr<std::string> name = AuthorityFileName(authority);
    if (!name.ok()) return session.Fail(name.status());
    std::erase_if(listing.entries,
                  [&](const DepotEntry& entry) { return entry.authority != *name; });
  }
  for (const std::string& problem : listing.problems) session.Warn(problem);
  if (!session.json) {
    PrintListing(listing, depot.folder(), session);
    return kExitDone;
  }
  std::vector<JsonObject> objects;
  for (const DepotEntry& entry : listing.entries) {
    JsonObject object = {{"name", entry.name},
                         {"state", NameOf(entry.state)},
                         {"authority", entry.authority},
                         {"has_key", entry.has_key}};
    if (entry.revoked_at.has_value()) object.Add("revoked_at", *entry.revoked_at);
    if (entry.certificate.has_value()) object.Add(JsonOf(*entry.certificate));
    objects.push_back(std::move(object));
  }
  session.Print({{"ok", true}, {"certificates", objects}, {"problems", listing.problems}});
  return kExitDone;
}

}  // namespace

void AddCaListCommand(CLI::App& ca, const CaContext& context) {
  CLI::App* list =
      ca.add_subcommand("list", "list certificates and open requests with their state");
  auto list_authority = std::make_shared<std::string>();
  list->add_option("--CA", *list_authority, "only what this CA issued")->type_name("NAME");
  context.OnChosen(list, [list_authority](const Depot& depot, const Session& session) {
    return RunList(depot, *list_authority, session);
  });
}

}  // namespace troth
