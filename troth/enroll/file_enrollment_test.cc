#include "troth/enroll/file_enrollment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <string>
#include <vector>

#include "troth/base/file.h"
#include "troth/base/reason.h"
#include "troth/enroll/enroll_testing.h"

namespace troth {
namespace {

using enroll_testing::FakeAuthority;
using enroll_testing::Speaks;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using Decision = FakeAuthority::Decision;
using enum EnrollStep;

constexpr auto kDay = std::chrono::hours(24);

enum class Layout { kFolder, kOneFile };

// Every test runs against both kinds of server, in both layouts.
class FileEnrollmentTest : public ::testing::TestWithParam<std::tuple<Speaks, Layout>> {
 protected:
  FileEnrollmentTest() {
    paths_ = layout() == Layout::kFolder ? PathsInFolder(folder_.path(), "ca", "pump-7")
                                         : PathsOfOneFile(folder_ / "device.pem", "ca");
    RewriteFile(paths_.trust_bundle, authority_.bundle().ToPem());
  }

  Layout layout() const { return std::get<1>(GetParam()); }
  bool caramel() const { return std::get<0>(GetParam()) == Speaks::kCaramel; }

  FileEnrollmentOptions Options() {
    return {.enroll = {.server = "ca",
                       .client_id = "pump-7",
                       .clock = &clock_,
                       .connect = authority_.Connect()},
            .paths = paths_,
            .bad_key = FileEnrollmentOptions::BadKey::kReplace,
            .random = [] { return 0.5; }};
  }
  absl::StatusOr<EnrollStep> Once(FileEnrollmentOptions options) {
    auto enrollment = FileEnrollment::Open(std::move(options));
    if (!enrollment.ok()) return enrollment.status();
    auto step = (*enrollment)->Once();
    warnings_ = (*enrollment)->warnings();
    return step;
  }
  absl::StatusOr<EnrollStep> Once() { return Once(Options()); }
  void Enrol() {
    authority_.decision = Decision::kIssue;
    ASSERT_EQ(*Once(), kIssued);
  }

  std::string Read(const std::string& path) const { return ReadFile(path).value_or(""); }
  // What lies in the files is a whole identity.
  void ExpectUsable() const {
    const std::string key = Read(paths_.private_key);
    const std::string certificate = Read(paths_.certificate);
    const std::string bundle = Read(paths_.trust_bundle);
    const auto identity = Identity::Create(
        {.certificate_pem = certificate, .private_key_pem = key, .trust_bundle_pem = bundle},
        clock_.Now());
    ASSERT_TRUE(identity.ok()) << identity.status();
    EXPECT_TRUE((*identity)->has_certificate());
  }
  static mode_t ModeOf(const std::string& path) {
    struct stat info {};
    EXPECT_EQ(stat(path.c_str(), &info), 0) << path;
    return info.st_mode & 07777;
  }
  size_t CountFiles() const {
    return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(folder_.path()),
                                             std::filesystem::directory_iterator()));
  }

  TestFolder folder_;
  FakeClock clock_;
  FakeAuthority authority_{clock_, std::get<0>(GetParam())};
  EnrollPaths paths_;
  std::vector<std::string> warnings_;
};

// What only Caramel has.
class CaramelFileEnrollmentTest : public FileEnrollmentTest {};

INSTANTIATE_TEST_SUITE_P(
    All, FileEnrollmentTest,
    ::testing::Combine(::testing::Values(Speaks::kCaramel, Speaks::kJson),
                       ::testing::Values(Layout::kFolder, Layout::kOneFile)),
    [](const auto& info) {
      return std::string(std::get<0>(info.param) == Speaks::kCaramel ? "Caramel" : "Json") +
             (std::get<1>(info.param) == Layout::kFolder ? "Folder" : "OneFile");
    });

