#include "troth/base/file_watcher.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <future>
#include <mutex>
#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "troth/base/file.h"
#include "troth/base/log.h"

namespace troth {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

constexpr auto kPatience = std::chrono::seconds(20);
// So long that only inotify can have told.
constexpr milliseconds kNeverPoll = std::chrono::hours(1);

class Counter {
 public:
  void Increment() {
    const std::lock_guard lock(mutex_);
    ++count_;
    grown_.notify_all();
  }
  int Get() {
    const std::lock_guard lock(mutex_);
    return count_;
  }
  bool WaitFor(int count) {
    std::unique_lock lock(mutex_);
    return grown_.wait_for(lock, kPatience, [&] { return count_ >= count; });
  }
  bool WaitForMore(int more) { return WaitFor(Get() + more); }

 private:
  std::mutex mutex_;
  std::condition_variable grown_;
  int count_ = 0;
};

void Write(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::trunc) << text;
}

// Switches a symbolic link in one step, as Kubernetes does.
void Switch(const std::string& link, const std::string& target) {
  fs::create_symlink(target, link + ".new");
  fs::rename(link + ".new", link);
}

class FileWatcherTest : public ::testing::Test {
 protected:
  FileWatcherTest() {
    std::string name = ::testing::TempDir() + "troth_watcher_XXXXXX";
    folder_ = mkdtemp(name.data());
  }
  ~FileWatcherTest() override {
    watcher_.reset();
    SetLogSink(nullptr);
    fs::remove_all(folder_);
  }

  std::string In(const std::string& name) const { return folder_ + "/" + name; }

  void Start(const std::vector<std::string>& paths, milliseconds poll_interval = kNeverPoll,
             milliseconds settle = milliseconds(10)) {
    const std::lock_guard lock(start_mutex_);  // a callback sees watcher_ set
    watcher_ =
        FileWatcher::Start(paths,
                           [this] {
                             { const std::lock_guard started(start_mutex_); }
                             if (on_change_) on_change_();
                             changes_.Increment();
                           },
                           {.poll_interval = poll_interval, .settle = settle, .polled = [this] {
                              polls_.Increment();
                            }});
  }

  // Starts with room for so many file descriptors more.
  void StartWithDescriptors(int room, const std::vector<std::string>& paths) {
    rlimit before{};
    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
    const int next = dup(STDIN_FILENO);
    ASSERT_GE(next, 0);
    close(next);
    const rlimit few{.rlim_cur = static_cast<rlim_t>(next + room), .rlim_max = before.rlim_max};
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
    Start(paths, milliseconds(5));
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  }

  std::string folder_;
  Counter changes_, polls_;
  std::function<void()> on_change_;
  std::mutex start_mutex_;
  std::unique_ptr<FileWatcher> watcher_;
};

