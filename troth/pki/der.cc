#include "troth/pki/der.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <limits>

#include "troth/base/encoding.h"
#include "troth/base/strings.h"

namespace troth::der {
namespace {

std::string TagText(std::uint8_t tag) {
  return "tag 0x" + ToHex({reinterpret_cast<const char*>(&tag), 1});
}

// The octets of a length, written from the end of `octets`; how many.
using LengthBuffer = std::array<char, 1 + sizeof(size_t)>;
std::string_view LengthOctets(size_t length, LengthBuffer& octets) {
  auto at = octets.end();
  if (length < 0x80) {
    *--at = static_cast<char>(length);
  } else {
    for (size_t rest = length; rest != 0; rest >>= 8) *--at = static_cast<char>(rest & 0xff);
    const auto count = octets.end() - at;
    *--at = static_cast<char>(0x80 | count);
  }
  return {at, octets.end()};
}

// Two digits at `at`, or -1.
int TwoDigits(std::string_view text, size_t at) {
  const char tens = text[at];
  const char ones = text[at + 1];
  if (tens < '0' || tens > '9' || ones < '0' || ones > '9') return -1;
  return (tens - '0') * 10 + (ones - '0');
}

// Wide enough for the arc of a UUID (ITU-T X.667: 2.25.<128 bits>).
__extension__ typedef unsigned __int128 Arc;
constexpr Arc kMaxArc = ~Arc{0};

// Arithmetic in 64 bits, where they do, is several times faster.
void AppendDecimal(std::string& out, Arc arc) {
  std::array<char, 40> digits;  // 2^128 has 39
  auto at = digits.end();
  for (; arc > std::numeric_limits<std::uint64_t>::max(); arc /= 10) {
    *--at = static_cast<char>('0' + static_cast<int>(arc % 10));
  }
  auto rest = static_cast<std::uint64_t>(arc);
  do {
    *--at = static_cast<char>('0' + rest % 10);
    rest /= 10;
  } while (rest != 0);
  out.append(at, digits.end());
}

std::optional<Arc> ParseDecimal(std::string_view digits) {
  if (digits.empty() || (digits.size() > 1 && digits[0] == '0')) return std::nullopt;
  if (!std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; }))
    return std::nullopt;
  if (digits.size() <= 18) {
    std::uint64_t arc = 0;
    for (const char c : digits) arc = arc * 10 + static_cast<std::uint64_t>(c - '0');
    return arc;
  }
  Arc arc = 0;
  for (const char c : digits) {
    const auto digit = static_cast<unsigned>(c - '0');
    if (arc > (kMaxArc - digit) / 10) return std::nullopt;
    arc = arc * 10 + digit;
  }
  return arc;
}

void AppendBase128(std::string& out, Arc value) {
  std::array<char, 19> octets;  // of seven bits each
  auto at = octets.end();
  *--at = static_cast<char>(value & 0x7f);
  while ((value >>= 7) != 0) {
    *--at = static_cast<char>(0x80 | static_cast<unsigned>(value & 0x7f));
  }
  out.append(at, octets.end());
}

// The arc before the next dot, which is taken off.
std::optional<Arc> TakeArc(std::string_view& dotted) {
  const size_t dot = dotted.find('.');
  const std::optional<Arc> arc = ParseDecimal(dotted.substr(0, dot));
  // What follows a last dot is an arc as well, an empty one.
  dotted = dot == std::string_view::npos ? std::string_view() : dotted.substr(dot);
  return arc;
}

}  // namespace

bool Reader::Fail(std::string_view field, std::string_view problem) {
  if (status_.ok()) {
    std::string message(what_);
    message += ": ";
    message += field;
    message += " at byte " + std::to_string(at_ - base_) + ": ";
    message += problem;
    status_ = absl::InvalidArgumentError(message);
  }
  return false;
}

std::optional<std::uint8_t> Reader::PeekTag() const {
  if (!status_.ok() || rest_.empty()) return std::nullopt;
  return static_cast<std::uint8_t>(rest_[0]);
}

bool Reader::ReadAny(struct Element& out) {
  if (!status_.ok()) return false;
  at_ = rest_.data();
  if (rest_.size() < 2) return Fail("element", "truncated");
  const auto tag = static_cast<std::uint8_t>(rest_[0]);
  if ((tag & 0x1f) == 0x1f) return Fail("element", "multi-byte tag, which no certificate has");
  size_t length = static_cast<std::uint8_t>(rest_[1]);
  size_t header = 2;
  if (length >= 0x80) {
    const size_t octets = length & 0x7f;
    if (octets == 0) return Fail("element", "indefinite length, which DER does not allow");
    if (octets > 4) return Fail("element", "length of more than four octets");
    if (rest_.size() < 2 + octets) return Fail("element", "truncated");
    length = 0;
    for (size_t i = 0; i < octets; ++i) {
      length = length << 8 | static_cast<std::uint8_t>(rest_[2 + i]);
    }
    if (length < 0x80 || length >> (8 * (octets - 1)) == 0) {
      return Fail("element", "length is not in its shortest form");
    }
    header += octets;
  }
  if (rest_.size() - header < length) {
    return Fail("element", "truncated: " + std::to_string(length) + " bytes announced, " +
                               std::to_string(rest_.size() - header) + " left");
  }
  out.tag = tag;
  out.full = rest_.substr(0, header + length);
  out.content = out.full.substr(header);
  rest_.remove_prefix(header + length);
  return true;
}

