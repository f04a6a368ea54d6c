#include "troth/cli/enroll_arguments.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <utility>

#include "troth/base/file.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/enroll/authority_address.h"

namespace troth {
namespace {

constexpr size_t kMaxTokenBytes = 4096;
constexpr const char* kVersion = TROTH_VERSION;

absl::Status Usage(std::string_view option, const std::string& what) {
  return MakeError(Reason::kUsageError, std::string(option) + ": " + what);
}

absl::StatusOr<mode_t> ReadMode(const std::string& text) {
  unsigned mode = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), mode, 8);
  if (text.empty() || error != std::errc() || end != text.data() + text.size() || mode > 0777) {
    return Usage("--mode", "expected an octal mode such as 0640, got " + Printable(text));
  }
  if ((mode & 0007) != 0) {
    return Usage("--mode", "the file holds a private key and is not for everyone to read");
  }
  return static_cast<mode_t>(mode);
}

absl::StatusOr<Seconds> ReadDuration(std::string_view option, const std::string& text) {
  const std::optional<Seconds> duration = ParseDuration(text);
  if (!duration.has_value() || duration->count() == 0) {
    return Usage(option, "expected a duration such as 30s, 12h or 7d, got " + Printable(text));
  }
  return *duration;
}

// The first line of standard input.
absl::StatusOr<Secret> ReadStandardInput() {
  std::string text;
  char byte = 0;
  while (text.size() < kMaxTokenBytes) {
    const ssize_t got = read(STDIN_FILENO, &byte, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0 || byte == '\n') break;
    text += byte;
  }
  return Secret(std::move(text));
}