struct Case {
  const char* name;
  const char* path;  // what is watched
  std::function<void(const std::string& folder)> prepare;
  std::function<void(const std::string& folder)> change;
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

// Files as Kubernetes mounts them: tls.crt -> ..data/tls.crt, ..data -> ..one.
void PrepareKubernetes(const std::string& folder) {
  fs::create_directories(folder + "/..one");
  fs::create_directories(folder + "/..two");
  Write(folder + "/..one/tls.crt", "same");
  Write(folder + "/..two/tls.crt", "same");
  fs::create_symlink("..one", folder + "/..data");
  fs::create_symlink("..data/tls.crt", folder + "/tls.crt");
}

const Case kCases[] = {
    {"RewrittenInPlace", "file", [](const auto& f) { Write(f + "/file", "a"); },
     [](const auto& f) { Write(f + "/file", "b"); }},
    {"RenamedOver", "file",
     [](const auto& f) {
       Write(f + "/file", "a");
       Write(f + "/other", "a");
     },
     [](const auto& f) { fs::rename(f + "/other", f + "/file"); }},
    {"RewrittenByWriteFile", "file", [](const auto& f) { Write(f + "/file", "a"); },
     [](const auto& f) {
       EXPECT_TRUE(WriteFile(f + "/file", "a", {.overwrite = Overwrite::kReplace}).ok());
     }},
    {"ModeChanged", "file", [](const auto& f) { Write(f + "/file", "a"); },
     [](const auto& f) { EXPECT_EQ(chmod((f + "/file").c_str(), 0600), 0); }},
    {"Deleted", "file", [](const auto& f) { Write(f + "/file", "a"); },
     [](const auto& f) { fs::remove(f + "/file"); }},
    {"Created", "file", [](const auto&) {}, [](const auto& f) { Write(f + "/file", "a"); }},
    {"MovedAway", "file", [](const auto& f) { Write(f + "/file", "a"); },
     [](const auto& f) { fs::rename(f + "/file", f + "/elsewhere"); }},
    {"HardLinkedIntoPlace", "file", [](const auto& f) { Write(f + "/other", "a"); },
     [](const auto& f) { fs::create_hard_link(f + "/other", f + "/file"); }},
    {"CreatedWithItsFolders", "a/b/c/file", [](const auto&) {},
     [](const auto& f) {
       fs::create_directories(f + "/a/b/c");
       Write(f + "/a/b/c/file", "a");
     }},
    {"FolderReplaced", "certs/file",
     [](const auto& f) {
       fs::create_directories(f + "/certs");
       fs::create_directories(f + "/next");
       Write(f + "/certs/file", "a");
       Write(f + "/next/file", "a");
     },
     [](const auto& f) {
       fs::rename(f + "/certs", f + "/old");
       fs::rename(f + "/next", f + "/certs");
     }},
    {"FolderRemovedAndMadeAgain", "certs/file",
     [](const auto& f) {
       fs::create_directories(f + "/certs");
       Write(f + "/certs/file", "a");
     },
     [](const auto& f) {
       fs::remove_all(f + "/certs");
       fs::create_directories(f + "/certs");
       Write(f + "/certs/file", "a");
     }},
    {"LinkSwitched", "link",
     [](const auto& f) {
       Write(f + "/one", "a");
       Write(f + "/two", "a");
       fs::create_symlink("one", f + "/link");
     },
     [](const auto& f) { Switch(f + "/link", "two"); }},
    {"LinkTargetRewritten", "link",
     [](const auto& f) {
       fs::create_directories(f + "/far/away");
       Write(f + "/far/away/file", "a");
       fs::create_symlink(f + "/far/away/../away/./file", f + "/link");
     },
     [](const auto& f) { Write(f + "/far/away/file", "b"); }},
    {"DanglingLinkFilled", "link",
     [](const auto& f) {
       fs::create_directories(f + "/far");
       fs::create_symlink("far/file", f + "/link");
     },
     [](const auto& f) { Write(f + "/far/file", "a"); }},
    {"LinkedFolderSwitched", "current/file",
     [](const auto& f) {
       fs::create_directories(f + "/one");
       fs::create_directories(f + "/two");
       Write(f + "/one/file", "a");
       Write(f + "/two/file", "a");
       fs::create_symlink("one", f + "/current");
     },
     [](const auto& f) { Switch(f + "/current", "two"); }},
    {"KubernetesDataSwitched", "tls.crt", PrepareKubernetes,
     [](const auto& f) { Switch(f + "/..data", "..two"); }},
    {"EntryAddedToFolder", "crls", [](const auto& f) { fs::create_directories(f + "/crls"); },
     [](const auto& f) { Write(f + "/crls/one.crl", "a"); }},
    {"EntryOfFolderRewritten", "crls",
     [](const auto& f) {
       fs::create_directories(f + "/crls");
       Write(f + "/crls/one.crl", "a");
     },
     [](const auto& f) { Write(f + "/crls/one.crl", "b"); }},
    {"EntryOfFolderRemoved", "crls",
     [](const auto& f) {
       fs::create_directories(f + "/crls");
       Write(f + "/crls/one.crl", "a");
     },
     [](const auto& f) { fs::remove(f + "/crls/one.crl"); }},
};

class FileWatcherCaseTest : public FileWatcherTest, public ::testing::WithParamInterface<Case> {};

TEST_P(FileWatcherCaseTest, IsReportedByInotifyAlone) {
  GetParam().prepare(folder_);
  Start({In(GetParam().path)}, kNeverPoll);
  GetParam().change(folder_);
  EXPECT_TRUE(changes_.WaitFor(1));
}

TEST_P(FileWatcherCaseTest, IsReportedByPollingAlone) {
  SetLogSink([](const LogEntry&) {});
  GetParam().prepare(folder_);
  StartWithDescriptors(1, {In(GetParam().path)});
  GetParam().change(folder_);
  EXPECT_TRUE(changes_.WaitFor(1));
}

// After whatever happened to the path, it is still watched.
TEST_P(FileWatcherCaseTest, IsFollowedByFurtherReports) {
  GetParam().prepare(folder_);
  Start({In(GetParam().path)}, kNeverPoll);
  GetParam().change(folder_);
  ASSERT_TRUE(changes_.WaitFor(1));
  watcher_->Poke();  // whatever of the change is still on its way is reported by then
  ASSERT_TRUE(changes_.WaitForMore(1));
  const std::string path = In(GetParam().path);
  Write(fs::is_directory(path) ? path + "/more" : path, "afterwards");
  EXPECT_TRUE(changes_.WaitForMore(1));
}

INSTANTIATE_TEST_SUITE_P(All, FileWatcherCaseTest, ::testing::ValuesIn(kCases),
                         [](const auto& info) { return info.param.name; });

TEST_F(FileWatcherTest, ReportsNothingWhenNothingChanges) {
  Write(In("file"), "a");
  Start({In("file"), In("absent")}, milliseconds(5));
  ASSERT_TRUE(polls_.WaitFor(5));
  EXPECT_EQ(changes_.Get(), 0);
}

TEST_F(FileWatcherTest, NeighboursAndReadersAreNotReported) {
  Write(In("file"), "a");
  Start({In("file")}, milliseconds(5));
  Write(In("neighbour"), "a");
  fs::rename(In("neighbour"), In("neighbour2"));
  fs::remove(In("neighbour2"));
  EXPECT_TRUE(ReadFile(In("file")).ok());
  ASSERT_TRUE(polls_.WaitForMore(5));
  EXPECT_EQ(changes_.Get(), 0);
}

TEST_F(FileWatcherTest, AWriterThatKeepsTheFileOpenIsSeenByPolling) {
  Write(In("file"), "a");
  Start({In("file")}, milliseconds(5));
  const int fd = open(In("file").c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  ASSERT_GE(fd, 0);
  EXPECT_EQ(write(fd, "b", 1), 1);
  EXPECT_TRUE(changes_.WaitFor(1));
  close(fd);
}

TEST_F(FileWatcherTest, RelativePathsAreWatched) {
  const fs::path before = fs::current_path();
  fs::current_path(folder_);
  Start({"./file"});
  Write(In("file"), "a");
  EXPECT_TRUE(changes_.WaitFor(1));
  watcher_.reset();
  fs::current_path(before);
}

TEST_F(FileWatcherTest, LinksThatLeadInACircleAreSurvived) {
  fs::create_symlink("b", In("a"));
  fs::create_symlink("a", In("b"));
  Start({In("a")});
  fs::remove(In("b"));
  Write(In("b"), "x");
  EXPECT_TRUE(changes_.WaitFor(1));
}

TEST_F(FileWatcherTest, ChangesDuringACallbackAreReportedOnceAfterIt) {
  Write(In("file"), "a");
  std::promise<void> entered, release;
  std::atomic<bool> first = true;
  on_change_ = [&] {
    if (!first.exchange(false)) return;
    entered.set_value();
    release.get_future().wait();
  };
  Start({In("file")}, milliseconds(5));
  Write(In("file"), "b");
  entered.get_future().wait();
  for (int i = 0; i < 50; ++i) Write(In("file"), std::to_string(i));
  release.set_value();
  ASSERT_TRUE(changes_.WaitFor(2));
  ASSERT_TRUE(polls_.WaitForMore(5));
  EXPECT_EQ(changes_.Get(), 2);
}

TEST_F(FileWatcherTest, AWriterThatNeverStopsDoesNotPutOffTheReportForEver) {
  Start({In("file")}, kNeverPoll, milliseconds(20));
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    while (!stop) Write(In("file"), "x");
  });
  EXPECT_TRUE(changes_.WaitFor(2));
  stop = true;
  writer.join();
}

