#include "troth/enroll/trust_update.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "troth/base/reason.h"
#include "troth/pki/issue_testing.h"

namespace troth {
namespace {

using testing::At;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::Value;

Time Now() { return At("2026-11-21T12:00:00Z"); }
constexpr Seconds kDay = std::chrono::hours(24);

Signer RootNamed(std::string_view subject) { return testing::MakeRoot(KeyType::kP256, subject); }

Signer IssuerBelow(const Signer& root, std::string_view subject, Time end = At("2027-11-01")) {
  PrivateKey key = testing::MakeKey();
  CertificateTemplate what = testing::CaTemplate(key.public_key(), subject);
  what.validity.not_after = end;
  return Value(Signer::Create(Value(Issue(what, root)), std::move(key)));
}

// Current around Now() unless told otherwise.
Crl ListOf(const Signer& signer, std::uint64_t number = 5, Time begin = Now() - Seconds(60),
           Seconds life = kDay) {
  return Value(
      IssueCrl({.this_update = begin, .next_update = begin + life, .number = number}, signer));
}

class TrustUpdateTest : public ::testing::Test {
 protected:
  absl::StatusOr<TrustUpdate> Update(const TrustMaterial& offered) const {
    return UpdateTrust(root_.certificate(), present_, offered, Now());
  }
  TrustUpdate MustUpdate(const TrustMaterial& offered) const { return Value(Update(offered)); }
  // What root and issuer say after everything went well.
  TrustMaterial Good() const {
    return {.authorities = {issuer_.certificate()}, .lists = {ListOf(issuer_), ListOf(root_)}};
  }
  static std::vector<std::string> Ders(const std::vector<Crl>& lists) {
    std::vector<std::string> out;
    for (const Crl& list : lists) out.push_back(list.der());
    return out;
  }

