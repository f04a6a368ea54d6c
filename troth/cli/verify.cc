// troth verify: whether a certificate would be trusted, and if not, which rule it breaks.
#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "troth/base/file.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/cli/certificate_text.h"
#include "troth/cli/command.h"
#include "troth/pki/crl.h"
#include "troth/pki/path_validation.h"
#include "troth/pki/trust_bundle.h"

namespace troth {
namespace {

constexpr const char* kExamples = R"(Examples:
  troth verify core/certs/server/server.pem --trust-bundle core/certs/ca/ca.pem --name localhost --usage server
  troth verify client.pem --trust-bundle ca.pem --usage client --crl ca.crl --require-crl
  troth verify server.pem --trust-bundle ca.pem --at 2027-01-01    would it still be good then?

The first certificate of the file is checked; those that follow it, and --intermediates, may lead from it to the trust bundle, in
any order. Exit code 0: trusted; otherwise the reason is printed with what to do about it. Names are compared with the
subject alternative names only: a common name does not count.)";

struct Arguments {
  std::string certificate;
  std::string trust_bundle;
  std::vector<std::string> intermediates;
  std::vector<std::string> crls;
  std::string name;
  std::string usage = "any";
  std::string at;
  bool require_crl = false;
  std::string crl_grace;
};

// What the files hold.
struct Inputs {
  std::vector<Certificate> chain;  // leaf first
  TrustBundle trust;
  std::vector<Crl> crls;
  PathOptions options;
};

// PEM with one or more certificates, or the DER of one.
absl::StatusOr<std::vector<Certificate>> ReadCertificates(const std::string& path) {
  const absl::StatusOr<std::string> content = ReadFile(path);
  if (!content.ok()) return content.status();
  if (content->front() == '\x30') {
    absl::StatusOr<Certificate> certificate = Certificate::FromDer(*content);
    if (!certificate.ok()) return WithContext(certificate.status(), path);
    return std::vector<Certificate>{*std::move(certificate)};
  }
  absl::StatusOr<std::vector<Certificate>> certificates = Certificate::ListFromPem(*content);
  if (!certificates.ok()) return WithContext(certificates.status(), path);
  return certificates;
}

absl::Status ReadOptions(const Arguments& arguments, const Clock& clock, PathOptions& options) {
  options.now = clock.Now();
  if (!arguments.at.empty()) {
    const std::optional<Time> at = ParseTime(arguments.at);
    if (!at.has_value()) {
      return MakeError(Reason::kUsageError,
                       "--at: expected a time such as 2027-01-31 or "
                       "2027-01-31T12:00:00Z, got " +
                           Printable(arguments.at));
    }
    options.now = *at;
  }
  if (!arguments.crl_grace.empty()) {
    const std::optional<Seconds> grace = ParseDuration(arguments.crl_grace);
    if (!grace.has_value()) {
      return MakeError(Reason::kUsageError,
                       "--crl-grace: expected a duration such as 2h or 1d, got " +
                           Printable(arguments.crl_grace));
    }
    options.crl_grace = *grace;
  }
  if (!arguments.name.empty()) {
    absl::StatusOr<AlternativeName> name = AlternativeName::Parse(arguments.name);
    if (!name.ok()) {
      return MakeError(Reason::kUsageError,
                       "--name: " + std::string(ToStd(name.status().message())));
    }
    options.name = *std::move(name);
  }
  options.usage = arguments.usage == "server"   ? Usage::kServer
                  : arguments.usage == "client" ? Usage::kClient
                                                : Usage::kAny;
  options.revocation =
      arguments.require_crl ? RevocationCheck::kRequired : RevocationCheck::kWhereListed;
  return absl::OkStatus();
}

absl::StatusOr<Inputs> ReadInputs(const Arguments& arguments, const Clock& clock) {
  Inputs inputs;
  if (absl::Status status = ReadOptions(arguments, clock, inputs.options); !status.ok()) {
    return status;
  }
  absl::StatusOr<std::vector<Certificate>> chain = ReadCertificates(arguments.certificate);
  if (!chain.ok()) return chain.status();
  inputs.chain = *std::move(chain);
  for (const std::string& path : arguments.intermediates) {
    absl::StatusOr<std::vector<Certificate>> more = ReadCertificates(path);
    if (!more.ok()) return more.status();
    inputs.chain.insert(inputs.chain.end(), more->begin(), more->end());
  }
  absl::StatusOr<TrustBundle> trust = TrustBundle::FromFile(arguments.trust_bundle);
  if (!trust.ok()) return trust.status();
  inputs.trust = *std::move(trust);
  for (const std::string& path : arguments.crls) {
    const absl::StatusOr<std::string> content = ReadFile(path, 2 * kMaxCrlBytes);
    if (!content.ok()) return content.status();
    absl::StatusOr<std::vector<Crl>> lists = Crl::ListFromBytes(*content);
    if (!lists.ok()) return WithContext(lists.status(), path);
    inputs.crls.insert(inputs.crls.end(), lists->begin(), lists->end());
  }
  return inputs;
}

void PrintJson(const PathResult& result, const Session& session) {
  const bool ok = result.status.ok();
  const auto unless_ok = [ok](std::string_view text) { return ok ? JsonValue() : JsonValue(text); };
  std::vector<JsonObject> path;
  path.reserve(result.path.size());
  for (const Certificate& certificate : result.path) path.push_back(JsonOf(certificate));
  session.Print({{"ok", ok},
                 {"reason", unless_ok(CodeOf(result.status))},
                 {"message", unless_ok(ToStd(result.status.message()))},
                 {"fix", unless_ok(FixOf(result.status))},
                 {"path", path},
                 {"warnings", result.warnings},
                 {"valid_until", ok ? JsonValue(result.valid_until) : JsonValue()}});
}

// "trusted: CN=server, from CN=ca, as a server, until 2027-11-21 (365 days)".
void PrintTrusted(const PathResult& result, const PathOptions& options, const Session& session) {
  const auto name = [](const Certificate& certificate) {
    return Printable(certificate.subject().empty() ? NamesInWords(certificate)
                                                   : certificate.subject().ToString());
  };
  session.out << session.Green("trusted") << ": " << name(result.path.front());
  for (size_t i = 1; i < result.path.size(); ++i) {
    session.out << " <- " << name(result.path[i]);
  }
  if (options.usage != Usage::kAny) {
    session.out << ", as a " << (options.usage == Usage::kServer ? "server" : "client");
  }
  if (options.name.has_value()) session.out << ", with the name " << options.name->ToPlainString();
  session.out << ", until " << DateAndDaysLeft(result.valid_until, options.now) << "\n";
}

int Run(const Arguments& arguments, const Session& session) {
  absl::StatusOr<Inputs> inputs = ReadInputs(arguments, session.clock);
  PathResult result;
  if (inputs.ok()) {
    const Certificate leaf = inputs->chain.front();
    inputs->chain.erase(inputs->chain.begin());
    inputs->options.crls = &inputs->crls;
    result = ValidatePath(leaf, inputs->chain, inputs->trust, inputs->options);
  } else {
    result.status = inputs.status();
  }
  if (session.json) {
    PrintJson(result, session);
    return result.status.ok()
               ? kExitDone
               : InfoOf(ReasonOf(result.status).value_or(Reason::kInternal)).exit_code;
  }
  if (!result.status.ok()) return session.Fail(result.status);
  PrintTrusted(result, inputs->options, session);
  for (const std::string& warning : result.warnings) session.Warn(warning);
  return kExitDone;
}

}  // namespace