INSTANTIATE_TEST_SUITE_P(All, CaramelFileEnrollmentTest,
                         ::testing::Combine(::testing::Values(Speaks::kCaramel),
                                            ::testing::Values(Layout::kFolder, Layout::kOneFile)),
                         [](const auto& info) {
                           return std::get<1>(info.param) == Layout::kFolder ? "Folder" : "OneFile";
                         });

TEST_P(FileEnrollmentTest, WaitsForTheOperatorAndGoesOnInTheNextRun) {
  EXPECT_EQ(*Once(), kWaiting);
  const std::string key = Read(paths_.private_key);
  const std::string request = Read(paths_.request);
  EXPECT_EQ(*Once(), kWaiting);
  EXPECT_EQ(Read(paths_.private_key), key);
  EXPECT_EQ(Read(paths_.request), request);
  EXPECT_EQ(authority_.stored(), 1u);
  authority_.Decide(Decision::kIssue);
  EXPECT_EQ(*Once(), kIssued);
  ExpectUsable();
  EXPECT_THAT(Read(paths_.private_key), StartsWith(key));
  EXPECT_EQ(*Once(), kUnchanged);
}

TEST_P(FileEnrollmentTest, ADecisionMadeAtOnceNeedsOneRun) {
  Enrol();
  ExpectUsable();
}

TEST_P(FileEnrollmentTest, KeyAndRequestAreOnDiskBeforeTheyAreSent) {
  bool seen = false;
  authority_.intercept = [&](const HttpClientRequest& request) -> std::optional<HttpResponse> {
    if (request.method != "POST") return std::nullopt;
    seen = true;
    const auto key = PrivateKey::FromPem(Read(paths_.private_key));
    const auto stored = CertificateRequest::FromPem(Read(paths_.request));
    EXPECT_TRUE(key.ok() && stored.ok());
    EXPECT_EQ(stored->public_key(), key->public_key());
    return std::nullopt;
  };
  EXPECT_EQ(*Once(), kWaiting);
  EXPECT_TRUE(seen);
}

TEST_P(FileEnrollmentTest, OnlyTheOwnerReadsTheKey) {
  Enrol();
  EXPECT_EQ(ModeOf(paths_.private_key), 0600u);
  EXPECT_EQ(ModeOf(paths_.request), 0644u);
  if (layout() == Layout::kFolder) {
    EXPECT_EQ(ModeOf(paths_.certificate), 0644u);
  }
  // The key, the request and the CA, the certificate where it is apart; nothing is left over.
  EXPECT_EQ(CountFiles(), layout() == Layout::kFolder ? 4u : 3u);
}

TEST_P(FileEnrollmentTest, ModeAndOwnerAreAsAskedForAndStaySo) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can give a file away";
  const auto options = [&] {
    auto made = Options();
    made.key_mode = 0640;
    made.owner = {.user = 4711, .group = 4712};
    return made;
  };
  EXPECT_EQ(*Once(options()), kWaiting);
  authority_.Decide(Decision::kIssue);
  EXPECT_EQ(*Once(options()), kIssued);
  for (const std::string& path : {paths_.private_key, paths_.certificate, paths_.request}) {
    struct stat info {};
    ASSERT_EQ(stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_uid, 4711u) << path;
    EXPECT_EQ(info.st_gid, 4712u) << path;
  }
  EXPECT_EQ(ModeOf(paths_.private_key), 0640u);
}

TEST_P(FileEnrollmentTest, ASecondOneAtTheSameTimeIsLockedOut) {
  const auto first = FileEnrollment::Open(Options());
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(ReasonOf(Once().status()), Reason::kFileLocked);
  EXPECT_EQ(*(*first)->Once(), kWaiting);
  EXPECT_EQ(ReasonOf(Once().status()), Reason::kFileLocked);  // also when the file was replaced
}

TEST_P(FileEnrollmentTest, ARunThatGetsNowhereLeavesNoKeyFile) {
  authority_.intercept = [](const HttpClientRequest&) {
    return absl::StatusOr<HttpResponse>(MakeError(Reason::kConnectionFailed, "refused"));
  };
  EXPECT_EQ(ReasonOf(Once().status()), Reason::kConnectionFailed);
  EXPECT_FALSE(FileExists(paths_.private_key));
}

