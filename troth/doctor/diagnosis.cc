#include "troth/doctor/diagnosis.h"

#include <algorithm>
#include <utility>

#include "troth/base/strings.h"

namespace troth {

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
  const bool printable =
      std::ranges::all_of(finding.command, [](char c) { return c >= 0x20 && c < 0x7f; });
  if (!printable) finding.command.clear();
  const bool known = std::ranges::any_of(findings, [&](const Finding& other) {
    return other.reason == finding.reason && other.subject == finding.subject &&
           other.title == finding.title;
  });
  if (!known) findings.push_back(std::move(finding));
}

void Diagnosis::Sort() { std::ranges::stable_sort(findings, {}, &Finding::severity); }

Finding FaultOf(const absl::Status& status, std::string_view subject) {
  return {.reason = ReasonOf(status).value_or(Reason::kInternal),
          .subject = std::string(subject),
          .title = std::string(ToStd(status.message())),
          .fix = FixOf(status)};
}

}  // namespace troth
