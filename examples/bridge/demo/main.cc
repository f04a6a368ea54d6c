// bridge_demo [--stay]: starts an authority, has the three services of the bridge enrol with it and
// starts them, calls them with good and bad certificates, renews certificates and replaces a policy
// while calls run, and revokes one. Prints what happened; ends with 0 only when all of it went as
// it should.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "examples/bridge/demo/callers.h"
#include "examples/bridge/demo/calls.h"
#include "examples/bridge/demo/load.h"
#include "examples/bridge/demo/site.h"
#include "troth/base/log.h"
#include "troth/base/strings.h"
#include "troth/base/time.h"

namespace bridge {
namespace {

namespace fs = std::filesystem;
using SteadyTime = std::chrono::steady_clock::time_point;

constexpr int kConnections = 16;
constexpr int kCallsPerConnection = 200;

class Demo {
 public:
  Demo(const fs::path& programs, fs::path sources)
      : sources_(std::move(sources)), site_(programs) {}

  // Whether all went as it should.
  bool Run() {
    StartAuthority();
    Enroll();
    StartServices();
    const CallerFactory factory(site_.authority(), site_.root_pem());
    PrintMatrix(factory);
    ChangeUnderLoad(factory);
    RefuseOnOpenConnections(factory);
    Revoke(factory);
    return good_;
  }

  void PrintCommands() const {
    const std::string& ca = site_.authority();
    const std::string client =
        " -cert core/certs/client/client.pem -key core/certs/client/client.pem ";
    const std::string& address = endpoints_.at("operator");
    std::cout << "cd " << site_.Path("operator") << "   # the operator's machine\n"
              << "export PATH=" << fs::path(site_.troth()).parent_path().string() << ":$PATH\n\n"
              << "grpcurl -cacert core/certs/ca/ca.pem" << client << address << " list\n"
              << "grpcurl -cacert core/certs/ca/ca.pem" << client << address
              << " clementine.ClementineOperator/InternalEndRound\n"
              << "grpcurl -cacert core/certs/ca/ca.pem" << client << address
              << " clementine.ClementineOperator/GetXOnlyPublicKey   # refused\n"
              << "grpcurl -cacert core/certs/ca/ca.pem " << endpoints_.at("aggregator") << " list\n"
              << "troth policy explain policy.toml --certificate "
                 "core/certs/aggregator/aggregator.pem --trust-bundle ../authority/issuer.pem "
                 "--method /clementine.ClementineOperator/Withdraw\n"
              << "troth enroll " << ca
              << " operator.bridge.internal --name localhost --name 127.0.0.1 --renew-before 90d "
                 "--trust-bundle core/certs/ca/ca.pem --out core/certs/server/server.pem\n"
              << "troth certificates list --data ../authority\n"
              << "troth tokens create --data ../authority --name db1.bridge.internal > token\n"
              << "troth enroll " << ca << " db1.bridge.internal --token-file token --out db1.pem\n"
              << "troth certificates revoke db1.bridge.internal --data ../authority\n"
              << "troth enroll " << ca
              << " db1.bridge.internal --renew-before 90d --out db1.pem   # refused\n"
              << "troth ledger verify --data ../authority\n"
              << "curl -s http://" << site_.authority_http()
              << "/crl | openssl crl -inform der -noout -text\n"
              << "tail -f ../operator.log\n";
  }

 private:
  void Headline(const std::string& text) const { std::cout << "\n== " << text << std::endl; }

  // Notes whether something is as it should be, and returns the mark to print.
  const char* Expect(bool as_it_should_be) {
    good_ = good_ && as_it_should_be;
    return as_it_should_be ? "" : "   <-- NOT AS IT SHOULD BE";
  }

  void StartAuthority() {
    Headline("An authority");
    site_.StartAuthority();
    std::cout << "   https://" << site_.authority() << ", root SHA-256 " << site_.root_fingerprint()
              << std::endl;
  }

  static Enrolment ServerOf(const std::string& role) {
    return {.machine = role,
            .client_id = role + ".bridge.internal",
            .more_names = {"localhost", "127.0.0.1"},
            .file = "core/certs/server/server.pem"};
  }
  static Enrolment ClientOf(const std::string& role) {
    return {.machine = role,
            .client_id = "spiffe://bridge.internal/" + role + "/client",
            .more_names = {},
            .file = "core/certs/client/client.pem"};
  }
  static Enrolment Aggregator(const std::string& file) {
    return {.machine = "aggregator",
            .client_id = kAggregator,
            .more_names = {},
            .file = "core/certs/aggregator/" + file};
  }