TEST_P(FileEnrollmentTest, RejectedItWipesKeyAndRequestAndStartsOver) {
  EXPECT_EQ(*Once(), kWaiting);
  const std::string key = Read(paths_.private_key);
  authority_.Decide(Decision::kReject);
  EXPECT_EQ(*Once(), kRejected);
  EXPECT_FALSE(FileExists(paths_.private_key));
  EXPECT_FALSE(FileExists(paths_.request));

  EXPECT_EQ(*Once(), kWaiting);  // at once
  EXPECT_NE(Read(paths_.private_key), key);
  EXPECT_EQ(authority_.stored(), 2u);

  // Rejected again: not at once.
  authority_.Decide(Decision::kReject);
  EXPECT_EQ(*Once(), kRejected);
  const size_t before = authority_.requests.size();
  EXPECT_EQ(ReasonOf(Once().status()), Reason::kRequestRejected);
  EXPECT_EQ(authority_.requests.size(), before);  // not even a connection
  clock_.Advance(Seconds(60));
  EXPECT_EQ(*Once(), kWaiting);

  // A certificate ends the row.
  authority_.Decide(Decision::kIssue);
  EXPECT_EQ(*Once(), kIssued);
  EXPECT_FALSE(FileExists(paths_.rejections));
}

TEST_P(FileEnrollmentTest, RevokedItStartsOverWithANewKeyWhenItsCertificateHasEnded) {
  if (caramel()) return;
  Enrol();
  const std::string key = Read(paths_.private_key);
  authority_.Revoke();
  EXPECT_EQ(*Once(), kUnchanged);  // valid as far as anybody has said
  clock_.Advance(authority_.lifetime + Seconds(1));
  EXPECT_EQ(*Once(), kRejected);
  EXPECT_EQ(*Once(), kIssued);
  EXPECT_NE(Read(paths_.private_key), key);
  ExpectUsable();
}

// With JSON a decided request is not asked for again.
TEST_P(CaramelFileEnrollmentTest, NothingIsWipedWhileTheCertificateIsValid) {
  Enrol();
  const std::string key = Read(paths_.private_key);
  authority_.Decide(Decision::kReject);
  EXPECT_EQ(*Once(), kUnchanged);
  EXPECT_EQ(warnings_.size(), 1u);
  clock_.Advance(authority_.lifetime - kDay);
  EXPECT_EQ(ReasonOf(Once().status()), Reason::kRequestRejected);
  EXPECT_EQ(Read(paths_.private_key), key);
  ExpectUsable();

  clock_.Advance(kDay + Seconds(1));
  EXPECT_EQ(*Once(), kRejected);
  EXPECT_FALSE(FileExists(paths_.private_key));
  EXPECT_FALSE(FileExists(paths_.certificate));
}

TEST_P(FileEnrollmentTest, ARejectionByAnotherAuthorityWipesNoValidCertificate) {
  Enrol();
  const std::string key = Read(paths_.private_key);
  const std::string certificate = Read(paths_.certificate);
  FakeAuthority other(clock_, caramel() ? Speaks::kCaramel : Speaks::kJson);
  other.decision = Decision::kReject;
  const auto at_the_other = [&] {
    auto options = Options();
    options.paths.trust_bundle = folder_ / "other.cacert";
    options.enroll.connect = other.Connect();
    return options;
  };
  RewriteFile(folder_ / "other.cacert", other.bundle().ToPem());
  for (int run = 0; run < 3; ++run) {
    EXPECT_EQ(ReasonOf(Once(at_the_other()).status()), Reason::kRequestRejected);
    EXPECT_EQ(Read(paths_.private_key), key);
    EXPECT_EQ(Read(paths_.certificate), certificate);
  }
  ExpectUsable();
  // Nor a rejection of another name.
  const auto with_another_name = [&] {
    auto options = Options();
    options.enroll.client_id = "pump-8";
    return options;
  };
  authority_.decision = Decision::kReject;
  EXPECT_EQ(ReasonOf(Once(with_another_name()).status()), Reason::kRequestRejected);
  EXPECT_EQ(Read(paths_.private_key), key);
  EXPECT_EQ(Read(paths_.certificate), certificate);

  clock_.Advance(authority_.lifetime + Seconds(1));
  EXPECT_EQ(*Once(at_the_other()), kRejected);
  EXPECT_FALSE(FileExists(paths_.private_key));
  EXPECT_FALSE(FileExists(paths_.certificate));
}

