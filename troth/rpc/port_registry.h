// Which guarded port a connection belongs to, for PeerOf: a handler's context names the connection and nothing that Troth could
// have hung there.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "troth/authz/guard.h"

namespace troth {

// Thread-safe. A connection is the address of something that lives as long as it does; addresses are used again, so each call notes its
// connection anew. Bounded: connections are never reported as closed, the oldest are forgotten, and Find then says nothing.
class PortRegistry {
 public:
  // What a port is known by while its registration lives. Small, because it is packed beside an address.
  using PortId = std::uint16_t;
  static constexpr PortId kNoPort = 0;

  // The process's registry: PeerOf has nothing but the context to start from. Never destroyed.
  static PortRegistry& Process();

  // Holds no reference to `port`. kNoPort when 65,535 ports are registered.
  PortId Add(const std::shared_ptr<GuardedPort>& port);
  void Remove(PortId port);

  // For every call, before its handler. Two atomic loads for a connection that was noted lately; a lock otherwise.
  void Note(PortId port, const void* connection);
  // The port that last noted `connection`, null when it is unknown or the port is gone.
  std::shared_ptr<GuardedPort> Find(const void* connection) const;

 private:
  // Recent connections, direct-mapped: the address in the low 48 bits, the port's id above it.
  static constexpr size_t kSlots = 4096;
  // Connections remembered exactly, a shard: twice this at most.
  static constexpr size_t kShards = 16;
  static constexpr size_t kPerShard = 4096;
  struct Shard {
    mutable std::mutex mutex;
    std::unordered_map<const void*, PortId> young, old;  // guarded by mutex
  };

  std::array<std::atomic<std::uint64_t>, kSlots> slots_{};
  std::array<Shard, kShards> shards_;
  mutable std::mutex mutex_;
  std::vector<std::weak_ptr<GuardedPort>> ports_ = {{}};  // by id, the first unused; guarded by mutex_
  std::vector<bool> taken_ = {true};                      // guarded by mutex_
};

}  // namespace troth
