#include "troth/doctor/diagnosis.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "troth/base/strings.h"
#include "troth/base/utf8.h"

namespace troth {
namespace {

struct Range {
  char32_t first, last;
};

// What is not seen, is not what it seems, or turns the text around it: control characters, blanks
// other than that of ASCII, format characters (Unicode's Cf), variation selectors, characters for
// private use, and what lies beyond the first plane.
constexpr Range kUnseen[] = {
    {0x00, 0x1f},     {0x7f, 0xa0},     {0xad, 0xad},     {0x034f, 0x034f}, {0x0600, 0x0605},
    {0x061c, 0x061c}, {0x06dd, 0x06dd}, {0x070f, 0x070f}, {0x0890, 0x0891}, {0x08e2, 0x08e2},
    {0x115f, 0x1160}, {0x1680, 0x1680}, {0x17b4, 0x17b5}, {0x180b, 0x180f}, {0x2000, 0x200f},
    {0x2028, 0x202f}, {0x205f, 0x206f}, {0x2800, 0x2800}, {0x3000, 0x3000}, {0x3164, 0x3164},
    {0xd800, 0xf8ff}, {0xfe00, 0xfe0f}, {0xfeff, 0xfeff}, {0xffa0, 0xffa0}, {0xfff0, 0x10ffff},
};

bool CanBeSeen(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const std::optional<char32_t> next = NextUtf8(text, at);
    if (!next.has_value()) return false;
    for (const Range& range : kUnseen) {
      if (*next >= range.first && *next <= range.last) return false;
    }
  }
  return true;
}

}  // namespace

std::string_view NameOf(Severity severity) {
  switch (severity) {
    case Severity::kFault:
      return "fault";
    case Severity::kWarning:
      return "warning";
    default:
      return "note";
  }
}

bool Diagnosis::healthy() const {
  return std::ranges::none_of(
      findings, [](const Finding& finding) { return finding.severity == Severity::kFault; });
}

void Diagnosis::Add(Finding finding) {
  if (finding.fix.empty()) finding.fix = InfoOf(finding.reason).fix;
  if (!CanBeSeen(finding.command)) finding.command.clear();
  const bool known = std::ranges::any_of(findings, [&](const Finding& other) {
    return other.reason == finding.reason && other.subject == finding.subject &&
           other.title == finding.title;
  });
  if (!known) findings.push_back(std::move(finding));
}

void Diagnosis::Add(Severity severity, Reason reason, std::string_view subject, Finding finding) {
  finding.severity = severity;
  finding.reason = reason;
  finding.subject = subject;
  Add(std::move(finding));
}

void Diagnosis::Sort() { std::ranges::stable_sort(findings, {}, &Finding::severity); }

Finding FaultOf(const absl::Status& status, std::string_view subject) {
  return {.reason = ReasonOf(status).value_or(Reason::kInternal),
          .subject = std::string(subject),
          .title = std::string(ToStd(status.message())),
          .fix = FixOf(status)};
}

}  // namespace troth
