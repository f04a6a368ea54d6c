#include "troth/base/encoding.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace troth {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";
// The digits of one of RFC 4648's alphabets, and their values.
struct Base64Alphabet {
  std::string_view digits;
  std::array<std::int8_t, 256> values{};

  constexpr explicit Base64Alphabet(std::string_view all) : digits(all) {
    values.fill(-1);
    for (size_t i = 0; i < all.size(); ++i) {
      values[static_cast<unsigned char>(all[i])] = static_cast<std::int8_t>(i);
    }
  }
};
constexpr Base64Alphabet kBase64(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
constexpr Base64Alphabet kBase64Url(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");

// Digits of `bytes` without padding.
std::string EncodeBase64(const Base64Alphabet& alphabet, std::string_view bytes) {
  const auto byte = [&](size_t at) -> std::uint32_t {
    return at < bytes.size() ? static_cast<unsigned char>(bytes[at]) : 0;
  };
  const auto digit = [&](std::uint32_t group, int shift) {
    return alphabet.digits[group >> shift & 63];
  };
  std::string out((bytes.size() * 4 + 2) / 3, '\0');
  char* next = out.data();
  size_t i = 0;
  for (; i + 3 <= bytes.size(); i += 3) {
    const std::uint32_t group = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
    for (int shift = 18; shift >= 0; shift -= 6) *next++ = digit(group, shift);
  }
  if (i < bytes.size()) {
    const std::uint32_t group = byte(i) << 16 | byte(i + 1) << 8;
    for (int shift = 18; next != out.data() + out.size(); shift -= 6) *next++ = digit(group, shift);
  }
  return out;
}

// Reads what EncodeBase64 writes, and nothing else.
std::optional<std::string> DecodeBase64(const Base64Alphabet& alphabet, std::string_view digits) {
  if (digits.size() % 4 == 1) return std::nullopt;
  std::string out(digits.size() * 3 / 4, '\0');
  char* next = out.data();
  for (size_t i = 0; i < digits.size(); i += 4) {
    const size_t count = std::min<size_t>(4, digits.size() - i);
    std::int32_t group = 0;
    std::int32_t wrong = 0;  // negative once a digit was none
    for (size_t j = 0; j < 4; ++j) {
      const std::int32_t value =
          j < count ? alphabet.values[static_cast<unsigned char>(digits[i + j])] : 0;
      wrong |= value;
      group = group << 6 | (value & 63);
    }
    if (wrong < 0) return std::nullopt;
    // `count` digits hold `count - 1` bytes; what is below them must be zero.
    if (count < 4 && (group & (0xffffff >> 8 * (count - 1))) != 0) return std::nullopt;
    for (size_t j = 0; j + 1 < count; ++j) *next++ = static_cast<char>(group >> (16 - 8 * j));
  }
  return out;
}

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::string ToHex(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out += kHexDigits[byte >> 4];
    out += kHexDigits[byte & 15];
  }
  return out;
}

std::optional<std::string> FromHex(std::string_view text) {
  const bool colons = text.size() > 2 && text[2] == ':';
  const size_t step = colons ? 3 : 2;
  if (colons ? (text.size() + 1) % 3 != 0 : text.size() % 2 != 0) return std::nullopt;
  std::string out;
  out.reserve(text.size() / 2);
  for (size_t i = 0; i < text.size(); i += step) {
    const int high = HexValue(text[i]);
    const int low = HexValue(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    if (colons && i + 2 < text.size() && text[i + 2] != ':') return std::nullopt;
    out += static_cast<char>(high << 4 | low);
  }
  return out;
}

std::string ToBase64(std::string_view bytes) {
  std::string out = EncodeBase64(kBase64, bytes);
  out.append((4 - out.size() % 4) % 4, '=');
  return out;
}

std::optional<std::string> FromBase64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  for (int padding = 0; padding < 2 && text.ends_with('='); ++padding) text.remove_suffix(1);
  return DecodeBase64(kBase64, text);
}

std::string ToBase64Url(std::string_view bytes) { return EncodeBase64(kBase64Url, bytes); }

std::optional<std::string> FromBase64Url(std::string_view text) {
  return DecodeBase64(kBase64Url, text);
}

}  // namespace troth
