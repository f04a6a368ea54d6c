// The native service over an authority as it runs: folder, store, tokens, renewal, revocation.
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>

#include "troth/ca/authority_folder.h"
#include "troth/ca/ca_testing.h"
#include "troth/ca/ledger.h"
#include "troth/pki/certificate_request.h"
#include "troth/rpc/call_status.h"
#include "troth/rpc/credentials.h"
#include "troth/server/native/remote_operations.h"
#include "troth/server/native/server.h"
#include "troth/store/sqlite_store.h"
#include "troth/v1/authority.grpc.pb.h"

namespace troth::native {
namespace {

using ::testing::Contains;
using ::testing::SizeIs;

std::string CodeOfResult(const absl::Status& status) {
  return status.ok() ? "ok" : std::string(CodeOf(status));
}
template <typename T>
std::string CodeOfResult(const absl::StatusOr<T>& result) {
  return CodeOfResult(result.status());
}

template <typename T>
T Must(absl::StatusOr<T> result) {
  if (!result.ok()) {
    ADD_FAILURE() << result.status();
    std::abort();
  }
  return *std::move(result);
}

class RealAuthorityTest : public ::testing::Test {
 protected:
  RealAuthorityTest() {
    const AuthoritySettings settings{.trust_domain = "example.org", .dns_names = {"localhost"}};
    EXPECT_TRUE(MakeFolder(data_.path(), 0700).ok());
    EXPECT_TRUE(CreateAuthority(data_, {.settings = settings}, Clock::System()).ok());
    authority_ = Must(Authority::Open({.folder = data_, .settings = settings},
                                      Must(OpenSqliteStore({.path = data_.Database()}))));
    const PrivateKey key = *PrivateKey::Generate(KeyType::kP256);
    const IssuedCertificate own = Must(authority_->IssueOwn(
        key.public_key(), {*AlternativeName::Parse("dns:localhost")}, std::chrono::hours(24)));
    auto guard = Must(
        Guard::Create({.policy_text = PolicyText(settings), .crl_paths = {data_.CrlFolder()}}));
    server_ = Must(Server::Start(*authority_, {.listen = "127.0.0.1:0",
                                               .identity = SourceOf(own, key),
                                               .guard = std::move(guard),
                                               .socket = data_.Socket()}));
    local_ = Must(ConnectLocally(data_.Socket()));
  }

  std::shared_ptr<IdentitySource> SourceOf(const IssuedCertificate& issued,
                                           const PrivateKey& key) const {
    const std::string chain = issued.certificate.ToPem() + *issued.chain_pem;
    const Secret key_pem = key.ToPem();
    return MemoryIdentitySource::Create(
        Must(Identity::Create({.certificate_pem = chain,
                               .private_key_pem = key_pem.Reveal(),
                               .trust_bundle_pem = *issued.root_pem},
                              Clock::System().Now())));
  }
  std::string target() const { return "localhost:" + std::to_string(server_->port()); }

  // What a machine does: a key, a request, a token; then its identity.
  struct Machine {
    PrivateKey key = *PrivateKey::Generate(KeyType::kP256);
    std::string request;
    std::shared_ptr<IdentitySource> identity;
    std::optional<Certificate> leaf;
  };
  std::unique_ptr<v1::Authority::Stub> StubOf(std::shared_ptr<IdentitySource> identity) const {
    if (identity == nullptr) {
      identity = MemoryIdentitySource::Create(Must(Identity::Create(
          {.trust_bundle_pem = authority_->root().ToPem()}, Clock::System().Now())));
    }
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return v1::Authority::NewStub(
        grpc::CreateCustomChannel(target(), ChannelCredentials(std::move(identity)), arguments));
  }
  absl::Status Enrol(Machine& machine, const std::string& name, std::string_view token) const {
    machine.request = CertificateRequest::Create(machine.key, DistinguishedName(),
                                                 {*AlternativeName::Parse(name)})
                          ->ToPem();
    v1::EnrolRequest request;
    request.set_token(std::string(token));
    request.set_request(machine.request);
    return Take(machine,
                [&](v1::Authority::Stub& stub, grpc::ClientContext& context, v1::Issued& issued) {
                  return stub.Enrol(&context, request, &issued);
                });
  }
  absl::Status Renew(Machine& machine) const {
    v1::RenewRequest request;
    request.set_request(machine.request);
    return Take(machine,
                [&](v1::Authority::Stub& stub, grpc::ClientContext& context, v1::Issued& issued) {
                  return stub.Renew(&context, request, &issued);
                });
  }

