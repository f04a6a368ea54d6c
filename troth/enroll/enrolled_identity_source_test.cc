#include "troth/enroll/enrolled_identity_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <future>
#include <iterator>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "troth/base/log.h"
#include "troth/base/reason.h"
#include "troth/enroll/enroll_testing.h"

namespace troth {
namespace {

using enroll_testing::FakeAuthority;
using enroll_testing::Speaks;
using std::chrono::milliseconds;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Decision = FakeAuthority::Decision;
using Snapshot = std::shared_ptr<const Identity>;

constexpr auto kDay = std::chrono::hours(24);

absl::StatusOr<HttpResponse> Refusal(int status, const std::string& code) {
  return HttpResponse{.status = status, .body = R"({"code":")" + code + R"(","detail":"x"})"};
}

// Of this process, now.
size_t Threads() {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return static_cast<size_t>(std::distance(begin(tasks), end(tasks)));
}

class EnrolledIdentitySourceTest : public ::testing::Test {
 protected:
  EnrolledIdentitySourceTest() {
    SetLogSink([this](const LogEntry& entry) {
      const std::lock_guard lock(log_mutex_);
      log_.push_back(entry);
    });
    // Tests renew by hand, but for those of the thread.
    options_.look_every = std::chrono::hours(1);
    options_.random = [] { return 0.5; };
    options_.sleep = [this](milliseconds wait) {
      waits_.push_back(static_cast<int>(wait.count()));
      if (after_wait_) after_wait_(waits_.size());
      return true;
    };
  }
  ~EnrolledIdentitySourceTest() override { SetLogSink(nullptr); }

  EnrollOptions Enroll() {
    return {.server = "ca.example.com:8443",
            .client_id = "db1.example.com",
            .token = Secret(authority_.MakeToken()),
            .clock = &clock_,
            .connect = authority_.Connect()};
  }
  EnrollOptions EnrollWithoutToken() {
    EnrollOptions enroll = Enroll();
    enroll.token = Secret();
    enroll.trust.bundle = authority_.bundle();
    return enroll;
  }
  std::shared_ptr<EnrolledIdentitySource> Start() {
    auto source = EnrolledIdentitySource::Start(Enroll(), options_);
    EXPECT_TRUE(source.ok()) << source.status();
    return *std::move(source);
  }
  absl::Status Failure(EnrollOptions enroll) {
    return EnrolledIdentitySource::Start(std::move(enroll), options_).status();
  }

  void AuthorityAnswers(std::function<absl::StatusOr<HttpResponse>()> answer) {
    authority_.intercept = [answer = std::move(answer)](const HttpClientRequest&) {
      return std::optional(answer());
    };
  }
  size_t exchanges() const { return authority_.requests.size(); }

  std::vector<LogEntry> Logged(LogLevel level) {
    const std::lock_guard lock(log_mutex_);
    std::vector<LogEntry> entries;
    std::ranges::copy_if(log_, std::back_inserter(entries),
                         [&](const LogEntry& entry) { return entry.level == level; });
    return entries;
  }

