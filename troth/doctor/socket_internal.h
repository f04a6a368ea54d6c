// TCP with a deadline for everything: resolving a name, connecting, sending, receiving.
#pragma once

#include <sys/socket.h>

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "troth/doctor/endpoint.h"
#include "troth/http/listen_socket.h"

namespace troth {

using Deadline = std::chrono::steady_clock::time_point;

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;

  std::string ToString() const;    // "127.0.0.1:443", "[::1]:443"
  std::string GrpcTarget() const;  // "ipv4:127.0.0.1:443", as gRPC takes it
};

struct Resolved {
  std::vector<SocketAddress> addresses = {};  // at least one when `error` is empty
  std::string error = {};                     // why there are none, in words
  bool timed_out = false;
};

// What getaddrinfo answers; replaced by tests.
using Lookup = std::function<Resolved(const Endpoint&)>;
Resolved LookUpWithSystem(const Endpoint& endpoint);

// Never takes longer than the deadline allows: a lookup that is still under way then is left to
// itself in a thread of its own.
Resolved Resolve(const Endpoint& endpoint, Deadline deadline, Lookup lookup = LookUpWithSystem);

// One connection. Never blocks beyond a deadline, never raises SIGPIPE.
class Socket {
 public:
  enum class State {
    kOpen,
    kClosed,    // the peer has ended its side
    kTimedOut,  // the deadline has passed
    kFailed,    // see error()
  };

  static Socket Connect(const SocketAddress& address, Deadline deadline);

  State state() const { return state_; }
  int error() const { return error_; }  // errno, when kFailed
  // Sends all of it, if it can. A peer that takes no more may still have said why, so that only the
  // deadline changes the state.
  void Send(std::string_view bytes, Deadline deadline);
  // Up to 16 KiB, as soon as there is something; empty when the state has changed.
  std::string Receive(Deadline deadline);

 private:
  Socket() = default;
  bool Wait(short events, Deadline deadline);

  Descriptor descriptor_;
  State state_ = State::kFailed;
  int error_ = 0;
};

}  // namespace troth
