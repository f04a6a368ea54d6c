// Certificates are replaced on disk while 50 connections call without end: no call may fail, and
// what is replaced must be gone.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <thread>

#include "tests/rotation/callers.h"
#include "tests/rotation/footprint.h"
#include "tests/rotation/key_pairs.h"
#include "tests/rotation/server.h"
#include "troth/base/log.h"
#include "troth/rpc/credentials.h"

namespace rotation {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using SteadyClock = std::chrono::steady_clock;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitizer = true;
#else
constexpr bool kSanitizer = false;
#endif

constexpr int kServerRotations = kSanitizer ? 100 : 1000;
constexpr int kClientRotations = kSanitizer ? 10 : 30;
// Before the footprint is taken: whatever is made once is there then.
constexpr int kWarmUpServerRotations = kServerRotations / 10;
constexpr int kWarmUpClientRotations = kClientRotations / 10;
constexpr milliseconds kBetweenRotations{25};
// Every so many rotations a pair is replaced before it can have been taken up.
constexpr int kHurryEvery = 20;

// What each rotation may keep is less than anything that it makes: an SSL_CTX takes some 30 KiB, an
// identity 10 KiB.
constexpr std::int64_t kMaxKeptPerRotation = 2 << 10;
// Bounded tables of the guard and of PeerOf remember connections, a leaf in PEM each, until others
// take their places: some thousand connections do not fill them.
constexpr std::int64_t kMaxKeptPerConnection = 1 << 10;
// What malloc keeps of freed memory, in an arena for each of many threads, comes and goes with how
// they were scheduled: some 30 MiB were seen. Only a leak that malloc does not see would show here.
constexpr std::int64_t kMaxResidentGrowth = 96 << 20;

bool WaitUntil(const std::function<bool()>& condition, seconds timeout = seconds(30)) {
  const auto deadline = SteadyClock::now() + timeout;
  while (!condition()) {
    if (SteadyClock::now() > deadline) return false;
    std::this_thread::sleep_for(milliseconds(1));
  }
  return true;
}

// An identity that is watched, and a check of each snapshot that comes out of it.
class WatchedIdentity {
 public:
  WatchedIdentity(const Sequence& sequence, const std::string& trust_bundle)
      : sequence_(sequence),
        source_(troth::IdentitySource::WatchFiles({.certificate = sequence.certificate_path(),
                                                   .private_key = sequence.key_path(),
                                                   .trust_bundle = trust_bundle})
                    .value()),
        subscription_(source_->Subscribe(
            [this](const std::shared_ptr<const troth::Identity>& identity) { Take(*identity); })) {}

  const std::shared_ptr<troth::IdentitySource>& source() const { return source_; }
  int newest() const { return newest_; }
  int inconsistent() const { return inconsistent_; }

 private:
  void Take(const troth::Identity& identity) {
    const int index = sequence_.IndexOf(identity.leaf().ToPem());
    const bool whole = identity.leaf().public_key() == identity.private_key().public_key();
    if (index <= newest_ || !whole) ++inconsistent_;
    newest_ = index;
  }

  const Sequence& sequence_;
  std::atomic<int> newest_ = 0;
  std::atomic<int> inconsistent_ =
      0;  // snapshots that were not whole, strange, or older than the one before
  const std::shared_ptr<troth::IdentitySource> source_;
  const troth::Subscription subscription_;
};

class RotationTest : public testing::Test {
 protected:
  RotationTest() {
    // Half-written pairs are part of the test, and the log would have a line on each.
    troth::SetLogSink([this](const troth::LogEntry& entry) {
      if (entry.level >= troth::LogLevel::kWarning) ++warnings_;
    });
    std::ofstream(bundle_) << authority_.certificate();
  }
  ~RotationTest() override {
    troth::SetLogSink({});
    std::filesystem::remove_all(folder_);
  }

  std::string MakeFolder() {
    std::string name = testing::TempDir() + "troth-rotation-XXXXXX";
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    return name;
  }

  Sequence NewSequence(const std::string& name, std::string_view usage, int rotations) {
    return Sequence(authority_.Issue(name, usage, rotations + 1), folder_ + "/" + name + ".pem",
                    folder_ + "/" + name + ".key");
  }

