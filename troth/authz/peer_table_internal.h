// The peers that one port has met. Not installed.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "troth/authz/crl_store.h"
#include "troth/authz/peer.h"
#include "troth/authz/peer_assessment.h"
#include "troth/authz/role_set.h"
#include "troth/base/recent_map.h"

namespace troth {

// A peer as one port sees it in one generation. Immutable, shared by all connections and threads.
struct PeerState {
  std::string key;  // SHA-256 of what the peer sent
  std::string leaf_pem;
  std::string chain_pem;  // what else it sent
  std::shared_ptr<const PeerAssessment> assessment;
  // What `assessment` was made of: it holds for the next generation too when these are still the
  // same.
  std::uint64_t trust_epoch = 0;
  CrlStore::Lists crls;
  std::uint64_t generation = 0;
  RoleSet roles;
  std::shared_ptr<const Peer> peer;  // without address
};

// Peers by key. Thread-safe, bounded: those that nobody asked for lately are forgotten.
class PeerTable {
 public:
  // What is known of the peer when `holds` says so; otherwise what `make` makes, of what is known
  // (null: nothing). One thread at a time makes a key's state, the others wait for what it makes:
  // a thousand calls of a new peer cost one validation. `holds` is called with the table locked,
  // `make` is not. What `make` throws leaves here, and the next thread tries.
  std::shared_ptr<const PeerState> Get(
      const std::string& key, const std::function<bool(const PeerState&)>& holds,
      const std::function<std::shared_ptr<const PeerState>(const PeerState*)>& make);

 private:
  static constexpr std::size_t kBytesPerGeneration = 8 << 20;
  struct Flight {
    bool done = false;                        // guarded by mutex_
    std::shared_ptr<const PeerState> result;  // guarded by mutex_; null when it failed
    std::condition_variable landed;
  };
  void Land(const std::string& key, Flight& flight, std::shared_ptr<const PeerState> result);

  std::mutex mutex_;
  // Guarded by mutex_.
  RecentMap<std::string, std::shared_ptr<const PeerState>> peers_{kBytesPerGeneration};
  std::unordered_map<std::string, std::shared_ptr<Flight>> flights_;  // guarded by mutex_
};

}  // namespace troth
