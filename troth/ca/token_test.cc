#include "troth/ca/token.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "troth/base/reason.h"
#include "troth/pki/issue_testing.h"

namespace troth {
namespace {

using testing::At;
using testing::MakeKey;
using testing::Value;

const Time kNow = At("2026-11-21T02:29:09Z");

const PublicKey& TheKey() {
  static const PublicKey key = MakeKey().public_key();
  return key;
}

NewToken Make(const TokenSpec& spec) {
  return Value(MakeToken(spec, Profiles::BuiltIn(), Sha256("root"), "local admin (uid 0)", kNow));
}

Asked Ask(std::string_view common_name, const std::vector<std::string>& names) {
  Asked asked{.key = TheKey(), .common_name = std::string(common_name)};
  for (const std::string& name : names) asked.names.push_back(Value(AlternativeName::Parse(name)));
  return asked;
}

TEST(MakeTokenTest, RecordAndTextBelongTogetherAndTheSecretIsHashed) {
  const NewToken token = Make({.profile = "client",
                               .names = {"db.internal"},
                               .max_uses = 3,
                               .lifetime = std::chrono::hours(2)});
  const TokenText text = Value(TokenText::Parse(token.text.Reveal()));
  EXPECT_EQ(text.id, token.record.id);
  EXPECT_EQ(text.id.size(), 16U);
  EXPECT_EQ(Sha256(text.secret.Reveal()), token.record.secret_hash);
  EXPECT_EQ(text.root_fingerprint, Sha256("root"));
  EXPECT_EQ(token.record.profile, "client");
  EXPECT_EQ(token.record.names, std::vector<std::string>{"db.internal"});
  EXPECT_EQ(token.record.max_uses, 3U);
  EXPECT_EQ(token.record.uses, 0U);
  EXPECT_EQ(token.record.created_at, kNow);
  EXPECT_EQ(token.record.expires_at, kNow + std::chrono::hours(2));
  EXPECT_EQ(token.record.created_by, "local admin (uid 0)");
  EXPECT_TRUE(CheckToken(token.record, text.secret, Ask("db.internal", {}), kNow).ok());
}

TEST(MakeTokenTest, DefaultsAreOneUseOneHourAndTheStandardProfile) {
  const TokenRecord record = Make({.any_name = true}).record;
  EXPECT_EQ(record.max_uses, 1U);
  EXPECT_EQ(record.expires_at, kNow + std::chrono::hours(1));
  EXPECT_EQ(record.profile, "default");
}

TEST(MakeTokenTest, NeverMakesTheSameTwice) {
  std::set<std::string> ids;
  std::set<Sha256Digest> secrets;
  for (int i = 0; i < 50; ++i) {
    const TokenRecord record = Make({.any_name = true}).record;
    EXPECT_TRUE(ids.insert(record.id).second);
    EXPECT_TRUE(secrets.insert(record.secret_hash).second);
  }
}

TEST(MakeTokenTest, WhatMakesNoSenseIsRefused) {
  const TokenSpec wrong[] = {
      {},
      {.names = {"db.internal"}, .any_name = true},
      {.names = {"db.internal"}, .max_uses = 0},
      {.names = {"db.internal"}, .lifetime = Seconds(0)},
      {.names = {"db.internal"}, .lifetime = Seconds(-1)},
      {.names = {"db.internal"}, .lifetime = std::chrono::hours(24 * 367)},
      {.profile = "clientt", .names = {"db.internal"}},
      {.names = {""}},
      {.names = {"db.internal", "db..internal"}},
      {.names = {"db.*"}},
      {.names = {"a.**.internal"}},
      {.names = {"db.internal."}},
      {.names = {"10.0.0.1/8"}},
      {.names = {"10.0.0/8"}},
      {.names = {"spiffe://*/db"}},
      {.names = {"http://a b"}},
      {.names = {"a@"}},
      {.names = {"Robot\n7"}},
      {.names = std::vector<std::string>(1001, "db.internal")},
  };
  for (const TokenSpec& spec : wrong) {
    const auto token = MakeToken(spec, Profiles::BuiltIn(), Sha256("root"), "admin", kNow);
    EXPECT_EQ(ReasonOf(token.status()), Reason::kUsageError)
        << (spec.names.empty() ? "" : spec.names.back());
  }
}

TEST(CheckTokenTest, EveryNameMustBeOneOfTheTokens) {
  const struct {
    std::vector<std::string> names;
    Asked asked;
    bool allowed;
  } cases[] = {
      {{"db.internal"}, Ask("db.internal", {"db.internal"}), true},
      {{"db.internal"}, Ask("DB.internal", {}), true},
      {{"db.internal"}, Ask("", {"db.internal"}), true},
      {{"db.internal"}, Ask("db.internal", {"db.internal", "web.internal"}), false},
      {{"db.internal"}, Ask("web.internal", {"db.internal"}), false},
      {{"db.internal"}, Ask("db.internal", {"*.internal"}), false},
      {{"db.internal"}, Ask("Robot 7", {"db.internal"}), false},
      {{"db.internal", "web.internal"}, Ask("db.internal", {"web.internal"}), true},
      {{"*.web.internal"}, Ask("a.web.internal", {"b.web.internal"}), true},
      {{"*.web.internal"}, Ask("a.b.web.internal", {}), false},
      {{"*.web.internal"}, Ask("", {"*.web.internal"}), true},
      {{"*.web.internal"}, Ask("a*.deep.web.internal", {}), false},
      {{"*.web.internal"}, Ask("ab--c.deep.web.internal", {}), false},
      {{"*.web.internal"}, Ask("b\xc3\xbc.deep.web.internal", {}), false},
      {{"*.web.internal"}, Ask("a.deep.web.internal.", {}), false},
      {{"node-*"}, Ask("node-a*.x.y", {}), false},
      {{"ab--c"}, Ask("ab--c", {}), true},
      {{"spiffe://a/db/*"}, Ask("spiffe://a/db/1", {}), true},
      {{"spiffe://a/db/*"}, Ask("spiffe://a/db/1/2", {}), false},
      {{"*@example.org"}, Ask("a@example.org", {}), true},
      {{"10.0.0.0/8"}, Ask("10.0.0.0/8", {}), false},
      {{"10.0.0.0/8"}, Ask("10.0.0.1", {"10.0.0.2"}), true},
      {{"10.0.0.1"}, Ask("", {"10.0.0.1"}), true},
      {{"10.0.0.1"}, Ask("", {"10.0.0.2"}), false},
      {{"::1"}, Ask("::1", {}), true},
      {{"spiffe://a/db/*"}, Ask("", {"spiffe://a/db/1"}), true},
      {{"spiffe://a/db/*"}, Ask("", {"spiffe://a/web/1"}), false},
      {{"https://a/b"}, Ask("", {"https://a/b"}), true},
      {{"https://a/b"}, Ask("", {"https://a/bc"}), false},
      {{"*@example.org"}, Ask("", {"a@example.org"}), true},
      {{"*@example.org"}, Ask("", {"a@example.com"}), false},
      {{"Robot *"}, Ask("Robot 7", {}), true},
      {{"Robot *"}, Ask("robot.internal", {}), false},
      {{"Robot *"}, Ask("Robot 7", {"robot.internal"}), false},
      {{"uuid"}, Ask("2c5ea4c0-4067-11e9-8bad-9b1deb4d3b7d", {}), false},
      {{"*"}, Ask("db", {}), true},
      {{"*"}, Ask("Robot 7", {}), true},
      {{"*"}, Ask("db.internal", {}), false},
  };
  for (const auto& test : cases) {
    const NewToken token = Make({.names = test.names});
    const TokenText text = Value(TokenText::Parse(token.text.Reveal()));
    const absl::Status status = CheckToken(token.record, text.secret, test.asked, kNow);
    EXPECT_EQ(status.ok(), test.allowed) << test.names[0] << ": " << status;
    if (!test.allowed) {
      EXPECT_EQ(ReasonOf(status), Reason::kNameNotPermitted) << status;
    }
  }
}

TEST(CheckTokenTest, AnyNameIsAnyName) {
  const NewToken token = Make({.any_name = true});
  const TokenText text = Value(TokenText::Parse(token.text.Reveal()));
  EXPECT_TRUE(CheckToken(token.record, text.secret, Ask("Robot 7", {"10.0.0.1"}), kNow).ok());
}

TEST(CheckTokenTest, RefusesWhatIsOverAndTellsNobodyWithoutTheSecret) {
  const NewToken token = Make({.names = {"db.internal"}, .max_uses = 2});
  const TokenText text = Value(TokenText::Parse(token.text.Reveal()));
  const Asked asked = Ask("db.internal", {});
  const struct {
    const char* what;
    std::function<void(TokenRecord&)> change;
    Seconds later;
    std::optional<Reason> reason;
  } cases[] = {
      {"good", [](TokenRecord&) {}, Seconds(0), {}},
      {"one use left", [](TokenRecord& record) { record.uses = 1; }, Seconds(0), {}},
      {"its last second", [](TokenRecord&) {}, Seconds(3599), {}},
      {"ended", [](TokenRecord&) {}, Seconds(3600), Reason::kTokenExpired},
      {"used up", [](TokenRecord& record) { record.uses = 2; }, Seconds(0), Reason::kTokenInvalid},
      {"revoked", [](TokenRecord& record) { record.revoked_at = kNow; }, Seconds(0),
       Reason::kTokenInvalid},
      {"used up and ended", [](TokenRecord& record) { record.uses = 2; }, Seconds(3600),
       Reason::kTokenInvalid},
  };
  for (const auto& test : cases) {
    TokenRecord record = token.record;
    test.change(record);
    EXPECT_EQ(ReasonOf(CheckToken(record, text.secret, asked, kNow + test.later)), test.reason)
        << test.what;
    EXPECT_TRUE(CheckTokenSecret(record, text.secret).ok()) << test.what;
    std::string other(text.secret.Reveal());
    other.back() = static_cast<char>(other.back() ^ 1);
    const Secret wrong(std::move(other));
    EXPECT_EQ(ReasonOf(CheckToken(record, wrong, asked, kNow + test.later)), Reason::kTokenInvalid)
        << test.what;
    EXPECT_EQ(ReasonOf(CheckTokenSecret(record, Secret())), Reason::kTokenInvalid) << test.what;
  }
}

}  // namespace
}  // namespace troth
