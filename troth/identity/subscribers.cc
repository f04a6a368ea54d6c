#include <condition_variable>
#include <deque>
#include <list>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "troth/identity/subscribers_internal.h"

namespace troth {
namespace {

struct Subscriber {
  Subscribers::Callback changed;
  bool gone = false;  // guarded by State::mutex, as running
  bool running = false;
};

}  // namespace

struct Subscribers::State {
  std::mutex mutex;
  std::condition_variable idle;  // a callback has returned
  std::list<std::shared_ptr<Subscriber>> subscribers;
  std::thread::id caller;  // the thread that calls subscribers at the moment, or none
  std::deque<std::shared_ptr<const Identity>> queue;

  void Remove(const std::shared_ptr<Subscriber>& subscriber) {
    std::unique_lock lock(mutex);
    subscriber->gone = true;
    subscribers.remove(subscriber);
    if (caller == std::this_thread::get_id()) return;
    idle.wait(lock, [&] { return !subscriber->running; });
  }

  // With the lock held.
  void CallAll(std::unique_lock<std::mutex>& lock,
               const std::shared_ptr<const Identity>& identity) {
    const std::vector<std::shared_ptr<Subscriber>> all(subscribers.begin(), subscribers.end());
    for (const std::shared_ptr<Subscriber>& subscriber : all) {
      if (subscriber->gone) continue;
      subscriber->running = true;
      lock.unlock();
      try {
        subscriber->changed(identity);
      } catch (...) {
        // Its own loss: the others, and whoever waits for it to end, must not suffer.
      }
      lock.lock();
      subscriber->running = false;
      idle.notify_all();
    }
  }
};

Subscribers::Subscribers() : state_(std::make_shared<State>()) {}

Subscription Subscribers::Add(Callback changed) {
  auto subscriber = std::make_shared<Subscriber>();
  subscriber->changed = std::move(changed);
  {
    const std::lock_guard lock(state_->mutex);
    state_->subscribers.push_back(subscriber);
  }
  return {subscriber.get(), [subscriber, state = state_](void*) { state->Remove(subscriber); }};
}

void Subscribers::Enqueue(std::shared_ptr<const Identity> identity) {
  const std::lock_guard lock(state_->mutex);
  state_->queue.push_back(std::move(identity));
}

void Subscribers::Deliver() {
  const std::shared_ptr<State> state = state_;  // a callback may end the source
  std::unique_lock lock(state->mutex);
  if (state->caller == std::this_thread::get_id()) return;
  state->idle.wait(lock, [&] { return state->caller == std::thread::id(); });
  state->caller = std::this_thread::get_id();
  while (!state->queue.empty()) {
    const std::shared_ptr<const Identity> next = std::move(state->queue.front());
    state->queue.pop_front();
    state->CallAll(lock, next);
  }
  state->caller = std::thread::id();
  state->idle.notify_all();
}

}  // namespace troth
