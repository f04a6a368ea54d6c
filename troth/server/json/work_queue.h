// A thread for work that may wait: HTTP's own threads must not.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace troth::json {

// Runs pieces of work one after another, in the order of Add. Thread-safe.
class WorkQueue {
 public:
  explicit WorkQueue(size_t max_waiting);
  // Lets the running piece end; those that wait are dropped.
  ~WorkQueue();
  WorkQueue(const WorkQueue&) = delete;
  WorkQueue& operator=(const WorkQueue&) = delete;

  // False when too many wait; then `work` is not run.
  bool Add(std::function<void()> work);

 private:
  void Run();

  const size_t max_waiting_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> waiting_;  // guarded by mutex_
  bool stopping_ = false;                      // likewise
  std::thread thread_;
};

}  // namespace troth::json
