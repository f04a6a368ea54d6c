#include "troth/server/json/body.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "troth/base/reason.h"
#include "troth/base/strings.h"

namespace troth::json {
namespace {

struct Values {
  std::string text = "before";
  std::string lines;
  std::uint64_t number = 7;
  bool flag = false;
  std::optional<Seconds> lifetime;
  std::vector<std::string> list;
};

absl::Status Read(std::string_view body, Values& values) {
  return ReadObject(body, {{.name = "text", .target = &values.text},
                           {.name = "lines", .target = &values.lines, .lines = true},
                           {.name = "number", .target = &values.number},
                           {.name = "flag", .target = &values.flag},
                           {.name = "lifetime_seconds", .target = &values.lifetime},
                           {.name = "list", .target = &values.list}});
}

std::string CodeOfReading(std::string_view body) {
  Values values;
  const absl::Status status = Read(body, values);
  return status.ok() ? "" : std::string(CodeOf(status));
}

std::string MessageOfReading(std::string_view body) {
  Values values;
  return std::string(ToStd(Read(body, values).message()));
}

TEST(ReadObjectTest, EveryTypeIsReadAndWhatIsNotThereStaysAsItIs) {
  Values values;
  ASSERT_TRUE(Read(R"( {"lines": "a\nb", "number": 18446744073709551615, "flag": true,
                        "lifetime_seconds": 3600, "list": ["x", "yé"]} )",
                   values)
                  .ok());
  EXPECT_EQ(values.text, "before");
  EXPECT_EQ(values.lines, "a\nb");
  EXPECT_EQ(values.number, UINT64_MAX);
  EXPECT_TRUE(values.flag);
  EXPECT_EQ(values.lifetime, Seconds(3600));
  EXPECT_EQ(values.list, (std::vector<std::string>{"x", "y\xc3\xa9"}));
}

TEST(ReadObjectTest, AnEmptyBodyIsAnObjectWithoutMembers) {
  for (const std::string_view body : {"", "{}", " { } \n"}) {
    EXPECT_EQ(CodeOfReading(body), "") << body;
  }
}

TEST(ReadObjectTest, EscapesAreTakenApartWhereverTheyStand) {
  Values values;
  ASSERT_TRUE(Read(R"({"te\u0078t": "\u0061\/\"\\ \ud83d\ude00", "list": []})", values).ok());
  EXPECT_EQ(values.text, "a/\"\\ \xf0\x9f\x98\x80");
  EXPECT_TRUE(values.list.empty());
}

TEST(ReadObjectTest, WhatIsNoJsonObjectIsSaidSo) {
  for (const std::string_view body : {"x",
                                      "[]",
                                      "\"text\"",
                                      "1",
                                      "1.5",
                                      "true",
                                      "null",
                                      "{",
                                      R"({"text": "x")",
                                      R"({"text": "x"} {})",
                                      R"({"text": "x"}x)",
                                      R"({"text": "x",})",
                                      R"({'text': 'x'})",
                                      R"({text: "x"})",
                                      "{\"text\": \"\xff\"}",
                                      R"({"text": "\ud800"})",
                                      "{\"text\": \"\n\"}",
                                      R"({"number": 01})",
                                      R"({"number": +1})",
                                      R"({"number": NaN})",
                                      R"({} // note)",
                                      R"({"text": "x", "text": "x"})",
                                      R"({"text": "x", "t\u0065xt": "y"})",
                                      "\xef\xbb\xbf{}"}) {
    EXPECT_EQ(CodeOfReading(body), "json_malformed") << body;
  }
  EXPECT_EQ(CodeOfReading(std::string_view("{}\0", 3)), "json_malformed");
}