TEST_F(FileWatcherTest, PokeReportsAsIfAFileHadChanged) {
  Start({});
  watcher_->Poke();
  EXPECT_TRUE(changes_.WaitFor(1));
}

TEST_F(FileWatcherTest, NewPathsAreReportedOnceAndThenWatched) {
  Write(In("old"), "a");
  Write(In("new"), "a");
  Start({In("old")}, milliseconds(5));
  watcher_->SetPaths({In("new")});
  ASSERT_TRUE(changes_.WaitFor(1));
  ASSERT_TRUE(polls_.WaitForMore(3));
  EXPECT_EQ(changes_.Get(), 1);

  Write(In("old"), "b");
  ASSERT_TRUE(polls_.WaitForMore(3));
  EXPECT_EQ(changes_.Get(), 1);

  Write(In("new"), "b");
  EXPECT_TRUE(changes_.WaitFor(2));
}

TEST_F(FileWatcherTest, NewPathsAreReportedWithoutWaitingForAPoll) {
  Write(In("new"), "a");
  Start({}, kNeverPoll);
  watcher_->SetPaths({In("new")});
  ASSERT_TRUE(changes_.WaitFor(1));
  Write(In("new"), "b");
  EXPECT_TRUE(changes_.WaitFor(2));
}

TEST_F(FileWatcherTest, TheSamePathsSetAgainAreNotReported) {
  Write(In("file"), "a");
  on_change_ = [this] { watcher_->SetPaths({In("file"), In("second")}); };
  Start({In("file")}, milliseconds(5));
  Write(In("file"), "b");
  ASSERT_TRUE(changes_.WaitFor(2));  // the change, and the path that is new
  ASSERT_TRUE(polls_.WaitForMore(5));
  EXPECT_EQ(changes_.Get(), 2);
}

