#include <sys/stat.h>

#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>
#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "troth/base/log.h"
#include "troth/identity/identity_source.h"
#include "troth/identity/identity_testing.h"

namespace troth {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

namespace fs = std::filesystem;

constexpr auto kPatience = std::chrono::seconds(20);
constexpr auto kDay = std::chrono::hours(24);

// Everything that was logged at warning or above.
class CapturedLog {
 public:
  CapturedLog() {
    SetLogSink(
        [this](const LogEntry& entry) {
          const std::lock_guard lock(mutex_);
          lines_.push_back((entry.level == LogLevel::kError ? "error: " : "warning: ") +
                           FormatLogEntry(entry));
          grown_.notify_all();
        },
        LogLevel::kWarning);
  }
  CapturedLog(const CapturedLog&) = delete;
  CapturedLog& operator=(const CapturedLog&) = delete;
  ~CapturedLog() { SetLogSink(nullptr); }

  std::vector<std::string> lines() const {
    const std::lock_guard lock(mutex_);
    return lines_;
  }
  bool WaitFor(size_t count) {
    std::unique_lock lock(mutex_);
    return grown_.wait_for(lock, kPatience, [&] { return lines_.size() >= count; });
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable grown_;
  std::vector<std::string> lines_;
};

class FileIdentitySourceTest : public ::testing::Test {
 protected:
  FileIdentitySourceTest() {
    Install(first_);
    RewriteFile(bundle_, authority_.pem());
  }

  // Both files, in the order in which people do it.
  void Install(const Leaf& leaf) const {
    RewriteFile(certificate_, leaf.certificate_pem);
    InstallKey(leaf.key_pem);
  }
  void InstallKey(std::string_view pem) const {
    RewriteFile(key_, pem);
    ASSERT_EQ(chmod(key_.c_str(), 0600), 0);
  }

  FileIdentityOptions Options() const {
    return {.certificate = certificate_,
            .private_key = key_,
            .trust_bundle = bundle_,
            .poll_interval = std::chrono::milliseconds(5),
            .clock = &clock_};
  }

  absl::StatusOr<std::shared_ptr<IdentitySource>> Watch() const {
    return IdentitySource::WatchFiles(Options());
  }
  void Start(const FileIdentityOptions& options) {
    absl::StatusOr<std::shared_ptr<IdentitySource>> source = IdentitySource::WatchFiles(options);
    ASSERT_TRUE(source.ok()) << source.status();
    source_ = *std::move(source);
    subscription_ = source_->Subscribe([this](const std::shared_ptr<const Identity>& identity) {
      const std::lock_guard lock(mutex_);
      told_.push_back(identity);
      changed_.notify_all();
    });
  }
  void Start() { Start(Options()); }

  // The next snapshot that subscribers are told of, null when there comes none.
  std::shared_ptr<const Identity> Next() {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, kPatience, [&] { return !told_.empty(); })) return nullptr;
    const std::shared_ptr<const Identity> identity = told_.front();
    told_.pop_front();
    return identity;
  }
  bool NextIs(const Leaf& leaf) {
    const std::shared_ptr<const Identity> identity = Next();
    return identity != nullptr && identity->leaf() == leaf.certificate &&
           source_->Current()->leaf() == leaf.certificate;
  }
  bool NothingTold() {
    const std::lock_guard lock(mutex_);
    return told_.empty();
  }
  template <typename Condition>
  bool Eventually(Condition condition) const {
    const auto end = std::chrono::steady_clock::now() + kPatience;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > end) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return true;
  }
  bool EventuallyRejected(std::uint64_t count) const {
    return Eventually([&] { return source_->Statistics().rejected >= count; });
  }
  // After so many more polls whatever was there to be seen has been seen. The poll reads the clock
  // each time.
  void WaitForPolls(int polls) const {
    const int before = clock_.readings();
    ASSERT_TRUE(Eventually([&] { return clock_.readings() >= before + polls; }));
  }

  const TestFolder folder_;
  const TestAuthority authority_;
  const Leaf first_ = authority_.IssueLeaf(), second_ = authority_.IssueLeaf();
  const std::string certificate_ = folder_ / "server.pem";
  const std::string key_ = folder_ / "server.key";
  const std::string bundle_ = folder_ / "ca.pem";
  FakeClock clock_;
  CapturedLog log_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<const Identity>> told_;
  std::shared_ptr<IdentitySource> source_;
  Subscription subscription_;
};

