// What the parts of an authority share.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "troth/ca/authority.h"
#include "troth/ca/event_hub_internal.h"
#include "troth/ca/issuer_catalogue_internal.h"
#include "troth/ca/latency_meter_internal.h"
#include "troth/ca/recent_requests_internal.h"
#include "troth/ca/refusal_meter_internal.h"
#include "troth/ca/requests_in_flight_internal.h"
#include "troth/ca/revoked_set_internal.h"
#include "troth/ca/token_cache_internal.h"

namespace troth {

struct AuthorityContext {
  AuthorityContext(AuthorityOptions given, Store& store_given)
      : options(std::move(given)), clock(*options.clock), store(store_given) {}

  const AuthorityOptions options;
  const Clock& clock;
  Store& store;
  IssuerCatalogue issuers = {};
  RevokedSet revoked = {};
  RefusalMeter refusals = {};
  EventHub events = {};
  TokenCache tokens = {};
  // Requests that came with a token, from `recent_since` on.
  RecentRequests recent = {};
  Time recent_since = {};
  RequestsInFlight in_flight = {};
  LatencyMeter latency = {};

  std::atomic<std::uint64_t> issued = 0, renewed = 0, revocations = 0;
  std::atomic<bool> last_write_failed = false;
};

// One change of the store, with its entry in the ledger.
struct Change {
  // The store's rules for work hold.
  std::function<absl::Status(StoreTransaction&, Change&)> work = {};
  LedgerNote note = {};  // `work` may still set it; without an action, nothing is ledgered
  std::function<void(const absl::Status&, Change&)> done = {};
  std::uint64_t sequence = 0;  // of the ledger entry, if there is one
};
// Writes change and note in one transaction; when that is on disk, tells those who listen, and then
// calls `done`. Never blocks.
void Write(AuthorityContext& context, std::shared_ptr<Change> change);
// The same, and waits. Not from inside a callback of the store.
absl::Status WriteAndWait(AuthorityContext& context, std::shared_ptr<Change> change);

// A refusal, as it is counted, logged and, within bounds, ledgered.
struct Refused {
  std::string_view action;  // what was asked for: "issue", "renew" ...
  Standing standing = Standing::kAnonymous;
  std::string actor = {};
  std::string subject = {};
  const Caller* caller = nullptr;
};
// Answers `why`.
absl::Status Refuse(AuthorityContext& context, const Refused& what, absl::Status why);

// "db.internal, 10.0.0.1", fit for a log.
std::string NamesText(const std::vector<std::string>& names);
// The caller's actor, or `fallback`.
std::string ActorOf(const Caller& caller, std::string_view fallback);

}  // namespace troth
