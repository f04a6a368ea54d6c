#include "troth/ca/crl_file.h"

#include <gtest/gtest.h>

#include "troth/base/file.h"
#include "troth/base/reason.h"
#include "troth/ca/ca_testing.h"
#include "troth/ca/templates.h"

namespace troth {
namespace {

using ca_testing::Content;
using ca_testing::FakeClock;
using ca_testing::TestFolder;
Signer MakeSigner(const char* name, Time now) {
  PrivateKey key = *PrivateKey::Generate(KeyType::kP256);
  const CertificateTemplate what =
      AuthorityTemplate(*DistinguishedName::FromCommonName(name), key.public_key(), 0, now,
                        now + std::chrono::hours(24 * 365));
  Certificate certificate = *IssueSelfSigned(what, key);
  return *Signer::Create(std::move(certificate), std::move(key));
}

TEST(CrlFileTest, OnlyAListOfThisCaWithItsSignatureIsRead) {
  const TestFolder folder;
  const FakeClock clock;
  const Signer signer = MakeSigner("ca", clock.now);
  const Signer same_name = MakeSigner("ca", clock.now);
  const Signer other = MakeSigner("other", clock.now);
  const std::string path = folder / "ca.crl";

  ASSERT_TRUE(WriteCrl(path, *NextCrl(std::nullopt, {}, "", signer, clock.now)).ok());
  EXPECT_TRUE(ReadCrl(path, signer.certificate()).ok());
  EXPECT_EQ(ReasonOf(ReadCrl(path, same_name.certificate()).status()), Reason::kSignatureInvalid);
  EXPECT_EQ(ReasonOf(ReadCrl(path, other.certificate()).status()), Reason::kCrlMalformed);

  const std::string twice = Content(path) + Content(path);
  ASSERT_TRUE(WriteFile(path, twice, {.overwrite = Overwrite::kReplace}).ok());
  EXPECT_EQ(ReasonOf(ReadCrl(path, signer.certificate()).status()), Reason::kCrlMalformed);
  EXPECT_EQ(ReasonOf(ReadCrl(folder / "absent.crl", signer.certificate()).status()),
            Reason::kFileNotFound);
}

// certstrap's lists have no number, so the one before cannot always be counted on from.
TEST(CrlFileTest, NumbersRiseWithTimeWithRevocationsAndFromTheListBefore) {
  const FakeClock clock;
  const Signer signer = MakeSigner("ca", clock.now);
  const auto number = [&](const std::optional<Crl>& before, size_t revoked, Time now) {
    std::vector<RevokedEntry> entries;
    for (size_t i = 0; i < revoked; ++i) entries.push_back({SerialNumber::Generate(now), now});
    return *NextCrl(before, entries, "", signer, now)->number();
  };
  const Crl first = *NextCrl(std::nullopt, {}, "", signer, clock.now);
  EXPECT_GT(number(std::nullopt, 1, clock.now), *first.number());
  EXPECT_GT(number(first, 0, clock.now), *first.number());
  EXPECT_GT(number(first, 0, clock.now - Seconds(3600)), *first.number());
  EXPECT_GT(number(std::nullopt, 0, clock.now + Seconds(1)), number(std::nullopt, 200, clock.now));
}

TEST(CrlFileTest, IsDatedBackForClocksThatAreBehindButNeverBeforeTheListBefore) {
  const FakeClock clock;
  const Signer signer = MakeSigner("ca", clock.now);
  const RevokedEntry entry{SerialNumber::Generate(clock.now), clock.now};
  const Crl first = *NextCrl(std::nullopt, {entry}, "", signer, clock.now);
  EXPECT_EQ(first.this_update(), clock.now - kBackdate);
  EXPECT_EQ(first.entries()[0].revoked_at, clock.now);
  const auto date = [&](const Crl& before, Time now) {
    return NextCrl(before, {}, "", signer, now)->this_update();
  };
  EXPECT_EQ(date(first, clock.now + Seconds(60)), clock.now + Seconds(60) - kBackdate);

  // Another program's list, without a number and dated now.
  const Crl now_dated = *IssueCrl(
      {.this_update = clock.now, .next_update = first.next_update().value(), .number = 1}, signer);
  EXPECT_EQ(date(now_dated, clock.now + Seconds(60)), clock.now);
  EXPECT_EQ(date(now_dated, clock.now + kBackdate + Seconds(60)), clock.now + Seconds(60));
  // A clock that was set back.
  EXPECT_EQ(date(now_dated, clock.now - Seconds(60)), clock.now - Seconds(60));
}

TEST(CrlFileTest, LastsAsLongAsItsCaUnlessToldOtherwise) {
  const FakeClock clock;
  const Signer signer = MakeSigner("ca", clock.now);
  EXPECT_EQ(NextCrl(std::nullopt, {}, "", signer, clock.now)->next_update(),
            signer.certificate().validity().not_after);
  EXPECT_EQ(NextCrl(std::nullopt, {}, "7 days", signer, clock.now)->next_update(),
            clock.now + std::chrono::hours(24 * 7));
  EXPECT_EQ(ReasonOf(NextCrl(std::nullopt, {}, "later", signer, clock.now).status()),
            Reason::kUsageError);
}

TEST(CrlFileTest, ACaSignsListsUnlessItsKeyUsageSaysOtherwise) {
  const FakeClock clock;
  const Signer signer = MakeSigner("ca", clock.now);
  EXPECT_TRUE(CanSignLists(signer.certificate()));
  const PrivateKey key = *PrivateKey::Generate(KeyType::kP256);
  CertificateTemplate what =
      AuthorityTemplate(*DistinguishedName::FromCommonName("ca"), key.public_key(), 0, clock.now,
                        clock.now + std::chrono::hours(1));
  what.key_usage = kKeyCertSign;
  EXPECT_FALSE(CanSignLists(*IssueSelfSigned(what, key)));
}

}  // namespace
}  // namespace troth
