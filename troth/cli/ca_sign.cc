// troth ca sign: a certificate for a request.
#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "troth/base/reason.h"
#include "troth/ca/file_authority.h"
#include "troth/cli/ca_internal.h"
#include "troth/cli/certificate_text.h"

namespace troth {
namespace {

constexpr const char* kSignExamples = R"(Examples:
  troth ca sign 192.168.1.18 --CA umd.fluidfs.com
  troth ca sign issuer --CA root --intermediate --expires "5 years"
  troth ca sign attestor1 --csr attestor1.csr --ca-certificate ca.cer --ca-key ca.key --cert attestor1.cer
A request gives its key, its subject and the names that it asks for; nothing else of it reaches the certificate.)";

struct SignArguments {
  SignOptions options;
  PassphraseOptions passphrase;
  CLI::Option* expires = nullptr;
  CLI::Option* path_length = nullptr;
  bool to_stdout = false;
};

int RunSign(const Depot& depot, SignArguments& arguments, const Session& session) {
  SignOptions& options = arguments.options;
  if (options.authority.empty() &&
      (options.authority_certificate_file.empty() || options.authority_key_file.empty())) {
    return session.Fail(MakeError(Reason::kUsageError,
                                  "who signs: give --CA NAME, or --ca-certificate and --ca-key"));
  }
  if (arguments.path_length->count() > 0 && !options.intermediate) {
    return session.Fail(
        MakeError(Reason::kUsageError,
                  "--path-length says how deep an intermediate may go; give --intermediate"));
  }
  options.open_passphrase = AskFor(arguments.passphrase, session);
  const absl::StatusOr<SignResult> result = SignRequest(depot, options, session.clock);
  if (!result.ok()) return session.Fail(result.status());
  for (const std::string& warning : result->warnings) session.Warn(warning);
  // The usual lifetime is the longest that makes sense, not a wish.
  if (result->ends_with_authority && arguments.expires->count() > 0) {
    session.Warn("the CA ends before the lifetime asked for, and the certificate with it");
  }
  if (session.json) {
    session.Print(JsonObject{
        {"ok", true}, {"certificate", result->certificate_file}, {"request", result->request_file}}
                      .Add(JsonOf(result->certificate)));
    return kExitDone;
  }
  session.out << "Created " << result->certificate_file << " from " << result->request_file
              << " signed by " << result->authority_key_file << "\n"
              << session.Dim(std::string(options.intermediate ? "  an intermediate CA: " : "  ") +
                             InWords(result->certificate, session))
              << "\n";
  if (arguments.to_stdout) session.out << result->certificate.ToPem();
  return kExitDone;
}

}  // namespace

void AddCaSignCommand(CLI::App& ca, const CaContext& context) {
  CLI::App* sign = ca.add_subcommand("sign", "sign a request: make its certificate");
  auto sign_arguments = std::make_shared<SignArguments>();
  SignOptions& sign_options = sign_arguments->options;
  sign->add_option("NAME", sign_options.name, "name of the request")->required();
  sign->add_option("--CA", sign_options.authority, "name of the CA that signs")->type_name("NAME");
  sign_arguments->expires =
      sign->add_option("--expires", sign_options.expires, "lifetime; never beyond the CA's")
          ->type_name("TIME")
          ->capture_default_str();
  sign->add_option("--csr", sign_options.request_file, "the request's file")->type_name("FILE");
  sign->add_option("--cert,--out", sign_options.certificate_file, "write the certificate here")
      ->type_name("FILE");
  sign->add_option("--ca-certificate", sign_options.authority_certificate_file,
                   "the CA's certificate file")
      ->type_name("FILE");
  sign->add_option("--ca-key", sign_options.authority_key_file, "the CA's key file")
      ->type_name("FILE");
  sign->add_flag("--intermediate", sign_options.intermediate, "make it a CA below this one");
  sign_arguments->path_length = sign->add_option("--path-length", sign_options.path_length,
                                                 "how many CAs may follow below an intermediate")
                                    ->type_name("N")
                                    ->check(CLI::Range(0, 10).description(""))
                                    ->capture_default_str();
  sign_arguments->passphrase.AddTo(*sign);
  sign->add_flag("--stdout", sign_arguments->to_stdout, "print the certificate too");
  sign->footer(kSignExamples);
  context.OnChosen(sign, [sign_arguments](const Depot& depot, const Session& session) {
    return RunSign(depot, *sign_arguments, session);
  });
}

}  // namespace troth
