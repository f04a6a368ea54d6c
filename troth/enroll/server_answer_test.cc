#include "troth/enroll/server_answer.h"

#include <gtest/gtest.h>

#include <string>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/pki/pem.h"

namespace troth {
namespace {

using Kind = ServerAnswer::Kind;

const std::string kId(64, 'a');

std::string Pem(const std::string& label = "CERTIFICATE") { return FormatPem(label, "content"); }

// PEM as it stands inside a JSON text.
std::string PemInJson() {
  std::string text;
  for (const char c : Pem()) text += c == '\n' ? std::string("\\n") : std::string(1, c);
  return text;
}

HttpResponse Answer(int status, std::string body = "", HttpFields fields = {}) {
  return {.status = status, .fields = std::move(fields), .body = std::move(body)};
}

std::string Problem(int status, std::string_view code, std::string_view detail = "because") {
  return R"({"type":"about:blank","title":"t","status":)" + std::to_string(status) +
         R"(,"code":")" + std::string(code) + R"(","detail":")" + std::string(detail) + "\"}";
}

using Reader = absl::StatusOr<ServerAnswer> (*)(const HttpResponse&);

struct GoodRow {
  Reader read;
  HttpResponse response;
  Kind kind;
};

TEST(ServerAnswer, EveryGoodAnswerIsRead) {
  const std::string issued = R"({"certificate":")" + PemInJson() + R"(","chain":")" + PemInJson() +
                             R"(","trust_bundle":"root"})";
  const auto state = [](const std::string& name, const std::string& more = "") {
    return R"({"id":")" + kId + R"(","state":")" + name + "\"" + more + "}";
  };
  int row_number = 0;
  for (const GoodRow& row : {
           GoodRow{ReadCaramelPost, Answer(202, R"({"sha256":"x","url":"y"})"), Kind::kPending},
           GoodRow{ReadCaramelPost, Answer(202), Kind::kPending},
           GoodRow{ReadCaramelFetch, Answer(200, Pem()), Kind::kIssued},
           GoodRow{ReadCaramelFetch, Answer(202, "{}"), Kind::kPending},
           GoodRow{ReadCaramelFetch, Answer(304), Kind::kUnchanged},
           GoodRow{ReadCaramelFetch, Answer(403, "no"), Kind::kRejected},
           GoodRow{ReadCaramelFetch, Answer(404), Kind::kUnknown},
           GoodRow{ReadIssued, Answer(201, issued), Kind::kIssued},
           GoodRow{ReadRequestState, Answer(202, state("pending")), Kind::kPending},
           GoodRow{ReadRequestState, Answer(200, state("approved", R"(,"certificate":null)")),
                   Kind::kOver},
           GoodRow{ReadRequestState,
                   Answer(201, state("approved", R"(,"certificate":")" + PemInJson() + "\"")),
                   Kind::kIssued},
           GoodRow{ReadRequestState, Answer(200, state("rejected")), Kind::kRejected},
           GoodRow{ReadRequestState, Answer(200, state("expired")), Kind::kUnknown},
           GoodRow{ReadRequestState, Answer(403, Problem(403, "request_rejected")),
                   Kind::kRejected},
           GoodRow{ReadRequestState, Answer(404, Problem(404, "request_unknown")), Kind::kUnknown},
           // A key whose certificate was revoked gets no other.
           GoodRow{ReadIssued, Answer(401, Problem(401, "certificate_revoked")), Kind::kRejected},
           GoodRow{ReadRequestState, Answer(401, Problem(401, "certificate_revoked")),
                   Kind::kRejected},
           GoodRow{ReadRequestState, Answer(403, Problem(403, "certificate_revoked")),
                   Kind::kRejected},
           GoodRow{ReadCaramelPost, Answer(401, Problem(401, "certificate_revoked")),
                   Kind::kRejected},
           GoodRow{ReadCaramelPost, Answer(403, Problem(403, "certificate_revoked")),
                   Kind::kRejected},
           GoodRow{ReadCaramelFetch, Answer(401, Problem(401, "certificate_revoked")),
                   Kind::kRejected},
       }) {
    const auto answer = row.read(row.response);
    ASSERT_TRUE(answer.ok()) << "row " << row_number << ": " << answer.status();
    EXPECT_EQ(answer->kind, row.kind) << "row " << row_number;
    ++row_number;
  }
  EXPECT_EQ(ReadIssued(Answer(201, issued))->certificates_pem, Pem() + Pem());
  EXPECT_EQ(ReadIssued(Answer(201, issued))->trust_bundle_pem, "root");
  EXPECT_EQ(ReadRequestState(Answer(202, state("pending")))->request_id, kId);
  EXPECT_EQ(ReadRequestState(Answer(202, state("pending", R"(,"profile":"web")")))->profile, "web");
}