TEST_F(FileIdentitySourceTest, LoadsAtOnce) {
  Start();
  EXPECT_EQ(source_->Current()->leaf(), first_.certificate);
  const IdentityStatistics statistics = source_->Statistics();
  EXPECT_EQ(statistics.rotations, 0u);
  EXPECT_EQ(statistics.rejected, 0u);
  EXPECT_EQ(statistics.last_error, "");
  EXPECT_EQ(statistics.seconds_left, Seconds(90 * kDay).count() + 1);
  EXPECT_THAT(log_.lines(), IsEmpty());
}

TEST_F(FileIdentitySourceTest, WithoutAnyPathThereIsNothingToLoad) {
  EXPECT_EQ(ReasonOf(IdentitySource::WatchFiles({}).status()), Reason::kConfigurationInvalid);
}

TEST_F(FileIdentitySourceTest, ReplacementsAreTakenAndTold) {
  Start();
  Install(second_);
  EXPECT_TRUE(NextIs(second_));
  Install(first_);
  EXPECT_TRUE(NextIs(first_));
  EXPECT_EQ(source_->Statistics().rotations, 2u);
  EXPECT_EQ(source_->Statistics().last_error, "");
}

TEST_F(FileIdentitySourceTest, ACombinedFileIsReplacedInOneStep) {
  const std::string both = folder_ / "both.pem";
  const auto install = [&](const Leaf& leaf) {
    ASSERT_TRUE(WriteFile(both, leaf.key_pem + leaf.certificate_pem,
                          {.mode = 0600, .overwrite = Overwrite::kReplace})
                    .ok());
  };
  install(first_);
  FileIdentityOptions options = Options();
  options.certificate = options.private_key = both;
  Start(options);
  install(second_);
  EXPECT_TRUE(NextIs(second_));
  EXPECT_EQ(source_->Statistics().rejected, 0u);
  EXPECT_THAT(log_.lines(), IsEmpty());

  // Named once it is the same.
  options.private_key = "";
  EXPECT_TRUE(IdentitySource::WatchFiles(options).ok());
}

TEST_F(FileIdentitySourceTest, ATrustBundleAloneIsWatchedToo) {
  FileIdentityOptions options = Options();
  options.certificate = options.private_key = "";
  Start(options);
  EXPECT_FALSE(source_->Current()->has_certificate());
  EXPECT_EQ(source_->Statistics().seconds_left, std::nullopt);
  const TestAuthority other("other");
  RewriteFile(bundle_, authority_.pem() + other.pem());
  const std::shared_ptr<const Identity> next = Next();
  ASSERT_NE(next, nullptr);
  EXPECT_EQ(next->trust_bundle().anchors().size(), 2u);
}

TEST_F(FileIdentitySourceTest, TheSameContentWrittenAgainReplacesNothing) {
  Start();
  const std::shared_ptr<const Identity> before = source_->Current();
  for (int i = 0; i < 3; ++i) {
    Install(first_);
    fs::rename(certificate_, certificate_ + ".x");
    fs::rename(certificate_ + ".x", certificate_);
  }
  WaitForPolls(5);
  EXPECT_EQ(source_->Current(), before);
  EXPECT_EQ(source_->Statistics().rotations, 0u);
  EXPECT_TRUE(NothingTold());
}

TEST_F(FileIdentitySourceTest, AMismatchKeepsTheOldOneUntilThePairIsWhole) {
  Start();
  RewriteFile(certificate_, second_.certificate_pem);
  ASSERT_TRUE(EventuallyRejected(1));
  EXPECT_EQ(source_->Current()->leaf(), first_.certificate);
  EXPECT_THAT(source_->Statistics().last_error, AllOf(HasSubstr(certificate_), HasSubstr(key_)));
  WaitForPolls(5);
  EXPECT_EQ(source_->Statistics().rejected, 1u);  // the same state, however often it is looked at
  EXPECT_THAT(log_.lines(), ElementsAre(AllOf(HasSubstr("warning"), HasSubstr("key_mismatch"),
                                              HasSubstr("server.pem"), HasSubstr("server.key"))));
  InstallKey(second_.key_pem);
  EXPECT_TRUE(NextIs(second_));
  EXPECT_EQ(source_->Statistics().last_error, "");
  EXPECT_EQ(source_->Statistics().rotations, 1u);
}

