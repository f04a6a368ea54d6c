// Distinguished names. Alternative names are in alternative_name.cc, SPIFFE IDs in spiffe_id.cc.
#include "troth/pki/name.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "troth/base/encoding.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/base/utf8.h"
#include "troth/pki/der.h"
#include "troth/pki/directory_string_internal.h"

namespace troth {
namespace {

// What is known of an attribute type. `max` is the upper bound in characters that RFC 5280 appendix
// A.1 (X.520 for those that it does not list) gives; it binds what is written, not what is read.
struct AttributeType {
  std::string_view key;
  std::string_view oid;
  size_t max;
  der::Tag written_as;
};

constexpr std::array kAttributeTypes = {
    AttributeType{"CN", "2.5.4.3", 64, der::kUtf8String},
    AttributeType{"C", "2.5.4.6", 2, der::kPrintableString},
    AttributeType{"ST", "2.5.4.8", 128, der::kUtf8String},
    AttributeType{"L", "2.5.4.7", 128, der::kUtf8String},
    AttributeType{"O", "2.5.4.10", 64, der::kUtf8String},
    AttributeType{"OU", "2.5.4.11", 64, der::kUtf8String},
    AttributeType{"STREET", "2.5.4.9", 128, der::kUtf8String},
    AttributeType{"DC", "0.9.2342.19200300.100.1.25", 63, der::kIa5String},
    AttributeType{"UID", "0.9.2342.19200300.100.1.1", 256, der::kUtf8String},
    AttributeType{"emailAddress", "1.2.840.113549.1.9.1", 255, der::kIa5String},
    AttributeType{"serialNumber", "2.5.4.5", 64, der::kPrintableString},
    AttributeType{"SN", "2.5.4.4", 32768, der::kUtf8String},
    AttributeType{"GN", "2.5.4.42", 32768, der::kUtf8String},
    AttributeType{"name", "2.5.4.41", 32768, der::kUtf8String},
    AttributeType{"initials", "2.5.4.43", 32768, der::kUtf8String},
    AttributeType{"generationQualifier", "2.5.4.44", 32768, der::kUtf8String},
    AttributeType{"dnQualifier", "2.5.4.46", 64, der::kPrintableString},
    AttributeType{"pseudonym", "2.5.4.65", 128, der::kUtf8String},
    AttributeType{"title", "2.5.4.12", 64, der::kUtf8String},
    AttributeType{"description", "2.5.4.13", 1024, der::kUtf8String},
    AttributeType{"businessCategory", "2.5.4.15", 128, der::kUtf8String},
    AttributeType{"postalCode", "2.5.4.17", 40, der::kUtf8String},
    AttributeType{"organizationIdentifier", "2.5.4.97", 256, der::kUtf8String},
    AttributeType{"jurisdictionL", "1.3.6.1.4.1.311.60.2.1.1", 128, der::kUtf8String},
    AttributeType{"jurisdictionST", "1.3.6.1.4.1.311.60.2.1.2", 128, der::kUtf8String},
    AttributeType{"jurisdictionC", "1.3.6.1.4.1.311.60.2.1.3", 2, der::kPrintableString},
};

// For attributes that the table does not have.
constexpr size_t kMaxOtherValue = 32768;

const AttributeType* TypeOfOid(std::string_view oid) {
  const auto type = std::ranges::find(kAttributeTypes, oid, &AttributeType::oid);
  return type == kAttributeTypes.end() ? nullptr : &*type;
}

const AttributeType* TypeOfKey(std::string_view key) {
  const auto type = std::ranges::find_if(kAttributeTypes, [&](const AttributeType& candidate) {
    return EqualsIgnoreCaseAscii(candidate.key, key);
  });
  return type == kAttributeTypes.end() ? nullptr : &*type;
}

bool IsSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// RFC 5280 section 7.1 as far as it matters in practice: ASCII letters in lower case, runs of white
// space as one space, none at the ends. Other characters compare exactly.
std::string FoldCaseAndSpace(std::string_view value) {
  std::string out;
  bool space = false;
  for (const char c : value) {
    if (IsSpace(c)) {
      space = !out.empty();
      continue;
    }
    if (space) out += ' ';
    space = false;
    out += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return out;
}

struct ReadAttribute {
  NameAttribute attribute;
  // Type and value such that two attributes match exactly when these are equal. Holds no NUL.
  std::string normalized;
  bool is_text = true;
};
using Rdn = std::vector<ReadAttribute>;

absl::Status ReadOneAttribute(der::Reader& set, ReadAttribute& out) {
  der::Reader attribute = set.Enter(der::kSequence, "attribute");
  const auto failed = [&](std::string_view problem) {
    attribute.Fail(out.attribute.key, problem);
    return attribute.status();
  };
  der::Element value;
  if (!attribute.ReadOid("attribute type", out.attribute.oid) || !attribute.ReadAny(value) ||
      !attribute.End("attribute")) {
    return attribute.status();
  }
  const AttributeType* type = TypeOfOid(out.attribute.oid);
  out.attribute.key = type != nullptr ? std::string(type->key) : out.attribute.oid;
  if (value.tag == der::kBitString) {  // x500UniqueIdentifier
    der::Reader bits(value.full, "name");
    std::string_view ignored;
    int unused = 0;
    if (!bits.ReadBitString(out.attribute.key, ignored, unused)) return bits.status();
    // RFC 4514 section 2.4: a value that is no string is written as the hexadecimal of its
    // encoding.
    out.attribute.value = "#" + ToHex(value.full);
    out.normalized = out.attribute.oid + out.attribute.value;
    out.is_text = false;
    return absl::OkStatus();
  }
  if (!IsDirectoryString(value.tag)) {
    return failed("the value is of no type that a name has");
  }
  std::optional<std::string> text = DecodeDirectoryString(value.tag, value.content);
  if (!text.has_value()) {
    return failed("the characters are not those of its string type");
  }
  out.attribute.value = *std::move(text);
  out.normalized = out.attribute.oid + "=" + FoldCaseAndSpace(out.attribute.value);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Rdn>> ReadRdns(std::string_view bytes) {
  der::Reader outer(bytes, "name");
  der::Element whole;
  if (!outer.Read(der::kSequence, "name", whole) || !outer.End("name")) return outer.status();
  der::Reader sequence = outer.Into(whole);
  std::vector<Rdn> rdns;
  while (sequence.PeekTag().has_value()) {
    der::Reader set = sequence.Enter(der::kSet, "relative distinguished name");
    Rdn rdn;
    while (set.PeekTag().has_value()) {
      if (absl::Status read = ReadOneAttribute(set, rdn.emplace_back()); !read.ok()) return read;
    }
    if (rdn.empty()) set.Fail("relative distinguished name", "it is empty");
    if (!set.status().ok()) return set.status();
    rdns.push_back(std::move(rdn));
  }
  if (!sequence.status().ok()) return sequence.status();
  return rdns;
}

// An RDN is a set: the order of its attributes does not count.
std::string NormalizedSet(const Rdn& rdn) {
  std::vector<std::string> members;
  members.reserve(rdn.size());
  for (const ReadAttribute& member : rdn) members.push_back(member.normalized);
  std::ranges::sort(members);
  return Join(members, std::string_view("\0", 1));
}

// RFC 4514 section 2.4.
std::string EscapedValue(std::string_view value) {
  std::string out;
  for (size_t i = 0; i < value.size(); ++i) {
    const char c = value[i];
    const bool at_edge = i == 0 || i + 1 == value.size();
    if (std::string_view(",+\"\\<>;").find(c) != std::string_view::npos || (c == ' ' && at_edge) ||
        (c == '#' && i == 0)) {
      out += '\\';
    }
    out += c;
  }
  return out;
}

absl::Status AttributeError(std::string_view key, std::string_view problem) {
  return MakeError(Reason::kRequestMalformed,
                   "name attribute " + Printable(key) + ": " + std::string(problem));
}

absl::Status CheckValue(const AttributeType* type, std::string_view key, std::string_view value) {
  if (value.empty()) return AttributeError(key, "the value is empty; leave the attribute out");
  if (!IsUtf8(value)) return AttributeError(key, "the value is not UTF-8");
  if (std::ranges::any_of(value, [](char c) { return (c >= 0 && c < 0x20) || c == 0x7f; })) {
    return AttributeError(key, "the value has a control character");
  }
  const size_t characters = CountUtf8Characters(value);
  const size_t max = type != nullptr ? type->max : kMaxOtherValue;
  if (characters > max) {
    return AttributeError(key, "the value has " + std::to_string(characters) +
                                   " characters, at most " + std::to_string(max) + " are allowed");
  }
  if (type == nullptr || type->written_as == der::kUtf8String) return absl::OkStatus();
  if (max == 2 && (characters != 2 || !std::ranges::all_of(value, [](char c) {
                     return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
                   }))) {
    return AttributeError(key, "a country is a code of two letters, got " + Printable(value));
  }
  const bool allowed = type->written_as == der::kPrintableString
                           ? IsPrintableString(value)
                           : characters == value.size();  // IA5String: ASCII
  if (!allowed) {
    return AttributeError(
        key, "the value has a character that is not allowed here: " + Printable(value));
  }
  return absl::OkStatus();
}

}  // namespace

DistinguishedName::DistinguishedName() : der_("\x30\x00", 2) {}

absl::StatusOr<DistinguishedName> DistinguishedName::FromDer(std::string_view der) {
  absl::StatusOr<std::vector<Rdn>> rdns = ReadRdns(der);
  if (!rdns.ok()) return MakeError(Reason::kCertificateMalformed, ToStd(rdns.status().message()));
  DistinguishedName name;
  name.der_ = der;
  for (Rdn& rdn : *rdns) {
    name.normalized_rdns_.push_back(NormalizedSet(rdn));
    for (ReadAttribute& member : rdn) name.attributes_.push_back(std::move(member.attribute));
  }
  return name;
}

absl::StatusOr<DistinguishedName> DistinguishedName::FromAttributes(
    const std::vector<NameAttribute>& attributes) {
  der::Writer writer;
  absl::Status problem;
  writer.Nested(der::kSequence, [&] {
    for (const NameAttribute& attribute : attributes) {
      // The key may be the dotted OID itself.
      const AttributeType* type = attribute.oid.empty() ? TypeOfKey(attribute.key) : nullptr;
      if (type == nullptr) type = TypeOfOid(attribute.oid.empty() ? attribute.key : attribute.oid);
      const std::string oid(type != nullptr          ? type->oid
                            : !attribute.oid.empty() ? std::string_view(attribute.oid)
                                                     : std::string_view(attribute.key));
      const std::string_view key = attribute.key.empty() ? oid : attribute.key;
      if (problem.ok() && !der::EncodeOid(oid).has_value()) {
        problem = AttributeError(
            key, "not a known attribute; use C, ST, L, O, OU, CN ... or a dotted OID");
      }
      if (problem.ok()) problem = CheckValue(type, key, attribute.value);
      if (!problem.ok()) return;
      writer.Nested(der::kSet, [&] {
        writer.Nested(der::kSequence, [&] {
          writer.Oid(oid);
          writer.Element(type != nullptr ? type->written_as : der::kUtf8String, attribute.value);
        });
      });
    }
  });
  if (!problem.ok()) return problem;
  return FromDer(writer.bytes());
}

absl::StatusOr<DistinguishedName> DistinguishedName::FromSlashes(std::string_view text) {
  const auto error = [&](std::string_view problem) {
    return MakeError(Reason::kRequestMalformed, "subject " + Printable(text) + ": " +
                                                    std::string(problem) +
                                                    "; write it as /C=US/O=Example/CN=name");
  };
  if (text.empty() || text[0] != '/') return error("it does not begin with /");
  if (text == "/") return DistinguishedName();
  std::vector<NameAttribute> attributes;
  bool in_value = false;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '/') {
      if (!attributes.empty() && !in_value) return error("an attribute has no =");
      attributes.emplace_back();
      in_value = false;
      continue;
    }
    if (c == '=' && !in_value) {
      in_value = true;
      continue;
    }
    if (c == '+') {
      return error("a + joins attributes into one, which Troth does not write; a plus sign is \\+");
    }
    if (c == '\\') {
      if (++i == text.size()) return error("it ends with a backslash");
      c = text[i];
    }
    (in_value ? attributes.back().value : attributes.back().key) += c;
  }
  if (!in_value) return error("an attribute has no =");
  return FromAttributes(attributes);
}

absl::StatusOr<DistinguishedName> DistinguishedName::FromCommonName(std::string_view common_name) {
  return FromAttributes({{"CN", "", std::string(common_name)}});
}

std::optional<std::string> DistinguishedName::common_name() const {
  for (auto attribute = attributes_.rbegin(); attribute != attributes_.rend(); ++attribute) {
    if (attribute->key == "CN") return attribute->value;
  }
  return std::nullopt;
}

std::vector<std::string> DistinguishedName::ValuesOf(std::string_view key) const {
  std::vector<std::string> values;
  for (const NameAttribute& attribute : attributes_) {
    if (attribute.key == key) values.push_back(attribute.value);
  }
  return values;
}

std::string DistinguishedName::ToString() const {
  const absl::StatusOr<std::vector<Rdn>> rdns = ReadRdns(der_);
  if (!rdns.ok()) return "";
  std::string out;
  for (const Rdn& rdn : *rdns) {
    std::string_view separator = out.empty() ? "" : ", ";
    for (const ReadAttribute& member : rdn) {
      out += separator;
      out += member.attribute.key + "=";
      out += member.is_text ? EscapeInvisible(EscapedValue(member.attribute.value))
                            : member.attribute.value;
      separator = "+";
    }
  }
  return out;
}

bool DistinguishedName::Matches(const DistinguishedName& other) const {
  return normalized_rdns_ == other.normalized_rdns_;
}

bool DistinguishedName::IsWithin(const DistinguishedName& prefix) const {
  return prefix.normalized_rdns_.size() <= normalized_rdns_.size() &&
         std::equal(prefix.normalized_rdns_.begin(), prefix.normalized_rdns_.end(),
                    normalized_rdns_.begin());
}

}  // namespace troth
