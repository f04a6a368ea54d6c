#include <algorithm>
#include <array>
#include <mutex>
#include <utility>
#include <vector>

#include "troth/base/file.h"
#include "troth/base/file_watcher.h"
#include "troth/base/log.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/identity/identity_source.h"
#include "troth/identity/subscribers_internal.h"
#include "troth/pki/digest.h"

namespace troth {
namespace {

constexpr Seconds kRemindOfExpiryEvery = std::chrono::hours(24);
constexpr Seconds kRemindOfRejectionEvery = std::chrono::minutes(1);

// Whether what was said `at` is to be said again. A clock that was set back does not silence it.
bool IsDue(Time at, Seconds every, Time now) { return now < at || now - at >= every; }

std::string Quoted(const std::string& path) { return "'" + Printable(path, 400) + "'"; }

// What is to be logged once no lock is held: the application's sink may ask the source.
class LogLater {
 public:
  void Add(LogLevel level, std::string_view message,
           std::initializer_list<std::pair<std::string_view, std::string_view>> fields) {
    LogEntry entry{.level = level, .message = std::string(message), .fields = {}};
    for (const auto& [key, value] : fields) entry.fields.emplace_back(key, value);
    entries_.push_back(std::move(entry));
  }
  LogLater() = default;
  LogLater(const LogLater&) = delete;
  LogLater& operator=(const LogLater&) = delete;
  ~LogLater() {
    for (const LogEntry& entry : entries_) Log(entry);
  }

 private:
  std::vector<LogEntry> entries_;
};

// The files of one identity as they were read.
struct Contents {
  Secret certificate, private_key, trust_bundle;
  std::optional<Secret> passphrase;
  // Stands for the state of the files: the same for the same content, or for the same error.
  std::string state;
  std::vector<std::string> warnings;
};

// A file's text, or an empty one for an empty path. Adds to `state` what stands for it. `role` is
// what the file is for.
absl::StatusOr<Secret> ReadPart(const std::string& path, std::string_view role,
                                std::string& state) {
  if (path.empty()) {
    state += "-;";
    return Secret();
  }
  absl::StatusOr<std::string> text = ReadFile(path);
  if (!text.ok()) {
    state += std::string(ToStd(text.status().message())) + ";";
    return WithContext(text.status(), role);
  }
  state += FormatFingerprint(Sha256(*text)) + ";";
  return Secret(*std::move(text));
}

Secret WithoutLineEnd(const Secret& secret) {
  std::string_view text = secret.Reveal();
  if (text.ends_with('\n')) text.remove_suffix(1);
  if (text.ends_with('\r')) text.remove_suffix(1);
  return Secret(std::string(text));
}

// Reads and judges the files, keeps the snapshot and counts. Update and Poll come from one thread
// at a time.
class FileIdentity {
 public:
  explicit FileIdentity(FileIdentityOptions options) : options_(std::move(options)) {}

  std::vector<std::string> Paths() const {
    std::vector<std::string> paths = {options_.certificate, options_.private_key,
                                      options_.trust_bundle, options_.passphrase_file};
    std::erase(paths, "");
    return paths;
  }

  // The first snapshot. Until it is there, Update and Poll do nothing.
  absl::Status Load() {
    LogLater log;  // before the locks, so that it goes after them
    const std::lock_guard updating(update_mutex_);
    std::string state;
    absl::StatusOr<std::shared_ptr<const Identity>> identity = Evaluate(state, log);
    if (!identity.ok()) return identity.status();
    const std::lock_guard lock(mutex_);
    current_ = *std::move(identity);
    current_state_ = std::move(state);
    RemindOfExpiry(log);
    return absl::OkStatus();
  }

  void Update() {
    {
      LogLater log;
      const std::lock_guard updating(update_mutex_);
      if (Current() == nullptr) return;
      UpdateLocked(log);
    }
    subscribers_.Deliver();
  }

  // What depends on the time: a replacement may have become valid, the snapshot may expire.
  void Poll() {
    bool pending = false;
    {
      const std::lock_guard lock(mutex_);
      if (current_ == nullptr) return;
      pending = !statistics_.last_error.empty();
    }
    if (pending) Update();
    LogLater log;
    const std::lock_guard lock(mutex_);
    RemindOfExpiry(log);
  }

  std::shared_ptr<const Identity> Current() const {
    const std::lock_guard lock(mutex_);
    return current_;
  }

  IdentityStatistics Statistics() const {
    const std::lock_guard lock(mutex_);
    IdentityStatistics statistics = statistics_;
    if (current_->expires().has_value()) {
      statistics.seconds_left = (*current_->expires() - options_.clock->Now()).count();
    }
    return statistics;
  }

  Subscription Subscribe(Subscribers::Callback changed) {
    return subscribers_.Add(std::move(changed));
  }

