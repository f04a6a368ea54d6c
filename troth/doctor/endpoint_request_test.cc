#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/doctor/endpoint_request_internal.h"
#include "troth/doctor/plain_probe_internal.h"

namespace troth {
namespace {

const std::string kAnswer =
    "HTTP/1.1 403 Forbidden\r\nDATE: Mon, 15 Jun 2026 00:00:00 GMT\r\n"
    "Content-Type: application/problem+json\r\nContent-Length: 27\r\n\r\n"
    R"({"code":"role_not_allowed"})";

std::string CodeOfRefusal(int status, const std::string& body,
                          const std::string& type = "text/plain") {
  const absl::Status refusal = RefusalIn({.status = status, .content_type = type, .body = body});
  return refusal.ok() ? "ok" : std::string(CodeOf(refusal));
}

TEST(EndpointRequestTest, AnAnswerIsReadAsFarAsItCame) {
  for (size_t size = 0; size <= kAnswer.size(); ++size) {
    const std::string_view part = std::string_view(kAnswer).substr(0, size);
    const std::optional<Http1Answer> answer = ReadHttp1Answer(part);
    EXPECT_EQ(answer.has_value(), size >= 12) << size;
    EXPECT_EQ(IsWholeHttp1Answer(part), size == kAnswer.size()) << size;
  }
  const std::optional<Http1Answer> answer = ReadHttp1Answer(kAnswer);
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->status, 403);
  EXPECT_EQ(answer->date, ParseTime("2026-06-15"));
  EXPECT_EQ(CodeOf(RefusalIn(*answer)), "role_not_allowed");
}

TEST(EndpointRequestTest, WhatIsNoAnswerOfHttpIsNone) {
  for (const std::string_view text : {"", "HTTP/2 200 OK fine", "SSH-2.0-OpenSSH_9.2",
                                      "HTTP/1.1 abc nothing", "<!DOCTYPE HTML>"}) {
    EXPECT_FALSE(ReadHttp1Answer(text).has_value()) << text;
  }
}

TEST(EndpointRequestTest, OnlyWhatConcernsTheCallerIsARefusal) {
  const std::string problem = "application/problem+json";
  EXPECT_EQ(CodeOfRefusal(400, "<h1>No required SSL certificate was sent</h1>"),
            "client_certificate_missing");
  EXPECT_EQ(CodeOfRefusal(400, "<h1>The SSL certificate error</h1>"), "peer_rejected_certificate");
  EXPECT_EQ(CodeOfRefusal(401, R"({"code":"peer_not_authenticated"})", problem),
            "peer_not_authenticated");
  EXPECT_EQ(CodeOfRefusal(404, R"({"code":"path_unknown"})", problem), "ok");
  EXPECT_EQ(CodeOfRefusal(403, R"({"code":"who_knows"})", problem), "ok");
  EXPECT_EQ(CodeOfRefusal(403, R"({"code":7})", problem), "ok");
  EXPECT_EQ(CodeOfRefusal(403, std::string(10'000, '['), problem), "ok");
  EXPECT_EQ(CodeOfRefusal(403, "forbidden"), "ok");
  EXPECT_EQ(CodeOfRefusal(200, "No required SSL certificate was sent"), "ok");
}

TEST(EndpointRequestTest, HttpTwoIsWholeWithItsAcknowledgement) {
  const std::string settings("\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x64", 15);
  const std::string acknowledgement("\0\0\0\x04\x01\0\0\0\0", 9);
  const std::string farewell("\0\0\x08\x07\0\0\0\0\0", 9);
  EXPECT_TRUE(IsHttp2Answer(settings));
  EXPECT_FALSE(IsHttp2Answer(settings.substr(0, 8)));
  EXPECT_FALSE(IsHttp2Answer("HTTP/1.1 400 Bad Request"));
  EXPECT_FALSE(IsWholeHttp2Answer(settings));
  EXPECT_FALSE(IsWholeHttp2Answer(settings + acknowledgement.substr(0, 8)));
  EXPECT_TRUE(IsWholeHttp2Answer(settings + acknowledgement));
  EXPECT_TRUE(IsWholeHttp2Answer(settings + farewell));
  // A frame that announces more than ever comes.
  EXPECT_FALSE(IsWholeHttp2Answer(std::string("\xff\xff\xff\0\0\0\0\0\0", 9) + acknowledgement));
}

TEST(EndpointRequestTest, ProtocolsAreKnownByHowTheyBegin) {
  using Speaks = PlainProbe::Speaks;
  EXPECT_EQ(RecogniseProtocol("").speaks, Speaks::kNothing);
  EXPECT_EQ(RecogniseProtocol(std::string_view("\x15\x03\x01\0\x02", 5)).speaks, Speaks::kNothing);
  EXPECT_EQ(RecogniseProtocol("HTTP/1.0 400 Bad").speaks, Speaks::kHttp1);
  EXPECT_EQ(RecogniseProtocol("SSH-2.0-x").name, "SSH");
  EXPECT_EQ(RecogniseProtocol("220 mail ESMTP").name, "SMTP");
  EXPECT_EQ(RecogniseProtocol("220 (vsFTPd)").name, "FTP");
  EXPECT_EQ(RecogniseProtocol("220 hello").name, "SMTP or FTP");
  EXPECT_EQ(RecogniseProtocol("x").speaks, Speaks::kOther);
}

}  // namespace
}  // namespace troth
