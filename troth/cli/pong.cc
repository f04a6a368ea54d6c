// troth pong: the server of secure ping.
#include <CLI/CLI.hpp>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "examples/sping/pong_server.h"
#include "troth/authz/guard.h"
#include "troth/base/reason.h"
#include "troth/base/stop_signal.h"
#include "troth/base/strings.h"
#include "troth/cli/command.h"
#include "troth/cli/ping_arguments.h"
#include "troth/rpc/handshake_log.h"

namespace troth {
namespace {

constexpr const char* kExamples = R"(Examples:
  troth pong --mode insecure
  troth pong --mode tls --certificate server.pem --private-key server.key
  troth pong --certificate server.pem --private-key server.key --trust-bundle ca.pem
  troth pong --certificate server.pem --private-key server.key --trust-bundle ca.pem --policy policy.toml \
      --verification first-call     tells a refused client why, in place of a dead connection
  troth pong --ca ca.internal:8443 --name db1.internal --token-file token     no files: enrols, and renews itself

Certificate, key, trust bundle, policy and revocation lists are watched: replace the files, and new connections and calls follow without a restart.
Without --policy every client that TLS verified may ping; with --mode tls everybody may. Ctrl-C or SIGTERM lets
calls that have begun end.)";

struct Arguments {
  PingArguments shared;
  std::string listen;
  std::optional<ClientCertificate> client_certificate;
  std::string policy;
  bool verify_at_first_call = false;
};

ClientCertificate ModeOf(const Arguments& arguments) {
  return arguments.client_certificate.value_or(arguments.shared.mode == PingMode::kTls
                                                   ? ClientCertificate::kDontRequest
                                                   : ClientCertificate::kRequire);
}

// What the flags say that does not fit together.
absl::Status CheckArguments(const Arguments& arguments) {
  const PingMode mode = arguments.shared.mode;
  if (mode == PingMode::kInsecure &&
      (!arguments.policy.empty() || arguments.client_certificate.has_value())) {
    return MakeError(Reason::kUsageError,
                     "--mode insecure knows no clients, so --policy and --client-certificate mean "
                     "nothing; leave them out, or choose --mode tls or mutual");
  }
  if (mode == PingMode::kTls && ModeOf(arguments) != ClientCertificate::kDontRequest) {
    return MakeError(Reason::kUsageError,
                     "--mode tls asks for no client certificate; choose --mode mutual with "
                     "--client-certificate " +
                         std::string(NameOf(*arguments.client_certificate)));
  }
  if (mode == PingMode::kMutual && VerifiesPeers(ModeOf(arguments)) &&
      arguments.shared.trust_bundle.empty() && arguments.shared.authority.empty()) {
    return MakeError(Reason::kUsageError,
                     "--mode mutual needs --trust-bundle FILE: what clients are verified against; "
                     "or --ca HOST:PORT, to enrol");
  }
  if (!arguments.shared.names.empty() && arguments.shared.authority.empty()) {
    return MakeError(Reason::kUsageError,
                     "--name is what --ca certifies; the names of a certificate from a file are "
                     "in it; leave it out, or give --ca HOST:PORT");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<Guard>> MakeGuard(const Arguments& arguments) {
  GuardOptions options;
  if (arguments.policy.empty()) {
    options.policy_text = arguments.shared.mode == PingMode::kTls ? sping::kAnyoneMayPing
                                                                  : sping::kAuthenticatedMayPing;
  } else {
    options.policy_file = arguments.policy;
  }
  options.crl_paths = arguments.shared.crls;
  return Guard::Create(std::move(options));
}

std::string DescribePolicy(const Arguments& arguments) {
  if (!arguments.policy.empty()) return arguments.policy;
  return arguments.shared.mode == PingMode::kTls
             ? "built in: everybody may call everything of echo.SecurePing"
             : "built in: every authenticated client may call everything of echo.SecurePing";
}

// What an operator wants to know of a server that has started.
void PrintStart(const Session& session, const Arguments& arguments, const std::string& address,
                const IdentitySource* identity) {
  const PingMode mode = arguments.shared.mode;
  const Time now = session.clock.Now();
  const std::shared_ptr<const Identity> current = identity ? identity->Current() : nullptr;
  if (session.json) {
    JsonObject document = {{"listens_on", address}, {"mode", DescribeMode(mode)}};
    if (current != nullptr) {
      document.Add({{"client_certificate", NameOf(ModeOf(arguments))},
                    {"identity", current->leaf().Describe()},
                    {"expires", current->expires()},
                    {"policy", DescribePolicy(arguments)}});
    }
    session.Print(document);
    return;
  }
  session.out << "pong listens on " << session.Bold(address) << " (" << DescribeMode(mode);
  if (current == nullptr) {
    session.out << ": everybody can read and answer in its place)" << std::endl;
    return;
  }
  session.out << ", client certificates: " << NameOf(ModeOf(arguments))
              << (arguments.verify_at_first_call ? ", verified at the first call" : "") << ")\n"
              << "  identity: " << current->leaf().Describe() << "\n"
              << "  expires:  " << FormatTime(*current->expires()) << " (in "
              << FormatDuration(*current->expires() - now) << ")\n"
              << "  policy:   " << DescribePolicy(arguments) << std::endl;
}

int RunPong(Session& session, Arguments& arguments) {
  if (const absl::Status fits = CheckArguments(arguments); !fits.ok()) return session.Fail(fits);
  if (arguments.shared.names.empty()) arguments.shared.names = {"localhost"};
  auto identity = LoadPingIdentity(arguments.shared, PingSide::kServer);
  if (!identity.ok()) return session.Fail(identity.status());

  sping::PongOptions options;
  options.address =
      arguments.listen.empty() ? "[::]:" + std::to_string(arguments.shared.port) : arguments.listen;
  options.identity = *identity;
  options.client_certificate = ModeOf(arguments);
  options.verify_at_first_call = arguments.verify_at_first_call;
  if (*identity != nullptr) {
    auto guard = MakeGuard(arguments);
    if (!guard.ok()) return session.Fail(guard.status());
    options.guard = *std::move(guard);
    if (!VerifiesPeers(options.client_certificate) && arguments.policy.empty() &&
        arguments.shared.mode == PingMode::kMutual) {
      session.Warn("with --client-certificate " + std::string(NameOf(options.client_certificate)) +
                   " nobody is verified, and without a --policy that pins certificates nobody may "
                   "call");
    }
  }

  EnableHandshakeLog();
  const StopSignal stop;
  auto server = sping::PongServer::Start(options);
  if (!server.ok()) return session.Fail(server.status());
  const std::string address =
      options.address.substr(0, options.address.rfind(':') + 1) + std::to_string((*server)->port());
  if (!arguments.shared.quiet) PrintStart(session, arguments, address, identity->get());

  std::thread stopper([&] {
    stop.Wait();
    (*server)->Stop();
  });
  (*server)->Run();
  stopper.join();
  if (!arguments.shared.quiet && !session.json) session.out << "pong has stopped" << std::endl;
  return kExitDone;
}

}  // namespace

void AddPongCommand(CLI::App& app, Session& session) {
  CLI::App* command = app.add_subcommand("pong", "answer secure pings (`troth ping`)");
  command->footer(kExamples);
  auto arguments = std::make_shared<Arguments>();
  AddPingArguments(*command, arguments->shared);
  command
      ->add_option("--name", arguments->shared.names,
                   "with --ca: name to be certified, as clients call this server (localhost); may "
                   "be repeated")
      ->option_text("NAME")
      ->allow_extra_args(false);
  command->add_option("--listen", arguments->listen, "where to listen, in place of [::]:PORT")
      ->option_text("ADDR:PORT")
      ->check([](const std::string& text) {
        return text.find(':') == std::string::npos
                   ? "expected ADDRESS:PORT such as 127.0.0.1:3264, got '" + Printable(text) + "'"
                   : std::string();
      });
  command
      ->add_option_function<std::string>(
          "--client-certificate",
          [arguments](const std::string& name) {
            arguments->client_certificate = ClientCertificateFromName(name);
          },
          "none: not asked for; request: asked for, pinned ones count; verify: verified when "
          "shown; require-any: required, pinned ones "
          "count; require: required and verified")
      ->check(CLI::IsMember({"none", "request", "verify", "require-any", "require"})
                  .description("{none,request,verify,require-any,require}"))
      ->default_str("require");
  command
      ->add_option_function<std::string>(
          "--verification",
          [arguments](const std::string& when) {
            arguments->verify_at_first_call = when == "first-call";
          },
          "when clients are verified")
      ->check(CLI::IsMember({"handshake", "first-call"}).description("{handshake,first-call}"))
      ->default_str("handshake");
  command->add_option("--policy", arguments->policy, "who may call what (TOML)")
      ->option_text("FILE");
  command->add_flag("-q,--quiet", arguments->shared.quiet, "print nothing on a good start");
  command->callback([&session, arguments] {
    session.run = [&session, arguments] { return RunPong(session, *arguments); };
  });
}

}  // namespace troth
