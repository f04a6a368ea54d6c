#include "troth/base/file_watcher.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <condition_variable>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <system_error>
#include <thread>
#include <utility>

#include "troth/base/file.h"
#include "troth/base/log.h"
#include "troth/base/strings.h"

namespace troth {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

std::string Explain(int error) { return std::error_code(error, std::generic_category()).message(); }

// What is to be noticed in one folder.
struct Interest {
  bool everything = false;
  std::set<std::string> names;
  bool operator==(const Interest&) const = default;
};
using Interests = std::map<std::string, Interest>;  // by the folder's path, free of symbolic links

// Adds the folders in which something must happen before `path` leads to another file: that of each
// symbolic link on the way, that of the file (or of the first part of the path that is missing),
// and the folder itself when the path is one.
void AddInterests(const std::string& path, Interests& interests) {
  constexpr int kMaxLinks = 40;  // as the kernel
  std::error_code error;
  const std::filesystem::path absolute = std::filesystem::absolute(path, error);
  if (error) return;
  std::vector<std::string> rest;  // the next part is the last
  const auto push = [&rest](const std::string& parts) {
    std::vector<std::string_view> pieces = Split(parts, '/');
    for (auto piece = pieces.rbegin(); piece != pieces.rend(); ++piece) {
      if (!piece->empty() && *piece != ".") rest.emplace_back(*piece);
    }
  };
  push(absolute.string());
  std::string folder = "/";
  int links = 0;
  while (!rest.empty()) {
    const std::string name = std::move(rest.back());
    rest.pop_back();
    if (name == "..") {
      folder = FolderOf(folder);
      continue;
    }
    const std::string next = JoinPath(folder, name);
    struct stat info {};
    const bool exists = lstat(next.c_str(), &info) == 0;
    if (exists && S_ISLNK(info.st_mode)) {
      interests[folder].names.insert(name);
      std::array<char, PATH_MAX> target{};
      const ssize_t length = readlink(next.c_str(), target.data(), target.size());
      if (length <= 0 || ++links > kMaxLinks) return;
      if (target[0] == '/') folder = "/";
      push(std::string(target.data(), static_cast<size_t>(length)));
      continue;
    }
    if (exists && S_ISDIR(info.st_mode) && !rest.empty()) {
      folder = next;
      continue;
    }
    interests[folder].names.insert(name);
    if (exists && S_ISDIR(info.st_mode)) interests[next].everything = true;
    return;
  }
}

// inotify on a set of folders. Without one (system limits) it sees nothing and says so in the log,
// once.
class FolderEvents {
 public:
  explicit FolderEvents(milliseconds poll_interval)
      : poll_interval_(poll_interval), fd_(inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
    if (fd_ < 0) ReportLimit("inotify_init", errno);
  }
  FolderEvents(const FolderEvents&) = delete;
  FolderEvents& operator=(const FolderEvents&) = delete;
  ~FolderEvents() {
    if (fd_ >= 0) close(fd_);
  }

  int fd() const { return fd_; }

  // To be called again after every event and now and then: a folder's path may lead to another
  // folder by now.
  void Watch(const Interests& interests) {
    if (fd_ < 0) return;
    std::map<int, Interest> watched;
    for (const auto& [folder, interest] : interests) {
      // No IN_MODIFY: a file that is being written says enough when it is closed, a log file beside
      // it would say too much.
      const int watch =
          inotify_add_watch(fd_, folder.c_str(),
                            IN_CREATE | IN_CLOSE_WRITE | IN_ATTRIB | IN_MOVED_FROM | IN_MOVED_TO |
                                IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR);
      if (watch < 0) {
        if (errno == ENOSPC || errno == ENOMEM) ReportLimit("inotify_add_watch", errno);
        continue;  // a folder that has just gone or cannot be read: left to polling
      }
      // Two paths may be one folder (bind mounts).
      Interest& all = watched[watch];
      all.everything |= interest.everything;
      all.names.insert(interest.names.begin(), interest.names.end());
    }
    for (const auto& [watch, interest] : watched_) {
      if (!watched.contains(watch)) inotify_rm_watch(fd_, watch);
    }
    watched_ = std::move(watched);
  }