  const Signer root_ = RootNamed("/CN=root");
  const Signer issuer_ = IssuerBelow(root_, "/CN=issuer 1");
  const Signer second_ = IssuerBelow(root_, "/CN=issuer 2");
  const Signer stranger_ = RootNamed("/CN=stranger");
  TrustMaterial present_;
};

TEST_F(TrustUpdateTest, IssuersAndRootComeWithAListOfEach) {
  TrustMaterial offered = Good();
  std::swap(offered.lists[0], offered.lists[1]);
  const TrustUpdate update = MustUpdate(offered);
  EXPECT_TRUE(update.incomplete.ok()) << update.incomplete;
  EXPECT_THAT(update.warnings, IsEmpty());
  EXPECT_THAT(update.material.authorities, ElementsAre(issuer_.certificate(), root_.certificate()));
  EXPECT_THAT(Ders(update.material.lists),
              ElementsAre(offered.lists[1].der(), offered.lists[0].der()));
}

TEST_F(TrustUpdateTest, AOneTierAuthorityHasItsRootAlone) {
  for (const auto& issuers :
       {std::vector<Certificate>(), std::vector<Certificate>{root_.certificate()}}) {
    const TrustUpdate update = MustUpdate({.authorities = issuers, .lists = {ListOf(root_)}});
    EXPECT_THAT(update.material.authorities, ElementsAre(root_.certificate()));
    EXPECT_EQ(update.material.lists.size(), 1U);
  }
}

// In ca.pem it would be an anchor, of which no list is asked.
TEST_F(TrustUpdateTest, AnIssuerThatTheRootRevokesIsTrustedNoMoreOfferedOrNot) {
  const Crl revoking = Value(IssueCrl({.this_update = Now() - Seconds(30),
                                       .next_update = Now() + kDay,
                                       .number = 6,
                                       .entries = {{.serial = issuer_.certificate().serial_number(),
                                                    .revoked_at = Now() - Seconds(60)}}},
                                      root_));
  const TrustMaterial held = Good();
  for (const TrustMaterial& present : {TrustMaterial{}, held}) {
    for (const bool is_offered : {true, false}) {
      present_ = present;
      TrustMaterial offered = {.authorities = {second_.certificate()},
                               .lists = {ListOf(second_), ListOf(issuer_, 7), revoking}};
      if (!is_offered && present.authorities.empty()) offered.lists = {ListOf(second_), revoking};
      if (is_offered) offered.authorities.push_back(issuer_.certificate());
      const TrustUpdate update = MustUpdate(offered);
      EXPECT_TRUE(update.incomplete.ok()) << update.incomplete;
      EXPECT_THAT(update.material.authorities,
                  ElementsAre(second_.certificate(), root_.certificate()));
      EXPECT_EQ(update.material.lists.size(), 2U);
      EXPECT_EQ(update.warnings.size(), is_offered || !present.authorities.empty() ? 1U : 0U);
    }
  }
}

TEST_F(TrustUpdateTest, WhatTheRootDoesNotVouchForMakesTheWholeAnswerNobodys) {
  struct Row {
    const char* name;
    Certificate authority;
    Crl list;
    Reason reason;
  };
  const Signer impostor = IssuerBelow(RootNamed("/CN=root"), "/CN=issuer 1");
  CertificateTemplate leaf = testing::LeafTemplate(testing::MakeKey().public_key());
  const Row rows[] = {
      {"another root", stranger_.certificate(), ListOf(stranger_), Reason::kCertificateSelfSigned},
      {"an issuer of a root of the same name", impostor.certificate(), ListOf(impostor),
       Reason::kSignatureInvalid},
      {"a leaf", Value(Issue(leaf, root_)), ListOf(root_), Reason::kNotACertificateAuthority},
      {"an issuer that is not valid yet",
       [this] {
         PrivateKey key = testing::MakeKey();
         CertificateTemplate what = testing::CaTemplate(key.public_key(), "/CN=later");
         what.validity.not_before = Now() + Seconds(1);
         return Value(Issue(what, root_));
       }(),
       ListOf(root_), Reason::kCertificateNotYetValid},
      {"a stranger's list", issuer_.certificate(), ListOf(stranger_), Reason::kSignatureInvalid},
      {"a list in the issuer's name", issuer_.certificate(),
       ListOf(IssuerBelow(stranger_, "/CN=issuer 1")), Reason::kSignatureInvalid},
  };
  for (const Row& row : rows) {
    TrustMaterial offered = Good();
    offered.authorities.push_back(row.authority);
    offered.lists.push_back(row.list);
    EXPECT_EQ(ReasonOf(Update(offered).status()), row.reason) << row.name;
  }
}

TEST_F(TrustUpdateTest, WithoutACurrentListOfTheRootNothingCounts) {
  TrustMaterial offered = Good();
  offered.lists[1] = ListOf(root_, 6, Now() - 2 * kDay);
  EXPECT_EQ(ReasonOf(Update(offered).status()), Reason::kCrlExpired);
  offered.lists.pop_back();
  EXPECT_EQ(ReasonOf(Update(offered).status()), Reason::kRevocationUnknown);
}

TEST_F(TrustUpdateTest, ANewIssuerWaitsForItsCurrentListAndTheOthersAreGood) {
  struct Row {
    const char* name;
    std::vector<Crl> lists;
    Reason reason;
  };
  const Row rows[] = {
      {"none", {}, Reason::kRevocationUnknown},
      {"expired", {ListOf(second_, 5, Now() - kDay - Seconds(1))}, Reason::kCrlExpired},
      {"in the future", {ListOf(second_, 5, Now() + Seconds(1))}, Reason::kRevocationUnknown},
  };
  for (const Row& row : rows) {
    TrustMaterial offered = Good();
    offered.authorities.push_back(second_.certificate());
    offered.lists.insert(offered.lists.end(), row.lists.begin(), row.lists.end());
    const TrustUpdate update = MustUpdate(offered);
    EXPECT_EQ(ReasonOf(update.incomplete), row.reason) << row.name;
    EXPECT_THAT(update.material.authorities,
                ElementsAre(issuer_.certificate(), root_.certificate()))
        << row.name;
    EXPECT_EQ(update.warnings.size(), 1U) << row.name;
  }
}

TEST_F(TrustUpdateTest, AKnownIssuerWithoutACurrentListKeepsWhatItHas) {
  for (const Time begin : {Now() - Seconds(90), Now() - 2 * kDay}) {
    present_ = Good();
    present_.lists[0] = ListOf(issuer_, 4, begin);
    TrustMaterial offered = Good();
    offered.lists.erase(offered.lists.begin());
    const TrustUpdate update = MustUpdate(offered);
    EXPECT_EQ(ReasonOf(update.incomplete), Reason::kRevocationUnknown);
    EXPECT_THAT(update.material.authorities,
                ElementsAre(issuer_.certificate(), root_.certificate()));
    EXPECT_EQ(update.material.lists[0].der(), present_.lists[0].der()) << FormatTime(begin);
  }
}

TEST_F(TrustUpdateTest, AnIssuerThatHasExpiredNeedsNoList) {
  const Signer ended = IssuerBelow(root_, "/CN=issuer 0", Now() - Seconds(1));
  TrustMaterial offered = Good();
  offered.authorities.push_back(ended.certificate());
  offered.lists.push_back(ListOf(ended, 5, Now() - 2 * kDay));
  const TrustUpdate update = MustUpdate(offered);
  EXPECT_TRUE(update.incomplete.ok()) << update.incomplete;
  EXPECT_THAT(update.material.authorities, ElementsAre(issuer_.certificate(), root_.certificate()));
}

TEST_F(TrustUpdateTest, AnOlderListDoesNotReplaceANewerOne) {
  struct Row {
    const char* name;
    Crl held, offered;
    bool stays;
  };
  const Row rows[] = {
      {"a lower number", ListOf(issuer_, 0x0100), ListOf(issuer_, 0xff, Now() - Seconds(30)), true},
      {"a number with its highest bit", ListOf(issuer_, 0x80), ListOf(issuer_, 0x7f), true},
      {"the same number, earlier", ListOf(issuer_), ListOf(issuer_, 5, Now() - Seconds(90)), true},
      {"a higher number", ListOf(issuer_, 0xff), ListOf(issuer_, 0x100, Now() - Seconds(90)),
       false},
      {"the same number, later", ListOf(issuer_), ListOf(issuer_, 5, Now() - Seconds(30)), false},
  };
  for (const Row& row : rows) {
    present_ = Good();
    present_.lists[0] = row.held;
    TrustMaterial offered = Good();
    offered.lists[0] = row.offered;
    const TrustUpdate update = MustUpdate(offered);
    EXPECT_TRUE(update.incomplete.ok()) << row.name;
    EXPECT_EQ(update.material.lists[0].der(), (row.stays ? row.held : row.offered).der())
        << row.name;
    EXPECT_EQ(update.warnings.size(), row.stays ? 1U : 0U) << row.name;
  }
}

TEST_F(TrustUpdateTest, AnOlderListIsRefusedAlsoWhenTheNewerOneHasEnded) {
  present_ = Good();
  present_.lists[0] = ListOf(issuer_, 9, Now() - 2 * kDay);
  const TrustUpdate update = MustUpdate(Good());
  EXPECT_EQ(ReasonOf(update.incomplete), Reason::kCrlExpired);
  EXPECT_EQ(update.material.lists[0].der(), present_.lists[0].der());
  present_.lists[1] = ListOf(root_, 9, Now() - 2 * kDay);
  EXPECT_EQ(ReasonOf(Update(Good()).status()), Reason::kCrlExpired);
}

TEST_F(TrustUpdateTest, AnIssuerThatIsNoLongerOfferedStaysWhileItAndItsListAreValid) {
  const Crl list = ListOf(second_);
  present_ = Good();
  present_.authorities.push_back(second_.certificate());
  present_.lists.push_back(list);
  TrustUpdate update = MustUpdate(Good());
  EXPECT_TRUE(update.incomplete.ok()) << update.incomplete;
  EXPECT_THAT(update.material.authorities,
              ElementsAre(issuer_.certificate(), second_.certificate(), root_.certificate()));
  EXPECT_EQ(update.material.lists[1].der(), list.der());
  EXPECT_EQ(update.warnings.size(), 1U);

  present_.lists.back() = ListOf(second_, 5, Now() - 2 * kDay);
  update = MustUpdate(Good());
  EXPECT_THAT(update.material.authorities, ElementsAre(issuer_.certificate(), root_.certificate()));
  EXPECT_EQ(update.warnings.size(), 1U);

  const Signer ended = IssuerBelow(root_, "/CN=issuer 0", Now() - Seconds(1));
  present_.authorities.back() = ended.certificate();
  present_.lists.back() = ListOf(ended);
  update = MustUpdate(Good());
  EXPECT_THAT(update.material.authorities, ElementsAre(issuer_.certificate(), root_.certificate()));
  EXPECT_EQ(update.warnings.size(), 1U);
}

TEST_F(TrustUpdateTest, WhatAnotherRootVouchedForGoes) {
  present_ = {.authorities = {stranger_.certificate()}, .lists = {ListOf(stranger_)}};
  const TrustUpdate update = MustUpdate(Good());
  EXPECT_THAT(update.material.authorities, ElementsAre(issuer_.certificate(), root_.certificate()));
  EXPECT_EQ(update.warnings.size(), 1U);
}

std::string AnswerOf(const TrustMaterial& material) {
  boost::json::object object;
  object["trust_bundle"] = "";
  object["issuers"] = material.AuthoritiesPem();
  object["crls"] = material.ListsPem();
  return boost::json::serialize(object);
}

TEST_F(TrustUpdateTest, AnAnswerIsReadAsItWasWritten) {
  const TrustMaterial good = Good();
  const TrustMaterial read = Value(ReadTrustAnswer(AnswerOf(good)));
  EXPECT_EQ(read.authorities, good.authorities);
  EXPECT_EQ(Ders(read.lists), Ders(good.lists));
  EXPECT_TRUE(Value(ReadTrustAnswer(AnswerOf({}))).authorities.empty());
}

TEST_F(TrustUpdateTest, WhatIsNoAnswerIsRefused) {
  const std::string good = AnswerOf(Good());
  for (const std::string& body :
       {std::string(), std::string("<html></html>"), std::string("[]"), std::string("{}"),
        std::string(R"({"issuers":"","crls":5})"), std::string(R"({"issuers":"x","crls":""})"),
        std::string(R"({"issuers":"","crls":"x"})"), good.substr(0, good.size() / 2),
        std::string(100000, '[')}) {
    EXPECT_EQ(ReasonOf(ReadTrustAnswer(body).status()), Reason::kResponseMalformed)
        << body.substr(0, 60);
  }
}

}  // namespace
}  // namespace troth
