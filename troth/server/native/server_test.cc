#include "troth/server/native/server.h"

#include <gmock/gmock.h>
#include <grpcpp/create_channel_posix.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>

#include "troth/base/strings.h"
#include "troth/ca/ca_testing.h"
#include "troth/rpc/call_status.h"
#include "troth/rpc/credentials.h"
#include "troth/server/native/local_socket.h"
#include "troth/server/native/native_testing.h"
#include "troth/server/native/remote_operations.h"
#include "troth/server/native/service.h"
#include "troth/v1/authority.grpc.pb.h"

namespace troth::native {
namespace {

using ca_testing::FakeCertificate;
using ca_testing::FakeRequest;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

std::string CodeOfResult(const absl::Status& status) {
  return status.ok() ? "ok" : std::string(CodeOf(status));
}
template <typename T>
std::string CodeOfResult(const absl::StatusOr<T>& result) {
  return CodeOfResult(result.status());
}

std::string NewRequest() {
  const PrivateKey key = *PrivateKey::Generate(KeyType::kP256);
  return CertificateRequest::Create(key, *DistinguishedName::FromCommonName("db"),
                                    {*AlternativeName::Parse("dns:db")})
      ->ToPem();
}

// An authority with both listeners.
class NativeServerTest : public ::testing::Test {
 protected:
  NativeServerTest() {
    const IssuedPair own = authority_.Issue({"dns:localhost", "ip:127.0.0.1"});
    guard_ = *Guard::Create({.policy_text = PolicyText(authority_.settings())});
    auto server = Server::Start(
        authority_,
        {.listen = "127.0.0.1:0", .identity = SourceOf(own), .guard = guard_, .socket = socket_});
    EXPECT_TRUE(server.ok()) << server.status();
    if (server.ok()) server_ = *std::move(server);
  }

  std::string target() const { return "127.0.0.1:" + std::to_string(server_->port()); }

  std::shared_ptr<IdentitySource> SourceOf(const IssuedPair& pair) const {
    return MemoryIdentitySource::Create(
        *Identity::Create({.certificate_pem = pair.certificate_pem,
                           .private_key_pem = pair.key_pem,
                           .trust_bundle_pem = authority_.root().ToPem(),
                           .allow_untrusted_chain = true},
                          pair.certificate.validity().not_before));
  }
  std::shared_ptr<IdentitySource> Anonymous() const {
    return MemoryIdentitySource::Create(
        *Identity::Create({.trust_bundle_pem = authority_.root().ToPem()}, Clock::System().Now()));
  }
  IssuedPair Admin(const std::string& name) const {
    return authority_.Issue({"spiffe://example.org/troth/admin/" + name});
  }

  std::unique_ptr<v1::Authority::Stub> StubOf(std::shared_ptr<IdentitySource> identity) const {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return v1::Authority::NewStub(
        grpc::CreateCustomChannel(target(), ChannelCredentials(std::move(identity)), arguments));
  }
  std::unique_ptr<v1::Authority::Stub> LocalStub() const {
    return v1::Authority::NewStub(
        grpc::CreateInsecureChannelFromFd("localhost", ConnectToSocket(socket_)->Release()));
  }
  static void SetDeadline(grpc::ClientContext& context) {
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
  }
  template <typename Request, typename Answer>
  static absl::Status Call(v1::Authority::Stub& stub,
                           grpc::Status (v1::Authority::Stub::*method)(grpc::ClientContext*,
                                                                       const Request&, Answer*),
                           const Request& request, Answer* answer) {
    grpc::ClientContext context;
    SetDeadline(context);
    return StatusOfCall((stub.*method)(&context, request, answer));
  }
  absl::Status Enrol(v1::Authority::Stub& stub, const std::string& token,
                     v1::Issued* issued) const {
    v1::EnrolRequest request;
    request.set_token(token);
    request.set_request(NewRequest());
    request.set_lifetime_seconds(1800);
    return Call(stub, &v1::Authority::Stub::Enrol, request, issued);
  }