TEST_F(FileIdentitySourceTest, APairThatGoesBackToTheOldOneIsNoRotation) {
  Start();
  RewriteFile(certificate_, second_.certificate_pem);
  ASSERT_TRUE(EventuallyRejected(1));
  RewriteFile(certificate_, first_.certificate_pem);
  ASSERT_TRUE(Eventually([&] { return source_->Statistics().last_error.empty(); }));
  EXPECT_EQ(source_->Statistics().rotations, 0u);
  EXPECT_TRUE(NothingTold());
  // The same mistake again is another one.
  RewriteFile(certificate_, second_.certificate_pem);
  EXPECT_TRUE(EventuallyRejected(2));
}

TEST_F(FileIdentitySourceTest, BrokenReplacementsAreKeptOutWhateverIsWrong) {
  Start();
  const TestAuthority foreign("foreign");
  const Leaf expired =
      authority_.IssueLeaf({.validity = {TestTime() - 2 * kDay, TestTime() - kDay}});
  std::uint64_t count = 0;
  for (const auto& [break_it, code] :
       std::initializer_list<std::pair<std::function<void()>, std::string>>{
           {[&] { fs::remove(certificate_); }, "file_not_found"},
           {[&] { RewriteFile(certificate_, ""); }, "file_empty"},
           {[&] { RewriteFile(certificate_, second_.certificate_pem.substr(0, 200)); },
            "file_wrong_format"},
           {[&] { Install(foreign.IssueLeaf()); }, "issuer_unknown"},
           {[&] { Install(expired); }, "certificate_expired"},
           {[&] { fs::remove(key_); }, "file_not_found"},
           {[&] {
              Install(first_);
              RewriteFile(bundle_, foreign.pem());
            },
            "issuer_unknown"},
           {[&] { fs::remove(bundle_); }, "file_not_found"}}) {
    SCOPED_TRACE(code);
    break_it();
    ASSERT_TRUE(EventuallyRejected(++count));
    // Steps on the way to the broken state may have been seen and counted as well.
    EXPECT_TRUE(Eventually([&] {
      count = source_->Statistics().rejected;
      const std::vector<std::string> lines = log_.lines();
      return lines.size() == count && lines.back().find("reason=" + code) != std::string::npos;
    })) << log_.lines().back();
    EXPECT_EQ(source_->Current()->leaf(), first_.certificate);
  }
  EXPECT_EQ(source_->Statistics().rotations, 0u);
  EXPECT_TRUE(NothingTold());
  Install(second_);
  RewriteFile(bundle_, authority_.pem());
  EXPECT_TRUE(NextIs(second_));
}

TEST_F(FileIdentitySourceTest, AReplacementFromTheFutureIsTakenWhenItsTimeComes) {
  Start();
  const Leaf future =
      authority_.IssueLeaf({.validity = {TestTime() + kDay, TestTime() + 30 * kDay}});
  Install(future);
  ASSERT_TRUE(Eventually(
      [&] { return source_->Statistics().last_error.find("valid from") != std::string::npos; }));
  clock_.Set(TestTime() + kDay - Seconds(1));
  WaitForPolls(5);
  EXPECT_EQ(source_->Current()->leaf(), first_.certificate);
  clock_.Set(TestTime() + kDay);
  EXPECT_TRUE(NextIs(future));
}

TEST_F(FileIdentitySourceTest, AFileThatBecomesReadableWithoutAnEventIsFound) {
  // A link to a file whose folder appears later, far from where the link is.
  const TestFolder elsewhere;
  Start();
  fs::remove(certificate_);
  fs::create_symlink(elsewhere / "a/b/server.pem", certificate_);
  ASSERT_TRUE(EventuallyRejected(1));
  fs::create_directories(elsewhere / "a/b");
  InstallKey(second_.key_pem);
  RewriteFile(elsewhere / "a/b/server.pem", second_.certificate_pem);
  EXPECT_TRUE(NextIs(second_));
}