  ca_testing::TestFolder folder_;
  const AuthorityFolder data_{folder_ / "data"};
  std::unique_ptr<Authority> authority_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<Operations> local_;

 private:
  template <typename Call>
  absl::Status Take(Machine& machine, const Call& call) const {
    const auto stub = StubOf(machine.identity);
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    v1::Issued answer;
    if (absl::Status status = StatusOfCall(call(*stub, context, answer)); !status.ok()) {
      return status;
    }
    const IssuedCertificate issued{
        .certificate = Must(Certificate::FromPem(answer.certificate())),
        .chain_pem = std::make_shared<const std::string>(answer.chain()),
        .root_pem = std::make_shared<const std::string>(answer.trust_bundle())};
    machine.leaf = issued.certificate;
    machine.identity = SourceOf(issued, machine.key);
    return absl::OkStatus();
  }
};

TEST_F(RealAuthorityTest, FromTokenToRenewalToRevocation) {
  const NewToken token = Must(local_->CreateToken({.names = {"db.internal"}}));
  Machine db;
  Machine thief;
  ASSERT_EQ(CodeOfResult(Enrol(db, "dns:db.internal", token.text.Reveal())), "ok");
  EXPECT_EQ(CodeOfResult(Enrol(thief, "dns:db.internal", token.text.Reveal())), "token_invalid");
  const SerialNumber first = db.leaf->serial_number();
  ASSERT_EQ(CodeOfResult(Renew(db)), "ok");
  EXPECT_NE(db.leaf->serial_number(), first);
  EXPECT_THAT(Must(local_->ListCertificates({.name = "db.internal"})), SizeIs(2));

  ASSERT_EQ(CodeOfResult(local_->Revoke({.which = db.leaf->serial_number().ToHex(), .reason = 1})),
            "ok");
  EXPECT_EQ(CodeOfResult(Renew(db)), "certificate_revoked");
}

TEST_F(RealAuthorityTest, AnAdminElsewhereIsOneUntilRevoked) {
  const NewToken token = Must(local_->CreateToken(
      {.profile = "admin", .names = {"spiffe://example.org/troth/admin/alice"}}));
  Machine alice;
  ASSERT_EQ(
      CodeOfResult(Enrol(alice, "uri:spiffe://example.org/troth/admin/alice", token.text.Reveal())),
      "ok");
  const auto remote = Must(ConnectRemotely(target(), alice.identity, ""));
  ASSERT_EQ(CodeOfResult(remote->CreateToken({.any_name = true})), "ok");
  std::vector<std::string> decisions;
  Must(local_->ReadLedger(1, [&](const LedgerEntry& entry) {
    decisions.push_back(entry.note.actor + ": " + entry.note.action);
    return true;
  }));
  EXPECT_THAT(decisions, Contains("spiffe://example.org/troth/admin/alice: create-token"));
  EXPECT_THAT(decisions,
              Contains("local admin (uid " + std::to_string(getuid()) + "): create-token"));

  ASSERT_EQ(CodeOfResult(local_->Revoke({.which = alice.leaf->serial_number().ToHex()})), "ok");
  EXPECT_EQ(CodeOfResult(remote->CreateToken({.any_name = true})), "certificate_revoked");
}

TEST_F(RealAuthorityTest, AMachineIsNoAdmin) {
  const NewToken token = Must(local_->CreateToken({.any_name = true}));
  Machine machine;
  EXPECT_EQ(
      CodeOfResult(Enrol(machine, "uri:spiffe://example.org/troth/admin/eve", token.text.Reveal())),
      "name_not_permitted");
  ASSERT_EQ(CodeOfResult(Enrol(machine, "dns:eve", token.text.Reveal())), "ok");
  EXPECT_EQ(CodeOfResult(Must(ConnectRemotely(target(), machine.identity, ""))->ListTokens()),
            "role_not_allowed");
}

TEST_F(RealAuthorityTest, ARequestIsDecidedByTheDigestThatItsSenderSees) {
  const PrivateKey key = *PrivateKey::Generate(KeyType::kP256);
  const std::string pem =
      CertificateRequest::Create(key, DistinguishedName(), {*AlternativeName::Parse("dns:web")})
          ->ToPem();
  const auto stub = StubOf(nullptr);
  const auto submit = [&](v1::Submitted& answer) {
    grpc::ClientContext context;
    v1::SubmitRequest request;
    request.set_request(pem);
    return StatusOfCall(stub->Submit(&context, request, &answer));
  };
  v1::Submitted answer;
  ASSERT_EQ(CodeOfResult(submit(answer)), "ok");
  EXPECT_EQ(answer.request().state(), v1::REQUEST_STATE_PENDING);
  EXPECT_FALSE(answer.has_issued());
  const RequestStatus shown = Must(local_->ShowRequest("web"));
  EXPECT_EQ(shown.record.id, Sha256(pem));
  EXPECT_EQ(shown.record.body, pem);
  const CertificateStatus approved =
      Must(local_->Approve(FormatFingerprint(shown.record.id).substr(0, 8), {}));

  grpc::ClientContext context;
  v1::FetchRequest fetch;
  fetch.set_id(std::string(shown.record.id.begin(), shown.record.id.end()));
  v1::Submitted fetched;
  ASSERT_EQ(CodeOfResult(StatusOfCall(stub->Fetch(&context, fetch, &fetched))), "ok");
  EXPECT_EQ(fetched.request().state(), v1::REQUEST_STATE_APPROVED);
  EXPECT_EQ(Must(Certificate::FromPem(fetched.issued().certificate())).der(), approved.record.der);
  EXPECT_EQ(CodeOfResult(local_->Reject("web", "no longer ours")), "ok");
  EXPECT_EQ(CodeOfResult(local_->Approve("web", {})), "request_state");
}

TEST_F(RealAuthorityTest, EventsAreTheLedgersEntries) {
  Must(local_->CreateToken({.any_name = true}));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
  Machine alice;
  const NewToken token = Must(local_->CreateToken(
      {.profile = "admin", .names = {"spiffe://example.org/troth/admin/alice"}}));
  ASSERT_EQ(
      CodeOfResult(Enrol(alice, "uri:spiffe://example.org/troth/admin/alice", token.text.Reveal())),
      "ok");
  const auto stub = StubOf(alice.identity);
  v1::WatchEventsRequest request;
  request.set_after_sequence(0);
  const auto events = stub->WatchEvents(&context, request);
  events->WaitForInitialMetadata();
  for (int i = 0; i < 20; ++i) {
    const NewToken more = Must(local_->CreateToken({.any_name = true}));
    Machine machine;
    ASSERT_EQ(CodeOfResult(Enrol(machine, "dns:m" + std::to_string(i), more.text.Reveal())), "ok");
    EXPECT_EQ(CodeOfResult(Enrol(machine, "dns:x", more.text.Reveal())), "token_invalid");
  }
  LedgerVerifier verifier;
  std::vector<LedgerEntry> entries;
  const LedgerHead head = Must(local_->ReadLedger(1, [&](const LedgerEntry& entry) {
    entries.push_back(entry);
    return verifier.Add(entry).ok();
  }));
  EXPECT_TRUE(verifier.Finish(head).ok());
  ASSERT_GT(entries.size(), 40U);
  for (const LedgerEntry& entry : entries) {
    v1::Event event;
    ASSERT_TRUE(events->Read(&event));
    EXPECT_EQ(event.sequence(), entry.sequence);
    EXPECT_EQ(event.actor(), entry.note.actor);
    EXPECT_EQ(event.action(), entry.note.action);
    EXPECT_EQ(event.subject(), entry.note.subject);
    EXPECT_EQ(event.detail(), entry.note.detail);
  }
  context.TryCancel();
}

}  // namespace
}  // namespace troth::native
