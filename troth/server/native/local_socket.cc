#include "troth/server/native/local_socket.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <system_error>
#include <thread>
#include <utility>

#include "troth/base/file.h"
#include "troth/base/log.h"
#include "troth/base/reason.h"

namespace troth::native {
namespace {

constexpr int kBacklog = 64;
// When the process has no descriptors left, the connection stays in the queue meanwhile.
constexpr auto kPauseAfterFailure = std::chrono::milliseconds(100);

std::string ErrorText(int error) { return std::system_category().message(error); }

absl::StatusOr<sockaddr_un> AddressOf(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return MakeError(Reason::kUsageError, "the path of a socket has 1 to " +
                                              std::to_string(sizeof address.sun_path - 1) +
                                              " characters, " + path + " has " +
                                              std::to_string(path.size()) +
                                              "; choose a data directory with a shorter path");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

absl::StatusOr<Descriptor> NewSocket(int flags) {
  Descriptor made(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0));
  if (made.number() >= 0) return made;
  return MakeError(Reason::kConnectionFailed, "cannot make a socket: " + ErrorText(errno));
}

// errno of an attempt to connect, 0 when it worked.
int TryConnect(const Descriptor& with, const sockaddr_un& address) {
  while (connect(with.number(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    if (errno != EINTR) return errno;
  }
  return 0;
}

// OK when a socket may be put at `path`.
absl::Status CheckFree(const std::string& path, const sockaddr_un& address) {
  struct stat there {};
  if (lstat(path.c_str(), &there) != 0) return absl::OkStatus();
  if (!S_ISSOCK(there.st_mode)) {
    return MakeError(Reason::kFileExists, path +
                                              " is there and is no socket; remove it, or "
                                              "choose another data directory");
  }
  auto probe = NewSocket(SOCK_NONBLOCK);
  if (!probe.ok()) return probe.status();
  switch (const int error = TryConnect(*probe, address)) {
    case ECONNREFUSED:
    case ENOENT:
      return absl::OkStatus();  // left behind
    case 0:
    case EAGAIN:
      return MakeError(Reason::kConnectionFailed,
                       "another process listens on " + path + "; stop that authority first");
    default:
      return MakeError(
          Reason::kConnectionFailed,
          "cannot tell whether another process listens on " + path + ": " + ErrorText(error));
  }
}

class Listener final : public LocalListener {
 public:
  Listener(std::string path, Accepted accepted)
      : path_(std::move(path)), accepted_(std::move(accepted)) {}

  ~Listener() override {
    if (thread_.joinable()) {
      const std::uint64_t one = 1;
      while (write(stop_.number(), &one, sizeof one) < 0 && errno == EINTR) {
      }
      thread_.join();
    }
    // Only our own: another process may have put its socket there since.
    struct stat there {};
    if (bound_ && lstat(path_.c_str(), &there) == 0 && there.st_ino == inode_ &&
        there.st_dev == device_) {
      unlink(path_.c_str());
    }
  }

  absl::Status Begin() {
    auto address = AddressOf(path_);
    if (!address.ok()) return address.status();
    if (absl::Status status = CheckFree(path_, *address); !status.ok()) return status;
    if (absl::Status status = Bind(); !status.ok()) return status;
    stop_ = Descriptor(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (stop_.number() < 0) return Failed("eventfd");
    thread_ = std::thread([this] { Run(); });
    return absl::OkStatus();
  }

 private:
  absl::Status Failed(const char* step) const {
    return MakeError(Reason::kConnectionFailed,
                     "cannot listen on " + path_ + ": " + step + ": " + ErrorText(errno));
  }

  // Made under another name, and moved into place when it listens: whoever finds it can connect.
  absl::Status Bind() {
    const std::string temporary = JoinPath(FolderOf(path_), "." + std::to_string(getpid()));
    auto address = AddressOf(temporary);
    if (!address.ok()) return address.status();
    auto made = NewSocket(SOCK_NONBLOCK);
    if (!made.ok()) return made.status();
    socket_ = *std::move(made);
    unlink(temporary.c_str());  // of an earlier process with our number
    // Linux makes the file with the mode of the socket, whatever the umask still takes from it.
    if (fchmod(socket_.number(), S_IRUSR | S_IWUSR) != 0) return Failed("fchmod");
    if (bind(socket_.number(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) !=
        0) {
      return Failed("bind");
    }
    const absl::Status listens = ListenAndMove(temporary);
    if (!listens.ok()) unlink(temporary.c_str());
    return listens;
  }

  absl::Status ListenAndMove(const std::string& temporary) {
    struct stat made_file {};
    if (lstat(temporary.c_str(), &made_file) != 0) return Failed("lstat");
    if (IsOpenToOthers(made_file.st_mode)) {
      return MakeError(Reason::kConnectionFailed,
                       "cannot listen on " + path_ +
                           ": this file system lets others connect to a socket that is 0600; "
                           "choose a data directory on another one");
    }
    if (listen(socket_.number(), kBacklog) != 0) return Failed("listen");
    if (rename(temporary.c_str(), path_.c_str()) != 0) return Failed("rename");
    inode_ = made_file.st_ino;
    device_ = made_file.st_dev;
    bound_ = true;
    return absl::OkStatus();
  }

  void Run() {
    pollfd waits[2] = {{.fd = socket_.number(), .events = POLLIN, .revents = 0},
                       {.fd = stop_.number(), .events = POLLIN, .revents = 0}};
    while (true) {
      if (poll(waits, 2, -1) < 0 && errno != EINTR) return;
      if (waits[1].revents != 0) return;
      if (waits[0].revents == 0) continue;
      Descriptor connection(
          accept4(socket_.number(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
      if (connection.number() >= 0) {
        accepted_(std::move(connection));
      } else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
        Log(LogLevel::kWarning, "cannot accept a local connection",
            {{"socket", path_}, {"error", ErrorText(errno)}});
        if (poll(&waits[1], 1, static_cast<int>(kPauseAfterFailure.count())) > 0) return;
      }
    }
  }

  const std::string path_;
  const Accepted accepted_;
  Descriptor socket_, stop_;
  bool bound_ = false;
  ino_t inode_ = 0;
  dev_t device_ = 0;
  std::thread thread_;
};

}  // namespace

absl::StatusOr<Descriptor> ConnectToSocket(const std::string& path) {
  auto address = AddressOf(path);
  if (!address.ok()) return address.status();
  auto connection = NewSocket(0);
  if (!connection.ok()) return connection.status();
  switch (const int error = TryConnect(*connection, *address)) {
    case 0:
      break;
    case ENOENT:
    case ENOTDIR:
      return MakeError(Reason::kFileNotFound,
                       path +
                           " is not there: no authority runs in this data directory; start it "
                           "with `troth serve --data " +
                           FolderOf(path) + "`, or give its directory with --data");
    case EACCES:
    case EPERM:
      return MakeError(Reason::kFileUnreadable,
                       path +
                           " is another user's; run the command as the user that the authority "
                           "runs as, or as root");
    case ECONNREFUSED:
      return MakeError(Reason::kConnectionFailed, "nobody listens on " + path +
                                                      ": the authority has ended; start it again "
                                                      "with `troth serve --data " +
                                                      FolderOf(path) + "`");
    default:
      return MakeError(Reason::kConnectionFailed,
                       "cannot connect to " + path + ": " + ErrorText(error));
  }
  const int flags = fcntl(connection->number(), F_GETFL);
  if (flags < 0 || fcntl(connection->number(), F_SETFL, flags | O_NONBLOCK) != 0) {
    return MakeError(Reason::kConnectionFailed,
                     "cannot set up the connection to " + path + ": " + ErrorText(errno));
  }
  return connection;
}

std::optional<uid_t> UserOf(int descriptor) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return std::nullopt;
  return peer.uid;
}

absl::StatusOr<std::unique_ptr<LocalListener>> LocalListener::Start(const std::string& path,
                                                                    Accepted accepted) {
  auto listener = std::make_unique<Listener>(path, std::move(accepted));
  if (absl::Status status = listener->Begin(); !status.ok()) return status;
  return listener;
}

}  // namespace troth::native
