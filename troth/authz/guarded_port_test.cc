// What a thread remembers about connections must never answer for another port.

#include <gtest/gtest.h>

#include "troth/authz/guard_testing.h"

namespace troth {
namespace {

class GuardedPorts : public GuardTest {};

// More ports than a thread has places to remember connections in, all called on one connection by
// one peer, so that places are shared whatever they are computed from.
TEST_F(GuardedPorts, NeverAnswerForEachOther) {
  const PeerAuthority other("/CN=other");
  const auto elsewhere = MemoryIdentitySource::Create(Trusting({other.certificate()}), clock_);
  LogCapture quiet;
  Start("[[rules]]\nmethods = [\"/s.S/*\"]\nallow = [\"authenticated\"]\n");
  const TestConnection peer = Connect(authority_.Issue());
  std::vector<std::shared_ptr<GuardedPort>> ports;
  for (int i = 0; i < 10'000; ++i) {
    ports.push_back(guard_->Protect(i % 2 == 0 ? identity_ : elsewhere, Mode::kRequire));
    ASSERT_EQ(CodeOrNone(ports.back()->Check(peer.Call("/s.S/M"))),
              i % 2 == 0 ? "" : "issuer_unknown");
  }
}

// The address of a connection is used again, and by its leaf alone a peer may not be judged.
TEST_F(GuardedPorts, JudgeAnotherChainAnew) {
  LogCapture quiet;
  Start("[[rules]]\nmethods = [\"/s.S/*\"]\nallow = [\"authenticated\"]\n");
  const PeerAuthority issuer = authority_.Intermediate("/CN=issuer");
  TestConnection peer = Connect(issuer.Issue());
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Answer(peer, "/s.S/M"), "issuer_unknown");
  peer.chain_pem = issuer.pem();
  EXPECT_EQ(Answer(peer, "/s.S/M"), "");
}

// More refused peers than a thread has places for.
TEST_F(GuardedPorts, TellRefusedPeersApart) {
  LogCapture quiet;
  const PeerAuthority other("/CN=other");
  Start("[[rules]]\nmethods = [\"/s.S/*\"]\nallow = [\"authenticated\"]\n");
  const TestConnection strangers[] = {
      Connect(other.Issue()), Connect(SelfSigned({})), ConnectAnonymously(),
      Connect(authority_.Issue({.validity = {TestTime() - 2 * kTestDay, TestTime() - kTestDay}}))};
  const std::string_view expected[] = {"issuer_unknown", "certificate_self_signed",
                                       "peer_not_authenticated", "certificate_expired"};
  for (size_t i = 0; i < 4000; ++i) {
    TestConnection again = strangers[i % 4];
    again.handle = std::make_shared<int>(0);
    ASSERT_EQ(Answer(again, "/s.S/M"), expected[i % 4]);
    ASSERT_EQ(Answer(strangers[i % 4], "/s.S/M"), expected[i % 4]);
  }
}

TEST_F(GuardedPorts, LogTheRefusalsOfEachAnonymousConnection) {
  LogCapture log;
  Start("[[rules]]\nmethods = [\"/s.S/*\"]\nallow = [\"authenticated\"]\n");
  const TestConnection first = ConnectAnonymously();
  const TestConnection second = ConnectAnonymously();
  for (int i = 0; i < 3; ++i) {
    Answer(first, "/s.S/M");
    Answer(second, "/s.S/M");
  }
  EXPECT_EQ(log.CountOf("call refused"), 2U);
}

}  // namespace
}  // namespace troth
