#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <memory>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include "troth/doctor/socket_internal.h"

namespace troth {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

int MillisecondsUntil(Deadline deadline) {
  const auto left = std::chrono::ceil<milliseconds>(deadline - steady_clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 1'000'000));
}

Resolved FromList(const addrinfo* list) {
  constexpr size_t kMost = 8;  // more are not looked at
  Resolved out;
  for (; list != nullptr && out.addresses.size() < kMost; list = list->ai_next) {
    if (list->ai_family != AF_INET && list->ai_family != AF_INET6) continue;
    SocketAddress address{.length = list->ai_addrlen};
    std::memcpy(&address.storage, list->ai_addr, list->ai_addrlen);
    out.addresses.push_back(address);
  }
  if (out.addresses.empty()) out.error = "the name has no address";
  return out;
}

Resolved LookUp(const Endpoint& endpoint, int flags) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV | flags;
  addrinfo* list = nullptr;
  const int error =
      getaddrinfo(endpoint.host.c_str(), std::to_string(endpoint.port).c_str(), &hints, &list);
  if (error != 0) return {.error = gai_strerror(error)};
  Resolved out = FromList(list);
  freeaddrinfo(list);
  return out;
}

}  // namespace

std::string SocketAddress::ToString() const {
  char text[INET6_ADDRSTRLEN] = {};
  if (storage.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(storage);
    inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof(text));
    return "[" + std::string(text) + "]:" + std::to_string(ntohs(v6.sin6_port));
  }
  const auto& v4 = reinterpret_cast<const sockaddr_in&>(storage);
  inet_ntop(AF_INET, &v4.sin_addr, text, sizeof(text));
  return std::string(text) + ":" + std::to_string(ntohs(v4.sin_port));
}

std::string SocketAddress::GrpcTarget() const {
  return (storage.ss_family == AF_INET6 ? "ipv6:" : "ipv4:") + ToString();
}

Resolved LookUpWithSystem(const Endpoint& endpoint) { return LookUp(endpoint, AI_ADDRCONFIG); }

Resolved Resolve(const Endpoint& endpoint, Deadline deadline, Lookup lookup) {
  if (ParseIpAddress(endpoint.host).has_value()) return LookUp(endpoint, AI_NUMERICHOST);
  struct Shared {
    std::mutex mutex;
    std::condition_variable changed;
    std::optional<Resolved> result;  // guarded by mutex
  };
  const auto shared = std::make_shared<Shared>();
  try {
    std::thread([shared, endpoint, lookup = std::move(lookup)] {
      Resolved result = lookup(endpoint);
      const std::lock_guard lock(shared->mutex);
      shared->result = std::move(result);
      shared->changed.notify_all();
    }).detach();
  } catch (const std::system_error&) {
    return {.error = "no thread could be started for the lookup"};
  }
  std::unique_lock lock(shared->mutex);
  if (!shared->changed.wait_until(lock, deadline, [&] { return shared->result.has_value(); })) {
    return {.error = "the name servers did not answer in time", .timed_out = true};
  }
  return *std::move(shared->result);
}

Socket Socket::Connect(const SocketAddress& address, Deadline deadline) {
  Socket out;
  out.descriptor_ = Descriptor(
      socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  const int number = out.descriptor_.number();
  if (number < 0) {
    out.error_ = errno;
    return out;
  }
  const int on = 1;
  setsockopt(number, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  out.state_ = State::kOpen;
  if (connect(number, reinterpret_cast<const sockaddr*>(&address.storage), address.length) == 0) {
    return out;
  }
  if (errno != EINPROGRESS) {
    out.error_ = errno;
    out.state_ = State::kFailed;
    return out;
  }
  if (!out.Wait(POLLOUT, deadline)) return out;
  socklen_t size = sizeof(out.error_);
  getsockopt(number, SOL_SOCKET, SO_ERROR, &out.error_, &size);
  if (out.error_ == ETIMEDOUT) {
    out.state_ = State::kTimedOut;
  } else if (out.error_ != 0) {
    out.state_ = State::kFailed;
  }
  return out;
}

bool Socket::Wait(short events, Deadline deadline) {
  while (true) {
    pollfd waiting{.fd = descriptor_.number(), .events = events, .revents = 0};
    const int left = MillisecondsUntil(deadline);
    const int ready = left == 0 ? 0 : poll(&waiting, 1, left);
    if (ready > 0) return true;
    if (ready < 0 && errno == EINTR) continue;
    state_ = ready == 0 ? State::kTimedOut : State::kFailed;
    error_ = ready == 0 ? 0 : errno;
    return false;
  }
}

void Socket::Send(std::string_view bytes, Deadline deadline) {
  while (!bytes.empty() && state_ == State::kOpen) {
    if (!Wait(POLLOUT, deadline)) return;
    const ssize_t sent = send(descriptor_.number(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      bytes.remove_prefix(static_cast<size_t>(sent));
    } else if (errno != EAGAIN && errno != EINTR) {
      return;
    }
  }
}

std::string Socket::Receive(Deadline deadline) {
  constexpr size_t kMost = size_t{16} << 10;
  while (state_ == State::kOpen) {
    if (!Wait(POLLIN, deadline)) break;
    std::string bytes(kMost, '\0');
    const ssize_t size = recv(descriptor_.number(), bytes.data(), bytes.size(), 0);
    if (size > 0) {
      bytes.resize(static_cast<size_t>(size));
      return bytes;
    }
    if (size == 0) {
      state_ = State::kClosed;
    } else if (errno != EAGAIN && errno != EINTR) {
      error_ = errno;
      state_ = State::kFailed;
    }
  }
  return "";
}

}  // namespace troth
