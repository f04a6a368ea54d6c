// Calls without end, on many connections, each of which is checked.
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/security/credentials.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/rotation/key_pairs.h"

namespace rotation {

// A channel with a connection of its own.
std::shared_ptr<grpc::Channel> NewChannel(const std::string& address,
                                          const std::shared_ptr<grpc::ChannelCredentials>& how);

// What one call showed. The indexes are -1 where a certificate was strange, or the call failed.
struct Seen {
  std::string failure;  // empty when the call went well
  int server = -1;      // which certificate of the server the client saw
  int client = -1;      // which certificate of the client the server saw
};
Seen CallOnce(grpc::Channel& channel, const Sequence& servers);

class Callers {
 public:
  struct Options {
    std::string address;
    std::shared_ptr<grpc::ChannelCredentials> credentials;
    const Sequence* servers;
    // The newest certificate that the server has taken up: a connection that begins now must show
    // this one or a newer one.
    std::function<int()> newest_server;
    int steady = 30;        // connections that stay
    int reconnecting = 20;  // connections that are made anew again and again
  };
  explicit Callers(Options options);
  ~Callers();  // stops

  void Stop();
  std::uint64_t calls() const { return calls_; }
  std::uint64_t connections() const { return connections_; }
  std::uint64_t failed() const { return failed_; }
  std::string first_failure() const;

 private:
  // Calls on one connection after the other, `calls_each` on each of them.
  void Work(int calls_each);
  void Fail(const std::string& what);

  const Options options_;
  std::atomic<bool> stop_ = false;
  std::atomic<std::uint64_t> calls_ = 0, connections_ = 0, failed_ = 0;
  mutable std::mutex mutex_;
  std::string first_failure_;  // guarded by mutex_
  std::vector<std::thread> threads_;
};

}  // namespace rotation
