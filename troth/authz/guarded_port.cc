// How a call is decided in well under a microsecond: see the comment at ThreadCache.

#include <array>
#include <atomic>
#include <cstring>
#include <utility>

#include "troth/authz/guard_internal.h"
#include "troth/authz/peer_table_internal.h"
#include "troth/base/strings.h"

namespace troth {
namespace {

// Each thread remembers the peers of the connections that it served last (two places for each hash
// of a connection), and the newest state of its ports. A hit costs a comparison of the leaf's PEM
// (addresses of connections are reused), no lock and no shared counter: ports are told apart by
// numbers that are never reused, and anything of an older generation is a miss. What an entry holds
// after its guard is gone is memory only, and bounded: of strangers (peers that are refused or
// unknown, whose certificates anybody can make, and certificates longer than kLongestRemembered) it
// only points to what the port's table holds, in places of their own.
struct ThreadCache {
  static constexpr size_t kViews = 8;
  static constexpr int kSetBits = 11;
  static constexpr int kStrangerBits = 9;
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
  struct Stranger {
    std::uint64_t port = 0;
    const void* connection = nullptr;
    std::weak_ptr<const PeerState> state;  // a call keeps it while it decides
    std::shared_ptr<RateBucket> bucket;
  };
  std::array<View, kViews> views;
  std::array<Set, size_t{1} << kSetBits> sets;
  std::array<Stranger, size_t{1} << kStrangerBits> strangers;

