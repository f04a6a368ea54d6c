// Threads that call while everything that decides is replaced under them: run it with
// ThreadSanitizer.

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "troth/authz/guard_testing.h"

namespace troth {
namespace {

class GuardThreads : public GuardTest {
 protected:
  static constexpr int kThreads = 4;

  // Calls on `kThreads` threads until `change` is done, and counts the answers that `expected` does
  // not hold.
  template <typename Expected, typename Change>
  int CallWhile(const std::vector<TestConnection>& connections, Expected expected, Change change) {
    std::atomic<bool> done{false};
    std::atomic<int> wrong{0};
    std::atomic<int> begun{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        for (size_t i = static_cast<size_t>(t); !done || i < 100; ++i) {
          const TestConnection& connection = connections[i % connections.size()];
          const Verdict verdict = port_->Check(connection.Call("/s.S/M"));
          if (!expected(i % connections.size(), CodeOrNone(verdict))) ++wrong;
          (void)port_->FindPeer(connection.Call("/s.S/M"));
          if (i == static_cast<size_t>(t)) ++begun;
        }
      });
    }
    while (begun < kThreads) std::this_thread::yield();
    change();
    done = true;
    for (std::thread& thread : threads) thread.join();
    return wrong;
  }
};

TEST_F(GuardThreads, PinsRotateUnderLoadWithoutOneRefusedCall) {
  std::vector<Certificate> leaves;
  for (int i = 0; i < 3; ++i) leaves.push_back(SelfSigned({}));
  const std::string pin_file = folder_ / "pin.pem";
  RewriteFile(pin_file, leaves[0].ToPem());
  Start("[roles]\nr = { certificate = \"pin.pem\" }\n[[rules]]\nmethods = [\"*\"]\nallow = [\"r\"]",
        Mode::kRequestUnverified, {.poll_interval = std::chrono::milliseconds(20)});
  // The first leaf is pinned all the time, alone or beside another, by whole files and by files
  // written bit by bit.
  const int refused = CallWhile(
      {Connect(leaves[0])}, [](size_t, const std::string& answer) { return answer.empty(); },
      [&] {
        for (int i = 0; i < 60; ++i) {
          std::string pins = leaves[0].ToPem();
          if (i % 3 != 0) pins = leaves[static_cast<size_t>(i % 3)].ToPem() + pins;
          if (i % 2 == 0) {
            EXPECT_TRUE(WriteFile(pin_file, pins, {.overwrite = Overwrite::kReplace}).ok());
          } else {
            RewriteFile(pin_file, "");
            RewriteFile(pin_file, leaves[0].ToPem().substr(0, 300));
            RewriteFile(pin_file, pins);
          }
          (void)guard_->Reload();
        }
      });
  EXPECT_EQ(refused, 0);
}

TEST_F(GuardThreads, PolicyListsAndTrustSwapUnderLoad) {
  const PeerAuthority next("/CN=next");
  const Certificate revoked = authority_.Issue({.names = {"dns:a.example"}});
  const std::vector<TestConnection> connections = {
      Connect(authority_.Issue({.names = {"dns:a.example"}})),  // always allowed
      Connect(authority_.Issue({.names = {"dns:b.example"}})),  // by every other policy
      Connect(revoked),                                         // by every other list
      Connect(next.Issue({.names = {"dns:a.example"}})),        // by every other bundle
      ConnectAnonymously(),
  };
  const std::string roles = "[roles]\na = { dns = \"a.example\" }\nb = { dns = \"b.example\" }\n";
  const std::string narrow = roles + "[[rules]]\nmethods = [\"/s.S/*\"]\nallow = [\"a\"]\n";
  const std::string wide = roles + "[[rules]]\nmethods = [\"/s.S/*\"]\nallow = [\"a\", \"b\"]\n";
  const std::string crl_file = folder_ / "crl.pem";
  RewriteFile(crl_file, authority_.Revoke({}).ToPem());
  LogCapture quiet;
  std::atomic<int> reported{0};
  Start(narrow, Mode::kVerifyIfGiven,
        {.crl_paths = {crl_file},
         .rate_limit = {.calls_per_second = 1e9},
         .on_refusal = [&](const Refusal&) { ++reported; },
         .poll_interval = std::chrono::milliseconds(20)});
  const int wrong = CallWhile(
      connections,
      [](size_t connection, const std::string& answer) {
        switch (connection) {
          case 0:
            return answer.empty();
          case 1:
            return answer.empty() || answer == "role_not_allowed";
          case 2:
            return answer.empty() || answer == "certificate_revoked";
          case 3:
            return answer.empty() || answer == "issuer_unknown";
          default:
            return answer == "peer_not_authenticated";
        }
      },
      [&] {
        for (int i = 0; i < 60; ++i) {
          const bool odd = i % 2 != 0;
          RewriteFile(crl_file,
                      odd ? authority_.Revoke({}).ToPem() : authority_.Revoke({revoked}).ToPem());
          (void)Replace(odd ? narrow : wide);
          identity_->Set(odd ? Trusting({authority_.certificate()})
                             : Trusting({authority_.certificate(), next.certificate()}));
          guard_->RegisterMethods({"/s.S/M", "/s.S/M" + std::to_string(i)});
          (void)guard_->Statistics();
          const auto port = guard_->Protect(identity_, Mode::kRequire);
          EXPECT_EQ(CodeOrNone(port->Check(connections[0].Call("/s.S/M"))), "");
        }
      });
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(reported, 0);
  // Whatever the threads still remember, the last state is what counts now.
  EXPECT_EQ(Answer(connections[1], "/s.S/M"), "role_not_allowed");
  EXPECT_EQ(Answer(connections[2], "/s.S/M"), "");
  EXPECT_EQ(Answer(connections[3], "/s.S/M"), "issuer_unknown");
}

}  // namespace
}  // namespace troth
