#include "troth/server/caramel/python_text.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>

namespace troth::caramel {
namespace {

constexpr char32_t kReplacement = 0xFFFD;

// Takes the first code point from `text`; of malformed UTF-8 (RFC 3629), one byte.
char32_t TakeCodePoint(std::string_view& text) {
  struct Form {
    std::uint8_t mask, lead;
    char32_t least;
  };
  constexpr std::array<Form, 4> kForms = {
      {{0x80, 0x00, 0x0}, {0xE0, 0xC0, 0x80}, {0xF0, 0xE0, 0x800}, {0xF8, 0xF0, 0x10000}}};
  const auto first = static_cast<std::uint8_t>(text.front());
  for (size_t more = 0; more < kForms.size(); ++more) {
    const Form& form = kForms[more];
    if ((first & form.mask) != form.lead) continue;
    char32_t point = first & static_cast<std::uint8_t>(~form.mask);
    bool good = text.size() > more;
    for (size_t i = 1; good && i <= more; ++i) {
      const auto next = static_cast<std::uint8_t>(text[i]);
      good = (next & 0xC0) == 0x80;
      point = (point << 6) | (next & 0x3F);
    }
    good = good && point >= form.least && point <= 0x10FFFF && (point < 0xD800 || point > 0xDFFF);
    if (!good) break;
    text.remove_prefix(more + 1);
    return point;
  }
  text.remove_prefix(1);
  return kReplacement;
}

struct Range {
  char32_t first, last;
};

// Code points of the categories Cc, Cf, Co, Cs, Zl, Zp, and Zs but for ' '.
constexpr Range kNotPrintable[] = {
    {0x0, 0x1F},        {0x7F, 0xA0},        {0xAD, 0xAD},       {0x600, 0x605},
    {0x61C, 0x61C},     {0x6DD, 0x6DD},      {0x70F, 0x70F},     {0x890, 0x891},
    {0x8E2, 0x8E2},     {0x1680, 0x1680},    {0x180E, 0x180E},   {0x2000, 0x200F},
    {0x2028, 0x202F},   {0x205F, 0x206F},    {0x3000, 0x3000},   {0xD800, 0xF8FF},
    {0xFEFF, 0xFEFF},   {0xFFF0, 0xFFFB},    {0xFFFE, 0xFFFF},   {0x110BD, 0x110BD},
    {0x110CD, 0x110CD}, {0x13430, 0x1343F},  {0x1BCA0, 0x1BCA3}, {0x1D173, 0x1D17A},
    {0xE0000, 0xE00FF}, {0xE01F0, 0x10FFFF},
};

bool IsPrintable(char32_t point) {
  return std::ranges::none_of(kNotPrintable, [point](const Range& range) {
    return point >= range.first && point <= range.last;
  });
}

void AppendUtf8(char32_t point, std::string& out) {
  const auto tail = [&](int shift) { out += static_cast<char>(0x80 | ((point >> shift) & 0x3F)); };
  if (point < 0x80) {
    out += static_cast<char>(point);
  } else if (point < 0x800) {
    out += static_cast<char>(0xC0 | (point >> 6));
    tail(0);
  } else if (point < 0x10000) {
    out += static_cast<char>(0xE0 | (point >> 12));
    tail(6);
    tail(0);
  } else {
    out += static_cast<char>(0xF0 | (point >> 18));
    tail(12);
    tail(6);
    tail(0);
  }
}

// `prefix` and at least `digits` lower-case hexadecimal digits.
void AppendEscape(const char* prefix, int digits, char32_t value, std::string& out) {
  std::array<char, 16> text{};
  const int length = std::snprintf(text.data(), text.size(), "%s%0*x", prefix, digits,
                                   static_cast<unsigned>(value));
  out.append(text.data(), static_cast<size_t>(length));
}

}  // namespace

std::string PythonRepr(std::string_view text) {
  const bool single = text.find('\'') != std::string_view::npos;
  const bool twofold = text.find('"') != std::string_view::npos;
  const char quote = single && !twofold ? '"' : '\'';
  std::string out(1, quote);
  while (!text.empty()) {
    const char32_t point = TakeCodePoint(text);
    if (point == static_cast<char32_t>(quote) || point == U'\\') {
      out += '\\';
      out += static_cast<char>(point);
    } else if (point == U'\n') {
      out += "\\n";
    } else if (point == U'\r') {
      out += "\\r";
    } else if (point == U'\t') {
      out += "\\t";
    } else if (IsPrintable(point)) {
      AppendUtf8(point, out);
    } else if (point < 0x100) {
      AppendEscape("\\x", 2, point, out);
    } else if (point < 0x10000) {
      AppendEscape("\\u", 4, point, out);
    } else {
      AppendEscape("\\U", 8, point, out);
    }
  }
  return out + quote;
}

std::string PythonJson(std::string_view text) {
  constexpr std::string_view kShort = "\b\f\n\r\t\"\\";
  constexpr std::string_view kLetters = "bfnrt\"\\";
  std::string out = "\"";
  while (!text.empty()) {
    const char32_t point = TakeCodePoint(text);
    const size_t at = point < 0x80 ? kShort.find(static_cast<char>(point)) : std::string_view::npos;
    if (at != std::string_view::npos) {
      out += '\\';
      out += kLetters[at];
    } else if (point >= 0x20 && point < 0x7F) {
      out += static_cast<char>(point);
    } else if (point == 0x7F) {
      out += '\x7F';  // ASCII, and so left alone
    } else if (point < 0x10000) {
      AppendEscape("\\u", 4, point, out);
    } else {
      AppendEscape("\\u", 4, 0xD7C0 + (point >> 10), out);
      AppendEscape("\\u", 4, 0xDC00 + (point & 0x3FF), out);
    }
  }
  return out + '"';
}

}  // namespace troth::caramel
