#include "examples/attestor/attestor.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "examples/attestor/attestor_testing.h"
#include "examples/attestor/packet_json.h"
#include "examples/attestor/refusal.h"
#include "troth/authz/guard.h"
#include "troth/base/log.h"
#include "troth/http/server.h"
#include "troth/identity/identity_testing.h"

namespace attestor {
namespace {

// A db-service with a TLS server in the place of nginx, which tells it who the client is.
class AttestorTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const troth::Leaf leaf = authority_.IssueLeaf({.common_name = "localhost", .validity = Now()});
    auto identity = Must(troth::Identity::Create({.certificate_pem = leaf.certificate_pem,
                                                  .private_key_pem = leaf.key_pem,
                                                  .trust_bundle_pem = authority_.pem()},
                                                 troth::Clock::System().Now()));
    troth::GuardOptions policy;
    policy.policy_text = "[[rules]]\nmethods = [\"*\"]\nallow = [\"authenticated\"]\n";
    server_ = Must(troth::HttpServer::Start(
        {.identity = troth::MemoryIdentitySource::Create(std::move(identity)),
         .guard = Must(troth::Guard::Create(std::move(policy))),
         .access_log = false},
        [this, handler = DbServiceHandler(test_.Make())](
            const std::shared_ptr<const troth::HttpRequest>& request,
            const troth::HttpRespond& respond) {
          auto passed_on = std::make_shared<troth::HttpRequest>(*request);
          const troth::Certificate& leaf_of_client = request->peer->certificate.value();
          passed_on->fields.emplace_back("Troth-Client-Names",
                                         leaf_of_client.alternative_names().front().ToString());
          if (lists_all_) passed_on->query.clear();
          SetLastSerial(leaf_of_client.serial_number().ToHex());
          handler(passed_on, respond);
        }));
    troth::RewriteFile(folder_ / "ca.pem", authority_.pem());
    troth::RewriteFile(folder_ / "signing.key", troth::PemOf(test_.one));
    Enrol(kOne);
  }
  static troth::Validity Now() {
    const troth::Time now = troth::Clock::System().Now();
    return {now - std::chrono::hours(1), now + std::chrono::hours(24)};
  }
  // Puts a new certificate and its key in the attestor's place; its serial number.
  std::string Enrol(const std::string& name) {
    const troth::Leaf leaf = authority_.IssueLeaf({.common_name = name, .validity = Now()});
    EXPECT_TRUE(troth::WriteFile(folder_ / "one.pem", leaf.certificate_pem + leaf.key_pem,
                                 {.mode = 0600, .overwrite = troth::Overwrite::kReplace})
                    .ok());
    return leaf.certificate.serial_number().ToHex();
  }
  AttestorConfig Config() const {
    return {.ca_certificate = folder_ / "ca.pem",
            .attestor_certificate = folder_ / "one.pem",
            .attestor_key = folder_ / "one.pem",
            .signing_key = folder_ / "signing.key",
            .db_service = "https://" + server_->address(),
            .server_name = "localhost",
            .attestor = {}};
  }
  static std::unique_ptr<Attestor> Start(AttestorConfig config) {
    return Must(Attestor::Create(std::move(config), [] { return false; }));
  }
  // Of the certificate that the client showed last.
  std::string LastSerial() const {
    const std::lock_guard lock(mutex_);
    return last_serial_;
  }
  void SetLastSerial(std::string serial) {
    const std::lock_guard lock(mutex_);
    last_serial_ = std::move(serial);
  }
  void AddPackets(int count) const {
    const auto store = Must(PacketStore::Open(test_.folder / "packets.db", 2, AllCount));
    for (int i = 1; i <= count; ++i) {
      Must(store->AddPacket(PacketNumber(static_cast<std::uint64_t>(i))));
    }
  }

  const troth::TestAuthority authority_;
  const TestService test_;
  const troth::TestFolder folder_;
  std::atomic<bool> lists_all_ = false;  // whoever has signed it
  mutable std::mutex mutex_;
  std::string last_serial_;  // guarded by mutex_
  // Goes before what its handler uses.
  std::unique_ptr<troth::HttpServer> server_;
};

