#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <sstream>
#include <string>
#include <vector>

#include "troth/base/file.h"
#include "troth/base/reason.h"
#include "troth/cli/cli_testing.h"
#include "troth/cli/command.h"
#include "troth/cli/enroll_internal.h"
#include "troth/enroll/enroll_testing.h"
#include "troth/enroll/locked_file.h"

namespace troth {
namespace {

using enroll_testing::FakeAuthority;
using enroll_testing::Speaks;
using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using Decision = FakeAuthority::Decision;

class Enroll : public ::testing::Test {
 protected:
  Enroll() { ClearEnvironment(); }
  ~Enroll() override { ClearEnvironment(); }

  static void ClearEnvironment() {
    for (const char* name : {"CARAMEL_CA", "CARAMEL_CN", "CARAMEL_CERT_DIR", "TROTH_TOKEN"}) {
      unsetenv(name);
    }
  }

  // The exit code of `troth enroll ARGUMENTS...`; what it printed is in out_ and err_.
  int Run(FakeAuthority& authority, std::vector<std::string> arguments, bool json = false) {
    std::ostringstream out;
    std::ostringstream err;
    Session session{.out = out, .err = err, .clock = clock_, .json = json, .run = {}};
    CLI::App app;
    AddEnrollCommandWith(app, session, authority.Connect());
    arguments.insert(arguments.begin(), "enroll");
    std::ranges::reverse(arguments);
    try {
      app.parse(arguments);
    } catch (const CLI::ParseError&) {
      return kExitUsage;
    }
    const int code = session.run();
    out_ = out.str();
    err_ = err.str();
    return code;
  }

