#include "troth/enroll/enroller.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "troth/base/reason.h"
#include "troth/enroll/enroll_testing.h"
#include "troth/pki/path_validation.h"

namespace troth {
namespace {

using enroll_testing::FakeAuthority;
using enroll_testing::Speaks;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Decision = FakeAuthority::Decision;
using enum EnrollStep;

constexpr auto kDay = std::chrono::hours(24);

class EnrollerTest : public ::testing::Test {
 protected:
  EnrollOptions Options(FakeAuthority& authority) const {
    return {.server = "ca.example.com",
            .client_id = "pump-7.example.com",
            .trust = {.bundle = authority.bundle()},
            .clock = &clock_,
            .connect = authority.Connect()};
  }
  static std::unique_ptr<Enroller> Make(EnrollOptions options) {
    auto enroller = Enroller::Create(std::move(options));
    EXPECT_TRUE(enroller.ok()) << enroller.status();
    return *std::move(enroller);
  }
  std::unique_ptr<Enroller> Make(FakeAuthority& authority) const {
    return Make(Options(authority));
  }

  // Steps until one of these, which is not counted among the answers.
  static std::vector<EnrollStep> StepTo(Enroller& enroller, EnrollStep last) {
    std::vector<EnrollStep> steps;
    for (int i = 0; i < 10; ++i) {
      const auto step = enroller.Step();
      EXPECT_TRUE(step.ok()) << step.status();
      if (!step.ok()) break;
      steps.push_back(*step);
      if (*step == last) break;
    }
    return steps;
  }

  // What the enroller holds can be used, and is for this client.
  void ExpectUsable(const Enroller& enroller, const FakeAuthority& authority) const {
    const auto identity = enroller.identity();
    ASSERT_TRUE(identity.ok()) << identity.status();
    const auto whole = Identity::Create({.certificate_pem = identity->chain_pem,
                                         .private_key_pem = identity->private_key_pem.Reveal(),
                                         .trust_bundle_pem = identity->trust_bundle_pem},
                                        clock_.Now());
    ASSERT_TRUE(whole.ok()) << whole.status();
    EXPECT_EQ((*whole)->leaf().subject().common_name(), "pump-7.example.com");
    EXPECT_EQ((*whole)->trust_bundle(), authority.bundle());
    EXPECT_EQ(identity->not_after, (*whole)->leaf().validity().not_after);
  }

  // A new enroller that takes up what `old` left.
  std::unique_ptr<Enroller> Resumed(const Enroller& old, EnrollOptions options) const {
    auto enroller = Make(std::move(options));
    const Secret key = old.private_key_pem();
    const auto identity = old.identity();
    const std::string chain = identity.ok() ? identity->chain_pem : "";
    EXPECT_TRUE(enroller
                    ->Resume({.private_key_pem = key.Reveal(),
                              .request_pem = old.request_pem(),
                              .chain_pem = chain,
                              .certificate_time = old.certificate_time()})
                    .ok());
    return enroller;
  }