TEST_F(AttestorTest, SignsAllThatWaitsAndNothingTwice) {
  AddPackets(120);  // more than one list holds
  const auto attestor = Start(Config());
  EXPECT_EQ(attestor->name(), kOne);
  EXPECT_EQ(Must(attestor->RunOnce()), 120);
  EXPECT_EQ(Must(attestor->RunOnce()), 0);
}

TEST_F(AttestorTest, EndsWithAServiceThatGoesOnListingWhatIsSigned) {
  AddPackets(2);
  lists_all_ = true;
  const auto attestor = Start(Config());
  EXPECT_EQ(Must(attestor->RunOnce()), 2);
  EXPECT_EQ(Must(attestor->RunOnce()), 0);
}

TEST_F(AttestorTest, SignsAsNobodyElse) {
  AddPackets(1);
  AttestorConfig config = Config();
  config.attestor = kTwo;
  EXPECT_EQ(CodeOfResult(Start(std::move(config))->RunOnce()), "name_not_permitted");
}

TEST_F(AttestorTest, ShowsARenewedCertificateWithoutARestart) {
  const auto attestor = Start(Config());
  Must(attestor->RunOnce());
  const std::string before = LastSerial();
  const std::string renewed = Enrol(kOne);
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (LastSerial() == before && std::chrono::steady_clock::now() < end) {
    Must(attestor->RunOnce());
  }
  EXPECT_EQ(LastSerial(), renewed);
}

TEST_F(AttestorTest, SaysWhichFileIsWrong) {
  const auto code = [](AttestorConfig config) {
    return CodeOfResult(Attestor::Create(std::move(config), [] { return false; }));
  };
  const std::string none = folder_ / "none";
  AttestorConfig config = Config();
  config.ca_certificate = none;
  EXPECT_EQ(code(config), "file_not_found");
  config = Config();
  config.signing_key = folder_ / "ca.pem";
  EXPECT_EQ(code(config), "key_malformed");
  config = Config();
  config.attestor_key = folder_ / "signing.key";
  EXPECT_EQ(code(config), "key_mismatch");
}

TEST_F(AttestorTest, WarnsOfASigningKeyThatOthersCanRead) {
  const auto warnings = [&](mode_t mode) {
    EXPECT_EQ(chmod((folder_ / "signing.key").c_str(), mode), 0);
    int seen = 0;
    troth::SetLogSink([&](const troth::LogEntry& entry) {
      seen += FormatLogEntry(entry).find("signing.key") != std::string::npos ? 1 : 0;
    });
    Must(Attestor::Create(Config(), [] { return false; }));
    troth::SetLogSink({});
    return seen;
  };
  EXPECT_EQ(warnings(0600), 0);
  EXPECT_EQ(warnings(0640), 1);
}

TEST_F(AttestorTest, SaysThatTheServiceIsAway) {
  const auto attestor = Start(Config());
  server_ = nullptr;
  EXPECT_EQ(CodeOfResult(attestor->RunOnce()), "connection_failed");
}

TEST(RefusalOf, TellsWhoRefusedAndWhy) {
  const troth::HttpFields problem = {{"content-type", "application/problem+json"}};
  const struct {
    troth::HttpResponse response;
    std::string code;
  } rows[] = {
      {{403, problem, R"({"code": "name_not_permitted", "detail": "d"})"}, "name_not_permitted"},
      {{403, problem, R"({"code": "of_another_version"})"}, "response_malformed"},
      {{403, problem, "{"}, "response_malformed"},
      {{403, {{"Troth-Reason", "role_not_allowed"}}, "text"}, "role_not_allowed"},
      {{400, {}, "certificate: FAILED:certificate revoked\n"}, "peer_rejected_certificate"},
      {{400, {}, "<html>"}, "response_malformed"},
      {{500, {}, "<html>"}, "connection_failed"},
      {{502, {}, ""}, "connection_failed"},
      {{302, {}, ""}, "response_malformed"},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(CodeOfStatus(RefusalOf(row.response)), row.code) << row.response.body;
  }
}

}  // namespace
}  // namespace attestor
