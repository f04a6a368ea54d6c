#include <utility>

#include "troth/ca/event_hub_internal.h"

namespace troth {

struct EventHub::Subscription {
  explicit Subscription(Listener given) : listener(std::move(given)) {}
  // Recursive, so that a listener can let its own subscription go.
  std::recursive_mutex running;
  Listener listener;
};

std::shared_ptr<void> EventHub::Subscribe(Listener listener) {
  auto subscription = std::make_shared<Subscription>(std::move(listener));
  const std::lock_guard lock(mutex_);
  std::erase_if(subscriptions_, [](const auto& weak) { return weak.expired(); });
  subscriptions_.push_back(subscription);
  count_ = subscriptions_.size();
  // The handle, not the subscription itself: who publishes holds that while it runs.
  return {subscription.get(), [subscription](void*) {
            const std::lock_guard running(subscription->running);
            subscription->listener = nullptr;
          }};
}

bool EventHub::HasListeners() const { return count_ != 0; }

void EventHub::Publish(const AuthorityEvent& event) {
  std::vector<std::shared_ptr<Subscription>> present;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& weak : subscriptions_) {
      if (auto subscription = weak.lock()) present.push_back(std::move(subscription));
    }
    if (present.size() != subscriptions_.size()) {
      std::erase_if(subscriptions_, [](const auto& weak) { return weak.expired(); });
      count_ = subscriptions_.size();
    }
  }
  for (const auto& subscription : present) {
    const std::lock_guard running(subscription->running);
    // A copy: it may replace itself by nothing while it runs.
    if (const Listener listener = subscription->listener) listener(event);
  }
}

}  // namespace troth
