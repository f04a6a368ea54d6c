// Counts allocations of the calling thread: a decision for a peer and method seen before makes
// none.

#include <gtest/gtest.h>

#include "troth/authz/guard_testing.h"
#include "troth/base/allocation_counter_testing.h"

namespace troth {
namespace {

class GuardAllocations : public GuardTest {};

TEST_F(GuardAllocations, DecisionSeenBeforeMakesNone) {
  std::string policy = "[limits]\ncalls_per_second = 1e6\n[roles]\n";
  for (int i = 0; i < 200; ++i) {
    policy += "r" + std::to_string(i) + " = { dns = \"r" + std::to_string(i) + ".example\" }\n";
  }
  std::vector<std::string> methods;
  for (int i = 0; i < 1000; ++i) {
    const std::string method = "/package.Service" + std::to_string(i) + "/Method";
    policy += "[[rules]]\nmethods = [\"" + method + "*\"]\nallow = [\"r150\"]\n";
    methods.push_back(method);
  }
  policy += "[[rules]]\nmethods = [\"/s.Open/*\"]\nallow = [\"anyone\"]\n";
  Start(policy, Mode::kVerifyIfGiven);
  guard_->RegisterMethods(methods);
  const TestConnection peer = Connect(authority_.Issue({.names = {"dns:r150.example"}}));
  const TestConnection anonymous = ConnectAnonymously();
  ASSERT_EQ(Answer(peer, methods[0]), "");
  ASSERT_EQ(Answer(anonymous, "/s.Open/M"), "");

  const std::size_t before = allocated_by_this_thread.allocations;
  for (int round = 0; round < 1000; ++round) {
    const Verdict registered = port_->Check(peer.Call(methods[static_cast<size_t>(round)]));
    const Verdict other = port_->Check(peer.Call("/package.Service7/MethodThatIsNotRegistered"));
    const Verdict open = port_->Check(anonymous.Call("/s.Open/M"));
    if (!registered.allowed() || !other.allowed() || !open.allowed()) ADD_FAILURE();
  }
  EXPECT_EQ(allocated_by_this_thread.allocations, before);
}

// Anybody can make a certificate, and call with it as often as he likes.
TEST_F(GuardAllocations, AnUnknownPeerSeenBeforeMakesNoneEither) {
  Start("[limits]\ncalls_per_second = 1e6\n[[rules]]\nmethods = [\"*\"]\nallow = [\"anyone\"]\n",
        Mode::kRequestUnverified);
  TestConnection peer = Connect(SelfSigned({}));
  peer.chain_pem = std::string(100'000, 'x');
  ASSERT_EQ(Answer(peer, "/s.S/M"), "");

  const std::size_t before = allocated_by_this_thread.allocations;
  for (int round = 0; round < 1000; ++round) {
    if (!port_->Check(peer.Call("/s.S/M")).allowed()) ADD_FAILURE();
  }
  EXPECT_EQ(allocated_by_this_thread.allocations, before);
}

TEST_F(GuardAllocations, ARefusedPeerCostsWhatItsRefusalSaysAndNotWhatItSent) {
  const LogCapture quiet;
  Start("[[rules]]\nmethods = [\"*\"]\nallow = [\"authenticated\"]\n");
  TestConnection peer = Connect(SelfSigned({}));
  peer.chain_pem = std::string(100'000, 'x');
  ASSERT_EQ(Answer(peer, "/s.S/M"), "certificate_self_signed");

  const std::size_t before = allocated_by_this_thread.bytes;
  for (int round = 0; round < 100; ++round) {
    if (port_->Check(peer.Call("/s.S/M")).allowed()) ADD_FAILURE();
  }
  EXPECT_LT((allocated_by_this_thread.bytes - before) / 100, 10'000U);
}

TEST_F(GuardAllocations, AreCounted) {
  const std::size_t before = allocated_by_this_thread.allocations;
  const auto memory = std::make_unique<int>(1);
  EXPECT_GT(allocated_by_this_thread.allocations, before);
}

}  // namespace
}  // namespace troth
