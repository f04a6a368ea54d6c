// troth serve: the online authority.
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "troth/base/reason.h"
#include "troth/base/stop_signal.h"
#include "troth/base/strings.h"
#include "troth/cli/command.h"
#include "troth/cli/json.h"
#include "troth/cli/passphrase.h"
#include "troth/pki/digest.h"
#include "troth/rpc/handshake_log.h"
#include "troth/server/serve.h"

namespace troth {
namespace {

constexpr const char* kExamples = R"(Examples:
  troth serve                                     an authority in ./authority, on 127.0.0.1
  troth serve --data /var/lib/troth --listen 0.0.0.0:8443 --grpc-listen 0.0.0.0:8444 \
      --http-listen 0.0.0.0:8080 --dns-name ca.example.org --public-url http://ca.example.org:8080
  troth serve --data caramel --one-tier --listen 0.0.0.0:8443 --dns-name ca.example.org
      for Caramel's clients; --sign-unseen-uuids signs what is named by a UUID never seen before

The first start makes the authority: a root, an issuer, and an empty store, in a folder that only you can read. Names given later
with --dns-name are added to the server's certificate, which the authority issues and replaces itself. Take root.key away from
the folder, or give --passphrase-file on the first start: only a new issuer needs it.
DATA/profiles.toml says what certificates may contain; without it the built-in profiles count.
Ctrl-C or SIGTERM lets requests that have begun end.)";

constexpr std::chrono::milliseconds kPatience{10'000};

struct Arguments {
  ServeOptions serve{.folder = "authority"};
  PassphraseOptions passphrase;
};

// Each connection takes a descriptor or two, and what a process usually may have is for programs
// that call select.
void AllowDescriptors() {
  constexpr rlim_t kEnough = 65536;
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= kEnough) return;
  limit.rlim_cur = std::min(limit.rlim_max, kEnough);
  setrlimit(RLIMIT_NOFILE, &limit);
}

// What an operator wants to know of an authority that has started, and the next three commands.
void PrintStart(const Session& session, const Arguments& arguments, RunningAuthority& running) {
  Authority& authority = running.authority();
  const std::string fingerprint = FormatFingerprint(authority.root().fingerprint());
  const bool one_tier = authority.settings().one_tier;
  if (session.json) {
    session.Print({{"data", arguments.serve.folder},
                   {"created", running.was_created()},
                   {"root_fingerprint", fingerprint},
                   {"https", running.https_address()},
                   {"grpc", running.grpc_address()},
                   {"http", running.http_address()},
                   {"one_tier", one_tier},
                   {"trust_domain", authority.settings().trust_domain},
                   {"public_url", authority.settings().public_url}});
    session.out << std::flush;
    return;
  }
  const std::string& folder = arguments.serve.folder;
  session.out << (running.was_created() ? "Made a new authority in " : "Serving the authority in ")
              << session.Bold(folder) << "\n"
              << "  root:    " << authority.root().subject().ToString() << ", until "
              << FormatTime(authority.root().validity().not_after) << "\n"
              << "  SHA-256: " << session.Bold(fingerprint) << "\n";
  if (!one_tier) {
    session.out << "  issuer:  " << authority.issuer().subject().ToString() << ", until "
                << FormatTime(authority.issuer().validity().not_after) << "\n";
  }
  const auto line = [&](const char* label, const std::string& address) {
    if (!address.empty()) session.out << label << address << "\n";
  };
  line("  HTTPS:   https://", running.https_address());
  line("  gRPC:    ", running.grpc_address());
  line("  HTTP:    http://", running.http_address());
  const std::string& public_url = authority.settings().public_url;
  session.out << "  lists:   "
              << (public_url.empty() ? "certificates say no address of theirs; give --public-url"
                                     : public_url + "/crl, as certificates say")
              << "\n";
  session.out << "\nNext, in another terminal:\n";
  if (one_tier) {
    session.out << "  troth enroll --caramel --fingerprint " << fingerprint << " "
                << running.https_address() << " NAME\n"
                << "  troth requests list --data " << folder << "\n"
                << "  troth requests approve NAME --data " << folder << "\n";
  } else {
    session.out << "  troth tokens create --name NAME --data " << folder << " > token\n"
                << "  troth enroll --token-file token " << running.https_address() << " NAME\n"
                << "  troth certificates list --data " << folder << "\n";
  }
  session.out << std::flush;
}

int RunServe(Session& session, Arguments& arguments) {
  auto given = arguments.passphrase.Given();
  if (!given.ok()) return session.Fail(given.status());
  if (given->has_value()) arguments.serve.new_root_passphrase = &**given;
  arguments.serve.ask = AskOnlyAtTheStart(arguments.passphrase, session);
  arguments.serve.clock = &session.clock;

  AllowDescriptors();
  EnableHandshakeLog();
  const StopSignal stop;
  auto running = RunningAuthority::Start(arguments.serve);
  if (!running.ok()) return session.Fail(running.status());
  PrintStart(session, arguments, **running);
  stop.Wait();
  if (!session.json) session.err << "stopping" << std::endl;
  (*running)->Shutdown(kPatience);
  return kExitDone;
}

}  // namespace

void AddServeCommand(CLI::App& app, Session& session) {
  auto arguments = std::make_shared<Arguments>();
  ServeOptions& serve = arguments->serve;
  CLI::App* command = app.add_subcommand("serve", "Run a certificate authority");
  command->footer(kExamples);
  command->add_option("--data", serve.folder, "Folder of its state; made on the first start")
      ->capture_default_str();
  command->add_option("--listen", serve.listen, "ADDR:PORT for HTTPS; \"\" for none")
      ->capture_default_str();
  command->add_option("--grpc-listen", serve.grpc_listen, "ADDR:PORT for gRPC; \"\" for none")
      ->capture_default_str();
  command->add_option("--http-listen", serve.http_listen,
                      "ADDR:PORT for plain HTTP: revocation lists, issuers, health, metrics");
  command->add_option("--dns-name", serve.dns_names,
                      "A name or address that clients reach the servers by; may be repeated");
  command->add_flag("--one-tier", serve.one_tier,
                    "Sign with the root, and speak the protocol of Caramel's clients");
  command->add_flag("--sign-unseen-uuids", serve.sign_unseen_uuids,
                    "With --one-tier: sign at once what is named by a UUID never seen before");
  command->add_option("--trust-domain", serve.trust_domain,
                      "First start: of SPIFFE IDs; default: the first --dns-name");
  command->add_option(
      "--public-url", serve.public_url,
      "http://HOST:PORT of revocation lists and issuers, written into certificates; "
      "default on the first start: the first --dns-name with --http-listen's port");
  command->add_option("--root-common-name", serve.root_common_name,
                      "First start: common name of the root");
  command->add_option("--threads", serve.threads, "Threads that answer HTTPS")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  arguments->passphrase.AddTo(*command);
  command->callback([arguments, &session] {
    session.run = [arguments, &session] { return RunServe(session, *arguments); };
  });
}

}  // namespace troth
