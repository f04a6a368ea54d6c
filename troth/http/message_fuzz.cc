// The texts of a request that handlers read: queries and times. What is read must be
// self-consistent.
#include <cstdint>
#include <string_view>

#include "troth/base/encoding.h"
#include "troth/base/fuzz_testing.h"
#include "troth/http/message.h"

using troth::Require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto decoded = troth::PercentDecode(text)) {
    Require(decoded->size() <= text.size());
    std::string encoded;
    for (const char c : *decoded) encoded += "%" + troth::ToHex({&c, 1});
    Require(troth::PercentDecode(encoded) == decoded);
  }
  const std::string_view name = text.substr(0, text.find('='));
  if (const auto decoded = troth::PercentDecode(name); decoded && name.find('&') == name.npos) {
    if (const auto values = troth::QueryValues(text, *decoded)) {
      Require(text.empty() || !values->empty());
      Require(troth::QueryValues(std::string(text) + "&" + std::string(name) + "=x", *decoded)
                  ->back() == "x");
    }
  }
  if (const auto time = troth::ParseHttpTime(text)) {
    Require(troth::ParseHttpTime(troth::FormatHttpTime(*time)) == time);
  }
  return 0;
}
