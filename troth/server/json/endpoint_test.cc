#include "troth/server/json/endpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "troth/server/json/json_testing.h"

namespace troth::json {
namespace {

using json_testing::EndpointTest;
using json_testing::MakeKey;
using json_testing::object;
using json_testing::Quoted;
using json_testing::RequestFor;
using json_testing::Sent;
using json_testing::Text;
using json_testing::Value;

using Routing = EndpointTest;
using Enrolling = EndpointTest;
using Renewing = EndpointTest;
using Requesting = EndpointTest;
using Operating = EndpointTest;

TEST_F(Routing, PathsOfOthersAreLeftToOthers) {
  for (const std::string path : {"/", "/v1", "/v1/", "/v1/certificate", "/v1/certificates/",
                                 "/v1/requests/a/b", "/v1/tokens/x", "/healthz", "/v2/tokens"}) {
    EXPECT_FALSE(TrySend({.path = path}).has_value()) << path;
  }
}

TEST_F(Routing, AMethodThatAPathDoesNotTakeIsAnsweredWithThoseThatItTakes) {
  struct Case {
    std::string method, path, allow;
  };
  for (const auto& [method, path, allow] :
       {Case{"DELETE", "/v1/certificates", "POST, GET"}, Case{"PUT", "/v1/requests", "POST, GET"},
        Case{"GET", "/v1/certificates/4e/revoke", "POST"},
        Case{"POST", "/v1/certificates/4e", "GET"}, Case{"HEAD", "/v1/tokens", "POST, GET"},
        Case{"POST", "/v1/trust-bundle", "GET, HEAD"}, Case{"get", "/v1/trust-bundle", "GET, HEAD"},
        Case{"PATCH", "/v1/certificates/renew", "POST, GET"}}) {
    const HttpResponse response = Send({.method = method, .path = path});
    EXPECT_EQ(ProblemOf(response), "405 method_not_allowed") << method << " " << path;
    EXPECT_EQ(FieldOf(response, "Allow"), allow) << method << " " << path;
  }
}

TEST_F(Routing, WhatIsSentAsSomethingElseThanJsonIsRefused) {
  const Sent sent{.method = "POST", .path = "/v1/requests", .body = R"({"csr":"x"})"};
  for (const std::string type : {"application/x-www-form-urlencoded", "text/plain"}) {
    Sent other = sent;
    other.fields = {{"Content-Type", type}};
    EXPECT_EQ(ProblemOf(Send(other)), "415 media_type_unknown") << type;
  }
  EXPECT_EQ(ProblemOf(Send(sent)), "400 request_malformed");
}

TEST_F(Routing, WhatIsNotJsonOrNotWhatIsTakenIsRefused) {
  const auto post = [&](const std::string& path, const std::string& body) {
    return ProblemOf(Send({.method = "POST", .path = path, .body = body, .peer = Admin()}));
  };
  EXPECT_EQ(post("/v1/requests", "csr=x"), "400 json_malformed");
  EXPECT_EQ(post("/v1/requests", "[]"), "400 json_malformed");
  EXPECT_EQ(post("/v1/requests", R"({"csr":"x","csr":"x"})"), "400 json_malformed");
  EXPECT_EQ(post("/v1/requests", R"({"crs":"x"})"), "400 parameter_invalid");
  EXPECT_EQ(post("/v1/requests", "{}"), "400 parameter_invalid");
  EXPECT_EQ(post("/v1/certificates/renew", R"({"csr":["x"]})"), "400 parameter_invalid");
  EXPECT_EQ(post("/v1/tokens", R"({"names":"x"})"), "400 parameter_invalid");
  EXPECT_EQ(post("/v1/requests", R"({"csr":")" + std::string(200'000, 'x') + "\"}"),
            "413 body_too_large");
  EXPECT_EQ(post("/v1/requests?x=1", R"({"csr":"x"})"), "400 parameter_invalid");
  EXPECT_EQ(ProblemOf(Send({.path = "/v1/trust-bundle", .body = "{}"})), "400 parameter_invalid");
  EXPECT_EQ(ProblemOf(Send({.path = "/v1/trust-bundle?x"})), "400 parameter_invalid");
  EXPECT_EQ(ProblemOf(Send({.path = "/v1/requests/12"})), "400 parameter_invalid");
  EXPECT_EQ(ProblemOf(Send({.path = "/v1/certificates/%zz", .peer = Admin()})),
            "400 parameter_invalid");
}

TEST_F(Routing, ItsOwnRefusalsAreCounted) {
  Send({.method = "DELETE", .path = "/v1/tokens"});
  Send({.method = "POST", .path = "/v1/requests", .body = "x"});
  Send({.path = "/v1/tokens"});
  const auto refused = authority_->Statistics().refused;
  EXPECT_EQ(refused.at("method_not_allowed"), 1U);
  EXPECT_EQ(refused.at("json_malformed"), 1U);
  EXPECT_EQ(refused.at("peer_not_authenticated"), 1U);
}

TEST_F(Enrolling, ATokenGetsCertificateChainAndTrustBundle) {
  const PrivateKey key = MakeKey();
  const HttpResponse response =
      Enrol(NewToken({.names = {"db.internal"}}), RequestFor("db.internal", key));
  const object issued = JsonOf(response, 201);
  ASSERT_EQ(issued.size(), 3U);
  const Certificate leaf = Value(Certificate::FromPem(Text(issued.at("certificate"))));
  EXPECT_EQ(leaf.public_key().der(), key.public_key().der());
  EXPECT_EQ(leaf.alternative_names(),
            (std::vector<AlternativeName>{{AlternativeName::Kind::kDns, "db.internal"}}));
  EXPECT_EQ(Text(issued.at("chain")), authority_->issuer().ToPem());
  EXPECT_EQ(Text(issued.at("trust_bundle")), authority_->root().ToPem());
  EXPECT_EQ(FieldOf(response, "Location"), "/v1/certificates/" + leaf.serial_number().ToHex());
}

TEST_F(Enrolling, ALifetimeCanBeAskedFor) {
  const object issued = JsonOf(Enrol(NewToken({.names = {"db.internal"}}),
                                     RequestFor("db.internal"), R"(,"lifetime_seconds":7200)"),
                               201);
  EXPECT_EQ(Value(Certificate::FromPem(Text(issued.at("certificate")))).validity().not_after,
            clock_.Now() + std::chrono::hours(2));
}

TEST_F(Enrolling, TheSameRequestSentAgainGetsTheSameCertificate) {
  const std::string token = NewToken({.names = {"db.internal"}});
  const std::string csr = RequestFor("db.internal");
  const object first = JsonOf(Enrol(token, csr), 201);
  EXPECT_EQ(JsonOf(Enrol(token, csr), 201), first);
  EXPECT_EQ(ProblemOf(Enrol(token, RequestFor("db.internal"))), "401 token_invalid");
}

TEST_F(Enrolling, WithoutATokenThatIsGoodItIsRefusedAndOneIsAskedFor) {
  const std::string body = "{\"csr\":" + Quoted(RequestFor("db.internal")) + "}";
  std::string other = NewToken({.names = {"db.internal"}});
  other[20] = other[20] == 'A' ? 'B' : 'A';
  for (const HttpFields& fields : {HttpFields{}, HttpFields{{"Authorization", "Basic YTpi"}},
                                   HttpFields{{"Authorization", "Bearer troth1.none"}},
                                   HttpFields{{"Authorization", "Bearer " + other}}}) {
    const HttpResponse response =
        Send({.method = "POST", .path = "/v1/certificates", .body = body, .fields = fields});
    EXPECT_EQ(ProblemOf(response), "401 token_invalid");
    EXPECT_EQ(FieldOf(response, "WWW-Authenticate"), "Bearer");
  }
}

TEST_F(Enrolling, WhatTheAuthorityRefusesIsAnsweredWithItsReason) {
  const std::string token = NewToken({.names = {"db.internal"}, .max_uses = 9});
  EXPECT_EQ(ProblemOf(Enrol(token, "no PEM")), "400 request_malformed");
  EXPECT_EQ(ProblemOf(Enrol(token, RequestFor("web.internal"))), "403 name_not_permitted");
  EXPECT_EQ(ProblemOf(Enrol(token, RequestFor("db.internal"), R"(,"lifetime_seconds":3155760000)")),
            "400 usage_error");
  clock_.Advance(std::chrono::hours(2));
  EXPECT_EQ(ProblemOf(Enrol(token, RequestFor("db.internal"))), "401 token_expired");
}

TEST_F(Enrolling, WhatIsNotOnDiskIsNotGivenOut) {
  const std::string token = NewToken({.names = {"db.internal"}});
  const std::string csr = RequestFor("db.internal");
  store_->FailWrites(true);
  EXPECT_EQ(ProblemOf(Enrol(token, csr)), "503 store_failed");
  store_->FailWrites(false);
  EXPECT_EQ(ProblemOf(Enrol(token, csr)), "201");
}

TEST_F(Renewing, ThePresentCertificateGetsTheNextOne) {
  const auto peer = Enrolled("db.internal");
  const PrivateKey key = MakeKey();
  const HttpResponse response =
      Send({.method = "POST",
            .path = "/v1/certificates/renew",
            .body = "{\"csr\":" + Quoted(RequestFor("db.internal", key)) + "}",
            .peer = peer});
  const object issued = JsonOf(response, 201);
  const Certificate next = Value(Certificate::FromPem(Text(issued.at("certificate"))));
  EXPECT_EQ(next.public_key().der(), key.public_key().der());
  EXPECT_EQ(next.alternative_names(), peer->certificate->alternative_names());
  EXPECT_EQ(FieldOf(response, "Location"), "/v1/certificates/" + next.serial_number().ToHex());
  const auto record = authority_->AsOperator("test")->ShowCertificate(next.serial_number().ToHex());
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_EQ(record->record.lineage, peer->certificate->serial_number());
}

TEST_F(Renewing, NobodyElseMay) {
  const std::string body = "{\"csr\":" + Quoted(RequestFor("db.internal")) + "}";
  const auto renew = [&](std::shared_ptr<const Peer> peer) {
    return ProblemOf(Send({.method = "POST",
                           .path = "/v1/certificates/renew",
                           .body = body,
                           .peer = std::move(peer)}));
  };
  const auto peer = Enrolled("db.internal");
  Peer unverified = *peer;
  unverified.verified = false;
  EXPECT_EQ(renew(nullptr), "401 peer_not_authenticated");
  EXPECT_EQ(renew(std::make_shared<const Peer>()), "401 peer_not_authenticated");
  EXPECT_EQ(renew(std::make_shared<const Peer>(unverified)), "401 peer_not_authenticated");
  EXPECT_EQ(renew(Enrolled("web.internal")), "403 name_not_permitted");
  ASSERT_TRUE(authority_->AsOperator("test")->Revoke({.which = SerialOf(peer)}).ok());
  EXPECT_EQ(renew(peer), "401 certificate_revoked");
}

TEST_F(Requesting, ARequestWaitsIsApprovedAndFetched) {
  const std::string csr = RequestFor("db.internal");
  const std::string body = "{\"csr\":" + Quoted(csr) + "}";
  const HttpResponse sent = Send({.method = "POST", .path = "/v1/requests", .body = body});
  const object waiting = JsonOf(sent, 202);
  const std::string id = FormatFingerprint(Sha256(csr));
  EXPECT_EQ(Text(waiting.at("id")), id);
  EXPECT_EQ(Text(waiting.at("state")), "pending");
  EXPECT_EQ(Text(waiting.at("name")), "db.internal");
  EXPECT_FALSE(waiting.contains("certificate"));
  EXPECT_EQ(FieldOf(sent, "Location"), "/v1/requests/" + id);
  EXPECT_EQ(JsonOf(Send({.path = "/v1/requests/" + id}), 200), waiting);

  const object listed = JsonOf(Send({.path = "/v1/requests?state=pending", .peer = Admin()}), 200);
  ASSERT_EQ(listed.at("requests").as_array().size(), 1U);
  const object& first = listed.at("requests").as_array()[0].as_object();
  EXPECT_EQ(Text(first.at("id")), id);
  EXPECT_THAT(Text(first.at("address")), ::testing::StartsWith("192.0.2.7"));

  const object approved = JsonOf(Send({.method = "POST",
                                       .path = "/v1/requests/" + id + "/approve",
                                       .body = R"({"lifetime_seconds":3600})",
                                       .peer = Admin()}),
                                 200);
  EXPECT_EQ(Text(approved.at("request")), id);
  const object fetched = JsonOf(Send({.path = "/v1/requests/" + id}), 200);
  EXPECT_EQ(Text(fetched.at("state")), "approved");
  EXPECT_EQ(Text(fetched.at("certificate")), Text(approved.at("certificate")));
  EXPECT_EQ(Text(fetched.at("chain")), authority_->issuer().ToPem());
  EXPECT_EQ(Text(fetched.at("trust_bundle")), authority_->root().ToPem());
  EXPECT_EQ(Value(Certificate::FromPem(Text(fetched.at("certificate")))).validity().not_after,
            clock_.Now() + std::chrono::hours(1));

  // Sent again, it is there at once.
  const HttpResponse again = Send({.method = "POST", .path = "/v1/requests", .body = body});
  EXPECT_EQ(Text(JsonOf(again, 201).at("certificate")), Text(approved.at("certificate")));
  EXPECT_EQ(FieldOf(again, "Location"), "/v1/certificates/" + Text(approved.at("serial")));
  EXPECT_EQ(ProblemOf(Send(
                {.method = "POST", .path = "/v1/requests/" + id + "/approve", .peer = Admin()})),
            "409 request_state");
}

TEST_F(Requesting, ARejectedOneIsToldWhy) {
  const std::string csr = RequestFor("db.internal");
  const std::string body = "{\"csr\":" + Quoted(csr) + "}";
  Send({.method = "POST", .path = "/v1/requests", .body = body});
  const object rejected = JsonOf(Send({.method = "POST",
                                       .path = "/v1/requests/db.internal/reject",
                                       .body = R"({"note":"not one of ours"})",
                                       .peer = Admin()}),
                                 200);
  EXPECT_EQ(Text(rejected.at("state")), "rejected");
  EXPECT_EQ(Text(rejected.at("decided_by")), "spiffe://example.org/troth/admin/alice");
  const object fetched =
      JsonOf(Send({.path = "/v1/requests/" + FormatFingerprint(Sha256(csr))}), 200);
  EXPECT_EQ(Text(fetched.at("decision_note")), "not one of ours");
  EXPECT_FALSE(fetched.contains("decided_by"));
  EXPECT_EQ(ProblemOf(Send({.method = "POST", .path = "/v1/requests", .body = body})),
            "403 request_rejected");
}

TEST_F(Requesting, OneWhoseCertificateWasRevokedIsNotWaitedFor) {
  const std::string csr = RequestFor("db.internal");
  const std::string body = "{\"csr\":" + Quoted(csr) + "}";
  Send({.method = "POST", .path = "/v1/requests", .body = body});
  JsonOf(Send({.method = "POST", .path = "/v1/requests/db.internal/approve", .peer = Admin()}),
         200);
  ASSERT_TRUE(authority_->AsOperator("test")->Revoke({.which = "db.internal"}).ok());
  EXPECT_EQ(ProblemOf(Send({.path = "/v1/requests/" + FormatFingerprint(Sha256(csr))})),
            "403 request_rejected");
  EXPECT_EQ(ProblemOf(Send({.method = "POST", .path = "/v1/requests", .body = body})),
            "403 request_rejected");
}

TEST_F(Requesting, WhatCannotBeIsRefused) {
  EXPECT_EQ(ProblemOf(Send({.path = "/v1/requests/" + std::string(64, 'a')})),
            "404 request_unknown");
  EXPECT_EQ(ProblemOf(Send({.method = "POST",
                            .path = "/v1/requests",
                            .body = "{\"profile\":\"sever\",\"csr\":" +
                                    Quoted(RequestFor("db.internal")) + "}"})),
            "400 usage_error");
  EXPECT_EQ(
      ProblemOf(Send({.method = "POST", .path = "/v1/requests/nobody/approve", .peer = Admin()})),
      "404 request_unknown");
}

TEST_F(Operating, ListsGoOnWhereTheLastPageEnded) {
  std::vector<std::string> expected;  // newest first
  for (int i = 0; i < 5; ++i) {
    expected.insert(expected.begin(), SerialOf(Enrolled("db" + std::to_string(i) + ".internal")));
  }
  const auto& admin = Admin();
  std::vector<std::string> got;
  std::string path = "/v1/certificates?limit=2&name=db*";
  for (int pages = 1; !path.empty() && pages < 9; ++pages) {
    const object page = JsonOf(Send({.path = path, .peer = admin}), 200);
    for (const auto& each : page.at("certificates").as_array()) {
      got.push_back(Text(each.at("serial")));
    }
    path = page.contains("next") ? Text(page.at("next")) : "";
    EXPECT_EQ(path.empty(), pages == 3) << path;
  }
  EXPECT_EQ(got, expected);
}

TEST_F(Operating, ListsOfRequestsGoOnLikewise) {
  std::vector<std::string> expected;
  for (int i = 0; i < 4; ++i) {
    const std::string csr = RequestFor("db" + std::to_string(i) + ".internal");
    Send({.method = "POST", .path = "/v1/requests", .body = "{\"csr\":" + Quoted(csr) + "}"});
    expected.push_back(FormatFingerprint(Sha256(csr)));
  }
  std::vector<std::string> got;
  std::string path = "/v1/requests?limit=2&state=pending";
  for (int pages = 1; !path.empty() && pages < 9; ++pages) {
    const object page = JsonOf(Send({.path = path, .peer = Admin()}), 200);
    for (const auto& each : page.at("requests").as_array()) got.push_back(Text(each.at("id")));
    path = page.contains("next") ? Text(page.at("next")) : "";
    EXPECT_EQ(path.empty(), pages == 2) << path;
  }
  EXPECT_THAT(got, ::testing::UnorderedElementsAreArray(expected));
}

TEST_F(Operating, ACertificateIsShownAndRevoked) {
  const auto peer = Enrolled("db.internal");
  const std::string path = "/v1/certificates/" + SerialOf(peer);
  const object shown = JsonOf(Send({.path = path, .peer = Admin()}), 200);
  EXPECT_EQ(Text(shown.at("certificate")), peer->certificate->ToPem());
  EXPECT_FALSE(shown.contains("revoked_at"));

  const object revoked = JsonOf(Send({.method = "POST",
                                      .path = path + "/revoke",
                                      .body = R"({"reason":"keyCompromise"})",
                                      .peer = Admin()}),
                                200);
  ASSERT_EQ(revoked.at("certificates").as_array().size(), 1U);
  EXPECT_EQ(Text(revoked.at("certificates").as_array()[0].at("revocation_reason")),
            "keyCompromise");
  const object after = JsonOf(Send({.path = path, .peer = Admin()}), 200);
  EXPECT_EQ(Text(after.at("revoked_at")), FormatTime(clock_.Now()));
  const object list = JsonOf(Send({.path = "/v1/certificates?revoked=true", .peer = Admin()}), 200);
  EXPECT_EQ(list.at("certificates").as_array().size(), 1U);

  EXPECT_EQ(ProblemOf(Send({.path = "/v1/certificates/4e0102", .peer = Admin()})),
            "404 certificate_unknown");
  EXPECT_EQ(ProblemOf(Send(
                {.method = "POST", .path = "/v1/certificates/4e0102/revoke", .peer = Admin()})),
            "404 certificate_unknown");
}

TEST_F(Operating, ATokenIsMadeUsedListedAndRevoked) {
  const object made = JsonOf(Send({.method = "POST",
                                   .path = "/v1/tokens",
                                   .body = R"({"names":["db.internal"],"max_uses":3})",
                                   .peer = Admin()}),
                             201);
  EXPECT_EQ(Text(made.at("created_by")), "spiffe://example.org/troth/admin/alice");
  EXPECT_EQ(ProblemOf(Enrol(Text(made.at("token")), RequestFor("db.internal"))), "201");

  const object list = JsonOf(Send({.path = "/v1/tokens", .peer = Admin()}), 200);
  bool seen = false;
  for (const auto& each : list.at("tokens").as_array()) {
    EXPECT_FALSE(each.as_object().contains("token"));
    if (each.at("id") != made.at("id")) continue;
    seen = true;
    EXPECT_EQ(each.at("uses").to_number<int>(), 1);
  }
  EXPECT_TRUE(seen);

  const object revoked = JsonOf(Send({.method = "POST",
                                      .path = "/v1/tokens/" + Text(made.at("id")) + "/revoke",
                                      .peer = Admin()}),
                                200);
  EXPECT_TRUE(revoked.contains("revoked_at"));
  EXPECT_EQ(ProblemOf(Enrol(Text(made.at("token")), RequestFor("db.internal"))),
            "401 token_invalid");
  EXPECT_EQ(ProblemOf(Send({.method = "POST",
                            .path = "/v1/tokens",
                            .body = R"({"names":["x"],"any_name":true})",
                            .peer = Admin()})),
            "400 usage_error");
}

// The guard decides who is an admin; without one there are none.
TEST_F(Operating, NobodyIsAnOperatorWithoutACertificateThatTheAuthorityKnowsAsGood) {
  const std::vector<Sent> calls = {
      {.path = "/v1/certificates"},
      {.path = "/v1/certificates/4e"},
      {.method = "POST", .path = "/v1/certificates/4e/revoke"},
      {.path = "/v1/requests"},
      {.method = "POST", .path = "/v1/requests/x/approve"},
      {.method = "POST", .path = "/v1/requests/x/reject"},
      {.method = "POST", .path = "/v1/tokens", .body = R"({"any_name":true})"},
      {.path = "/v1/tokens"},
      {.method = "POST", .path = "/v1/tokens/x/revoke"}};
  const auto admin = Admin();
  Peer unverified = *admin;
  unverified.verified = false;
  for (Sent call : calls) {
    const std::string name = call.method + " " + call.path;
    EXPECT_EQ(ProblemOf(Send(call)), "401 peer_not_authenticated") << name;
    call.peer = std::make_shared<const Peer>(unverified);
    EXPECT_EQ(ProblemOf(Send(call)), "401 peer_not_authenticated") << name;
  }
  const size_t tokens = authority_->AsOperator("test")->ListTokens()->size();
  ASSERT_TRUE(authority_->AsOperator("test")->Revoke({.which = SerialOf(admin)}).ok());
  for (Sent call : calls) {
    call.peer = admin;
    EXPECT_EQ(ProblemOf(Send(call)), "401 certificate_revoked") << call.path;
  }
  EXPECT_EQ(authority_->AsOperator("test")->ListTokens()->size(), tokens);
}

TEST_F(Routing, TheTrustBundleIsForEverybody) {
  for (const std::string method : {"GET", "HEAD"}) {
    const HttpResponse response = Send({.method = method, .path = "/v1/trust-bundle"});
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.body, authority_->root().ToPem());
    EXPECT_EQ(FieldOf(response, "Content-Type"), "application/pem-certificate-chain");
  }
}

// An answer of the store may come after the front end is gone.
TEST_F(Enrolling, AnAnswerThatComesLateFindsNothingGone) {
  const std::string token = NewToken({.any_name = true, .max_uses = 100});
  std::vector<std::future<HttpResponse>> answers;
  for (int i = 0; i < 50; ++i) {
    const auto request = std::make_shared<HttpRequest>(HttpRequest{
        .method = "POST",
        .path = "/v1/certificates",
        .fields = {{"Authorization", "Bearer " + token}, {"Content-Type", "application/json"}},
        .body = "{\"csr\":" + Quoted(RequestFor("db" + std::to_string(i) + ".internal")) + "}"});
    auto answered = std::make_shared<std::promise<HttpResponse>>();
    answers.push_back(answered->get_future());
    ASSERT_TRUE(endpoint_->Handle(
        request, [answered](HttpResponse response) { answered->set_value(std::move(response)); }));
  }
  endpoint_ = nullptr;
  for (auto& answer : answers) EXPECT_EQ(answer.get().status, 201);
}

}  // namespace
}  // namespace troth::json
