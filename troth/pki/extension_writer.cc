#include <algorithm>
#include <string>

#include "absl/status/statusor.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/pki/extension_writer_internal.h"
#include "troth/pki/general_name_internal.h"

namespace troth {
namespace {

bool IsAlphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// RFC 5280 section 4.2.1.6: not relative, with a scheme and something after it.
bool IsAbsoluteUri(std::string_view text) {
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos || colon == 0 || colon + 1 == text.size()) return false;
  const std::string_view scheme = text.substr(0, colon);
  const bool letter_first = IsAlphanumeric(scheme[0]) && (scheme[0] < '0' || scheme[0] > '9');
  return letter_first &&
         std::ranges::all_of(
             scheme,
             [](char c) { return IsAlphanumeric(c) || c == '+' || c == '-' || c == '.'; }) &&
         text.find_first_of(" \"<>\\^`{|}") == std::string_view::npos;
}

bool IsMailbox(std::string_view text) {
  const size_t at = text.find('@');
  return at != std::string_view::npos && at > 0 && text.find(' ') == std::string_view::npos &&
         IsDnsName(text.substr(at + 1), /*allow_wildcard=*/false);
}

std::string_view ProblemOf(const AlternativeName& name) {
  switch (name.kind) {
    case AlternativeName::Kind::kDns:
      return IsDnsName(name.value, /*allow_wildcard=*/true) ? "" : "is not a DNS name";
    case AlternativeName::Kind::kUri:
      return IsAbsoluteUri(name.value) ? "" : "is not an absolute URI (scheme:...)";
    case AlternativeName::Kind::kEmail:
      return IsMailbox(name.value) ? "" : "is not an email address (local@domain)";
    case AlternativeName::Kind::kIp:
    case AlternativeName::Kind::kDirectory:
    case AlternativeName::Kind::kOther:
      return "";
  }
  return "is of no known kind";
}

}  // namespace

void WriteExtension(der::Writer& writer, std::string_view oid, bool critical,
                    std::string_view value) {
  writer.Nested(der::kSequence, [&] {
    writer.Oid(oid);
    if (critical) writer.Boolean(true);  // FALSE is the default, which DER leaves out
    writer.Element(der::kOctetString, value);
  });
}

absl::Status CheckAlternativeNames(const std::vector<AlternativeName>& names) {
  if (names.empty()) return absl::OkStatus();
  for (const AlternativeName& name : names) {
    if (const std::string_view problem = ProblemOf(name); !problem.empty()) {
      return MakeError(
          Reason::kRequestMalformed,
          "the alternative name \"" + Printable(name.value) + "\" " + std::string(problem));
    }
  }
  der::Writer writer;
  WriteAlternativeNames(writer, names);
  const absl::StatusOr<std::vector<AlternativeName>> read = ReadAlternativeNames(writer.bytes());
  if (!read.ok()) return MakeError(Reason::kRequestMalformed, ToStd(read.status().message()));
  if (*read != names) {
    return MakeError(Reason::kRequestMalformed,
                     "an alternative name is not of the kind that it is said to be");
  }
  return absl::OkStatus();
}

void WriteGeneralName(der::Writer& writer, AlternativeName::Kind kind, std::string_view value) {
  switch (kind) {
    case AlternativeName::Kind::kEmail:
      writer.Element(der::ContextPrimitive(1), value);
      break;
    case AlternativeName::Kind::kDns:
      writer.Element(der::ContextPrimitive(2), value);
      break;
    // Explicit, for Name is a CHOICE.
    case AlternativeName::Kind::kDirectory:
      writer.Element(der::ContextConstructed(4), value);
      break;
    case AlternativeName::Kind::kUri:
      writer.Element(der::ContextPrimitive(6), value);
      break;
    case AlternativeName::Kind::kIp:
      writer.Element(der::ContextPrimitive(7), value);
      break;
    case AlternativeName::Kind::kOther:
      writer.Raw(value);
      break;
  }
}

void WriteAlternativeNames(der::Writer& writer, const std::vector<AlternativeName>& names) {
  writer.Nested(der::kSequence, [&] {
    for (const AlternativeName& name : names) WriteGeneralName(writer, name.kind, name.value);
  });
}

}  // namespace troth