bool Reader::Read(std::uint8_t tag, std::string_view field, struct Element& out) {
  if (!status_.ok()) return false;
  at_ = rest_.data();
  if (rest_.empty()) return Fail(field, "missing");
  if (static_cast<std::uint8_t>(rest_[0]) != tag) {
    return Fail(field, "expected " + TagText(tag) + ", got " +
                           TagText(static_cast<std::uint8_t>(rest_[0])));
  }
  return ReadAny(out);
}

bool Reader::ReadOptional(std::uint8_t tag, std::string_view field, struct Element& out,
                          bool& present) {
  present = PeekTag() == tag;
  if (!status_.ok()) return false;
  return !present || Read(tag, field, out);
}

Reader Reader::Enter(std::uint8_t tag, std::string_view field) {
  struct Element element;
  if (!Read(tag, field, element)) {
    Reader failed({}, what_, base_);
    failed.status_ = status_;
    return failed;
  }
  return Into(element);
}

bool Reader::ReadBoolean(std::string_view field, bool& out) {
  struct Element element;
  if (!Read(kBoolean, field, element)) return false;
  if (element.content != std::string_view("\x00", 1) && element.content != "\xff") {
    return Fail(field, "a BOOLEAN is 00 or ff");
  }
  out = element.content[0] != 0;
  return true;
}

bool Reader::ReadInteger(std::string_view field, std::string_view& out) {
  struct Element element;
  if (!Read(kInteger, field, element)) return false;
  out = element.content;
  if (out.empty()) return Fail(field, "an INTEGER has at least one octet");
  if (out.size() > 1) {
    const auto first = static_cast<std::uint8_t>(out[0]);
    const bool second_high = (static_cast<std::uint8_t>(out[1]) & 0x80) != 0;
    if ((first == 0 && !second_high) || (first == 0xff && second_high)) {
      return Fail(field, "the INTEGER is not in its shortest form");
    }
  }
  return true;
}

bool Reader::ReadSmallInteger(std::string_view field, int& out) {
  std::string_view octets;
  if (!ReadInteger(field, octets)) return false;
  if ((static_cast<std::uint8_t>(octets[0]) & 0x80) != 0) return Fail(field, "negative");
  if (octets.size() > 4) return Fail(field, "larger than 2147483647");
  std::uint32_t value = 0;
  for (const char c : octets) value = value << 8 | static_cast<std::uint8_t>(c);
  out = static_cast<int>(value);
  return true;
}

bool Reader::ReadOid(std::string_view field, std::string& out) {
  struct Element element;
  if (!Read(kOid, field, element)) return false;
  std::optional<std::string> dotted = DecodeOid(element.content);
  if (!dotted.has_value()) return Fail(field, "not an OBJECT IDENTIFIER");
  out = *std::move(dotted);
  return true;
}

bool Reader::ReadBitString(std::string_view field, std::string_view& bits, int& unused) {
  struct Element element;
  if (!Read(kBitString, field, element)) return false;
  if (element.content.empty()) return Fail(field, "a BIT STRING has at least one octet");
  unused = static_cast<std::uint8_t>(element.content[0]);
  bits = element.content.substr(1);
  if (unused > 7 || (bits.empty() && unused != 0)) {
    return Fail(field, "wrong number of unused bits");
  }
  if (unused != 0 && (static_cast<std::uint8_t>(bits.back()) & ((1 << unused) - 1)) != 0) {
    return Fail(field, "unused bits are not zero");
  }
  return true;
}

