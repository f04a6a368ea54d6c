#include "troth/base/utf8.h"

#include <cstdint>

namespace troth {
namespace {

bool IsSurrogate(char32_t character) { return character >= 0xd800 && character <= 0xdfff; }

}  // namespace

std::optional<char32_t> NextUtf8(std::string_view text, size_t& at) {
  const auto octet = [&](size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t lead = octet(at);
  size_t length = 1;
  char32_t character = lead;
  char32_t least = 0;
  if (lead >= 0x80) {
    if (lead >= 0xc2 && lead <= 0xdf) {
      length = 2, character = lead & 0x1f, least = 0x80;
    } else if (lead >= 0xe0 && lead <= 0xef) {
      length = 3, character = lead & 0x0f, least = 0x800;
    } else if (lead >= 0xf0 && lead <= 0xf4) {
      length = 4, character = lead & 0x07, least = 0x10000;
    } else {
      return std::nullopt;
    }
  }
  if (text.size() - at < length) return std::nullopt;
  for (size_t i = 1; i < length; ++i) {
    const std::uint8_t next = octet(at + i);
    if ((next & 0xc0) != 0x80) return std::nullopt;
    character = character << 6 | (next & 0x3f);
  }
  if (character < least || character > 0x10ffff || IsSurrogate(character)) return std::nullopt;
  at += length;
  return character;
}

bool IsUtf8(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    if (!NextUtf8(text, at).has_value()) return false;
  }
  return true;
}

}  // namespace troth
