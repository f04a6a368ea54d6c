#include <cstdint>

#include "troth/store/text_list_internal.h"

namespace troth {
std::optional<std::string_view> TakeText(std::string_view& bytes) {
  std::uint64_t length = 0;
  for (int shift = 0;; shift += 7) {
    if (bytes.empty() || shift > 28) return std::nullopt;
    const auto byte = static_cast<std::uint8_t>(bytes.front());
    bytes.remove_prefix(1);
    length |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if ((byte & 0x80) == 0) break;
  }
  if (length > bytes.size()) return std::nullopt;
  const std::string_view text = bytes.substr(0, length);
  bytes.remove_prefix(length);
  return text;
}

void EncodeTexts(const std::vector<std::string>& texts, std::string& out) {
  out.clear();
  for (const std::string& text : texts) {
    auto length = static_cast<std::uint32_t>(text.size());
    for (; length >= 0x80; length >>= 7) out += static_cast<char>(length | 0x80);
    out += static_cast<char>(length);
    out += text;
  }
}

std::optional<std::vector<std::string>> DecodeTexts(std::string_view bytes) {
  std::vector<std::string> texts;
  while (!bytes.empty()) {
    const std::optional<std::string_view> text = TakeText(bytes);
    if (!text) return std::nullopt;
    texts.emplace_back(*text);
  }
  return texts;
}

bool HoldsText(std::string_view bytes, std::string_view text) {
  while (!bytes.empty()) {
    const std::optional<std::string_view> next = TakeText(bytes);
    if (!next) return false;
    if (*next == text) return true;
  }
  return false;
}

}  // namespace troth
