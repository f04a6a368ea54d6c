// The subscribers of an identity source.
#pragma once

#include <functional>
#include <memory>

#include "troth/identity/identity_source.h"

namespace troth {

// Keeps the callbacks of one source and calls them. Thread-safe. Subscriptions may outlive it.
class Subscribers {
 public:
  using Callback = std::function<void(std::shared_ptr<const Identity>)>;

  Subscribers();
  Subscription Add(Callback changed);
  // Puts a replacement in the queue of those to be told. Never calls a subscriber, so a lock may be
  // held: the source's own, that what subscribers are told last is what the source holds.
  void Enqueue(std::shared_ptr<const Identity> identity);
  // Tells subscribers, in the order of subscription, what is in the queue, and returns when it is
  // told; from inside a callback it returns at once, and that is told after the callback. Never two
  // calls at a time. Those who subscribe meanwhile may be told or not, those who leave are not.
  void Deliver();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace troth