  ca_testing::TestFolder folder_;
  const std::string socket_ = folder_ / "admin.sock";
  FakeAuthority authority_;
  std::shared_ptr<Guard> guard_;
  std::unique_ptr<Server> server_;
};

TEST_F(NativeServerTest, AnyoneEnrolsWithAToken) {
  const auto stub = StubOf(Anonymous());
  v1::Issued issued;
  ASSERT_EQ(CodeOfResult(Enrol(*stub, "good", &issued)), "ok");
  const auto leaf = Certificate::FromPem(issued.certificate());
  ASSERT_TRUE(leaf.ok()) << leaf.status();
  EXPECT_LT(leaf->validity().not_after, Clock::System().Now() + std::chrono::hours(1));
  EXPECT_EQ(issued.chain(), "the chain");
  EXPECT_EQ(issued.trust_bundle(), authority_.root().ToPem());
  EXPECT_EQ(CodeOfResult(Enrol(*stub, "bad", &issued)), "token_invalid");
  EXPECT_THAT(authority_.Asked(),
              ElementsAre("enrol good from 127.0.0.1", "enrol bad from 127.0.0.1"));
  EXPECT_THAT(authority_.last_client(), StartsWith("grpc-c++/"));
}

TEST_F(NativeServerTest, AnyoneSubmitsAndFetches) {
  const auto stub = StubOf(Anonymous());
  v1::SubmitRequest submit;
  submit.set_profile("server");
  submit.set_request("a request");
  v1::Submitted submitted;
  ASSERT_EQ(CodeOfResult(Call(*stub, &v1::Authority::Stub::Submit, submit, &submitted)), "ok");
  const Sha256Digest id = Sha256("a request");
  EXPECT_EQ(submitted.request().id(), std::string(id.begin(), id.end()));
  EXPECT_FALSE(submitted.has_issued());
  EXPECT_THAT(authority_.Asked(), ElementsAre("submit server from 127.0.0.1"));

  const Sha256Digest known = Sha256("known");
  v1::FetchRequest fetch;
  fetch.set_id(std::string(known.begin(), known.end()));
  v1::Submitted fetched;
  ASSERT_EQ(CodeOfResult(Call(*stub, &v1::Authority::Stub::Fetch, fetch, &fetched)), "ok");
  EXPECT_EQ(fetched.request().state(), v1::REQUEST_STATE_APPROVED);
  EXPECT_TRUE(Certificate::FromPem(fetched.issued().certificate()).ok());
  fetch.set_id(std::string(32, 'x'));
  EXPECT_EQ(CodeOfResult(Call(*stub, &v1::Authority::Stub::Fetch, fetch, &fetched)),
            "request_unknown");
  fetch.set_id("short");
  EXPECT_EQ(CodeOfResult(Call(*stub, &v1::Authority::Stub::Fetch, fetch, &fetched)), "usage_error");
  EXPECT_THAT(authority_.Asked(), Contains("refused usage_error"));
}

TEST_F(NativeServerTest, TheCertificateOfTheConnectionRenews) {
  const IssuedPair leaf = authority_.Issue({"dns:db"});
  v1::RenewRequest request;
  request.set_request(NewRequest());
  v1::Issued issued;
  EXPECT_EQ(
      CodeOfResult(Call(*StubOf(SourceOf(leaf)), &v1::Authority::Stub::Renew, request, &issued)),
      "ok");
  EXPECT_THAT(authority_.Asked(),
              ElementsAre("renew " + leaf.certificate.serial_number().ToHex() + " from 127.0.0.1"));
  EXPECT_TRUE(Certificate::FromPem(issued.certificate()).ok());
}

TEST_F(NativeServerTest, RenewalNeedsTheCertificate) {
  v1::RenewRequest request;
  v1::Issued issued;
  EXPECT_EQ(CodeOfResult(Call(*StubOf(Anonymous()), &v1::Authority::Stub::Renew, request, &issued)),
            "peer_not_authenticated");
  // The local admin is no machine.
  EXPECT_EQ(CodeOfResult(Call(*LocalStub(), &v1::Authority::Stub::Renew, request, &issued)),
            "peer_not_authenticated");
}

TEST_F(NativeServerTest, ACallerIsToldWhatIsWrongWithItsCertificate) {
  v1::Issued issued;
  const IssuedPair expired = authority_.Issue({"dns:db"}, std::chrono::seconds(-60));
  EXPECT_EQ(CodeOfResult(Enrol(*StubOf(SourceOf(expired)), "good", &issued)),
            "certificate_expired");
  const FakeAuthority other;
  EXPECT_EQ(CodeOfResult(Enrol(*StubOf(SourceOf(other.Issue({"dns:db"}))), "good", &issued)),
            "issuer_unknown");
  EXPECT_THAT(authority_.Asked(), IsEmpty());
}

TEST_F(NativeServerTest, OnlyAdminsMayDoWhatAdminsDo) {
  const auto list = [&](const std::shared_ptr<IdentitySource>& identity) {
    v1::ListTokensResponse tokens;
    return CodeOfResult(Call(*StubOf(identity), &v1::Authority::Stub::ListTokens,
                             v1::ListTokensRequest(), &tokens));
  };
  EXPECT_EQ(list(Anonymous()), "peer_not_authenticated");
  EXPECT_EQ(list(SourceOf(authority_.Issue({"dns:admin"}))), "role_not_allowed");
  EXPECT_EQ(list(SourceOf(authority_.Issue({"spiffe://example.org/admin/alice"}))),
            "role_not_allowed");
  EXPECT_EQ(list(SourceOf(authority_.Issue({"spiffe://other.org/troth/admin/alice"}))),
            "role_not_allowed");
  EXPECT_THAT(authority_.state.Calls(), IsEmpty());
  EXPECT_EQ(list(SourceOf(Admin("alice"))), "ok");
  EXPECT_THAT(authority_.state.Calls(),
              ElementsAre("spiffe://example.org/troth/admin/alice: list tokens"));
}

TEST_F(NativeServerTest, AnAdminWhoWasRevokedIsRefusedAtOnce) {
  const IssuedPair admin = Admin("mallory");
  auto operations = ConnectRemotely(target(), SourceOf(admin), "");
  ASSERT_TRUE(operations.ok()) << operations.status();
  EXPECT_EQ(CodeOfResult((*operations)->ListTokens()), "ok");
  authority_.not_issued[admin.certificate.serial_number()] =
      MakeError(Reason::kCertificateRevoked, "revoked");
  EXPECT_EQ(CodeOfResult((*operations)->ListTokens()), "certificate_revoked");
}

TEST_F(NativeServerTest, WhoeverReachesTheSocketIsTheLocalAdmin) {
  EXPECT_EQ(ca_testing::ModeOf(socket_), 0600U);
  auto operations = ConnectLocally(socket_);
  ASSERT_TRUE(operations.ok()) << operations.status();
  ASSERT_TRUE((*operations)->ListTokens().ok());
  EXPECT_THAT(authority_.state.Calls(),
              ElementsAre("local admin (uid " + std::to_string(getuid()) + "): list tokens"));
}

TEST_F(NativeServerTest, SaysWhyTheSocketCannotBeReached) {
  EXPECT_EQ(CodeOfResult(ConnectLocally(folder_ / "none.sock")), "file_not_found");
  auto operations = ConnectLocally(socket_);
  server_->Shutdown(std::chrono::milliseconds(0));
  EXPECT_EQ(CodeOfResult((*operations)->ListTokens()), "connection_failed");
  EXPECT_EQ(CodeOfResult(ConnectLocally(socket_)), "file_not_found");
}

TEST_F(NativeServerTest, SaysWhyARemoteServerCannotBeReached) {
  const std::string before = target();
  auto wrong_name = ConnectRemotely(target(), SourceOf(Admin("alice")), "ca.example.org");
  ASSERT_TRUE(wrong_name.ok()) << wrong_name.status();
  EXPECT_EQ(CodeOfResult((*wrong_name)->Summary()), "name_mismatch");
  EXPECT_EQ(CodeOfResult(ConnectRemotely(target(), SourceOf(Admin("a")), "spiffe://")),
            "usage_error");
  const FakeAuthority other;
  auto stranger =
      ConnectRemotely(target(),
                      MemoryIdentitySource::Create(*Identity::Create(
                          {.trust_bundle_pem = other.root().ToPem()}, Clock::System().Now())),
                      "");
  EXPECT_EQ(CodeOfResult((*stranger)->Summary()), "issuer_unknown");
  server_->Shutdown(std::chrono::milliseconds(0));
  auto gone = ConnectRemotely(before, SourceOf(Admin("alice")), "localhost");
  const absl::Status refused = (*gone)->Summary().status();
  EXPECT_EQ(CodeOfResult(refused), "connection_failed");
  EXPECT_THAT(std::string(ToStd(refused.message())), StartsWith(before + ": "));
}

TEST_F(NativeServerTest, ASecondServerTakesNeitherPortNorSocket) {
  const auto same_port =
      Server::Start(authority_, {.listen = target(),
                                 .identity = SourceOf(authority_.Issue({"dns:localhost"})),
                                 .guard = guard_,
                                 .socket = ""});
  EXPECT_EQ(CodeOfResult(same_port), "connection_failed");
  const auto same_socket = Server::Start(authority_, {.socket = socket_});
  EXPECT_EQ(CodeOfResult(same_socket), "connection_failed");
  EXPECT_TRUE((*ConnectLocally(socket_))->ListTokens().ok());
}

TEST_F(NativeServerTest, WhatCannotBeListenedOnIsAUsageError) {
  for (const char* listen :
       {"127.0.0.1", ":8444", "127.0.0.1:port", "127.0.0.1:99999", "unix:/tmp/x:1"}) {
    EXPECT_EQ(CodeOfResult(Server::Start(
                  authority_, {.listen = listen, .identity = Anonymous(), .guard = guard_})),
              "usage_error")
        << listen;
  }
  EXPECT_EQ(CodeOfResult(Server::Start(authority_, {.listen = "127.0.0.1:0"})), "usage_error");
}

TEST_F(NativeServerTest, ItDoesNotStartWithoutACertificate) {
  EXPECT_EQ(CodeOfResult(Server::Start(
                authority_, {.listen = "127.0.0.1:0", .identity = Anonymous(), .guard = guard_})),
            "certificate_missing");
}

TEST_F(NativeServerTest, ItStopsWithinItsPatienceWhateverIsOpen) {
  grpc::ClientContext context;
  SetDeadline(context);
  const auto stub = LocalStub();
  const auto events = stub->WatchEvents(&context, v1::WatchEventsRequest());
  events->WaitForInitialMetadata();
  EXPECT_EQ(authority_.listeners(), 1U);
  const auto begin = std::chrono::steady_clock::now();
  server_->Shutdown(std::chrono::seconds(15));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
  v1::Event event;
  EXPECT_FALSE(events->Read(&event));
  EXPECT_EQ(CodeOfResult(StatusOfCall(events->Finish())), "connection_failed");
  EXPECT_EQ(authority_.listeners(), 0U);
}

// Each operation, by both ways, answers what the authority's own operations answer.
class OperationsTest : public NativeServerTest, public ::testing::WithParamInterface<bool> {
 protected:
  OperationsTest() {
    auto operations = GetParam() ? ConnectLocally(socket_)
                                 : ConnectRemotely(target(), SourceOf(Admin("alice")), "localhost");
    EXPECT_TRUE(operations.ok()) << operations.status();
    operations_ = *std::move(operations);
    authority_.state.requests = {FakeRequest("db", "1a2b"), FakeRequest("web", "3c4d"),
                                 FakeRequest("web", "3c4e", RequestState::kApproved)};
    authority_.state.certificates = {FakeCertificate("db", "41ab"), FakeCertificate("web", "41aa")};
  }
  // What the last call was, without who made it.
  std::string LastCall() {
    const std::string last = authority_.state.Calls().back();
    return last.substr(last.find(": ") + 2);
  }

