#include "troth/server/native/remote_listener.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "troth/base/log.h"
#include "troth/base/reason.h"

namespace troth::native {
namespace {

constexpr int kPatienceMs = 5000;

sockaddr_in AddressOf(const std::string& host, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  EXPECT_EQ(inet_pton(AF_INET, host.c_str(), &address.sin_addr), 1);
  return address;
}

class Client {
 public:
  explicit Client(const std::string& from)
      : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const sockaddr_in address = AddressOf(from, 0);
    EXPECT_EQ(bind(socket_.number(), reinterpret_cast<const sockaddr*>(&address), sizeof address),
              0);
  }

  void Connect(std::uint16_t port) {
    const sockaddr_in address = AddressOf("127.0.0.1", port);
    EXPECT_EQ(
        connect(socket_.number(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }

  void Close() { socket_ = Descriptor(); }

  // Whether the other side ends it within the time.
  bool IsEnded(int patience_ms = kPatienceMs) const {
    pollfd wait{.fd = socket_.number(), .events = POLLIN, .revents = 0};
    return poll(&wait, 1, patience_ms) > 0;
  }

 private:
  Descriptor socket_;
};

class RemoteListenerTest : public testing::Test {
 protected:
  RemoteListenerTest() {
    SetLogSink([](const LogEntry&) {});
  }
  ~RemoteListenerTest() override { SetLogSink(nullptr); }

  void Start(size_t connections) {
    auto listener = RemoteListener::Start({.listen = "127.0.0.1:0", .connections = connections},
                                          [this](Descriptor connection) {
                                            const std::lock_guard lock(mutex_);
                                            taken_.push_back(std::move(connection));
                                            changed_.notify_all();
                                          });
    ASSERT_TRUE(listener.ok()) << listener.status();
    listener_ = *std::move(listener);
  }

  Client& Come(const std::string& from) {
    clients_.push_back(std::make_unique<Client>(from));
    clients_.back()->Connect(listener_->port());
    EXPECT_TRUE(Taken(clients_.size()));
    return *clients_.back();
  }

  bool Taken(size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::milliseconds(kPatienceMs),
                             [&] { return taken_.size() >= count; });
  }

  std::vector<std::unique_ptr<Client>> clients_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Descriptor> taken_;  // guarded by mutex_
  std::unique_ptr<RemoteListener> listener_;
};

TEST_F(RemoteListenerTest, WhenFullTheAddressWithTheMostLosesItsOldest) {
  Start(4);
  const Client& other = Come("127.0.0.1");
  const Client& first = Come("127.0.0.2");
  const Client& second = Come("127.0.0.2");
  const Client& third = Come("127.0.0.2");
  EXPECT_FALSE(first.IsEnded(0));
  const Client& newest = Come("127.0.0.3");
  EXPECT_TRUE(first.IsEnded());
  Come("127.0.0.2");
  EXPECT_TRUE(second.IsEnded());
  for (const Client* each : {&other, &third, &newest}) EXPECT_FALSE(each->IsEnded(0));
}

TEST_F(RemoteListenerTest, ConnectionsThatHaveEndedDoNotCount) {
  Start(2);
  const Client& stays = Come("127.0.0.1");
  for (size_t i = 0; i < 20; ++i) {
    Client& goes = Come("127.0.0.1");
    if (i % 2 == 0) {
      goes.Close();
    } else {
      const std::lock_guard lock(mutex_);
      shutdown(taken_.back().number(), SHUT_RDWR);
    }
  }
  EXPECT_FALSE(stays.IsEnded(0));
}

TEST_F(RemoteListenerTest, ATakerThatEndsItsConnectionEndsItForTheClient) {
  Start(2);
  const Client& client = Come("127.0.0.1");
  {
    const std::lock_guard lock(mutex_);
    shutdown(taken_.back().number(), SHUT_RDWR);
    taken_.clear();
  }
  EXPECT_TRUE(client.IsEnded());
}

TEST_F(RemoteListenerTest, ItGoesOnWhenDescriptorsAreFreeAgain) {
  Start(1000);
  for (int i = 0; i < 3; ++i) clients_.push_back(std::make_unique<Client>("127.0.0.1"));
  const int port = listener_->port();
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const Descriptor lowest_free(fcntl(0, F_DUPFD_CLOEXEC, 0));
  rlimit tight = before;
  tight.rlim_cur = static_cast<rlim_t>(lowest_free.number()) + 1;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &tight), 0);
  for (const auto& client : clients_) client->Connect(port);
  EXPECT_FALSE(clients_[0]->IsEnded(200));
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_TRUE(Taken(3));
}

TEST_F(RemoteListenerTest, TwoCannotListenOnOnePort) {
  Start(2);
  const auto same = RemoteListener::Start(
      {.listen = "127.0.0.1:" + std::to_string(listener_->port())}, [](Descriptor) {});
  EXPECT_EQ(CodeOf(same.status()), "connection_failed");
}

}  // namespace
}  // namespace troth::native