  const std::string folder_ = MakeFolder();
  const Authority authority_;
  const std::string bundle_ = folder_ + "/ca.pem";
  std::atomic<int> warnings_ = 0;
};

TEST_F(RotationTest, CostsNoCallAndKeepsNothingOfTheOld) {
  const Sequence servers =
      NewSequence("server.test", troth::kServerAuthOid, kWarmUpServerRotations + kServerRotations);
  const Sequence clients =
      NewSequence("client.test", troth::kClientAuthOid, kWarmUpClientRotations + kClientRotations);
  WatchedIdentity server_identity(servers, bundle_);
  WatchedIdentity client_identity(clients, bundle_);
  const auto guard = troth::Guard::Create({.policy_text = R"(
[roles]
client = { dns = "client.test" }
[[rules]]
methods = ["/echo.SecurePing/Echo"]
allow = ["client"]
)"});
  ASSERT_TRUE(guard.ok()) << guard.status();
  const Server server(server_identity.source(), *guard, clients);
  const auto credentials = troth::ChannelCredentials(
      client_identity.source(), {.server = troth::ExpectDnsName("server.test")});

  int server_at = 0, client_at = 0;
  std::uint64_t calls = 0, connections = 0;
  // Rotates on to the given pairs, under load.
  const auto rotate = [&](int server_end, int client_end) {
    Callers callers({.address = server.address(),
                     .credentials = credentials,
                     .servers = &servers,
                     .newest_server = [&] { return server_identity.newest(); }});
    const int server_start = server_at, client_start = client_at;
    while (server_at < server_end) {
      const auto next = SteadyClock::now() + kBetweenRotations;
      servers.Write(++server_at);
      // The client's rotations are spread evenly among the server's.
      const int client_due = client_start + (server_at - server_start) *
                                                (client_end - client_start) /
                                                (server_end - server_start);
      if (client_at < client_due) clients.Write(++client_at);
      const bool hurry = server_at % kHurryEvery == 0 && server_at < server_end;
      if (hurry) continue;
      ASSERT_TRUE(WaitUntil([&] { return server_identity.newest() == server_at; }))
          << "server certificate " << server_at
          << " is not in use: " << server_identity.source()->Statistics().last_error;
      std::this_thread::sleep_until(next);
    }
    callers.Stop();
    calls += callers.calls();
    connections += callers.connections();
    EXPECT_EQ(callers.failed(), 0) << callers.first_failure();
    EXPECT_GE(callers.connections(), 50);
  };
  // Once the connections of the load are closed on both sides.
  const auto settle = [&](int descriptors) {
    return WaitUntil([&] { return Footprint::Now().descriptors <= descriptors; }, seconds(10));
  };

  const int idle_descriptors = Footprint::Now().descriptors;
  rotate(kWarmUpServerRotations, kWarmUpClientRotations);
  ASSERT_FALSE(HasFatalFailure());
  settle(idle_descriptors);
  const Footprint before = Footprint::Now();
  const auto connections_before = static_cast<std::int64_t>(connections);
  rotate(kWarmUpServerRotations + kServerRotations, kWarmUpClientRotations + kClientRotations);
  ASSERT_FALSE(HasFatalFailure());

  EXPECT_TRUE(settle(before.descriptors));
  const Footprint after = Footprint::Now();
  const troth::IdentityStatistics server_statistics = server_identity.source()->Statistics();
  const troth::IdentityStatistics client_statistics = client_identity.source()->Statistics();
  std::printf(
      "%llu calls on %llu connections; %llu rotations of the server's certificate, %llu of the "
      "client's; "
      "%llu states of the files that were not whole; %d warnings\nbefore: %s\nafter:  %s\n",
      static_cast<unsigned long long>(calls), static_cast<unsigned long long>(connections),
      static_cast<unsigned long long>(server_statistics.rotations),
      static_cast<unsigned long long>(client_statistics.rotations),
      static_cast<unsigned long long>(server_statistics.rejected), warnings_.load(),
      before.ToString().c_str(), after.ToString().c_str());

  // Every pair that had the time was taken up, whole and in order.
  EXPECT_EQ(server_identity.inconsistent(), 0);
  EXPECT_EQ(client_identity.inconsistent(), 0);
  EXPECT_GE(server_statistics.rotations, servers.size() - 1 - servers.size() / kHurryEvery);
  EXPECT_GE(server_statistics.rejected, servers.size() / Sequence::kSlowEvery / 2);
  EXPECT_TRUE(WaitUntil([&] { return client_identity.newest() == client_at; }));
  EXPECT_EQ(client_identity.source()->Statistics().rotations, clients.size() - 1);

  // Both ends show their last certificate: the server on its next connection, the client within two
  // seconds.
  Seen last;
  EXPECT_TRUE(WaitUntil(
      [&] {
        last = CallOnce(*NewChannel(server.address(), credentials), servers);
        EXPECT_EQ(last.failure, "");
        EXPECT_EQ(last.server, servers.size() - 1);
        return last.client == clients.size() - 1;
      },
      seconds(kSanitizer ? 10 : 3)))
      << "the server still sees client certificate " << last.client;

  EXPECT_LE(after.descriptors, before.descriptors);
  if (!kSanitizer) {
    EXPECT_LE(
        after.allocated_bytes - before.allocated_bytes,
        kMaxKeptPerRotation * kServerRotations +
            kMaxKeptPerConnection * (static_cast<std::int64_t>(connections) - connections_before));
    EXPECT_LE(after.resident_bytes - before.resident_bytes, kMaxResidentGrowth);
  }
}

}  // namespace
}  // namespace rotation