TEST_P(FileEnrollmentTest, WithAValidCertificateALostRequestIsNoReasonToWait) {
  Enrol();
  authority_.decision = Decision::kWait;
  const std::string certificate = Read(paths_.certificate);
  std::filesystem::remove(paths_.request);
  EXPECT_EQ(*Once(), kUnchanged);
  authority_.Forget();
  EXPECT_EQ(*Once(), kUnchanged);
  {
    const auto enrollment = FileEnrollment::Open(Options());
    EXPECT_EQ(*(*enrollment)->Wait({.sleep = [](auto) { return false; }}), kUnchanged);
  }
  EXPECT_EQ(Read(paths_.certificate), certificate);
  ExpectUsable();
}

// With JSON one that is valid is not asked about.
TEST_P(CaramelFileEnrollmentTest, ALostRequestThatIsSignedAtOnceNeedsOneRun) {
  Enrol();
  clock_.Advance(kDay);
  std::filesystem::remove(paths_.request);
  EXPECT_EQ(*Once(), kIssued);
  ExpectUsable();
}

TEST_P(FileEnrollmentTest, AFileTimeThatIsAheadDoesNotHideTheNextCertificate) {
  Enrol();
  const std::string before = Read(paths_.certificate);
  std::filesystem::last_write_time(paths_.certificate,
                                   std::filesystem::file_time_type::clock::now() + 1000 * kDay);
  clock_.Advance(authority_.lifetime - kDay);
  authority_.Decide(Decision::kIssue);  // Caramel's server signs anew by itself
  EXPECT_EQ(*Once(), kIssued);
  EXPECT_NE(Read(paths_.certificate), before);
}

TEST_P(FileEnrollmentTest, ARejectionWhileSomebodyWaitsWipesNothing) {
  EXPECT_EQ(*Once(), kWaiting);
  authority_.Decide(Decision::kReject);
  const auto enrollment = FileEnrollment::Open(Options());
  EXPECT_EQ(*(*enrollment)->Wait({}), kRejected);
  EXPECT_TRUE(FileExists(paths_.private_key));
  EXPECT_TRUE(FileExists(paths_.request));
}

TEST_P(FileEnrollmentTest, WaitingEndsWithFilesThatCanBeUsed) {
  auto enrollment = FileEnrollment::Open(Options());
  const auto sleep = [&](std::chrono::milliseconds) {
    authority_.Decide(Decision::kIssue);
    return true;
  };
  EXPECT_EQ(*(*enrollment)->Wait({.sleep = sleep}), kIssued);
  ExpectUsable();
}

TEST_P(FileEnrollmentTest, AnUnchangedCertificateIsNotWrittenAgain) {
  Enrol();
  const auto before = VersionOf(paths_.certificate);
  clock_.Advance(Seconds(100));
  EXPECT_EQ(*Once(), kUnchanged);
  EXPECT_EQ(VersionOf(paths_.certificate), before);
}

// JSON has no Last-Modified.
TEST_P(CaramelFileEnrollmentTest, TheCertificatesFileTimeIsTheServers) {
  Enrol();
  EXPECT_EQ(VersionOf(paths_.certificate)->modified_ns,
            std::chrono::nanoseconds(clock_.Now().time_since_epoch()).count());
  EXPECT_EQ(*Once(), kUnchanged);
  EXPECT_THAT(authority_.whole_requests.back().fields,
              ::testing::Contains(std::pair<std::string, std::string>(
                  "If-Modified-Since", FormatHttpTime(clock_.Now()))));
}

