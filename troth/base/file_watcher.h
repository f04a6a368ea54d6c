// Tells when files change.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace troth {

// Watches paths (files or folders, also ones that do not exist yet) with inotify on their folders, through renames, symbolic links that
// are switched (as Kubernetes does) and folders that come and go, and by polling where inotify sees nothing. One thread.
class FileWatcher {
 public:
  struct Options {
    std::chrono::milliseconds poll_interval{1000};
    // After a change the watcher waits until this long nothing more has changed (at most ten times as long).
    std::chrono::milliseconds settle{10};
  };

  // Calls `changed` from the watcher's thread, once for any number of changes that came together.
  static std::unique_ptr<FileWatcher> Start(std::vector<std::string> paths, std::function<void()> changed,
                                            Options options);
  virtual ~FileWatcher() = default;  // waits for a callback that is running; must not be called from it
  // Watches other paths from now on. May be called from the callback.
  virtual void SetPaths(std::vector<std::string> paths) = 0;
  // Has `changed` called soon, as if a file had changed. Thread-safe.
  virtual void Poke() = 0;
};

}  // namespace troth
