#include "troth/pki/token_text.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include "troth/base/encoding.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"

namespace troth {
namespace {

constexpr std::string_view kPrefix = "troth1.";
constexpr size_t kIdBytes = 8;
constexpr size_t kSecretBytes = 32;
constexpr size_t kCheckBytes = 4;
constexpr size_t kFingerprintBytes = std::tuple_size_v<Sha256Digest>;
constexpr size_t kContentBytes = kIdBytes + kSecretBytes + kFingerprintBytes;

std::string_view BytesOf(const Sha256Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

// What tells a mistyped token from a wrong one.
std::string CheckOf(std::string_view content) {
  return std::string(BytesOf(Sha256(content)).substr(0, kCheckBytes));
}

absl::Status Invalid(std::string_view what) {
  return MakeError(Reason::kTokenInvalid, std::string(what) +
                                              "; copy the whole token as `troth tokens create` "
                                              "printed it");
}

}  // namespace

Secret TokenText::ToText() const {
  std::string bytes;
  bytes.reserve(kContentBytes + kCheckBytes);  // a string that grows leaves copies behind
  bytes += FromHex(id).value_or("");
  bytes += secret.Reveal();
  bytes += BytesOf(root_fingerprint);
  bytes += CheckOf(bytes);
  std::string digits = ToBase64Url(bytes);
  Wipe(bytes);
  std::string text;
  text.reserve(kPrefix.size() + digits.size());
  text += kPrefix;
  text += digits;
  Wipe(digits);
  return Secret(std::move(text));
}

absl::StatusOr<TokenText> TokenText::Parse(std::string_view text) {
  text = TrimWhitespace(text);
  if (text.empty()) return Invalid("expected a token, got nothing");
  if (!text.starts_with(kPrefix)) {
    return Invalid("expected a token that begins with \"" + std::string(kPrefix) +
                   "\", got something else");
  }
  std::optional<std::string> bytes = FromBase64Url(text.substr(kPrefix.size()));
  if (!bytes.has_value()) {
    return Invalid("expected letters, digits, \"-\" and \"_\" after \"" + std::string(kPrefix) +
                   "\", got something else");
  }
  const std::string_view content = std::string_view(*bytes).substr(0, kContentBytes);
  const bool whole = bytes->size() == kContentBytes + kCheckBytes;
  if (!whole || CheckOf(content) != std::string_view(*bytes).substr(kContentBytes)) {
    const std::string got = std::to_string(text.size());
    Wipe(*bytes);
    return Invalid(whole ? "the token is mistyped: its check digits do not fit"
                         : "the token is cut short or has something added: it has " + got +
                               " characters");
  }
  TokenText token{.id = ToHex(content.substr(0, kIdBytes)),
                  .secret = Secret(std::string(content.substr(kIdBytes, kSecretBytes)))};
  std::ranges::transform(content.substr(kIdBytes + kSecretBytes), token.root_fingerprint.begin(),
                         [](char c) { return static_cast<std::uint8_t>(c); });
  Wipe(*bytes);
  return token;
}

}  // namespace troth