void AddVerifyCommand(CLI::App& app, Session& session) {
  CLI::App* verify =
      app.add_subcommand("verify", "say whether a certificate is trusted, and if not, why");
  auto arguments = std::make_shared<Arguments>();
  verify
      ->add_option("certificate", arguments->certificate,
                   "PEM or DER file; certificates after the first may be its intermediates")
      ->type_name("CERT")
      ->required();
  verify->add_option("--trust-bundle", arguments->trust_bundle, "PEM file with the trusted CAs")
      ->type_name("FILE")
      ->required();
  verify
      ->add_option("--intermediates", arguments->intermediates,
                   "file with CA certificates between the two; may be repeated")
      ->type_name("FILE")
      ->allow_extra_args(false);
  verify
      ->add_option("--name", arguments->name,
                   "DNS name, IP address, URI or email address that it must have")
      ->type_name("NAME");
  verify
      ->add_option("--usage", arguments->usage, "what it is to be used for: server, client or any")
      ->type_name("USAGE")
      ->check(CLI::IsMember({"server", "client", "any"}).description(""))
      ->capture_default_str();
  verify
      ->add_option(
          "--at", arguments->at,
          "the time to check for, such as 2027-01-31 or 2027-01-31T12:00:00Z; default: now")
      ->type_name("TIME");
  CLI::Option* crl = verify
                         ->add_option("--crl", arguments->crls,
                                      "file with revocation lists, PEM or DER; may be repeated")
                         ->type_name("FILE")
                         ->allow_extra_args(false);
  verify
      ->add_flag("--require-crl", arguments->require_crl,
                 "refuse a certificate whose issuer has no list among them")
      ->needs(crl);
  verify
      ->add_option("--crl-grace", arguments->crl_grace,
                   "accept a list that is out of date by no more than this, such as 2h")
      ->type_name("DURATION")
      ->needs(crl);
  verify->footer(kExamples);
  verify->callback([arguments, &session] {
    session.run = [arguments, &session] { return Run(*arguments, session); };
  });
}

}  // namespace troth
