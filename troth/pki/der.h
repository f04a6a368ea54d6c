// Strict DER (ITU-T X.690): a reader that never copies and a writer for what Troth issues.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "troth/base/time.h"

namespace troth::der {

// Identifier octets of the types that certificates are made of.
enum Tag : std::uint8_t {
  kBoolean = 0x01,
  kInteger = 0x02,
  kBitString = 0x03,
  kOctetString = 0x04,
  kNull = 0x05,
  kOid = 0x06,
  kEnumerated = 0x0a,
  kUtf8String = 0x0c,
  kSequence = 0x30,
  kSet = 0x31,
  kPrintableString = 0x13,
  kTeletexString = 0x14,
  kIa5String = 0x16,
  kUtcTime = 0x17,
  kGeneralizedTime = 0x18,
  kUniversalString = 0x1c,
  kBmpString = 0x1e,
};
// [n] IMPLICIT of a primitive type, and [n] EXPLICIT (or IMPLICIT of a constructed type).
constexpr std::uint8_t ContextPrimitive(int n) { return static_cast<std::uint8_t>(0x80 | n); }
constexpr std::uint8_t ContextConstructed(int n) { return static_cast<std::uint8_t>(0xa0 | n); }

struct Element {
  std::uint8_t tag = 0;
  std::string_view content;
  std::string_view full;  // identifier, length and content
};

// Reads elements one after another. After the first error every read fails, and status() says what
// and where. Views point into the caller's bytes. Only definite, minimal lengths and single-byte
// identifiers are read.
class Reader {
 public:
  // `what` names the structure in errors ("certificate"); `base` is what offsets are counted from.
  Reader(std::string_view bytes, std::string_view what) : Reader(bytes, what, bytes.data()) {}

  bool AtEnd() const { return status_.ok() && rest_.empty(); }
  // The tag of the next element, nothing at the end or after an error.
  std::optional<std::uint8_t> PeekTag() const;

  bool ReadAny(Element& out);
  bool Read(std::uint8_t tag, std::string_view field, Element& out);  // wrong or no tag: an error
  // False with `present` false when the next element is another; errors are errors still.
  bool ReadOptional(std::uint8_t tag, std::string_view field, Element& out, bool& present);
  // A reader for the content of the next element, which must have `tag`. Check status() of the
  // result.
  Reader Enter(std::uint8_t tag, std::string_view field);
  // A reader of the content of an element that was read.
  Reader Into(const Element& element) const { return Reader(element.content, what_, base_); }

  bool ReadBoolean(std::string_view field, bool& out);              // only 00 and ff
  bool ReadInteger(std::string_view field, std::string_view& out);  // content octets, minimal
  bool ReadSmallInteger(std::string_view field, int& out);          // 0 to 2^31-1
  bool ReadOid(std::string_view field, std::string& out);           // dotted
  // Content after the unused-bits octet; `unused` is 0 to 7 and the unused bits are zero.
  bool ReadBitString(std::string_view field, std::string_view& bits, int& unused);
  // UTCTime or GeneralizedTime as RFC 5280 section 4.1.2.5 wants them (seconds, Z, no fraction).
  // Either is read for any year: the section binds who writes (see Writer::Timestamp), readers must
  // take both.
  bool ReadTime(std::string_view field, Time& out);
  // Nothing may follow.
  bool End(std::string_view field);

  bool Fail(std::string_view field, std::string_view problem);
  // Plain InvalidArgument without reason: "certificate: validity.notBefore at byte 120: ...".
  // Callers give it its reason.
  const absl::Status& status() const { return status_; }

 private:
  Reader(std::string_view bytes, std::string_view what, const char* base)
      : rest_(bytes), what_(what), base_(base), at_(bytes.data()) {}
  std::string_view rest_;
  std::string_view what_;
  const char* base_;
  const char* at_;  // where the element begins that was read last, or could not be read
  absl::Status status_;
};

// Decodes content octets of an OBJECT IDENTIFIER; nothing when they are not one, or an arc has more
// than 128 bits (a UUID's has 128).
std::optional<std::string> DecodeOid(std::string_view content);
// Content octets of a dotted OID; nothing when it is not one.
std::optional<std::string> EncodeOid(std::string_view dotted);

// Appends DER to a string.
class Writer {
 public:
  const std::string& bytes() const { return out_; }
  std::string Take() { return std::move(out_); }

  void Raw(std::string_view der) { out_ += der; }
  void Element(std::uint8_t tag, std::string_view content);
  // Writes an element around what `body` writes.
  template <typename Body>
  void Nested(std::uint8_t tag, const Body& body) {
    const size_t content = Open(tag);
    body();
    Close(content);
  }
  void Boolean(bool value);
  void Integer(std::uint64_t value);
  void IntegerContent(std::string_view content) { Element(kInteger, content); }
  void Oid(std::string_view dotted);  // what EncodeOid encodes; the caller's duty
  void BitString(std::string_view bits, int unused = 0);
  void Null() { Element(kNull, {}); }
  // UTCTime from 1950 through 2049, GeneralizedTime otherwise (RFC 5280 section 4.1.2.5); up to
  // year 9999, the caller's duty.
  void Timestamp(Time time);

 private:
  // Where the content begins, after a length octet that Close sets.
  size_t Open(std::uint8_t tag);
  void Close(size_t content);
  void Length(size_t length);

  std::string out_;
};

}  // namespace troth::der
