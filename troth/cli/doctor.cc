// troth doctor: what is wrong with certificates, keys and lists, or with a live endpoint, and what
// mends it.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "troth/base/file.h"
#include "troth/base/log.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/cli/command.h"
#include "troth/cli/diagnosis_text.h"
#include "troth/cli/health_call.h"
#include "troth/doctor/endpoint_doctor.h"
#include "troth/doctor/file_doctor.h"
#include "troth/pki/pem.h"

namespace troth {
namespace {

constexpr int kExitFault = 1;

constexpr const char* kExamples = R"(Examples:
  troth doctor server.pem server.key ca.pem                       does all of it belong together?
  troth doctor server.pem server.key ca.pem --purpose server --server-name db.example.com
  troth doctor client.pem client.key ca.pem ca.crl --purpose client
  troth --json doctor /etc/troth/*.pem /etc/troth/*.key           for a monitor

  troth doctor db.example.com:443 --trust-bundle ca.pem           what is wrong with a running server?
  troth doctor 10.0.0.7:443 --trust-bundle ca.pem --server-name db.example.com --certificate client.pem --private-key client.key
  troth doctor localhost:50051 --grpc --trust-bundle ca.pem --certificate client.pem --private-key client.key
  troth doctor localhost:50051 --grpc --path /echo.SecurePing/Echo ...      may this client call this method?

Give the files in any order: what each holds, which key belongs to which certificate and which chain to which root is found
out. Of an endpoint the doctor makes handshakes, with and without your certificate, asks for something and says what it saw; it
never takes longer than --timeout. Every fault comes with its cause, what was expected, what was got, and, where one can, the
command that mends it: run it where you ran this. Nothing is changed, and no passphrase is asked for. With the CA's key among the
files, the command may issue a certificate anew. Exit code 0: healthy, perhaps with warnings; 1: at least one fault; 64: called
wrongly.)";

struct Arguments {
  std::vector<std::string> targets;
  std::string server_name;
  std::string purpose = "any";
  std::string warn_before = "30d";
  // Of an endpoint only.
  std::string certificate;
  std::string private_key;
  std::string trust_bundle;
  std::vector<std::string> crls;
  std::string timeout;
  std::string path;
  bool grpc = false;
};

absl::Status Wrong(const std::string& what) { return MakeError(Reason::kUsageError, what); }

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

// The one endpoint that is meant, or nothing when files are.
absl::StatusOr<std::optional<Endpoint>> EndpointOf(const Arguments& arguments) {
  const auto is_endpoint = [](const std::string& target) {
    return IsEndpoint(target) && !FileExists(target);
  };
  const auto found = std::ranges::find_if(arguments.targets, is_endpoint);
  if (found == arguments.targets.end()) return std::nullopt;
  if (arguments.targets.size() > 1) {
    return Wrong(std::ranges::all_of(arguments.targets, is_endpoint)
                     ? "expected one endpoint, got " + std::to_string(arguments.targets.size()) +
                           "; examine one after the other"
                     : "expected files or one endpoint, got both; give the client's files with "
                       "--certificate, --private-key, --trust-bundle and --crl");
  }
  absl::StatusOr<Endpoint> endpoint = Endpoint::Parse(*found);
  if (!endpoint.ok()) return endpoint.status();
  return *std::move(endpoint);
}

absl::StatusOr<std::optional<AlternativeName>> ServerNameOf(const Arguments& arguments) {
  if (arguments.server_name.empty()) return std::nullopt;
  absl::StatusOr<AlternativeName> name = AlternativeName::Parse(arguments.server_name);
  if (!name.ok()) return Wrong("--server-name: " + std::string(ToStd(name.status().message())));
  if (name->kind == AlternativeName::Kind::kDns && name->value.find('*') != std::string::npos) {
    return Wrong("--server-name: expected the name of one server, got the wildcard " +
                 Printable(arguments.server_name) +
                 "; give a name that it is to stand for, such as a.example.com for *.example.com");
  }
  return *std::move(name);
}

absl::StatusOr<Seconds> DurationOf(const std::string& flag, const std::string& text) {
  const std::optional<Seconds> duration = ParseDuration(text);
  if (duration.has_value()) return *duration;
  return Wrong(flag + ": expected a duration such as 30d, 12h or 5s, got " + Printable(text));
}

// Files are given as they are: which is which is found out.
absl::Status CheckFileArguments(const Arguments& arguments) {
  for (const auto& [flag, given] :
       {std::pair("--certificate", !arguments.certificate.empty()),
        std::pair("--private-key", !arguments.private_key.empty()),
        std::pair("--trust-bundle", !arguments.trust_bundle.empty()),
        std::pair("--crl", !arguments.crls.empty()),
        std::pair("--timeout", !arguments.timeout.empty()),
        std::pair("--path", !arguments.path.empty()), std::pair("--grpc", arguments.grpc)}) {
    if (!given) continue;
    if (!FileExists(arguments.targets.front())) {
      return Endpoint::Parse(arguments.targets.front()).status();
    }
    return Wrong(std::string(flag) +
                 " is for an endpoint, HOST:PORT, and files are given; give all files without "
                 "options, which is which is found out");
  }
  return absl::OkStatus();
}

// Whether a target that is no file looks like a host without its port: an IP address, or a name
// with a dot whose end no file has that the doctor reads.
bool IsHost(const std::string& text) {
  constexpr std::string_view kEnds[] = {"pem", "crt", "cer", "cert", "key", "der", "crl", "csr",
                                        "req", "p12", "pfx", "p7b",  "p7c", "p8",  "txt", "bak"};
  if (text == "localhost") return true;
  const size_t dot = text.rfind('.');
  const bool has_only_its_characters = std::ranges::all_of(text, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '.';
  });
  if (dot == std::string::npos || dot == 0 || dot + 1 == text.size() || !has_only_its_characters) {
    return false;
  }
  return std::ranges::find(kEnds, ToLowerAscii(text.substr(dot + 1))) == std::end(kEnds);
}

// A URL or a host in the place of files.
absl::Status CheckFiles(const Arguments& arguments) {
  for (const std::string& target : arguments.targets) {
    const bool is_url = target.find("://") != std::string::npos;
    if (FileExists(target) || (!is_url && !IsHost(target))) continue;
    return Wrong("expected files, or HOST:PORT such as db.example.com:443, got " +
                 Printable(target) +
                 (is_url ? ", a URL; give its host and port, and what to ask for with --path"
                         : ", and there is no such file; of a server give the port too"));
  }
  return absl::OkStatus();
}

absl::StatusOr<FileDoctorOptions> FileOptionsOf(const Arguments& arguments, const Clock& clock) {
  if (absl::Status fits = CheckFiles(arguments); !fits.ok()) return fits;
  if (absl::Status fits = CheckFileArguments(arguments); !fits.ok()) return fits;
  FileDoctorOptions options{.now = clock.Now()};
  options.purpose = arguments.purpose == "server"   ? Usage::kServer
                    : arguments.purpose == "client" ? Usage::kClient
                                                    : Usage::kAny;
  absl::StatusOr<std::optional<AlternativeName>> name = ServerNameOf(arguments);
  if (!name.ok()) return name.status();
  options.server_name = *std::move(name);
  const absl::StatusOr<Seconds> warn_before = DurationOf("--warn-before", arguments.warn_before);
  if (!warn_before.ok()) return warn_before.status();
  options.warn_before = *warn_before;
  return options;
}

// Whether a key, encrypted or not, lies in the file with the certificate. What cannot be read is
// for the examination to tell.
bool MayHoldKey(const std::string& path) {
  const absl::StatusOr<std::string> content = ReadFile(path);
  if (!content.ok()) return true;
  const absl::StatusOr<std::vector<PemBlock>> blocks = ParsePem(*content);
  return blocks.ok() && std::ranges::any_of(*blocks, [](const PemBlock& block) {
           return block.label.ends_with("PRIVATE KEY");
         });
}

absl::StatusOr<EndpointOptions> EndpointOptionsOf(const Arguments& arguments, const Clock& clock) {
  constexpr Seconds kLongest = std::chrono::minutes(10);
  EndpointOptions options{.now = clock.Now()};
  if (arguments.purpose != "any") {
    return Wrong("--purpose is for files; an endpoint is a server, and --certificate a client's");
  }
  if (!arguments.private_key.empty() && arguments.certificate.empty()) {
    return Wrong("--private-key is given without --certificate FILE, the certificate of that key");
  }
  if (!arguments.certificate.empty() && arguments.private_key.empty() &&
      !MayHoldKey(arguments.certificate)) {
    return Wrong("--certificate is given without --private-key FILE, and " +
                 Printable(arguments.certificate) +
                 " holds no key: a certificate cannot be shown without its key");
  }
  if (!arguments.path.empty() && !arguments.path.starts_with('/')) {
    return Wrong(
        "--path: expected a path such as /packets, or with --grpc a method such as "
        "/package.Service/Method, got " +
        Printable(arguments.path));
  }
  options.certificate = arguments.certificate;
  options.private_key = arguments.private_key;
  options.trust_bundle = arguments.trust_bundle;
  options.crls = arguments.crls;
  options.path = arguments.path;
  absl::StatusOr<std::optional<AlternativeName>> name = ServerNameOf(arguments);
  if (!name.ok()) return name.status();
  options.server_name = *std::move(name);
  const absl::StatusOr<Seconds> warn_before = DurationOf("--warn-before", arguments.warn_before);
  if (!warn_before.ok()) return warn_before.status();
  options.warn_before = *warn_before;
  if (!arguments.timeout.empty()) {
    const absl::StatusOr<Seconds> timeout = DurationOf("--timeout", arguments.timeout);
    if (!timeout.ok()) return timeout.status();
    if (*timeout < Seconds(1) || *timeout > kLongest) {
      return Wrong("--timeout: expected 1s to 10m, got " + Printable(arguments.timeout));
    }
    options.timeout = *timeout;
  }
  if (arguments.grpc) {
    options.call = [&clock](const EndpointCall& call) { return MakeHealthCall(call, clock); };
  }
  return options;
}

int ExamineEndpointIn(const Endpoint& endpoint, const Arguments& arguments,
                      const Session& session) {
  const absl::StatusOr<EndpointOptions> options = EndpointOptionsOf(arguments, session.clock);
  if (!options.ok()) return session.Fail(options.status());
  const Diagnosis diagnosis = ExamineEndpoint(endpoint, *options);
  PrintDiagnosis(
      diagnosis,
      {.what = endpoint.ToString(), .recognised = "recognised", .subject = "subject", .is = "what"},
      session);
  return diagnosis.healthy() ? kExitDone : kExitFault;
}

int Run(const Arguments& arguments, const Session& session) {
  const absl::StatusOr<std::optional<Endpoint>> endpoint = EndpointOf(arguments);
  if (!endpoint.ok()) return session.Fail(endpoint.status());
  if (endpoint->has_value()) return ExamineEndpointIn(**endpoint, arguments, session);
  const absl::StatusOr<FileDoctorOptions> options = FileOptionsOf(arguments, session.clock);
  if (!options.ok()) return session.Fail(options.status());
  const Diagnosis diagnosis = ExamineFiles(arguments.targets, *options);
  PrintDiagnosis(
      diagnosis,
      {.what =
           diagnosis.recognised.size() == 1 ? "this file" : "these files, and they belong together",
       .recognised = "files",
       .subject = "file",
       .is = "holds"},
      session);
  return diagnosis.healthy() ? kExitDone : kExitFault;
}

void AddEndpointOptions(CLI::App& doctor, Arguments& arguments) {
  const std::string group = "Of an endpoint";
  doctor
      .add_option("--certificate", arguments.certificate,
                  "the client's certificate, with its intermediates (PEM)")
      ->type_name("FILE")
      ->group(group);
  doctor.add_option("--private-key", arguments.private_key, "its key (PEM)")
      ->type_name("FILE")
      ->group(group);
  doctor
      .add_option("--trust-bundle", arguments.trust_bundle,
                  "the CA certificates that the server is verified against; without it, those of "
                  "this system")
      ->type_name("FILE")
      ->group(group);
  doctor
      .add_option("--crl", arguments.crls,
                  "revocation list of a CA (PEM or DER); may be given more than once")
      ->type_name("FILE")
      ->allow_extra_args(false)
      ->group(group);
  doctor.add_option("--timeout", arguments.timeout, "for everything together, 1s to 10m (10s)")
      ->type_name("DURATION")
      ->group(group);
  doctor
      .add_flag("--grpc", arguments.grpc,
                "it is a gRPC server: HTTP/2 has to be there, and a call (to its health service) "
                "has to pass")
      ->group(group);
  doctor
      .add_option("--path", arguments.path,
                  "what your client asks for: a path of HTTP, or with --grpc a method, which is "
                  "called with an empty message")
      ->type_name("/PATH")
      ->group(group);
}

}  // namespace

void AddDoctorCommand(CLI::App& app, Session& session) {
  CLI::App* doctor = app.add_subcommand(
      "doctor",
      "find what is wrong with certificates and keys, or with a server, and how to mend it");
  auto arguments = std::make_shared<Arguments>();
  doctor
      ->add_option("targets", arguments->targets,
                   "certificates, chains, keys, trust bundles, requests and revocation lists; or "
                   "one HOST:PORT")
      ->type_name("FILE")
      ->required();
  doctor
      ->add_option("--server-name", arguments->server_name,
                   "DNS name or IP address that the certificate must have; an endpoint is asked "
                   "for it in place of HOST")
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
  AddEndpointOptions(*doctor, *arguments);
  doctor->footer(kExamples);
  doctor->callback([arguments, &session] {
    session.run = [arguments, &session] { return Run(*arguments, session); };
  });
}

}  // namespace troth
