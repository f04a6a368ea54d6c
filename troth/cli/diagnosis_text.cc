#include "troth/cli/diagnosis_text.h"

#include <algorithm>
#include <string>
#include <vector>

#include "troth/base/reason.h"
#include "troth/base/strings.h"

namespace troth {
namespace {

void PrintJson(const Diagnosis& diagnosis, const DiagnosisWords& words, const Session& session) {
  std::vector<JsonObject> recognised;
  for (const Recognised& part : diagnosis.recognised) {
    recognised.push_back({{words.subject, part.subject}, {words.is, part.what}});
  }
  const auto unless_empty = [](const std::string& text) {
    return text.empty() ? JsonValue() : JsonValue(text);
  };
  std::vector<JsonObject> findings;
  for (const Finding& finding : diagnosis.findings) {
    findings.push_back({{"severity", NameOf(finding.severity)},
                        {"reason", CodeOf(finding.reason)},
                        {"subject", finding.subject},
                        {"title", finding.title},
                        {"expected", unless_empty(finding.expected)},
                        {"got", unless_empty(finding.got)},
                        {"fix", finding.fix},
                        {"command", unless_empty(finding.command)}});
  }
  session.Print(
      {{"healthy", diagnosis.healthy()}, {words.recognised, recognised}, {"findings", findings}});
}

void PrintFinding(const Finding& finding, const Session& session) {
  const std::string word(NameOf(finding.severity));
  std::ostream& out = session.out;
  out << (finding.severity == Severity::kFault ? session.Red(word) : session.Bold(word)) << ": "
      << Printable(finding.subject) << ": " << finding.title << " [" << CodeOf(finding.reason)
      << "]\n";
  if (finding.severity == Severity::kNote) return;
  if (!finding.expected.empty()) out << "  expected: " << finding.expected << "\n";
  if (!finding.got.empty()) out << "  got:      " << finding.got << "\n";
  out << "  fix:      " << finding.fix << "\n";
  if (!finding.command.empty()) out << "  run:      " << session.Bold(finding.command) << "\n";
}

void PrintText(const Diagnosis& diagnosis, const DiagnosisWords& words, const Session& session) {
  std::ostream& out = session.out;
  const auto count = [&](Severity severity) {
    return std::ranges::count(diagnosis.findings, severity, &Finding::severity);
  };
  const auto faults = count(Severity::kFault);
  if (diagnosis.healthy()) {
    out << session.Green("healthy") << ": nothing is wrong with " << words.what;
  } else {
    out << session.Red("not healthy") << ", " << faults << (faults == 1 ? " fault" : " faults");
  }
  const auto warnings = count(Severity::kWarning);
  if (warnings > 0) out << ", " << warnings << (warnings == 1 ? " warning" : " warnings");
  out << "\n";
  for (const Recognised& file : diagnosis.recognised) {
    out << "  " << Printable(file.subject) << ": " << file.what << "\n";
  }
  for (const Finding& finding : diagnosis.findings) PrintFinding(finding, session);
}

}  // namespace

void PrintDiagnosis(const Diagnosis& diagnosis, const DiagnosisWords& words,
                    const Session& session) {
  if (session.json) {
    PrintJson(diagnosis, words, session);
  } else {
    PrintText(diagnosis, words, session);
  }
}

}  // namespace troth
