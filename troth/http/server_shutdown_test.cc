#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "troth/http/http_testing.h"

namespace troth {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;
using testing::Eventually;
using testing::Https;
using testing::RawConnection;
using testing::RawTls;
using testing::StartServer;

const std::string kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

// Keeps the requests of a server until the test answers them.
class Keeper {
 public:
  HttpHandler handler() {
    return [this](const auto& /*request*/, const auto& respond) {
      const std::lock_guard lock(mutex_);
      kept_.push_back(respond);
    };
  }
  bool Has(size_t count) {
    return Eventually([&] {
      const std::lock_guard lock(mutex_);
      return kept_.size() == count;
    });
  }
  void Answer() {
    const std::lock_guard lock(mutex_);
    for (const HttpRespond& respond : kept_) respond(HttpResponse{.body = "done"});
    kept_.clear();
  }

 private:
  std::mutex mutex_;
  std::vector<HttpRespond> kept_;  // guarded by mutex_
};

TEST(HttpServerShutdownTest, IdleAndHalfOpenConnectionsDoNotHoldItUp) {
  const auto server = StartServer(Https());
  RawTls idle(*server);
  idle.Send(kGet);
  ASSERT_EQ(idle.ReceiveStatus(), 200);
  RawConnection silent(*server);
  RawTls begun(*server);
  begun.Send("GET / HTTP");
  const auto begin = steady_clock::now();
  server->Shutdown(seconds(30));
  EXPECT_LT(steady_clock::now() - begin, seconds(5));
  EXPECT_EQ(idle.ReceiveAll(), "");
  EXPECT_TRUE(silent.IsClosed());
  EXPECT_EQ(server->Statistics().open, 0U);
  EXPECT_FALSE(RawConnection(*server).connected());
}

TEST(HttpServerShutdownTest, RequestsThatAreBeingAnsweredEnd) {
  Keeper keeper;
  const auto server = StartServer(Https(), keeper.handler());
  RawTls raw(*server);
  raw.Send(kGet + kGet);  // the second is not begun
  ASSERT_TRUE(keeper.Has(1));
  std::thread stopper([&] { server->Shutdown(seconds(30)); });
  EXPECT_TRUE(Eventually([&] { return !RawConnection(*server).connected(); }));
  keeper.Answer();
  const std::string answer = raw.ReceiveAnswer();
  EXPECT_TRUE(answer.ends_with("done")) << answer;
  EXPECT_NE(answer.find("Connection: close"), std::string::npos) << answer;
  stopper.join();
  EXPECT_EQ(raw.ReceiveAll(), "");
  EXPECT_TRUE(keeper.Has(0));
}

TEST(HttpServerShutdownTest, ABodyThatIsOnItsWayIsStillTaken) {
  const auto server = StartServer({});
  RawConnection raw(*server);
  raw.Send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
  ASSERT_EQ(raw.ReceiveAnswer(), "HTTP/1.1 100 Continue\r\n\r\n");
  std::thread stopper([&] { server->Shutdown(seconds(30)); });
  EXPECT_TRUE(Eventually([&] { return !RawConnection(*server).connected(); }));
  raw.Send("hello");
  EXPECT_TRUE(raw.ReceiveAnswer().ends_with("hello"));
  stopper.join();
}

TEST(HttpServerShutdownTest, PatienceEnds) {
  Keeper keeper;
  const auto server = StartServer({}, keeper.handler());
  RawConnection raw(*server);
  raw.Send(kGet);
  ASSERT_TRUE(keeper.Has(1));
  const auto begin = steady_clock::now();
  server->Shutdown(milliseconds(100));
  const auto took = steady_clock::now() - begin;
  EXPECT_GE(took, milliseconds(100));
  EXPECT_LT(took, seconds(5));
  EXPECT_TRUE(raw.IsClosed());
  server->Shutdown(seconds(30));  // again: nothing
}

TEST(HttpServerShutdownTest, AnswersAfterTheServerIsGoneGoNowhere) {
  Keeper keeper;
  {
    const auto server = StartServer({}, keeper.handler());
    RawConnection raw(*server);
    raw.Send(kGet);
    ASSERT_TRUE(keeper.Has(1));
  }
  keeper.Answer();
}

TEST(HttpServerShutdownTest, ManyStartsAndStopsUnderLoad) {
  for (int round = 0; round < 10; ++round) {
    const auto server = StartServer(Https());
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        const auto client = testing::NewClient();
        for (int i = 0; i < 20; ++i) {
          if (!testing::Get(*client, *server).ok()) return;
        }
      });
    }
    EXPECT_TRUE(Eventually([&] { return server->Statistics().requests >= 5; }));
    server->Shutdown(milliseconds(round % 2 == 0 ? 0 : 1000));
    for (std::thread& thread : threads) thread.join();
  }
}

}  // namespace
}  // namespace troth
