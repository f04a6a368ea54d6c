#include <gtest/gtest.h>
#include <sys/resource.h>

#include <string>
#include <vector>

#include "troth/http/http_testing.h"

namespace troth {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using testing::Eventually;
using testing::Https;
using testing::LogText;
using testing::RawConnection;
using testing::RawTls;
using testing::StartServer;

const std::string kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

// Fails the test when what it lives for takes longer than any of these limits should.
class Promptly {
 public:
  Promptly() = default;
  Promptly(const Promptly&) = delete;
  Promptly& operator=(const Promptly&) = delete;
  ~Promptly() { EXPECT_LT(steady_clock::now() - begin_, std::chrono::seconds(5)); }

 private:
  const steady_clock::time_point begin_ = steady_clock::now();
};

TEST(HttpServerLimitsTest, HandshakesThatStallAreDropped) {
  const LogText log;
  const Promptly promptly;
  auto options = Https();
  options.limits.handshake = milliseconds(100);
  const auto server = StartServer(std::move(options));
  RawConnection silent(*server);
  RawConnection half(*server);
  half.Send(std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11));
  EXPECT_TRUE(silent.IsClosed());
  EXPECT_TRUE(half.IsClosed());
  EXPECT_EQ(server->Statistics().timed_out, 2U);
  EXPECT_EQ(server->Statistics().handshakes_failed, 2U);
  EXPECT_TRUE(log.SoonHas("drop=handshake_timeout reason=handshake_failed address=127.0.0.1:"));
}

TEST(HttpServerLimitsTest, ARequestThatTricklesIsAnsweredWithATimeout) {
  for (const std::string begin :
       {"", "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n",
        "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n",
        "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n"}) {
    const Promptly promptly;
    auto options = Https();
    options.limits.request = milliseconds(150);
    const auto server = StartServer(std::move(options));
    RawTls raw(*server);
    raw.Send(begin);
    if (begin.find("Expect") != std::string::npos) {
      EXPECT_EQ(raw.ReceiveAnswer(), "HTTP/1.1 100 Continue\r\n\r\n");
    } else {
      for (int i = 0; i < 12; ++i) {  // each byte in time, the whole not
        raw.Send("x");
        std::this_thread::sleep_for(milliseconds(20));
      }
    }
    const std::string answer = raw.ReceiveAnswer();
    EXPECT_EQ(RawConnection::StatusOf(answer), 408) << begin;
    EXPECT_NE(answer.find("request_timeout"), std::string::npos) << answer;
    EXPECT_EQ(server->Statistics().timed_out, 1U) << begin;
  }
}

TEST(HttpServerLimitsTest, IdleConnectionsAreClosedWithoutAWord) {
  const LogText log;
  const Promptly promptly;
  auto options = Https();
  options.limits.idle = milliseconds(100);
  const auto server = StartServer(std::move(options));
  RawTls used(*server);
  used.Send(kGet);
  EXPECT_EQ(used.ReceiveStatus(), 200);
  RawTls unused(*server);
  EXPECT_EQ(used.ReceiveAll(), "");
  EXPECT_EQ(SSL_get_shutdown(used.ssl()), SSL_RECEIVED_SHUTDOWN);  // a goodbye all the same
  EXPECT_EQ(unused.ReceiveAll(), "");
  EXPECT_EQ(server->Statistics().timed_out, 0U);
  EXPECT_EQ(log.text().find("dropped"), std::string::npos) << log.text();
}

TEST(HttpServerLimitsTest, EmptyLinesDoNotKeepAConnection) {
  const Promptly promptly;
  const auto server = StartServer({.limits = {.idle = milliseconds(100)}});
  RawConnection raw(*server);
  const auto end = steady_clock::now() + std::chrono::seconds(5);
  while (steady_clock::now() < end && raw.Send("\r\n")) {
    std::this_thread::sleep_for(milliseconds(10));
  }
  EXPECT_EQ(server->Statistics().open, 0U);
}

