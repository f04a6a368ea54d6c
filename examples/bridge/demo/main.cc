// bridge_demo [--stay]: makes certificates, starts the three services of the bridge, calls them
// with good and bad certificates, and replaces a certificate and a policy while calls run. Prints
// what happened; ends with 0 only when all of it went as it should.
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "examples/bridge/demo/callers.h"
#include "examples/bridge/demo/calls.h"
#include "examples/bridge/demo/load.h"
#include "examples/bridge/demo/process.h"
#include "troth/base/file.h"
#include "troth/base/log.h"
#include "troth/base/strings.h"

namespace bridge {
namespace {

namespace fs = std::filesystem;
using SteadyTime = std::chrono::steady_clock::time_point;

constexpr int kConnections = 16;
constexpr int kCallsPerConnection = 200;

class Demo {
 public:
  Demo(fs::path programs, fs::path sources)
      : programs_(std::move(programs)), sources_(std::move(sources)) {
    std::string name = (fs::temp_directory_path() / "troth-bridge-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make a temporary folder");
    folder_ = name;
  }
  Demo(const Demo&) = delete;
  Demo& operator=(const Demo&) = delete;
  ~Demo() {
    services_.clear();
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }

  // Whether all went as it should.
  bool Run() {
    MakeCertificates();
    StartServices();
    const CallerFactory factory(Path("core/certs"));
    PrintMatrix(factory);
    ChangeUnderLoad(factory);
    RefuseOnOpenConnections(factory);
    return good_;
  }

  void PrintCommands() const {
    const std::string certs = Path("core/certs");
    const std::string client =
        " -cert " + certs + "/client/client.pem -key " + certs + "/client/client.key ";
    const std::string troth = (programs_ / "troth").string();
    const auto& address = endpoints_.at("operator");
    std::cout
        << "grpcurl -cacert " << certs << "/ca/ca.pem" << client << address << " list\n"
        << "grpcurl -cacert " << certs << "/ca/ca.pem" << client << address
        << " clementine.ClementineOperator/InternalEndRound\n"
        << "grpcurl -cacert " << certs << "/ca/ca.pem" << client << address
        << " clementine.ClementineOperator/GetXOnlyPublicKey\n"
        << "grpcurl -cacert " << certs << "/ca/ca.pem " << endpoints_.at("aggregator") << " list\n"
        << troth << " verify " << certs << "/server/server.pem --trust-bundle " << certs
        << "/ca/ca.pem --name localhost --usage server\n"
        << "cd " << folder_.string() << " && " << troth
        << " policy explain policy.toml --certificate core/certs/client/client.pem --trust-bundle "
           "core/certs/ca/ca.pem --method /clementine.ClementineOperator/InternalEndRound\n"
        << "cd " << folder_.string() << " && " << troth << " certs generate --renew server\n"
        << "tail -f " << Path("operator.log") << "\n";
  }

 private:
  std::string Path(const std::string& name) const { return (folder_ / name).string(); }

  void Headline(const std::string& text) const { std::cout << "\n== " << text << std::endl; }

  // Notes whether something is as it should be, and returns the mark to print.
  const char* Expect(bool as_it_should_be) {
    good_ = good_ && as_it_should_be;
    return as_it_should_be ? "" : "   <-- NOT AS IT SHOULD BE";
  }

  void Troth(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), (programs_ / "troth").string());
    std::cout << "   $ troth";
    for (size_t i = 1; i < arguments.size(); ++i) std::cout << " " << arguments[i];
    std::cout << std::endl;
    if (RunCommand(arguments, folder_, Path("troth.log")) != 0) {
      throw std::runtime_error("the command failed:\n" + ReadAll(Path("troth.log")));
    }
  }

  static std::string ReadAll(const std::string& path) {
    std::ifstream file(path);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }

  void MakeCertificates() {
    Headline("Certificates for three services and their callers");
    Troth({"certs", "generate", "--key-type", "p256"});
    for (const char* name :
         {"operator.toml", "verifier.toml", "policy.toml", "aggregator-policy.toml"}) {
      fs::copy_file(sources_ / name, folder_ / name);
    }
    fs::create_directory(folder_ / "crls");
  }

  void Start(const std::string& role) {
    services_.push_back(std::make_unique<Process>(
        std::vector<std::string>{(programs_ / "bridge").string(), role, "--config", role + ".toml"},
        folder_, Path(role + ".log")));
    const std::string line = services_.back()->ReadLine();  // "operator listens on 127.0.0.1:40000"
    if (line.find(" listens on ") == std::string::npos) {
      throw std::runtime_error(role + " did not start:\n" + ReadAll(Path(role + ".log")));
    }
    endpoints_[role] = line.substr(line.rfind(' ') + 1);
    std::cout << "   " << line << std::endl;
  }