  std::unique_ptr<Operations> operations_;
};
INSTANTIATE_TEST_SUITE_P(Ways, OperationsTest, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "Socket" : "Tls"; });

TEST_P(OperationsTest, Summary) {
  const auto summary = operations_->Summary();
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_EQ(summary->trust_domain, "example.org");
  EXPECT_THAT(summary->profiles, ElementsAre("default", "admin"));
  EXPECT_EQ(summary->store.certificates, 2U);
}

TEST_P(OperationsTest, Requests) {
  auto listed = operations_->ListRequests({.limit = 2});
  ASSERT_TRUE(listed.ok()) << listed.status();
  ASSERT_THAT(*listed, SizeIs(2));
  listed = operations_->ListRequests({.after = (*listed)[1].record.id});
  ASSERT_THAT(*listed, SizeIs(1));
  EXPECT_EQ((*listed)[0].record.state, RequestState::kApproved);

  const auto shown = operations_->ShowRequest("1a2b");
  ASSERT_TRUE(shown.ok()) << shown.status();
  EXPECT_EQ(shown->record.body, "body of db");
  EXPECT_EQ(CodeOfResult(operations_->ShowRequest("nobody")), "request_unknown");
  const auto ambiguous = operations_->ShowRequest("web");
  EXPECT_EQ(CodeOfResult(ambiguous), "request_ambiguous");
  EXPECT_THAT(ambiguous.status().ToString(), HasSubstr("3c4d000000000000 3c4e000000000000"));

  const auto approved = operations_->Approve("1a2b", std::chrono::hours(2));
  ASSERT_TRUE(approved.ok()) << approved.status();
  EXPECT_EQ(approved->record.serial, ca_testing::SerialOf("41ab"));
  EXPECT_EQ(LastCall(), "approve 1a2b 7200");
  ASSERT_TRUE(operations_->Approve("1a2b", std::nullopt).ok());
  EXPECT_EQ(LastCall(), "approve 1a2b -");
  const auto rejected = operations_->Reject("3c4d", "who is that");
  ASSERT_TRUE(rejected.ok()) << rejected.status();
  EXPECT_EQ(rejected->record.state, RequestState::kRejected);
  EXPECT_EQ(rejected->record.decision_note, "who is that");
}

TEST_P(OperationsTest, Tokens) {
  const auto made = operations_->CreateToken({.profile = "server",
                                              .names = {"db", "*.web"},
                                              .max_uses = 3,
                                              .lifetime = std::chrono::hours(2)});
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->text.Reveal(), "troth1.secret-of-the-token");
  EXPECT_EQ(made->record.id, "5f2c81a09d3e6b77");
  EXPECT_EQ(LastCall(), "create token server db *.web 3 7200");
  const auto listed = operations_->ListTokens();
  ASSERT_TRUE(listed.ok()) << listed.status();
  ASSERT_THAT(*listed, SizeIs(1));
  EXPECT_THAT((*listed)[0].names, ElementsAre("db", "*.web"));
  const auto revoked = operations_->RevokeToken("5f2c81a09d3e6b77");
  ASSERT_TRUE(revoked.ok()) << revoked.status();
  EXPECT_TRUE(revoked->revoked_at.has_value());
  EXPECT_EQ(CodeOfResult(operations_->RevokeToken("0000000000000000")), "token_invalid");
}

