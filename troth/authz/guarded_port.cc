// How a call is decided in well under a microsecond: see the comment at ThreadCache.

#include <array>
#include <atomic>
#include <cstring>
#include <unordered_map>
#include <utility>

#include "troth/authz/guard_internal.h"
#include "troth/base/strings.h"

namespace troth {
namespace {

// A peer as one port sees it in one generation. Immutable, shared by all connections and threads.
struct PeerState {
  std::string key;  // SHA-256 of what the peer sent
  std::string leaf_pem;
  std::shared_ptr<const PeerAssessment> assessment;
  // What `assessment` was made of: it holds for the next generation too when these are still the
  // same.
  std::uint64_t trust_epoch = 0;
  CrlStore::Lists crls;
  std::uint64_t generation = 0;
  RoleSet roles;
  std::shared_ptr<const Peer> peer;  // without address
};

// Each thread remembers the peers of the connections that it served last (two places for each hash
// of a connection), and the newest state of its ports. A hit costs a comparison of the leaf's PEM
// (addresses of connections are reused), no lock and no shared counter: ports are told apart by
// numbers that are never reused, and anything of an older generation is a miss. What an entry holds
// after its guard is gone is memory only, and bounded: peers that are refused or unknown, whose
// certificates anybody can make, are looked up in the port's own table each time, as are
// certificates longer than kLongestRemembered.
struct ThreadCache {
  static constexpr size_t kViews = 8;
  static constexpr int kSetBits = 11;
  static constexpr size_t kLongestRemembered = 16 << 10;  // bytes of PEM

  struct View {
    std::uint64_t port = 0;
    std::uint64_t generation = 0;
    std::shared_ptr<const GuardState> state;
  };
  struct Entry {
    std::uint64_t port = 0;
    const void* connection = nullptr;
    std::uint64_t generation = 0;
    Time valid_until{};
    std::shared_ptr<const PeerState> state;
    std::shared_ptr<RateBucket> bucket;  // only with a rate limit
    std::shared_ptr<const Peer> peer;    // with address, once FindPeer was told one
    bool IsOf(std::uint64_t of_port, const void* of_connection) const {
      return connection == of_connection && port == of_port;
    }
  };
  using Set = std::array<Entry, 2>;
  std::array<View, kViews> views;
  std::array<Set, size_t{1} << kSetBits> sets;

