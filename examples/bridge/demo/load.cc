#include "examples/bridge/demo/load.h"

#include "examples/bridge/demo/calls.h"

namespace bridge {

Load::Load(std::string endpoint, Caller aggregator, Caller own_client, int connections,
           int calls_per_connection) {
  for (int i = 0; i < connections; ++i) {
    const bool internal = i % 2 == 1;
    threads_.emplace_back([=, this, caller = internal ? own_client : aggregator] {
      Work(endpoint, caller, internal, calls_per_connection);
    });
  }
}

Load::~Load() { Stop(); }

void Load::Stop() {
  stop_ = true;
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

std::string Load::first_failure() const {
  const std::lock_guard lock(mutex_);
  return first_failure_;
}

void Load::Work(const std::string& endpoint, const Caller& caller, bool internal,
                int calls_per_connection) {
  while (!stop_) {
    const auto channel = Connect(endpoint, caller);
    ++connections_;
    for (int i = 0; i < calls_per_connection && !stop_; ++i) {
      const grpc::Status status = internal ? EndRound(channel) : GetKey(channel);
      ++calls_;
      if (status.ok()) continue;
      ++failed_;
      const std::lock_guard lock(mutex_);
      if (first_failure_.empty()) first_failure_ = caller.name + ": " + status.error_message();
    }
  }
}

}  // namespace bridge
