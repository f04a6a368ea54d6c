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

}  // namespace
}  // namespace troth
