#include "troth/pki/digest.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace troth {
namespace {

// FIPS 180-4's examples.
TEST(Sha256Test, HashesKnownTexts) {
  const struct {
    std::string text;
    const char* digest;
  } kCases[] = {
      {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
      {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
      {std::string(1'000'000, 'a'),
       "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
  };
  for (const auto& test : kCases) EXPECT_EQ(FormatFingerprint(Sha256(test.text)), test.digest);
}

TEST(Sha256Test, ManyThreadsHashAtOnce) {
  const std::string expected = FormatFingerprint(Sha256("abc"));
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 200; ++j) EXPECT_EQ(FormatFingerprint(Sha256("abc")), expected);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(FingerprintTest, IsReadInEveryFormThatToolsPrint) {
  const Sha256Digest digest = Sha256("abc");
  const std::string plain = FormatFingerprint(digest);
  std::string upper;
  std::string colons;
  for (size_t i = 0; i < plain.size(); ++i) {
    const char c = plain[i] >= 'a' ? static_cast<char>(plain[i] - 'a' + 'A') : plain[i];
    upper += c;
    if (i != 0 && i % 2 == 0) colons += ':';
    colons += c;
  }
  for (const std::string& text :
       {plain, upper, colons, "sha256:" + plain, "SHA256:" + upper, "sha256:" + colons}) {
    EXPECT_EQ(ParseFingerprint(text), digest) << text;
  }
}

TEST(FingerprintTest, RefusesEverythingElse) {
  const std::string plain = FormatFingerprint(Sha256("abc"));
  for (const std::string& text :
       {std::string(), plain.substr(1), plain.substr(2), plain + "00", "sha1:" + plain,
        std::string("sha256:"), "sha256:sha256:" + plain, plain + " ", "x" + plain.substr(1)}) {
    EXPECT_EQ(ParseFingerprint(text), std::nullopt) << text;
  }
}

TEST(Sha256Test, EqualDigestsAreEqualInEveryByte) {
  const Sha256Digest digest = Sha256("a");
  EXPECT_TRUE(EqualInConstantTime(digest, Sha256("a")));
  for (size_t i = 0; i < digest.size(); ++i) {
    Sha256Digest other = digest;
    other[i] ^= 0x80;
    EXPECT_FALSE(EqualInConstantTime(digest, other)) << i;
  }
}

}  // namespace
}  // namespace troth
