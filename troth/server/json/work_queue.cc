#include "troth/server/json/work_queue.h"

#include <utility>

namespace troth::json {

WorkQueue::WorkQueue(size_t max_waiting) : max_waiting_(max_waiting), thread_([this] { Run(); }) {}

WorkQueue::~WorkQueue() {
  {
    std::deque<std::function<void()>> dropped;  // goes without the lock
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    dropped.swap(waiting_);
  }
  wake_.notify_all();
  thread_.join();
}

bool WorkQueue::Add(std::function<void()> work) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_ || waiting_.size() >= max_waiting_) return false;
    waiting_.push_back(std::move(work));
  }
  wake_.notify_one();
  return true;
}

void WorkQueue::Run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    if (stopping_) return;
    {
      const std::function<void()> work = std::move(waiting_.front());
      waiting_.pop_front();
      lock.unlock();
      work();
    }
    lock.lock();
  }
}

}  // namespace troth::json