  // The CA's certificate where the shell client has it.
  void PutCa(const FakeAuthority& authority, const std::string& name = "ca.cacert") const {
    RewriteFile(folder_ / name, authority.bundle().ToPem());
  }
  std::vector<std::string> InFolder(std::vector<std::string> more = {}) const {
    std::vector<std::string> all = {"ca", "pump-7", "--cert-dir", folder_.path()};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  std::string Read(const std::string& name) const { return ReadFile(folder_ / name).value_or(""); }

  TestFolder folder_;
  FakeClock clock_;
  FakeAuthority caramel_{clock_, Speaks::kCaramel};
  FakeAuthority json_{clock_, Speaks::kJson};
  std::string out_, err_;
};

TEST_F(Enroll, LeavesTheFilesThatCaramelsClientsLeave) {
  PutCa(caramel_);
  EXPECT_EQ(Run(caramel_, InFolder({"--once"})), 69);
  caramel_.Decide(Decision::kIssue);
  EXPECT_EQ(Run(caramel_, InFolder()), 0) << err_;
  EXPECT_THAT(out_, AllOf(HasSubstr("enrolled: pump-7"), HasSubstr("pump-7.crt")));
  for (const char* name : {"pump-7.key", "pump-7.csr", "pump-7.crt", "ca.cacert"}) {
    EXPECT_THAT(Read(name), HasSubstr("-----BEGIN ")) << name;
  }
  EXPECT_EQ(Run(caramel_, InFolder()), 0);
  EXPECT_THAT(out_, HasSubstr("unchanged: "));
}

TEST_F(Enroll, OnceEndsWithTheCodesOfCaramelsClient) {
  PutCa(caramel_);
  EXPECT_EQ(Run(caramel_, InFolder({"--once"})), 69);
  EXPECT_EQ(Run(caramel_, InFolder({"--once"})), 69);
  {
    const auto lock = LockedFile::Acquire(folder_ / "pump-7.key", {});
    ASSERT_TRUE(lock.ok());
    EXPECT_EQ(Run(caramel_, InFolder({"--once"})), 1);
  }
  caramel_.Decide(Decision::kIssue);
  EXPECT_EQ(Run(caramel_, InFolder({"--once"})), 0);
  EXPECT_EQ(Run(caramel_, InFolder({"--once"})), 0);
  caramel_.intercept = [](const HttpClientRequest&) { return HttpResponse{.status = 500}; };
  EXPECT_EQ(Run(caramel_, InFolder({"--once"})), 127);
  EXPECT_EQ(Run(caramel_, {"http://ca", "pump-7", "--once"}), 127);
}

// The command line as a whole; nothing of it reaches a server.
TEST_F(Enroll, OnceAlsoEndsWith127WhenItIsCalledWrongly) {
  const auto run = [&](const std::vector<std::string>& arguments) {
    return cli_testing::Run(arguments, clock_).code;
  };
  EXPECT_EQ(run({"enroll", "ca", "pump-7", "--once", "--no-such-option"}), 127);
  EXPECT_EQ(run({"enroll", "--once"}), 127);
  EXPECT_EQ(run({"--json", "enroll", "ca", "pump-7", "--once", "--mode"}), 127);
  EXPECT_EQ(run({"enroll", "ca", "pump-7", "--once", "--mode", "abc"}), 127);
  EXPECT_EQ(run({"enroll", "ca", "pump-7", "--no-such-option"}), kExitUsage);
  EXPECT_EQ(run({"ping", "--once"}), kExitUsage);
  EXPECT_EQ(run({"enroll", "--once", "--help"}), 0);
}

TEST_F(Enroll, WhileTheCertificateIsValidOnceEndsWellAndWarns) {
  PutCa(caramel_);
  caramel_.decision = Decision::kIssue;
  EXPECT_EQ(Run(caramel_, InFolder({"--once"})), 0);
  caramel_.decision = Decision::kWait;
  caramel_.Forget();
  EXPECT_EQ(Run(caramel_, InFolder({"--once"})), 0);
  EXPECT_THAT(out_ + err_, AllOf(HasSubstr("unchanged: "), HasSubstr("warning: ")));
  EXPECT_EQ(Run(caramel_, InFolder()), 0);
  caramel_.Decide(Decision::kReject);
  EXPECT_EQ(Run(caramel_, InFolder({"--once"})), 0);
  EXPECT_THAT(err_, HasSubstr("warning: "));
}

TEST_F(Enroll, WhatIsPendingIsOneJsonDocumentWithTheDigestToCompare) {
  PutCa(json_);
  EXPECT_EQ(Run(json_, InFolder({"--once"}), /*json=*/true), 69);
  EXPECT_THAT(out_, AllOf(HasSubstr(R"("ok": false, "reason": "request_pending")"),
                          HasSubstr(R"("client_id": "pump-7", "server": "ca")"),
                          HasSubstr(R"("request_sha256": ")" + json_.stored_ids().front())));
  EXPECT_EQ(std::ranges::count(out_, '\n'), 1);
}

TEST_F(Enroll, AMissingTokenFileDoesNotStopARenewal) {
  const auto arguments = InFolder({"--token-file", folder_ / "token"});
  EXPECT_EQ(Run(json_, arguments), InfoOf(Reason::kFileNotFound).exit_code);
  EXPECT_THAT(err_, HasSubstr("--token-file"));
  RewriteFile(folder_ / "token", json_.MakeToken());
  EXPECT_EQ(Run(json_, arguments), 0) << err_;
  unlink((folder_ / "token").c_str());
  clock_.Advance(json_.lifetime * 3 / 4);
  EXPECT_EQ(Run(json_, arguments), 0) << err_;
  EXPECT_THAT(out_, HasSubstr("enrolled"));
  clock_.Advance(json_.lifetime + Seconds(1));
  EXPECT_EQ(Run(json_, arguments), InfoOf(Reason::kFileNotFound).exit_code);
}

TEST_F(Enroll, WhereTheCaWasLookedForIsSaid) {
  EXPECT_EQ(Run(json_, InFolder()), InfoOf(Reason::kUsageError).exit_code);
  EXPECT_THAT(err_, AllOf(HasSubstr(folder_ / "ca.cacert"), HasSubstr("--fingerprint"),
                          HasSubstr("--token-file"), HasSubstr("--system-trust")));
}

TEST_F(Enroll, OnceWipesWhatWasRejectedAndStartsOver) {
  PutCa(caramel_);
  EXPECT_EQ(Run(caramel_, InFolder({"--once"})), 69);
  caramel_.Decide(Decision::kReject);
  EXPECT_EQ(Run(caramel_, InFolder({"--once"})), 127);
  // What to do fits what the next run does.
  EXPECT_THAT(err_, AllOf(HasSubstr("starts over by itself"),
                          Not(HasSubstr(InfoOf(Reason::kRequestRejected).fix))));
  EXPECT_THAT(Read("pump-7.key") + Read("pump-7.csr"), IsEmpty());
  EXPECT_EQ(Run(caramel_, InFolder({"--once"})), 69);
}

TEST_F(Enroll, WithoutOnceARejectionIsSaidAndNothingIsWiped) {
  PutCa(json_);
  EXPECT_EQ(Run(json_, InFolder({"--once"})), 69);
  json_.Decide(Decision::kReject);
  EXPECT_EQ(Run(json_, InFolder()), InfoOf(Reason::kRequestRejected).exit_code);
  EXPECT_THAT(err_, AllOf(HasSubstr("not one of ours"), HasSubstr("pump-7.key")));
  EXPECT_THAT(Read("pump-7.key"), Not(IsEmpty()));
}

TEST_F(Enroll, WithoutOnceErrorsEndWithTheCodeOfTheirReason) {
  EXPECT_EQ(Run(json_, InFolder()), InfoOf(Reason::kUsageError).exit_code);  // nobody to believe
  EXPECT_THAT(err_, HasSubstr("[usage_error]"));
  PutCa(json_);
  json_.intercept = [](const HttpClientRequest&) {
    return absl::StatusOr<HttpResponse>(MakeError(Reason::kConnectionFailed, "refused"));
  };
  EXPECT_EQ(Run(json_, InFolder()), InfoOf(Reason::kConnectionFailed).exit_code);
}

TEST_F(Enroll, TheDigestToCompareIsThatOfTheRequestAsItIsSent) {
  PutCa(json_);
  EXPECT_EQ(Run(json_, InFolder({"--once"})), 69);
  EXPECT_EQ(out_, "SHA-256 of the request: " + json_.stored_ids().front() + "\n");
}

TEST_F(Enroll, ServerClientAndFolderMayComeFromTheEnvironment) {
  setenv("CARAMEL_CA", "ca", 1);
  setenv("CARAMEL_CN", "pump-7", 1);
  setenv("CARAMEL_CERT_DIR", folder_.path().c_str(), 1);
  PutCa(caramel_);
  EXPECT_EQ(Run(caramel_, {"--once"}), 69) << err_;
  EXPECT_THAT(Read("pump-7.key"), Not(IsEmpty()));
  // What is written counts more.
  EXPECT_EQ(Run(caramel_, {"ca", "pump-8", "--once"}), 69);
  EXPECT_THAT(Read("pump-8.key"), Not(IsEmpty()));
  ClearEnvironment();
  EXPECT_EQ(Run(caramel_, {"--once"}), kExitUsage);
}

TEST_F(Enroll, ATokenComesFromAFileOrTheEnvironmentAndIsEnough) {
  RewriteFile(folder_ / "token", json_.MakeToken() + "\n");
  EXPECT_EQ(Run(json_, InFolder({"--token-file", folder_ / "token"})), 0) << err_;
  EXPECT_EQ(Read("ca.cacert"), json_.bundle().ToPem());

  setenv("TROTH_TOKEN", json_.MakeToken().c_str(), 1);
  EXPECT_EQ(Run(json_, {"ca", "pump-8", "--out", folder_ / "pump-8.pem"}), 0) << err_;
  EXPECT_THAT(Read("pump-8.pem"), AllOf(HasSubstr("BEGIN PRIVATE KEY"), HasSubstr("BEGIN CERT")));
  EXPECT_THAT(out_ + err_, Not(HasSubstr(json_.token)));
}

TEST_F(Enroll, ATokenThatIsNoneIsNotRepeated) {
  setenv("TROTH_TOKEN", "troth1.secretsecret", 1);
  EXPECT_EQ(Run(json_, InFolder()), InfoOf(Reason::kTokenInvalid).exit_code);
  EXPECT_THAT(out_ + err_, Not(HasSubstr("secretsecret")));
}

TEST_F(Enroll, OneFileHasTheModeThatWasAskedFor) {
  PutCa(caramel_, "elsewhere.pem");
  caramel_.decision = Decision::kIssue;
  const std::string file = folder_ / "device.pem";
  EXPECT_EQ(Run(caramel_, {"ca", "00:1b:44:11:3a:b7", "--once", "--out", file, "--trust-bundle",
                           folder_ / "elsewhere.pem", "--mode", "0640"}),
            0)
      << err_;
  struct stat info {};
  ASSERT_EQ(stat(file.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0640u);
}

TEST_F(Enroll, OnceTheClientIdIsPartOfTheUserAgent) {
  PutCa(caramel_);
  EXPECT_EQ(Run(caramel_, InFolder({"--once"})), 69);
  EXPECT_THAT(caramel_.connections.back().user_agent,
              ContainsRegex("^troth-enroll/.*[(]pump-7[)]"));
  caramel_.Decide(Decision::kIssue);
  EXPECT_EQ(Run(caramel_, InFolder()), 0);
  EXPECT_THAT(caramel_.connections.back().user_agent, Not(HasSubstr("pump-7")));
}

TEST_F(Enroll, ACaramelServerThatIsSaidToBeOneIsNotAsked) {
  PutCa(caramel_);
  EXPECT_EQ(Run(caramel_, InFolder({"--once", "--caramel"})), 69);
  EXPECT_EQ(caramel_.requests.size(), 2u);  // posted, and asked for once
}

TEST_F(Enroll, NamesAndKeyTypeGoIntoTheRequest) {
  PutCa(json_);
  json_.decision = Decision::kIssue;
  EXPECT_EQ(Run(json_, InFolder({"--name", "10.0.0.7", "--name", "spiffe://a/b", "--key-type",
                                 "rsa2048"})),
            0)
      << err_;
  const auto request = CertificateRequest::FromPem(Read("pump-7.csr"));
  ASSERT_TRUE(request.ok());
  EXPECT_EQ(request->public_key().Describe(), "RSA 2048");
  EXPECT_EQ(request->alternative_names().size(), 3u);  // with its own
}

TEST_F(Enroll, WhatIsWrittenWrongIsSaidBeforeAnythingIsSent) {
  PutCa(json_);
  for (const std::vector<std::string>& wrong : std::vector<std::vector<std::string>>{
           {"--mode", "abc"},
           {"--mode", "0644"},
           {"--mode", "7777"},
           {"--owner", "no-such-user-here"},
           {"--key-type", "dsa"},
           {"--fingerprint", "12"},
           {"--fingerprint", std::string(64, '0'), "--system-trust"},
           {"--renew-before", "soon"},
           {"--timeout", "0"},
           {"--name", "a b"},
       }) {
    EXPECT_EQ(Run(json_, InFolder(wrong)), kExitUsage) << wrong[0] << " " << wrong[1];
  }
  EXPECT_EQ(Run(json_, InFolder({"--trust-bundle", folder_ / "none.pem"})),
            InfoOf(Reason::kFileNotFound).exit_code);
  EXPECT_THAT(json_.requests, IsEmpty());
}

TEST_F(Enroll, TheResultIsOneJsonDocument) {
  PutCa(json_);
  json_.decision = Decision::kIssue;
  EXPECT_EQ(Run(json_, InFolder(), /*json=*/true), 0);
  EXPECT_THAT(out_, AllOf(HasSubstr(R"("ok": true, "state": "issued", "client_id": "pump-7")"),
                          HasSubstr(R"("protocol": "json", "request_sha256": ")" +
                                    json_.stored_ids().front()),
                          HasSubstr("\"not_after\": \"2026-")));
  EXPECT_EQ(std::ranges::count(out_, '\n'), 1);
}

}  // namespace
}  // namespace troth