absl::Status ReadTrust(const EnrollArguments& arguments, EnrollOptions& enroll,
                       EnrollPaths& paths) {
  if (!arguments.fingerprint.empty()) {
    if (arguments.system_trust || !arguments.trust_bundle.empty()) {
      return Usage("--fingerprint", "give it alone, without --trust-bundle and --system-trust");
    }
    enroll.trust.root_fingerprint = ParseFingerprint(arguments.fingerprint);
    if (!enroll.trust.root_fingerprint.has_value()) {
      return Usage("--fingerprint", "expected the 64 hexadecimal digits of a SHA-256, got " +
                                        Printable(arguments.fingerprint));
    }
  }
  enroll.trust.system = arguments.system_trust;
  if (!arguments.trust_bundle.empty()) {
    absl::StatusOr<TrustBundle> bundle = TrustBundle::FromFile(arguments.trust_bundle);
    if (!bundle.ok()) return bundle.status();
    paths.trust_bundle = arguments.trust_bundle;
    if (arguments.system_trust) {
      enroll.authority = *std::move(bundle);
    } else {
      enroll.trust.bundle = *std::move(bundle);
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Secret> ReadToken(const std::string& token_file,
                                 const std::optional<std::string>& token_variable) {
  if (token_file == "-") return ReadStandardInput();
  if (!token_file.empty()) {
    absl::StatusOr<std::string> text = ReadFile(token_file, kMaxTokenBytes);
    if (!text.ok()) return WithContext(text.status(), "--token-file");
    return Secret(*std::move(text));
  }
  return Secret(token_variable.value_or(""));
}

void AddEnrollOptions(CLI::App& app, EnrollArguments& arguments) {
  app.add_option("CA", arguments.server,
                 "the authority: HOST:PORT, or https://HOST:PORT; 443 without a port")
      ->envname("CARAMEL_CA")
      ->required();
  app.add_option("CLIENT_ID", arguments.client_id, "the name to be certified")
      ->envname("CARAMEL_CN")
      ->required();
  app.add_option("--cert-dir", arguments.folder,
                 "folder of CLIENT_ID.key, .csr and .crt, and of CA.cacert")
      ->type_name("DIR")
      ->envname("CARAMEL_CERT_DIR")
      ->capture_default_str();
  app.add_option("--out", arguments.out, "one file for key and certificate, in place of the three")
      ->type_name("FILE");
  app.add_option("--owner", arguments.owner, "owner of the files")->type_name("USER[:GROUP]");
  app.add_option("--mode", arguments.mode, "mode of the key's file, in octal (0600)")
      ->type_name("MODE");
  app.add_option("--trust-bundle", arguments.trust_bundle, "PEM file with the authority's CA")
      ->type_name("FILE");
  app.add_option("--fingerprint", arguments.fingerprint,
                 "SHA-256 of the CA's certificate, where its file is not there yet")
      ->type_name("HEX");
  app.add_flag("--system-trust", arguments.system_trust,
               "believe the server when the system's CAs vouch for it");
  app.add_option("--token-file", arguments.token_file,
                 "file with an enrolment token, - for standard input; or set TROTH_TOKEN")
      ->type_name("FILE");
  app.add_option("--name", arguments.names,
                 "another name for the certificate: DNS, IP, URI; may be repeated")
      ->type_name("NAME")
      ->allow_extra_args(false);
  app.add_option("--profile", arguments.profile, "profile to ask for")->type_name("PROFILE");
  app.add_option("--key-type", arguments.key_type,
                 "p256, p384, ed25519, rsa2048, rsa3072 or rsa4096")
      ->type_name("TYPE")
      ->capture_default_str();
  app.add_flag("--caramel", arguments.caramel,
               "the server is a Caramel server; saves asking it each time");
  app.add_option("--server-name", arguments.server_name,
                 "name that the server's certificate must have, in place of the host")
      ->type_name("NAME");
  app.add_option("--renew-before", arguments.renew_before,
                 "renew this long before the end (a third of the lifetime)")
      ->type_name("DURATION");
  app.add_option("--timeout", arguments.timeout, "of one exchange with the server")
      ->type_name("DURATION")
      ->capture_default_str();
  app.add_flag("--once", arguments.once,
               "never wait: exit with 69 while the request is pending, 1 when another run works "
               "on the files, 127 on any other failure");
}

absl::StatusOr<FileEnrollmentOptions> ReadEnrollArguments(
    const EnrollArguments& arguments, const std::optional<std::string>& token_variable) {
  const absl::StatusOr<AuthorityAddress> address = AuthorityAddress::Parse(arguments.server);
  if (!address.ok()) return address.status();

  FileEnrollmentOptions options;
  options.paths = arguments.out.empty()
                      ? PathsInFolder(arguments.folder, address->name(), arguments.client_id)
                      : PathsOfOneFile(arguments.out, address->name());
  EnrollOptions& enroll = options.enroll;
  enroll.server = arguments.server;
  enroll.client_id = arguments.client_id;
  enroll.server_name = arguments.server_name;
  enroll.profile = arguments.profile;
  if (arguments.caramel) enroll.protocol = EnrollProtocol::kCaramel;
  enroll.user_agent = std::string("troth-enroll/") + kVersion;
  // A device has no log of its own that anybody reads.
  if (arguments.once) enroll.user_agent += " (" + Printable(arguments.client_id, 100) + ")";
  if (absl::Status status = ReadTrust(arguments, enroll, options.paths); !status.ok()) {
    return status;
  }

  for (const std::string& text : arguments.names) {
    absl::StatusOr<AlternativeName> name = AlternativeName::Parse(text);
    if (!name.ok()) return Usage("--name", std::string(ToStd(name.status().message())));
    enroll.more_names.push_back(*std::move(name));
  }
  const std::optional<KeyType> key_type = KeyTypeFromName(arguments.key_type);
  if (!key_type.has_value()) {
    return Usage("--key-type", "expected p256, p384, ed25519, rsa2048, rsa3072 or rsa4096, got " +
                                   Printable(arguments.key_type));
  }
  enroll.key_type = *key_type;
  if (!arguments.renew_before.empty()) {
    absl::StatusOr<Seconds> duration = ReadDuration("--renew-before", arguments.renew_before);
    if (!duration.ok()) return duration.status();
    enroll.renew_before = *duration;
  }
  absl::StatusOr<Seconds> timeout = ReadDuration("--timeout", arguments.timeout);
  if (!timeout.ok()) return timeout.status();
  enroll.timeout = *timeout;

  if (!arguments.mode.empty()) {
    absl::StatusOr<mode_t> mode = ReadMode(arguments.mode);
    if (!mode.ok()) return mode.status();
    options.key_mode = *mode;
  }
  if (!arguments.owner.empty()) {
    absl::StatusOr<FileOwner> owner = FileOwner::Parse(arguments.owner);
    if (!owner.ok()) return Usage("--owner", std::string(ToStd(owner.status().message())));
    options.owner = *owner;
  }
  options.bad_key = arguments.once ? FileEnrollmentOptions::BadKey::kReplace
                                   : FileEnrollmentOptions::BadKey::kRefuse;
  absl::StatusOr<Secret> token = ReadToken(arguments.token_file, token_variable);
  if (token.ok()) {
    enroll.token = *std::move(token);
    return options;
  }
  const absl::Status& problem = token.status();
  const std::optional<Reason> reason = ReasonOf(problem);
  if (reason != Reason::kFileNotFound && reason != Reason::kFileEmpty) return problem;
  // Used up and cleared away: a certificate is renewed without it.
  options.token_problem = problem;
  return options;
}

}  // namespace troth
