#include <gtest/gtest.h>

#include <string>

#include "troth/base/reason.h"
#include "troth/pki/name.h"

namespace troth {
namespace {

TEST(SpiffeIdTest, HasTrustDomainAndPath) {
  const struct {
    std::string_view text, trust_domain, path;
  } kCases[] = {
      {"spiffe://example.org/ns/default/sa/Web_1.0-a", "example.org", "/ns/default/sa/Web_1.0-a"},
      {"spiffe://example.org", "example.org", ""},
      {"spiffe://1_2-3.x/...", "1_2-3.x", "/..."},
  };
  for (const auto& test : kCases) {
    const absl::StatusOr<SpiffeId> id = SpiffeId::Parse(test.text);
    ASSERT_TRUE(id.ok()) << test.text << ": " << id.status();
    EXPECT_EQ(id->ToString(), test.text);
    EXPECT_EQ(id->trust_domain(), test.trust_domain);
    EXPECT_EQ(id->path(), test.path);
  }
}

TEST(SpiffeIdTest, RefusesWhatTheStandardRefuses) {
  for (const std::string_view text : {"",
                                      "spiffe:",
                                      "spiffe://",
                                      "spiffe:///path",
                                      "SPIFFE://example.org",
                                      "Spiffe://example.org",
                                      "https://example.org/a",
                                      "spiffe:/example.org",
                                      "spiffe://Example.org/a",
                                      "spiffe://example.org:443/a",
                                      "spiffe://user@example.org/a",
                                      "spiffe://ex%61mple.org",
                                      "spiffe://example.org/",
                                      "spiffe://example.org/a/",
                                      "spiffe://example.org//a",
                                      "spiffe://example.org/./a",
                                      "spiffe://example.org/a/..",
                                      "spiffe://example.org/a?b",
                                      "spiffe://example.org?b",
                                      "spiffe://example.org#b",
                                      "spiffe://example.org/a#b",
                                      "spiffe://example.org/%61",
                                      "spiffe://example.org/a b",
                                      "spiffe://example.org/\xc3\xbc",
                                      "spiffe://b\xc3\xbc/a",
                                      " spiffe://example.org"}) {
    EXPECT_EQ(ReasonOf(SpiffeId::Parse(text).status()), Reason::kRequestMalformed) << text;
  }
}

TEST(SpiffeIdTest, LengthsAreBounded) {
  EXPECT_TRUE(SpiffeId::Parse("spiffe://" + std::string(255, 'a')).ok());
  EXPECT_FALSE(SpiffeId::Parse("spiffe://" + std::string(256, 'a')).ok());
  const std::string start = "spiffe://example.org/";
  EXPECT_TRUE(SpiffeId::Parse(start + std::string(2048 - start.size(), 'a')).ok());
  EXPECT_FALSE(SpiffeId::Parse(start + std::string(2049 - start.size(), 'a')).ok());
}

}  // namespace
}  // namespace troth
