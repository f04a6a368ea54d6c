#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "troth/base/reason.h"
#include "troth/http/request_parser_internal.h"

namespace troth {
namespace {

std::string Repeated(std::string_view text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

const HttpLimits kLimits = {.header_bytes = 512, .body_bytes = 64};

// What came of one request.
struct Read {
  HttpRequest request;
  std::string code;  // "done", "more", or the reason code
  std::string left;  // what was not consumed
  bool keep_alive = false;
  bool expects_continue = false;
};

// Gives `text` to a parser, at most `step` bytes more at a time.
Read ReadIn(std::string_view text, size_t step) {
  Read out;
  RequestParser parser(out.request, kLimits);
  std::string pending;
  bool had_header = false;
  out.code = "more";
  while (out.code == "more") {
    const auto progress = parser.Take(pending);
    if (!progress.ok()) {
      out.code = CodeOf(progress.status());
      return out;
    }
    pending.erase(0, progress->consumed);
    if (progress->event == RequestParser::Event::kHeader) {
      EXPECT_FALSE(had_header);
      had_header = true;
      out.keep_alive = parser.keep_alive();
      out.expects_continue = parser.expects_continue();
    } else if (progress->event == RequestParser::Event::kDone) {
      EXPECT_TRUE(had_header);
      out.code = "done";
    } else if (text.empty()) {
      break;
    } else {
      pending += text.substr(0, step);
      text.remove_prefix(std::min(step, text.size()));
    }
  }
  out.left = pending + std::string(text);
  return out;
}

Read ReadWhole(std::string_view text) { return ReadIn(text, text.size()); }

TEST(RequestParserTest, AGoodRequestIsReadInWhateverPiecesItComes) {
  const std::string text =
      "POST /v1/a%20b?c=d HTTP/1.1\r\nHost: ca.example:8443\r\nX-One:  two \r\n"
      "Content-Length: 5\r\n\r\nhelloGET / HTTP/1.1\r\n";
  for (size_t step = 1; step <= text.size(); ++step) {
    const Read read = ReadIn(text, step);
    ASSERT_EQ(read.code, "done") << step;
    EXPECT_EQ(read.request.method, "POST");
    EXPECT_EQ(read.request.target, "/v1/a%20b?c=d");
    EXPECT_EQ(read.request.path, "/v1/a%20b");
    EXPECT_EQ(read.request.query, "c=d");
    EXPECT_EQ(read.request.Field("x-one"), "two");
    EXPECT_TRUE(read.request.has_content_length);
    EXPECT_EQ(read.request.body, "hello");
    EXPECT_EQ(read.request.fields.size(), 3U);
    EXPECT_TRUE(read.keep_alive);
    EXPECT_EQ(read.left, "GET / HTTP/1.1\r\n");
  }
}

TEST(RequestParserTest, AChunkedBodyIsPutTogetherAndItsTrailersAreDropped) {
  const std::string text =
      "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n"
      "3\r\nabc\r\n00a;x=\"y\"\r\n0123456789\r\n0\r\nHost: b\r\nX: y\r\n\r\nrest";
  for (size_t step = 1; step <= text.size(); ++step) {
    const Read read = ReadIn(text, step);
    ASSERT_EQ(read.code, "done") << step;
    EXPECT_EQ(read.request.body, "abc0123456789");
    EXPECT_FALSE(read.request.has_content_length);
    EXPECT_EQ(read.request.Field("x"), std::nullopt);
    EXPECT_EQ(read.request.Field("host"), "a");
    EXPECT_EQ(read.left, "rest");
  }
}

TEST(RequestParserTest, ConnectionsLastAsTheVersionAndTheFieldSay) {
  struct Row {
    std::string_view version, field;
    bool keep_alive;
  };
  for (const auto& [version, field, keep_alive] :
       {Row{"1.1", "", true}, Row{"1.1", "Connection: close\r\n", false},
        Row{"1.1", "Connection: x, Close\r\n", false}, Row{"1.0", "", false},
        Row{"1.0", "Connection: keep-alive\r\n", true}}) {
    const Read read = ReadWhole("GET / HTTP/" + std::string(version) + "\r\nHost: a\r\n" +
                                std::string(field) + "\r\n");
    ASSERT_EQ(read.code, "done");
    EXPECT_EQ(read.keep_alive, keep_alive) << version << " " << field;
  }
}

TEST(RequestParserTest, OnlyAClientThatWaitsExpectsToBeToldToGoOn) {
  struct Row {
    std::string_view version, fields;
    bool expects;
  };
  for (const auto& [version, fields, expects] :
       {Row{"1.1", "Content-Length: 3\r\nExpect: 100-Continue\r\n", true},
        Row{"1.1", "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n", true},
        Row{"1.1", "Content-Length: 3\r\n", false}, Row{"1.1", "Expect: 100-continue\r\n", false},
        Row{"1.1", "Content-Length: 3\r\nExpect: tea\r\n", false},
        Row{"1.0", "Content-Length: 3\r\nExpect: 100-continue\r\n", false}}) {
    const Read read = ReadWhole("PUT / HTTP/" + std::string(version) + "\r\nHost: a\r\n" +
                                std::string(fields) + "\r\n");
    EXPECT_EQ(read.expects_continue, expects) << version << " " << fields;
  }
}

TEST(RequestParserTest, BadRequestsAreRefusedWithTheirReason) {
  const std::string host = "Host: a\r\n";
  const auto post = [&](const std::string& fields, const std::string& body = "") {
    return "POST / HTTP/1.1\r\n" + host + fields + "\r\n" + body;
  };
  const std::string chunked = "Transfer-Encoding: chunked\r\n";
  const std::vector<std::pair<std::string, std::string_view>> rows = {
      // Request lines.
      {"\r\n", "http_malformed"},
      {"GET\r\n\r\n", "http_malformed"},
      {"GET /\r\n" + host + "\r\n", "http_malformed"},
      {"GET / HTTP/1.1 \r\n" + host + "\r\n", "http_malformed"},
      {"GET / HTTP/2.0\r\n" + host + "\r\n", "http_malformed"},
      {"GET / HTTP/1.2\r\n" + host + "\r\n", "http_malformed"},
      {"GET / HTTP/0.9\r\n" + host + "\r\n", "http_malformed"},
      {"GET / http/1.1\r\n" + host + "\r\n", "http_malformed"},
      {"GE(T / HTTP/1.1\r\n" + host + "\r\n", "http_malformed"},
      {"GET /a b HTTP/1.1\r\n" + host + "\r\n", "http_malformed"},
      {"GET /../a HTTP/1.1\r\n" + host + "\r\n", "http_malformed"},
      {"GET /a%2Fb HTTP/1.1\r\n" + host + "\r\n", "http_malformed"},
      {"CONNECT ca.example:443 HTTP/1.1\r\n" + host + "\r\n", "http_malformed"},
      {std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11), "http_malformed"},
      {std::string("GET /\0 HTTP/1.1\r\n", 17) + host + "\r\n", "http_malformed"},
      // Fields.
      {"GET / HTTP/1.1\r\n\r\n", "http_malformed"},
      {"GET / HTTP/1.1\r\n" + host + host + "\r\n", "http_malformed"},
      {"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "http_malformed"},
      {"GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", "http_malformed"},
      {"GET / HTTP/1.1\r\n" + host + "no colon\r\n\r\n", "http_malformed"},
      {"GET / HTTP/1.1\r\n" + host + "Name : x\r\n\r\n", "http_malformed"},
      {"GET / HTTP/1.1\r\n" + host + ": x\r\n\r\n", "http_malformed"},
      {"GET / HTTP/1.1\r\n" + host + " folded: x\r\n\r\n", "http_malformed"},
      {"GET / HTTP/1.1\r\n" + host + "X: a\rb\r\n\r\n", "http_malformed"},
      {"GET / HTTP/1.1\r\n" + host + std::string("X: a\0b\r\n\r\n", 10), "http_malformed"},
      {"GET / HTTP/1.1\r\n" + host + "X: " + std::string(600, 'x') + "\r\n\r\n",
       "header_too_large"},
      {"GET /" + std::string(600, 'x') + " HTTP/1.1\r\n" + host + "\r\n", "header_too_large"},
      {std::string(600, 'G'), "header_too_large"},
      {"GET / HTTP/1.1\r\n" + host + Repeated("a:\r\n", 100) + "\r\n", "header_too_large"},
      // Lengths.
      {post("Content-Length: x\r\n"), "http_malformed"},
      {post("Content-Length: -1\r\n"), "http_malformed"},
      {post("Content-Length: +1\r\n"), "http_malformed"},
      {post("Content-Length: 0x1\r\n"), "http_malformed"},
      {post("Content-Length:\r\n"), "http_malformed"},
      {post("Content-Length: 1 2\r\n"), "http_malformed"},
      {post("Content-Length: 99999999999999999999999\r\n"), "http_malformed"},
      {post("Content-Length: 1\r\nContent-Length: 2\r\n"), "http_malformed"},
      {post("Content-Length: 65\r\n"), "body_too_large"},
      {post("Content-Length: 18446744073709551615\r\n"), "body_too_large"},
      // Transfer codings.
      {post("Content-Length: 1\r\n" + chunked), "http_malformed"},
      {post(chunked + "Content-Length: 1\r\n"), "http_malformed"},
      {post("Transfer-Encoding: gzip\r\nContent-Length: 1\r\n"), "http_malformed"},
      {post(chunked + chunked), "http_malformed"},
      {post("Transfer-Encoding: chunked, chunked\r\n"), "http_malformed"},
      {post("Transfer-Encoding: gzip\r\n"), "transfer_coding_unknown"},
      {post("Transfer-Encoding: gzip, chunked\r\n"), "transfer_coding_unknown"},
      {post("Transfer-Encoding: chunked, gzip\r\n"), "transfer_coding_unknown"},
      {post("Transfer-Encoding: identity\r\n"), "transfer_coding_unknown"},
      {post("Transfer-Encoding: xchunked\r\n"), "transfer_coding_unknown"},
      {post("Transfer-Encoding: \"chunked\"\r\n"), "transfer_coding_unknown"},
      {post("Transfer-Encoding:\r\n"), "transfer_coding_unknown"},
      {"POST / HTTP/1.0\r\n" + host + chunked + "\r\n0\r\n\r\n", "http_malformed"},
      // Chunks.
      {post(chunked, "x\r\n\r\n"), "http_malformed"},
      {post(chunked, "-1\r\na\r\n"), "http_malformed"},
      {post(chunked, "\r\n0\r\n\r\n"), "http_malformed"},
      {post(chunked, "1\r\nab\r\n0\r\n\r\n"), "http_malformed"},
      {post(chunked, "1 \x01\r\na\r\n"), "http_malformed"},
      {post(chunked, "41\r\na"), "body_too_large"},
      {post(chunked, "ffffffffffffffff\r\n"), "body_too_large"},
      {post(chunked, "fffffffffffffffff\r\n"), "http_malformed"},
      {post(chunked, "20\r\n" + std::string(32, 'a') + "\r\n21\r\n"), "body_too_large"},
      {post(chunked, "1;" + std::string(600, 'x')), "header_too_large"},
      {post(chunked, "0\r\nX: " + std::string(600, 'x')), "header_too_large"},
      {post(chunked, "0\r\nno colon\r\n\r\n"), "http_malformed"},
  };
  for (const auto& [text, code] : rows) {
    EXPECT_EQ(ReadWhole(text).code, code) << text;
    EXPECT_EQ(ReadIn(text, 1).code, code) << "in bytes: " << text;
  }
}

TEST(RequestParserTest, WhatIsNotWholeWaitsForMore) {
  for (const std::string_view text :
       {"", "G", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost: a\r\n",
        "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab",
        "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n",
        "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"}) {
    EXPECT_EQ(ReadWhole(text).code, "more") << text;
  }
}

TEST(RequestParserTest, ABodyThatIsDroppedIsReadToItsEnd) {
  HttpRequest request;
  RequestParser parser(request, kLimits);
  std::string_view text = "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloX";
  const auto header = parser.Take(text);
  ASSERT_TRUE(header.ok());
  ASSERT_EQ(header->event, RequestParser::Event::kHeader);
  EXPECT_EQ(parser.body_to_come(), 5U);
  parser.DropBody();
  text.remove_prefix(header->consumed);
  const auto body = parser.Take(text);
  ASSERT_TRUE(body.ok());
  EXPECT_EQ(body->event, RequestParser::Event::kDone);
  EXPECT_EQ(body->consumed, 5U);
  EXPECT_EQ(parser.body_to_come(), 0U);
  EXPECT_EQ(request.body, "");
}

TEST(RequestParserTest, AClaimedLengthTakesNoMemoryBeforeTheBodyIsThere) {
  HttpRequest request;
  const HttpLimits limits = {.body_bytes = size_t{1} << 40};
  RequestParser parser(request, limits);
  const std::string text = "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000000\r\n\r\nx";
  const auto header = parser.Take(text);
  ASSERT_TRUE(header.ok());
  ASSERT_TRUE(parser.Take(std::string_view(text).substr(header->consumed)).ok());
  EXPECT_LE(request.body.capacity(), size_t{64} << 10);
}

}  // namespace
}  // namespace troth
