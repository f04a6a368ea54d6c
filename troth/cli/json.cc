#include "troth/cli/json.h"

#include <array>
#include <charconv>
#include <cmath>

#include "troth/base/utf8.h"

namespace troth {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD

void AppendAscii(char c, std::string& out) {
  static constexpr char kHex[] = "0123456789abcdef";
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\t':
      out += "\\t";
      return;
    case '\r':
      out += "\\r";
      return;
    default:
      break;
  }
  if (c >= ' ') {
    out += c;
  } else {
    out += "\\u00";
    out += kHex[c >> 4];
    out += kHex[c & 15];
  }
}

}  // namespace

JsonValue::JsonValue(std::string_view text) : text_("\"") {
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    const std::optional<char32_t> character = NextUtf8(text, at);
    if (!character.has_value()) {
      ++at;
      text_ += kReplacement;
    } else if (*character < 0x80) {
      AppendAscii(static_cast<char>(*character), text_);
    } else {
      text_ += text.substr(begin, at - begin);
    }
  }
  text_ += '"';
}

JsonValue::JsonValue(double number) : text_("null") {
  if (!std::isfinite(number)) return;
  std::array<char, 32> digits{};
  text_.assign(digits.data(),
               std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr);
}

JsonValue::JsonValue(const JsonObject& object) : text_(object.text()) {}

JsonValue JsonValue::Number(std::string_view digits) {
  JsonValue value;
  value.text_ = digits;
  return value;
}

JsonObject& JsonObject::Add(std::string_view name, const JsonValue& value) {
  if (!members_.empty()) members_ += ", ";
  members_ += JsonValue(name).text() + ": " + value.text();
  return *this;
}

JsonObject& JsonObject::Add(Members members) {
  for (const auto& [name, value] : members) Add(name, value);
  return *this;
}

JsonObject& JsonObject::Add(const JsonObject& other) {
  if (!members_.empty() && !other.members_.empty()) members_ += ", ";
  members_ += other.members_;
  return *this;
}

}  // namespace troth
