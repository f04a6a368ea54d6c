#include "troth/pki/revocation_reason.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace troth {
namespace {

using ::testing::Contains;
using ::testing::Not;
using ::testing::SizeIs;

TEST(RevocationReason, NamesAndNumbersAreThoseOfRfc5280) {
  const std::pair<int, std::string_view> kRows[] = {
      {0, "unspecified"},        {1, "keyCompromise"}, {2, "cACompromise"},
      {3, "affiliationChanged"}, {4, "superseded"},    {5, "cessationOfOperation"},
      {6, "certificateHold"},    {8, "removeFromCRL"}, {9, "privilegeWithdrawn"},
      {10, "aACompromise"}};
  for (const auto& [number, name] : kRows) {
    EXPECT_EQ(NameOfRevocationReason(number), name);
    EXPECT_EQ(RevocationReasonFromName(name), number);
  }
  EXPECT_EQ(RevocationReasonFromName("KEYCOMPROMISE"), 1);
}

TEST(RevocationReason, WhatIsNoneHasNoNumberAndNoName) {
  for (const int number : {-1, 7, 11}) EXPECT_EQ(NameOfRevocationReason(number), "unknown");
  for (const char* name : {"", "unknown", "key compromise", "1"}) {
    EXPECT_EQ(RevocationReasonFromName(name), std::nullopt) << name;
  }
}

TEST(RevocationReason, AnAuthorityDoesNotTakeEntriesOffFullLists) {
  EXPECT_THAT(RevocationReasonNames(), SizeIs(9));
  EXPECT_THAT(RevocationReasonNames(), Not(Contains("removeFromCRL")));
}

}  // namespace
}  // namespace troth