  void Enroll() {
    Headline("Three services enrol, each with a token and on a machine of its own");
    for (const std::string role : {"operator", "verifier", "aggregator"}) {
      const Enrolment client = role == "aggregator" ? Aggregator("aggregator.pem") : ClientOf(role);
      const Enrolment server = ServerOf(role);
      site_.AddMachine(role);
      site_.MakeToken(role, {server.client_id, "localhost", "127.0.0.1", client.client_id}, 2);
      site_.Enroll(server);
      site_.Enroll(client);
      for (const char* suffix : {".toml", "-policy.toml"}) {
        const fs::path file = sources_ / (role + suffix);
        if (fs::exists(file)) fs::copy_file(file, site_.Path(role + "/" + role + suffix));
      }
    }
    const std::string pinned = site_.Troth(
        {"certificates", "show", std::string(kAggregator), "--pem", "--data", "authority"});
    std::cout << "   (copied to operator and verifier, whose policy pins it)" << std::endl;
    for (const std::string role : {"operator", "verifier"}) {
      fs::create_directories(site_.Path(role + "/core/certs/aggregator"));
      site_.Write(role + kPinFile, pinned);
      fs::copy_file(sources_ / "policy.toml", site_.Path(role + "/policy.toml"));
    }
  }

  void StartServices() {
    Headline("The services");
    endpoints_["operator"] = site_.StartService("operator");
    endpoints_["verifier"] = site_.StartService("verifier");
    std::string aggregator = site_.Read("aggregator/aggregator.toml");
    const auto replace = [&](const std::string& from, const std::string& to) {
      aggregator.replace(aggregator.find(from), from.size(), to);
    };
    replace("127.0.0.1:50051", endpoints_["operator"]);
    replace("127.0.0.1:50052", endpoints_["verifier"]);
    site_.Write("aggregator/aggregator.toml", aggregator);
    endpoints_["aggregator"] = site_.StartService("aggregator");
  }

  Caller FromMachine(const CallerFactory& factory, const std::string& name,
                     const Enrolment& what) const {
    return factory.FromFile(name, site_.Path(what.machine + "/" + what.file),
                            site_.Path(what.machine + "/core/certs/ca/ca.pem"));
  }
  Caller Auditor(const CallerFactory& factory, const std::string& name, const std::string& who) {
    const std::string id = "spiffe://bridge.internal/auditor/" + who;
    return factory.Enrolled(name, id, troth::Secret(site_.MakeToken({id})));
  }
  Caller Brief(const CallerFactory& factory, const std::string& name) {
    const std::string id = "spiffe://bridge.internal/brief/" + name;
    return factory.Brief(name, id, troth::Secret(site_.MakeToken({id}, "brief")));
  }

