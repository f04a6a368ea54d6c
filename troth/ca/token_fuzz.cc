// The text of an enrolment token, as strangers send it: it is refused, or it is the one text of
// what was read. Then the rules of tokens must cope with any names.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "troth/base/fuzz_testing.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/ca/token.h"
#include "troth/pki/key.h"
#include "troth/pki/token_text.h"

namespace {

using troth::Require;

constexpr troth::Time kNow{troth::Seconds(1'800'000'000)};

const troth::PublicKey& TheKey() {
  static const troth::PrivateKey& key =
      *new troth::PrivateKey(*troth::PrivateKey::Generate(troth::KeyType::kP256));
  return key.public_key();
}

// A text beside the true one must not be read as the same token.
void CheckText(std::string_view text) {
  const auto token = troth::TokenText::Parse(text);
  if (!token.ok()) {
    Require(troth::ReasonOf(token.status()) == troth::Reason::kTokenInvalid);
    return;
  }
  Require(token->ToText().Reveal() == troth::TrimWhitespace(text));
}

// First line: a pattern of a token. Second: a common name. The rest: alternative names.
void CheckNames(std::string_view text) {
  const std::vector<std::string_view> lines = troth::Split(text, '\n');
  static const auto& profiles = *new troth::Profiles(troth::Profiles::BuiltIn());
  const auto token = troth::MakeToken({.names = {std::string(lines[0])}}, profiles,
                                      troth::Sha256("root"), "fuzz", kNow);
  if (!token.ok()) {
    Require(troth::ReasonOf(token.status()) == troth::Reason::kUsageError);
    return;
  }
  const auto secret = troth::TokenText::Parse(token->text.Reveal());
  Require(secret.ok());
  troth::Asked asked{.key = TheKey()};
  if (lines.size() > 1) asked.common_name = std::string(lines[1]);
  for (size_t i = 2; i < lines.size() && i < 8; ++i) {
    if (auto name = troth::AlternativeName::Parse(lines[i]); name.ok()) {
      asked.names.push_back(*std::move(name));
    }
  }
  const absl::Status checked = troth::CheckToken(token->record, secret->secret, asked, kNow);
  Require(checked.ok() || troth::ReasonOf(checked) == troth::Reason::kNameNotPermitted ||
          troth::ReasonOf(checked) == troth::Reason::kRequestMalformed);
  // What a token allows is nothing that no profile may issue.
  const troth::ReservedNames reserved{.names = {*troth::AlternativeName::Parse("ca.example.org")},
                                      .trust_domain = "example.org"};
  if (troth::CheckAsked(asked, profiles.standard(), reserved).ok()) {
    for (const troth::AlternativeName& name : asked.names) {
      Require(!troth::IsReserved(name, reserved));
      Require(name.kind != troth::AlternativeName::Kind::kDns ||
              !troth::DnsNameMatches(name.value, "ca.example.org"));
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  CheckText(text);
  CheckNames(text);
  return 0;
}
