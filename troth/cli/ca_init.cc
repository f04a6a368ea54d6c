// troth ca init, troth ca request-cert: keys, and what is made of them.
#include <CLI/CLI.hpp>
#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/ca/file_authority.h"
#include "troth/cli/ca_internal.h"
#include "troth/cli/certificate_text.h"

namespace troth {
namespace {

constexpr const char* kInitExamples = R"(Examples:
  troth ca init --common-name "umd.fluidfs.com"
  troth ca init --common-name root --expires "10 years" --path-length 1 --passphrase-file root.pass
  troth ca init --cn lab --curve P-256 --permit-domain lab.example.com)";

constexpr const char* kRequestExamples = R"(Examples:
  troth ca request-cert -ip 192.168.1.18
  troth ca request-cert --domain db.example.com,db --ip 10.0.0.7
  troth ca request-cert --common-name bridge --uri spiffe://example.com/bridge --curve P-256
Without --ip, --domain and --uri the common name is the name asked for.)";

struct SubjectArguments {
  std::string country, province, locality, organization, unit, common_name;

  void AddTo(CLI::App& app) {
    app.add_option("--common-name,--cn", common_name, "common name (CN)")->type_name("NAME");
    app.add_option("-o,--organization", organization, "organization (O)")->type_name("NAME");
    app.add_option("--organizational-unit,--ou", unit, "organizational unit (OU)")
        ->type_name("NAME");
    app.add_option("-c,--country", country, "country (C), two letters")->type_name("CC");
    app.add_option("--province,--st", province, "state or province (ST)")->type_name("NAME");
    app.add_option("-l,--locality", locality, "locality (L)")->type_name("NAME");
  }
  absl::StatusOr<DistinguishedName> Subject(const std::string& name) const {
    std::vector<NameAttribute> attributes;
    const std::array<std::pair<const char*, const std::string*>, 6> fields = {{{"C", &country},
                                                                               {"ST", &province},
                                                                               {"L", &locality},
                                                                               {"O", &organization},
                                                                               {"OU", &unit},
                                                                               {"CN", &name}}};
    for (const auto& [key, value] : fields) {
      if (!value->empty()) attributes.push_back({.key = key, .oid = "", .value = *value});
    }
    return DistinguishedName::FromAttributes(attributes);
  }
};

struct KeyArguments {
  int bits = 0;
  std::string curve, type, file;
  PassphraseOptions passphrase;

  void AddTo(CLI::App& app, int usual_bits, const std::string& file_help) {
    CLI::Option* bits_option = app.add_option("--key-bits", bits,
                                              "RSA key of 2048, 3072 or 4096 bits (default " +
                                                  std::to_string(usual_bits) + ")")
                                   ->type_name("BITS")
                                   ->check(CLI::IsMember({2048, 3072, 4096}).description(""));
    CLI::Option* curve_option =
        app.add_option("--curve", curve, "P-256, P-384 or Ed25519 key")
            ->type_name("CURVE")
            ->check(CLI::IsMember({"P-256", "P-384", "Ed25519"}).description(""));
    app.add_option("--key-type", type,
                   "the same in one: p256, p384, ed25519, rsa2048, rsa3072, rsa4096")
        ->type_name("TYPE")
        ->check(CLI::IsMember({"p256", "p384", "ed25519", "rsa2048", "rsa3072", "rsa4096"})
                    .description(""))
        ->excludes(bits_option)
        ->excludes(curve_option);
    curve_option->excludes(bits_option);
    app.add_option("--key", file, file_help)->type_name("FILE");
    passphrase.AddTo(app);
    bits = usual_bits;
  }
  KeyType Type() const {
    if (!type.empty()) return *KeyTypeFromName(type);
    if (curve == "P-256") return KeyType::kP256;
    if (curve == "P-384") return KeyType::kP384;
    if (curve == "Ed25519") return KeyType::kEd25519;
    return *KeyTypeFromName("rsa" + std::to_string(bits));
  }
  KeyChoice Choice(const Session& session) const {
    return {.type = Type(),
            .file = file,
            .new_passphrase = [this, &session] { return PassphraseForNewKey(passphrase, session); },
            .open_passphrase =
                [this, &session](const std::string& path) {
                  return PassphraseForKey(passphrase, session, path);
                }};
  }
};

void PrintFiles(const std::vector<WrittenFile>& files, const Session& session) {
  for (const WrittenFile& file : files) {
    session.out << (file.was_there ? "Read " : "Created ") << file.path
                << (file.encrypted ? " (encrypted by passphrase)" : "") << "\n";
  }
}

std::vector<JsonObject> JsonOf(const std::vector<WrittenFile>& files) {
  std::vector<JsonObject> objects;
  objects.reserve(files.size());
  for (const WrittenFile& file : files) {
    objects.push_back(
        {{"path", file.path}, {"created", !file.was_there}, {"encrypted", file.encrypted}});
  }
  return objects;
}

struct InitArguments {
  SubjectArguments subject;
  KeyArguments key;
  InitOptions options;
  int path_length = 0;
  bool no_path_length = false;
  bool to_stdout = false;
};