struct BadRow {
  Reader read;
  HttpResponse response;
  Reason reason;
};

TEST(ServerAnswer, EveryBadAnswerHasItsReason) {
  int row_number = 0;
  for (const BadRow& row : {
           // A redirect is never followed.
           BadRow{ReadCaramelPost, Answer(301, "", {{"Location", "http://evil"}}),
                  Reason::kResponseMalformed},
           BadRow{ReadIssued, Answer(302), Reason::kResponseMalformed},
           // What Caramel's server refuses.
           BadRow{ReadCaramelPost, Answer(400, R"({"status":400,"title":"Bad","detail":"EC"})"),
                  Reason::kRequestMalformed},
           BadRow{ReadCaramelPost, Answer(411), Reason::kLengthRequired},
           BadRow{ReadCaramelPost, Answer(413, "too large"), Reason::kBodyTooLarge},
           BadRow{ReadCaramelPost, Answer(404), Reason::kPathUnknown},
           // A server that fails is not there.
           BadRow{ReadCaramelPost, Answer(500, "<html>"), Reason::kConnectionFailed},
           BadRow{ReadCaramelFetch, Answer(500), Reason::kConnectionFailed},
           BadRow{ReadIssued, Answer(502, "<html>"), Reason::kConnectionFailed},
           BadRow{ReadRequestState, Answer(503), Reason::kConnectionFailed},
           BadRow{ReadCaramelFetch, Answer(200, "<html>hello</html>"), Reason::kResponseMalformed},
           BadRow{ReadCaramelFetch, Answer(200), Reason::kResponseMalformed},
           BadRow{ReadCaramelFetch, Answer(200, Pem("PRIVATE KEY")), Reason::kResponseMalformed},
           BadRow{ReadCaramelFetch, Answer(200, "-----BEGIN CERTIFICATE-----\nAAAA"),
                  Reason::kResponseMalformed},
           // The reason of a problem document counts,
           BadRow{ReadIssued, Answer(401, Problem(401, "token_expired")), Reason::kTokenExpired},
           BadRow{ReadIssued, Answer(503, Problem(503, "store_failed")), Reason::kStoreFailed},
           BadRow{ReadIssued, Answer(429, Problem(429, "too_many_requests")),
                  Reason::kTooManyRequests},
           // but not one of another status, nor one that is none.
           BadRow{ReadIssued, Answer(500, Problem(500, "token_expired")),
                  Reason::kConnectionFailed},
           BadRow{ReadIssued, Answer(500, Problem(500, "internal")), Reason::kConnectionFailed},
           BadRow{ReadRenewed, Answer(401, Problem(401, "certificate_revoked")),
                  Reason::kCertificateRevoked},
           BadRow{ReadIssued, Answer(400, Problem(400, "file_locked")), Reason::kRequestMalformed},
           BadRow{ReadRequestState, Answer(403, Problem(403, "made_up")),
                  Reason::kResponseMalformed},
           BadRow{ReadRequestState, Answer(404, Problem(404, "path_unknown")),
                  Reason::kPathUnknown},
           BadRow{ReadRequestState, Answer(403, "Forbidden"), Reason::kResponseMalformed},
           // Bodies that are something else.
           BadRow{ReadIssued, Answer(201, "[]"), Reason::kResponseMalformed},
           BadRow{ReadIssued, Answer(201, "{"), Reason::kResponseMalformed},
           BadRow{ReadIssued, Answer(201, "{}"), Reason::kResponseMalformed},
           BadRow{ReadIssued, Answer(201, R"({"certificate":7})"), Reason::kResponseMalformed},
           BadRow{ReadIssued, Answer(201, R"({"certificate":"x"})"), Reason::kResponseMalformed},
           BadRow{ReadIssued, Answer(201, std::string(100'000, '[')), Reason::kResponseMalformed},
           BadRow{ReadIssued, Answer(204), Reason::kResponseMalformed},
           BadRow{ReadRequestState, Answer(200, "{}"), Reason::kResponseMalformed},
           BadRow{ReadRequestState, Answer(200, R"({"id":"../etc","state":"pending"})"),
                  Reason::kResponseMalformed},
           BadRow{ReadRequestState, Answer(200, R"({"id":")" + kId + R"(","state":"sold"})"),
                  Reason::kResponseMalformed},
       }) {
    EXPECT_EQ(ReasonOf(row.read(row.response).status()), row.reason)
        << "row " << row_number << ": " << row.read(row.response).status();
    ++row_number;
  }
}

TEST(ServerAnswer, WhatAServerSaysIsShownOnOneLineAndCutShort) {
  const std::string detail = "bad\\u001b[2J\\nname" + std::string(5000, 'x');
  const auto error = ReadIssued(Answer(403, Problem(403, "name_not_permitted", detail))).status();
  EXPECT_LT(error.message().size(), 1000u);
  for (const unsigned char c : ToStd(error.message())) EXPECT_TRUE(c >= 0x20 && c < 0x7f);
}

// It may have been escaped over there, and does not stand between quotes here.
TEST(ServerAnswer, QuotesAndBackslashesOfAServerAreShownAsTheyAre) {
  const std::string detail = R"(\"db\u00e9\" is \\x1b)";
  const std::string shown = R"("db\xc3\xa9" is \x1b)";
  const auto error = ReadIssued(Answer(403, Problem(403, "name_not_permitted", detail))).status();
  EXPECT_NE(ToStd(error.message()).find(shown), std::string::npos) << error;
  EXPECT_EQ(ReadCaramelFetch(Answer(403, Problem(403, "request_rejected", detail)))->note, shown);
  EXPECT_EQ(ReadRequestState(Answer(200, R"({"id":")" + kId +
                                             R"(","state":"rejected","decision_note":")" + detail +
                                             "\"}"))
                ->note,
            shown);
}

TEST(ServerAnswer, LastModifiedOfACertificateIsRead) {
  const auto answer =
      ReadCaramelFetch(Answer(200, Pem(), {{"last-modified", "Sun, 06 Nov 1994 08:49:37 GMT"}}));
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->last_modified, ParseTime("1994-11-06T08:49:37Z"));
  EXPECT_EQ(ReadCaramelFetch(Answer(200, Pem(), {{"Last-Modified", "soon"}}))->last_modified,
            std::nullopt);
}

TEST(ServerAnswer, RetryAfterIsANumberOfSeconds) {
  const auto wait = [](const std::string& value) {
    return RetryAfterOf(Answer(429, "", {{"Retry-After", value}}));
  };
  EXPECT_EQ(wait("120"), std::chrono::seconds(120));
  EXPECT_EQ(wait("0"), std::chrono::seconds(0));
  for (const std::string value : {"", "-1", "1.5", "soon", "99999999999", "1 2"}) {
    EXPECT_EQ(wait(value), std::nullopt) << value;
  }
  EXPECT_EQ(RetryAfterOf(Answer(429)), std::nullopt);
}

TEST(ServerAnswer, WhatPassesByItselfIsToldFromWhatDoesNot) {
  for (const Reason reason : {Reason::kConnectionFailed, Reason::kRequestTimeout,
                              Reason::kTooManyRequests, Reason::kStoreFailed}) {
    EXPECT_TRUE(IsPassing(MakeError(reason, "x"))) << CodeOf(reason);
  }
  for (const Reason reason : {Reason::kTokenExpired, Reason::kNameNotPermitted,
                              Reason::kIssuerUnknown, Reason::kKeyMismatch}) {
    EXPECT_FALSE(IsPassing(MakeError(reason, "x"))) << CodeOf(reason);
  }
}

}  // namespace
}  // namespace troth