TEST_P(OperationsTest, Certificates) {
  auto listed = operations_->ListCertificates({.limit = 1});
  ASSERT_TRUE(listed.ok()) << listed.status();
  ASSERT_THAT(*listed, SizeIs(1));
  listed = operations_->ListCertificates({.before = (*listed)[0].record.serial});
  ASSERT_THAT(*listed, SizeIs(1));
  EXPECT_THAT((*listed)[0].record.names, ElementsAre("web"));
  EXPECT_EQ(CodeOfResult(operations_->ShowCertificate("db")), "ok");
  EXPECT_EQ(CodeOfResult(operations_->ShowCertificate("nobody")), "certificate_unknown");
  const auto revoked = operations_->Revoke({.which = "db", .reason = 1, .all = true});
  ASSERT_TRUE(revoked.ok()) << revoked.status();
  ASSERT_THAT(*revoked, SizeIs(1));
  EXPECT_EQ((*revoked)[0].revocation->reason, 1);
  EXPECT_EQ(LastCall(), "revoke db 1 all");
  EXPECT_EQ(*operations_->CurrentCrl(3), "list of issuer 3");
}

TEST_P(OperationsTest, Refresh) {
  authority_.state.refresh = {{.done = 1, .total = 3}, {.done = 2, .total = 3, .refused = 1}};
  std::vector<std::uint64_t> seen;
  const auto result =
      operations_->Refresh({.lifetime = std::chrono::hours(48), .profile = "caramel"},
                           [&](const RefreshProgress& progress) { seen.push_back(progress.done); });
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->done, 2U);
  EXPECT_EQ(result->refused, 1U);
  // The one between comes only when there is time for it; the result always.
  EXPECT_EQ(seen.back(), 2U);
  EXPECT_EQ(LastCall(), "refresh 172800 caramel");
}