TEST(HttpServerLimitsTest, AClientThatDoesNotReadItsAnswerIsDropped) {
  const LogText log;
  const Promptly promptly;
  const std::string large(size_t{64} << 20, 'x');
  auto options = Https();
  options.limits.answer = milliseconds(200);
  const auto server = StartServer(
      std::move(options),
      [&](const auto& /*request*/, const auto& respond) { respond(HttpResponse{.body = large}); });
  RawTls raw(*server);
  raw.Send(kGet);
  EXPECT_TRUE(Eventually([&] { return server->Statistics().timed_out == 1; }));
  EXPECT_TRUE(Eventually([&] { return server->Statistics().open == 0; }));
  EXPECT_TRUE(log.SoonHas("drop=answer_timeout"));
}

TEST(HttpServerLimitsTest, TheHandlersOwnTimeIsNotLimited) {
  std::vector<std::thread> threads;
  const auto server = StartServer({.limits = {.request = milliseconds(40),
                                              .answer = milliseconds(40),
                                              .idle = milliseconds(40)},
                                   .threads = 1},
                                  [&](const auto& /*request*/, const auto& respond) {
                                    threads.emplace_back([respond] {
                                      std::this_thread::sleep_for(milliseconds(200));
                                      respond(HttpResponse{});
                                    });
                                  });
  RawConnection raw(*server);
  raw.Send(kGet);
  EXPECT_EQ(raw.ReceiveStatus(), 200);
  for (std::thread& thread : threads) thread.join();
}

TEST(HttpServerLimitsTest, AFullServerClosesTheConnectionThatWaitsLongest) {
  const LogText log;
  // With one thread, what is done first waits first.
  const auto server = StartServer({.limits = {.connections = 3}, .threads = 1});
  std::vector<std::unique_ptr<RawConnection>> all;
  for (int i = 0; i < 3; ++i) {
    all.push_back(std::make_unique<RawConnection>(*server));
    all.back()->Send(kGet);
    EXPECT_EQ(all.back()->ReceiveStatus(), 200);
  }
  // The first has worked since: the second has waited longest.
  all[0]->Send(kGet);
  EXPECT_EQ(all[0]->ReceiveStatus(), 200);
  RawConnection late(*server);
  late.Send(kGet);
  EXPECT_EQ(late.ReceiveStatus(), 200);
  EXPECT_TRUE(all[1]->IsClosed());
  for (const int i : {0, 2}) {
    all[static_cast<size_t>(i)]->Send(kGet);
    EXPECT_EQ(all[static_cast<size_t>(i)]->ReceiveStatus(), 200) << i;
  }
  EXPECT_EQ(server->Statistics().open, 3U);
  EXPECT_TRUE(log.SoonHas("drop=made_room"));
}

TEST(HttpServerLimitsTest, HalfOpenConnectionsMakeRoomToo) {
  auto options = Https();
  options.limits.connections = 20;
  const auto server = StartServer(std::move(options));
  std::vector<std::unique_ptr<RawConnection>> silent;
  for (int i = 0; i < 100; ++i) silent.push_back(std::make_unique<RawConnection>(*server));
  RawTls good(*server);
  good.Send(kGet);
  EXPECT_EQ(good.ReceiveStatus(), 200);
  EXPECT_LE(server->Statistics().open, 20U);
}

TEST(HttpServerLimitsTest, AServerThatIsBusyWithAllOfThemRefusesMore) {
  const LogText log;
  std::mutex mutex;
  std::vector<HttpRespond> waiting;
  const auto server = StartServer({.limits = {.connections = 2}},
                                  [&](const auto& /*request*/, const auto& respond) {
                                    const std::lock_guard lock(mutex);
                                    waiting.push_back(respond);
                                  });
  RawConnection first(*server);
  RawConnection second(*server);
  first.Send(kGet);
  second.Send(kGet);
  ASSERT_TRUE(Eventually([&] {
    const std::lock_guard lock(mutex);
    return waiting.size() == 2;
  }));
  RawConnection third(*server);
  EXPECT_TRUE(third.IsClosed());
  EXPECT_EQ(server->Statistics().refused_connections, 1U);
  EXPECT_TRUE(log.SoonHas("drop=too_many_connections"));
  for (const HttpRespond& respond : waiting) respond(HttpResponse{});
  EXPECT_EQ(first.ReceiveStatus(), 200);
  EXPECT_EQ(second.ReceiveStatus(), 200);
}

