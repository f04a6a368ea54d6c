// A guard with one port, a fake clock and an authority, for tests of the whole.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "troth/authz/authz_testing.h"
#include "troth/identity/identity_source.h"

namespace troth {

// One connection of a peer, as a transport would report it.
struct TestConnection {
  std::string leaf_pem;
  std::string chain_pem;
  std::string address;
  // Only its address counts.
  std::shared_ptr<int> handle = std::make_shared<int>(0);

  GuardedPort::Call Call(std::string_view method) const {
    return {.connection = handle.get(),
            .leaf_pem = leaf_pem,
            .chain_pem = chain_pem,
            .method = method,
            .address = address};
  }
};

class GuardTest : public testing::Test {
 protected:
  using Mode = ClientCertificate;

  // Makes `guard_` and `port_`. The policy lies in a file, to be rewritten.
  void Start(std::string_view policy, Mode mode = Mode::kRequire, GuardOptions options = {}) {
    RewriteFile(policy_file_, policy);
    options.policy_file = policy_file_;
    options.clock = &clock_;
    auto guard = Guard::Create(std::move(options));
    ASSERT_TRUE(guard.ok()) << guard.status();
    guard_ = *guard;
    port_ = guard_->Protect(identity_, mode);
  }
  // Replaces the policy file and lets the guard look at it.
  absl::Status Replace(std::string_view policy) {
    RewriteFile(policy_file_, policy);
    return guard_->Reload();
  }
  TestConnection Connect(const Certificate& leaf) const { return {.leaf_pem = leaf.ToPem()}; }
  TestConnection ConnectAnonymously() const { return {}; }

  // The reason code of the refusal, "" when allowed.
  std::string Answer(const TestConnection& connection, std::string_view method) const {
    return CodeOrNone(port_->Check(connection.Call(method)));
  }
  std::string Answer(const Certificate& leaf, std::string_view method) const {
    return Answer(Connect(leaf), method);
  }

  TestFolder folder_;
  const std::string policy_file_ = folder_ / "policy.toml";
  FakeClock clock_;
  PeerAuthority authority_;
  std::shared_ptr<MemoryIdentitySource> identity_ =
      MemoryIdentitySource::Create(Trusting({authority_.certificate()}), clock_);
  std::shared_ptr<Guard> guard_;
  std::shared_ptr<GuardedPort> port_;
};

}  // namespace troth
