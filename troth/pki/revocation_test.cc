#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "troth/pki/path_testing.h"
#include "troth/pki/path_validation.h"

namespace troth {
namespace {

using testing::Bundle;
using testing::CodeFor;
using testing::Intermediate;
using testing::kDay;
using testing::kNow;
using testing::Leaf;
using testing::Make;
using testing::MakeCrl;
using testing::Root;
using testing::Wanted;
using testing::WantedCrl;

constexpr int kSerial = 4711;
constexpr int kOther = 4712;
constexpr int kHold = 6;
constexpr int kKeyCompromise = 1;

// A leaf with kSerial directly below "root".
PathResult Check(const std::vector<WantedCrl>& lists, PathOptions options = {},
                 const Wanted& root = Root("root")) {
  Wanted leaf = Leaf("root");
  leaf.serial = kSerial;
  std::vector<Crl> crls;
  crls.reserve(lists.size());
  for (const WantedCrl& list : lists) crls.push_back(MakeCrl(list));
  options.now = kNow;
  options.crls = &crls;
  return ValidatePath(Make(leaf), {}, Bundle({Make(root)}), options);
}

struct Row {
  std::string name;
  std::vector<WantedCrl> lists;
  std::string where_listed, required;  // reason codes under the two modes
};

TEST(Revocation, FollowsTheListsOfTheIssuer) {
  const std::vector<Row> rows = {
      {"no list", {}, "ok", "revocation_unknown"},
      {"good", {{}}, "ok", "ok"},
      {"revoked",
       {{.revoked = {{kSerial, kKeyCompromise}}}},
       "certificate_revoked",
       "certificate_revoked"},
      {"revoked without reason",
       {{.revoked = {{kSerial, 0}}}},
       "certificate_revoked",
       "certificate_revoked"},
      {"on hold", {{.revoked = {{kSerial, kHold}}}}, "certificate_revoked", "certificate_revoked"},
      {"another is revoked", {{.revoked = {{kOther, kKeyCompromise}}}}, "ok", "ok"},
      {"list of another issuer",
       {{.issuer = "other", .revoked = {{kSerial, kKeyCompromise}}}},
       "ok",
       "revocation_unknown"},
      {"list of a CA of the same name and another key",
       {{.key = "impostor", .revoked = {{kSerial, kKeyCompromise}}}},
       "ok",
       "revocation_unknown"},
      {"list of the right key that was changed",
       {{.broken_signature = true}},
       "signature_invalid",
       "signature_invalid"},
      {"changed list that does not name its key",
       {{.with_authority_key_id = false, .broken_signature = true}},
       "ok",
       "revocation_unknown"},
      {"list that does not name its key", {{.with_authority_key_id = false}}, "ok", "ok"},
      {"expired",
       {{.from = kNow - 2 * kDay, .to = kNow - Seconds(1)}},
       "crl_expired",
       "crl_expired"},
      {"in its last second", {{.to = kNow}}, "ok", "ok"},
      {"expired and has it",
       {{.from = kNow - 2 * kDay, .to = kNow - kDay, .revoked = {{kSerial, kKeyCompromise}}}},
       "certificate_revoked",
       "certificate_revoked"},
      {"of the future", {{.from = kNow + Seconds(1)}}, "revocation_unknown", "revocation_unknown"},
      {"of the future and has it",
       {{.from = kNow + kDay / 2, .revoked = {{kSerial, kKeyCompromise}}}},
       "certificate_revoked",
       "certificate_revoked"},
      {"of the future beside a current one",
       {{}, {.from = kNow + kDay / 2, .number = 2}},
       "ok",
       "ok"},
      {"without number", {{.number = std::nullopt}}, "crl_malformed", "crl_malformed"},
      {"without nextUpdate", {{.to = std::nullopt}}, "crl_malformed", "crl_malformed"},
      {"without number but has it",
       {{.number = std::nullopt, .revoked = {{kSerial, kKeyCompromise}}}},
       "certificate_revoked",
       "certificate_revoked"},
      {"expired one beside a newer",
       {{.from = kNow - 3 * kDay, .to = kNow - kDay, .number = 1}, {.number = 2}},
       "ok",
       "ok"},
      {"newest by number is the expired one",
       {{.number = 200}, {.from = kNow - 3 * kDay, .to = kNow - kDay, .number = 256}},
       "crl_expired",
       "crl_expired"},
      {"newest revokes",
       {{.number = 255}, {.number = 256, .revoked = {{kSerial, kKeyCompromise}}}},
       "certificate_revoked",
       "certificate_revoked"},
      {"older current one revokes",
       {{.number = 2}, {.number = 1, .revoked = {{kSerial, kKeyCompromise}}}},
       "certificate_revoked",
       "certificate_revoked"},
      {"hold was lifted",
       {{.number = 2}, {.number = 1, .revoked = {{kSerial, kHold}}}},
       "ok",
       "ok"},
      {"hold is new",
       {{.number = 1}, {.number = 2, .revoked = {{kSerial, kHold}}}},
       "certificate_revoked",
       "certificate_revoked"},
      {"expired older one revokes, newer does not",
       {{.number = 2},
        {.from = kNow - 3 * kDay,
         .to = kNow - kDay,
         .number = 1,
         .revoked = {{kSerial, kKeyCompromise}}}},
       "ok",
       "ok"},
  };
  for (const Row& row : rows) {
    for (const bool reversed : {false, true}) {
      SCOPED_TRACE(row.name + (reversed ? ", reversed" : ""));
      std::vector<WantedCrl> lists = row.lists;
      if (reversed) std::reverse(lists.begin(), lists.end());
      EXPECT_EQ(CodeFor(Check(lists).status), row.where_listed);
      EXPECT_EQ(CodeFor(Check(lists, {.revocation = RevocationCheck::kRequired}).status),
                row.required);
    }
  }
}

TEST(Revocation, GivesAnExpiredListItsGrace) {
  const WantedCrl list{.from = kNow - 2 * kDay, .to = kNow - kDay};
  const PathResult within = Check({list}, {.crl_grace = 2 * kDay});
  EXPECT_EQ(CodeFor(within.status), "ok");
  EXPECT_EQ(within.valid_until, kNow + kDay);
  EXPECT_EQ(CodeFor(Check({list}, {.crl_grace = kDay - Seconds(1)}).status), "crl_expired");
}

TEST(Revocation, LimitsHowLongTheAnswerHolds) {
  EXPECT_EQ(Check({{.to = kNow + Seconds(60)}}).valid_until, kNow + Seconds(60));
  EXPECT_EQ(Check({{.to = kNow + 900 * kDay}}).valid_until, kNow + 30 * kDay);
}

TEST(Revocation, LooksAgainWhenAListOfTheFutureComesIntoForce) {
  const Time then = kNow + kDay / 2;
  const std::vector<Crl> crls = {
      MakeCrl({}), MakeCrl({.from = then, .number = 2, .revoked = {{kSerial, kHold}}})};
  Wanted leaf = Leaf("root");
  leaf.serial = kSerial;
  const auto check = [&](Time now) {
    return ValidatePath(Make(leaf), {}, Bundle({Make(Root("root"))}), {.now = now, .crls = &crls});
  };
  EXPECT_EQ(CodeFor(check(kNow).status), "ok");
  EXPECT_EQ(check(kNow).valid_until, then - Seconds(1));
  EXPECT_EQ(CodeFor(check(then - Seconds(1)).status), "ok");
  EXPECT_EQ(CodeFor(check(then).status), "certificate_revoked");
}

TEST(Revocation, WarnsOfAListThatAnotherKeySigned) {
  EXPECT_THAT(Check({{.key = "impostor"}}).warnings,
              ::testing::Contains(::testing::HasSubstr("another key signed it")));
}

TEST(Revocation, NeedsCrlSignWhenTheIssuerHasKeyUsage) {
  Wanted root = Root("root");
  root.key_usage = kKeyCertSign;
  EXPECT_EQ(CodeFor(Check({{}}, {}, root).status), "revocation_unknown");
  EXPECT_EQ(CodeFor(Check({{.revoked = {{kSerial, kKeyCompromise}}}}, {}, root).status),
            "certificate_revoked");
  root.key_usage = 0;
  EXPECT_EQ(CodeFor(Check({{}}, {}, root).status), "ok");
}

TEST(Revocation, DoesNotReadAListWithACriticalNumber) {
  EXPECT_EQ(CodeFor(testing::TryToMakeCrl({.number_critical = true}).status()), "crl_malformed");
}

TEST(Revocation, RemembersWhichKeySignedAList) {
  const Crl crl = MakeCrl({});
  const Crl copy = crl;
  const PublicKey& key = testing::KeyOf("root").public_key();
  const PublicKey& other = testing::KeyOf("other").public_key();
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(CodeFor(crl.VerifySignature(other)), "signature_invalid");
    EXPECT_EQ(CodeFor(crl.VerifySignature(key)), "ok");
    EXPECT_EQ(CodeFor(copy.VerifySignature(key)), "ok");
    EXPECT_EQ(CodeFor(copy.VerifySignature(other)), "signature_invalid");
  }
  const Crl changed = MakeCrl({.broken_signature = true});
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(CodeFor(changed.VerifySignature(key)), "signature_invalid");
  }
}