TEST(HttpServerLimitsTest, AnAddressWithTooManyMakesRoomAmongItsOwn) {
  const auto server = StartServer({.limits = {.connections_per_address = 2}, .threads = 1});
  RawConnection first(*server);
  first.Send(kGet);
  EXPECT_EQ(first.ReceiveStatus(), 200);
  RawConnection second(*server);
  second.Send(kGet);
  EXPECT_EQ(second.ReceiveStatus(), 200);
  RawConnection third(*server);
  third.Send(kGet);
  EXPECT_EQ(third.ReceiveStatus(), 200);
  EXPECT_EQ(server->Statistics().open, 2U);
}

TEST(HttpServerLimitsTest, WithoutDescriptorsTheServerMakesRoomAndGoesOn) {
  const LogText log;
  const auto server = StartServer({});
  RawConnection idle(*server);
  idle.Send(kGet);
  ASSERT_EQ(idle.ReceiveStatus(), 200);
  const int next = dup(idle.descriptor());
  ASSERT_GE(next, 0);
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  const rlimit tight = {.rlim_cur = static_cast<rlim_t>(next) + 1, .rlim_max = before.rlim_max};
  setrlimit(RLIMIT_NOFILE, &tight);
  close(next);
  RawConnection late(*server);  // takes the last descriptor
  ASSERT_TRUE(late.connected());
  late.Send(kGet);
  EXPECT_EQ(late.ReceiveStatus(), 200);
  setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_TRUE(idle.IsClosed());
  EXPECT_TRUE(log.SoonHas("drop=no_descriptors"));
}

TEST(HttpServerLimitsTest, LargeBodiesThatAreNeverWholeDoNotFillTheMemory) {
  const LogText log;
  const auto server = StartServer({});
  const auto put = [](size_t length) {
    return "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(length) + "\r\n\r\n";
  };
  const std::string most(500'000, 'x');
  std::vector<std::unique_ptr<RawConnection>> bad;
  for (int i = 0; i < 60; ++i) {  // 30 MB in all
    bad.push_back(std::make_unique<RawConnection>(*server));
    bad.back()->Send(put(most.size() + 1) + most);
  }
  EXPECT_TRUE(log.SoonHas("drop=made_room"));
  // One of them, whichever came too much.
  RawConnection* refused = nullptr;
  EXPECT_TRUE(Eventually([&] {
    for (const auto& connection : bad) {
      char first = 0;
      const ssize_t got = recv(connection->descriptor(), &first, 1, MSG_PEEK | MSG_DONTWAIT);
      if (got > 0) refused = connection.get();
    }
    return refused != nullptr;
  }));
  ASSERT_NE(refused, nullptr);
  EXPECT_EQ(refused->ReceiveStatus(), 429);
  // Small ones are taken all the same.
  RawConnection good(*server);
  good.Send(put(2) + "{}");
  EXPECT_EQ(good.ReceiveStatus(), 200);
  // What is given up is there for others.
  bad.clear();
  EXPECT_TRUE(Eventually([&] { return server->Statistics().open == 1; }));
  good.Send(put(most.size()) + most);
  EXPECT_EQ(good.ReceiveStatus(), 200);
}

TEST(HttpServerLimitsTest, ABadNeighbourhoodDoesNotKeepOthersFromBeingServed) {
  auto options = Https();
  options.limits.connections = 200;
  options.limits.connections_per_address = 1000;
  const auto server = StartServer(std::move(options));
  std::vector<std::unique_ptr<RawConnection>> bad;
  for (int i = 0; i < 600; ++i) {
    bad.push_back(std::make_unique<RawConnection>(*server));
    if (i % 4 == 1) bad.back()->Send(std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc", 9));
    if (i % 4 == 2) bad.back()->Send(std::string(300, '\xff'));
    if (i % 4 == 3) bad.back()->Hangup();
  }
  const auto begin = steady_clock::now();
  const auto client = testing::NewClient();
  for (int i = 0; i < 5; ++i) {
    const auto answer = testing::Get(*client, *server);
    ASSERT_TRUE(answer.ok()) << answer.status();
  }
  EXPECT_LT(steady_clock::now() - begin, std::chrono::seconds(1));
  EXPECT_LE(server->Statistics().open, 200U);
}

}  // namespace
}  // namespace troth