TEST(ReadObjectTest, AWrongTypeOrValueIsNamedWithTheMember) {
  struct Case {
    std::string_view body, member;
  };
  for (const auto& [body, member] : {
           Case{R"({"text": 1})", "text"},
           Case{R"({"text": null})", "text"},
           Case{R"({"text": true})", "text"},
           Case{R"({"text": ["x"]})", "text"},
           Case{R"({"text": {"text": "x"}})", "text"},
           Case{R"({"text": ""})", "text"},
           Case{R"({"text": "two\nlines"})", "text"},
           Case{R"({"text": "\u0000"})", "text"},
           Case{R"({"text": "\u007f"})", "text"},
           Case{R"({"lines": ""})", "lines"},
           Case{R"({"number": "1"})", "number"},
           Case{R"({"number": -1})", "number"},
           Case{R"({"number": 1.0})", "number"},
           Case{R"({"number": 1e3})", "number"},
           Case{R"({"number": 18446744073709551616})", "number"},
           Case{R"({"number": []})", "number"},
           Case{R"({"flag": 1})", "flag"},
           Case{R"({"flag": "true"})", "flag"},
           Case{R"({"lifetime_seconds": 0})", "lifetime_seconds"},
           Case{R"({"lifetime_seconds": -5})", "lifetime_seconds"},
           Case{R"({"lifetime_seconds": "1h"})", "lifetime_seconds"},
           Case{R"({"lifetime_seconds": 9223372036854775807})", "lifetime_seconds"},
           Case{R"({"list": "x"})", "list"},
           Case{R"({"list": {}})", "list"},
           Case{R"({"list": ["x", 1]})", "list"},
           Case{R"({"list": [["x"]]})", "list"},
           Case{R"({"list": [{}]})", "list"},
           Case{R"({"list": [null]})", "list"},
           Case{R"({"list": [""]})", "list"},
           Case{R"({"list": ["x\ty"]})", "list"},
       }) {
    EXPECT_EQ(CodeOfReading(body), "parameter_invalid") << body;
    EXPECT_NE(MessageOfReading(body).find("\"" + std::string(member) + "\""), std::string::npos)
        << body;
  }
}

TEST(ReadObjectTest, AnUnknownMemberIsAnsweredWithTheNearestRightOne) {
  EXPECT_EQ(CodeOfReading(R"({"numbr": 1})"), "parameter_invalid");
  EXPECT_NE(MessageOfReading(R"({"numbr": 1})").find("\"number\"?"), std::string::npos);
  EXPECT_EQ(CodeOfReading(R"({"": 1})"), "parameter_invalid");
  // Nothing is near: all are named.
  const std::string all = MessageOfReading(R"({"certificate_request": 1})");
  for (const std::string_view name : {"text", "lines", "number", "flag", "lifetime_seconds"}) {
    EXPECT_NE(all.find(name), std::string::npos) << name;
  }
}

TEST(ReadObjectTest, AMissingMemberIsNamed) {
  std::string csr;
  const auto read = [&csr](std::string_view body) {
    return ReadObject(body, {{.name = "csr", .target = &csr, .required = true}});
  };
  for (const std::string_view body : {"", "{}"}) {
    const absl::Status status = read(body);
    EXPECT_EQ(CodeOf(status), "parameter_invalid");
    EXPECT_NE(ToStd(status.message()).find("\"csr\""), std::string_view::npos);
  }
  EXPECT_TRUE(read(R"({"csr": "x"})").ok());
}

TEST(ReadObjectTest, SizesAreBounded) {
  const auto body_of = [](size_t length) {
    return R"({"lines": ")" + std::string(length, 'x') + "\"}";
  };
  const size_t frame = body_of(0).size();
  EXPECT_EQ(CodeOfReading(body_of(kMaxBodyBytes - frame)), "");
  EXPECT_EQ(CodeOfReading(body_of(kMaxBodyBytes - frame + 1)), "body_too_large");

  const auto list_of = [](size_t length) {
    std::string list;
    for (size_t i = 0; i < length; ++i) list += std::string(i == 0 ? "" : ",") + "\"x\"";
    return R"({"list": [)" + list + "]}";
  };
  EXPECT_EQ(CodeOfReading(list_of(kMaxListLength)), "");
  EXPECT_EQ(CodeOfReading(list_of(kMaxListLength + 1)), "json_malformed");

  EXPECT_EQ(CodeOfReading(std::string(30'000, '[')), "json_malformed");
  EXPECT_EQ(CodeOfReading(R"({"list": )" + std::string(30'000, '[')), "parameter_invalid");
}

TEST(ReadObjectTest, AMessageNeverHasAValueInIt) {
  for (const std::string_view body : {R"({"number": "hunter2"})", R"({"text": "hunter2\n"})",
                                      R"({"text": "hunter2)", R"({"list": ["hunter2", 1]})"}) {
    EXPECT_NE(CodeOfReading(body), "") << body;
    EXPECT_EQ(MessageOfReading(body).find("hunter2"), std::string::npos) << body;
  }
}

}  // namespace
}  // namespace troth::json
