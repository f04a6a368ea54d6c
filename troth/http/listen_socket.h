// The socket that a server listens on.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/statusor.h"

namespace troth {

// Owns a file descriptor. Move-only.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(other.Release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor();
  int number() const { return number_; }
  int Release() { return std::exchange(number_, -1); }

 private:
  int number_ = -1;
};

class ListenSocket {
 public:
  // `where` is "ADDR:PORT", "[ADDR]:PORT", "NAME:PORT" (its first address) or "unix:/path", whose
  // mode is 0600 from the beginning; a socket there that nobody listens on any more is replaced.
  // Errors: usage_error (an address that is none), connection_failed (says why, and who holds the
  // port when it can be known).
  static absl::StatusOr<ListenSocket> Open(const std::string& where);
  ListenSocket(ListenSocket&&) = default;
  ListenSocket& operator=(ListenSocket&&) = delete;
  // Listens no more, and removes the file of a Unix socket.
  ~ListenSocket();

  int descriptor() const { return descriptor_.number(); }
  const std::string& address() const { return address_; }  // "127.0.0.1:43211", "unix:/path"
  std::uint16_t port() const { return port_; }             // 0 for a Unix socket

 private:
  ListenSocket() = default;
  static absl::StatusOr<ListenSocket> OpenUnix(const std::string& path);

  Descriptor descriptor_;
  std::string address_;
  std::uint16_t port_ = 0;
  std::string path_;  // of a Unix socket
};

// A client that came.
struct Arrival {
  Descriptor descriptor = {};
  std::string address = {};  // "192.0.2.1:4711", "[2001:db8::1]:4711", "unix:uid=1000"
  // What connections are counted by: an IPv4 address, an IPv6 network of 64 bits, which is what one
  // customer has; empty for Unix sockets.
  std::string group = {};
};

// The first number of those descriptors that connections leave to files: an eighth of what the
// process may have, and 32 to 256. Who accepts a connection with this or a higher number makes
// room.
int FirstDescriptorForFiles();

// Takes the next waiting client; with `error` (of errno, EAGAIN when none waits) there is none.
Arrival Accept(int listening, int& error);

}  // namespace troth