  // Takes all events that are there; true when one was of interest.
  bool Take() {
    if (fd_ < 0) return false;
    bool interesting = false;
    alignas(inotify_event) std::array<char, 16384> buffer;
    while (true) {
      const ssize_t length = read(fd_, buffer.data(), buffer.size());
      if (length < 0 && errno == EINTR) continue;
      if (length <= 0) return interesting;
      for (size_t at = 0; at < static_cast<size_t>(length);) {
        inotify_event event;
        std::memcpy(&event, buffer.data() + at, sizeof(event));
        const char* const name = buffer.data() + at + sizeof(event);
        interesting |= IsInteresting(event, event.len == 0 ? std::string() : std::string(name));
        at += sizeof(event) + event.len;
      }
    }
  }

 private:
  bool IsInteresting(const inotify_event& event, const std::string& name) const {
    if ((event.mask & IN_Q_OVERFLOW) != 0) return true;
    const auto found = watched_.find(event.wd);
    if (found == watched_.end()) return false;  // the last events of a folder no longer watched
    return name.empty() || found->second.everything || found->second.names.contains(name);
  }

  void ReportLimit(std::string_view call, int error) {
    if (std::exchange(reported_, true)) return;
    Log(LogLevel::kWarning, "cannot watch files with inotify, looking at them now and then instead",
        {{"call", call},
         {"error", Explain(error)},
         {"every", std::to_string(poll_interval_.count()) + " ms"},
         {"fix",
          "raise fs.inotify.max_user_instances, fs.inotify.max_user_watches or the limit of "
          "open files"}});
  }

  const milliseconds poll_interval_;
  const int fd_;
  bool reported_ = false;
  std::map<int, Interest> watched_;
};

// What a path is at one moment.
struct Sight {
  std::optional<FileVersion> version;
  std::map<std::string, std::optional<FileVersion>> entries;  // when it is a folder
  bool operator==(const Sight&) const = default;
};

Sight LookAt(const std::string& path) {
  Sight sight{.version = VersionOf(path), .entries = {}};
  if (!sight.version.has_value() || !S_ISDIR(sight.version->mode)) return sight;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(path, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    sight.entries.emplace(name, VersionOf(JoinPath(path, name)));
  }
  return sight;
}

// All of the watcher but its thread, which shares it.
class Core {
 public:
  Core(std::vector<std::string> paths, std::function<void()> changed, FileWatcher::Options options)
      : changed_(std::move(changed)),
        options_(std::move(options)),
        wake_fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
        events_(options_.poll_interval),
        paths_(std::move(paths)) {
    options_.poll_interval = std::max(options_.poll_interval, milliseconds(1));
    options_.settle = std::max(options_.settle, milliseconds(0));
    Look();
  }
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;
  ~Core() {
    if (wake_fd_ >= 0) close(wake_fd_);
  }

  void SetPaths(std::vector<std::string> paths) {
    Request([&] { new_paths_ = std::move(paths); });
  }
  void Poke() {
    Request([&] { poked_ = true; });
  }
  void Stop() {
    Request([&] { stopping_ = true; });
  }

  // The thread.
  void Run() {
    auto next_poll = steady_clock::now() + options_.poll_interval;
    while (true) {
      Wait(next_poll);
      bool changed = TakeRequests();
      changed |= events_.Take();
      const bool due = steady_clock::now() >= next_poll;
      if (changed || due) changed |= Look();
      if (changed) Settle();
      if (stopped()) return;
      if (changed) changed_();
      if (stopped()) return;
      if (!due) continue;
      if (options_.polled) options_.polled();
      next_poll = steady_clock::now() + options_.poll_interval;
    }
  }

 private:
  template <typename Change>
  void Request(Change change) {
    const std::lock_guard lock(mutex_);
    change();
    requested_ = true;
    woken_.notify_all();
    const std::uint64_t one = 1;
    if (wake_fd_ >= 0 && write(wake_fd_, &one, sizeof(one)) < 0) {
      // The counter is full: it wakes the thread already.
    }
  }

  bool stopped() {
    const std::lock_guard lock(mutex_);
    return stopping_;
  }

