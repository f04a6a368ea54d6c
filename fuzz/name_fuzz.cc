// Names as people type them. What is taken must be written, printed on one line, and read back as
// the same.
#include <cstdint>
#include <string_view>

#include "troth/base/fuzz_testing.h"
#include "troth/pki/name.h"

using troth::Require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto name = troth::AlternativeName::Parse(text); name.ok()) {
    const auto again = troth::AlternativeName::Parse(name->ToString());
    Require(again.ok() && *again == *name);
  }
  if (const auto id = troth::SpiffeId::Parse(text); id.ok()) {
    Require("spiffe://" + std::string(id->trust_domain()) + std::string(id->path()) == text);
  }
  if (const auto name = troth::DistinguishedName::FromSlashes(text); name.ok()) {
    const auto again = troth::DistinguishedName::FromDer(name->der());
    Require(again.ok() && again->attributes() == name->attributes() && again->Matches(*name));
    Require(name->ToString().find('\n') == std::string::npos);
  }
  if (const auto name = troth::DistinguishedName::FromDer(text); name.ok()) {
    Require(name->der() == text && name->Matches(*name) && name->IsWithin({}));
    Require(name->ToString().find('\n') == std::string::npos);
  }
  // Halves as pattern and name: a match is never wider than one label.
  const std::string_view pattern = text.substr(0, size / 2);
  const std::string_view name = text.substr(size / 2);
  if (troth::DnsNameMatches(pattern, name)) {
    Require(troth::IsDnsName(name, false) && troth::IsDnsName(pattern, true));
  }
  return 0;
}