// root -> middle -> leaf.
std::string CheckChain(const std::vector<WantedCrl>& lists, RevocationCheck mode,
                       std::string* failed = nullptr) {
  Wanted middle = Intermediate("middle", "root");
  middle.serial = kOther;
  Wanted leaf = Leaf("middle");
  leaf.serial = kSerial;
  std::vector<Crl> crls;
  crls.reserve(lists.size());
  for (const WantedCrl& list : lists) crls.push_back(MakeCrl(list));
  const PathResult result = ValidatePath(Make(leaf), {Make(middle)}, Bundle({Make(Root("root"))}),
                                         {.now = kNow, .crls = &crls, .revocation = mode});
  if (failed != nullptr && result.failed.has_value()) {
    *failed = result.failed->subject().common_name().value_or("");
  }
  return CodeFor(result.status);
}

TEST(Revocation, IsCheckedForEveryCertificateBelowTheAnchor) {
  std::string failed;
  const WantedCrl of_root{.issuer = "root", .revoked = {{kOther, kKeyCompromise}}};
  EXPECT_EQ(CheckChain({of_root}, RevocationCheck::kWhereListed, &failed), "certificate_revoked");
  EXPECT_EQ(failed, "middle");
  EXPECT_EQ(CheckChain({{.issuer = "root"}}, RevocationCheck::kWhereListed), "ok");
  EXPECT_EQ(CheckChain({{.issuer = "root"}}, RevocationCheck::kRequired, &failed),
            "revocation_unknown");
  EXPECT_EQ(failed, "leaf");
  EXPECT_EQ(CheckChain({{.issuer = "root"}, {.issuer = "middle"}}, RevocationCheck::kRequired),
            "ok");
  // A serial number is revoked by the issuer that gave it, not by another.
  EXPECT_EQ(CheckChain({{.issuer = "root", .revoked = {{kSerial, kKeyCompromise}}}},
                       RevocationCheck::kWhereListed),
            "ok");
}

