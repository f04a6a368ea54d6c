// One thread of a server with its connections.
#pragma once

#include <array>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/wait_traits.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "troth/base/time.h"
#include "troth/http/connection_internal.h"
#include "troth/http/server_core_internal.h"

namespace troth {

// No lock is taken and no thread changed between a request and its answer, unless the handler
// answers from elsewhere.
class Worker {
 public:
  using Context = boost::asio::io_context;
  using Executor = Context::executor_type;
  using Timer = boost::asio::basic_waitable_timer<
      std::chrono::steady_clock, boost::asio::wait_traits<std::chrono::steady_clock>, Executor>;

  Worker(ServerCore& core, size_t number);
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void Start();
  bool running() const { return thread_.joinable(); }
  // After Order::kStop.
  void Join();
  // Any thread.
  const std::shared_ptr<Mailbox>& mailbox() const { return mailbox_; }

  // The rest: its own thread only.
  ServerCore& core() { return core_; }
  Context& context() { return context_; }
  // What the connection that works now has to send; empty in between.
  std::string& out() { return out_; }
  // For bytes that are used at once.
  std::span<char> scratch() { return scratch_; }
  std::string& scratch_text() { return scratch_text_; }
  std::string_view date();  // the Date field

  void Remove(Connection& connection);
  // It is idle or half open, and may be closed for another's sake.
  void BeginWaiting(Connection& connection, Connection::Instant now);
  void EndWaiting(Connection& connection);

 private:
  void Run();
  void ReadMail();
  void Take(NewConnection message);
  void Take(Answer message);
  void Take(Order order);
  // Counts a connection out.
  void Leave(const std::string& group);
  // Closes one of the waiting, of `group` unless that is null.
  bool MakeRoom(const std::string* group);
  void Tidy();
  void TellOldest();

  ServerCore& core_;
  const size_t number_;
  Context context_;
  std::optional<boost::asio::executor_work_guard<Executor>> work_;
  Timer timer_;
  bool timer_runs_ = false;
  const std::chrono::milliseconds tidy_every_;
  Connection::List all_;
  // Every connection is in one of these.
  Connection::PointerList waiting_;  // the oldest first
  Connection::PointerList busy_;
  bool draining_ = false;
  std::string out_;
  std::array<char, 16384> scratch_;
  std::string scratch_text_;
  Time date_time_{};
  std::string date_;
  std::shared_ptr<Mailbox> mailbox_;
  std::thread thread_;
};

}  // namespace troth