TEST_F(FileIdentitySourceTest, AKubernetesVolumeIsSwitchedInOneStep) {
  const auto make = [&](const std::string& name, const Leaf& leaf) {
    fs::create_directories(folder_ / name);
    RewriteFile(folder_ / name + "/tls.crt", leaf.certificate_pem);
    RewriteFile(folder_ / name + "/tls.key", leaf.key_pem);
    ASSERT_EQ(chmod((folder_ / name + "/tls.key").c_str(), 0600), 0);
  };
  make("..one", first_);
  make("..two", second_);
  fs::create_symlink("..one", folder_ / "..data");
  fs::create_symlink("..data/tls.crt", folder_ / "tls.crt");
  fs::create_symlink("..data/tls.key", folder_ / "tls.key");
  FileIdentityOptions options = Options();
  options.certificate = folder_ / "tls.crt";
  options.private_key = folder_ / "tls.key";
  options.poll_interval = std::chrono::hours(1);  // inotify alone
  Start(options);
  fs::create_symlink("..two", folder_ / "..data_tmp");
  fs::rename(folder_ / "..data_tmp", folder_ / "..data");
  EXPECT_TRUE(NextIs(second_));
  EXPECT_EQ(source_->Statistics().rejected, 0u);
}

TEST_F(FileIdentitySourceTest, ExpiryIsToldOnceADayAndAsAnErrorOnceItIsPast) {
  const Leaf leaf =
      authority_.IssueLeaf({.validity = {TestTime() - 50 * kDay, TestTime() + 10 * kDay}});
  Install(leaf);
  Start();
  WaitForPolls(3);
  EXPECT_THAT(log_.lines(), IsEmpty());  // more than a week
  clock_.Set(TestTime() + 3 * kDay + Seconds(1));
  ASSERT_TRUE(log_.WaitFor(1));
  EXPECT_THAT(log_.lines().back(), AllOf(HasSubstr("warning: "), HasSubstr("expires soon"),
                                         HasSubstr("certificate_expired"), HasSubstr("7 d")));
  WaitForPolls(5);
  EXPECT_EQ(log_.lines().size(), 1u);
  clock_.Set(TestTime() + 10 * kDay - Seconds(1));
  ASSERT_TRUE(log_.WaitFor(2));
  WaitForPolls(5);
  EXPECT_EQ(log_.lines().size(), 2u);
  clock_.Set(TestTime() + 10 * kDay + Seconds(1));
  ASSERT_TRUE(log_.WaitFor(3));
  EXPECT_THAT(log_.lines().back(), AllOf(HasSubstr("error: "), HasSubstr("has expired")));
  EXPECT_EQ(source_->Statistics().seconds_left, 0);
  clock_.Advance(kDay);
  ASSERT_TRUE(log_.WaitFor(4));
  EXPECT_EQ(source_->Statistics().seconds_left, -Seconds(kDay).count());
  // A new one ends it.
  Install(second_);
  ASSERT_TRUE(NextIs(second_));
  const size_t lines = log_.lines().size();
  WaitForPolls(5);
  EXPECT_EQ(log_.lines().size(), lines);
}

TEST_F(FileIdentitySourceTest, AShortLifeIsWarnedOfInItsLastThird) {
  const auto hours = [](int count) { return std::chrono::hours(count); };
  Install(authority_.IssueLeaf({.validity = {TestTime(), TestTime() + hours(24) - Seconds(1)}}));
  Start();
  clock_.Set(TestTime() + hours(16) - Seconds(1));
  WaitForPolls(5);
  EXPECT_THAT(log_.lines(), IsEmpty());
  clock_.Set(TestTime() + hours(16));
  ASSERT_TRUE(log_.WaitFor(1));
  EXPECT_THAT(log_.lines().back(), AllOf(HasSubstr("expires soon"), HasSubstr("8 h")));
}