  static std::uint64_t Mix(std::uint64_t port, const void* connection) {
    return (reinterpret_cast<std::uintptr_t>(connection) + (port << 48)) *
           std::uint64_t{0x9e3779b97f4a7c15};
  }
  View& ViewOf(std::uint64_t port) { return views[port % kViews]; }
  Set& SetOf(std::uint64_t port, const void* connection) {
    return sets[Mix(port, connection) >> (64 - kSetBits)];
  }
  Stranger& StrangerAt(std::uint64_t port, const void* connection) {
    return strangers[Mix(port, connection) >> (64 - kStrangerBits)];
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
  // The same for a stranger, in `scratch`.
  Entry* RememberedStranger(ThreadCache& cache, std::uint64_t generation, const Call& call,
                            Entry& scratch) const;
  // The entry for the call's peer: one of the two above, or made anew, for a stranger in `scratch`.
  Entry& Resolve(ThreadCache& cache, const View& view, const Call& call, Entry& scratch);
  Entry& ResolveAnew(ThreadCache& cache, const GuardState& state, const Call& call, Entry& scratch);
  std::shared_ptr<const PeerState> FindState(const GuardState& state, const Call& call);
  std::shared_ptr<const PeerState> MakeState(const GuardState& state, const Call& call,
                                             std::string key, const PeerState* previous) const;

  // What no certificate is asked for does not count.
  std::string_view LeafOf(const Call& call) const {
    return mode_ == ClientCertificate::kDontRequest ? std::string_view() : call.leaf_pem;
  }
  std::string_view ChainOf(const Call& call) const {
    return LeafOf(call).empty() ? std::string_view() : call.chain_pem;
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

  PeerTable peers_;

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
  Entry* const entry = &Resolve(cache, view, call, scratch);
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
  std::string peer_key = peer->key;
  if (LeafOf(call).empty()) {
    // Where the transport tells no address, one connection must not hide the refusals of another.
    peer_key =
        !call.address.empty()
            ? std::string(HostOf(call.address))
            : "connection " + std::to_string(reinterpret_cast<std::uintptr_t>(call.connection));
  }
  guard_->Report(peer_key, WithAddress(*peer, call.address), call.method, judgement, shadow);
  if (shadow) return {};
  return {judgement.reason, std::move(judgement.message)};
}

std::shared_ptr<const Peer> GuardedPortImpl::FindPeer(const Call& call) {
  ThreadCache& cache = LocalCache();
  const View& view = CurrentView(cache);
  Entry scratch;
  Entry* const entry = &Resolve(cache, view, call, scratch);
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

ThreadCache::Entry* GuardedPortImpl::RememberedStranger(ThreadCache& cache,
                                                        std::uint64_t generation, const Call& call,
                                                        Entry& scratch) const {
  const ThreadCache::Stranger& stranger = cache.StrangerAt(number_, call.connection);
  if (stranger.port != number_ || stranger.connection != call.connection) return nullptr;
  std::shared_ptr<const PeerState> state = stranger.state.lock();
  // Another chain may lead to somebody whom we trust, where this one did not.
  if (state == nullptr || state->generation != generation || state->leaf_pem != LeafOf(call) ||
      state->chain_pem != ChainOf(call) ||
      guard_->options().clock->Now() > state->assessment->valid_until) {
    return nullptr;
  }
  scratch.state = std::move(state);
  scratch.bucket = stranger.bucket;
  return &scratch;
}

ThreadCache::Entry& GuardedPortImpl::Resolve(ThreadCache& cache, const View& view, const Call& call,
                                             Entry& scratch) {
  if (Entry* const own = Remembered(cache, view.generation, call)) return *own;
  if (Entry* const own = RememberedStranger(cache, view.generation, call, scratch)) return *own;
  return ResolveAnew(cache, *view.state, call, scratch);
}

ThreadCache::Entry& GuardedPortImpl::ResolveAnew(ThreadCache& cache, const GuardState& state,
                                                 const Call& call, Entry& scratch) {
  std::shared_ptr<const PeerState> peer = FindState(state, call);
  const bool known = peer->roles.HasOther(Policy::kAnyone);
  const bool stranger =
      !peer->assessment->status.ok() || (!known && !peer->leaf_pem.empty()) ||
      peer->leaf_pem.size() + peer->chain_pem.size() > ThreadCache::kLongestRemembered;
  Entry& entry = stranger ? scratch : cache.PlaceFor(number_, call.connection);
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
  if (stranger) {
    cache.StrangerAt(number_, call.connection) = {.port = number_,
                                                  .connection = call.connection,
                                                  .state = entry.state,
                                                  .bucket = entry.bucket};
  }
  return entry;
}

std::shared_ptr<const PeerState> GuardedPortImpl::FindState(const GuardState& state,
                                                            const Call& call) {
  const std::string key = KeyOf(LeafOf(call), ChainOf(call));
  const Time now = guard_->options().clock->Now();
  return peers_.Get(
      key,
      [&](const PeerState& known) {
        return known.generation == state.generation && now <= known.assessment->valid_until;
      },
      [&](const PeerState* previous) { return MakeState(state, call, key, previous); });
}

std::shared_ptr<const PeerState> GuardedPortImpl::MakeState(const GuardState& state,
                                                            const Call& call, std::string key,
                                                            const PeerState* previous) const {
  auto made = std::make_shared<PeerState>();
  made->key = std::move(key);
  made->leaf_pem = LeafOf(call);
  made->chain_pem = ChainOf(call);
  made->generation = state.generation;
  made->crls = state.crls;
  AssessmentOptions options{.mode = mode_,
                            .now = guard_->options().clock->Now(),
                            .trust = {},
                            .crls = state.crls.get(),
                            .revocation = guard_->options().revocation,
                            .crl_grace = guard_->options().crl_grace,
                            .usage = guard_->options().peer_usage};
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
        std::make_shared<const PeerAssessment>(AssessPeer(LeafOf(call), ChainOf(call), options));
  }
  const PeerEvidence& evidence = made->assessment->evidence;
  if (made->assessment->status.ok()) made->roles = state.policy->RolesOf(evidence);
  made->peer = std::make_shared<const Peer>(
      Peer{.certificate = evidence.leaf, .verified = evidence.verified, .address = ""});
  return made;
}

}  // namespace

std::shared_ptr<GuardedPort> MakeGuardedPort(std::shared_ptr<GuardImpl> guard,
                                             std::shared_ptr<IdentitySource> identity,
                                             ClientCertificate mode) {
  return std::make_shared<GuardedPortImpl>(std::move(guard), std::move(identity), mode);
}

}  // namespace troth
