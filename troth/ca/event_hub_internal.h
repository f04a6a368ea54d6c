// Those who listen to the authority's decisions.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "troth/ca/authority.h"

namespace troth {

// Thread-safe. A subscription may outlive the hub.
class EventHub {
 public:
  using Listener = std::function<void(const AuthorityEvent&)>;

  // Until the answer goes. When that has returned from its destruction, `listener` does not run and
  // will not run again; a listener may let its own subscription go.
  std::shared_ptr<void> Subscribe(Listener listener);
  bool HasListeners() const;
  void Publish(const AuthorityEvent& event);

 private:
  struct Subscription;
  std::mutex mutex_;
  std::vector<std::weak_ptr<Subscription>> subscriptions_;
  std::atomic<size_t> count_ = 0;
};

}  // namespace troth