bool Reader::ReadTime(std::string_view field, Time& out) {
  const bool generalized = PeekTag() == kGeneralizedTime;
  struct Element element;
  if (!Read(generalized ? kGeneralizedTime : kUtcTime, field, element)) return false;
  std::string_view text = element.content;
  if (text.size() != (generalized ? 15 : 13) || text.back() != 'Z') {
    return Fail(field, "a time has the form [YY]YYMMDDhhmmssZ");
  }
  std::array<int, 7> parts{};  // century, year, month, day, hour, minute, second
  const size_t first = generalized ? 0 : 1;
  for (size_t i = first; i < parts.size(); ++i) {
    parts[i] = TwoDigits(text, (i - first) * 2);
    if (parts[i] < 0) return Fail(field, "a time is made of digits");
  }
  if (!generalized) parts[0] = parts[1] >= 50 ? 19 : 20;
  const std::chrono::year_month_day date{std::chrono::year(parts[0] * 100 + parts[1]),
                                         std::chrono::month(static_cast<unsigned>(parts[2])),
                                         std::chrono::day(static_cast<unsigned>(parts[3]))};
  if (!date.ok() || parts[4] > 23 || parts[5] > 59 || parts[6] > 59) {
    return Fail(field, "no such date or time: " + Printable(text));
  }
  out = Time(std::chrono::sys_days(date)) + std::chrono::hours(parts[4]) +
        std::chrono::minutes(parts[5]) + Seconds(parts[6]);
  return true;
}

bool Reader::End(std::string_view field) {
  if (!status_.ok()) return false;
  at_ = rest_.data();
  if (!rest_.empty()) {
    return Fail(field, std::to_string(rest_.size()) + " bytes follow where it should end");
  }
  return true;
}

std::optional<std::string> DecodeOid(std::string_view content) {
  if (content.empty() || (static_cast<std::uint8_t>(content.back()) & 0x80) != 0) {
    return std::nullopt;
  }
  std::string dotted;
  dotted.reserve(3 * content.size() + 2);
  Arc arc = 0;
  bool arc_begins = true;
  for (const char c : content) {
    const auto octet = static_cast<std::uint8_t>(c);
    if (arc_begins && octet == 0x80) return std::nullopt;  // not the shortest form
    if (arc > kMaxArc >> 7) return std::nullopt;
    arc = arc << 7 | (octet & 0x7f);
    arc_begins = (octet & 0x80) == 0;
    if (!arc_begins) continue;
    if (dotted.empty()) {
      const unsigned root = arc < 40 ? 0 : arc < 80 ? 1 : 2;
      dotted += static_cast<char>('0' + root);
      arc -= root * 40;
    }
    dotted += '.';
    AppendDecimal(dotted, arc);
    arc = 0;
  }
  return dotted;
}

std::optional<std::string> EncodeOid(std::string_view dotted) {
  const std::optional<Arc> root = TakeArc(dotted);
  if (!root.has_value() || *root > 2 || dotted.empty()) return std::nullopt;
  dotted.remove_prefix(1);
  const std::optional<Arc> second = TakeArc(dotted);
  if (!second.has_value() || *second > (*root < 2 ? Arc{39} : kMaxArc - 80)) return std::nullopt;
  std::string content;
  AppendBase128(content, *root * 40 + *second);
  while (!dotted.empty()) {
    dotted.remove_prefix(1);
    const std::optional<Arc> arc = TakeArc(dotted);
    if (!arc.has_value()) return std::nullopt;
    AppendBase128(content, *arc);
  }
  return content;
}

void Writer::Length(size_t length) {
  LengthBuffer buffer;
  out_ += LengthOctets(length, buffer);
}

void Writer::Element(std::uint8_t tag, std::string_view content) {
  out_ += static_cast<char>(tag);
  Length(content.size());
  out_ += content;
}

size_t Writer::Open(std::uint8_t tag) {
  out_ += static_cast<char>(tag);
  out_ += '\0';
  return out_.size();
}

void Writer::Close(size_t content) {
  LengthBuffer buffer;
  const std::string_view octets = LengthOctets(out_.size() - content, buffer);
  out_.replace(content - 1, 1, octets);
}

void Writer::Boolean(bool value) {
  Element(kBoolean, value ? "\xff" : std::string_view("\x00", 1));
}

void Writer::Integer(std::uint64_t value) {
  std::string content(1, static_cast<char>(value & 0xff));
  for (value >>= 8; value != 0; value >>= 8) {
    content.insert(content.begin(), static_cast<char>(value & 0xff));
  }
  if ((static_cast<std::uint8_t>(content[0]) & 0x80) != 0) content.insert(content.begin(), '\0');
  Element(kInteger, content);
}

void Writer::Oid(std::string_view dotted) {
  Element(kOid, EncodeOid(dotted).value_or(std::string()));
}

void Writer::BitString(std::string_view bits, int unused) {
  out_ += static_cast<char>(kBitString);
  Length(1 + bits.size());
  out_ += static_cast<char>(unused);
  out_ += bits;
}

void Writer::Timestamp(Time time) {
  std::string text = FormatTime(time);  // YYYY-MM-DDThh:mm:ssZ
  std::erase_if(text, [](char c) { return c == '-' || c == ':' || c == 'T'; });
  const bool utc = text >= "1950" && text < "2050";
  Element(utc ? kUtcTime : kGeneralizedTime, utc ? std::string_view(text).substr(2) : text);
}

}  // namespace troth::der