  void PrintMatrix(const CallerFactory& factory) {
    Headline("Who may call what");
    const std::vector<Caller> callers = {
        FromMachine(factory, "aggregator", Aggregator("aggregator.pem")),
        FromMachine(factory, "op. client", ClientOf("operator")),
        FromMachine(factory, "ver. client", ClientOf("verifier")),
        FromMachine(factory, "op. server", ServerOf("operator")),
        Auditor(factory, "auditor", "alice"),
        factory.WithoutCertificate(),
        factory.SelfSigned(),
        factory.OfForeignCa(),
        Brief(factory, "expired")};
    const troth::Time end = *callers.back().identity->Current()->expires();
    MillisecondsUntil([&] { return troth::Clock::System().Now() >= end; });
    // What the seed's table says: public methods for the aggregator, internal ones for the own
    // client.
    const auto expected = [](const Caller& caller, const Call& call) {
      const bool internal = call.name.find("/Internal") != std::string::npos;
      const bool of_operator = call.service == "operator";
      return (caller.name == "aggregator" && !internal) ||
             (caller.name == "op. client" && internal && of_operator) ||
             (caller.name == "ver. client" && internal && !of_operator) ||
             (caller.name == "auditor" && call.name == "Operator/GetXOnlyPublicKey");
    };
    std::printf("   %-31s", "");
    for (const Caller& caller : callers) std::printf(" %-11s", caller.name.c_str());
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
        std::printf(" %-11s", cell.c_str());
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

  // Replaces `from`, which is there, in the operator's policy.
  void ChangePolicy(const std::string& from, const std::string& to) {
    std::string policy = site_.Read("operator/policy.toml");
    policy.replace(policy.find(from), from.size(), to);
    site_.Write("operator/policy.toml", policy);
  }

  void ChangeUnderLoad(const CallerFactory& factory) {
    Headline("Certificates renewed by the authority, and a policy replaced, under load");
    const std::string& endpoint = endpoints_["operator"];
    const Caller aggregator = FromMachine(factory, "aggregator", Aggregator("aggregator.pem"));
    const Caller own_client = FromMachine(factory, "own client", ClientOf("operator"));
    const auto open_connection = Connect(endpoint, Auditor(factory, "auditor", "bob"));
    Expect(GetKey(open_connection).ok());

    Load load(endpoint, aggregator, own_client, kConnections, kCallsPerConnection);
    const auto calls = [&] { return load.calls(); };
    MillisecondsUntil([&] { return calls() > 1000; });

    std::string before;
    Expect(GetKey(Connect(endpoint, aggregator), &before).ok());
    site_.Enroll(ServerOf("operator"));
    PrintTime("until new connections see the operator's new certificate", MillisecondsUntil([&] {
                std::string now;
                return GetKey(Connect(endpoint, aggregator), &now).ok() && now != before;
              }));
    site_.Enroll(ClientOf("operator"));
    PrintTime("until its client shows its new certificate, known by its name",
              MillisecondsUntil([&] { return own_client.identity->Statistics().rotations > 0; }));
    RenewPinned(factory, aggregator);

    ChangePolicy(R"(allow   = ["aggregator", "auditor"])", R"(allow   = ["aggregator"])");
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

  // A pin is of one certificate, so the next one is made beside the old one, pinned too, and put in
  // its place when it is known everywhere.
  void RenewPinned(const CallerFactory& factory, const Caller& aggregator) {
    const Enrolment next = Aggregator("next.pem");
    const std::string folder = site_.Path("aggregator/core/certs/aggregator/");
    fs::copy_file(folder + "aggregator.pem", folder + "next.pem");
    site_.Enroll(next);
    const Caller renewed = FromMachine(factory, "renewed", next);
    const std::string serial = renewed.identity->Current()->leaf().serial_number().ToHex();
    const std::string certificate =
        site_.Troth({"certificates", "show", serial, "--pem", "--data", "authority"});
    for (const std::string role : {"operator", "verifier"}) {
      site_.Write(role + kPinFile, certificate + site_.Read(role + kPinFile));
    }
    PrintTime(
        "until the aggregator's next certificate is pinned beside the old one",
        MillisecondsUntil([&] { return GetKey(Connect(endpoints_["operator"], renewed)).ok(); }));
    fs::rename(folder + "next.pem", folder + "aggregator.pem");
    PrintTime("until the aggregator, in whose place it was moved, shows it",
              MillisecondsUntil([&] { return aggregator.identity->Statistics().rotations > 0; }));
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

  std::shared_ptr<grpc::Channel> OpenConnection(const Caller& caller) {
    auto channel = Connect(endpoints_["operator"], caller);
    Expect(MillisecondsUntil([&] { return EndRound(channel).ok(); }) >= 0);
    return channel;
  }

  void RefuseOnOpenConnections(const CallerFactory& factory) {
    Headline("Refused on an open connection");
    // Let the callers' names in, so that nothing but the state of their certificates can stand
    // against them.
    ChangePolicy(R"(allow   = ["operator_client"])", R"(allow   = ["operator_client", "auditor"])");
    // Until it counts: a brief certificate does not wait for it.
    OpenConnection(Auditor(factory, "auditor", "carol"));
    PrintRefusal("expired while connected:", OpenConnection(Brief(factory, "expiring")),
                 "certificate_expired");
    const std::string& endpoint = endpoints_["operator"];
    PrintRefusal("of another CA:", Connect(endpoint, factory.OfForeignCa()), "issuer_unknown");
    PrintRefusal("self-signed:", Connect(endpoint, factory.SelfSigned()),
                 "certificate_self_signed");
  }

  void Revoke(const CallerFactory& factory) {
    Headline("Revoked at the authority");
    const Enrolment mallory = {.machine = "auditor",
                               .client_id = "spiffe://bridge.internal/auditor/mallory",
                               .more_names = {},
                               .file = "mallory.pem"};
    site_.AddMachine(mallory.machine);
    site_.MakeToken(mallory.machine, {mallory.client_id}, 1);
    site_.Enroll(mallory);
    const auto channel = OpenConnection(FromMachine(factory, "mallory", mallory));
    site_.Troth({"certificates", "revoke", mallory.client_id, "--data", "authority"});
    PrintRefusal("its next call:", channel, "certificate_revoked");
    const std::string said = site_.EnrollFails(mallory);
    std::cout << "   its renewal, by `troth enroll`:\n      " << said.substr(0, said.find('\n'))
              << Expect(said.find("[certificate_revoked]") != std::string::npos) << std::endl;
    const std::string ledger = site_.Troth({"ledger", "verify", "--data", "authority"});
    std::cout << "      " << ledger << std::flush;
  }

  static constexpr const char* kAggregator = "spiffe://bridge.internal/aggregator";
  static constexpr const char* kPinFile = "/core/certs/aggregator/aggregator.pem";

  const fs::path sources_;
  Site site_;
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
    std::cout << "\nAuthority and services stay up until Ctrl-C. In another terminal:\n\n";
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
