// A device that loses power at any moment, and tools that all start the same program at once.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fcntl.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "troth/base/file.h"
#include "troth/base/reason.h"
#include "troth/enroll/enroll_testing.h"
#include "troth/enroll/file_enrollment.h"
#include "troth/pki/certificate_request.h"

namespace troth {
namespace {

using enroll_testing::FakeAuthority;
using enroll_testing::Speaks;
using Decision = FakeAuthority::Decision;

class FileEnrollmentKillTest : public ::testing::TestWithParam<bool> {
 protected:
  FileEnrollmentKillTest() {
    paths_ = GetParam() ? PathsOfOneFile(folder_ / "device.pem", "ca")
                        : PathsInFolder(folder_.path(), "ca", "pump-7");
    RewriteFile(paths_.trust_bundle, authority_.bundle().ToPem());
    // The authority of a child dies with it; what was posted is noted where it lasts.
    authority_.intercept =
        [this](const HttpClientRequest& request) -> std::optional<absl::StatusOr<HttpResponse>> {
      if (request.method == "POST") {
        const int log = open(posted_.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
        const std::string line = request.url.substr(request.url.rfind('/') + 1) + "\n";
        EXPECT_EQ(write(log, line.data(), line.size()), static_cast<ssize_t>(line.size()));
        close(log);
      }
      return std::nullopt;
    };
  }

  absl::StatusOr<EnrollStep> Once() {
    auto enrollment = FileEnrollment::Open({.enroll = {.server = "ca",
                                                       .client_id = "pump-7",
                                                       .protocol = EnrollProtocol::kCaramel,
                                                       .clock = &clock_,
                                                       .connect = authority_.Connect()},
                                            .paths = paths_,
                                            .bad_key = FileEnrollmentOptions::BadKey::kReplace});
    if (!enrollment.ok()) return enrollment.status();
    return (*enrollment)->Once();
  }

  std::vector<std::string> Posted() const {
    std::vector<std::string> ids;
    std::ifstream log(posted_);
    for (std::string line; std::getline(log, line);) ids.push_back(line);
    return ids;
  }
  std::string Read(const std::string& path) const { return ReadFile(path).value_or(""); }

  TestFolder folder_;
  TestFolder outside_;
  std::string posted_ = outside_ / "posted";
  FakeClock clock_;
  FakeAuthority authority_{clock_, Speaks::kCaramel};
  EnrollPaths paths_;
};

INSTANTIATE_TEST_SUITE_P(Both, FileEnrollmentKillTest, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "OneFile" : "Folder"; });

TEST_P(FileEnrollmentKillTest, KilledAtAnyMomentItGoesOnWithWhatIsOnDisk) {
  std::mt19937 random(20261121);
  // Grows when a child is killed and shrinks when one gets through, so that both happen on a
  // machine of whatever speed.
  double longest = 5000;  // microseconds
  authority_.decision = Decision::kIssue;
  int killed = 0;
  int with_certificate = 0;
  for (int round = 0; round < 200; ++round) {
    if (round % 10 == 0) {  // begin again from nothing
      for (const std::string& path : {paths_.private_key, paths_.request, paths_.certificate}) {
        unlink(path.c_str());
      }
      unlink(posted_.c_str());
    }
    const pid_t child = fork();
    if (child == 0) _exit(Once().ok() ? 0 : 1);
    usleep(std::uniform_int_distribution<useconds_t>(0, static_cast<useconds_t>(longest))(random));
    kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status)) {
      ++killed;
      longest *= 1.2;
    } else {
      longest = std::max(longest * 0.7, 500.0);
      ASSERT_EQ(WEXITSTATUS(status), 0) << "round " << round;
    }

    const std::string key_text = Read(paths_.private_key);
    const std::vector<std::string> posted = Posted();
    if (!posted.empty()) {
      // What the authority may know of is on disk, with its key, and is the only one.
      EXPECT_EQ(std::set<std::string>(posted.begin(), posted.end()).size(), 1u);
      EXPECT_EQ(FormatFingerprint(Sha256(Read(paths_.request))), posted.front());
    }
    if (key_text.empty()) {
      EXPECT_TRUE(posted.empty());
      continue;
    }
    const auto key = PrivateKey::FromPem(key_text);
    ASSERT_TRUE(key.ok()) << key.status();
    if (!posted.empty()) {
      EXPECT_EQ(CertificateRequest::FromPem(Read(paths_.request))->public_key(), key->public_key());
    }
    const std::string certificate = Read(paths_.certificate);
    if (certificate.find("BEGIN CERTIFICATE") == std::string::npos) continue;
    ++with_certificate;
    const auto identity = Identity::Create({.certificate_pem = certificate,
                                            .private_key_pem = key_text,
                                            .trust_bundle_pem = Read(paths_.trust_bundle)},
                                           clock_.Now());
    EXPECT_TRUE(identity.ok()) << identity.status();
  }
  // The test has seen what it is about.
  EXPECT_GT(killed, 20);
  EXPECT_GT(with_certificate, 5);
  const auto last = Once();
  EXPECT_TRUE(last.ok()) << last.status();
}

TEST_P(FileEnrollmentKillTest, OfManyThatStartAtOnceOneAsks) {
  constexpr int kProcesses = 12;
  std::vector<pid_t> children;
  for (int i = 0; i < kProcesses; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      const auto step = Once();
      if (step.ok()) _exit(0);
      _exit(ReasonOf(step.status()) == Reason::kFileLocked ? 1 : 2);
    }
    children.push_back(child);
  }
  int done = 0;
  for (const pid_t child : children) {
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status));
    EXPECT_LE(WEXITSTATUS(status), 1);
    if (WEXITSTATUS(status) == 0) ++done;
  }
  EXPECT_GE(done, 1);
  const std::vector<std::string> posted = Posted();
  EXPECT_EQ(std::set<std::string>(posted.begin(), posted.end()).size(), 1u);
  EXPECT_EQ(FormatFingerprint(Sha256(Read(paths_.request))), posted.front());
}

}  // namespace
}  // namespace troth