  FakeClock clock_;
  FakeAuthority caramel_{clock_, Speaks::kCaramel};
  FakeAuthority json_{clock_, Speaks::kJson};
};

TEST_F(EnrollerTest, ACaramelServerIsToldByWhatItLacks) {
  const auto enroller = Make(caramel_);
  EXPECT_THAT(StepTo(*enroller, kWaiting), ElementsAre(kServerLearned, kRequestMade, kWaiting));
  EXPECT_EQ(enroller->protocol(), EnrollProtocol::kCaramel);
  const std::string id = FormatFingerprint(*enroller->request_digest());
  EXPECT_THAT(caramel_.requests, ElementsAre("GET /v1/trust-bundle", "POST /" + id));
  EXPECT_THAT(caramel_.stored_ids(), ElementsAre(id));

  caramel_.Decide(Decision::kIssue);
  EXPECT_THAT(StepTo(*enroller, kIssued), ElementsAre(kIssued));
  EXPECT_EQ(enroller->state(), EnrollState::kEnrolled);
  ExpectUsable(*enroller, caramel_);
}

TEST_F(EnrollerTest, ACaramelRequestRepeatsTheAuthoritysName) {
  auto options = Options(caramel_);
  options.protocol = EnrollProtocol::kCaramel;
  const auto enroller = Make(std::move(options));
  StepTo(*enroller, kRequestMade);
  const auto request = CertificateRequest::FromPem(enroller->request_pem());
  // OU is not one of those that Caramel compares.
  EXPECT_EQ(request->subject().ToString(), "C=SE, O=Example, CN=pump-7.example.com");
  EXPECT_THAT(request->alternative_names(), IsEmpty());
}

TEST_F(EnrollerTest, CaramelsCaIsFetchedWhereOnlyAFingerprintOrTheSystemIsTrusted) {
  for (const bool system : {false, true}) {
    auto options = Options(caramel_);
    options.protocol = EnrollProtocol::kCaramel;
    options.trust = {};
    if (system) {
      options.trust.system = true;
    } else {
      options.trust.root_fingerprint = caramel_.root().certificate().fingerprint();
    }
    const auto enroller = Make(std::move(options));
    EXPECT_THAT(StepTo(*enroller, kWaiting), ElementsAre(kServerLearned, kRequestMade, kWaiting));
    caramel_.Decide(Decision::kIssue);
    StepTo(*enroller, kIssued);
    ExpectUsable(*enroller, caramel_);
  }
}

TEST_F(EnrollerTest, AnotherCaThanThatOfTheFingerprintIsNotTaken) {
  for (FakeAuthority* authority : {&caramel_, &json_}) {
    auto options = Options(*authority);
    options.trust = {.root_fingerprint = Sha256("another")};
    const auto enroller = Make(std::move(options));
    absl::Status status;
    for (int i = 0; i < 5 && status.ok(); ++i) status = enroller->Step().status();
    EXPECT_EQ(ReasonOf(status), Reason::kIssuerUnknown);
    EXPECT_EQ(authority->stored(), 0u);
  }
}

TEST_F(EnrollerTest, ARequestWithoutATokenWaitsForAnOperator) {
  const auto enroller = Make(json_);
  EXPECT_THAT(StepTo(*enroller, kWaiting), ElementsAre(kServerLearned, kRequestMade, kWaiting));
  EXPECT_EQ(enroller->protocol(), EnrollProtocol::kJson);
  EXPECT_EQ(*enroller->Step(), kWaiting);
  json_.Decide(Decision::kIssue);
  EXPECT_EQ(*enroller->Step(), kIssued);
  ExpectUsable(*enroller, json_);
  const std::string id = FormatFingerprint(*enroller->request_digest());
  EXPECT_THAT(json_.requests, ElementsAre("GET /v1/trust-bundle", "POST /v1/requests",
                                          "GET /v1/requests/" + id, "GET /v1/requests/" + id));
}

TEST_F(EnrollerTest, ADecisionMadeAtOnceIsTakenAtOnce) {
  json_.decision = Decision::kIssue;
  const auto enroller = Make(json_);
  EXPECT_THAT(StepTo(*enroller, kIssued), ElementsAre(kServerLearned, kRequestMade, kIssued));
}

TEST_F(EnrollerTest, ATokenNeedsNoOtherFile) {
  auto options = Options(json_);
  options.token = Secret(" " + json_.MakeToken() + "\n");
  options.trust = {};
  const auto enroller = Make(std::move(options));
  EXPECT_THAT(StepTo(*enroller, kIssued), ElementsAre(kRequestMade, kIssued));
  EXPECT_THAT(json_.requests, ElementsAre("POST /v1/certificates"));
  EXPECT_EQ(json_.connections.front().trust.root_fingerprint,
            json_.root().certificate().fingerprint());
  ExpectUsable(*enroller, json_);
}

TEST_F(EnrollerTest, MoreNamesAreAskedForAndCheckedFor) {
  auto options = Options(json_);
  options.more_names = {*AlternativeName::Parse("10.0.0.7")};
  json_.decision = Decision::kIssue;
  const auto enroller = Make(std::move(options));
  StepTo(*enroller, kIssued);
  EXPECT_TRUE(CheckName(*Certificate::FromPem(enroller->identity()->chain_pem.substr(
                            0, enroller->identity()->chain_pem.find("-----END") + 26)),
                        *AlternativeName::Parse("10.0.0.7"))
                  .ok());

  options = Options(json_);
  options.client_id = "pump-8.example.com";
  options.more_names = {*AlternativeName::Parse("10.0.0.8")};
  json_.issue = [&](const CertificateRequest& request) {
    return json_.MakeCertificate(request, json_.issuer(), std::nullopt, request.subject());
  };
  const auto other = Make(std::move(options));
  StepTo(*other, kRequestMade);
  EXPECT_EQ(ReasonOf(other->Step().status()), Reason::kNameMismatch);
}

TEST_F(EnrollerTest, CaramelKnowsNoMoreNames) {
  auto options = Options(caramel_);
  options.more_names = {*AlternativeName::Parse("10.0.0.7")};
  EXPECT_EQ(ReasonOf(Make(std::move(options))->Step().status()), Reason::kUsageError);
  options = Options(caramel_);
  options.more_names = {*AlternativeName::Parse("10.0.0.7")};
  options.protocol = EnrollProtocol::kCaramel;
  EXPECT_EQ(ReasonOf(Make(std::move(options))->Step().status()), Reason::kUsageError);
}

TEST_F(EnrollerTest, NobodyIsBelievedOnFirstUse) {
  auto options = Options(json_);
  options.trust = {};
  EXPECT_EQ(ReasonOf(Enroller::Create(std::move(options)).status()), Reason::kUsageError);
}

TEST_F(EnrollerTest, WhatCannotBeAskedForIsRefusedBeforeAnythingIsSent) {
  const auto reason = [&](const std::function<void(EnrollOptions&)>& change) {
    auto options = Options(json_);
    change(options);
    return ReasonOf(Enroller::Create(std::move(options)).status());
  };
  EXPECT_EQ(reason([](EnrollOptions& o) { o.server = "http://ca"; }), Reason::kUsageError);
  EXPECT_EQ(reason([](EnrollOptions& o) { o.client_id = ""; }), Reason::kUsageError);
  EXPECT_EQ(reason([](EnrollOptions& o) { o.client_id = std::string(65, 'x'); }),
            Reason::kUsageError);
  EXPECT_EQ(reason([](EnrollOptions& o) { o.client_id = "a\nb"; }), Reason::kUsageError);
  EXPECT_EQ(reason([](EnrollOptions& o) { o.token = Secret("nonsense"); }), Reason::kTokenInvalid);
  EXPECT_EQ(reason([&](EnrollOptions& o) {
              o.token = Secret(json_.MakeToken());
              o.protocol = EnrollProtocol::kCaramel;
            }),
            Reason::kUsageError);
  EXPECT_EQ(reason([](EnrollOptions& o) {
              o.profile = "server";
              o.protocol = EnrollProtocol::kCaramel;
            }),
            Reason::kUsageError);
  EXPECT_THAT(json_.requests, IsEmpty());
}

TEST_F(EnrollerTest, AJsonAuthorityThatIsTakenForCaramelIsSaidNotToBeOne) {
  auto options = Options(json_);
  options.protocol = EnrollProtocol::kCaramel;
  options.trust = {.root_fingerprint = json_.root().certificate().fingerprint()};
  json_.intercept = [](const HttpClientRequest&) { return HttpResponse{.status = 401}; };
  EXPECT_EQ(ReasonOf(Make(std::move(options))->Step().status()), Reason::kUsageError);
}

TEST_F(EnrollerTest, ARequestThatKeepsAnotherProfileIsWarnedOf) {
  for (const std::string asked : {"", "web", "database"}) {
    auto options = Options(json_);
    options.profile = asked;
    json_.profile = "web";
    const auto enroller = Make(std::move(options));
    StepTo(*enroller, kWaiting);
    StepTo(*enroller, kWaiting);
    EXPECT_EQ(enroller->warnings().size(), asked == "database" ? 1u : 0u) << asked;
  }
}

TEST_F(EnrollerTest, KeyAndRequestAreThereBeforeAnythingIsPosted) {
  for (FakeAuthority* authority : {&caramel_, &json_}) {
    const auto enroller = Make(*authority);
    StepTo(*enroller, kRequestMade);
    EXPECT_EQ(authority->stored(), 0u);
    EXPECT_TRUE(PrivateKey::FromPem(enroller->private_key_pem().Reveal()).ok());
    EXPECT_TRUE(CertificateRequest::FromPem(enroller->request_pem()).ok());
  }
}

TEST_F(EnrollerTest, ARequestThatWasKeptIsTakenUpWithoutASecondOne) {
  for (FakeAuthority* authority : {&caramel_, &json_}) {
    const auto first = Make(*authority);
    StepTo(*first, kRequestMade);  // killed before it posted
    const auto second = Resumed(*first, Options(*authority));
    StepTo(*second, kWaiting);  // killed after it posted
    const auto third = Resumed(*second, Options(*authority));
    StepTo(*third, kWaiting);
    EXPECT_EQ(authority->stored(), 1u);
    EXPECT_EQ(third->request_digest(), first->request_digest());
    authority->Decide(Decision::kIssue);
    StepTo(*third, kIssued);
    ExpectUsable(*third, *authority);
  }
}

TEST_F(EnrollerTest, ARequestThatTheServerForgotIsSentAgain) {
  for (FakeAuthority* authority : {&caramel_, &json_}) {
    const auto enroller = Make(*authority);
    StepTo(*enroller, kWaiting);
    authority->Forget();
    EXPECT_THAT(StepTo(*enroller, kWaiting), ElementsAre(kForgotten, kWaiting));
    EXPECT_EQ(authority->stored(), 1u);
  }
}

TEST_F(EnrollerTest, WhatWasKeptAndDoesNotFitIsLeftOutWithAWarning) {
  const auto first = Make(caramel_);
  StepTo(*first, kWaiting);
  const Secret key = first->private_key_pem();
  const std::string another_key = PemOf(NewKey());
  const TestAuthority stranger("stranger");
  const auto own = PrivateKey::FromPem(key.Reveal());
  const std::string of_stranger =
      stranger.IssueLeaf({.common_name = "pump-7.example.com", .key = &*own}).certificate_pem;
  const std::string of_another_name =
      TestAuthority("x").IssueLeaf({.common_name = "pump-8", .key = &*own}).certificate_pem;
  const std::string request = first->request_pem();
  struct Row {
    Enroller::Kept kept;
    EnrollState state;
    size_t warnings;
  };
  for (const Row& row : {
           Row{{.private_key_pem = key.Reveal()}, EnrollState::kStart, 0},
           Row{{.private_key_pem = key.Reveal(), .request_pem = request}, EnrollState::kWaiting, 0},
           Row{{.private_key_pem = another_key, .request_pem = request}, EnrollState::kStart, 1},
           Row{{.private_key_pem = key.Reveal(), .request_pem = "garbage"}, EnrollState::kStart, 1},
           Row{{.private_key_pem = key.Reveal(),
           .request_pem = first->request_pem(),
           .chain_pem = "garbage"},
               EnrollState::kWaiting,
               1},
           Row{{.private_key_pem = key.Reveal(),
           .request_pem = first->request_pem(),
           .chain_pem = of_stranger},
               EnrollState::kWaiting,
               1},
           Row{{.private_key_pem = key.Reveal(),
           .request_pem = first->request_pem(),
           .chain_pem = of_another_name},
               EnrollState::kWaiting,
               1},
       }) {
    const auto enroller = Make(caramel_);
    ASSERT_TRUE(enroller->Resume(row.kept).ok());
    EXPECT_EQ(enroller->state(), row.state);
    EXPECT_EQ(enroller->warnings().size(), row.warnings);
    EXPECT_FALSE(enroller->identity().ok());
  }
  EXPECT_EQ(ReasonOf(Make(caramel_)->Resume({.private_key_pem = "garbage"})),
            Reason::kKeyMalformed);
}

TEST_F(EnrollerTest, ARequestForAnotherClientIsNotGoneOnWith) {
  const auto first = Make(json_);
  StepTo(*first, kWaiting);
  auto options = Options(json_);
  options.client_id = "pump-8.example.com";
  const auto second = Resumed(*first, std::move(options));
  EXPECT_EQ(second->state(), EnrollState::kStart);
  StepTo(*second, kWaiting);
  EXPECT_EQ(json_.stored(), 2u);
}

TEST_F(EnrollerTest, RejectionEndsItAndStartingOverMakesANewKey) {
  for (FakeAuthority* authority : {&caramel_, &json_}) {
    const auto enroller = Make(*authority);
    StepTo(*enroller, kWaiting);
    authority->Decide(Decision::kReject);
    EXPECT_EQ(*enroller->Step(), kRejected);
    EXPECT_EQ(enroller->state(), EnrollState::kRejected);
    EXPECT_EQ(*enroller->Step(), kRejected);  // and stays so
    const auto old_digest = enroller->request_digest();
    const Secret old_key = enroller->private_key_pem();

    ASSERT_TRUE(enroller->StartOver().ok());
    EXPECT_TRUE(enroller->private_key_pem().empty());
    StepTo(*enroller, kWaiting);
    EXPECT_NE(enroller->request_digest(), old_digest);
    EXPECT_NE(enroller->private_key_pem().Reveal(), old_key.Reveal());
    EXPECT_EQ(authority->stored(), 2u);
  }
  const auto enroller = Make(json_);
  StepTo(*enroller, kWaiting);
  json_.Decide(Decision::kReject);
  EXPECT_EQ(*enroller->Step(), kRejected);
  EXPECT_EQ(enroller->rejection(), "not one of ours");
}

TEST_F(EnrollerTest, AKeyWhoseCertificateIsValidIsNotGivenUp) {
  const auto enroller = Make(caramel_);
  StepTo(*enroller, kWaiting);
  caramel_.Decide(Decision::kIssue);
  StepTo(*enroller, kIssued);
  EXPECT_EQ(ReasonOf(enroller->StartOver()), Reason::kRequestState);
  caramel_.Decide(Decision::kReject);
  EXPECT_EQ(*enroller->Step(), kUnchanged);
  clock_.Advance(caramel_.lifetime - kDay);
  EXPECT_EQ(*enroller->Step(), kRejected);
  EXPECT_EQ(ReasonOf(enroller->StartOver()), Reason::kRequestState);
  ExpectUsable(*enroller, caramel_);

  clock_.Advance(kDay + Seconds(1));
  EXPECT_TRUE(enroller->StartOver().ok());
  EXPECT_TRUE(enroller->private_key_pem().empty());
}

// Whatever else is wrong with it here, somewhere it is of use.
TEST_F(EnrollerTest, AKeyIsNotGivenUpForACertificateThatIsLeftOut) {
  const auto first = Make(json_);
  StepTo(*first, kWaiting);
  json_.Decide(Decision::kIssue);
  StepTo(*first, kIssued);
  const Time end = first->identity()->not_after;
  const Secret key = first->private_key_pem();
  const std::string chain = first->identity()->chain_pem;
  FakeAuthority other(clock_, Speaks::kJson);
  struct Row {
    std::string name;
    FakeAuthority* authority;
    std::string client_id;
    std::string chain;
  };
  const std::string client = "pump-7.example.com";
  const std::string damaged = "-----BEGIN CERTIFICATE-----\nAAAA\n";
  for (const Row& row : std::vector<Row>{{"another CA", &other, client, chain},
                                         {"another name", &json_, "pump-8.example.com", chain},
                                         {"damaged after it", &json_, client, chain + damaged},
                                         {"damaged before it", &json_, client, damaged + chain}}) {
    auto options = Options(*row.authority);
    options.client_id = row.client_id;
    const auto second = Make(std::move(options));
    ASSERT_TRUE(second->Resume({.private_key_pem = key.Reveal(), .chain_pem = row.chain}).ok());
    EXPECT_FALSE(second->identity().ok()) << row.name;
    StepTo(*second, kWaiting);
    row.authority->Decide(Decision::kReject);
    EXPECT_EQ(*second->Step(), kRejected) << row.name;
    EXPECT_EQ(ReasonOf(second->StartOver()), Reason::kRequestState) << row.name;
    EXPECT_EQ(second->key_needed_until(), end) << row.name;
    EXPECT_EQ(second->private_key_pem().Reveal(), key.Reveal()) << row.name;
  }

  // One for another key protects nothing.
  const auto third = Make(other);
  ASSERT_TRUE(third->Resume({.private_key_pem = PemOf(NewKey()), .chain_pem = chain}).ok());
  StepTo(*third, kWaiting);
  EXPECT_EQ(third->key_needed_until(), std::nullopt);
  EXPECT_TRUE(third->StartOver().ok());

  const auto last = Make(other);
  ASSERT_TRUE(last->Resume({.private_key_pem = key.Reveal(), .chain_pem = chain}).ok());
  StepTo(*last, kWaiting);
  EXPECT_EQ(ReasonOf(last->StartOver()), Reason::kRequestState);
  clock_.Advance(json_.lifetime + Seconds(1));
  EXPECT_TRUE(last->StartOver().ok());
}

TEST_F(EnrollerTest, AKeyWhoseCertificateWasRevokedIsRejected) {
  for (const bool with_token : {false, true}) {
    const auto options = [&] {
      auto made = Options(json_);
      if (with_token) made.token = Secret(json_.MakeToken());
      return made;
    };
    const auto first = Make(options());
    StepTo(*first, with_token ? kIssued : kWaiting);
    const auto old_digest = first->request_digest();
    if (with_token) {
      json_.RevokeKey(*PrivateKey::FromPem(first->private_key_pem().Reveal()));
    } else {
      json_.Revoke();
    }
    json_.Forget();
    // Its certificate was lost, or has ended: it asks as if for the first time.
    const auto second = Make(options());
    const Secret key = first->private_key_pem();
    ASSERT_TRUE(
        second->Resume({.private_key_pem = key.Reveal(), .request_pem = first->request_pem()})
            .ok());
    EXPECT_EQ(StepTo(*second, kRejected).back(), kRejected);
    EXPECT_FALSE(second->rejection().empty());
    ASSERT_TRUE(second->StartOver().ok());
    json_.decision = Decision::kIssue;
    StepTo(*second, kIssued);
    EXPECT_NE(second->request_digest(), old_digest);
    json_.decision = Decision::kWait;
  }
}

TEST_F(EnrollerTest, RevokedBetweenTwoPollsIsRejected) {
  const auto enroller = Make(json_);
  StepTo(*enroller, kWaiting);
  json_.Decide(Decision::kIssue);
  json_.Revoke();
  EXPECT_EQ(*enroller->Step(), kRejected);
  EXPECT_TRUE(json_.requests.back().starts_with("GET /v1/requests/"));
}

TEST_F(EnrollerTest, AnApprovedRequestWhoseCertificateHasEndedIsSentAgain) {
  const auto enroller = Make(json_);
  StepTo(*enroller, kWaiting);
  json_.Decide(Decision::kIssue);
  StepTo(*enroller, kIssued);
  clock_.Advance(json_.lifetime + Seconds(1));
  EXPECT_THAT(StepTo(*enroller, kWaiting), ElementsAre(kForgotten, kWaiting));
  EXPECT_EQ(json_.requests.back(), "POST /v1/requests");
  EXPECT_EQ(*enroller->Step(), kWaiting);  // which is pending, and not sent a third time
  EXPECT_TRUE(json_.requests.back().starts_with("GET /v1/requests/"));
  json_.Decide(Decision::kIssue);
  EXPECT_EQ(*enroller->Step(), kIssued);
  ExpectUsable(*enroller, json_);
}

// The certificate may come a moment after the approval.
TEST_F(EnrollerTest, ApprovedWithoutACertificateWhenItIsSentIsWaiting) {
  const auto enroller = Make(json_);
  StepTo(*enroller, kRequestMade);
  const std::string id = FormatFingerprint(*enroller->request_digest());
  json_.intercept = [&](const HttpClientRequest&) {
    return HttpResponse{.body = R"({"id":")" + id + R"(","state":"approved"})"};
  };
  EXPECT_EQ(*enroller->Step(), kWaiting);
}

TEST_F(EnrollerTest, WhileTheCertificateIsValidNobodyHasToWaitForTheNextOne) {
  const auto first = Make(caramel_);
  StepTo(*first, kWaiting);
  caramel_.Decide(Decision::kIssue);
  StepTo(*first, kIssued);
  for (const Seconds later : {Seconds(0), Seconds(28 * kDay)}) {
    clock_.Advance(later);
    caramel_.Forget();
    const auto second = Resumed(*first, Options(caramel_));
    // The authority lost the request; it is sent, and waits there.
    EXPECT_THAT(StepTo(*second, kUnchanged), ElementsAre(kServerLearned, kForgotten, kUnchanged));
    EXPECT_EQ(second->state(), EnrollState::kWaiting);
    EXPECT_EQ(second->warnings().size(), 1u);
    EXPECT_EQ(*second->Step(), kUnchanged);
    EXPECT_EQ(second->warnings().size(), 1u);  // said once
    ExpectUsable(*second, caramel_);
    // The client lost it.
    const auto third = Make(caramel_);
    const Secret key = first->private_key_pem();
    const std::string chain = first->identity()->chain_pem;
    ASSERT_TRUE(third->Resume({.private_key_pem = key.Reveal(), .chain_pem = chain}).ok());
    EXPECT_THAT(StepTo(*third, kUnchanged), ElementsAre(kServerLearned, kRequestMade, kUnchanged));
    caramel_.Decide(Decision::kIssue);
    EXPECT_EQ(*third->Step(), kIssued);
  }

  caramel_.Forget();
  const auto last = Resumed(*first, Options(caramel_));
  StepTo(*last, kUnchanged);
  clock_.Advance(2 * kDay + Seconds(1));
  EXPECT_EQ(*last->Step(), kWaiting);  // now it has ended
}

TEST_F(EnrollerTest, RejectedItIsUnchangedUntilTheCertificateIsDue) {
  const auto first = Make(caramel_);
  StepTo(*first, kWaiting);
  caramel_.Decide(Decision::kIssue);
  StepTo(*first, kIssued);
  caramel_.Decide(Decision::kReject);
  const auto second = Resumed(*first, Options(caramel_));
  StepTo(*second, kUnchanged);
  EXPECT_EQ(second->state(), EnrollState::kRejected);
  EXPECT_EQ(*second->Step(), kUnchanged);
  EXPECT_EQ(second->warnings().size(), 1u);
  clock_.Set(first->identity()->due);
  EXPECT_EQ(*second->Step(), kRejected);
  const auto third = Resumed(*first, Options(caramel_));
  EXPECT_EQ(StepTo(*third, kRejected).back(), kRejected);
}

TEST_F(EnrollerTest, ANameMoreIsWaitedForThoughTheCertificateIsValid) {
  json_.decision = Decision::kIssue;
  const auto first = Make(json_);
  StepTo(*first, kIssued);
  json_.decision = Decision::kWait;
  const auto options = [&] {
    auto made = Options(json_);
    made.more_names = {*AlternativeName::Parse("10.0.0.7")};
    return made;
  };
  const auto second = Resumed(*first, options());
  EXPECT_EQ(StepTo(*second, kWaiting).back(), kWaiting);
  // Also by the next run, which finds certificate and request.
  const auto third = Resumed(*second, options());
  EXPECT_EQ(StepTo(*third, kWaiting).back(), kWaiting);
  json_.Decide(Decision::kIssue);
  EXPECT_EQ(*third->Step(), kIssued);
}

TEST_F(EnrollerTest, ACaramelCertificateIsFetchedOnlyWhenThereIsANewerOne) {
  const auto enroller = Make(caramel_);
  StepTo(*enroller, kWaiting);
  caramel_.Decide(Decision::kIssue);
  StepTo(*enroller, kIssued);
  EXPECT_EQ(*enroller->Step(), kUnchanged);
  EXPECT_THAT(caramel_.whole_requests.back().fields,
              ::testing::Contains(std::pair<std::string, std::string>(
                  "If-Modified-Since", FormatHttpTime(clock_.Now()))));

  clock_.Advance(kDay);
  caramel_.Decide(Decision::kIssue);  // signed anew
  const Time before = enroller->identity()->not_after;
  EXPECT_EQ(*enroller->Step(), kIssued);
  EXPECT_GT(enroller->identity()->not_after, before);

  // The original server sends the same certificate again and again.
  caramel_.says_last_modified = false;
  EXPECT_EQ(*enroller->Step(), kUnchanged);
}

// When the certificate was changed is known from a file's time, or from this machine's clock;
// either may be ahead of the server's.
TEST_F(EnrollerTest, ATimeThatIsAheadDoesNotHideTheNextCertificate) {
  for (const bool kept : {false, true}) {
    caramel_.Forget();
    FakeClock fast;
    fast.Set(clock_.Now() + std::chrono::hours(12));
    const auto options = [&] {
      auto made = Options(caramel_);
      made.clock = &fast;
      return made;
    };
    const auto first = Make(options());
    StepTo(*first, kWaiting);
    caramel_.Decide(Decision::kIssue);
    caramel_.says_last_modified = false;
    StepTo(*first, kIssued);
    caramel_.says_last_modified = true;
    const auto second = Make(options());
    const Secret key = first->private_key_pem();
    const std::string chain = first->identity()->chain_pem;
    ASSERT_TRUE(
        second
            ->Resume({.private_key_pem = key.Reveal(),
                      .request_pem = first->request_pem(),
                      .chain_pem = chain,
                      .certificate_time = kept ? fast.Now() + kDay : *first->certificate_time()})
            .ok());
    EXPECT_EQ(StepTo(*second, kUnchanged).back(), kUnchanged);
    clock_.Advance(std::chrono::hours(1));
    caramel_.Decide(Decision::kIssue);
    EXPECT_EQ(*second->Step(), kIssued);
  }
}

TEST_F(EnrollerTest, ACertificateThatIsDueIsAskedForWithoutACondition) {
  const auto enroller = Make(caramel_);
  StepTo(*enroller, kWaiting);
  caramel_.Decide(Decision::kIssue);
  StepTo(*enroller, kIssued);
  clock_.Advance(caramel_.lifetime - kDay);
  EXPECT_EQ(*enroller->Step(), kUnchanged);
  EXPECT_EQ(enroller->state(), EnrollState::kDue);
  EXPECT_THAT(caramel_.whole_requests.back().fields, IsEmpty());
}

TEST_F(EnrollerTest, NotModifiedWithoutACertificateIsWaiting) {
  const auto enroller = Make(caramel_);
  StepTo(*enroller, kWaiting);
  caramel_.intercept = [](const HttpClientRequest&) { return HttpResponse{.status = 304}; };
  EXPECT_EQ(*enroller->Step(), kWaiting);
}

TEST_F(EnrollerTest, RenewsWithTheCurrentCertificateWhenAThirdOfItsLifeIsLeft) {
  json_.decision = Decision::kIssue;
  const auto enroller = Make(json_);
  StepTo(*enroller, kIssued);
  const auto requests_before = json_.requests.size();
  clock_.Advance(json_.lifetime * 2 / 3 - kDay);
  EXPECT_EQ(*enroller->Step(), kUnchanged);
  EXPECT_EQ(json_.requests.size(), requests_before);  // not even asked

  clock_.Advance(2 * kDay);
  const Time before = enroller->identity()->not_after;
  EXPECT_EQ(*enroller->Step(), kIssued);
  EXPECT_EQ(json_.requests.back(), "POST /v1/certificates/renew");
  EXPECT_EQ(json_.connections.back().identity->leaf().validity().not_after, before);
  EXPECT_GT(enroller->identity()->not_after, before);
  EXPECT_EQ(enroller->state(), EnrollState::kEnrolled);
  ExpectUsable(*enroller, json_);
}

TEST_F(EnrollerTest, RenewBeforeSaysHowEarly) {
  json_.decision = Decision::kIssue;
  auto options = Options(json_);
  options.renew_before = json_.lifetime - kDay;
  const auto enroller = Make(std::move(options));
  StepTo(*enroller, kIssued);
  EXPECT_EQ(enroller->identity()->due, TestTime() + kDay);
  EXPECT_EQ(*enroller->Step(), kUnchanged);
  clock_.Advance(kDay);
  EXPECT_EQ(*enroller->Step(), kIssued);
}

TEST_F(EnrollerTest, ARefusedRenewalLeavesTheCertificate) {
  json_.decision = Decision::kIssue;
  const auto enroller = Make(json_);
  StepTo(*enroller, kIssued);
  clock_.Advance(json_.lifetime - kDay);
  json_.intercept = [](const HttpClientRequest&) {
    return HttpResponse{.status = 401, .body = R"({"code":"certificate_revoked","detail":"x"})"};
  };
  EXPECT_EQ(ReasonOf(enroller->Step().status()), Reason::kCertificateRevoked);
  EXPECT_EQ(enroller->state(), EnrollState::kDue);
  ExpectUsable(*enroller, json_);
}

TEST_F(EnrollerTest, AnExpiredCertificateIsNeitherShownNorHandedOut) {
  const auto enroller = Make(json_);
  StepTo(*enroller, kWaiting);
  json_.Decide(Decision::kIssue);
  StepTo(*enroller, kIssued);
  clock_.Advance(json_.lifetime + Seconds(1));
  EXPECT_EQ(ReasonOf(enroller->identity().status()), Reason::kCertificateExpired);
  json_.Decide(Decision::kIssue);
  // Asked for again as if for the first time.
  EXPECT_EQ(*enroller->Step(), kIssued);
  EXPECT_EQ(json_.connections.back().identity, nullptr);
  ExpectUsable(*enroller, json_);
}

TEST_F(EnrollerTest, ACertificateIsShownOnceThereIsOne) {
  const auto first = Make(caramel_);
  StepTo(*first, kWaiting);
  EXPECT_EQ(caramel_.connections.back().identity, nullptr);
  caramel_.Decide(Decision::kIssue);
  StepTo(*first, kIssued);
  EXPECT_EQ(*first->Step(), kUnchanged);
  ASSERT_NE(caramel_.connections.back().identity, nullptr);

  const auto second = Resumed(*first, Options(caramel_));
  StepTo(*second, kUnchanged);
  ASSERT_NE(caramel_.connections.back().identity, nullptr);
}

TEST_F(EnrollerTest, ACertificateThatTheServersTlsRefusesIsNotShownAgain) {
  const auto enroller = Make(caramel_);
  StepTo(*enroller, kWaiting);
  caramel_.Decide(Decision::kIssue);
  StepTo(*enroller, kIssued);
  caramel_.intercept = [](const HttpClientRequest&) {
    return absl::StatusOr<HttpResponse>(MakeError(Reason::kPeerRejectedCertificate, "alert"));
  };
  EXPECT_EQ(ReasonOf(enroller->Step().status()), Reason::kPeerRejectedCertificate);
  caramel_.intercept = nullptr;
  EXPECT_EQ(*enroller->Step(), kUnchanged);
  EXPECT_EQ(caramel_.connections.back().identity, nullptr);
}

TEST_F(EnrollerTest, ALostRequestIsMadeAnewWithoutLosingTheCertificate) {
  json_.decision = Decision::kIssue;
  const auto first = Make(json_);
  StepTo(*first, kIssued);
  const auto second = Make(json_);
  const Secret key = first->private_key_pem();
  ASSERT_TRUE(
      second->Resume({.private_key_pem = key.Reveal(), .chain_pem = first->identity()->chain_pem})
          .ok());
  EXPECT_THAT(StepTo(*second, kUnchanged), ElementsAre(kServerLearned, kRequestMade, kUnchanged));
  EXPECT_EQ(json_.stored(), 1u);  // nobody is asked to decide anything
  clock_.Advance(json_.lifetime - kDay);
  EXPECT_EQ(*second->Step(), kIssued);
  EXPECT_EQ(json_.requests.back(), "POST /v1/certificates/renew");
}

TEST_F(EnrollerTest, ACertificateThatIsNotGoodEnoughIsNotTaken) {
  const TestAuthority stranger("Root");  // another CA
  struct Row {
    std::string name;
    std::function<std::string(FakeAuthority&, const CertificateRequest&)> issue;
    Reason reason;
  };
  const std::vector<Row> rows = {
      {"for another key",
       [](FakeAuthority& a, const CertificateRequest& r) {
         return a.MakeCertificate(r, a.issuer(), NewKey().public_key());
       },
       Reason::kKeyMismatch},
      {"for another name",
       [](FakeAuthority& a, const CertificateRequest& r) {
         return a.MakeCertificate(r, a.issuer(), std::nullopt,
                                  *DistinguishedName::FromCommonName("pump-8.example.com"));
       },
       Reason::kNameMismatch},
      {"of another authority",
       [&](FakeAuthority& a, const CertificateRequest& r) {
         return a.MakeCertificate(r, *Signer::Create(stranger.certificate(),
                                                     *PrivateKey::FromPem(PemOf(stranger.key()))));
       },
       Reason::kIssuerUnknown},
      {"that has expired",
       [](FakeAuthority& a, const CertificateRequest& r) {
         a.lifetime = -Seconds(60);
         std::string pem = a.CertificateFor(r);
         a.lifetime = 30 * kDay;
         return pem;
       },
       Reason::kCertificateExpired},
      {"that is none",
       [](FakeAuthority&, const CertificateRequest&) {
         return std::string("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
       },
       Reason::kCertificateMalformed},
      {"that is text",
       [](FakeAuthority&, const CertificateRequest&) { return std::string("hello"); },
       Reason::kResponseMalformed},
      {"with ten thousand others",
       [](FakeAuthority& a, const CertificateRequest& r) {
         const std::string one = a.CertificateFor(r);
         std::string many;
         for (int i = 0; i < 1001; ++i) many += one;
         return many;
       },
       Reason::kFileTooLarge},
  };
  for (FakeAuthority* authority : {&caramel_, &json_}) {
    for (const Row& row : rows) {
      const auto enroller = Make(*authority);
      StepTo(*enroller, kWaiting);
      authority->issue = [&](const CertificateRequest& r) { return row.issue(*authority, r); };
      authority->Decide(Decision::kIssue);
      EXPECT_EQ(ReasonOf(enroller->Step().status()), row.reason) << row.name;
      EXPECT_EQ(enroller->state(), EnrollState::kWaiting) << row.name;
      EXPECT_FALSE(enroller->identity().ok()) << row.name;

      // A server that mends its ways is taken at its word.
      authority->issue = nullptr;
      authority->Decide(Decision::kIssue);
      EXPECT_EQ(*enroller->Step(), kIssued) << row.name;
      authority->Forget();
    }
  }
}

TEST_F(EnrollerTest, AnErrorOfTheServerLeavesTheStateAndMayBeTriedAgain) {
  struct Row {
    absl::StatusOr<HttpResponse> answer;
    Reason reason;
  };
  const std::vector<Row> rows = {
      {HttpResponse{.status = 500}, Reason::kConnectionFailed},
      {HttpResponse{.status = 302, .fields = {{"Location", "https://evil/"}}},
       Reason::kResponseMalformed},
      {HttpResponse{.status = 413}, Reason::kBodyTooLarge},
      {HttpResponse{.status = 429}, Reason::kTooManyRequests},
      {HttpResponse{.status = 200, .body = "garbage"}, Reason::kResponseMalformed},
      {MakeError(Reason::kConnectionFailed, "timed out"), Reason::kConnectionFailed},
      {MakeError(Reason::kIssuerUnknown, "other CA"), Reason::kIssuerUnknown},
  };
  for (FakeAuthority* authority : {&caramel_, &json_}) {
    for (const Row& row : rows) {
      const auto enroller = Make(*authority);
      authority->intercept = [&](const HttpClientRequest&) { return row.answer; };
      EXPECT_EQ(ReasonOf(enroller->Step().status()), row.reason);
      authority->intercept = nullptr;
      StepTo(*enroller, kWaiting);
      authority->intercept = [&](const HttpClientRequest&) { return row.answer; };
      EXPECT_EQ(ReasonOf(enroller->Step().status()), row.reason);
      EXPECT_EQ(enroller->state(), EnrollState::kWaiting);
      authority->intercept = nullptr;
      authority->Decide(Decision::kIssue);
      EXPECT_EQ(*enroller->Step(), kIssued);
      authority->Forget();
    }
  }
}

TEST_F(EnrollerTest, WhatTheServerAsksToWaitIsPassedOnWithinBounds) {
  const auto enroller = Make(caramel_);
  StepTo(*enroller, kWaiting);
  EXPECT_EQ(enroller->retry_after(), std::nullopt);
  std::string value = "17";
  caramel_.intercept = [&](const HttpClientRequest&) {
    return HttpResponse{.status = 202, .fields = {{"Retry-After", value}}};
  };
  EXPECT_EQ(*enroller->Step(), kWaiting);
  EXPECT_EQ(enroller->retry_after(), Seconds(17));
  value = "999999";
  EXPECT_EQ(*enroller->Step(), kWaiting);
  EXPECT_EQ(enroller->retry_after(), Seconds(600));
}

TEST_F(EnrollerTest, AKeyThatCaramelsOriginalServerCannotSignIsWarnedOf) {
  for (const KeyType type : {KeyType::kP256, KeyType::kRsa2048}) {
    auto options = Options(caramel_);
    options.key_type = type;
    const auto enroller = Make(std::move(options));
    StepTo(*enroller, kRequestMade);
    EXPECT_EQ(enroller->warnings().size(), type == KeyType::kRsa2048 ? 0u : 1u);
  }
  const auto enroller = Make(json_);
  StepTo(*enroller, kRequestMade);
  EXPECT_THAT(enroller->warnings(), IsEmpty());
}

TEST_F(EnrollerTest, ConnectionsAreMadeAsTheOptionsSay) {
  auto options = Options(caramel_);
  options.user_agent = "pump/1.0";
  options.server_name = "other.example.com";
  options.timeout = std::chrono::milliseconds(1234);
  const auto enroller = Make(std::move(options));
  StepTo(*enroller, kWaiting);
  ASSERT_EQ(caramel_.connections.size(), 1u);  // kept between steps
  const HttpClientOptions& made = caramel_.connections.front();
  EXPECT_EQ(made.user_agent, "pump/1.0");
  EXPECT_EQ(made.server_name, "other.example.com");
  EXPECT_EQ(made.timeout, std::chrono::milliseconds(1234));
  EXPECT_LE(made.connect_timeout, made.timeout);
  EXPECT_LE(made.max_body_bytes, size_t{1} << 20);
  EXPECT_EQ(made.trust.bundle, caramel_.bundle());
}

}  // namespace
}  // namespace troth