  void StartServices() {
    Headline("The services");
    Start("operator");
    Start("verifier");
    std::string aggregator = ReadAll((sources_ / "aggregator.toml").string());
    const auto replace = [&](const std::string& from, const std::string& to) {
      aggregator.replace(aggregator.find(from), from.size(), to);
    };
    replace("127.0.0.1:50051", endpoints_["operator"]);
    replace("127.0.0.1:50052", endpoints_["verifier"]);
    std::ofstream(Path("aggregator.toml")) << aggregator;
    Start("aggregator");
  }

  void PrintMatrix(const CallerFactory& factory) {
    Headline("Who may call what");
    const std::vector<Caller> callers = {
        factory.FromTree("aggregator", "aggregator"),
        factory.FromTree("own client", "client"),
        factory.FromTree("server", "server"),
        factory.Issued("auditor", "auditor", std::chrono::hours(1)),
        factory.WithoutCertificate(),
        factory.SelfSigned(),
        factory.OfForeignCa(),
        factory.Expired()};
    // What the seed's table says: public methods for the aggregator, internal ones for the own
    // client.
    const auto expected = [](const Caller& caller, const Call& call) {
      const bool internal = call.name.find("/Internal") != std::string::npos;
      return (caller.name == "aggregator" && !internal) ||
             (caller.name == "own client" && internal) ||
             (caller.name == "auditor" && call.name == "Operator/GetXOnlyPublicKey");
    };
    std::printf("   %-31s", "");
    for (const Caller& caller : callers) std::printf(" %-14s", caller.name.c_str());
    std::printf("\n");

    std::vector<std::string> reasons;
    std::map<std::string, std::string> messages;
    std::map<std::string, std::map<std::string, std::shared_ptr<grpc::Channel>>> channels;
    for (const Call& call : AllCalls()) {
      std::printf("   %-31s", call.name.c_str());
      for (const Caller& caller : callers) {
        auto& channel = channels[call.service][caller.name];
        if (channel == nullptr) channel = Connect(endpoints_[call.service], caller);
        const grpc::Status status = call.make(channel, nullptr);
        std::string cell = "yes";
        if (!status.ok()) {
          const std::string reason = ReasonCode(status);
          if (messages.emplace(reason, status.error_message()).second) reasons.push_back(reason);
          const auto at = std::find(reasons.begin(), reasons.end(), reason) - reasons.begin();
          cell = "no (" + std::to_string(at + 1) + ")";
        }
        if (status.ok() != expected(caller, call)) cell += " WRONG";
        Expect(status.ok() == expected(caller, call));
        std::printf(" %-14s", cell.c_str());
      }
      std::printf("\n");
    }
    for (size_t i = 0; i < reasons.size(); ++i) {
      std::printf("   (%zu) %s\n       %s\n", i + 1, reasons[i].c_str(),
                  messages[reasons[i]].c_str());
    }
    std::fflush(stdout);
  }

  // Milliseconds from now until `done` is true, asked again and again; -1 when that takes longer
  // than `limit`.
  template <typename Done>
  static double MillisecondsUntil(Done done,
                                  std::chrono::seconds limit = std::chrono::seconds(10)) {
    const SteadyTime begin = std::chrono::steady_clock::now();
    while (!done()) {
      if (std::chrono::steady_clock::now() - begin > limit) return -1;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin)
        .count();
  }

  void PrintTime(const std::string& what, double milliseconds) {
    std::printf("   %-62s %8.1f ms%s\n", what.c_str(), milliseconds, Expect(milliseconds >= 0));
    std::fflush(stdout);
  }

  void ChangeUnderLoad(const CallerFactory& factory) {
    Headline("A certificate and a policy replaced under load");
    const std::string& endpoint = endpoints_["operator"];
    const Caller aggregator = factory.FromTree("aggregator", "aggregator");
    const Caller auditor = factory.Issued("auditor", "auditor", std::chrono::hours(1));
    const auto open_connection = Connect(endpoint, auditor);
    Expect(GetKey(open_connection).ok());

    Load load(endpoint, aggregator, factory.FromTree("own client", "client"), kConnections,
              kCallsPerConnection);
    const auto calls = [&] { return load.calls(); };
    MillisecondsUntil([&] { return calls() > 1000; });

    std::string before;
    Expect(GetKey(Connect(endpoint, aggregator), &before).ok());
    Troth({"certs", "generate", "--renew", "server", "--key-type", "p256"});
    const double new_certificate = MillisecondsUntil([&] {
      std::string now;
      return GetKey(Connect(endpoint, aggregator), &now).ok() && now != before;
    });
    PrintTime("until new connections see the operator's new certificate", new_certificate);

    std::string policy = ReadAll(Path("policy.toml"));
    const std::string from = R"(allow   = ["aggregator", "auditor"])";
    policy.replace(policy.find(from), from.size(), R"(allow   = ["aggregator"])");
    if (!troth::WriteFile(Path("policy.toml"), policy, {.overwrite = troth::Overwrite::kReplace})
             .ok()) {
      throw std::runtime_error("cannot write the policy");
    }
    grpc::Status refusal;
    const double new_policy = MillisecondsUntil([&] {
      refusal = GetKey(open_connection);
      return !refusal.ok();
    });
    PrintTime("until the auditor, withdrawn from the policy, is refused", new_policy);
    std::printf("      on its open connection: %s%s\n", refusal.error_message().c_str(),
                Expect(ReasonCode(refusal) == "role_not_allowed"));

    const std::uint64_t at_change = calls();
    MillisecondsUntil([&] { return calls() > at_change + 2000; });
    load.Stop();
    std::printf("   %llu calls on %llu connections (%d at a time): %llu failed%s\n",
                static_cast<unsigned long long>(load.calls()),
                static_cast<unsigned long long>(load.connections()), kConnections,
                static_cast<unsigned long long>(load.failed()), Expect(load.failed() == 0));
    if (load.failed() != 0) std::printf("      first: %s\n", load.first_failure().c_str());
    std::fflush(stdout);
  }

