// troth nginx-config: writes the server block that puts nginx in front of a service.
#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "troth/authz/policy.h"
#include "troth/base/file.h"
#include "troth/base/reason.h"
#include "troth/base/shell_word.h"
#include "troth/base/strings.h"
#include "troth/cli/command.h"
#include "troth/nginx/config_files.h"
#include "troth/nginx/server_block.h"

namespace troth {
namespace {

constexpr const char* kExamples = R"(Examples:
  troth nginx-config --listen 443 --server-name db.example --certificate db.pem --private-key db.key \
      --trust-bundle ca.pem --crl crls.pem --upstream unix:/run/db-service.sock \
      --policy policy.toml --out /etc/nginx/conf.d/db.conf
  systemctl enable --now troth-policy.service              the policy service, before nginx asks it: see docs/nginx.md
  nginx -t && nginx -s reload
  troth nginx-config --listen 8443 --server-name db.example --certificate db.pem --private-key db.key \
      --trust-bundle ca.pem --upstream 127.0.0.1:8080      who has a certificate may do everything

Checks the files with nginx's eyes first: it says less when one is wrong, or refuses everybody. With --policy nginx asks `troth policy serve` about
every request, and lets nobody in while nobody answers. The service behind is told who the client is in Troth-Client-* fields, which clients
cannot forge. Described in docs/nginx.md.)";

constexpr const char* kDefaultPolicySocket = "unix:/run/troth/policy.sock";

struct Arguments {
  NginxServer server;
  std::string policy;
  std::string policy_socket;
  std::string out;
};

std::string Absolute(const std::string& path) {
  if (path.empty()) return path;
  std::error_code error;
  // Symbolic links stay: replacing them is how some renew certificates.
  const std::filesystem::path absolute = std::filesystem::absolute(path, error);
  return error ? path : absolute.lexically_normal().string();
}

// A configuration that was made here may be replaced, nothing else.
absl::Status WriteOut(const std::string& path, const std::string& text) {
  WriteOptions options;
  if (FileExists(path)) {
    const absl::StatusOr<std::string> old = ReadFile(path);
    if (!old.ok() || !old->starts_with(kNginxServerBlockHead)) {
      return WithFix(MakeError(Reason::kFileExists, Printable(path, 400) +
                                                        ": expected no file, or one of `troth "
                                                        "nginx-config`, got another"),
                     "choose another file, or remove it");
    }
    options.overwrite = Overwrite::kReplace;
  }
  return WriteFile(path, text, options);
}

absl::Status CheckPolicy(Arguments& arguments) {
  if (arguments.policy.empty()) {
    if (arguments.policy_socket.empty()) return absl::OkStatus();
    return MakeError(Reason::kUsageError,
                     "--policy-socket is where the service of --policy listens; give --policy");
  }
  const auto policy = Policy::FromFile(arguments.policy);
  if (!policy.ok()) return policy.status();
  arguments.server.policy_socket =
      arguments.policy_socket.empty() ? kDefaultPolicySocket : arguments.policy_socket;
  return absl::OkStatus();
}

int RunNginxConfig(Arguments& arguments, const Session& session) {
  NginxServer& server = arguments.server;
  for (std::string* path :
       {&server.certificate, &server.private_key, &server.trust_bundle, &server.crl}) {
    *path = Absolute(*path);
  }
  if (absl::Status ok = CheckPolicy(arguments); !ok.ok()) return session.Fail(ok);
  const auto text = NginxServerBlock(server);
  if (!text.ok()) return session.Fail(text.status());
  const auto warnings = CheckNginxFiles(server, session.clock.Now());
  if (!warnings.ok()) return session.Fail(warnings.status());
  for (const std::string& warning : *warnings) session.Warn(warning);
  if (!arguments.out.empty()) {
    if (absl::Status ok = WriteOut(arguments.out, *text); !ok.ok()) return session.Fail(ok);
  }
  std::string serve;
  if (!server.policy_socket.empty()) {
    serve = "troth policy serve --policy " + ShellWord(Absolute(arguments.policy)) +
            " --trust-bundle " + ShellWord(server.trust_bundle) +
            (server.crl.empty() ? "" : " --require-crl --crl " + ShellWord(server.crl)) +
            " --listen " + ShellWord(server.policy_socket);
  }
  if (session.json) {
    session.Print({{"out", arguments.out.empty() ? JsonValue() : JsonValue(arguments.out)},
                   {"configuration", *text},
                   {"policy_serve", serve.empty() ? JsonValue() : JsonValue(serve)}});
    return kExitDone;
  }
  if (arguments.out.empty()) {
    session.out << *text;
  } else {
    session.out << "wrote " << Printable(arguments.out, 400) << "\n";
  }
  if (!serve.empty()) {
    session.err << "nginx will ask who may do what; first of all answer it, as the user of its "
                   "workers:\n  "
                << Printable(serve, 2000) << "\n";
  }
  if (!arguments.out.empty()) {
    session.err << (serve.empty() ? "test it and load it" : "then test it and load it")
                << ": nginx -t && nginx -s reload\n";
  }
  return kExitDone;
}

}  // namespace

void AddNginxConfigCommand(CLI::App& app, Session& session) {
  CLI::App* command =
      app.add_subcommand("nginx-config", "write the server block that puts nginx in front");
  command->footer(kExamples);
  auto arguments = std::make_shared<Arguments>();
  NginxServer& server = arguments->server;
  const auto file = [&](const char* name, std::string& where, const char* help) {
    return command->add_option(name, where, help)->type_name("FILE");
  };
  command->add_option("--listen", server.listen, "where nginx listens: 443, ADDR:443, [IPV6]:443")
      ->type_name("ADDR:PORT")
      ->required();
  command
      ->add_option("--server-name", server.server_names,
                   "name that clients call it by; may be repeated")
      ->type_name("NAME")
      ->allow_extra_args(false)
      ->required();
  file("--certificate", server.certificate, "the server's certificate, then its issuers")
      ->required();
  file("--private-key", server.private_key, "its key, not encrypted")->required();
  file("--trust-bundle", server.trust_bundle, "the CAs of the clients, up to the root")->required();
  file("--crl", server.crl, "one file with the current list of each of those CAs");
  command
      ->add_option("--upstream", server.upstream,
                   "the service behind, plain HTTP: unix:/PATH or 127.0.0.1:PORT")
      ->type_name("WHERE")
      ->required();
  file("--policy", arguments->policy, "who may do what; `troth policy serve` answers by it");
  command
      ->add_option("--policy-socket", arguments->policy_socket,
                   "where that listens (unix:/run/troth/policy.sock)")
      ->type_name("WHERE");
  file("--out", arguments->out, "write it there, whole or not at all, in place of printing it");
  command->callback([arguments, &session] {
    session.run = [arguments, &session] { return RunNginxConfig(*arguments, session); };
  });
}

}  // namespace troth
