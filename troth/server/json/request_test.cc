#include "troth/server/json/request.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "troth/base/reason.h"
#include "troth/base/strings.h"

namespace troth::json {
namespace {

template <typename T>
std::string CodeOrNone(const absl::StatusOr<T>& result) {
  return result.ok() ? "" : std::string(CodeOf(result.status()));
}
std::string CodeOrNone(const absl::Status& status) {
  return status.ok() ? "" : std::string(CodeOf(status));
}

HttpRequest RequestWith(HttpFields fields, std::string body = "{}") {
  return {.method = "POST", .fields = std::move(fields), .body = std::move(body)};
}

TEST(ContentTypeTest, JsonIsTakenWithAnyParameters) {
  for (const std::string_view type :
       {"application/json", "Application/JSON", "application/json; charset=utf-8",
        " application/json ;charset=\"utf-8\""}) {
    EXPECT_EQ(CodeOrNone(CheckContentType(RequestWith({{"content-type", std::string(type)}}))), "")
        << type;
  }
}

TEST(ContentTypeTest, NothingElseIs) {
  for (const std::string_view type : {"application/x-www-form-urlencoded", "text/json", "json",
                                      "application/json-patch+json", "application/jsonx", ""}) {
    EXPECT_EQ(CodeOrNone(CheckContentType(RequestWith({{"Content-Type", std::string(type)}}))),
              "media_type_unknown")
        << type;
  }
  EXPECT_EQ(CodeOrNone(CheckContentType(RequestWith({}))), "media_type_unknown");
}

TEST(ContentTypeTest, ARequestWithoutABodyNeedsNone) {
  EXPECT_EQ(CodeOrNone(CheckContentType(RequestWith({}, ""))), "");
}

TEST(BearerTokenTest, ComesOutOfTheField) {
  for (const std::string_view value :
       {"Bearer troth1.abc", "bearer troth1.abc", "BEARER   troth1.abc ", " Bearer troth1.abc"}) {
    const HttpRequest request = RequestWith({{"authorization", std::string(value)}});
    const auto token = BearerToken(request);
    ASSERT_TRUE(token.ok()) << value;
    EXPECT_EQ(*token, "troth1.abc") << value;
  }
}

TEST(BearerTokenTest, WhatIsNoneIsRefusedAndNotRepeated) {
  EXPECT_EQ(CodeOrNone(BearerToken(RequestWith({}))), "token_invalid");
  for (const std::string_view value :
       {"", "Bearer", "Bearer ", "Basic hunter2", "hunter2", "Bearerhunter2", "Token hunter2"}) {
    const HttpRequest request = RequestWith({{"Authorization", std::string(value)}});
    const auto token = BearerToken(request);
    EXPECT_EQ(CodeOrNone(token), "token_invalid") << value;
    EXPECT_EQ(ToStd(token.status().message()).find("hunter2"), std::string_view::npos) << value;
  }
}

TEST(BodiesTest, SayWhatIsAsked) {
  const auto issue = ReadIssueBody(R"({"csr": "-----BEGIN\nX", "lifetime_seconds": 60})");
  ASSERT_TRUE(issue.ok()) << issue.status();
  EXPECT_EQ(issue->csr, "-----BEGIN\nX");
  EXPECT_EQ(issue->lifetime, Seconds(60));

  const auto submit = ReadSubmitBody(R"({"profile": "server", "csr": "x"})");
  ASSERT_TRUE(submit.ok()) << submit.status();
  EXPECT_EQ(submit->csr, "x");
  EXPECT_EQ(submit->profile, "server");

  EXPECT_EQ(ReadApproveBody(R"({"lifetime_seconds": 5})")->lifetime, Seconds(5));
  EXPECT_EQ(ReadApproveBody("")->lifetime, std::nullopt);
  EXPECT_EQ(ReadRejectBody(R"({"note": "not ours"})")->note, "not ours");
  EXPECT_EQ(ReadRejectBody("{}")->note, "");

  const auto token = ReadTokenBody(
      R"({"profile": "client", "names": ["a", "*.b"], "max_uses": 3, "lifetime_seconds": 7200})");
  ASSERT_TRUE(token.ok()) << token.status();
  EXPECT_EQ(token->profile, "client");
  EXPECT_EQ(token->names, (std::vector<std::string>{"a", "*.b"}));
  EXPECT_FALSE(token->any_name);
  EXPECT_EQ(token->max_uses, 3U);
  EXPECT_EQ(token->lifetime, Seconds(7200));

  const auto narrow = ReadTokenBody(R"({"any_name": true})");
  ASSERT_TRUE(narrow.ok()) << narrow.status();
  EXPECT_TRUE(narrow->any_name);
  EXPECT_EQ(narrow->max_uses, TokenSpec().max_uses);
  EXPECT_EQ(narrow->lifetime, TokenSpec().lifetime);
}

TEST(BodiesTest, MembersOfOtherBodiesAreRefused) {
  EXPECT_EQ(CodeOrNone(ReadIssueBody(R"({"csr": "x", "profile": "y"})")), "parameter_invalid");
  EXPECT_EQ(CodeOrNone(ReadIssueBody("{}")), "parameter_invalid");
  EXPECT_EQ(CodeOrNone(ReadSubmitBody(R"({"profile": "y"})")), "parameter_invalid");
  EXPECT_EQ(CodeOrNone(ReadApproveBody(R"({"csr": "x"})")), "parameter_invalid");
  EXPECT_EQ(CodeOrNone(ReadEmptyBody(R"({"x": 1})")), "parameter_invalid");
  EXPECT_EQ(CodeOrNone(ReadEmptyBody("")), "");
  EXPECT_EQ(CodeOrNone(ReadTokenBody("[]")), "json_malformed");
}

TEST(RevokeBodyTest, ReasonsAreThoseOfRfc5280) {
  EXPECT_EQ(ReadRevokeBody("")->reason, 0);
  EXPECT_FALSE(ReadRevokeBody("")->all);
  const auto spec = ReadRevokeBody(R"({"reason": "keyCompromise", "all": true})");
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->reason, 1);
  EXPECT_TRUE(spec->all);
  for (const std::string_view reason : {"keycompromised", "1", "removeFromCRL", "unknown"}) {
    const auto wrong = ReadRevokeBody("{\"reason\": \"" + std::string(reason) + "\"}");
    EXPECT_EQ(CodeOrNone(wrong), "parameter_invalid") << reason;
    EXPECT_NE(ToStd(wrong.status().message()).find("cessationOfOperation"), std::string_view::npos);
  }
}

TEST(CertificateQueryTest, EveryConditionIsRead) {
  const auto filter = ReadCertificateQuery(
      "name=*.b%20c&profile=server&expires_before=2026-11-21T02:29:09Z&expires_after=2026-11-20"
      "&revoked=true&before=4e0001&limit=7");
  ASSERT_TRUE(filter.ok()) << filter.status();
  EXPECT_EQ(filter->name, "*.b c");
  EXPECT_EQ(filter->profile, "server");
  EXPECT_EQ(filter->expires_before, ParseTime("2026-11-21T02:29:09Z"));
  EXPECT_EQ(filter->expires_after, ParseTime("2026-11-20"));
  EXPECT_TRUE(filter->only_revoked);
  EXPECT_EQ(filter->before->ToHex(), "4e0001");
  EXPECT_EQ(filter->limit, 7U);

  const auto everything = ReadCertificateQuery("");
  ASSERT_TRUE(everything.ok());
  EXPECT_EQ(everything->limit, kDefaultPage);
  EXPECT_FALSE(everything->before.has_value());
  EXPECT_FALSE(ReadCertificateQuery("revoked=false")->only_revoked);
}

TEST(RequestQueryTest, EveryConditionIsRead) {
  const std::string digest = FormatFingerprint(Sha256("x"));
  const auto filter = ReadRequestQuery("state=pending&name=db&address=192.0.2.1&key=" + digest +
                                       "&after=" + digest + "&limit=1000");
  ASSERT_TRUE(filter.ok()) << filter.status();
  EXPECT_EQ(filter->state, RequestState::kPending);
  EXPECT_EQ(filter->name, "db");
  EXPECT_EQ(filter->address, "192.0.2.1");
  EXPECT_EQ(filter->key, Sha256("x"));
  EXPECT_EQ(filter->after, Sha256("x"));
  EXPECT_EQ(filter->limit, kLargestPage);
}

TEST(QueryTest, WhatCannotBeReadIsRefused) {
  for (const std::string_view query : {"nam=x",
                                       "x",
                                       "=x",
                                       "name=x&",
                                       "&name=x",
                                       "name=a&name=b",
                                       "name=a&%6eame=b",
                                       "name",
                                       "name=",
                                       "name=%0a",
                                       "name=%",
                                       "name=%zz",
                                       "%name=x",
                                       "limit=0",
                                       "limit=1001",
                                       "limit=-1",
                                       "limit=1x",
                                       "limit=99999999999999999999",
                                       "limit= 1",
                                       "expires_before=tomorrow",
                                       "expires_after=0",
                                       "revoked=yes",
                                       "before=xyz",
                                       "before=",
                                       "before=00%0a",
                                       "before=0x12",
                                       "state=pending"}) {
    EXPECT_EQ(CodeOrNone(ReadCertificateQuery(query)), "parameter_invalid") << query;
  }
  for (const std::string_view query :
       {"state=done", "key=12", "after=x", "limit=0", "revoked=true",
        "after=sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"}) {
    EXPECT_EQ(CodeOrNone(ReadRequestQuery(query)), "parameter_invalid") << query;
  }
  EXPECT_EQ(CodeOrNone(ReadEmptyQuery("limit=1")), "parameter_invalid");
  EXPECT_EQ(CodeOrNone(ReadEmptyQuery("")), "");
}

TEST(QueryTest, AnUnknownParameterIsAnsweredWithTheNearestRightOne) {
  const auto filter = ReadCertificateQuery("expire_before=2026-11-20");
  EXPECT_NE(ToStd(filter.status().message()).find("\"expires_before\"?"), std::string_view::npos)
      << filter.status();
}

TEST(NextQueryTest, ReplacesWhereTheLastPageEnded) {
  EXPECT_EQ(NextQuery("", "before", "4e"), "before=4e");
  EXPECT_EQ(NextQuery("name=a%20b&limit=2", "before", "4e"), "name=a%20b&limit=2&before=4e");
  EXPECT_EQ(NextQuery("before=01&name=x", "before", "4e"), "name=x&before=4e");
  EXPECT_EQ(NextQuery("%62efore=01&limit=2", "before", "4e"), "limit=2&before=4e");
}

TEST(NextQueryTest, IsReadAsTheSameQueryOfTheNextPage) {
  const std::string next = NextQuery("name=a%26b&before=01&limit=2", "before", "4e");
  const auto filter = ReadCertificateQuery(next);
  ASSERT_TRUE(filter.ok()) << filter.status();
  EXPECT_EQ(filter->name, "a&b");
  EXPECT_EQ(filter->limit, 2U);
  EXPECT_EQ(filter->before->ToHex(), "4e");
}

TEST(PathPartTest, IsDecodedAndOneLine) {
  EXPECT_EQ(*ReadPathPart("db.internal"), "db.internal");
  EXPECT_EQ(*ReadPathPart("spiffe:%2F%2Fexample.org%2fdb"), "spiffe://example.org/db");
  for (const std::string_view part : {"", "%", "%4", "a%0ab", "%00"}) {
    EXPECT_EQ(CodeOrNone(ReadPathPart(part)), "parameter_invalid") << part;
  }
}

TEST(RequestIdTest, HasOneForm) {
  const std::string digest = FormatFingerprint(Sha256("x"));
  EXPECT_EQ(*ReadRequestId(digest), Sha256("x"));
  for (const std::string& text :
       {digest.substr(1), digest + "0", "sha256:" + digest, std::string(64, 'g'), std::string()}) {
    EXPECT_EQ(CodeOrNone(ReadRequestId(text)), "parameter_invalid") << text;
  }
}

}  // namespace
}  // namespace troth::json
