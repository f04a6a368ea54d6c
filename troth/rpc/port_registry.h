// Which guarded port a connection belongs to, for PeerOf: a handler's context names the connection
// and nothing that Troth could have hung there.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "troth/authz/guard.h"
#include "troth/rpc/resumed_chains.h"

namespace troth {

// A port that is listened on.
struct OpenPort {
  explicit OpenPort(std::shared_ptr<GuardedPort> port) : guarded(std::move(port)) {}

  const std::shared_ptr<GuardedPort> guarded;
  ResumedChains chains;

  // Gives a call on a resumed session the chain that its peer sent when the session began. What is
  // returned keeps the view in `call` alive; null when there was nothing to give.
  std::shared_ptr<const std::string> CompleteChain(GuardedPort::Call& call, bool resumed) {
    if (!resumed || !call.chain_pem.empty() || call.leaf_pem.empty()) return nullptr;
    std::shared_ptr<const std::string> chain = chains.Find(call.leaf_pem);
    if (chain != nullptr) call.chain_pem = *chain;
    return chain;
  }
};

// Thread-safe. A connection is the address of something that lives as long as it does; addresses
// are used again, so each call notes its connection anew. Bounded: connections are never reported
// as closed, the oldest are forgotten, and Find then says nothing.
class PortRegistry {
 public:
  // What a port is known by while its registration lives. Small, because it is packed beside an
  // address.
  using PortId = std::uint16_t;
  static constexpr PortId kNoPort = 0;

  // The process's registry: PeerOf has nothing but the context to start from. Never destroyed.
  static PortRegistry& Process();

  // Holds no reference to `port`. kNoPort when 65,535 ports are registered.
  PortId Add(const std::shared_ptr<OpenPort>& port);
  void Remove(PortId port);

  // For every call, before its handler. An atomic load for a connection that was noted lately; a
  // lock or two otherwise.
  void Note(PortId port, const void* connection);
  // The port that last noted `connection`, null when it is unknown or the port is gone.
  std::shared_ptr<OpenPort> Find(const void* connection) const;

  // The slot that `connection` shares with others, for tests.
  static size_t SlotOf(const void* connection);

 private:
  // Recent connections, direct-mapped: the address in the low 48 bits, the port's id above it. A
  // connection that is noted here does not reach its shard, which may forget it meanwhile; so the
  // connection that loses its slot to another is told to its shard again.
  static constexpr int kSlotBits = 12;
  static constexpr size_t kSlots = size_t{1} << kSlotBits;
  // Connections remembered exactly, a shard: twice this at most.
  static constexpr size_t kShards = 16;
  static constexpr size_t kPerShard = 4096;
  struct Shard {
    mutable std::mutex mutex;
    std::unordered_map<const void*, PortId> young, old;  // guarded by mutex
    // Requires mutex.
    void Insert(const void* connection, PortId port);
  };
  static size_t ShardOf(const void* connection);
  // Tells the shard of what a slot held that it is still of use.
  void Refresh(std::uint64_t packed);

  std::array<std::atomic<std::uint64_t>, kSlots> slots_{};
  std::array<Shard, kShards> shards_;
  mutable std::mutex mutex_;
  std::vector<std::weak_ptr<OpenPort>> ports_ = {{}};  // by id, the first unused; guarded by mutex_
  std::vector<bool> taken_ = {true};                   // guarded by mutex_
};

}  // namespace troth
