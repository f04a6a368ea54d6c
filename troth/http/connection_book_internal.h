// Which thread serves a new connection, and whether there is room for it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace troth {

// Counts the connections of a server, by thread and by the group of their address. Thread-safe;
// Admit is called by one thread at a time.
class ConnectionBook {
 public:
  // What a thread does before it takes a new connection. Where there is nobody to close, the new
  // one is.
  enum class Room {
    kThere,
    kCloseOldest,         // of its waiting connections
    kCloseOldestOfGroup,  // of those with the same group
  };
  struct Admission {
    size_t thread = 0;
    Room room = Room::kThere;
  };
  static constexpr std::int64_t kNobody = std::numeric_limits<std::int64_t>::max();

  ConnectionBook(size_t threads, size_t most, size_t most_of_group);

  // Counts a new connection on the thread that is to serve it: the one with the fewest, or the one
  // that can best make room.
  Admission Admit(const std::string& group);
  // A connection of this thread is gone.
  void Leave(size_t thread, const std::string& group);
  // Since when the thread's oldest waiting connection (idle, or half open) waits; kNobody: it has
  // none.
  void SetOldestWaiting(size_t thread, std::int64_t since) {
    threads_[thread].oldest_waiting.store(since, std::memory_order_relaxed);
  }
  // The thread whose waiting connection is the oldest of all; nothing when none waits.
  std::optional<size_t> ThreadOfOldest() const;
  size_t open() const { return open_.load(std::memory_order_relaxed); }

 private:
  // On a cache line of its own: each thread writes its own often.
  struct alignas(64) Thread {
    std::atomic<size_t> open{0};
    std::atomic<std::int64_t> oldest_waiting{kNobody};
  };
  size_t EmptiestThread() const;

  const size_t most_;
  const size_t most_of_group_;
  std::vector<Thread> threads_;
  std::atomic<size_t> open_{0};
  std::mutex mutex_;
  // By group: how many each thread has. Guarded by mutex_.
  std::unordered_map<std::string, std::vector<std::uint32_t>> groups_;
};

}  // namespace troth
