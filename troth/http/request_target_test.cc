#include <gtest/gtest.h>

#include "troth/base/reason.h"
#include "troth/http/request_target_internal.h"

namespace troth {
namespace {

TEST(RequestTargetTest, IsPathAndQuery) {
  struct Row {
    std::string_view target, path, query;
  };
  for (const auto& [target, path, query] : {
           Row{"/", "/", ""},
           Row{"/a/b", "/a/b", ""},
           Row{"/a?b=c?d", "/a", "b=c?d"},
           Row{"/a?", "/a", ""},
           Row{"/a?../%zz", "/a", "../%zz"},
           Row{"//a//", "//a//", ""},
           Row{"*", "*", ""},
           Row{"http://host:1/a?b", "/a", "b"},
           Row{"HTTPS://host", "/", ""},
           Row{"https://host?q", "/", "q"},
           Row{"/...", "/...", ""},
           Row{"/.well-known", "/.well-known", ""},
           Row{"/a.b/..c", "/a.b/..c", ""},
       }) {
    const auto parsed = ParseRequestTarget(target);
    ASSERT_TRUE(parsed.ok()) << target << ": " << parsed.status();
    EXPECT_EQ(parsed->path, path) << target;
    EXPECT_EQ(parsed->query, query) << target;
  }
}

TEST(RequestTargetTest, APathHasOneSpelling) {
  EXPECT_EQ(ParseRequestTarget("/%61%2D%7e%5F")->path, "/a-~_");
  EXPECT_EQ(ParseRequestTarget("/a%20b%c3%a4")->path, "/a%20b%C3%A4");
  EXPECT_EQ(ParseRequestTarget("/%2541")->path, "/%2541");
  EXPECT_EQ(ParseRequestTarget("/a%3fb")->path, "/a%3Fb");
}

TEST(RequestTargetTest, WhatCouldBeReadInTwoWaysIsRefused) {
  for (const std::string_view target : {"",
                                        "a",
                                        "?a",
                                        "host:443",
                                        "/a/../b",
                                        "/..",
                                        "/.",
                                        "/./a",
                                        "/a/.",
                                        "/%2e%2E/a",
                                        "/.%2e",
                                        "/a%2fb",
                                        "/a%2Fb",
                                        "/a%5cb",
                                        "/a\\b",
                                        "/a%00",
                                        "/a%0d%0a",
                                        "/a%7f",
                                        "/a b",
                                        "/a\tb",
                                        "/%",
                                        "/%4",
                                        "/%4g",
                                        "/a#b",
                                        "/a?b#c",
                                        "/\xc3\xa4",
                                        "http://host/../a",
                                        "ftp://host/a",
                                        "**",
                                        "http:/a"}) {
    const auto parsed = ParseRequestTarget(target);
    ASSERT_FALSE(parsed.ok()) << target << " is " << parsed->path;
    EXPECT_EQ(CodeOf(parsed.status()), "http_malformed") << target;
  }
}

}  // namespace
}  // namespace troth
