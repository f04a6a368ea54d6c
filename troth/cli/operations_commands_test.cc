// The commands that ask an authority, over operations without one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "troth/ca/ca_testing.h"
#include "troth/ca/operations_testing.h"
#include "troth/cli/cli_testing.h"
#include "troth/cli/operations_options.h"
#include "troth/cli/operations_text.h"

namespace troth {
namespace {

using ca_testing::FakeCertificate;
using ca_testing::FakeRequest;
using cli_testing::Outcome;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

class OperationsCommandTest : public ::testing::Test {
 protected:
  Outcome Troth(const std::vector<std::string>& arguments, bool interactive = false) {
    const auto connect =
        [this](const OperationsOptions& options) -> absl::StatusOr<std::unique_ptr<Operations>> {
      asked_for_ = options;
      return std::make_unique<ca_testing::FakeOperations>(state_, "admin");
    };
    return cli_testing::Run(arguments, clock_, {.interactive = interactive, .connect = connect});
  }
  void FailWith(const absl::Status& status) {
    const std::lock_guard lock(state_.mutex);
    state_.failure = status;
  }

  ca_testing::FakeClock clock_;
  ca_testing::FakeState state_;
  OperationsOptions asked_for_;
};

class RequestsCommandTest : public OperationsCommandTest {
 protected:
  RequestsCommandTest() {
    state_.requests = {FakeRequest("db.internal", "1a2b3c4d5e6f"), FakeRequest("web", "77aa"),
                       FakeRequest("web", "77ab"),
                       FakeRequest("old", "99", RequestState::kRejected)};
    state_.requests[1].same_name_other_key = {state_.requests[2].record.id};
    state_.certificates = {FakeCertificate("db.internal", "41ab")};
  }
};

TEST_F(RequestsCommandTest, ListsWhatWaits) {
  const Outcome listed = Troth({"requests", "list"});
  EXPECT_EQ(listed.code, kExitDone) << listed.err;
  EXPECT_THAT(listed.out,
              AllOf(HasSubstr("1a2b3c4d5e6f0000  pending  1 h ago  default  192.0.2.1:4711  "
                              "db.internal\n"),
                    Not(HasSubstr("old"))));
  EXPECT_THAT(Troth({"requests", "list", "--state", "all"}).out, HasSubstr("rejected"));
  EXPECT_THAT(Troth({"requests", "list", "--name", "db.internal"}).out, Not(HasSubstr("web")));
  EXPECT_EQ(Troth({"requests", "list", "--state", "expired"}).out, "No request is expired\n");
}

TEST_F(RequestsCommandTest, ANameThatTwoKeysAskForStandsOut) {
  const Outcome listed = Troth({"requests", "list"});
  EXPECT_THAT(listed.out, HasSubstr("web (also asked for with another key)"));
  EXPECT_THAT(listed.err, HasSubstr("compare the SHA-256"));
  EXPECT_THAT(Troth({"requests", "list", "--name", "db.internal"}).err, IsEmpty());
  EXPECT_THAT(Troth({"requests", "show", "77aa"}).out,
              HasSubstr("asked for the same name: 77ab000000000000"));
}

TEST_F(RequestsCommandTest, ListsAsManyAsAreAskedForOverSeveralPages) {
  state_.requests.clear();
  for (int i = 0; i < 1100; ++i) {
    RequestStatus request = FakeRequest("n" + std::to_string(i), "0");
    request.record.id = Sha256(std::to_string(i));
    state_.requests.push_back(request);
  }
  const auto lines = [](const std::string& text) { return std::ranges::count(text, '\n'); };
  Outcome listed = Troth({"requests", "list", "--limit", "1050"});
  EXPECT_EQ(lines(listed.out), 1051);
  EXPECT_THAT(listed.out, AllOf(HasSubstr("n0\n"), HasSubstr("n1049\n"), Not(HasSubstr("n1050"))));
  EXPECT_THAT(listed.err, HasSubstr("There are more"));
  listed = Troth({"requests", "list", "--limit", "1100"});
  EXPECT_EQ(lines(listed.out), 1101);
  EXPECT_THAT(listed.err, IsEmpty());
}

TEST_F(RequestsCommandTest, ShowsTheDigestToCompare) {
  const Outcome shown = Troth({"requests", "show", "db.internal"});
  EXPECT_EQ(shown.code, kExitDone) << shown.err;
  EXPECT_THAT(shown.out, StartsWith("SHA-256 of the request: 1a2b3c4d5e6f" + std::string(52, '0') +
                                    "\n  name         db.internal\n"));
  EXPECT_THAT(shown.out, HasSubstr("(1 h ago) from 192.0.2.1:4711"));
  EXPECT_EQ(RequestDigestLine(state_.requests[0].record.id),
            "SHA-256 of the request: 1a2b3c4d5e6f" + std::string(52, '0'));
}

TEST_F(RequestsCommandTest, AnAmbiguousNameIsRefusedWithItsCandidates) {
  for (const char* command : {"show", "approve", "reject"}) {
    const Outcome refused = Troth({"requests", command, "web"});
    EXPECT_EQ(refused.code, InfoOf(Reason::kRequestAmbiguous).exit_code);
    EXPECT_THAT(refused.err, AllOf(HasSubstr("77aa000000000000 77ab000000000000"),
                                   HasSubstr("[request_ambiguous]")));
  }
  EXPECT_EQ(state_.requests[1].record.state, RequestState::kPending);
}

TEST_F(RequestsCommandTest, ApprovesWithTheProfilesLifetimeOrAnother) {
  Outcome approved = Troth({"requests", "approve", "1a2b3c4d"});
  EXPECT_EQ(approved.code, kExitDone) << approved.err;
  EXPECT_EQ(approved.out,
            "Approved: certificate 41ab for db.internal, until 2026-12-20T02:29:09Z (29 d)\n");
  approved = Troth({"requests", "approve", "1a2b3c4d", "--lifetime", "2d"});
  EXPECT_EQ(approved.code, kExitDone) << approved.err;
  EXPECT_THAT(state_.Calls(),
              ElementsAre("admin: approve 1a2b3c4d -", "admin: approve 1a2b3c4d 172800"));
}

TEST_F(RequestsCommandTest, RejectsWithAReason) {
  const Outcome rejected = Troth({"requests", "reject", "db.internal", "--why", "not one of ours"});
  EXPECT_EQ(rejected.code, kExitDone) << rejected.err;
  EXPECT_EQ(rejected.out, "Rejected: 1a2b3c4d5e6f0000 for db.internal\n");
  EXPECT_THAT(state_.Calls(), ElementsAre("admin: reject db.internal not one of ours"));
}

TEST_F(RequestsCommandTest, SpeaksJson) {
  EXPECT_THAT(
      Troth({"requests", "list", "--name", "db.internal", "--json"}).out,
      AllOf(StartsWith(R"({"ok": true, "requests": [{"sha256": "1a2b3c4d5e6f00)"),
            HasSubstr(R"("state": "pending")"), HasSubstr(R"("certificate": null)"),
            HasSubstr(R"("created_at": "2026-11-21T01:29:09Z")"), HasSubstr(R"("more": false})")));
  EXPECT_THAT(Troth({"requests", "show", "db.internal", "--json"}).out,
              HasSubstr(R"("body": "body of db.internal")"));
  EXPECT_THAT(Troth({"requests", "approve", "db.internal", "--json"}).out,
              HasSubstr(R"("serial": "41ab", "state": "valid")"));
  EXPECT_THAT(Troth({"requests", "show", "nobody", "--json"}).out,
              HasSubstr(R"("ok": false, "reason": "request_unknown")"));
}

TEST_F(RequestsCommandTest, WhatOthersWroteCannotChangeTheTerminal) {
  state_.requests[0].record.name = "evil\x1b[2J";
  state_.requests[0].record.names = {"evil\x1b[2J"};
  state_.requests[0].record.decision_note = "\x1b]0;x";
  state_.requests[0].record.decided_at = clock_.now;
  EXPECT_THAT(Troth({"requests", "list"}).out, Not(HasSubstr("\x1b")));
  EXPECT_THAT(Troth({"requests", "show", "1a2b3c4d"}).out, Not(HasSubstr("\x1b")));
}

using TokensCommandTest = OperationsCommandTest;

TEST_F(TokensCommandTest, TheTokenAloneIsOnStandardOutput) {
  const Outcome made = Troth({"tokens", "create", "--name", "db.internal"});
  EXPECT_EQ(made.code, kExitDone) << made.err;
  EXPECT_EQ(made.out, "troth1.secret-of-the-token\n");
  EXPECT_EQ(made.err,
            "Token 5f2c81a09d3e6b77 for db.internal, profile default, once, until "
            "2026-11-21T03:29:09Z (1 h)\n");
  EXPECT_THAT(state_.Calls(), ElementsAre("admin: create token  db.internal 1 3600"));
}

TEST_F(TokensCommandTest, WhatItIsGoodForIsWhatTheOptionsSay) {
  ASSERT_EQ(Troth({"tokens", "create", "--profile", "server", "--name", "a", "--name", "*.web",
                   "--max-uses", "20", "--expires", "2 days"})
                .code,
            kExitDone);
  const Outcome any = Troth({"tokens", "create", "--any-name"});
  ASSERT_EQ(any.code, kExitDone);
  EXPECT_THAT(any.err, HasSubstr("for any name"));
  EXPECT_THAT(any.err, HasSubstr("warning"));
  EXPECT_THAT(state_.Calls(), ElementsAre("admin: create token server a *.web 20 172800",
                                          "admin: create token  *any* 1 3600"));
}

TEST_F(TokensCommandTest, NoTokenIsForNothingOrForever) {
  for (const std::vector<std::string>& wrong : {std::vector<std::string>{},
                                                {"--any-name", "--name", "a"},
                                                {"--name", "a", "--max-uses", "0"},
                                                {"--name", "a", "--expires", "soon"}}) {
    std::vector<std::string> arguments = {"tokens", "create"};
    arguments.insert(arguments.end(), wrong.begin(), wrong.end());
    EXPECT_EQ(Troth(arguments).code, kExitUsage);
  }
  EXPECT_THAT(state_.Calls(), IsEmpty());
}

TEST_F(TokensCommandTest, ListsWhatCanBeUsedAndTheRestWhenAsked) {
  const auto token = [&](const char* id, std::uint64_t uses, Seconds left) {
    return TokenRecord{.id = id,
                       .profile = "default",
                       .names = {"db"},
                       .max_uses = 2,
                       .uses = uses,
                       .expires_at = clock_.now + left,
                       .created_by = "local admin"};
  };
  state_.tokens = {token("aaaa", 1, Seconds(3600)), token("bbbb", 2, Seconds(3600)),
                   token("cccc", 0, Seconds(0)), token("dddd", 0, Seconds(60))};
  state_.tokens[3].revoked_at = clock_.now;
  const std::string usable = Troth({"tokens", "list"}).out;
  EXPECT_THAT(usable, AllOf(HasSubstr("aaaa  usable  1 of 2  in 1 h"), Not(HasSubstr("bbbb")),
                            Not(HasSubstr("cccc")), Not(HasSubstr("dddd"))));
  const std::string all = Troth({"tokens", "list", "--all"}).out;
  EXPECT_THAT(all, AllOf(HasSubstr("bbbb  used up"), HasSubstr("cccc  expired"),
                         HasSubstr("dddd  revoked")));
  EXPECT_THAT(Troth({"tokens", "list", "--json"}).out,
              HasSubstr(R"({"id": "aaaa", "state": "usable", "profile": "default")"));
}

TEST_F(TokensCommandTest, Revokes) {
  Troth({"tokens", "create", "--name", "db"});
  const Outcome revoked = Troth({"tokens", "revoke", "5f2c81a09d3e6b77"});
  EXPECT_EQ(revoked.code, kExitDone) << revoked.err;
  EXPECT_EQ(revoked.out, "Revoked: token 5f2c81a09d3e6b77 for db; it was used 0 of 1 times\n");
  EXPECT_EQ(Troth({"tokens", "revoke", "0"}).code, InfoOf(Reason::kTokenInvalid).exit_code);
}

class CertificatesCommandTest : public OperationsCommandTest {
 protected:
  CertificatesCommandTest() {
    state_.certificates = {FakeCertificate("db", "41ac"), FakeCertificate("web", "41ab")};
    state_.certificates[1].revocation = RevocationRecord{.serial = ca_testing::SerialOf("41ab"),
                                                         .lineage = ca_testing::SerialOf("41ab"),
                                                         .revoked_at = clock_.now,
                                                         .reason = 1};
  }
};

TEST_F(CertificatesCommandTest, ListsWhatIsValidAndTheRestWhenAsked) {
  const Outcome valid = Troth({"certificates", "list"});
  EXPECT_EQ(valid.code, kExitDone) << valid.err;
  EXPECT_THAT(valid.out, AllOf(HasSubstr("41ac    valid  2026-12-20 (29 days)  default  db\n"),
                               Not(HasSubstr("web"))));
  EXPECT_THAT(Troth({"certificates", "list", "--all"}).out, HasSubstr("41ab    revoked"));
  EXPECT_THAT(Troth({"certificates", "list", "--revoked"}).out,
              AllOf(HasSubstr("41ab"), Not(HasSubstr("41ac"))));
  EXPECT_THAT(Troth({"certificates", "list", "--all", "--revoked"}).code, kExitUsage);
  Troth({"certificates", "list", "--expires-within", "7d", "--profile", "server", "--name", "x"});
  EXPECT_EQ(state_.Calls().back(),
            "admin: list certificates x/server after 2026-11-21T02:29:09Z before "
            "2026-11-28T02:29:09Z");
}

TEST_F(CertificatesCommandTest, PagesPastWhatWasRevoked) {
  state_.certificates.clear();
  for (int i = 0; i < 1200; ++i) {
    CertificateStatus one =
        FakeCertificate("n" + std::to_string(i), "41" + ToHex(std::to_string(100000 + i)));
    if (i < 600)
      one.revocation = RevocationRecord{.serial = one.record.serial, .lineage = one.record.lineage};
    state_.certificates.push_back(one);
  }
  const std::string out = Troth({"certificates", "list", "--limit", "5"}).out;
  EXPECT_THAT(out, AllOf(HasSubstr("n600\n"), HasSubstr("n604\n"), Not(HasSubstr("n605\n"))));
}

TEST_F(CertificatesCommandTest, Shows) {
  const Outcome shown = Troth({"certificates", "show", "web"});
  EXPECT_EQ(shown.code, kExitDone) << shown.err;
  EXPECT_THAT(shown.out, AllOf(StartsWith("Serial 41ab\n"),
                               HasSubstr("revoked at 2026-11-21T02:29:09Z, keyCompromise"),
                               HasSubstr("SHA-256 of the request: ")));
  EXPECT_EQ(Troth({"certificates", "show", "nobody"}).code,
            InfoOf(Reason::kCertificateUnknown).exit_code);
}

TEST_F(CertificatesCommandTest, RevokesForAReason) {
  const Outcome revoked = Troth({"certificates", "revoke", "db", "--reason", "keycompromise"});
  EXPECT_EQ(revoked.code, kExitDone) << revoked.err;
  EXPECT_EQ(revoked.out, "Revoked: 41ac for db, which was valid until 2026-12-20T02:29:09Z\n");
  EXPECT_EQ(Troth({"certificates", "revoke", "db", "--all"}).code, kExitDone);
  EXPECT_EQ(Troth({"certificates", "revoke", "db", "--reason", "removeFromCRL"}).code, kExitUsage);
  EXPECT_THAT(state_.Calls(), ElementsAre("admin: revoke db 1", "admin: revoke db 0 all"));
  EXPECT_THAT(Troth({"certificates", "revoke", "41ac", "--reason", "superseded", "--json"}).out,
              HasSubstr(R"("revocation_reason": "superseded")"));
}

TEST_F(CertificatesCommandTest, SaysWhatNoListSays) {
  for (CertificateStatus& one : state_.certificates) one.warning = "its root must sign";
  const Outcome revoked = Troth({"certificates", "revoke", "db"});
  EXPECT_EQ(revoked.code, kExitDone);
  EXPECT_THAT(revoked.err, AllOf(HasSubstr("41ac"), HasSubstr("its root must sign")));
  EXPECT_THAT(Troth({"certificates", "revoke", "db", "--json"}).out,
              HasSubstr(R"("warning": "its root must sign")"));
}

using RefreshCommandTest = OperationsCommandTest;

TEST_F(RefreshCommandTest, LifetimesHaveCaramelsNames) {
  state_.refresh = {{.done = 1, .total = 3}, {.done = 2, .total = 3, .refused = 1}};
  const Outcome refreshed = Troth({"refresh"});
  EXPECT_EQ(refreshed.code, kExitDone) << refreshed.err;
  EXPECT_THAT(refreshed.out, StartsWith("Refreshed 2 of 3 certificates, left 1 alone"));
  EXPECT_THAT(refreshed.err, IsEmpty());
  EXPECT_EQ(Troth({"refresh", "--lifetime", "short", "--profile", "caramel"}).code, kExitDone);
  EXPECT_EQ(Troth({"refresh", "--lifetime", "long"}).code, kExitDone);
  EXPECT_EQ(Troth({"refresh", "--lifetime", "30d"}).code, kExitDone);
  EXPECT_EQ(Troth({"refresh", "--lifetime", "medium"}).code, kExitUsage);
  EXPECT_THAT(state_.Calls(), ElementsAre("admin: refresh - ", "admin: refresh 172800 caramel",
                                          "admin: refresh 604800 ", "admin: refresh 2592000 "));
  EXPECT_EQ(Troth({"refresh", "--json"}).out,
            "{\"ok\": true, \"done\": 2, \"total\": 3, \"refused\": 1}\n");
}

TEST_F(RefreshCommandTest, DrawsHowFarItIsOnATerminalOnly) {
  state_.refresh = {{.done = 300, .total = 1200}, {.done = 1199, .total = 1200, .refused = 1}};
  const std::string drawn = Troth({"refresh"}, true).err;
  EXPECT_THAT(drawn, AllOf(HasSubstr("\rrefreshing 300 of 1,200 (25%)"),
                           HasSubstr("\rrefreshing 1,200 of 1,200 (100%), 1 refused")));
  EXPECT_TRUE(drawn.ends_with(" \r"));
  EXPECT_THAT(Troth({"refresh", "--json"}, true).err, IsEmpty());
}

TEST_F(OperationsCommandTest, TheAuthorityIsInAFolderOrElsewhere) {
  ASSERT_EQ(Troth({"tokens", "list"}).code, kExitDone);
  EXPECT_EQ(asked_for_.data, "authority");
  ASSERT_EQ(Troth({"tokens", "list", "--data", "/var/lib/troth"}).code, kExitDone);
  EXPECT_EQ(asked_for_.data, "/var/lib/troth");
  EXPECT_FALSE(asked_for_.is_remote());
  ASSERT_EQ(
      Troth({"tokens", "list", "--server", "ca:8444", "--certificate", "a.pem", "--private-key",
             "a.key", "--trust-bundle", "root.pem", "--server-name", "ca.org"})
          .code,
      kExitDone);
  EXPECT_TRUE(asked_for_.is_remote());
  EXPECT_EQ(asked_for_.server, "ca:8444");
  EXPECT_EQ(asked_for_.certificate, "a.pem");
  EXPECT_EQ(asked_for_.private_key, "a.key");
  EXPECT_EQ(asked_for_.trust_bundle, "root.pem");
  EXPECT_EQ(asked_for_.server_name, "ca.org");
}

TEST_F(OperationsCommandTest, OptionsThatDoNotFitTogetherAreUsageErrors) {
  const std::vector<std::vector<std::string>> kRows = {
      {"--server", "ca:8444"},
      {"--server", "ca:8444", "--certificate", "a", "--private-key", "b"},
      {"--server", "ca", "--certificate", "a", "--private-key", "b", "--trust-bundle", "c"},
      {"--server", "::1", "--certificate", "a", "--private-key", "b", "--trust-bundle", "c"},
      {"--server", "ca:http", "--certificate", "a", "--private-key", "b", "--trust-bundle", "c"},
      {"--certificate", "a"},
      {"--server-name", "ca"},
  };
  for (const std::vector<std::string>& row : kRows) {
    for (const std::vector<std::string>& command :
         {std::vector<std::string>{"tokens", "list"}, {"ledger", "verify"}}) {
      std::vector<std::string> arguments = command;
      arguments.insert(arguments.end(), row.begin(), row.end());
      EXPECT_EQ(Troth(arguments).code, kExitUsage) << ::testing::PrintToString(arguments);
    }
  }
  EXPECT_THAT(state_.Calls(), IsEmpty());
}

TEST_F(OperationsCommandTest, ARefusalEndsEveryCommandWithItsReason) {
  FailWith(MakeError(Reason::kRoleNotAllowed, "no role that may"));
  for (const std::vector<std::string>& arguments : {std::vector<std::string>{"requests", "list"},
                                                    {"requests", "show", "x"},
                                                    {"requests", "approve", "x"},
                                                    {"requests", "reject", "x"},
                                                    {"tokens", "create", "--name", "x"},
                                                    {"tokens", "list"},
                                                    {"tokens", "revoke", "x"},
                                                    {"certificates", "list"},
                                                    {"certificates", "show", "x"},
                                                    {"certificates", "revoke", "x"},
                                                    {"refresh"}}) {
    const Outcome refused = Troth(arguments);
    EXPECT_EQ(refused.code, InfoOf(Reason::kRoleNotAllowed).exit_code)
        << ::testing::PrintToString(arguments);
    EXPECT_THAT(refused.err, HasSubstr("[role_not_allowed]"));
    EXPECT_THAT(refused.out, IsEmpty());
  }
}

TEST_F(OperationsCommandTest, EveryCommandHasExamples) {
  for (const char* command : {"requests", "tokens", "certificates", "refresh", "ledger", "store"}) {
    const Outcome help = Troth({command, "--help"});
    EXPECT_EQ(help.code, kExitDone);
    EXPECT_THAT(
        help.out,
        HasSubstr(std::string("Examples:\n  ") +
                  (command == std::string("tokens") ? "TOKEN=$(troth " : "troth ") + command))
        << command;
  }
}

TEST(OperationsCommand, WithoutAnAuthorityTheFolderIsNamed) {
  const ca_testing::TestFolder folder;
  const Outcome outcome =
      cli_testing::Run({"requests", "list", "--data", folder.path()}, Clock::System());
  EXPECT_EQ(outcome.code, InfoOf(Reason::kFileNotFound).exit_code);
  EXPECT_THAT(outcome.err, AllOf(HasSubstr(folder.path() + "/admin.sock"),
                                 HasSubstr("troth serve --data " + folder.path())));
}

}  // namespace
}  // namespace troth
