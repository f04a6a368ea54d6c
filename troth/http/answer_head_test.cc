#include <gtest/gtest.h>

#include "troth/http/answer_head_internal.h"

namespace troth {
namespace {

constexpr std::string_view kFront = "Server: troth\r\nDate: today\r\n";

std::string Head(const HttpResponse& response,
                 ConnectionField connection = ConnectionField::kNone) {
  std::string out;
  AppendAnswerHead(response, {.server = "troth", .date = "today", .connection = connection}, out);
  return out;
}

TEST(AnswerHeadTest, HasStatusFieldsAndLength) {
  EXPECT_EQ(Head({.status = 201, .fields = {{"Content-Type", "text/plain"}}, .body = "hello"}),
            "HTTP/1.1 201 Created\r\n" + std::string(kFront) +
                "Content-Type: text/plain\r\nContent-Length: 5\r\n\r\n");
  EXPECT_EQ(Head({}, ConnectionField::kClose),
            "HTTP/1.1 200 OK\r\n" + std::string(kFront) +
                "Content-Length: 0\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(Head({}, ConnectionField::kKeepAlive),
            "HTTP/1.1 200 OK\r\n" + std::string(kFront) +
                "Content-Length: 0\r\nConnection: keep-alive\r\n\r\n");
}

TEST(AnswerHeadTest, AnswersWithoutABodyHaveNoLength) {
  EXPECT_EQ(Head({.status = 304, .body = "x"}),
            "HTTP/1.1 304 Not Modified\r\n" + std::string(kFront) + "\r\n");
  EXPECT_EQ(Head({.status = 204}), "HTTP/1.1 204 No Content\r\n" + std::string(kFront) + "\r\n");
}

TEST(AnswerHeadTest, FieldsCannotForgeTheMessage) {
  const HttpResponse response = {.fields = {{"Content-Length", "7"},
                                            {"transfer-encoding", "chunked"},
                                            {"CONNECTION", "upgrade"},
                                            {"date", "never"},
                                            {"Server", "other"},
                                            {"X", "a\r\nY: b"},
                                            {"X\r\nY", "a"},
                                            {"X Y", "a"},
                                            {"", "a"},
                                            {"Good", "kept"}}};
  EXPECT_EQ(Head(response), "HTTP/1.1 200 OK\r\n" + std::string(kFront) +
                                "Good: kept\r\nContent-Length: 0\r\n\r\n");
}

TEST(AnswerHeadTest, AStatusThatIsNoneIsAnInternalError) {
  for (const int status : {0, -1, 99, 100, 101, 600, 1000}) {
    EXPECT_EQ(StatusOf({.status = status}), 500) << status;
    EXPECT_TRUE(Head({.status = status}).starts_with("HTTP/1.1 500 Internal Server Error\r\n"));
  }
  EXPECT_TRUE(Head({.status = 599}).starts_with("HTTP/1.1 599 "));
}

}  // namespace
}  // namespace troth