 private:
  // Sets `contents.state` in any case.
  absl::Status ReadOnce(Contents& contents) const {
    contents = Contents();
    absl::Status status;
    const auto read = [&](const std::string& path, std::string_view role, Secret& part) {
      absl::StatusOr<Secret> text = ReadPart(path, role, contents.state);
      if (text.ok()) {
        part = *std::move(text);
      } else {
        status.Update(text.status());
      }
    };
    read(options_.certificate, "certificate", contents.certificate);
    if (options_.private_key == options_.certificate) {
      contents.private_key = contents.certificate.Clone();
    } else {
      read(options_.private_key, "private key", contents.private_key);
    }
    read(options_.trust_bundle, "trust bundle", contents.trust_bundle);
    if (!options_.passphrase_file.empty()) {
      Secret text;
      read(options_.passphrase_file, "passphrase", text);
      contents.passphrase = WithoutLineEnd(text);
    }
    return status;
  }

  // Files are replaced one after another: what was read counts only when none changed meanwhile.
  // Gives up after a few attempts, for the watcher reports the change that came last.
  absl::Status Read(Contents& contents) const {
    constexpr int kAttempts = 5;
    const std::vector<std::string> paths = Paths();
    const auto versions = [&paths] {
      std::vector<std::optional<FileVersion>> all;
      all.reserve(paths.size());
      for (const std::string& path : paths) all.push_back(VersionOf(path));
      return all;
    };
    absl::Status status;
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      const auto before = versions();
      status = ReadOnce(contents);
      if (versions() == before) break;
    }
    const std::string& key =
        options_.private_key.empty() ? options_.certificate : options_.private_key;
    for (const std::string& path : {key, options_.passphrase_file}) {
      const std::optional<FileVersion> version = VersionOf(path);
      if (path.empty() || !version.has_value() || !IsOpenToOthers(version->mode)) continue;
      contents.warnings.push_back(Quoted(path) +
                                  ": others can read or write this secret; run `chmod 600 " +
                                  Printable(path, 400) + "`");
    }
    return status;
  }

  absl::StatusOr<std::shared_ptr<const Identity>> Evaluate(std::string& state, LogLater& log) {
    Contents contents;
    absl::Status status = Read(contents);
    state = contents.state;
    if (!status.ok()) return status;
    if (state == current_state_) return Current();
    const std::string certificate = Quoted(options_.certificate);
    const std::string private_key = Quoted(options_.private_key);
    const std::string trust_bundle = Quoted(options_.trust_bundle);
    absl::StatusOr<std::shared_ptr<const Identity>> identity =
        Identity::Create({.certificate_pem = contents.certificate.Reveal(),
                          .private_key_pem = contents.private_key.Reveal(),
                          .trust_bundle_pem = contents.trust_bundle.Reveal(),
                          .passphrase = contents.passphrase ? &*contents.passphrase : nullptr,
                          .allow_untrusted_chain = options_.allow_untrusted_chain,
                          .certificate_name = certificate,
                          .private_key_name = private_key,
                          .trust_bundle_name = trust_bundle},
                         options_.clock->Now());
    if (!identity.ok()) return identity.status();
    std::vector<std::string> warnings = std::move(contents.warnings);
    warnings.insert(warnings.end(), (*identity)->warnings().begin(), (*identity)->warnings().end());
    for (const std::string& warning : warnings) {
      if (std::ranges::find(warned_, warning) != warned_.end()) continue;
      log.Add(LogLevel::kWarning, "identity is usable but poor", {{"warning", warning}});
    }
    warned_ = std::move(warnings);
    return identity;
  }

  // With update_mutex_ held.
  void UpdateLocked(LogLater& log) {
    std::string state;
    absl::StatusOr<std::shared_ptr<const Identity>> identity = Evaluate(state, log);
    if (!identity.ok()) {
      Reject(std::move(state), identity.status(), log);
      return;
    }
    const std::lock_guard lock(mutex_);
    const bool pending = !std::exchange(statistics_.last_error, "").empty();
    rejected_.reset();
    if (state == current_state_) {
      if (pending)
        log.Add(LogLevel::kInfo, "files hold the identity in use again", {{"file", Name()}});
      return;
    }
    current_ = *std::move(identity);
    current_state_ = std::move(state);
    ++statistics_.rotations;
    reminded_.reset();
    subscribers_.Enqueue(current_);
    if (current_->has_certificate()) {
      log.Add(LogLevel::kInfo, "identity replaced",
              {{"file", Name()},
               {"certificate", current_->leaf().Describe()},
               {"expires", FormatTime(*current_->expires())}});
    } else {
      log.Add(LogLevel::kInfo, "trust bundle replaced", {{"file", Name()}});
    }
    RemindOfExpiry(log);
  }