TEST_F(FileWatcherTest, EndingWaitsForTheCallbackThatRuns) {
  std::promise<void> entered;
  std::atomic<bool> done = false;
  on_change_ = [&] {
    entered.set_value();
    std::this_thread::sleep_for(milliseconds(30));  // time for a wrong one to end first
    done = true;
  };
  Start({});
  watcher_->Poke();
  entered.get_future().wait();
  watcher_.reset();
  EXPECT_TRUE(done);
}

TEST_F(FileWatcherTest, CanEndInsideItsOwnCallback) {
  std::promise<void> started, ended;
  watcher_ = FileWatcher::Start({},
                                [&] {
                                  started.get_future().wait();
                                  watcher_.reset();
                                  ended.set_value();
                                },
                                {});
  watcher_->Poke();
  started.set_value();
  EXPECT_EQ(ended.get_future().wait_for(kPatience), std::future_status::ready);
}

TEST_F(FileWatcherTest, SaysOnceWhenInotifyCannotBeHad) {
  Write(In("file"), "a");
  std::mutex mutex;
  std::vector<std::string> logged;
  SetLogSink([&](const LogEntry& entry) {
    const std::lock_guard lock(mutex);
    logged.push_back(entry.message);
  });
  StartWithDescriptors(1, {In("file")});
  Write(In("file"), "b");
  ASSERT_TRUE(changes_.WaitFor(1));
  Write(In("file"), "cc");
  ASSERT_TRUE(changes_.WaitFor(2));
  watcher_.reset();
  EXPECT_THAT(logged, ::testing::ElementsAre(::testing::HasSubstr("inotify")));
}

TEST_F(FileWatcherTest, WorksWithoutAnyFileDescriptor) {
  SetLogSink([](const LogEntry&) {});
  StartWithDescriptors(0, {In("file")});
  Write(In("file"), "a");
  EXPECT_TRUE(changes_.WaitFor(1));
  watcher_->Poke();
  EXPECT_TRUE(changes_.WaitForMore(1));
}

}  // namespace
}  // namespace troth
