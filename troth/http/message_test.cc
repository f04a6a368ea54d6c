#include "troth/http/message.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <string>
#include <vector>

#include "troth/base/reason.h"

namespace troth {
namespace {

TEST(HttpRequestTest, AFieldIsFoundInAnyCaseAndTheFirstOfItsNameCounts) {
  const HttpRequest request{.fields = {{"X-Name", "first"}, {"x-name", "second"}, {"Empty", ""}}};
  EXPECT_EQ(request.Field("x-NAME"), "first");
  EXPECT_EQ(request.Field("Empty"), "");
  EXPECT_EQ(request.Field("X-Nam"), std::nullopt);
}

TEST(HttpTimeTest, IsWrittenAsRfc9110HasIt) {
  EXPECT_EQ(FormatHttpTime(*ParseTime("1994-11-06T08:49:37Z")), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(FormatHttpTime(*ParseTime("2024-02-29T23:59:59Z")), "Thu, 29 Feb 2024 23:59:59 GMT");
  EXPECT_EQ(FormatHttpTime(Time()), "Thu, 01 Jan 1970 00:00:00 GMT");
}

TEST(HttpTimeTest, ItsThreeFormsAreRead) {
  const Time time = *ParseTime("1994-11-06T08:49:37Z");
  for (const std::string_view text :
       {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994"}) {
    EXPECT_EQ(ParseHttpTime(text), time) << text;
  }
  EXPECT_EQ(ParseHttpTime("Wed Nov 16 08:49:37 1994"), *ParseTime("1994-11-16T08:49:37Z"));
  EXPECT_EQ(ParseHttpTime("Tuesday, 01-Jan-69 00:00:00 GMT"), *ParseTime("2069-01-01T00:00:00Z"));
  EXPECT_EQ(ParseHttpTime("Thursday, 01-Jan-70 00:00:00 GMT"), *ParseTime("1970-01-01T00:00:00Z"));
  EXPECT_EQ(ParseHttpTime("Sat, 31 Dec 2016 23:59:60 GMT"), *ParseTime("2016-12-31T23:59:59Z"));
}

TEST(HttpTimeTest, WhatIsWrittenIsReadAsTheSameTime) {
  for (int day = 0; day < 800; day += 7) {
    const Time time = *ParseTime("2026-01-01T01:02:03Z") + std::chrono::hours(24) * day;
    EXPECT_EQ(ParseHttpTime(FormatHttpTime(time)), time) << FormatHttpTime(time);
  }
}

TEST(HttpTimeTest, NothingElseIsATime) {
  for (const std::string_view text : {"",
                                      "now",
                                      "Sun",
                                      "Sun, 06 Nov 1994 08:49:37",
                                      "Sun, 06 Nov 1994 08:49:37 CET",
                                      "Sun, 06 Nov 1994 08:49:37 GMT ",
                                      " Sun, 06 Nov 1994 08:49:37 GMT",
                                      "Xyz, 06 Nov 1994 08:49:37 GMT",
                                      "Sun, 06 Nox 1994 08:49:37 GMT",
                                      "Sun, 31 Feb 1994 08:49:37 GMT",
                                      "Sun, 00 Nov 1994 08:49:37 GMT",
                                      "Sun, 06 Nov 1994 24:00:00 GMT",
                                      "Sun, 06 Nov 1994 08:60:00 GMT",
                                      "Sun, 06 Nov 1994 08:49:61 GMT",
                                      "Sun, +6 Nov 1994 08:49:37 GMT",
                                      "Sun, 6 Nov 1994 08:49:37 GMT",
                                      "Sunday, 06-Nov-1994 08:49:37 GMT",
                                      "Sun Nov 6 08:49:37 1994",
                                      "Sun Nov   6 08:49:37 1994",
                                      "1994-11-06T08:49:37Z"}) {
    EXPECT_EQ(ParseHttpTime(text), std::nullopt) << text;
  }
}

TEST(ProblemResponseTest, SaysReasonAndDetailAsRfc9457HasIt) {
  const HttpResponse response =
      ProblemResponse(MakeError(Reason::kTokenExpired, "the token \"a\\b\" expired\nyesterday"));
  EXPECT_EQ(response.status, 401);
  ASSERT_EQ(response.fields.size(), 1U);
  EXPECT_EQ(response.fields[0].first, "Content-Type");
  EXPECT_EQ(response.fields[0].second, "application/problem+json");
  const boost::json::value json = boost::json::parse(response.body);
  const auto text = [&](const char* key) { return std::string(json.at(key).as_string().c_str()); };
  EXPECT_EQ(text("code"), "token_expired");
  EXPECT_EQ(text("detail"), "the token \"a\\b\" expired\nyesterday");
  EXPECT_EQ(text("title"), InfoOf(Reason::kTokenExpired).text);
  EXPECT_EQ(text("type"), DocAnchorOf(Reason::kTokenExpired));
  EXPECT_EQ(json.at("status").as_int64(), 401);
  EXPECT_EQ(json.as_object().size(), 5U);
}

TEST(ProblemResponseTest, AnErrorWithoutAReasonIsInternal) {
  const HttpResponse response = ProblemResponse(absl::UnknownError("?"));
  EXPECT_EQ(response.status, 500);
  EXPECT_EQ(boost::json::parse(response.body).at("code").as_string(), "internal");
}

TEST(PercentDecodeTest, GivesBytesForTriplesAndLeavesTheRest) {
  EXPECT_EQ(PercentDecode(""), "");
  EXPECT_EQ(PercentDecode("a+b"), "a+b");
  EXPECT_EQ(PercentDecode("%41%2f%2F"), "A//");
  EXPECT_EQ(PercentDecode("x%00y"), std::string("x\0y", 3));
  EXPECT_EQ(PercentDecode("%2541"), "%41");
}

TEST(PercentDecodeTest, RefusesWhatIsNoTriple) {
  for (const std::string_view text : {"%", "%4", "a%", "%zz", "%4g", "% 41", "%+1", "%%41"}) {
    EXPECT_EQ(PercentDecode(text), std::nullopt) << text;
  }
}

TEST(QueryValuesTest, GivesTheDecodedValuesOfANameInOrder) {
  using Values = std::vector<std::string>;
  EXPECT_EQ(QueryValues("a=1&b=2&a=%33", "a"), (Values{"1", "3"}));
  EXPECT_EQ(QueryValues("a=1&b=2&a=3", "b"), Values{"2"});
  EXPECT_EQ(QueryValues("a=1", "c"), Values());
  EXPECT_EQ(QueryValues("", ""), Values());
  EXPECT_EQ(QueryValues("a", "a"), Values{""});
  EXPECT_EQ(QueryValues("a=b=c", "a"), Values{"b=c"});
  EXPECT_EQ(QueryValues("n%61me=x", "name"), Values{"x"});
  EXPECT_EQ(QueryValues("a=x+y", "a"), Values{"x+y"});
  EXPECT_EQ(QueryValues("&&a=1&", "a"), Values{"1"});
}

TEST(QueryValuesTest, AMalformedPairAnywhereSpoilsTheQuery) {
  for (const std::string_view query : {"a=%", "a=1&b=%4", "%zz=1&a=1"}) {
    EXPECT_EQ(QueryValues(query, "a"), std::nullopt) << query;
  }
}

}  // namespace
}  // namespace troth