TEST_P(OperationsTest, Ledger) {
  const auto empty = operations_->ReadLedger(1, [](const LedgerEntry&) { return true; });
  ASSERT_TRUE(empty.ok()) << empty.status();
  EXPECT_EQ(empty->sequence, 0U);

  constexpr int kEntries = 1300;  // more than two batches
  for (int i = 0; i < kEntries; ++i) {
    authority_.state.Append({.actor = "a", .action = "issue", .subject = std::to_string(i)});
  }
  LedgerVerifier verifier;
  const auto head = operations_->ReadLedger(
      1, [&](const LedgerEntry& entry) { return verifier.Add(entry).ok(); });
  ASSERT_TRUE(head.ok()) << head.status();
  EXPECT_EQ(head->sequence, kEntries);
  EXPECT_TRUE(verifier.Finish(*head).ok());
  std::vector<std::uint64_t> some;
  ASSERT_TRUE(operations_
                  ->ReadLedger(1200,
                               [&](const LedgerEntry& entry) {
                                 some.push_back(entry.sequence);
                                 return some.size() < 3;
                               })
                  .ok());
  EXPECT_THAT(some, ElementsAre(1200, 1201, 1202));
}

TEST_P(OperationsTest, WhatIsDecidedWhileTheLedgerIsReadIsLeftForTheNextTime) {
  for (int i = 0; i < 600; ++i) authority_.state.Append({.action = "issue"});
  authority_.state.after_ledger_read = [this] { authority_.state.Append({.action = "late"}); };
  LedgerVerifier verifier;
  const auto head = operations_->ReadLedger(
      1, [&](const LedgerEntry& entry) { return verifier.Add(entry).ok(); });
  ASSERT_TRUE(head.ok()) << head.status();
  EXPECT_EQ(head->sequence, 600U);
  EXPECT_TRUE(verifier.Finish(*head).ok());
}

