#include "troth/nginx/config_value.h"

#include <gtest/gtest.h>

#include "troth/base/reason.h"

namespace troth {
namespace {

using namespace std::string_literals;

TEST(NginxValue, IsWrittenAsItIsOrInQuotes) {
  EXPECT_EQ(*NginxValue("/etc/troth/a-b_c.pem", "--x"), "/etc/troth/a-b_c.pem");
  EXPECT_EQ(*NginxValue("/etc/my keys/a.pem", "--x"), "\"/etc/my keys/a.pem\"");
  EXPECT_EQ(*NginxValue("/a;b{c}#d'e", "--x"), "\"/a;b{c}#d'e\"");
  EXPECT_EQ(*NginxValue(R"(/a"b\c)", "--x"), R"("/a\"b\\c")");
  EXPECT_EQ(*NginxValue("/\xc3\xa9", "--x"), "\"/\xc3\xa9\"");
}

TEST(NginxValue, RefusesWhatNginxCannotWrite) {
  for (const std::string& value : {""s, "/a$b"s, "/a\nb"s, "/a\rb"s, "/a\0b"s, "/a\tb"s}) {
    EXPECT_EQ(CodeOf(NginxValue(value, "--x").status()), "usage_error") << value;
  }
}

TEST(NginxUpstream, IsASocketOrAnAddress) {
  EXPECT_EQ(ParseNginxUpstream("unix:/run/a.sock", "--x")->url, "http://unix:/run/a.sock");
  EXPECT_TRUE(ParseNginxUpstream("http://unix:/run/a.sock", "--x")->is_unix);
  EXPECT_EQ(ParseNginxUpstream("127.0.0.1:80", "--x")->url, "http://127.0.0.1:80");
  EXPECT_EQ(ParseNginxUpstream("http://[::1]:80", "--x")->url, "http://[::1]:80");
  for (const char* const here : {"127.0.0.1:80", "127.9.9.9:80", "[::1]:80", "localhost:80"}) {
    EXPECT_TRUE(ParseNginxUpstream(here, "--x")->is_loopback) << here;
  }
  for (const char* const elsewhere : {"192.0.2.1:80", "db.example:80", "127.example:80"}) {
    EXPECT_FALSE(ParseNginxUpstream(elsewhere, "--x")->is_loopback) << elsewhere;
  }
}

TEST(NginxUpstream, RefusesTheRest) {
  for (const char* const text : {"",
                                 "https://127.0.0.1:80",
                                 "127.0.0.1",
                                 "127.0.0.1:0",
                                 "127.0.0.1:65536",
                                 "127.0.0.1:8x",
                                 "::1:80",
                                 "[::1:80",
                                 "[127.0.0.1]:80",
                                 "127.0.0.1:80/path",
                                 "unix:",
                                 "unix:a.sock",
                                 "unix:/a b",
                                 "unix:/a:b",
                                 "unix:/a;b",
                                 "unix:/$a",
                                 "a b:80",
                                 "a;b:80",
                                 "$host:80",
                                 "http://http://a:80",
                                 "ftp://a:80",
                                 "user@a:80"}) {
    EXPECT_EQ(CodeOf(ParseNginxUpstream(text, "--x").status()), "usage_error") << text;
  }
  EXPECT_FALSE(ParseNginxUpstream("unix:/" + std::string(107, 'a'), "--x").ok());
  EXPECT_TRUE(ParseNginxUpstream("unix:/" + std::string(106, 'a'), "--x").ok());
}

TEST(NginxListen, IsAPortAnAddressOrASocket) {
  for (const char* const text :
       {"443", "*:443", "127.0.0.1:443", "[::]:443", "db.example:443", "unix:/run/nginx.sock"}) {
    EXPECT_EQ(*NginxListen(text), text);
  }
  for (const char* const text :
       {"", "0", "99999", "unix:80", "443 ssl", "443;", "::443", "$port", "a b:1"}) {
    EXPECT_EQ(CodeOf(NginxListen(text).status()), "usage_error") << text;
  }
}

TEST(NginxServerName, IsANameOrAnAddress) {
  for (const char* const text : {"db.example", "*.db.example", "127.0.0.1", "[::1]", "_"}) {
    EXPECT_EQ(*NginxServerName(text), text);
  }
  for (const char* const text :
       {"", "~^a$", "a b", "a;b", "$host", ".example", "\"\"", "::1", "a..b", "a{"}) {
    EXPECT_EQ(CodeOf(NginxServerName(text).status()), "usage_error") << text;
  }
}

}  // namespace
}  // namespace troth
