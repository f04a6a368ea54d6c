// What it costs the guard to decide a call of a peer that it has seen before.
//
//   build/release/bench/guard_bench [--benchmark_filter=...]
//
// `allocations` counts those of the deciding thread, a call. The methods are called in a random
// order, so that with many rules the processor's caches hold what they would hold in a server, not
// the one rule that is asked for again and again.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "troth/authz/guard.h"
#include "troth/base/allocation_counter_testing.h"
#include "troth/base/log.h"
#include "troth/identity/identity_source.h"
#include "troth/pki/issue.h"

namespace troth {
namespace {

// A value or the end of the benchmark.
template <typename T>
T Take(absl::StatusOr<T> value) {
  if (!value.ok()) {
    std::cerr << "guard_bench: " << value.status() << "\n";
    std::exit(EXIT_FAILURE);
  }
  return *std::move(value);
}

// A CA and leaves of it.
class Authority {
 public:
  Authority() : signer_(MakeRoot()) {}
  std::string IssueLeafPem() const {
    const PrivateKey key = Take(PrivateKey::Generate(KeyType::kP256));
    CertificateTemplate what = Template("client", key.public_key());
    what.alternative_names = {Take(AlternativeName::Parse("dns:client.example"))};
    what.extended_key_usage = {std::string(kClientAuthOid)};
    return Take(Issue(what, signer_)).ToPem();
  }
  std::string pem() const { return signer_.certificate().ToPem(); }

 private:
  static CertificateTemplate Template(const std::string& name, const PublicKey& key) {
    const Time now = Clock::System().Now();
    return {.serial = SerialNumber::Generate(now),
            .subject = Take(DistinguishedName::FromCommonName(name)),
            .validity = {now - std::chrono::hours(1), now + std::chrono::hours(1)},
            .public_key = key};
  }
  static Signer MakeRoot() {
    PrivateKey key = Take(PrivateKey::Generate(KeyType::kP256));
    CertificateTemplate what = Template("ca", key.public_key());
    what.basic_constraints = BasicConstraints{.is_ca = true};
    Certificate root = Take(IssueSelfSigned(what, key));
    return Take(Signer::Create(std::move(root), std::move(key)));
  }
  Signer signer_;
};

// A guarded port whose policy has one rule for each of `rules` services.
struct Fixture {
  Fixture(int rules, const std::string& extra) {
    const Authority authority;
    leaf_pem = authority.IssueLeafPem();
    const auto identity = Take(Identity::Create(
        {.certificate_pem = "", .private_key_pem = "", .trust_bundle_pem = authority.pem()},
        Clock::System().Now()));
    std::string policy = extra + "[roles]\nclient = { dns = \"client.example\" }\n";
    for (int i = 0; i < rules; ++i) {
      const std::string service = "/company.product.v1.Service" + std::to_string(i) + "/";
      policy += "[[rules]]\nmethods = [\"" + service + "*\"]\nallow = [\"client\"]\n";
      registered.push_back(service + "GetSomething");
      unregistered.push_back(service + "GetSomethingElse");
    }
    guard = Take(Guard::Create({.policy_text = policy}));
    guard->RegisterMethods(registered);
    port = guard->Protect(MemoryIdentitySource::Create(identity), ClientCertificate::kRequire);
    std::mt19937 random(1);
    std::ranges::shuffle(registered, random);
    std::ranges::shuffle(unregistered, random);
  }
  std::string leaf_pem;
  std::vector<std::string> registered, unregistered;
  std::shared_ptr<Guard> guard;
  std::shared_ptr<GuardedPort> port;
};

void Decide(benchmark::State& state, const Fixture& fixture,
            const std::vector<std::string>& methods, size_t connections) {
  // Each connection has a copy of the leaf of its own, as gRPC's auth contexts have.
  const std::vector<std::string> leaves(connections, fixture.leaf_pem);
  size_t next = 0;
  size_t refused = 0;
  const auto call = [&] {
    const std::string& leaf = leaves[next % connections];
    const Verdict verdict = fixture.port->Check({.connection = &leaf,
                                                 .leaf_pem = leaf,
                                                 .chain_pem = "",
                                                 .method = methods[next % methods.size()],
                                                 .address = ""});
    refused += verdict.allowed() ? 0 : 1;
    ++next;
  };
  for (size_t i = 0; i < connections; ++i) call();  // warm
  const std::size_t before = allocated_by_this_thread.allocations;
  for (auto _ : state) call();
  const std::size_t made = allocated_by_this_thread.allocations - before;
  state.counters["allocations"] =
      benchmark::Counter(static_cast<double>(made), benchmark::Counter::kAvgIterations);
  if (refused != 0) state.SkipWithError("a call was refused");
}

void RegisteredMethod(benchmark::State& state) {
  const Fixture fixture(static_cast<int>(state.range(0)), "");
  Decide(state, fixture, fixture.registered, 1);
}
BENCHMARK(RegisteredMethod)->ArgName("rules")->Arg(1)->Arg(100)->Arg(10'000);

void UnregisteredMethod(benchmark::State& state) {
  const Fixture fixture(static_cast<int>(state.range(0)), "");
  Decide(state, fixture, fixture.unregistered, 1);
}
BENCHMARK(UnregisteredMethod)->ArgName("rules")->Arg(1)->Arg(100)->Arg(10'000);

void ManyConnections(benchmark::State& state) {
  const Fixture fixture(10'000, "");
  Decide(state, fixture, fixture.registered, static_cast<size_t>(state.range(0)));
}
BENCHMARK(ManyConnections)->ArgName("connections")->Arg(64)->Arg(1'000)->Arg(10'000);

void WithRateLimit(benchmark::State& state) {
  const Fixture fixture(10'000, "[limits]\ncalls_per_second = 1e9\n");
  Decide(state, fixture, fixture.registered, 1);
}
BENCHMARK(WithRateLimit);

// The first call after a change of policy: the roles are looked for again.
void FirstCallOfAGeneration(benchmark::State& state) {
  const Fixture fixture(100, "");
  size_t next = 0;
  for (auto _ : state) {
    state.PauseTiming();
    fixture.guard->RegisterMethods({"/a.B/" + std::to_string(next++ % 10)});
    state.ResumeTiming();
    const Verdict verdict = fixture.port->Check({.connection = &fixture,
                                                 .leaf_pem = fixture.leaf_pem,
                                                 .chain_pem = "",
                                                 .method = fixture.registered[0],
                                                 .address = ""});
    if (!verdict.allowed()) state.SkipWithError("a call was refused");
  }
}
BENCHMARK(FirstCallOfAGeneration)->Iterations(20'000);

}  // namespace
}  // namespace troth

int main(int argc, char** argv) {
  troth::SetLogSink([](const troth::LogEntry&) {}, troth::LogLevel::kError);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 64;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
