#include "troth/pki/token_text.h"

#include <gtest/gtest.h>

#include <string>

#include "troth/base/encoding.h"
#include "troth/base/reason.h"

namespace troth {
namespace {

TokenText ExampleToken() {
  TokenText token{.id = "5f2c81a09d3e6b77", .secret = Secret(std::string(32, '\x11'))};
  token.root_fingerprint.fill(0x22);
  return token;
}

std::string ExampleText() { return std::string(ExampleToken().ToText().Reveal()); }

// The text around changed bytes, with check digits that fit.
std::string Encode(std::string_view content) {
  const Sha256Digest digest = Sha256(content);
  return "troth1." + ToBase64Url(std::string(content) +
                                 std::string(reinterpret_cast<const char*>(digest.data()), 4));
}

TEST(TokenTextTest, HasTheWrittenForm) {
  const std::string content =
      *FromHex("5f2c81a09d3e6b77") + std::string(32, '\x11') + std::string(32, '\x22');
  EXPECT_EQ(ExampleText(), Encode(content));
  EXPECT_EQ(ExampleText().size(), 7U + 102U);
}

TEST(TokenTextTest, IsReadBack) {
  const absl::StatusOr<TokenText> read = TokenText::Parse(ExampleText());
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->id, "5f2c81a09d3e6b77");
  EXPECT_EQ(read->secret.Reveal(), std::string(32, '\x11'));
  EXPECT_EQ(read->root_fingerprint, ExampleToken().root_fingerprint);
}

TEST(TokenTextTest, WhiteSpaceAroundItDoesNotMatter) {
  EXPECT_TRUE(TokenText::Parse(" \t" + ExampleText() + "\r\n").ok());
}

TEST(TokenTextTest, AnyMistypedCharacterIsNoticed) {
  const std::string text = ExampleText();
  for (size_t i = 0; i < text.size(); ++i) {
    std::string mistyped = text;
    mistyped[i] = mistyped[i] == 'x' ? 'y' : 'x';
    const absl::StatusOr<TokenText> read = TokenText::Parse(mistyped);
    ASSERT_FALSE(read.ok()) << i;
    EXPECT_EQ(ReasonOf(read.status()), Reason::kTokenInvalid) << i;
  }
}

TEST(TokenTextTest, NothingElseIsRead) {
  const std::string text = ExampleText();
  const std::string digits = text.substr(7);
  const std::string bytes = *FromBase64Url(digits);
  const std::string cases[] = {
      "", "   ", digits, "troth1.", "troth2." + digits, "TROTH1." + digits, text + "=", text + " x",
      text + "AAAA", text.substr(0, 50) + "\n" + text.substr(50), text.substr(0, text.size() - 1),
      text + std::string(1, '\0'), "troth1." + ToBase64(bytes),
      // Check digits that fit, and a length that does not.
      Encode(bytes.substr(0, 71)), Encode(bytes.substr(0, 72) + "x"), Encode("")};
  for (const std::string& wrong : cases) {
    const absl::StatusOr<TokenText> read = TokenText::Parse(wrong);
    ASSERT_FALSE(read.ok()) << wrong;
    EXPECT_EQ(ReasonOf(read.status()), Reason::kTokenInvalid) << wrong;
  }
}

TEST(TokenTextTest, AnErrorNeverRepeatsTheText) {
  const std::string text = ExampleText();
  for (const std::string& wrong : {text + "x", "x" + text, text.substr(0, 40), text + "*"}) {
    const absl::Status status = TokenText::Parse(wrong).status();
    for (size_t i = 8; i + 8 < text.size(); ++i) {
      ASSERT_EQ(status.message().find(text.substr(i, 8)), status.message().npos) << status;
    }
  }
}

}  // namespace
}  // namespace troth
