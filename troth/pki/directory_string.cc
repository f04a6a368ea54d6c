#include "troth/pki/directory_string_internal.h"

#include <algorithm>
#include <array>

#include "troth/base/utf8.h"
#include "troth/pki/der.h"

namespace troth {
namespace {

constexpr std::uint8_t kNumericString = 0x12;

std::uint8_t Octet(std::string_view text, size_t at) { return static_cast<std::uint8_t>(text[at]); }

bool IsAlphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool IsSurrogate(std::uint32_t character) { return character >= 0xd800 && character <= 0xdfff; }

void AppendUtf8(std::uint32_t character, std::string& out) {
  if (character < 0x80) {
    out += static_cast<char>(character);
  } else if (character < 0x800) {
    out += static_cast<char>(0xc0 | character >> 6);
    out += static_cast<char>(0x80 | (character & 0x3f));
  } else if (character < 0x10000) {
    out += static_cast<char>(0xe0 | character >> 12);
    out += static_cast<char>(0x80 | (character >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (character & 0x3f));
  } else {
    out += static_cast<char>(0xf0 | character >> 18);
    out += static_cast<char>(0x80 | (character >> 12 & 0x3f));
    out += static_cast<char>(0x80 | (character >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (character & 0x3f));
  }
}

// Big-endian characters of `width` bytes.
std::optional<std::string> DecodeFixedWidth(std::string_view content, size_t width) {
  if (content.size() % width != 0) return std::nullopt;
  std::string out;
  for (size_t at = 0; at < content.size(); at += width) {
    std::uint32_t character = 0;
    for (size_t i = 0; i < width; ++i) character = character << 8 | Octet(content, at + i);
    if (character > 0x10ffff || IsSurrogate(character)) return std::nullopt;
    AppendUtf8(character, out);
  }
  return out;
}

std::optional<std::string> Decode(std::uint8_t tag, std::string_view content) {
  const auto all = [&](auto&& allowed) { return std::ranges::all_of(content, allowed); };
  switch (tag) {
    case der::kUtf8String:
      if (!IsUtf8(content)) return std::nullopt;
      return std::string(content);
    case der::kPrintableString:
      if (!all([](char c) {
            return IsPrintableString({&c, 1}) ||
                   std::string_view("*@&_").find(c) != std::string_view::npos;
          })) {
        return std::nullopt;
      }
      return std::string(content);
    case der::kIa5String:
      if (!all([](char c) { return static_cast<std::uint8_t>(c) < 0x80; })) return std::nullopt;
      return std::string(content);
    case kNumericString:
      if (!all([](char c) { return c == ' ' || (c >= '0' && c <= '9'); })) return std::nullopt;
      return std::string(content);
    case der::kTeletexString:
      return DecodeFixedWidth(content, 1);
    case der::kBmpString:
      return DecodeFixedWidth(content, 2);
    case der::kUniversalString:
      return DecodeFixedWidth(content, 4);
    default:
      return std::nullopt;
  }
}

bool IsInvisible(std::uint32_t character) {
  return character < 0x20 || (character >= 0x7f && character <= 0x9f) ||
         (character >= 0x200b && character <= 0x200f) ||
         (character >= 0x2028 && character <= 0x202e) ||
         (character >= 0x2060 && character <= 0x206f) || character == 0xfeff;
}

}  // namespace

bool IsMostlyPrintable(std::string_view text) {
  size_t printable = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    const std::optional<char32_t> character = NextUtf8(text, at);
    if (!character.has_value()) {
      ++at;
    } else if (*character == '\t' || *character == '\n' || *character == '\r' ||
               !IsInvisible(*character)) {
      printable += at - begin;
    }
  }
  return printable >= text.size() - text.size() / 4;
}

size_t CountUtf8Characters(std::string_view text) {
  return static_cast<size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<std::uint8_t>(c) & 0xc0) != 0x80; }));
}

bool IsDirectoryString(std::uint8_t tag) {
  constexpr std::array kTags = {static_cast<std::uint8_t>(der::kUtf8String),
                                static_cast<std::uint8_t>(der::kPrintableString),
                                static_cast<std::uint8_t>(der::kIa5String),
                                kNumericString,
                                static_cast<std::uint8_t>(der::kTeletexString),
                                static_cast<std::uint8_t>(der::kBmpString),
                                static_cast<std::uint8_t>(der::kUniversalString)};
  return std::ranges::find(kTags, tag) != kTags.end();
}

std::optional<std::string> DecodeDirectoryString(std::uint8_t tag, std::string_view content) {
  std::optional<std::string> text = Decode(tag, content);
  if (text.has_value() && text->find('\0') != std::string::npos) return std::nullopt;
  return text;
}

bool IsPrintableString(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    return IsAlphanumeric(c) || std::string_view(" '()+,-./:=?").find(c) != std::string_view::npos;
  });
}

std::string EscapeInvisible(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    const std::optional<char32_t> character = NextUtf8(text, at);
    if (!character.has_value()) at = begin + 1;
    if (character.has_value() && !IsInvisible(*character)) {
      out += text.substr(begin, at - begin);
      continue;
    }
    for (size_t i = begin; i < at; ++i) {
      out += '\\';
      out += kDigits[Octet(text, i) >> 4];
      out += kDigits[Octet(text, i) & 0x0f];
    }
  }
  return out;
}

}  // namespace troth
