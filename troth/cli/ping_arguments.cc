#include "troth/cli/ping_arguments.h"

#include <CLI/CLI.hpp>
#include <map>

#include "troth/base/reason.h"

namespace troth {
namespace {

// "--certificate FILE"
absl::Status Missing(const char* flag, PingMode mode, const char* why) {
  return MakeError(Reason::kUsageError, std::string("--mode ") +
                                            (mode == PingMode::kTls ? "tls" : "mutual") +
                                            " needs " + flag + " FILE: " + why);
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
}

absl::StatusOr<std::shared_ptr<IdentitySource>> LoadPingIdentity(const PingArguments& arguments,
                                                                 PingSide side) {
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