int RunInit(const Depot& depot, InitArguments& arguments, const Session& session) {
  absl::StatusOr<DistinguishedName> subject =
      arguments.subject.Subject(arguments.subject.common_name);
  if (!subject.ok()) return session.Fail(subject.status());
  arguments.options.subject = *std::move(subject);
  arguments.options.key = arguments.key.Choice(session);
  arguments.options.path_length = arguments.path_length;
  if (arguments.no_path_length) arguments.options.path_length.reset();

  const absl::StatusOr<InitResult> result = InitAuthority(depot, arguments.options, session.clock);
  if (!result.ok()) return session.Fail(result.status());
  if (session.json) {
    session.Print(JsonObject{{"ok", true}, {"files", JsonOf(result->files)}}.Add(
        JsonOf(result->certificate)));
    return kExitDone;
  }
  PrintFiles(result->files, session);
  session.out << session.Dim("  a CA: " + InWords(result->certificate, session)) << "\n";
  if (arguments.to_stdout) session.out << result->certificate.ToPem();
  return kExitDone;
}

struct RequestArguments {
  SubjectArguments subject;
  KeyArguments key;
  std::vector<std::string> addresses, domains, uris;
  std::string request_file;
  bool to_stdout = false;
};

int RunRequest(const Depot& depot, const RequestArguments& arguments, const Session& session) {
  RequestOptions options;
  const std::array<std::pair<const char*, const std::vector<std::string>*>, 3> kinds = {
      {{"dns:", &arguments.domains}, {"ip:", &arguments.addresses}, {"uri:", &arguments.uris}}};
  for (const auto& [kind, texts] : kinds) {
    for (const std::string& text : *texts) {
      absl::StatusOr<AlternativeName> name = AlternativeName::Parse(kind + text);
      if (!name.ok()) {
        return session.Fail(MakeError(Reason::kUsageError, ToStd(name.status().message())));
      }
      options.names.push_back(*std::move(name));
    }
  }
  options.name = arguments.subject.common_name;
  if (options.name.empty() && !options.names.empty())
    options.name = options.names.front().ToPlainString();
  if (options.name.empty()) {
    return session.Fail(
        MakeError(Reason::kUsageError,
                  "a request needs a name: give --common-name, --domain, --ip or --uri"));
  }
  absl::StatusOr<DistinguishedName> subject = arguments.subject.Subject(options.name);
  if (!subject.ok()) return session.Fail(subject.status());
  options.subject = *std::move(subject);
  options.key = arguments.key.Choice(session);
  options.request_file = arguments.request_file;

  const absl::StatusOr<RequestResult> result = MakeRequest(depot, options);
  if (!result.ok()) return session.Fail(result.status());
  if (session.json) {
    std::vector<std::string> names;
    for (const AlternativeName& name : result->request.alternative_names()) {
      names.push_back(name.ToPlainString());
    }
    session.Print({{"ok", true},
                   {"files", JsonOf(result->files)},
                   {"subject", result->request.subject().ToString()},
                   {"names", names}});
    return kExitDone;
  }
  PrintFiles(result->files, session);
  if (arguments.to_stdout) session.out << result->request.ToPem();
  return kExitDone;
}

}  // namespace

void AddCaInitCommand(CLI::App& ca, const CaContext& context) {
  CLI::App* init =
      ca.add_subcommand("init", "create a CA: key, self-signed certificate, empty CRL");
  auto init_arguments = std::make_shared<InitArguments>();
  init_arguments->subject.AddTo(*init);
  init->get_option("--common-name")->required();
  init_arguments->key.AddTo(*init, 4096, "use a copy of this key instead of a new one");
  init->add_option("--expires", init_arguments->options.expires, "lifetime, such as \"10 years\"")
      ->type_name("TIME")
      ->capture_default_str();
  CLI::Option* path_length = init->add_option("--path-length", init_arguments->path_length,
                                              "how many CAs may follow below")
                                 ->type_name("N")
                                 ->check(CLI::Range(0, 10).description(""))
                                 ->capture_default_str();
  init->add_flag("--exclude-path-length", init_arguments->no_path_length, "set no such limit")
      ->excludes(path_length);
  init->add_option("--permit-domain", init_arguments->options.permit_domains,
                   "only names in this domain are valid below the CA; may be repeated")
      ->type_name("DOMAIN")
      ->allow_extra_args(false);
  init->add_flag("--stdout", init_arguments->to_stdout, "print the certificate too");
  init->footer(kInitExamples);
  context.OnChosen(init, [init_arguments](const Depot& depot, const Session& session) {
    return RunInit(depot, *init_arguments, session);
  });
}

void AddCaRequestCommand(CLI::App& ca, const CaContext& context) {
  CLI::App* request =
      ca.add_subcommand("request-cert", "create a key and a request for its certificate");
  auto request_arguments = std::make_shared<RequestArguments>();
  request_arguments->subject.AddTo(*request);
  const auto names = [request](const char* option, std::vector<std::string>& to, const char* help) {
    request->add_option(option, to, help)
        ->type_name("LIST")
        ->allow_extra_args(false)
        ->delimiter(',');
  };
  names("--ip", request_arguments->addresses, "IP addresses asked for, separated by commas");
  names("--domain", request_arguments->domains, "DNS names asked for");
  names("--uri", request_arguments->uris, "URIs asked for, such as SPIFFE IDs");
  request_arguments->key.AddTo(*request, 2048,
                               "use the key in this file, or write a new one there");
  request->add_option("--csr", request_arguments->request_file, "write the request here")
      ->type_name("FILE");
  request->add_flag("--stdout", request_arguments->to_stdout, "print the request too");
  request->footer(kRequestExamples);
  context.OnChosen(request, [request_arguments](const Depot& depot, const Session& session) {
    return RunRequest(depot, *request_arguments, session);
  });
}

}  // namespace troth