  // Makes calls on one connection until one is refused, and prints how.
  void PrintRefusal(const std::string& who, const std::shared_ptr<grpc::Channel>& channel,
                    const std::string& reason) {
    grpc::Status refusal;
    MillisecondsUntil([&] {
      refusal = EndRound(channel);
      return !refusal.ok();
    });
    const bool open = channel->GetState(false) == GRPC_CHANNEL_READY;
    std::printf("   %-30s %s%s\n", who.c_str(), refusal.error_message().c_str(),
                Expect(ReasonCode(refusal) == reason && open));
    std::fflush(stdout);
  }

  void RefuseOnOpenConnections(const CallerFactory& factory) {
    Headline("Refused on an open connection");
    // Let the callers' names in, so that nothing but the state of their certificates can stand
    // against them.
    std::string policy = ReadAll(Path("policy.toml"));
    policy +=
        "\n[[rules]]\nmethods = [\"/clementine.ClementineOperator/InternalEndRound\"]\nallow   = "
        "[\"self\", \"auditor\"]\n";
    if (!troth::WriteFile(Path("policy.toml"), policy, {.overwrite = troth::Overwrite::kReplace})
             .ok()) {
      throw std::runtime_error("cannot write the policy");
    }
    const std::string& endpoint = endpoints_["operator"];
    const auto open = [&](const Caller& caller) {
      auto channel = Connect(endpoint, caller);
      Expect(MillisecondsUntil([&] { return EndRound(channel).ok(); }) >= 0);
      return channel;
    };
    const Caller revoked = factory.Issued("revoked", "auditor", std::chrono::hours(1));
    const auto revoked_channel = open(revoked);
    const auto expiring_channel =
        open(factory.Issued("expiring", "auditor", std::chrono::seconds(3)));
    PrintRefusal("expired while connected:", expiring_channel, "certificate_expired");
    factory.Revoke(revoked, Path("crls/ca.crl"));
    PrintRefusal("revoked while connected:", revoked_channel, "certificate_revoked");
    PrintRefusal("of another CA:", Connect(endpoint, factory.OfForeignCa()), "issuer_unknown");
    PrintRefusal("self-signed:", Connect(endpoint, factory.SelfSigned()),
                 "certificate_self_signed");
  }

  const fs::path programs_;
  const fs::path sources_;
  fs::path folder_;
  std::vector<std::unique_ptr<Process>> services_;
  std::map<std::string, std::string> endpoints_;
  bool good_ = true;
};

int Main(bool stay) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  troth::SetLogSink([](const troth::LogEntry&) {});  // the services' logs are what counts here
  try {
    Demo demo(fs::canonical("/proc/self/exe").parent_path(),
              fs::path(TROTH_SOURCE_DIR) / "examples" / "bridge");
    const bool good = demo.Run();
    std::cout << "\n"
              << (good ? "All went as it should." : "Something did NOT go as it should: see above.")
              << std::endl;
    if (!stay) {
      std::cout
          << "\nTo try it by hand, with everything running: make demo\n"
             "It prints commands such as: grpcurl -cacert CA -cert CERT -key KEY ADDRESS list\n";
      return good ? 0 : 1;
    }
    std::cout << "\nThe services stay up until Ctrl-C. In another terminal:\n\n";
    demo.PrintCommands();
    std::cout << std::flush;
    int received = 0;
    sigwait(&signals, &received);
    return good ? 0 : 1;
  } catch (const std::exception& error) {
    std::cerr << "bridge_demo: " << error.what() << "\n";
    return 1;
  }
}

}  // namespace
}  // namespace bridge

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const bool stay = arguments == std::vector<std::string>{"--stay"};
  if (!arguments.empty() && !stay) {
    std::cerr << "usage: bridge_demo [--stay]\n";
    return 64;
  }
  return bridge::Main(stay);
}
