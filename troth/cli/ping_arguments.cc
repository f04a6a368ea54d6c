#include "troth/cli/ping_arguments.h"

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <map>
#include <optional>
#include <utility>

#include "troth/base/reason.h"
#include "troth/base/stop_signal.h"
#include "troth/base/strings.h"
#include "troth/cli/enroll_arguments.h"
#include "troth/enroll/enrolled_identity_source.h"

namespace troth {
namespace {

// "--certificate FILE"
absl::Status Missing(const char* flag, PingMode mode, const char* why) {
  return MakeError(Reason::kUsageError, std::string("--mode ") +
                                            (mode == PingMode::kTls ? "tls" : "mutual") +
                                            " needs " + flag + " FILE: " + why);
}

absl::Status Usage(const std::string& what) { return MakeError(Reason::kUsageError, what); }

// What --ca takes the place of.
absl::Status CheckAuthority(const PingArguments& arguments, PingSide side) {
  for (const auto& [flag, value] : {std::pair("--certificate", &arguments.certificate),
                                    std::pair("--private-key", &arguments.private_key),
                                    std::pair("--passphrase-file", &arguments.passphrase_file),
                                    std::pair("--trust-bundle", &arguments.trust_bundle)}) {
    if (value->empty()) continue;
    return Usage(std::string("--ca obtains key, certificate and trust bundle, and ") + flag +
                 " is given too; leave one of them out");
  }
  if (arguments.mode == PingMode::kInsecure) {
    return Usage(
        "--mode insecure uses no certificate, and --ca obtains one; leave it out, or "
        "choose --mode mutual");
  }
  if (arguments.mode == PingMode::kTls && side == PingSide::kClient) {
    return Usage(
        "with --mode tls the client shows no certificate, and --ca obtains one; choose "
        "--mode mutual, or give --trust-bundle in place of --ca");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<IdentitySource>> Enrol(const PingArguments& arguments) {
  EnrollOptions enroll;
  enroll.server = arguments.authority;
  enroll.client_id = arguments.names.front();
  for (size_t i = 1; i < arguments.names.size(); ++i) {
    absl::StatusOr<AlternativeName> name = AlternativeName::Parse(arguments.names[i]);
    if (!name.ok()) return Usage("--name: " + std::string(ToStd(name.status().message())));
    enroll.more_names.push_back(*std::move(name));
  }
  const char* variable = std::getenv("TROTH_TOKEN");
  absl::StatusOr<Secret> token =
      ReadToken(arguments.token_file,
                variable == nullptr ? std::nullopt : std::optional<std::string>(variable));
  if (!token.ok()) return token.status();
  if (token->empty()) {
    return Usage(
        "--ca needs an enrolment token for " + Printable(enroll.client_id) +
        ": `troth tokens create --name` on the authority's machine makes one; give it with "
        "--token-file FILE, or in TROTH_TOKEN");
  }
  enroll.token = *std::move(token);
  const StopSignal stop;
  auto source = EnrolledIdentitySource::Start(
      std::move(enroll),
      {.sleep = [&](std::chrono::milliseconds wait) { return !stop.WaitFor(wait); }});
  if (!source.ok()) return source.status();
  return *std::move(source);
}

}  // namespace

std::string_view DescribeMode(PingMode mode) {
  switch (mode) {
    case PingMode::kInsecure:
      return "insecure";
    case PingMode::kTls:
      return "TLS";
    case PingMode::kMutual:
      return "mutual TLS";
  }
  return "";
}

void AddPingArguments(CLI::App& command, PingArguments& arguments) {
  command
      .add_option(
          "--mode", arguments.mode,
          "insecure: in the clear; tls: only the server shows a certificate; mutual: both do")
      ->transform(
          CLI::CheckedTransformer(std::map<std::string, PingMode>{{"insecure", PingMode::kInsecure},
                                                                  {"tls", PingMode::kTls},
                                                                  {"mutual", PingMode::kMutual}})
              .description("{insecure,tls,mutual}"))
      ->default_str("mutual");
  command.add_option("-p,--port", arguments.port, "port of the server")
      ->check(CLI::Range(0, 65535).description("PORT"))
      ->capture_default_str();
  command
      .add_option("--certificate", arguments.certificate,
                  "our certificate, with its intermediates (PEM)")
      ->option_text("FILE");
  command.add_option("--private-key", arguments.private_key, "its key (PEM)")->option_text("FILE");
  command
      .add_option("--passphrase-file", arguments.passphrase_file,
                  "holds the passphrase of an encrypted key")
      ->option_text("FILE");
  command
      .add_option("--trust-bundle", arguments.trust_bundle,
                  "the CA certificates that the other side is verified against (PEM)")
      ->option_text("FILE");
  command
      .add_option("--crl", arguments.crls,
                  "revocation list of a CA (PEM or DER); may be given more than once")
      ->option_text("FILE");
  command
      .add_option("--ca", arguments.authority,
                  "obtain certificate and trust bundle from this authority, in place of the files: "
                  "in memory, renewed when they are due")
      ->option_text("HOST:PORT");
  command
      .add_option("--token-file", arguments.token_file,
                  "with --ca: file with an enrolment token, - for standard input; or set "
                  "TROTH_TOKEN")
      ->option_text("FILE");
}

absl::StatusOr<std::shared_ptr<IdentitySource>> LoadPingIdentity(const PingArguments& arguments,
                                                                 PingSide side) {
  if (!arguments.authority.empty()) {
    if (absl::Status fits = CheckAuthority(arguments, side); !fits.ok()) return fits;
    return Enrol(arguments);
  }
  if (!arguments.token_file.empty()) {
    return Usage("--token-file is for enrolling, and --ca HOST:PORT, the authority, is missing");
  }
  const bool has_certificate = !arguments.certificate.empty() || !arguments.private_key.empty();
  if (arguments.mode == PingMode::kInsecure) {
    if (has_certificate || !arguments.trust_bundle.empty()) {
      return MakeError(
          Reason::kUsageError,
          "--mode insecure uses no certificate, key or trust bundle, and one is given; "
          "leave it out, or choose --mode tls or mutual");
    }
    return std::shared_ptr<IdentitySource>();
  }
  FileIdentityOptions files;
  if (side == PingSide::kServer || arguments.mode == PingMode::kMutual) {
    if (arguments.certificate.empty()) {
      return Missing("--certificate", arguments.mode,
                     side == PingSide::kServer ? "what the server shows to its clients"
                                               : "what the client shows to the server");
    }
    if (arguments.private_key.empty()) {
      return Missing("--private-key", arguments.mode, "the key of the certificate");
    }
    files.certificate = arguments.certificate;
    files.private_key = arguments.private_key;
    files.passphrase_file = arguments.passphrase_file;
  } else if (has_certificate) {
    return MakeError(Reason::kUsageError,
                     "with --mode tls the client shows no certificate, and one is given; leave it "
                     "out, or choose --mode mutual");
  }
  files.trust_bundle = arguments.trust_bundle;
  return IdentitySource::WatchFiles(std::move(files));
}

}  // namespace troth
