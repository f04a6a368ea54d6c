// troth policy serve: answers nginx's auth_request.
#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "troth/authz/guard.h"
#include "troth/base/reason.h"
#include "troth/base/stop_signal.h"
#include "troth/base/strings.h"
#include "troth/cli/command.h"
#include "troth/cli/policy_internal.h"
#include "troth/http/server.h"
#include "troth/identity/identity_source.h"
#include "troth/nginx/auth_request.h"
#include "troth/nginx/config_value.h"

namespace troth {
namespace {

constexpr const char* kExamples = R"(Examples:
  troth policy serve --policy policy.toml --trust-bundle ca.pem --crl crls.pem --listen unix:/run/troth/policy.sock
  troth policy serve --policy policy.toml --trust-bundle ca.pem --listen 127.0.0.1:9443

Decides for an nginx that `troth nginx-config` has set up. Run it as the user of nginx's workers (www-data): the socket is closed to all others. Policy,
trust bundle and revocation lists are watched: replace the files, and the next request is decided by the new ones. The trust bundle holds
every CA that certifies clients, intermediates too, for nginx passes on the client's own certificate alone. Without it only pinned
certificates have roles. Refusals are in the log. Described in docs/nginx.md.)";

// A certificate of nginx's field is some 3 KB; names may make it longer.
constexpr size_t kMostHeaderBytes = size_t{128} << 10;
constexpr std::chrono::seconds kPatience{5};

struct Arguments {
  std::string policy;
  std::string trust_bundle;
  std::vector<std::string> crls;
  bool require_crl = false;
  std::string listen;
};

absl::StatusOr<std::shared_ptr<GuardedPort>> MakePort(const Arguments& arguments,
                                                      const Clock& clock) {
  auto guard = Guard::Create({.policy_file = arguments.policy,
                              .crl_paths = arguments.crls,
                              .revocation = arguments.require_crl ? RevocationCheck::kRequired
                                                                  : RevocationCheck::kWhereListed,
                              .clock = &clock});
  if (!guard.ok()) return guard.status();
  if (!arguments.trust_bundle.empty()) {
    auto trust =
        IdentitySource::WatchFiles({.trust_bundle = arguments.trust_bundle, .clock = &clock});
    if (!trust.ok()) return trust.status();
    return (*guard)->Protect(*std::move(trust), ClientCertificate::kRequire);
  }
  auto nobody = Identity::Create({}, clock.Now());
  if (!nobody.ok()) return nobody.status();
  return (*guard)->Protect(MemoryIdentitySource::Create(*std::move(nobody), clock),
                           ClientCertificate::kRequireUnverified);
}

// Whoever reaches the service can ask it about any certificate.
absl::Status CheckListen(const std::string& listen) {
  if (listen.starts_with("unix:")) return absl::OkStatus();
  // Port 0 is any free one.
  const size_t colon = listen.rfind(':');
  const bool any_port = colon != std::string::npos && listen.substr(colon) == ":0";
  const auto where =
      ParseNginxUpstream(any_port ? listen.substr(0, colon) + ":1" : listen, "--listen");
  if (!where.ok()) return where.status();
  if (where->is_loopback) return absl::OkStatus();
  return MakeError(Reason::kUsageError,
                   "--listen: expected unix:/PATH or a loopback address such as 127.0.0.1:9443, "
                   "for only nginx on this machine may ask; got " +
                       Printable(listen));
}

int RunServe(const Arguments& arguments, const Session& session) {
  if (absl::Status fits = CheckListen(arguments.listen); !fits.ok()) return session.Fail(fits);
  const auto port = MakePort(arguments, session.clock);
  if (!port.ok()) return session.Fail(port.status());
  if (arguments.trust_bundle.empty()) {
    session.Warn("without --trust-bundle only pinned certificates have roles");
  }
  const StopSignal stop;
  const auto server = HttpServer::Start({.listen = arguments.listen,
                                         .limits = {.header_bytes = kMostHeaderBytes,
                                                    .body_bytes = 1,
                                                    .connections_per_address = 8192},
                                         .access_log = false,
                                         .clock = &session.clock},
                                        AuthRequestHandler(*port, session.clock));
  if (!server.ok()) return session.Fail(server.status());
  if (session.json) {
    session.Print({{"listens_on", (*server)->address()}, {"policy", arguments.policy}});
  } else {
    session.out << "policy service listens on " << session.Bold((*server)->address()) << "\n"
                << "  policy: " << Printable(arguments.policy, 400) << std::endl;
  }
  stop.Wait();
  (*server)->Shutdown(kPatience);
  return kExitDone;
}

}  // namespace

void AddPolicyServe(CLI::App& policy, Session& session) {
  CLI::App* command = policy.add_subcommand("serve", "answer nginx who may do what");
  command->footer(kExamples);
  auto arguments = std::make_shared<Arguments>();
  command->add_option("--policy", arguments->policy, "the policy, a TOML file")
      ->type_name("FILE")
      ->required();
  command
      ->add_option("--trust-bundle", arguments->trust_bundle,
                   "PEM file with the CAs that certify clients")
      ->type_name("FILE");
  command
      ->add_option("--crl", arguments->crls, "file or folder of revocation lists; may be repeated")
      ->type_name("PATH")
      ->allow_extra_args(false);
  command->add_flag("--require-crl", arguments->require_crl, "refuse who has no issuer's list");
  command->add_option("--listen", arguments->listen, "where nginx asks")
      ->type_name("unix:PATH|127.0.0.1:PORT")
      ->required();
  command->callback([arguments, &session] {
    session.run = [arguments, &session] { return RunServe(*arguments, session); };
  });
}

}  // namespace troth
