#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <memory>
#include <optional>
#include <system_error>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/http/listen_socket.h"
#include "troth/http/port_holder_internal.h"

namespace troth {
namespace {

constexpr std::string_view kUnixPrefix = "unix:";
constexpr int kBacklog = 4096;  // the kernel's own limit may be lower

std::string ErrorText(int error) { return std::generic_category().message(error); }

absl::Status CannotListen(const std::string& where, const std::string& why) {
  return MakeError(Reason::kConnectionFailed, "cannot listen on " + Printable(where) + ": " + why);
}

// Host and port of "ADDR:PORT" or "[ADDR]:PORT".
std::optional<std::pair<std::string, std::string>> SplitAddress(std::string_view where) {
  const size_t colon = where.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return std::nullopt;
  std::string_view host = where.substr(0, colon);
  const std::string_view port = where.substr(colon + 1);
  if (port.empty() || port.size() > 5 ||
      port.find_first_not_of("0123456789") != std::string_view::npos ||
      std::stoi(std::string(port)) > 65535) {
    return std::nullopt;
  }
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return std::nullopt;  // an IPv6 address without brackets could be read in two ways
  }
  if (host.empty()) return std::nullopt;
  return std::pair(std::string(host), std::string(port));
}

const sockaddr* AsAddress(const sockaddr_storage& storage) {
  return reinterpret_cast<const sockaddr*>(&storage);
}

bool IsMappedIpv4(const in6_addr& address) { return IN6_IS_ADDR_V4MAPPED(&address); }

std::string HostText(int family, const void* address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(family, address, text.data(), text.size());
  return text.data();
}

struct Name {
  std::string text, group;
  std::uint16_t port = 0;
};

Name NameOf(const sockaddr_storage& storage) {
  Name out;
  if (storage.ss_family == AF_INET) {
    const auto& ipv4 = reinterpret_cast<const sockaddr_in&>(storage);
    out.port = ntohs(ipv4.sin_port);
    out.group.assign(reinterpret_cast<const char*>(&ipv4.sin_addr), 4);
    out.text = HostText(AF_INET, &ipv4.sin_addr) + ":" + std::to_string(out.port);
  } else if (storage.ss_family == AF_INET6) {
    const auto& ipv6 = reinterpret_cast<const sockaddr_in6&>(storage);
    const auto* bytes = reinterpret_cast<const char*>(&ipv6.sin6_addr);
    out.port = ntohs(ipv6.sin6_port);
    if (IsMappedIpv4(ipv6.sin6_addr)) {
      out.group.assign(bytes + 12, 4);
      out.text = HostText(AF_INET, bytes + 12) + ":" + std::to_string(out.port);
    } else {
      out.group.assign(bytes, 8);
      out.text = "[" + HostText(AF_INET6, bytes) + "]:" + std::to_string(out.port);
    }
  }
  return out;
}

std::string UnixPeer(int descriptor) {
  ucred who{};
  socklen_t length = sizeof who;
  if (getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &who, &length) != 0) return "unix:";
  return "unix:uid=" + std::to_string(who.uid);
}

