#include "troth/base/reason.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <set>
#include <string>

#include "troth/base/strings.h"

namespace troth {
namespace {

TEST(ReasonTableTest, HasARowForEveryReasonInTheOrderOfTheEnumeration) {
  // kInternal is the last of the enumeration; a row that is missing or out of place shifts it.
  ASSERT_EQ(AllReasons().size(), static_cast<size_t>(Reason::kInternal) + 1);
  for (size_t i = 0; i < AllReasons().size(); ++i) {
    EXPECT_EQ(static_cast<size_t>(AllReasons()[i].reason), i) << AllReasons()[i].code;
    EXPECT_EQ(InfoOf(static_cast<Reason>(i)).code, AllReasons()[i].code);
  }
}

TEST(ReasonTableTest, CodesAreUniqueSnakeCase) {
  std::set<std::string_view> seen;
  for (const ReasonInfo& info : AllReasons()) {
    EXPECT_TRUE(seen.insert(info.code).second) << info.code << " twice";
    EXPECT_FALSE(info.code.empty());
    EXPECT_TRUE(std::ranges::all_of(info.code, [](char c) {
      return (c >= 'a' && c <= 'z') || c == '_';
    })) << info.code;
    EXPECT_FALSE(info.code.starts_with('_') || info.code.ends_with('_')) << info.code;
    EXPECT_EQ(info.code.find("__"), std::string_view::npos) << info.code;
  }
}

TEST(ReasonTableTest, EveryRowHasOneLineOfTextAndOneOfFix) {
  std::set<std::string_view> texts;
  for (const ReasonInfo& info : AllReasons()) {
    EXPECT_TRUE(texts.insert(info.text).second) << info.code << ": text of another reason";
    for (const std::string_view line : {info.text, info.fix}) {
      EXPECT_GE(line.size(), 10U) << info.code;
      EXPECT_EQ(line.find('\n'), std::string_view::npos) << info.code;
      EXPECT_FALSE(line.ends_with('.')) << info.code << ": ends in a full stop";
      EXPECT_FALSE(std::isupper(static_cast<unsigned char>(line.front())) != 0 &&
                   std::islower(static_cast<unsigned char>(line[1])) != 0)
          << info.code << ": begins with a capital";
    }
  }
}

TEST(ReasonTableTest, EveryRowIsAnErrorInEveryProtocol) {
  for (const ReasonInfo& info : AllReasons()) {
    EXPECT_NE(info.status, absl::StatusCode::kOk) << info.code;
    // What waits is accepted, and no error to a peer that speaks HTTP.
    const bool accepted = info.reason == Reason::kRequestPending && info.http_status == 202;
    EXPECT_TRUE(accepted || (info.http_status >= 400 && info.http_status <= 599)) << info.code;
    EXPECT_TRUE(info.exit_code >= 64 && info.exit_code <= 78) << info.code << ": not a sysexit";
  }
}

TEST(ReasonTest, CodesNeverChange) {
  // A sample of what programs and documents out there rely on.
  EXPECT_EQ(CodeOf(Reason::kCertificateExpired), "certificate_expired");
  EXPECT_EQ(CodeOf(Reason::kRoleNotAllowed), "role_not_allowed");
  EXPECT_EQ(CodeOf(Reason::kNoRuleMatches), "no_rule_matches");
  EXPECT_EQ(InfoOf(Reason::kRoleNotAllowed).status, absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(InfoOf(Reason::kPeerNotAuthenticated).status, absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(InfoOf(Reason::kUsageError).exit_code, 64);
}

TEST(ReasonTest, IsFoundByItsCode) {
  for (const ReasonInfo& info : AllReasons()) EXPECT_EQ(ReasonFromCode(info.code), info.reason);
  for (const char* code : {"", "Certificate_expired", "certificate_expired ", "no_such_reason"}) {
    EXPECT_EQ(ReasonFromCode(code), std::nullopt) << code;
  }
}

TEST(ReasonTest, TravelsInAStatus) {
  for (const ReasonInfo& info : AllReasons()) {
    const absl::Status status = MakeError(info.reason, "what, expected, got");
    EXPECT_EQ(status.code(), info.status);
    EXPECT_EQ(ToStd(status.message()), "what, expected, got");
    EXPECT_EQ(ReasonOf(status), info.reason);
    EXPECT_EQ(CodeOf(status), info.code);
  }
}

TEST(ReasonTest, AStatusOfOthersHasNone) {
  EXPECT_EQ(ReasonOf(absl::OkStatus()), std::nullopt);
  EXPECT_EQ(ReasonOf(absl::NotFoundError("x")), std::nullopt);
  EXPECT_EQ(CodeOf(absl::NotFoundError("x")), "internal");
}

TEST(ReasonTest, ContextGoesBeforeTheMessageAndKeepsTheRest) {
  absl::Status status = MakeError(Reason::kFileEmpty, "it is empty");
  status.SetPayload("other", absl::Cord("payload"));
  const absl::Status outer = WithContext(WithContext(status, "ca.pem"), "trust bundle");
  EXPECT_EQ(ToStd(outer.message()), "trust bundle: ca.pem: it is empty");
  EXPECT_EQ(outer.code(), status.code());
  EXPECT_EQ(ReasonOf(outer), Reason::kFileEmpty);
  EXPECT_TRUE(outer.GetPayload("other").has_value());
  EXPECT_TRUE(WithContext(absl::OkStatus(), "x").ok());
}

TEST(ReasonTest, TheFixIsTheReasonsUnlessAnErrorKnowsBetter) {
  const absl::Status usual = MakeError(Reason::kFileExists, "it exists");
  EXPECT_EQ(FixOf(usual), InfoOf(Reason::kFileExists).fix);
  const absl::Status better = WithContext(WithFix(usual, "renew it"), "server.pem");
  EXPECT_EQ(FixOf(better), "renew it");
  EXPECT_EQ(ReasonOf(better), Reason::kFileExists);
  EXPECT_EQ(FixOf(absl::NotFoundError("x")), InfoOf(Reason::kInternal).fix);
}

TEST(ReasonTest, HasAnAnchorInTheDocumentation) {
  EXPECT_EQ(DocAnchorOf(Reason::kCertificateExpired),
            "docs/troubleshooting.md#certificate_expired");
}

}  // namespace
}  // namespace troth
