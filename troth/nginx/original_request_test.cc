#include "troth/nginx/original_request.h"

#include <gtest/gtest.h>

#include "troth/base/reason.h"

namespace troth {
namespace {

using namespace std::string_literals;

TEST(OriginalRequest, HasOneSpelling) {
  EXPECT_EQ(*NameOriginalRequest("GET", "/packets/5"), "GET /packets/5");
  EXPECT_EQ(*NameOriginalRequest("GET", "/%70ackets/5"), "GET /packets/5");
  EXPECT_EQ(*NameOriginalRequest("POST", "/packets/a%c3%a9"), "POST /packets/a%C3%A9");
  EXPECT_EQ(*NameOriginalRequest("GET", "/"), "GET /");
  EXPECT_EQ(*NameOriginalRequest("M-SEARCH", "/a/"), "M-SEARCH /a/");
}

TEST(OriginalRequest, LeavesTheQueryOut) {
  EXPECT_EQ(*NameOriginalRequest("GET", "/packets?next=../../admin//%2f"), "GET /packets");
}

TEST(OriginalRequest, UndoesEscapesOfWhatMayStandBare) {
  EXPECT_EQ(*NameOriginalRequest("GET", "/packets/%40all"), "GET /packets/@all");
  EXPECT_EQ(*NameOriginalRequest("GET", "/%21%24%26%27%28%29%2a%2b%2c%3d%3a%40"),
            "GET /!$&'()*+,=:@");
  EXPECT_EQ(*NameOriginalRequest("GET", "/a%20b%3f%23%25%22"), "GET /a%20b%3F%23%25%22");
}

TEST(OriginalRequest, KeepsPercentSignsAndDots) {
  EXPECT_EQ(*NameOriginalRequest("GET", "/100%25"), "GET /100%25");
  EXPECT_EQ(*NameOriginalRequest("GET", "/..a/.b/..."), "GET /..a/.b/...");
}

TEST(OriginalRequest, RefusesPathsThatTwoProgramsMayReadInTwoWays) {
  for (const std::string& target : {"/packets/../admin"s,
                                    "/packets/./a"s,
                                    "/.."s,
                                    "/packets/%2e%2e/admin"s,
                                    "/packets/%2E./admin"s,
                                    "/a%2fb"s,
                                    "/a%2Fb"s,
                                    "/a%5cb"s,
                                    "/a\\b"s,
                                    "//admin"s,
                                    "/packets//a"s,
                                    "/a%00b"s,
                                    "/a\0b"s,
                                    "/a%0ab"s,
                                    "/a%7fb"s,
                                    "/packets/export;x"s,
                                    "/packets/export;"s,
                                    "/packets/export%3bx"s,
                                    "/a;v=1/b"s,
                                    "/packets/..;/admin"s,
                                    "/packets/..;x=1/a"s,
                                    "/a/..%3b/admin"s,
                                    "/a/%2e%2e;/b"s,
                                    "/a%252fb"s,
                                    "/a%252e%252e/b"s,
                                    "/a%"s,
                                    "/a%2"s,
                                    "/a%zz"s,
                                    "/a b"s,
                                    "/a#b"s,
                                    "/\xc3\xa9"s,
                                    ""s,
                                    "*"s,
                                    "packets"s,
                                    "http://h/a"s,
                                    "?a"s}) {
    const auto got = NameOriginalRequest("GET", target);
    ASSERT_FALSE(got.ok()) << target;
    EXPECT_EQ(CodeOf(got.status()), "http_malformed") << target;
  }
}

TEST(OriginalRequest, RefusesVerbsThatAreNone) {
  for (const std::string& verb : {""s, "get"s, "GET "s, "GET /admin"s, "G\0T"s, "*"s,
                                  "AVERBTHATISMUCHLONGERTHANANYTHATTHEREIS"s}) {
    EXPECT_FALSE(NameOriginalRequest(verb, "/").ok()) << verb;
  }
}

}  // namespace
}  // namespace troth