TEST_F(FileIdentitySourceTest, WhatStaysRejectedIsAnErrorEveryMinute) {
  Start();
  // The authority that issued our certificate is withdrawn, and our certificate was not renewed.
  const TestAuthority next("next");
  const auto install_bundle = [&](const std::string& pem) {
    ASSERT_TRUE(WriteFile(bundle_, pem, {.overwrite = Overwrite::kReplace}).ok());
  };
  install_bundle(next.pem());
  ASSERT_TRUE(log_.WaitFor(1));
  EXPECT_THAT(log_.lines().back(), HasSubstr("warning: "));
  clock_.Advance(Seconds(59));
  WaitForPolls(10);
  EXPECT_EQ(log_.lines().size(), 1u);
  for (const size_t lines : {2u, 3u}) {
    clock_.Advance(Seconds(60));
    ASSERT_TRUE(log_.WaitFor(lines));
    EXPECT_THAT(log_.lines().back(),
                AllOf(HasSubstr("error: "), HasSubstr(bundle_), HasSubstr("reason=issuer_unknown"),
                      HasSubstr("since=" + FormatTime(TestTime()))));
    WaitForPolls(10);
    EXPECT_EQ(log_.lines().size(), lines);
  }
  EXPECT_EQ(source_->Statistics().rejected, 1u);
  EXPECT_EQ(source_->Current()->trust_bundle().anchors(),
            std::vector<Certificate>{authority_.certificate()});
  // A clock that is set back does not make it silent.
  clock_.Set(TestTime());
  ASSERT_TRUE(log_.WaitFor(4));

  install_bundle(authority_.pem());
  ASSERT_TRUE(Eventually([&] { return source_->Statistics().last_error.empty(); }));
  const size_t lines = log_.lines().size();
  clock_.Advance(Seconds(300));
  WaitForPolls(10);
  EXPECT_EQ(log_.lines().size(), lines);
}

TEST_F(FileIdentitySourceTest, ASinkMayAskTheSource) {
  Start();
  std::mutex mutex;
  std::vector<std::string> answered;
  std::vector<std::thread> threads;
  SetLogSink([&](const LogEntry& entry) {
    // From another thread, so that a lock which is held fails the test and does not hang it.
    std::promise<void> promise;
    std::future<void> asked = promise.get_future();
    threads.emplace_back([this, promise = std::move(promise)]() mutable {
      source_->Current();
      source_->Statistics();
      promise.set_value();
    });
    const bool in_time = asked.wait_for(std::chrono::seconds(3)) == std::future_status::ready;
    const std::lock_guard lock(mutex);
    answered.push_back(entry.message + (in_time ? "" : " with a lock held"));
  });
  const auto logged = [&] {
    const std::lock_guard lock(mutex);
    return answered;
  };
  const auto replace = [](const std::string& path, std::string_view text) {
    ASSERT_TRUE(WriteFile(path, text, {.mode = 0600, .overwrite = Overwrite::kReplace}).ok());
  };
  replace(certificate_, second_.certificate_pem);
  ASSERT_TRUE(Eventually([&] { return logged().size() == 1; }));
  replace(certificate_, first_.certificate_pem);
  ASSERT_TRUE(Eventually([&] { return logged().size() == 2; }));
  replace(certificate_, authority_.pem() + first_.certificate_pem);
  ASSERT_TRUE(Eventually([&] { return logged().size() == 4; }));
  clock_.Advance(365 * kDay);
  ASSERT_TRUE(Eventually([&] { return logged().size() == 5; }));
  SetLogSink(nullptr);
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(answered,
              ElementsAre("new identity is not used, the old one stays",
                          "files hold the identity in use again", "identity is usable but poor",
                          "identity replaced",
                          "identity has expired, peers refuse it; renew its certificate"));
}

TEST_F(FileIdentitySourceTest, AnExpiredIdentityWrittenAgainIsNoRejection) {
  Start();
  clock_.Advance(365 * kDay);
  ASSERT_TRUE(log_.WaitFor(1));  // that it has expired
  Install(first_);
  WaitForPolls(5);
  EXPECT_EQ(source_->Statistics().rejected, 0u);
  EXPECT_EQ(source_->Statistics().last_error, "");
}

TEST_F(FileIdentitySourceTest, EachSnapshotIsWarnedOfAnew) {
  const auto ending_in = [&](int days) {
    return authority_.IssueLeaf({.validity = {TestTime() - 50 * kDay, TestTime() + days * kDay}});
  };
  Install(ending_in(5));
  Start();
  EXPECT_THAT(log_.lines(), ElementsAre(HasSubstr("5 d")));
  const Leaf next = ending_in(3);
  Install(next);
  ASSERT_TRUE(NextIs(next));
  ASSERT_TRUE(Eventually([&] { return log_.lines().back().find("3 d") != std::string::npos; }));
}