TEST(Revocation, OfACrossCertificateLeavesTheOtherPathOpen) {
  Wanted by_one = Intermediate("middle", "one");
  by_one.serial = kOther;
  const Wanted by_two = Intermediate("middle", "two");
  const std::vector<Crl> crls = {MakeCrl({.issuer = "one", .revoked = {{kOther, kKeyCompromise}}})};
  for (const bool reversed : {false, true}) {
    std::vector<Certificate> intermediates = {Make(by_one), Make(by_two)};
    if (reversed) std::swap(intermediates[0], intermediates[1]);
    const PathResult result =
        ValidatePath(Make(Leaf("middle")), intermediates,
                     Bundle({Make(Root("one")), Make(Root("two"))}), {.now = kNow, .crls = &crls});
    EXPECT_EQ(CodeFor(result.status), "ok") << result.status;
    EXPECT_EQ(result.path.back().subject().common_name(), "two");
  }
}

TEST(Revocation, CannotBeAvoidedByAnotherCertificateOfTheSameCa) {
  // The CA's key is certified twice; one certificate may not sign lists. Its list counts all the
  // same.
  Wanted first = Intermediate("middle", "root");
  Wanted second = first;
  second.key_usage = kKeyCertSign;
  Wanted leaf = Leaf("middle");
  leaf.serial = kSerial;
  const std::vector<Crl> crls = {
      MakeCrl({.issuer = "middle", .revoked = {{kSerial, kKeyCompromise}}})};
  EXPECT_EQ(CodeFor(ValidatePath(Make(leaf), {Make(first), Make(second)},
                                 Bundle({Make(Root("root"))}), {.now = kNow, .crls = &crls})
                        .status),
            "certificate_revoked");
}

}  // namespace
}  // namespace troth
