#include "troth/enroll/authority_address.h"

#include <gtest/gtest.h>

#include "troth/base/reason.h"

namespace troth {
namespace {

TEST(AuthorityAddress, IsReadAsPeopleWriteIt) {
  struct Row {
    std::string_view text, url, name, host;
  };
  for (const Row& row : {
           Row{"ca.example.com", "https://ca.example.com/x", "ca.example.com", "ca.example.com"},
           Row{"ca.example.com:8443", "https://ca.example.com:8443/x", "ca.example.com:8443",
               "ca.example.com"},
           Row{"https://ca.example.com/", "https://ca.example.com/x", "ca.example.com",
               "ca.example.com"},
           Row{"HTTPS://CA.example.com", "https://CA.example.com/x", "CA.example.com",
               "CA.example.com"},
           Row{"https://ca.example.com:1/pki/a%20b/", "https://ca.example.com:1/pki/a%20b/x",
               "ca.example.com:1", "ca.example.com"},
           Row{"127.0.0.1:65535", "https://127.0.0.1:65535/x", "127.0.0.1:65535", "127.0.0.1"},
           Row{"[::1]:8443", "https://[::1]:8443/x", "[::1]:8443", "::1"},
           Row{"[2001:db8::1]", "https://[2001:db8::1]/x", "[2001:db8::1]", "2001:db8::1"},
       }) {
    const auto address = AuthorityAddress::Parse(row.text);
    ASSERT_TRUE(address.ok()) << row.text << ": " << address.status();
    EXPECT_EQ(address->UrlOf("/x"), row.url);
    EXPECT_EQ(address->name(), row.name);
    EXPECT_EQ(address->host(), row.host);
  }
}

TEST(AuthorityAddress, WhatIsNoneIsRefused) {
  for (const std::string_view text : {"",
                                      "http://ca.example.com",
                                      "ftp://ca",
                                      "ca.example.com:",
                                      "ca.example.com:0",
                                      "ca.example.com:65536",
                                      "ca.example.com:80x",
                                      "ca example.com",
                                      "user:pw@ca.example.com",
                                      "https://user@ca",
                                      "https://ca/?query",
                                      "https://ca/#part",
                                      "https://ca?x",
                                      "ca\nexample",
                                      "::1",
                                      "[::1",
                                      "[::1]8443",
                                      "[127.0.0.1]",
                                      "[ca.example.com]",
                                      "-ca",
                                      "../ca",
                                      "https://",
                                      "*.example.com"}) {
    EXPECT_EQ(ReasonOf(AuthorityAddress::Parse(text).status()), Reason::kUsageError) << text;
  }
}

}  // namespace
}  // namespace troth