  View& ViewOf(std::uint64_t port) { return views[port % kViews]; }
  Set& SetOf(std::uint64_t port, const void* connection) {
    const std::uint64_t mixed = (reinterpret_cast<std::uintptr_t>(connection) + (port << 48)) *
                                std::uint64_t{0x9e3779b97f4a7c15};
    return sets[mixed >> (64 - kSetBits)];
  }
  // The entry of this connection, or null.
  Entry* Find(std::uint64_t port, const void* connection) {
    Set& set = SetOf(port, connection);
    if (set[0].IsOf(port, connection)) return set.data();
    if (set[1].IsOf(port, connection)) return &set[1];
    return nullptr;
  }
  // A place for it: its own, or that of the older of two others.
  Entry& PlaceFor(std::uint64_t port, const void* connection) {
    if (Entry* const own = Find(port, connection)) return *own;
    Set& set = SetOf(port, connection);
    std::swap(set[0], set[1]);
    return set[0];
  }
};

ThreadCache& LocalCache() {
  thread_local std::unique_ptr<ThreadCache> cache;
  if (cache == nullptr) cache = std::make_unique<ThreadCache>();
  return *cache;
}

std::uint64_t NextPortNumber() {
  static std::atomic<std::uint64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

std::string KeyOf(std::string_view leaf_pem, std::string_view chain_pem) {
  std::string all;
  all.reserve(leaf_pem.size() + 1 + chain_pem.size());
  all.append(leaf_pem).append(1, '\0').append(chain_pem);
  const Sha256Digest digest = Sha256(all);
  return std::string(digest.begin(), digest.end());
}

// "ipv4:127.0.0.1" of "ipv4:127.0.0.1:5800".
std::string_view HostOf(std::string_view address) { return address.substr(0, address.rfind(':')); }

class GuardedPortImpl final : public GuardedPort {
 public:
  GuardedPortImpl(std::shared_ptr<GuardImpl> guard, std::shared_ptr<IdentitySource> identity,
                  ClientCertificate mode)
      : guard_(std::move(guard)),
        guard_as_base_(guard_),
        identity_(std::move(identity)),
        mode_(mode) {
    subscription_ = identity_->Subscribe([this](const std::shared_ptr<const Identity>& identity) {
      if (SetTrust(identity->trust_bundle())) guard_->BeginGeneration();
    });
    // When the subscription has already told of a change, that is newer than what Current() said.
    const TrustBundle trust = identity_->Current()->trust_bundle();
    const std::lock_guard lock(trust_mutex_);
    if (trust_epoch_ == 0) {
      trust_ = trust;
      trust_epoch_ = 1;
    }
  }

  Verdict Check(const Call& call) override;
  std::shared_ptr<const Peer> FindPeer(const Call& call) override;
  ClientCertificate client_certificate() const override { return mode_; }
  const std::shared_ptr<IdentitySource>& identity() const override { return identity_; }
  const std::shared_ptr<Guard>& guard() const override { return guard_as_base_; }

 private:
  using View = ThreadCache::View;
  using Entry = ThreadCache::Entry;

  const View& CurrentView(ThreadCache& cache) {
    View& view = cache.ViewOf(number_);
    if (view.port != number_ || view.generation != guard_->generation()) {
      view.state = guard_->State();
      view.generation = view.state->generation;
      view.port = number_;
    }
    return view;
  }

  // The thread's entry for the call's peer when it still holds, or null.
  Entry* Remembered(ThreadCache& cache, std::uint64_t generation, const Call& call) const {
    Entry* const entry = cache.Find(number_, call.connection);
    if (entry == nullptr || entry->generation != generation ||
        entry->state->leaf_pem != LeafOf(call) ||
        guard_->options().clock->Now() > entry->valid_until) {
      return nullptr;
    }
    return entry;
  }
  // The entry for the call's peer: the thread's own, or made anew in `scratch` when it is not to be
  // remembered.
  Entry& Resolve(ThreadCache& cache, const GuardState& state, const Call& call, Entry& scratch);
  std::shared_ptr<const PeerState> FindState(const GuardState& state, const Call& call);
  std::shared_ptr<const PeerState> MakeState(const GuardState& state, const Call& call,
                                             std::string key, const PeerState* previous) const;
  void Remember(const std::shared_ptr<const PeerState>& peer);

  // What no certificate is asked for does not count.
  std::string_view LeafOf(const Call& call) const {
    return mode_ == ClientCertificate::kDontRequest ? std::string_view() : call.leaf_pem;
  }

  Verdict Refuse(std::shared_ptr<const PeerState> peer, const Call& call, bool shadow,
                 Judgement judgement);
  std::shared_ptr<const Peer> WithAddress(const PeerState& peer, std::string_view address) const;
  bool SetTrust(const TrustBundle& trust);

  const std::uint64_t number_ = NextPortNumber();
  const std::shared_ptr<GuardImpl> guard_;
  const std::shared_ptr<Guard> guard_as_base_;
  const std::shared_ptr<IdentitySource> identity_;
  const ClientCertificate mode_;

  mutable std::mutex trust_mutex_;
  TrustBundle trust_;              // guarded by trust_mutex_
  std::uint64_t trust_epoch_ = 0;  // guarded by trust_mutex_

  // Peers seen in this generation or the last, on any thread; emptied when it grows beyond these
  // bounds.
  static constexpr size_t kMostStates = 4096;
  static constexpr size_t kMostBytes = 16 << 20;
  std::mutex states_mutex_;
  std::unordered_map<std::string, std::shared_ptr<const PeerState>>
      states_;               // guarded by states_mutex_
  size_t states_bytes_ = 0;  // guarded by states_mutex_

  // Last: its callback uses the others until it is gone.
  Subscription subscription_;
};

bool GuardedPortImpl::SetTrust(const TrustBundle& trust) {
  const std::lock_guard lock(trust_mutex_);
  // A renewed certificate beside the same CAs changes nothing for peers.
  if (trust_epoch_ != 0 && trust_ == trust) return false;
  trust_ = trust;
  ++trust_epoch_;
  return true;
}

Verdict GuardedPortImpl::Check(const Call& call) {
  ThreadCache& cache = LocalCache();
  const View& view = CurrentView(cache);
  Entry scratch;
  Entry* entry = Remembered(cache, view.generation, call);
  if (entry == nullptr) entry = &Resolve(cache, *view.state, call, scratch);
  const GuardState& state = *view.state;
  const PeerState& peer = *entry->state;

  const auto facts = [&](const Peer& who, std::string& name) {
    name = who.Describe();
    return CallFacts{.method = call.method, .peer = name, .mode = mode_};
  };
  std::string name;
  // First, so that refused calls count too.
  if (state.rate.step_ns != 0 && !entry->bucket->Take(state.rate, guard_->Ticks())) {
    return Refuse(entry->state, call, false, JudgeRate(facts(*peer.peer, name)));
  }
  if (!peer.assessment->status.ok()) {
    return Refuse(entry->state, call, false,
                  JudgeAssessment(peer.assessment->status, facts(*peer.peer, name)));
  }
  const std::int32_t* const registered = state.registered->Find(call.method);
  const Policy::Decision decision = state.policy->Decide(
      registered != nullptr ? *registered : state.policy->FindGroup(call.method), peer.roles);
  if (decision.outcome == Policy::Outcome::kAllowed) return {};
  auto judgement = JudgeRules(*state.policy, decision, peer.assessment->evidence, peer.roles,
                              facts(*peer.peer, name));
  const bool shadow = judgement->by_rules && state.policy->mode() == PolicyMode::kShadow;
  return Refuse(entry->state, call, shadow, *std::move(judgement));
}

// Takes the judgement whole and a share of the peer: the callback may call Check again on this
// thread, which can empty the cache.
Verdict GuardedPortImpl::Refuse(std::shared_ptr<const PeerState> peer, const Call& call,
                                bool shadow, Judgement judgement) {
  const bool anonymous = LeafOf(call).empty();
  std::string peer_key = anonymous ? std::string(HostOf(call.address)) : peer->key;
  guard_->Report(peer_key, WithAddress(*peer, call.address), call.method, judgement, shadow);
  if (shadow) return {};
  return {judgement.reason, std::move(judgement.message)};
}

std::shared_ptr<const Peer> GuardedPortImpl::FindPeer(const Call& call) {
  ThreadCache& cache = LocalCache();
  const View& view = CurrentView(cache);
  Entry scratch;
  Entry* entry = Remembered(cache, view.generation, call);
  if (entry == nullptr) entry = &Resolve(cache, *view.state, call, scratch);
  if (entry->peer == nullptr || entry->peer->address != call.address) {
    entry->peer = WithAddress(*entry->state, call.address);
  }
  return entry->peer;
}

std::shared_ptr<const Peer> GuardedPortImpl::WithAddress(const PeerState& peer,
                                                         std::string_view address) const {
  if (address.empty()) return peer.peer;
  auto copy = std::make_shared<Peer>(*peer.peer);
  copy->address = address;
  return copy;
}

ThreadCache::Entry& GuardedPortImpl::Resolve(ThreadCache& cache, const GuardState& state,
                                             const Call& call, Entry& scratch) {
  std::shared_ptr<const PeerState> peer = FindState(state, call);
  const bool known = peer->roles.HasOther(Policy::kAnyone);
  const bool remember = peer->assessment->status.ok() && (known || peer->leaf_pem.empty()) &&
                        peer->leaf_pem.size() <= ThreadCache::kLongestRemembered;
  Entry& entry = remember ? cache.PlaceFor(number_, call.connection) : scratch;
  entry = {.port = number_,
           .connection = call.connection,
           .generation = state.generation,
           .valid_until = peer->assessment->valid_until,
           .state = peer,
           .bucket = nullptr,
           .peer = nullptr};
  if (state.rate.step_ns != 0) {
    // A certificate that means nothing here costs its owner nothing: such peers are limited by
    // connection.
    std::string key;
    if (known && peer->assessment->evidence.leaf.has_value()) {
      key = "certificate " + FormatFingerprint(peer->assessment->evidence.leaf->fingerprint());
    } else {
      key = "connection " + std::to_string(number_) + " " +
            std::to_string(reinterpret_cast<std::uintptr_t>(call.connection));
    }
    entry.bucket = guard_->buckets().Get(key, guard_->Ticks());
  }
  return entry;
}

std::shared_ptr<const PeerState> GuardedPortImpl::FindState(const GuardState& state,
                                                            const Call& call) {
  std::string key = KeyOf(LeafOf(call), LeafOf(call).empty() ? std::string_view() : call.chain_pem);
  std::shared_ptr<const PeerState> known;
  {
    const std::lock_guard lock(states_mutex_);
    if (const auto found = states_.find(key); found != states_.end()) known = found->second;
  }
  if (known != nullptr && known->generation == state.generation &&
      guard_->options().clock->Now() <= known->assessment->valid_until) {
    return known;
  }
  std::shared_ptr<const PeerState> made = MakeState(state, call, std::move(key), known.get());
  Remember(made);
  return made;
}

std::shared_ptr<const PeerState> GuardedPortImpl::MakeState(const GuardState& state,
                                                            const Call& call, std::string key,
                                                            const PeerState* previous) const {
  auto made = std::make_shared<PeerState>();
  made->key = std::move(key);
  made->leaf_pem = LeafOf(call);
  made->generation = state.generation;
  made->crls = state.crls;
  AssessmentOptions options{.mode = mode_,
                            .now = guard_->options().clock->Now(),
                            .trust = {},
                            .crls = state.crls.get(),
                            .revocation = guard_->options().revocation,
                            .crl_grace = guard_->options().crl_grace};
  {
    const std::lock_guard lock(trust_mutex_);
    options.trust = trust_;
    made->trust_epoch = trust_epoch_;
  }
  if (previous != nullptr && previous->trust_epoch == made->trust_epoch &&
      previous->crls == made->crls && options.now <= previous->assessment->valid_until) {
    made->assessment = previous->assessment;  // only the policy has changed
  } else {
    made->assessment =
        std::make_shared<const PeerAssessment>(AssessPeer(LeafOf(call), call.chain_pem, options));
  }
  const PeerEvidence& evidence = made->assessment->evidence;
  if (made->assessment->status.ok()) made->roles = state.policy->RolesOf(evidence);
  made->peer = std::make_shared<const Peer>(
      Peer{.certificate = evidence.leaf, .verified = evidence.verified, .address = ""});
  return made;
}

void GuardedPortImpl::Remember(const std::shared_ptr<const PeerState>& peer) {
  const auto size_of = [](const PeerState& state) { return state.leaf_pem.size() * 2 + 1024; };
  const std::lock_guard lock(states_mutex_);
  if (states_.size() >= kMostStates || states_bytes_ > kMostBytes) {
    states_.clear();
    states_bytes_ = 0;
  }
  std::shared_ptr<const PeerState>& place = states_[peer->key];
  if (place != nullptr) {
    if (place->generation > peer->generation) return;
    states_bytes_ -= size_of(*place);
  }
  states_bytes_ += size_of(*peer);
  place = peer;
}

}  // namespace

std::shared_ptr<GuardedPort> MakeGuardedPort(std::shared_ptr<GuardImpl> guard,
                                             std::shared_ptr<IdentitySource> identity,
                                             ClientCertificate mode) {
  return std::make_shared<GuardedPortImpl>(std::move(guard), std::move(identity), mode);
}

}  // namespace troth
