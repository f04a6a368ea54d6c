#include <mutex>
#include <utility>

#include "troth/identity/identity_source.h"
#include "troth/identity/subscribers_internal.h"

namespace troth {
namespace {

class HeldIdentitySource : public MemoryIdentitySource {
 public:
  HeldIdentitySource(std::shared_ptr<const Identity> identity, const Clock& clock)
      : clock_(clock), current_(std::move(identity)) {}

  std::shared_ptr<const Identity> Current() const override {
    const std::lock_guard lock(mutex_);
    return current_;
  }

  Subscription Subscribe(std::function<void(std::shared_ptr<const Identity>)> changed) override {
    return subscribers_.Add(std::move(changed));
  }

  IdentityStatistics Statistics() const override {
    const std::lock_guard lock(mutex_);
    IdentityStatistics statistics;
    statistics.rotations = rotations_;
    if (current_->expires().has_value()) {
      statistics.seconds_left = (*current_->expires() - clock_.Now()).count();
    }
    return statistics;
  }

  void Set(std::shared_ptr<const Identity> identity) override {
    {
      const std::lock_guard lock(mutex_);
      if (identity == nullptr || identity == current_) return;
      current_ = identity;
      ++rotations_;
      subscribers_.Enqueue(std::move(identity));
    }
    subscribers_.Deliver();
  }

 private:
  const Clock& clock_;
  Subscribers subscribers_;
  mutable std::mutex mutex_;
  std::shared_ptr<const Identity> current_;  // guarded by mutex_, as rotations_
  std::uint64_t rotations_ = 0;
};

}  // namespace

std::shared_ptr<MemoryIdentitySource> MemoryIdentitySource::Create(
    std::shared_ptr<const Identity> identity, const Clock& clock) {
  return std::make_shared<HeldIdentitySource>(std::move(identity), clock);
}

}  // namespace troth