TEST_P(FileEnrollmentTest, RenewsInTime) {
  Enrol();
  const std::string before = Read(paths_.certificate);
  clock_.Advance(authority_.lifetime - kDay);
  authority_.Decide(Decision::kIssue);  // Caramel's server signs anew by itself
  EXPECT_EQ(*Once(), kIssued);
  EXPECT_NE(Read(paths_.certificate), before);
  ExpectUsable();
}

TEST_P(FileEnrollmentTest, AFailedRenewalLeavesTheFiles) {
  Enrol();
  const std::string before = Read(paths_.certificate);
  clock_.Advance(authority_.lifetime - kDay);
  authority_.intercept = [](const HttpClientRequest&) { return HttpResponse{.status = 503}; };
  EXPECT_FALSE(Once().ok());
  EXPECT_EQ(Read(paths_.certificate), before);
  ExpectUsable();
}

TEST_P(FileEnrollmentTest, FilesThatWereDamagedAreMended) {
  struct Row {
    std::string EnrollPaths::*path;
    std::string content;
  };
  Enrol();
  for (const Row& row : {
           Row{&EnrollPaths::private_key, ""},
           Row{&EnrollPaths::private_key, "garbage"},
           Row{&EnrollPaths::private_key, "-----BEGIN PRIVATE KEY-----\nAAAA"},
           Row{&EnrollPaths::private_key, PemOf(NewKey())},
           Row{&EnrollPaths::request, ""},
           Row{&EnrollPaths::request, "garbage"},
           Row{&EnrollPaths::rejections, "garbage"},
           Row{&EnrollPaths::certificate, ""},
           Row{&EnrollPaths::certificate, "garbage"},
       }) {
    RewriteFile(paths_.*row.path, row.content);
    const auto step = Once();
    ASSERT_TRUE(step.ok()) << paths_.*row.path << " \"" << row.content << "\": " << step.status();
    EXPECT_TRUE(*step == kIssued || *step == kUnchanged) << NameOf(*step);
    ExpectUsable();
  }
}

TEST_P(FileEnrollmentTest, WhereSomebodyCanLookABadKeyIsNotReplaced) {
  RewriteFile(paths_.private_key, "garbage");
  auto options = Options();
  options.bad_key = FileEnrollmentOptions::BadKey::kRefuse;
  EXPECT_EQ(ReasonOf(Once(std::move(options)).status()), Reason::kKeyMalformed);
  EXPECT_EQ(Read(paths_.private_key), "garbage");
}

TEST_P(FileEnrollmentTest, WithoutAnythingToTrustNothingIsMade) {
  std::filesystem::remove(paths_.trust_bundle);
  EXPECT_EQ(ReasonOf(Once().status()), Reason::kUsageError);
  EXPECT_EQ(CountFiles(), 0u);
}

TEST_P(FileEnrollmentTest, TheCaIsKeptWhereAFingerprintWasGivenAndTrustedFromThenOn) {
  std::filesystem::remove(paths_.trust_bundle);
  authority_.decision = Decision::kIssue;
  auto options = Options();
  options.enroll.trust.root_fingerprint = authority_.root().certificate().fingerprint();
  EXPECT_EQ(*Once(std::move(options)), kIssued);
  EXPECT_EQ(Read(paths_.trust_bundle), authority_.bundle().ToPem());
  EXPECT_EQ(*Once(), kUnchanged);
  EXPECT_EQ(authority_.connections.back().trust.bundle, authority_.bundle());
}

TEST_P(FileEnrollmentTest, TheCaIsKeptAsSoonAsTheRequestWaits) {
  std::filesystem::remove(paths_.trust_bundle);
  auto options = Options();
  options.enroll.trust.root_fingerprint = authority_.root().certificate().fingerprint();
  EXPECT_EQ(*Once(std::move(options)), kWaiting);
  EXPECT_EQ(Read(paths_.trust_bundle), authority_.bundle().ToPem());
  EXPECT_EQ(*Once(), kWaiting);
}

