#include "troth/http/server.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <condition_variable>
#include <string>
#include <thread>
#include <vector>

#include "troth/http/http_testing.h"

namespace troth {
namespace {

using testing::Echo;
using testing::Eventually;
using testing::Get;
using testing::Https;
using testing::LogText;
using testing::Must;
using testing::NewClient;
using testing::RawConnection;
using testing::RawTls;
using testing::StartServer;

const std::string kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

std::string GetOf(const std::string& path, const std::string& fields = "") {
  return "GET " + path + " HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
}
bool Has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

TEST(HttpServerTest, AnswersOverTlsAndKeepsTheConnection) {
  const auto server = StartServer(Https());
  const auto client = NewClient();
  for (int i = 0; i < 3; ++i) {
    const auto answer =
        client->Send({.method = "POST", .url = testing::UrlOf(*server, "/a?b=c"), .body = "hello"});
    ASSERT_TRUE(answer.ok()) << answer.status();
    EXPECT_EQ(answer->status, 200);
    EXPECT_EQ(answer->body, "POST /a?b=c anonymous hello");
  }
  const HttpServerStatistics statistics = server->Statistics();
  EXPECT_EQ(statistics.accepted, 1U);
  EXPECT_EQ(statistics.requests, 3U);
  EXPECT_EQ(statistics.open, 1U);
}

TEST(HttpServerTest, HandlersSeeTheWholeRequest) {
  std::shared_ptr<const HttpRequest> seen;
  const auto server = StartServer({.identity = Https().identity, .threads = 1},
                                  [&](const auto& request, const auto& respond) {
                                    seen = request;
                                    respond(HttpResponse{.status = 204});
                                  });
  RawTls raw(*server);
  raw.Send("PUT /x%20y?q=1 HTTP/1.1\r\nHost: a\r\nX-Field: v\r\nContent-Length: 3\r\n\r\nabc");
  EXPECT_EQ(raw.ReceiveStatus(), 204);
  ASSERT_NE(seen, nullptr);
  EXPECT_EQ(seen->method, "PUT");
  EXPECT_EQ(seen->target, "/x%20y?q=1");
  EXPECT_EQ(seen->path, "/x%20y");
  EXPECT_EQ(seen->query, "q=1");
  EXPECT_EQ(seen->Field("x-field"), "v");
  EXPECT_EQ(seen->body, "abc");
  EXPECT_TRUE(seen->has_content_length);
  EXPECT_TRUE(seen->tls);
  EXPECT_TRUE(seen->address.starts_with("127.0.0.1:")) << seen->address;
  EXPECT_EQ(seen->peer, nullptr);
}

TEST(HttpServerTest, SpeaksPlainHttpWithoutAnIdentity) {
  std::atomic<bool> tls = true;
  const auto server = StartServer({}, [&](const auto& request, const auto& respond) {
    tls = request->tls;
    respond(Echo(*request));
  });
  RawConnection raw(*server);
  raw.Send(kGet);
  const std::string answer = raw.ReceiveAnswer();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\nServer: troth\r\nDate: ")) << answer;
  EXPECT_TRUE(answer.ends_with("\r\n\r\nGET / anonymous ")) << answer;
  EXPECT_FALSE(tls);
}

TEST(HttpServerTest, PipelinedRequestsAreAnsweredInOrder) {
  // The handler answers from other threads, the first request last.
  std::mutex mutex;
  std::vector<std::thread> threads;
  const auto server = StartServer({}, [&](const auto& request, const auto& respond) {
    const std::lock_guard lock(mutex);
    threads.emplace_back([request, respond] {
      if (request->path == "/0") std::this_thread::sleep_for(std::chrono::milliseconds(30));
      respond(Echo(*request));
    });
  });
  RawConnection raw(*server);
  std::string all;
  for (int i = 0; i < 20; ++i) all += "\r\n" + GetOf("/" + std::to_string(i));
  raw.Send(all);
  for (int i = 0; i < 20; ++i) {
    const std::string answer = raw.ReceiveAnswer();
    EXPECT_TRUE(answer.ends_with("GET /" + std::to_string(i) + " anonymous ")) << answer;
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(HttpServerTest, ConnectionsEndAsTheClientAsks) {
  struct Row {
    std::string request;
    bool stays;
    std::string_view field;
  };
  const auto server = StartServer({});
  for (const auto& [request, stays, field] :
       {Row{kGet, true, ""}, Row{GetOf("/", "Connection: close\r\n"), false, "Connection: close"},
        Row{"GET / HTTP/1.0\r\n\r\n", false, "Connection: close"},
        Row{"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true, "Connection: keep-alive"}}) {
    RawConnection raw(*server);
    raw.Send(request);
    const std::string answer = raw.ReceiveAnswer();
    EXPECT_EQ(RawConnection::StatusOf(answer), 200) << request;
    EXPECT_EQ(Has(answer, "Connection: "), !field.empty()) << request;
    EXPECT_TRUE(Has(answer, field)) << request;
    if (stays) {
      raw.Send(kGet);
      EXPECT_EQ(raw.ReceiveStatus(), 200) << request;
    } else {
      EXPECT_TRUE(raw.IsClosed()) << request;
    }
  }
}

TEST(HttpServerTest, HeadHasTheLengthAndNotTheBody) {
  const auto server = StartServer({});
  RawConnection raw(*server);
  raw.Send("HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n" + kGet);
  const std::string head = raw.ReceiveAnswer(/*has_body=*/false);
  EXPECT_TRUE(Has(head, "Content-Length: 18\r\n")) << head;
  EXPECT_TRUE(raw.ReceiveAnswer().ends_with("GET / anonymous "));
}

TEST(HttpServerTest, AClientThatWaitsIsToldToGoOn) {
  const auto server = StartServer(Https());
  RawTls raw(*server);
  raw.Send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(raw.ReceiveAnswer(), "HTTP/1.1 100 Continue\r\n\r\n");
  raw.Send("hello");
  EXPECT_TRUE(raw.ReceiveAnswer().ends_with("PUT / anonymous hello"));
}

TEST(HttpServerTest, AClientThatDoesNotWaitIsNot) {
  const auto server = StartServer({});
  RawConnection raw(*server);
  raw.Send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello");
  EXPECT_TRUE(raw.ReceiveAnswer().ends_with("PUT / anonymous hello"));
}

TEST(HttpServerTest, LargeBodiesGoBothWays) {
  const std::string large(700'000, 'x');
  const auto server = StartServer(Https());
  const auto client = NewClient();
  const auto answer =
      client->Send({.method = "PUT", .url = testing::UrlOf(*server, "/"), .body = large});
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->body, "PUT / anonymous " + large);

  RawTls raw(*server);
  raw.Send("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
  for (int i = 0; i < 7; ++i) raw.Send("186a0\r\n" + large.substr(0, 100'000) + "\r\n");
  raw.Send("0\r\n\r\n");
  EXPECT_TRUE(raw.ReceiveAnswer().ends_with("PUT / anonymous " + large));
}

TEST(HttpServerTest, BadRequestsAreAnsweredAndTheConnectionCloses) {
  const LogText log;
  const auto server = StartServer(
      {.limits = {.header_bytes = 1000, .body_bytes = 100}},
      [](const auto& /*request*/, const auto& /*respond*/) { ADD_FAILURE() << "was called"; });
  struct Row {
    std::string request;
    int status;
    std::string_view code;
  };
  for (const auto& [request, status, code] : {
           Row{"garbage\r\n\r\n", 400, "http_malformed"},
           Row{GetOf("/../etc"), 400, "http_malformed"},
           Row{GetOf("/a%2fb"), 400, "http_malformed"},
           Row{"GET / HTTP/1.1\r\n\r\n", 400, "http_malformed"},
           Row{GetOf("/", "X: " + std::string(2000, 'x') + "\r\n"), 431, "header_too_large"},
           Row{GetOf("/", "Content-Length: 101\r\n"), 413, "body_too_large"},
           Row{GetOf("/", "Content-Length: 101\r\nExpect: 100-continue\r\n"), 413,
               "body_too_large"},
           Row{GetOf("/", "Transfer-Encoding: chunked\r\n") + "65\r\n" + std::string(101, 'x'), 413,
               "body_too_large"},
           Row{GetOf("/", "Transfer-Encoding: br\r\n"), 501, "transfer_coding_unknown"},
           Row{GetOf("/", "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n"), 400,
               "http_malformed"},
       }) {
    RawConnection raw(*server);
    // What follows is not taken for another request.
    raw.Send(request + kGet);
    const std::string answer = raw.ReceiveAnswer();
    EXPECT_EQ(RawConnection::StatusOf(answer), status) << request;
    EXPECT_TRUE(Has(answer, "application/problem+json")) << request;
    EXPECT_TRUE(Has(answer, "\"code\":\"" + std::string(code) + "\"")) << answer;
    EXPECT_TRUE(Has(answer, "Connection: close")) << answer;
    EXPECT_EQ(raw.ReceiveAll(), "") << request;
  }
  EXPECT_TRUE(log.SoonHas("drop=request_malformed"));
}

TEST(HttpServerTest, TheAnswerReachesAClientThatIsStillSending) {
  const auto server = StartServer({.limits = {.body_bytes = size_t{1} << 20}});
  RawConnection raw(*server);
  raw.Send(GetOf("/", "Content-Length: 2000000\r\n"));
  raw.Send(std::string(500'000, 'x'));
  EXPECT_EQ(raw.ReceiveStatus(), 413);
}

TEST(HttpServerTest, WhatHandlersForgetIsAnInternalError) {
  const auto server = StartServer({}, [](const auto& request, const auto& respond) {
    if (request->path == "/later") std::thread([respond] {}).detach();
    if (request->path == "/twice") {
      respond(HttpResponse{.body = "first"});
      respond(HttpResponse{.body = "second"});
    }
    if (request->path == "/odd") respond(HttpResponse{.status = 7});
  });
  RawConnection raw(*server);
  for (const char* path : {"/", "/later", "/odd"}) {
    raw.Send(GetOf(path));
    EXPECT_EQ(raw.ReceiveStatus(), 500) << path;
  }
  raw.Send(GetOf("/twice"));
  EXPECT_TRUE(raw.ReceiveAnswer().ends_with("first"));
  raw.Send(kGet);
  EXPECT_EQ(raw.ReceiveStatus(), 500);
}

TEST(HttpServerTest, AnAnswerForAClientThatHasGoneIsDropped) {
  std::mutex mutex;
  std::vector<HttpRespond> waiting;
  const auto server = StartServer({.threads = 1}, [&](const auto& request, const auto& respond) {
    if (request->path == "/now") return respond(Echo(*request));
    const std::lock_guard lock(mutex);
    waiting.push_back(respond);
  });
  {
    RawConnection raw(*server);
    raw.Send(GetOf("/wait"));
    ASSERT_TRUE(Eventually([&] {
      const std::lock_guard lock(mutex);
      return waiting.size() == 1;
    }));
  }
  waiting[0](HttpResponse{.body = std::string(1 << 20, 'x')});
  RawConnection raw(*server);
  raw.Send(GetOf("/now"));
  EXPECT_EQ(raw.ReceiveStatus(), 200);
  EXPECT_TRUE(Eventually([&] { return server->Statistics().open == 1; }));
}

TEST(HttpServerTest, EveryRequestIsALineOfTheLog) {
  const LogText log;
  const auto server = StartServer({.name = "front"});
  RawConnection raw(*server);
  raw.Send(GetOf("/a%20b?token=secret"));
  raw.ReceiveAnswer();
  ASSERT_TRUE(log.SoonHas("request server=front method=GET path=/a%20b status=200 bytes="))
      << log.text();
  EXPECT_TRUE(Has(log.text(), "peer=anonymous address=127.0.0.1:")) << log.text();
  EXPECT_FALSE(Has(log.text(), "secret")) << log.text();
}

TEST(HttpServerTest, ListensOnAUnixSocketOfItsOwner) {
  const TestFolder folder;
  const std::string path = folder / "http.sock";
  const std::string address = "unix:" + path;
  {
    const auto server = StartServer({.listen = address});
    EXPECT_EQ(server->address(), address);
    EXPECT_EQ(server->port(), 0);
    struct stat status {};
    ASSERT_EQ(stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600U);
    RawConnection raw(*server);
    raw.Send(kGet);
    EXPECT_EQ(raw.ReceiveStatus(), 200);
    EXPECT_EQ(testing::CodeOfResult(HttpServer::Start({.listen = address}, testing::Echoing())),
              "connection_failed");
  }
  EXPECT_FALSE(FileExists(path));
}

TEST(HttpServerTest, StartSaysWhatIsWrong) {
  const auto running = StartServer({});
  const TestFolder folder;
  RewriteFile(folder / "file", "x");
  struct Row {
    std::string listen;
    std::string_view code;
  };
  for (const auto& [listen, code] :
       {Row{"", "usage_error"}, Row{"127.0.0.1", "usage_error"}, Row{":80", "usage_error"},
        Row{"::1:80", "usage_error"}, Row{"127.0.0.1:65536", "usage_error"},
        Row{"127.0.0.1:x", "usage_error"}, Row{"no.such.host.invalid:1", "usage_error"},
        Row{"192.0.2.77:0", "connection_failed"}, Row{"unix:", "usage_error"},
        Row{"unix:/" + std::string(200, 'x'), "usage_error"},
        Row{"unix:" + (folder / "file"), "connection_failed"},
        Row{"unix:" + (folder / "none/x"), "connection_failed"},
        Row{running->address(), "connection_failed"}}) {
    EXPECT_EQ(testing::CodeOfResult(HttpServer::Start({.listen = listen}, testing::Echoing())),
              code)
        << listen;
  }
  const auto taken = HttpServer::Start({.listen = running->address()}, testing::Echoing());
  // This process has it.
  EXPECT_TRUE(Has(std::string(taken.status().message()), std::to_string(getpid())))
      << taken.status();
  EXPECT_EQ(testing::CodeOfResult(HttpServer::Start({.threads = 0}, testing::Echoing())),
            "usage_error");
  EXPECT_EQ(testing::CodeOfResult(HttpServer::Start({}, nullptr)), "usage_error");
  const auto trust_only = MemoryIdentitySource::Create(
      Must(Identity::Create({.trust_bundle_pem = testing::ThePki().root.pem()}, testing::Now())));
  EXPECT_EQ(testing::CodeOfResult(HttpServer::Start({.identity = trust_only}, testing::Echoing())),
            "certificate_missing");
}

TEST(HttpServerTest, ManyClientsAreServedAtOnce) {
  const auto server = StartServer(Https());
  std::atomic<int> good = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      const auto client = NewClient();
      for (int i = 0; i < 25; ++i) {
        const auto answer = Get(*client, *server, "/" + std::to_string(i));
        if (answer.ok() && answer->body == "GET /" + std::to_string(i) + " anonymous ") ++good;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, 200);
}

}  // namespace
}  // namespace troth
