#include "troth/cli/json.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace troth {
namespace {

std::string TextOf(const JsonValue& value) { return value.text(); }

TEST(JsonTest, ValuesAreWhatTheyAreMadeFrom) {
  EXPECT_EQ(TextOf(nullptr), "null");
  EXPECT_EQ(TextOf("text"), R"("text")");
  EXPECT_EQ(TextOf(std::string("text")), R"("text")");
  EXPECT_EQ(TextOf(std::string_view("text")), R"("text")");
  EXPECT_EQ(TextOf(true), "true");
  EXPECT_EQ(TextOf(false), "false");
  EXPECT_EQ(TextOf(-7), "-7");
  EXPECT_EQ(TextOf(UINT64_MAX), "18446744073709551615");
  EXPECT_EQ(TextOf(10.0), "10");
  EXPECT_EQ(TextOf(0.1), "0.1");
  EXPECT_EQ(TextOf(1e300 * 1e300), "null");
  EXPECT_EQ(TextOf(JsonValue::Number("0.25")), "0.25");
  EXPECT_EQ(TextOf(*ParseTime("2026-11-21T02:29:09Z")), R"("2026-11-21T02:29:09Z")");
  EXPECT_EQ(TextOf(std::optional<int>(3)), "3");
  EXPECT_EQ(TextOf(std::optional<std::string>()), "null");
  EXPECT_EQ(TextOf(std::vector<std::string>()), "[]");
  EXPECT_EQ(TextOf(std::vector<std::string>{"a", "b\"c"}), R"(["a", "b\"c"])");
  EXPECT_EQ(TextOf(std::vector<JsonObject>{{{"a", 1}}, JsonObject()}), R"([{"a": 1}, {}])");
}

TEST(JsonTest, TextIsEscapedWhereItHasToBe) {
  EXPECT_EQ(TextOf("a\"b\\c\nd\te\rf"), R"("a\"b\\c\nd\te\rf")");
  EXPECT_EQ(TextOf(std::string_view("\0\x1f\x7f", 3)), "\"\\u0000\\u001f\x7f\"");
  EXPECT_EQ(TextOf("gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80"),
            "\"gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80\"");
}

TEST(JsonTest, WhatIsNotUtf8IsReplaced) {
  EXPECT_EQ(TextOf("a\xff\xc3z"), "\"a\xef\xbf\xbd\xef\xbf\xbdz\"");
  EXPECT_EQ(TextOf("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
}

TEST(JsonTest, AnObjectHasItsMembersInTheirOrder) {
  EXPECT_EQ(JsonObject().text(), "{}");
  JsonObject object = {{"b", 1}, {"a", "x"}};
  object.Add("n\"", nullptr).Add(JsonObject()).Add({{"c", JsonObject{{"d", true}}}});
  EXPECT_EQ(object.text(), R"({"b": 1, "a": "x", "n\"": null, "c": {"d": true}})");
  EXPECT_EQ(JsonObject().Add(object).text(), object.text());
  EXPECT_EQ((JsonObject{{"z", 0}}.Add(JsonObject{{"y", 1}}).text()), R"({"z": 0, "y": 1})");
}

}  // namespace
}  // namespace troth
