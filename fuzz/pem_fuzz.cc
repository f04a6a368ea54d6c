// PEM, and private keys in it. Every block that is read can be written and read again.
#include <cstdint>
#include <string>
#include <string_view>

#include "troth/base/fuzz_testing.h"
#include "troth/pki/key.h"
#include "troth/pki/pem.h"

using troth::Require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const absl::StatusOr<std::vector<troth::PemBlock>> blocks = troth::ParsePem(text);
  if (!blocks.ok()) {
    Require(!blocks.status().message().empty());
    return 0;
  }
  Require(!blocks->empty());
  for (const troth::PemBlock& block : *blocks) {
    const auto again = troth::ParsePem(troth::FormatPem(block.label, block.content.Reveal()));
    Require(again.ok() && again->size() == 1 && again->front().label == block.label &&
            again->front().content.Reveal() == block.content.Reveal());
  }
  if (const auto key = troth::PrivateKey::FromPem(text); key.ok()) {
    Require(troth::PrivateKey::FromPem(key->ToPem().Reveal()).ok());
  }
  return 0;
}