  FakeClock clock_;
  FakeAuthority authority_{clock_, Speaks::kJson};
  EnrolledIdentityOptions options_;
  std::vector<int> waits_;
  std::function<void(size_t)> after_wait_;
  std::mutex log_mutex_;
  std::vector<LogEntry> log_;
};

TEST_F(EnrolledIdentitySourceTest, HoldsAWholeIdentityOnceItHasStarted) {
  const auto source = Start();
  const Snapshot identity = source->Current();
  EXPECT_EQ(identity->leaf().subject().common_name(), "db1.example.com");
  EXPECT_EQ(identity->trust_bundle(), authority_.bundle());
  EXPECT_THAT(identity->chain(), ::testing::SizeIs(2));
  EXPECT_THAT(authority_.requests, ElementsAre("POST /v1/certificates"));
  EXPECT_EQ(source->Statistics().rotations, 0u);
  EXPECT_THAT(waits_, IsEmpty());
}

TEST_F(EnrolledIdentitySourceTest, WaitsForAnAuthorityThatIsNotThereYet) {
  authority_.intercept = [](const HttpClientRequest&) {
    return absl::StatusOr<HttpResponse>(MakeError(Reason::kConnectionFailed, "refused"));
  };
  after_wait_ = [this](size_t waits) {
    if (waits == 3) authority_.intercept = nullptr;
  };
  Start();
  EXPECT_THAT(waits_, ElementsAre(870, 1740, 3480));
}

TEST_F(EnrolledIdentitySourceTest, WaitsForAnOperator) {
  after_wait_ = [this](size_t waits) {
    if (waits == 2) authority_.Decide(Decision::kIssue);
  };
  EXPECT_TRUE(Failure(EnrollWithoutToken()).ok());
  EXPECT_THAT(waits_, ElementsAre(870, 1740));
}

TEST_F(EnrolledIdentitySourceTest, StartingSaysWhyWhenItsPatienceIsOver) {
  options_.patience = milliseconds(5000);
  const absl::Status undecided = Failure(EnrollWithoutToken());
  EXPECT_EQ(ReasonOf(undecided), Reason::kRequestPending);
  ASSERT_GE(waits_.size(), 3u);
  EXPECT_EQ(waits_[0] + waits_[1], 870 + 1740);
  EXPECT_LE(waits_[2], 5000 - 870 - 1740);  // no longer than what is left, and asked once more
  EXPECT_GT(waits_[2], 1000);

  waits_.clear();
  AuthorityAnswers([] { return MakeError(Reason::kConnectionFailed, "refused"); });
  EXPECT_EQ(ReasonOf(Failure(Enroll())), Reason::kConnectionFailed);
  EXPECT_THAT(waits_, ::testing::Not(IsEmpty()));
}

TEST_F(EnrolledIdentitySourceTest, StartingEndsWhenItIsToldTo) {
  options_.sleep = [](milliseconds) { return false; };
  EXPECT_EQ(ReasonOf(Failure(EnrollWithoutToken())), Reason::kRequestPending);
}

TEST_F(EnrolledIdentitySourceTest, WhatNoWaitMendsIsSaidAtOnce) {
  EnrollOptions wrong_token = Enroll();
  authority_.token = "another";
  EXPECT_EQ(ReasonOf(Failure(std::move(wrong_token))), Reason::kTokenInvalid);

  EnrollOptions trusts_nobody = Enroll();
  trusts_nobody.token = Secret();
  EXPECT_EQ(ReasonOf(Failure(std::move(trusts_nobody))), Reason::kUsageError);

  authority_.decision = Decision::kReject;
  const absl::Status rejected = Failure(EnrollWithoutToken());
  EXPECT_EQ(ReasonOf(rejected), Reason::kRequestRejected);
  EXPECT_THAT(std::string(rejected.message()), HasSubstr("not one of ours"));
  EXPECT_LE(waits_.size(), 1u);  // the decision is asked for once
}

TEST_F(EnrolledIdentitySourceTest, RenewsWhenAThirdOfTheLifeIsLeftAndTellsSubscribers) {
  const auto source = Start();
  const Snapshot first = source->Current();
  std::vector<Snapshot> seen;
  const Subscription subscription =
      source->Subscribe([&](const Snapshot& now) { seen.push_back(now); });
  clock_.Advance(19 * kDay);
  EXPECT_TRUE(source->RenewIfDue().ok());
  EXPECT_EQ(source->Current(), first);
  EXPECT_EQ(exchanges(), 1u);

  clock_.Advance(2 * kDay);
  EXPECT_TRUE(source->RenewIfDue().ok());
  EXPECT_EQ(authority_.requests.back(), "POST /v1/certificates/renew");
  EXPECT_NE(source->Current(), first);
  EXPECT_GT(source->Current()->expires(), first->expires());
  EXPECT_THAT(seen, ElementsAre(source->Current()));
  EXPECT_EQ(source->Statistics().rotations, 1u);

  EXPECT_TRUE(source->RenewIfDue().ok());  // and not again at once
  EXPECT_EQ(exchanges(), 2u);
}

TEST_F(EnrolledIdentitySourceTest, AFailedRenewalKeepsWhatThereIsAndIsTriedAgainEverLater) {
  const auto source = Start();
  const Snapshot first = source->Current();
  clock_.Advance(21 * kDay);
  AuthorityAnswers([] { return Refusal(401, "certificate_revoked"); });
  EXPECT_EQ(ReasonOf(source->RenewIfDue()), Reason::kCertificateRevoked);
  EXPECT_EQ(source->Current(), first);
  EXPECT_EQ(source->Statistics().rejected, 1u);
  EXPECT_THAT(source->Statistics().last_error, ::testing::Not(IsEmpty()));

  std::vector<int> tried_after;
  for (int second = 1; second <= 1200; ++second) {
    clock_.Advance(Seconds(1));
    if (!source->RenewIfDue().ok()) tried_after.push_back(second);
  }
  EXPECT_THAT(tried_after, ElementsAre(1, 3, 7, 14, 28, 56, 112, 224, 447, 747, 1047));
  EXPECT_EQ(source->Statistics().rejected, 12u);

  authority_.intercept = nullptr;
  clock_.Advance(Seconds(300));
  EXPECT_TRUE(source->RenewIfDue().ok());
  EXPECT_NE(source->Current(), first);
  EXPECT_EQ(source->Statistics().last_error, "");
}

TEST_F(EnrolledIdentitySourceTest, AShortLifeIsRenewedInTimeThoughTheAuthorityWasAway) {
  authority_.lifetime = Seconds(60);
  const auto source = Start();
  AuthorityAnswers([] { return MakeError(Reason::kConnectionFailed, "refused"); });
  int attempts = 0;
  const Time end = *source->Current()->expires();
  while (clock_.Now() < end - Seconds(3)) {
    clock_.Advance(Seconds(1));
    if (!source->RenewIfDue().ok()) ++attempts;
  }
  EXPECT_GE(attempts, 5);
  authority_.intercept = nullptr;
  while (clock_.Now() < end && source->Current()->expires() == end) {
    clock_.Advance(Seconds(1));
    EXPECT_TRUE(source->RenewIfDue().ok());
  }
  EXPECT_GT(source->Current()->expires(), end);
}

TEST_F(EnrolledIdentitySourceTest, ACertificateThatIsAlwaysDueIsNotRenewedAllTheTime) {
  EnrollOptions enroll = Enroll();
  enroll.renew_before = 300 * kDay;  // of 30
  const auto source = EnrolledIdentitySource::Start(std::move(enroll), options_);
  ASSERT_TRUE(source.ok()) << source.status();
  clock_.Advance(7 * kDay);
  EXPECT_TRUE((*source)->RenewIfDue().ok());
  EXPECT_EQ((*source)->Statistics().rotations, 0u);
  clock_.Advance(kDay);
  EXPECT_TRUE((*source)->RenewIfDue().ok());
  EXPECT_EQ((*source)->Statistics().rotations, 1u);
}

TEST_F(EnrolledIdentitySourceTest, ALongerWaitThatTheAuthorityAsksForIsKept) {
  const auto source = Start();
  clock_.Advance(21 * kDay);
  AuthorityAnswers([]() -> absl::StatusOr<HttpResponse> {
    return HttpResponse{.status = 429, .fields = {{"Retry-After", "120"}}};
  });
  EXPECT_FALSE(source->RenewIfDue().ok());
  const size_t before = exchanges();
  clock_.Advance(Seconds(119));
  EXPECT_TRUE(source->RenewIfDue().ok());
  EXPECT_EQ(exchanges(), before);
  clock_.Advance(Seconds(1));
  EXPECT_FALSE(source->RenewIfDue().ok());
}

TEST_F(EnrolledIdentitySourceTest, AClockThatIsSetBackDoesNotPutOffTheNextAttempt) {
  const auto source = Start();
  clock_.Advance(28 * kDay);
  AuthorityAnswers([] { return Refusal(503, "store_failed"); });
  EXPECT_FALSE(source->RenewIfDue().ok());
  clock_.Advance(-kDay);
  EXPECT_FALSE(source->RenewIfDue().ok());
}

TEST_F(EnrolledIdentitySourceTest, FailuresAreWarningsThenErrors) {
  const auto source = Start();
  AuthorityAnswers([] { return Refusal(401, "certificate_revoked"); });
  clock_.Advance(24 * kDay);
  EXPECT_FALSE(source->RenewIfDue().ok());
  ASSERT_EQ(Logged(LogLevel::kWarning).size(), 1u);
  EXPECT_THAT(Logged(LogLevel::kWarning).front().fields,
              Contains(std::pair<std::string, std::string>("reason", "certificate_revoked")));
  EXPECT_THAT(Logged(LogLevel::kError), IsEmpty());

  clock_.Advance(2 * kDay);  // of the ten days that a renewal has, more than half are over
  EXPECT_FALSE(source->RenewIfDue().ok());
  EXPECT_EQ(Logged(LogLevel::kError).size(), 1u);
  clock_.Advance(5 * kDay);  // it has ended, and the service goes on with it
  EXPECT_FALSE(source->RenewIfDue().ok());
  EXPECT_EQ(Logged(LogLevel::kError).size(), 2u);
  EXPECT_LT(*source->Statistics().seconds_left, 0);
}

TEST_F(EnrolledIdentitySourceTest, AnExpiredIdentityComesBackWithTheAuthority) {
  const auto source = Start();
  clock_.Advance(40 * kDay);
  EXPECT_TRUE(source->RenewIfDue().ok());
  EXPECT_GT(*source->Statistics().seconds_left, 0);
}

TEST_F(EnrolledIdentitySourceTest, ARejectionAfterTheEndIsFollowedByANewRequest) {
  authority_.decision = Decision::kIssue;
  auto source = EnrolledIdentitySource::Start(EnrollWithoutToken(), options_);
  ASSERT_TRUE(source.ok()) << source.status();
  authority_.Forget();
  authority_.decision = Decision::kReject;
  clock_.Advance(40 * kDay);
  EXPECT_EQ(ReasonOf((*source)->RenewIfDue()), Reason::kRequestRejected);
  authority_.decision = Decision::kIssue;
  clock_.Advance(Seconds(10));
  const absl::Status again = (*source)->RenewIfDue();
  EXPECT_TRUE(again.ok()) << again;
  EXPECT_GT(*(*source)->Statistics().seconds_left, 0);
}

TEST_F(EnrolledIdentitySourceTest, AThreadOfItsOwnRenews) {
  options_.look_every = milliseconds(1);
  const auto source = Start();
  std::promise<Snapshot> renewed;
  std::atomic<bool> told = false;
  const Subscription subscription = source->Subscribe([&](const Snapshot& now) {
    if (!told.exchange(true)) renewed.set_value(now);
  });
  clock_.Advance(21 * kDay);
  auto future = renewed.get_future();
  ASSERT_EQ(future.wait_for(std::chrono::seconds(20)), std::future_status::ready);
  EXPECT_EQ(future.get(), source->Current());
}

TEST_F(EnrolledIdentitySourceTest, EndsInsideACallbackOfItsOwnThread) {
  options_.look_every = milliseconds(1);
  const size_t threads = Threads();
  std::mutex mutex;
  auto source = Start();
  std::promise<void> ended;
  const std::weak_ptr<EnrolledIdentitySource> weak = source;
  const Subscription subscription = source->Subscribe([&](const Snapshot&) {
    const std::lock_guard lock(mutex);
    if (source == nullptr) return;
    source.reset();
    ended.set_value();
  });
  clock_.Advance(21 * kDay);
  ASSERT_EQ(ended.get_future().wait_for(std::chrono::seconds(20)), std::future_status::ready);
  EXPECT_TRUE(weak.expired());
  // What the callback holds must outlive its thread, which ends by itself.
  for (int i = 0; i < 20'000 && Threads() != threads; ++i) {
    std::this_thread::sleep_for(milliseconds(1));
  }
  EXPECT_EQ(Threads(), threads);
}

TEST_F(EnrolledIdentitySourceTest, EndsAtOnceWhileItWaitsForTheAuthority) {
  options_.look_every = milliseconds(1);
  std::promise<void> asked;
  std::atomic<int> exchanges = 0;
  auto enroll = Enroll();
  enroll.connect = [&, inner = authority_.Connect()](HttpClientOptions options) {
    // Answers the first request, and the next ones when it is told to give up.
    class Slow : public HttpClient {
     public:
      Slow(std::unique_ptr<HttpClient> inner, std::function<bool()> give_up,
           std::promise<void>& asked, std::atomic<int>& exchanges)
          : inner_(std::move(inner)),
            give_up_(std::move(give_up)),
            asked_(asked),
            exchanges_(exchanges) {}
      absl::StatusOr<HttpResponse> Send(const HttpClientRequest& request) override {
        if (exchanges_++ == 0) return inner_->Send(request);
        asked_.set_value();
        while (!give_up_()) std::this_thread::sleep_for(milliseconds(1));
        return MakeError(Reason::kConnectionFailed, "given up");
      }

     private:
      std::unique_ptr<HttpClient> inner_;
      std::function<bool()> give_up_;
      std::promise<void>& asked_;
      std::atomic<int>& exchanges_;
    };
    auto give_up = options.give_up;
    return absl::StatusOr<std::unique_ptr<HttpClient>>(
        std::make_unique<Slow>(*inner(std::move(options)), give_up, asked, exchanges));
  };
  auto source = EnrolledIdentitySource::Start(std::move(enroll), options_);
  ASSERT_TRUE(source.ok()) << source.status();
  clock_.Advance(21 * kDay);
  asked.get_future().wait();
  source->reset();
  EXPECT_EQ(exchanges, 2);
  // That it was stopped is no failure to tell anybody of.
  EXPECT_THAT(Logged(LogLevel::kWarning), IsEmpty());
}

}  // namespace
}  // namespace troth