TEST_P(FileEnrollmentTest, ATokenThatIsMissingIsAnErrorOnlyWithoutACertificate) {
  const auto without_token = [&] {
    auto options = Options();
    options.token_problem = MakeError(Reason::kFileNotFound, "no token");
    return options;
  };
  EXPECT_EQ(ReasonOf(Once(without_token()).status()), Reason::kFileNotFound);
  EXPECT_EQ(authority_.requests.size(), 0u);
  EXPECT_FALSE(FileExists(paths_.private_key));
  Enrol();
  clock_.Advance(authority_.lifetime - kDay);
  authority_.Decide(Decision::kIssue);  // Caramel's server signs anew by itself
  EXPECT_EQ(*Once(without_token()), kIssued);
  clock_.Advance(authority_.lifetime + Seconds(1));
  EXPECT_EQ(ReasonOf(Once(without_token()).status()), Reason::kFileNotFound);
  std::filesystem::remove(paths_.trust_bundle);  // which the token would have named
  EXPECT_EQ(ReasonOf(Once(without_token()).status()), Reason::kFileNotFound);
}

TEST_P(FileEnrollmentTest, ACaFileOfAnotherCaThanTheFingerprintsIsSaid) {
  auto options = Options();
  options.enroll.trust.root_fingerprint = Sha256("another");
  EXPECT_EQ(ReasonOf(Once(std::move(options)).status()), Reason::kIssuerUnknown);
  if (caramel()) return;
  std::filesystem::remove(paths_.trust_bundle);
  RewriteFile(paths_.trust_bundle, TestAuthority("other").pem());
  options = Options();
  options.enroll.token = Secret(authority_.MakeToken());
  EXPECT_EQ(ReasonOf(Once(std::move(options)).status()), Reason::kIssuerUnknown);
}

TEST_P(FileEnrollmentTest, TheSystemIsTrustedForTheConnectionAndTheCaFileForTheCertificate) {
  auto options = Options();
  options.enroll.trust.system = true;
  authority_.decision = Decision::kIssue;
  EXPECT_EQ(*Once(std::move(options)), kIssued);
  EXPECT_TRUE(authority_.connections.back().trust.system);
  EXPECT_FALSE(authority_.connections.back().trust.bundle.has_value());

  RewriteFile(paths_.trust_bundle, TestAuthority("other").pem());
  clock_.Advance(authority_.lifetime + Seconds(1));
  options = Options();
  options.enroll.trust.system = true;
  authority_.Decide(Decision::kIssue);
  EXPECT_EQ(ReasonOf(Once(std::move(options)).status()), Reason::kIssuerUnknown);
}

TEST_P(FileEnrollmentTest, ACertificateThatTheServerRefusesDoesNotStopADevice) {
  Enrol();
  clock_.Advance(Seconds(10));
  bool refused = false;
  authority_.intercept =
      [&](const HttpClientRequest&) -> std::optional<absl::StatusOr<HttpResponse>> {
    if (std::exchange(refused, true)) return std::nullopt;
    return MakeError(Reason::kPeerRejectedCertificate, "alert");
  };
  EXPECT_EQ(*Once(), kUnchanged);
  EXPECT_THAT(warnings_, ::testing::Contains(HasSubstr("refuses our certificate")));
}

TEST_P(FileEnrollmentTest, WhatCannotBeWrittenIsSaidAndNotSent) {
  auto options = Options();
  options.paths.request = "/proc/troth.csr";  // nobody makes a file there, not even root
  EXPECT_EQ(ReasonOf(Once(std::move(options)).status()), Reason::kFileWriteFailed);
  EXPECT_EQ(authority_.stored(), 0u);
}

}  // namespace
}  // namespace troth