// Whether somebody answers at this path.
bool IsListening(const sockaddr_un& address) {
  const Descriptor probe(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (probe.number() < 0) return true;
  if (connect(probe.number(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
    return true;
  }
  return errno != ECONNREFUSED && errno != ENOENT;
}

}  // namespace

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  if (this != &other) {
    if (number_ >= 0) close(number_);
    number_ = other.Release();
  }
  return *this;
}

Descriptor::~Descriptor() {
  if (number_ >= 0) close(number_);
}

ListenSocket::~ListenSocket() {
  if (descriptor() >= 0 && !path_.empty()) unlink(path_.c_str());
}

absl::StatusOr<ListenSocket> ListenSocket::OpenUnix(const std::string& path) {
  const std::string where = std::string(kUnixPrefix) + path;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return MakeError(Reason::kUsageError, "expected \"unix:\" and a path of 1 to " +
                                              std::to_string(sizeof address.sun_path - 1) +
                                              " bytes, got " + std::to_string(path.size()));
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  struct stat status {};
  if (lstat(path.c_str(), &status) == 0) {
    if (!S_ISSOCK(status.st_mode)) return CannotListen(where, "something else is there");
    if (IsListening(address)) return CannotListen(where, "another process listens there");
    unlink(path.c_str());
  }
  ListenSocket out;
  out.descriptor_ = Descriptor(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  // The file is made with the socket's own mode: at no moment is it open to others.
  if (out.descriptor() < 0 || fchmod(out.descriptor(), 0600) != 0 ||
      bind(out.descriptor(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return CannotListen(where, ErrorText(errno));
  }
  out.path_ = path;
  if (chmod(path.c_str(), 0600) != 0 || listen(out.descriptor(), kBacklog) != 0) {
    return CannotListen(where, ErrorText(errno));
  }
  out.address_ = where;
  return out;
}

absl::StatusOr<ListenSocket> ListenSocket::Open(const std::string& where) {
  if (where.starts_with(kUnixPrefix)) return OpenUnix(where.substr(kUnixPrefix.size()));
  const auto host_and_port = SplitAddress(where);
  if (!host_and_port.has_value()) {
    return MakeError(Reason::kUsageError,
                     "expected ADDR:PORT, [IPV6]:PORT or unix:/path to listen on, got \"" +
                         Printable(where) + "\"");
  }
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int failed =
      getaddrinfo(host_and_port->first.c_str(), host_and_port->second.c_str(), &hints, &found);
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, freeaddrinfo);
  if (failed != 0 || found == nullptr) {
    return MakeError(Reason::kUsageError,
                     "\"" + Printable(host_and_port->first) +
                         "\" is no address of this machine: " + gai_strerror(failed));
  }
  ListenSocket out;
  out.descriptor_ =
      Descriptor(socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int on = 1;
  if (out.descriptor() < 0 ||
      setsockopt(out.descriptor(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      bind(out.descriptor(), found->ai_addr, found->ai_addrlen) != 0 ||
      listen(out.descriptor(), kBacklog) != 0) {
    const int error = errno;
    std::string why = ErrorText(error);
    if (error == EADDRINUSE) {
      const std::string holder =
          DescribePortHolder(static_cast<std::uint16_t>(std::stoi(host_and_port->second)));
      why += holder.empty() ? "; choose another port" : ": " + holder + " has the port";
    }
    return CannotListen(where, why);
  }
  sockaddr_storage bound{};
  socklen_t length = sizeof bound;
  if (getsockname(out.descriptor(), reinterpret_cast<sockaddr*>(&bound), &length) != 0) {
    return CannotListen(where, ErrorText(errno));
  }
  Name name = NameOf(bound);
  out.address_ = std::move(name.text);
  out.port_ = name.port;
  return out;
}

int FirstDescriptorForFiles() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return INT_MAX;
  const rlim_t all = std::min<rlim_t>(limit.rlim_cur, INT_MAX);
  const rlim_t for_files = std::clamp<rlim_t>(all / 8, 32, 256);
  return static_cast<int>(all > for_files ? all - for_files : 0);
}

Arrival Accept(int listening, int& error) {
  Arrival out;
  sockaddr_storage from{};
  socklen_t length = sizeof from;
  out.descriptor = Descriptor(accept4(listening, reinterpret_cast<sockaddr*>(&from), &length,
                                      SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (out.descriptor.number() < 0) {
    error = errno;
    return out;
  }
  error = 0;
  if (AsAddress(from)->sa_family == AF_UNIX) {
    out.address = UnixPeer(out.descriptor.number());
    return out;
  }
  const int on = 1;
  setsockopt(out.descriptor.number(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  Name name = NameOf(from);
  out.address = std::move(name.text);
  out.group = std::move(name.group);
  return out;
}

}  // namespace troth
