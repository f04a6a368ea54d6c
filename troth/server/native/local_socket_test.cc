#include "troth/server/native/local_socket.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <condition_variable>
#include <cstring>
#include <mutex>
#include <thread>
#include <vector>

#include "troth/base/file.h"
#include "troth/base/reason.h"
#include "troth/ca/ca_testing.h"

namespace troth::native {
namespace {

using ca_testing::ModeOf;

std::string CodeOfResult(const auto& result) {
  return result.ok() ? "ok" : std::string(CodeOf(result.status()));
}

// What a listener was given.
class Arrivals {
 public:
  LocalListener::Accepted Take() {
    return [this](Descriptor connection) {
      const std::lock_guard lock(mutex_);
      connections_.push_back(std::move(connection));
      changed_.notify_all();
    };
  }
  // The descriptor of the n-th.
  int Await(size_t count) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, std::chrono::seconds(10),
                                  [&] { return connections_.size() >= count; }));
    return connections_.size() >= count ? connections_[count - 1].number() : -1;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Descriptor> connections_;
};

class LocalSocketTest : public ::testing::Test {
 protected:
  // A socket file that nobody listens on any more.
  void LeaveBehind() const {
    const int left = socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path_.data(), path_.size());
    ASSERT_EQ(bind(left, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    ASSERT_EQ(listen(left, 1), 0);
    close(left);
    ASSERT_TRUE(FileExists(path_));
  }

  ca_testing::TestFolder folder_;
  std::string path_ = folder_ / "admin.sock";
  Arrivals arrivals_;
};

TEST_F(LocalSocketTest, ConnectionsArriveWithTheirUser) {
  auto listener = LocalListener::Start(path_, arrivals_.Take());
  ASSERT_TRUE(listener.ok()) << listener.status();
  const auto one = ConnectToSocket(path_);
  ASSERT_TRUE(one.ok()) << one.status();
  const auto two = ConnectToSocket(path_);
  ASSERT_TRUE(two.ok()) << two.status();
  EXPECT_EQ(UserOf(arrivals_.Await(1)), getuid());
  EXPECT_EQ(UserOf(arrivals_.Await(2)), getuid());
}

TEST_F(LocalSocketTest, NobodyElseMayConnectWhateverTheUmask) {
  for (const mode_t mask : {mode_t{0}, mode_t{022}, mode_t{077}}) {
    const mode_t before = umask(mask);
    auto listener = LocalListener::Start(path_, arrivals_.Take());
    umask(before);
    ASSERT_TRUE(listener.ok()) << listener.status();
    EXPECT_EQ(ModeOf(path_), 0600U) << mask;
  }
}

TEST_F(LocalSocketTest, NothingIsLeftInTheFolder) {
  { ASSERT_TRUE(LocalListener::Start(path_, arrivals_.Take()).ok()); }
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path()));
}

TEST_F(LocalSocketTest, WhatADeadProcessLeftIsReplaced) {
  LeaveBehind();
  EXPECT_EQ(CodeOfResult(ConnectToSocket(path_)), "connection_failed");
  auto listener = LocalListener::Start(path_, arrivals_.Take());
  ASSERT_TRUE(listener.ok()) << listener.status();
  EXPECT_TRUE(ConnectToSocket(path_).ok());
}

TEST_F(LocalSocketTest, ALiveListenerIsNotReplaced) {
  auto first = LocalListener::Start(path_, arrivals_.Take());
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(CodeOfResult(LocalListener::Start(path_, arrivals_.Take())), "connection_failed");
  ASSERT_TRUE(ConnectToSocket(path_).ok());
  // The probe of the second was a connection too.
  EXPECT_GE(arrivals_.Await(2), 0);
}

TEST_F(LocalSocketTest, AnotherSocketInItsPlaceIsNotRemoved) {
  auto first = LocalListener::Start(path_, arrivals_.Take());
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_EQ(unlink(path_.c_str()), 0);
  auto second = LocalListener::Start(path_, arrivals_.Take());
  ASSERT_TRUE(second.ok()) << second.status();
  first->reset();
  EXPECT_TRUE(ConnectToSocket(path_).ok());
}

TEST_F(LocalSocketTest, WhatIsNoSocketIsNotTouched) {
  ASSERT_TRUE(WriteFile(path_, "precious", {}).ok());
  EXPECT_EQ(CodeOfResult(LocalListener::Start(path_, arrivals_.Take())), "file_exists");
  EXPECT_EQ(ca_testing::Content(path_), "precious");
  EXPECT_EQ(CodeOfResult(ConnectToSocket(path_)), "connection_failed");
}

TEST_F(LocalSocketTest, SaysWhyNoConnectionCanBeMade) {
  EXPECT_EQ(CodeOfResult(ConnectToSocket(path_)), "file_not_found");
  EXPECT_EQ(CodeOfResult(ConnectToSocket(folder_ / "no/such/folder")), "file_not_found");
  const std::string long_path = folder_ / std::string(200, 'x');
  EXPECT_EQ(CodeOfResult(ConnectToSocket(long_path)), "usage_error");
  EXPECT_EQ(CodeOfResult(LocalListener::Start(long_path, arrivals_.Take())), "usage_error");
  EXPECT_EQ(CodeOfResult(LocalListener::Start(folder_ / "no/such", arrivals_.Take())),
            "connection_failed");
}

TEST_F(LocalSocketTest, AnotherUserIsToldWhoMay) {
  if (getuid() != 0) GTEST_SKIP() << "needs root to become another user";
  auto listener = LocalListener::Start(path_, arrivals_.Take());
  ASSERT_TRUE(listener.ok()) << listener.status();
  ASSERT_EQ(chmod(folder_.path().c_str(), 0755), 0);
  const pid_t child = fork();
  if (child == 0) {
    if (setuid(65534) != 0) _exit(2);
    const auto refused = ConnectToSocket(path_);
    _exit(!refused.ok() && ReasonOf(refused.status()) == Reason::kFileUnreadable ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace troth::native
