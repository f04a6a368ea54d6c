#include "troth/pki/general_name_internal.h"

#include <algorithm>
#include <cstdint>
#include <string>

#include "troth/base/reason.h"
#include "troth/base/strings.h"

namespace troth {
namespace {

using Kind = AlternativeName::Kind;

// The tags of the CHOICE.
constexpr std::uint8_t kOtherName = der::ContextConstructed(0);
constexpr std::uint8_t kRfc822Name = der::ContextPrimitive(1);
constexpr std::uint8_t kDnsName = der::ContextPrimitive(2);
constexpr std::uint8_t kX400Address = der::ContextConstructed(3);
constexpr std::uint8_t kDirectoryName = der::ContextConstructed(4);
constexpr std::uint8_t kEdiPartyName = der::ContextConstructed(5);
constexpr std::uint8_t kUri = der::ContextPrimitive(6);
constexpr std::uint8_t kIpAddress = der::ContextPrimitive(7);
constexpr std::uint8_t kRegisteredId = der::ContextPrimitive(8);

bool IsContiguousMask(std::string_view mask) {
  bool ended = false;
  for (const char c : mask) {
    for (int bit = 7; bit >= 0; --bit) {
      const bool set = (static_cast<std::uint8_t>(c) >> bit & 1) != 0;
      if (set && ended) return false;
      ended = !set;
    }
  }
  return true;
}

// What is wrong with the text of a name, or empty.
std::string_view TextProblem(std::string_view text, GeneralNameContext context) {
  if (text.empty() && context == GeneralNameContext::kName) return "the name is empty";
  if (!std::ranges::all_of(text, [](char c) { return c >= 0x20 && c < 0x7f; })) {
    return "the name has a byte that is not printable ASCII";
  }
  return "";
}

std::string_view AddressProblem(std::string_view bytes, GeneralNameContext context) {
  if (context == GeneralNameContext::kName) {
    return bytes.size() == 4 || bytes.size() == 16 ? "" : "an IP address has 4 or 16 bytes";
  }
  if (bytes.size() != 8 && bytes.size() != 32) return "an IP range has 8 or 32 bytes";
  return IsContiguousMask(bytes.substr(bytes.size() / 2))
             ? ""
             : "the mask of an IP range is not contiguous";
}

absl::Status Failed(der::Reader& reader, std::string_view problem) {
  reader.Fail("general name", problem);
  return reader.status();
}

// Well-formedness of otherName: an OID and one explicitly tagged value.
absl::Status CheckOtherName(der::Reader other) {
  std::string type;
  der::Element tagged;
  if (!other.ReadOid("otherName type", type) ||
      !other.Read(der::ContextConstructed(0), "otherName value", tagged) ||
      !other.End("otherName")) {
    return other.status();
  }
  der::Reader inner = other.Into(tagged);
  der::Element value;
  if (inner.ReadAny(value)) inner.End("otherName value");
  return inner.status();
}

}  // namespace

absl::Status ReadGeneralName(der::Reader& names, GeneralNameContext context, AlternativeName& out) {
  der::Element element;
  if (!names.ReadAny(element)) return names.status();
  std::string_view problem;
  switch (element.tag) {
    case kRfc822Name:
    case kDnsName:
    case kUri:
      out.kind = element.tag == kDnsName ? Kind::kDns
                 : element.tag == kUri   ? Kind::kUri
                                         : Kind::kEmail;
      problem = TextProblem(element.content, context);
      out.value = element.content;
      break;
    case kIpAddress:
      out.kind = Kind::kIp;
      problem = AddressProblem(element.content, context);
      out.value = element.content;
      break;
    case kDirectoryName: {
      // The tag is explicit, for Name is a CHOICE.
      const absl::StatusOr<DistinguishedName> name = DistinguishedName::FromDer(element.content);
      if (!name.ok()) return Failed(names, ToStd(name.status().message()));
      out.kind = Kind::kDirectory;
      out.value = element.content;
      break;
    }
    case kOtherName:
      if (absl::Status other = CheckOtherName(names.Into(element)); !other.ok()) return other;
      [[fallthrough]];
    case kX400Address:
    case kEdiPartyName:
      out.kind = Kind::kOther;
      out.value = element.full;
      break;
    case kRegisteredId:
      if (!der::DecodeOid(element.content).has_value()) {
        problem = "a registeredID is an OBJECT IDENTIFIER";
      }
      out.kind = Kind::kOther;
      out.value = element.full;
      break;
    default:
      problem = "a tag that no kind of name has";
  }
  return problem.empty() ? absl::OkStatus() : Failed(names, problem);
}

absl::Status ReadGeneralNames(der::Reader names, GeneralNameContext context,
                              std::vector<AlternativeName>& out) {
  if (!names.status().ok()) return names.status();
  if (names.AtEnd()) return Failed(names, "a list of names has at least one");
  while (!names.AtEnd()) {
    if (absl::Status read = ReadGeneralName(names, context, out.emplace_back()); !read.ok()) {
      return read;
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<AlternativeName>> ReadAlternativeNames(
    std::string_view extension_value) {
  der::Reader reader(extension_value, "subjectAltName");
  der::Element sequence;
  if (!reader.Read(der::kSequence, "names", sequence) || !reader.End("names")) {
    return reader.status();
  }
  std::vector<AlternativeName> names;
  absl::Status read = ReadGeneralNames(reader.Into(sequence), GeneralNameContext::kName, names);
  if (!read.ok()) return read;
  return names;
}

}  // namespace troth
