#include "troth/enroll/enroll_wait.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "troth/base/reason.h"
#include "troth/enroll/enroll_testing.h"

namespace troth {
namespace {

using enroll_testing::FakeAuthority;
using enroll_testing::Speaks;
using std::chrono::milliseconds;
using ::testing::ElementsAre;
using Decision = FakeAuthority::Decision;

class EnrollWaitTest : public ::testing::Test {
 protected:
  EnrollWaitTest() {
    EnrollOptions options{.server = "ca",
                          .client_id = "pump-7",
                          .trust = {.bundle = authority_.bundle()},
                          .clock = &clock_,
                          .connect = authority_.Connect()};
    enroller_ = *Enroller::Create(std::move(options));
    wait_.random = [] { return 0.5; };
    wait_.sleep = [this](milliseconds wait) {
      waits_.push_back(static_cast<int>(wait.count()));
      if (after_wait_) after_wait_(waits_.size());
      return waits_.size() < 20;
    };
    wait_.keep = [this](EnrollStep step) {
      kept_.push_back(step);
      stored_when_kept_.push_back(authority_.stored());
      return keep_status_;
    };
  }

  FakeClock clock_;
  FakeAuthority authority_{clock_, Speaks::kCaramel};
  std::unique_ptr<Enroller> enroller_;
  EnrollWaitOptions wait_;
  std::vector<int> waits_;
  std::function<void(size_t)> after_wait_;
  std::vector<EnrollStep> kept_;
  std::vector<size_t> stored_when_kept_;
  absl::Status keep_status_;
};

TEST_F(EnrollWaitTest, WaitsLongerAndLongerUntilTheAuthorityHasSigned) {
  std::vector<EnrollPause> pauses;
  wait_.pausing = [&](const EnrollPause& pause) { pauses.push_back(pause); };
  after_wait_ = [&](size_t waits) {
    if (waits == 7) authority_.Decide(Decision::kIssue);
  };
  EXPECT_EQ(*EnrollAndWait(*enroller_, wait_), EnrollStep::kIssued);
  EXPECT_THAT(waits_, ElementsAre(870, 1740, 3480, 6960, 13920, 23000, 23000));
  ASSERT_EQ(pauses.size(), 7u);
  EXPECT_EQ(pauses.back().attempts, 7);
  EXPECT_EQ(pauses.back().wait, milliseconds(23000));
  EXPECT_TRUE(enroller_->identity().ok());
}

TEST_F(EnrollWaitTest, WhatIsMadeIsKeptBeforeItIsSent) {
  authority_.decision = Decision::kIssue;
  EXPECT_EQ(*EnrollAndWait(*enroller_, wait_), EnrollStep::kIssued);
  EXPECT_THAT(kept_, ElementsAre(EnrollStep::kRequestMade, EnrollStep::kIssued));
  EXPECT_THAT(stored_when_kept_, ElementsAre(0u, 1u));
}

TEST_F(EnrollWaitTest, WhatCannotBeKeptIsNotSent) {
  keep_status_ = MakeError(Reason::kFileWriteFailed, "disk full");
  EXPECT_EQ(ReasonOf(EnrollAndWait(*enroller_, wait_).status()), Reason::kFileWriteFailed);
  EXPECT_EQ(authority_.stored(), 0u);
}

TEST_F(EnrollWaitTest, AFailureBeforeTheAuthorityHasTheRequestIsSaidAtOnce) {
  authority_.intercept = [](const HttpClientRequest&) {
    return absl::StatusOr<HttpResponse>(MakeError(Reason::kConnectionFailed, "refused"));
  };
  EXPECT_EQ(ReasonOf(EnrollAndWait(*enroller_, wait_).status()), Reason::kConnectionFailed);
  EXPECT_THAT(waits_, ElementsAre());
}

TEST_F(EnrollWaitTest, WhereNobodyIsThereEveryPassingFailureIsTriedAgain) {
  wait_.retry = EnrollRetry::kAlways;
  authority_.decision = Decision::kIssue;
  authority_.intercept = [](const HttpClientRequest&) {
    return absl::StatusOr<HttpResponse>(MakeError(Reason::kConnectionFailed, "refused"));
  };
  after_wait_ = [&](size_t waits) {
    if (waits == 3) authority_.intercept = nullptr;
  };
  EXPECT_EQ(*EnrollAndWait(*enroller_, wait_), EnrollStep::kIssued);
}

TEST_F(EnrollWaitTest, APassingFailureWhileWaitingIsShownAndWaitedOut) {
  std::vector<std::optional<Reason>> problems;
  wait_.pausing = [&](const EnrollPause& pause) { problems.push_back(ReasonOf(pause.problem)); };
  after_wait_ = [&](size_t waits) {
    if (waits == 1) {
      authority_.intercept = [](const HttpClientRequest&) { return HttpResponse{.status = 502}; };
    } else {
      authority_.intercept = nullptr;
      authority_.Decide(Decision::kIssue);
    }
  };
  EXPECT_EQ(*EnrollAndWait(*enroller_, wait_), EnrollStep::kIssued);
  EXPECT_THAT(problems, ElementsAre(std::nullopt, Reason::kConnectionFailed));
}

TEST_F(EnrollWaitTest, AWaitThatIsTakenUpAgainWaitsOutAServerThatIsAway) {
  wait_.sleep = [](milliseconds) { return false; };
  EXPECT_EQ(ReasonOf(EnrollAndWait(*enroller_, wait_).status()), Reason::kRequestPending);
  const Secret key = enroller_->private_key_pem();
  const std::string request = enroller_->request_pem();

  enroller_ = *Enroller::Create({.server = "ca",
                                 .client_id = "pump-7",
                                 .trust = {.bundle = authority_.bundle()},
                                 .clock = &clock_,
                                 .connect = authority_.Connect()});
  ASSERT_TRUE(enroller_->Resume({.private_key_pem = key.Reveal(), .request_pem = request}).ok());
  authority_.intercept = [](const HttpClientRequest&) {
    return absl::StatusOr<HttpResponse>(MakeError(Reason::kConnectionFailed, "refused"));
  };
  int waits = 0;
  wait_.sleep = [&](milliseconds) {
    if (++waits == 2) authority_.intercept = nullptr;
    authority_.Decide(Decision::kIssue);
    return waits < 10;
  };
  EXPECT_EQ(*EnrollAndWait(*enroller_, wait_), EnrollStep::kIssued);
  EXPECT_EQ(waits, 2);
}

TEST_F(EnrollWaitTest, AFailureThatDoesNotPassEndsTheWait) {
  after_wait_ = [&](size_t) {
    authority_.intercept = [](const HttpClientRequest&) {
      return absl::StatusOr<HttpResponse>(MakeError(Reason::kIssuerUnknown, "another CA"));
    };
  };
  EXPECT_EQ(ReasonOf(EnrollAndWait(*enroller_, wait_).status()), Reason::kIssuerUnknown);
  EXPECT_EQ(waits_.size(), 1u);
}

TEST_F(EnrollWaitTest, ARejectionEndsTheWait) {
  after_wait_ = [&](size_t) { authority_.Decide(Decision::kReject); };
  EXPECT_EQ(*EnrollAndWait(*enroller_, wait_), EnrollStep::kRejected);
}

TEST_F(EnrollWaitTest, TheServersRetryAfterLengthensAWait) {
  authority_.intercept = [](const HttpClientRequest& request) -> std::optional<HttpResponse> {
    if (request.method == "POST") return std::nullopt;
    if (request.url.ends_with("trust-bundle")) return std::nullopt;
    return HttpResponse{.status = 202, .fields = {{"Retry-After", "40"}}};
  };
  after_wait_ = [&](size_t waits) {
    if (waits < 2) return;
    authority_.intercept = nullptr;
    authority_.Decide(Decision::kIssue);
  };
  EXPECT_EQ(*EnrollAndWait(*enroller_, wait_), EnrollStep::kIssued);
  EXPECT_THAT(waits_, ElementsAre(870, 40000));
}

TEST_F(EnrollWaitTest, StopsWhenTold) {
  wait_.sleep = [](milliseconds) { return false; };
  EXPECT_EQ(ReasonOf(EnrollAndWait(*enroller_, wait_).status()), Reason::kRequestPending);
}

}  // namespace
}  // namespace troth
