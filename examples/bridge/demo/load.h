// Calls without end, on many connections, while things change.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "examples/bridge/demo/callers.h"

namespace bridge {

class Load {
 public:
  // Each connection calls the operator in a loop of its own, and connects anew every
  // `calls_per_connection` calls, so that handshakes go on as well. The callers take turns: an
  // aggregator asks for the key, an own client ends rounds.
  Load(std::string endpoint, Caller aggregator, Caller own_client, int connections,
       int calls_per_connection);
  ~Load();  // stops

  void Stop();
  std::uint64_t calls() const { return calls_; }
  std::uint64_t failed() const { return failed_; }
  std::uint64_t connections() const { return connections_; }
  std::string first_failure() const;

 private:
  void Work(const std::string& endpoint, const Caller& caller, bool internal,
            int calls_per_connection);

  std::atomic<bool> stop_ = false;
  std::atomic<std::uint64_t> calls_ = 0, failed_ = 0, connections_ = 0;
  mutable std::mutex mutex_;
  std::string first_failure_;
  std::vector<std::thread> threads_;
};

}  // namespace bridge