  // The first time may be a moment between two files of one replacement: a warning. What stays
  // rejected is an error, said again and again, for the old snapshot may trust what the new files
  // withdraw (docs/decisions/0011).
  void Reject(std::string state, const absl::Status& status, LogLater& log) {
    // The reason belongs to it: one content can first be too new and later too old.
    state += CodeOf(status);
    const Time now = options_.clock->Now();
    const std::lock_guard lock(mutex_);
    const bool again = rejected_.has_value() && rejected_->state == state;
    if (again && !IsDue(rejected_->said_at, kRemindOfRejectionEvery, now)) return;
    statistics_.last_error = ToStd(status.message());
    if (again) {
      rejected_->said_at = now;
    } else {
      rejected_ = Rejection{.state = std::move(state), .since = now, .said_at = now};
      ++statistics_.rejected;
    }
    log.Add(again ? LogLevel::kError : LogLevel::kWarning,
            again ? "new identity is still not used, the old one stays with all that it trusts"
                  : "new identity is not used, the old one stays",
            {{"file", Name()},
             {"reason", CodeOf(status)},
             {"error", statistics_.last_error},
             {"fix", FixOf(status)},
             {"since", FormatTime(rejected_->since)}});
  }

  // With mutex_ held.
  void RemindOfExpiry(LogLater& log) {
    if (!current_->expires().has_value()) return;
    const Time now = options_.clock->Now();
    const Seconds left = *current_->expires() - now;
    // A certificate that lives for a day is not about to expire all its life.
    const Seconds lifetime = *current_->expires() - current_->leaf().validity().not_before;
    const Seconds warn_before = std::min(options_.warn_before_expiry, lifetime / 3);
    if (left > warn_before && left > Seconds(0)) return;
    const bool expired = left <= Seconds(0);
    const bool said = reminded_.has_value() && reminded_->expired == expired &&
                      !IsDue(reminded_->at, kRemindOfExpiryEvery, now);
    if (said) return;
    reminded_ = Reminder{.at = now, .expired = expired};
    log.Add(expired ? LogLevel::kError : LogLevel::kWarning,
            expired ? "identity has expired, peers refuse it; renew its certificate"
                    : "identity expires soon; renew its certificate",
            {{"file", Name()},
             {"reason", CodeOf(Reason::kCertificateExpired)},
             {"certificate", current_->leaf().Describe()},
             {"expires", FormatTime(*current_->expires())},
             {expired ? "since" : "left", FormatDuration(expired ? -left : left)}});
  }

  const std::string& Name() const {
    for (const std::string* path : {&options_.certificate, &options_.private_key}) {
      if (!path->empty()) return *path;
    }
    return options_.trust_bundle;
  }

  struct Rejection {
    std::string state;
    Time since, said_at;
  };
  struct Reminder {
    Time at;
    bool expired = false;
  };

  const FileIdentityOptions options_;
  Subscribers subscribers_;

  std::mutex update_mutex_;    // one reading at a time; taken before mutex_
  std::string current_state_;  // guarded by update_mutex_, as warned_
  std::vector<std::string> warned_;

  mutable std::mutex mutex_;
  std::shared_ptr<const Identity> current_;  // guarded by mutex_, as all that follows
  std::optional<Rejection> rejected_;        // the newest files, when they are not in use
  IdentityStatistics statistics_;
  std::optional<Reminder> reminded_;
};

// The watcher's callbacks share the files' state, so that the source may end inside one of them.
class FileIdentitySource : public IdentitySource {
 public:
  FileIdentitySource(std::shared_ptr<FileIdentity> files, std::unique_ptr<FileWatcher> watcher)
      : files_(std::move(files)), watcher_(std::move(watcher)) {}

  std::shared_ptr<const Identity> Current() const override { return files_->Current(); }
  Subscription Subscribe(std::function<void(std::shared_ptr<const Identity>)> changed) override {
    return files_->Subscribe(std::move(changed));
  }
  IdentityStatistics Statistics() const override { return files_->Statistics(); }

 private:
  const std::shared_ptr<FileIdentity> files_;
  const std::unique_ptr<FileWatcher> watcher_;
};

}  // namespace

absl::StatusOr<std::shared_ptr<IdentitySource>> IdentitySource::WatchFiles(
    FileIdentityOptions options) {
  const std::chrono::milliseconds poll_interval = options.poll_interval;
  auto files = std::make_shared<FileIdentity>(std::move(options));
  if (files->Paths().empty()) {
    return MakeError(Reason::kConfigurationInvalid,
                     "expected the files of a certificate and its key, of a trust bundle, or all "
                     "three; got none");
  }
  // First watch, then read: what changes meanwhile is not lost.
  std::unique_ptr<FileWatcher> watcher =
      FileWatcher::Start(files->Paths(), [files] { files->Update(); },
                         {.poll_interval = poll_interval, .polled = [files] { files->Poll(); }});
  if (absl::Status status = files->Load(); !status.ok()) return status;
  return std::make_shared<FileIdentitySource>(std::move(files), std::move(watcher));
}

}  // namespace troth