  // Until a request, an event or the time.
  void Wait(steady_clock::time_point until) {
    if (wake_fd_ < 0) {  // out of file descriptors
      std::unique_lock lock(mutex_);
      woken_.wait_until(lock, until, [this] { return requested_; });
      return;
    }
    const auto left = std::chrono::ceil<milliseconds>(until - steady_clock::now()).count();
    std::array<pollfd, 2> fds{pollfd{.fd = wake_fd_, .events = POLLIN, .revents = 0},
                              pollfd{.fd = events_.fd(), .events = POLLIN, .revents = 0}};
    poll(fds.data(), fds.size(), static_cast<int>(std::clamp<std::int64_t>(left, 0, INT_MAX)));
  }

  // True when they are a reason to report.
  bool TakeRequests() {
    const std::lock_guard lock(mutex_);
    std::uint64_t count = 0;
    if (wake_fd_ >= 0 && read(wake_fd_, &count, sizeof(count)) < 0) {
      // Nothing there.
    }
    requested_ = false;
    bool changed = std::exchange(poked_, false);
    if (new_paths_.has_value()) {
      for (const std::string& path : *new_paths_) changed |= !sights_.contains(path);
      paths_ = *std::move(new_paths_);
      new_paths_.reset();
    }
    return changed;
  }

  // Points inotify at the folders that matter now, then looks at the paths themselves. True when
  // one is not as it was.
  bool Look() {
    const auto find = [this] {
      Interests interests;
      for (const std::string& path : paths_) AddInterests(path, interests);
      return interests;
    };
    // A folder that appears between finding and watching would go unnoticed, so find again what is
    // then to be watched.
    Interests interests = find();
    for (int attempt = 0; attempt < 5; ++attempt) {
      events_.Watch(interests);
      Interests after = find();
      if (after == interests) break;
      interests = std::move(after);
    }
    std::map<std::string, Sight> sights;
    bool changed = false;
    for (const std::string& path : paths_) {
      Sight sight = LookAt(path);
      const auto before = sights_.find(path);
      changed |= before == sights_.end() || before->second != sight;
      sights.emplace(path, std::move(sight));
    }
    sights_ = std::move(sights);
    return changed;
  }

  // Waits until nothing changes any more, within bounds.
  void Settle() {
    const auto deadline = steady_clock::now() + 10 * options_.settle;
    bool again = true;
    while (again && !stopped() && steady_clock::now() < deadline) {
      const auto quiet = std::min(steady_clock::now() + options_.settle, deadline);
      again = false;
      while (!again && steady_clock::now() < quiet && !stopped()) {
        Wait(quiet);
        again |= TakeRequests();
        again |= events_.Take();
      }
      again |= Look();
    }
  }

  const std::function<void()> changed_;
  FileWatcher::Options options_;
  const int wake_fd_;
  std::mutex mutex_;
  std::condition_variable woken_;
  bool stopping_ = false, poked_ = false, requested_ = false;  // guarded by mutex_
  std::optional<std::vector<std::string>> new_paths_;          // guarded by mutex_

  // The thread's alone.
  FolderEvents events_;
  std::vector<std::string> paths_;
  std::map<std::string, Sight> sights_;
};

class ThreadedWatcher : public FileWatcher {
 public:
  explicit ThreadedWatcher(std::shared_ptr<Core> core) : core_(std::move(core)) {
    try {
      thread_ = std::thread([core = core_] { core->Run(); });
    } catch (const std::system_error& error) {
      Log(LogLevel::kError, "cannot start a thread, files are not watched",
          {{"error", error.code().message()}});
    }
  }
  ThreadedWatcher(const ThreadedWatcher&) = delete;
  ThreadedWatcher& operator=(const ThreadedWatcher&) = delete;
  ~ThreadedWatcher() override {
    core_->Stop();
    if (!thread_.joinable()) return;
    if (thread_.get_id() == std::this_thread::get_id()) {
      thread_.detach();  // it holds the core, and ends after this callback
    } else {
      thread_.join();
    }
  }

  void SetPaths(std::vector<std::string> paths) override { core_->SetPaths(std::move(paths)); }
  void Poke() override { core_->Poke(); }

 private:
  const std::shared_ptr<Core> core_;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<FileWatcher> FileWatcher::Start(std::vector<std::string> paths,
                                                std::function<void()> changed, Options options) {
  return std::make_unique<ThreadedWatcher>(
      std::make_shared<Core>(std::move(paths), std::move(changed), std::move(options)));
}

}  // namespace troth