TEST_P(OperationsTest, AnErrorOfTheAuthorityArrivesAsItIs) {
  const absl::Status failed = MakeError(Reason::kStoreFailed, "the disk is full");
  {
    const std::lock_guard lock(authority_.state.mutex);
    authority_.state.failure = failed;
  }
  EXPECT_EQ(operations_->Summary().status(), failed);
  EXPECT_EQ(operations_->ListRequests({}).status(), failed);
  EXPECT_EQ(operations_->Approve("x", {}).status(), failed);
  EXPECT_EQ(operations_->CreateToken({}).status(), failed);
  EXPECT_EQ(operations_->Revoke({}).status(), failed);
  EXPECT_EQ(operations_->Refresh({}, [](const RefreshProgress&) {}).status(), failed);
  EXPECT_EQ(operations_->ReadLedger(1, [](const LedgerEntry&) { return true; }).status(), failed);
}

TEST(NativeAddress, IsWhatPeopleWrite) {
  EXPECT_EQ(AddressOf("ipv4:127.0.0.1:5800"), "127.0.0.1:5800");
  EXPECT_EQ(AddressOf("ipv6:%5B::1%5D:443"), "[::1]:443");
  EXPECT_EQ(AddressOf("ipv6:[::1]:443"), "[::1]:443");
  EXPECT_EQ(AddressOf("fd:7"), "local");
  EXPECT_EQ(AddressOf("unix:"), "local");
}

}  // namespace
}  // namespace troth::native
