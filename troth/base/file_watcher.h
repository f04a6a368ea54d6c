// Tells when files change.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace troth {

// Watches paths (files or folders, also ones that do not exist yet) with inotify on their folders,
// through renames, symbolic links that are switched (as Kubernetes does) and folders that come and
// go, and by polling where inotify sees nothing: on network file systems, while a writer keeps the
// file open, and when the system's limits leave no inotify instance. One thread.
//
// Reported are changes that happen after Start or SetPaths returned: start watching first, then
// read. A report may come without a difference in content; one is never missing.
class FileWatcher {
 public:
  struct Options {
    std::chrono::milliseconds poll_interval{1000};
    // After a change the watcher waits until this long nothing more has changed (at most ten times
    // as long).
    std::chrono::milliseconds settle{10};
    // Called from the watcher's thread about every poll_interval, whether anything changed or not,
    // after `changed` when both are due. For what depends on time as well as on files.
    std::function<void()> polled = nullptr;
  };

  // Calls `changed` from the watcher's thread, once for any number of changes that came together.
  // Callbacks must not throw.
  static std::unique_ptr<FileWatcher> Start(std::vector<std::string> paths,
                                            std::function<void()> changed, Options options);
  // Waits for a callback that is running. From inside a callback it does not wait: that one is the
  // last.
  virtual ~FileWatcher() = default;
  // Watches other paths from now on. Paths that were not watched before are reported as changed
  // once, for they may have changed since the caller read them. Thread-safe, may be called from a
  // callback.
  virtual void SetPaths(std::vector<std::string> paths) = 0;
  // Has `changed` called soon, as if a file had changed. Thread-safe, may be called from a
  // callback.
  virtual void Poke() = 0;
};

}  // namespace troth
