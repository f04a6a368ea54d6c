// troth doctor: what is wrong with certificates, keys and lists, and the command that mends it.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "troth/base/file.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/cli/command.h"
#include "troth/doctor/file_doctor.h"

namespace troth {
namespace {

constexpr int kExitFault = 1;

constexpr const char* kExamples = R"(Examples:
  troth doctor server.pem server.key ca.pem                       does all of it belong together?
  troth doctor server.pem server.key ca.pem --purpose server --server-name db.example.com
  troth doctor client.pem client.key ca.pem ca.crl --purpose client
  troth --json doctor /etc/troth/*.pem /etc/troth/*.key           for a monitor

Give the files in any order: what each holds, which key belongs to which certificate and which chain to which root is found
out. Every fault comes with its cause, what was expected, what was got, and, where one can, the command that mends it: run it
where you ran this. Nothing is changed, and no passphrase is asked for. With the CA's key among the files, the command may issue
a certificate anew. Exit code 0: healthy, perhaps with warnings; 1: at least one fault; 64: called wrongly.)";

struct Arguments {
  std::vector<std::string> targets;
  std::string server_name;
  std::string purpose = "any";
  std::string warn_before = "30d";
};

// Whether it has the form HOST:PORT, as files seldom have.
bool IsEndpoint(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0 || text.find('/') != std::string_view::npos) {
    return false;
  }
  const std::string_view port = text.substr(colon + 1);
  return !port.empty() && port.size() <= 5 &&
         std::ranges::all_of(port, [](char c) { return c >= '0' && c <= '9'; });
}

absl::StatusOr<FileDoctorOptions> OptionsOf(const Arguments& arguments, const Clock& clock) {
  FileDoctorOptions options{.now = clock.Now()};
  options.purpose = arguments.purpose == "server"   ? Usage::kServer
                    : arguments.purpose == "client" ? Usage::kClient
                                                    : Usage::kAny;
  if (!arguments.server_name.empty()) {
    absl::StatusOr<AlternativeName> name = AlternativeName::Parse(arguments.server_name);
    if (!name.ok()) {
      return MakeError(Reason::kUsageError,
                       "--server-name: " + std::string(ToStd(name.status().message())));
    }
    options.server_name = *std::move(name);
  }
  const std::optional<Seconds> warn_before = ParseDuration(arguments.warn_before);
  if (!warn_before.has_value()) {
    return MakeError(Reason::kUsageError,
                     "--warn-before: expected a duration such as 30d or 12h, got " +
                         Printable(arguments.warn_before));
  }
  options.warn_before = *warn_before;
  for (const std::string& target : arguments.targets) {
    if (!IsEndpoint(target) || FileExists(target)) continue;
    return MakeError(Reason::kUsageError,
                     "expected files, got the endpoint " + Printable(target) +
                         "; only files can be examined, give those that the endpoint uses");
  }
  return options;
}

void PrintJson(const Diagnosis& diagnosis, const Session& session) {
  std::vector<JsonObject> files;
  for (const Recognised& file : diagnosis.recognised) {
    files.push_back({{"file", file.subject}, {"holds", file.what}});
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
  session.Print({{"healthy", diagnosis.healthy()}, {"files", files}, {"findings", findings}});
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

void PrintText(const Diagnosis& diagnosis, const Session& session) {
  std::ostream& out = session.out;
  const auto count = [&](Severity severity) {
    return std::ranges::count(diagnosis.findings, severity, &Finding::severity);
  };
  const auto faults = count(Severity::kFault);
  if (diagnosis.healthy()) {
    out << session.Green("healthy") << ": nothing is wrong with "
        << (diagnosis.recognised.size() == 1 ? "this file"
                                             : "these files, and they belong together");
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

int Run(const Arguments& arguments, const Session& session) {
  const absl::StatusOr<FileDoctorOptions> options = OptionsOf(arguments, session.clock);
  if (!options.ok()) return session.Fail(options.status());
  const Diagnosis diagnosis = ExamineFiles(arguments.targets, *options);
  if (session.json) {
    PrintJson(diagnosis, session);
  } else {
    PrintText(diagnosis, session);
  }
  return diagnosis.healthy() ? kExitDone : kExitFault;
}

}  // namespace

void AddDoctorCommand(CLI::App& app, Session& session) {
  CLI::App* doctor = app.add_subcommand(
      "doctor", "find what is wrong with certificates and keys, and how to mend it");
  auto arguments = std::make_shared<Arguments>();
  doctor
      ->add_option("files", arguments->targets,
                   "certificates, chains, keys, trust bundles, requests and revocation lists")
      ->type_name("FILE")
      ->required();
  doctor
      ->add_option("--server-name", arguments->server_name,
                   "DNS name or IP address that the certificate must have")
      ->type_name("NAME");
  doctor
      ->add_option("--purpose", arguments->purpose,
                   "what the certificate is for: server, client or any")
      ->type_name("PURPOSE")
      ->check(CLI::IsMember({"server", "client", "any"}).description(""))
      ->capture_default_str();
  doctor
      ->add_option("--warn-before", arguments->warn_before,
                   "warn of what ends within this, but not before the last third of its life")
      ->type_name("DURATION")
      ->capture_default_str();
  doctor->footer(kExamples);
  doctor->callback([arguments, &session] {
    session.run = [arguments, &session] { return Run(*arguments, session); };
  });
}

}  // namespace troth