TEST_F(FileIdentitySourceTest, APoorIdentityIsWarnedOfOnLoading) {
  RewriteFile(certificate_, authority_.pem() + first_.certificate_pem);
  Start();
  EXPECT_THAT(log_.lines(), ElementsAre(HasSubstr("number 2 of the file")));
}

TEST_F(FileIdentitySourceTest, APassphraseFileOpensAnEncryptedKey) {
  const PrivateKey key = NewKey();
  const Leaf leaf = authority_.IssueLeaf({.key = &key});
  Install(leaf);
  InstallKey(key.ToEncryptedPem(Secret(std::string("open sesame")))->Reveal());
  FileIdentityOptions options = Options();
  options.passphrase_file = folder_ / "passphrase";
  for (const auto& [content, reason] :
       std::initializer_list<std::pair<std::string, std::optional<Reason>>>{
           {"open sesame", std::nullopt},
           {"open sesame\n", std::nullopt},
           {"open sesame\r\n", std::nullopt},
           {"open sesame \n", Reason::kPassphraseWrong},
           {"\n", Reason::kPassphraseWrong},
           {"", Reason::kFileEmpty}}) {
    RewriteFile(options.passphrase_file, content);
    ASSERT_EQ(chmod(options.passphrase_file.c_str(), 0600), 0);
    const auto source = IdentitySource::WatchFiles(options);
    EXPECT_EQ(source.ok() ? std::nullopt : ReasonOf(source.status()), reason) << content;
  }
  EXPECT_THAT(log_.lines(), IsEmpty());
}

TEST_F(FileIdentitySourceTest, ASourceMayEndInsideACallback) {
  absl::StatusOr<std::shared_ptr<IdentitySource>> watched = Watch();
  ASSERT_TRUE(watched.ok());
  std::shared_ptr<IdentitySource> source = *std::move(watched);
  std::promise<void> ended;
  const Subscription subscription = source->Subscribe([&](const auto&) {
    watched = absl::UnknownError("gone");
    source.reset();
    ended.set_value();
  });
  Install(second_);
  EXPECT_EQ(ended.get_future().wait_for(kPatience), std::future_status::ready);
}

// Key and certificate are never mixed, whatever the moment at which they are read.
TEST_F(FileIdentitySourceTest, EverySnapshotIsWholeWhileFilesAreReplacedInAnyOrder) {
  constexpr int kReplacements = 300;
  Start();
  std::atomic<bool> stop = false;
  std::vector<std::thread> readers;
  for (int i = 0; i < 2; ++i) {
    readers.emplace_back([&] {
      while (!stop) {
        const std::shared_ptr<const Identity> identity = source_->Current();
        ASSERT_EQ(identity->private_key().public_key(), identity->leaf().public_key());
        ASSERT_EQ(identity->chain().size(), 1u);
        source_->Statistics();
        std::this_thread::yield();
      }
    });
  }
  std::vector<Leaf> leaves;
  for (int i = 0; i < 7; ++i) leaves.push_back(authority_.IssueLeaf());
  for (int i = 0; i < kReplacements; ++i) {
    const Leaf& leaf = leaves[static_cast<size_t>(i) % leaves.size()];
    const auto write_certificate = [&] {
      if (i % 3 == 0) {
        ASSERT_TRUE(
            WriteFile(certificate_, leaf.certificate_pem, {.overwrite = Overwrite::kReplace}).ok());
      } else {
        RewriteFile(certificate_, leaf.certificate_pem);
      }
    };
    if (i % 2 == 0) write_certificate();
    InstallKey(leaf.key_pem);
    if (i % 2 != 0) write_certificate();
    // Now and then time to be noticed.
    if (i % 10 == 9) {
      ASSERT_TRUE(Eventually([&] { return source_->Current()->leaf() == leaf.certificate; }));
    }
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_GE(source_->Statistics().rotations, kReplacements / 10u);
  EXPECT_TRUE(Eventually([&] { return source_->Statistics().last_error.empty(); }));
}

}  // namespace
}  // namespace troth
