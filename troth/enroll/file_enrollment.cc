#include "troth/enroll/file_enrollment.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <system_error>
#include <utility>

#include "troth/base/file.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/pki/token_text.h"

namespace troth {
namespace {

constexpr mode_t kPublicMode = 0644;

// The content of a file; empty when there is none, or nothing in it.
absl::StatusOr<std::string> ReadIfThere(const std::string& path) {
  absl::StatusOr<std::string> content = ReadFile(path);
  const std::optional<Reason> reason = ReasonOf(content.status());
  if (reason == Reason::kFileNotFound || reason == Reason::kFileEmpty) return std::string();
  return content;
}

absl::Status Remove(const std::string& path) {
  if (unlink(path.c_str()) == 0 || errno == ENOENT) return absl::OkStatus();
  return MakeError(Reason::kFileWriteFailed,
                   "cannot remove '" + Printable(path, 400) +
                       "': " + std::error_code(errno, std::generic_category()).message());
}

bool SaysWhomToTrust(const HttpTrust& trust) {
  return trust.bundle.has_value() || trust.root_fingerprint.has_value() || trust.system;
}

// Reads the trust bundle's file into the options, where that counts.
absl::Status TakeTrustBundle(EnrollOptions& options, const std::string& path) {
  if (options.trust.bundle.has_value() || !FileExists(path)) return absl::OkStatus();
  absl::StatusOr<TrustBundle> bundle = TrustBundle::FromFile(path);
  if (!bundle.ok()) return bundle.status();
  std::optional<Sha256Digest> named = options.trust.root_fingerprint;
  if (!named.has_value() && !options.trust.system && !options.token.empty()) {
    const absl::StatusOr<TokenText> token = TokenText::Parse(options.token.Reveal());
    if (!token.ok()) return token.status();
    named = token->root_fingerprint;
  }
  const bool has_it =
      !named.has_value() || std::ranges::any_of(bundle->anchors(), [&](const Certificate& anchor) {
        return anchor.fingerprint() == *named;
      });
  if (!has_it) {
    return MakeError(Reason::kIssuerUnknown,
                     "'" + Printable(path, 400) + "' holds " +
                         bundle->anchors().front().Describe() +
                         ", but the fingerprint or token that was given is of another CA, " +
                         FormatFingerprint(*named) + "; remove the file if that is right");
  }
  if (SaysWhomToTrust(options.trust)) {
    options.authority = *std::move(bundle);
  } else {
    options.trust.bundle = *std::move(bundle);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<FileEnrollment>> FileEnrollment::Open(
    FileEnrollmentOptions options) {
  if (absl::Status status = TakeTrustBundle(options.enroll, options.paths.trust_bundle);
      !status.ok()) {
    return status;
  }
  if (!SaysWhomToTrust(options.enroll.trust) && options.enroll.token.empty()) {
    // The token would have said it.
    if (!options.token_problem.ok()) return options.token_problem;
    return MakeError(Reason::kUsageError,
                     "nothing says which authority to believe: there is no CA certificate at '" +
                         Printable(options.paths.trust_bundle, 400) +
                         "'; put it there, or give --trust-bundle, --fingerprint, --token-file "
                         "(TROTH_TOKEN) or --system-trust");
  }
  absl::StatusOr<std::unique_ptr<Enroller>> enroller = Enroller::Create(std::move(options.enroll));
  if (!enroller.ok()) return enroller.status();

  for (const std::string& path : {options.paths.private_key, options.paths.certificate}) {
    if (absl::Status status = MakeFolder(FolderOf(path)); !status.ok()) return status;
  }
  if (!options.random) options.random = SystemRandom();
  absl::StatusOr<LockedFile> key_file = LockedFile::Acquire(
      options.paths.private_key, {.mode = options.key_mode, .owner = options.owner});
  if (!key_file.ok()) return key_file.status();
  std::unique_ptr<FileEnrollment> enrollment(
      new FileEnrollment(std::move(options), *std::move(key_file), *std::move(enroller)));
  if (absl::Status status = enrollment->Read(); !status.ok()) return status;
  if (!enrollment->enroller_->identity().ok() && !enrollment->options_.token_problem.ok()) {
    return enrollment->options_.token_problem;
  }
  return enrollment;
}

absl::Status FileEnrollment::Read() {
  const EnrollPaths& paths = options_.paths;
  absl::StatusOr<std::string> text = ReadIfThere(paths.private_key);
  if (!text.ok()) return text.status();
  const Secret key_text(*std::move(text));
  if (key_text.empty()) return absl::OkStatus();

  absl::StatusOr<std::string> request = ReadIfThere(paths.request);
  if (!request.ok()) return request.status();
  std::string chain;
  if (paths.one_file()) {
    // From the first certificate on, which stands behind the key.
    const size_t at = key_text.Reveal().find("-----BEGIN CERTIFICATE-----");
    if (at != std::string_view::npos) chain = key_text.Reveal().substr(at);
  } else {
    absl::StatusOr<std::string> content = ReadIfThere(paths.certificate);
    if (!content.ok()) return content.status();
    chain = *std::move(content);
  }
  std::optional<Time> certificate_time;
  if (const auto version = VersionOf(paths.certificate); version.has_value()) {
    certificate_time = std::chrono::floor<Seconds>(std::chrono::sys_time<std::chrono::nanoseconds>(
        std::chrono::nanoseconds(version->modified_ns)));
  }

  absl::Status status = enroller_->Resume({.private_key_pem = key_text.Reveal(),
                                           .request_pem = *request,
                                           .chain_pem = chain,
                                           .certificate_time = certificate_time});
  if (status.ok()) {
    key_on_disk_ = enroller_->private_key_pem();
    return status;
  }
  if (options_.bad_key == FileEnrollmentOptions::BadKey::kReplace &&
      ReasonOf(status) != Reason::kKeyEncrypted) {
    warnings_.push_back("'" + Printable(paths.private_key, 400) +
                        "' is replaced: " + std::string(ToStd(status.message())));
    return absl::OkStatus();
  }
  return WithContext(status, paths.private_key);
}

absl::Status FileEnrollment::Keep(EnrollStep step) {
  return step == EnrollStep::kIssued ? KeepCertificate() : KeepRequest();
}

absl::Status FileEnrollment::KeepTrustBundle(const TrustBundle& bundle) {
  if (FileExists(options_.paths.trust_bundle)) return absl::OkStatus();
  return WriteOwnedFile(options_.paths.trust_bundle, bundle.ToPem(),
                        {.mode = kPublicMode, .owner = options_.owner}, std::nullopt);
}

absl::Status FileEnrollment::KeepRequest() {
  // What vouched for the authority once need not be said again while the request waits.
  if (const auto bundle = enroller_->authority(); bundle.has_value()) {
    if (absl::Status status = KeepTrustBundle(*bundle); !status.ok()) return status;
  }
  Secret key = enroller_->private_key_pem();
  if (key.Reveal() != key_on_disk_.Reveal()) {
    if (absl::Status status = key_file_.Replace(key.Reveal(), std::nullopt); !status.ok()) {
      return status;
    }
    key_on_disk_ = std::move(key);
  }
  return WriteOwnedFile(options_.paths.request, enroller_->request_pem(),
                        {.mode = kPublicMode, .owner = options_.owner}, std::nullopt);
}

absl::Status FileEnrollment::KeepCertificate() {
  const absl::StatusOr<EnrolledIdentity> identity = enroller_->identity();
  if (!identity.ok()) return identity.status();
  const EnrollPaths& paths = options_.paths;
  const LockedFileOptions open_to_all{.mode = kPublicMode, .owner = options_.owner};
  // From now on there is one: that of the certificate.
  if (absl::Status status = KeepTrustBundle(*enroller_->authority()); !status.ok()) return status;
  if (paths.one_file()) {
    const Secret both(std::string(identity->private_key_pem.Reveal()) + identity->chain_pem);
    if (absl::Status status = key_file_.Replace(both.Reveal(), enroller_->certificate_time());
        !status.ok()) {
      return status;
    }
  } else if (absl::Status status = WriteOwnedFile(paths.certificate, identity->chain_pem,
                                                  open_to_all, enroller_->certificate_time());
             !status.ok()) {
    return status;
  }
  return Remove(paths.rejections);
}

absl::StatusOr<EnrollStep> FileEnrollment::Once() {
  if (absl::Status status = CheckNotTooEarly(); !status.ok()) return status;
  const auto deadline = std::chrono::steady_clock::now() + enroller_->timeout();
  bool refused_before = false;
  bool asked_after_sending = false;
  EnrollStep waiting = EnrollStep::kWaiting;  // what it is called while the authority decides
  while (true) {
    const EnrollState before = enroller_->state();
    absl::StatusOr<EnrollStep> step = enroller_->Step();
    if (!step.ok()) {
      // The enroller goes on without the certificate that was refused.
      if (ReasonOf(step.status()) != Reason::kPeerRejectedCertificate ||
          std::exchange(refused_before, true)) {
        return step.status();
      }
    } else {
      switch (*step) {
        case EnrollStep::kServerLearned:
        case EnrollStep::kForgotten:
          break;
        case EnrollStep::kRequestMade:
          if (absl::Status status = Keep(*step); !status.ok()) return status;
          break;
        case EnrollStep::kWaiting:
        case EnrollStep::kUnchanged: {
          // A Caramel server that decides by itself has decided, and does not say so.
          const bool just_sent = before == EnrollState::kRequestMade &&
                                 enroller_->state() == EnrollState::kWaiting &&
                                 enroller_->protocol() == EnrollProtocol::kCaramel;
          if (!just_sent || std::exchange(asked_after_sending, true)) return step;
          waiting = *step;
          break;
        }
        case EnrollStep::kIssued:
          if (absl::Status status = Keep(*step); !status.ok()) return status;
          return step;
        case EnrollStep::kRejected:
          return StartOver();
      }
    }
    if (std::chrono::steady_clock::now() >= deadline) {
      if (enroller_->state() == EnrollState::kWaiting) return waiting;
      return MakeError(Reason::kConnectionFailed,
                       "the server is too slow; what was done so far is kept, try again");
    }
  }
}

absl::StatusOr<EnrollStep> FileEnrollment::Wait(EnrollWaitOptions options) {
  options.keep = [this](EnrollStep step) { return Keep(step); };
  return EnrollAndWait(*enroller_, options);
}

absl::StatusOr<EnrollStep> FileEnrollment::StartOver() {
  const EnrollPaths& paths = options_.paths;
  const std::string why = enroller_->rejection().empty() ? "" : " (" + enroller_->rejection() + ")";
  if (absl::Status status = enroller_->StartOver(); !status.ok()) {
    return WithFix(
        MakeError(Reason::kRequestRejected, "the authority rejected the request" + why +
                                                "; nothing is wiped, for " +
                                                std::string(ToStd(status.message()))),
        "ask the operator why; after that time it starts over by itself, before that time when '" +
            Printable(paths.private_key, 400) + "' is moved away");
  }
  RejectionNote note;
  if (const auto text = ReadFile(paths.rejections, 200); text.ok()) {
    note = RejectionNote::Parse(*text).value_or(note);
  }
  note = note.After(enroller_->clock().Now(), options_.random);
  absl::Status status =
      WriteOwnedFile(paths.rejections, note.ToText(),
                     {.mode = kPublicMode, .owner = options_.owner}, std::nullopt);
  // The key first: a request without a key is never sent.
  if (status.ok()) status = key_file_.Clear();
  if (status.ok()) status = Remove(paths.request);
  if (status.ok() && !paths.one_file()) status = Remove(paths.certificate);  // expired
  if (!status.ok()) return status;
  key_on_disk_ = Secret();
  return EnrollStep::kRejected;
}

absl::Status FileEnrollment::CheckNotTooEarly() const {
  if (!key_on_disk_.empty()) return absl::OkStatus();
  const absl::StatusOr<std::string> text = ReadFile(options_.paths.rejections, 200);
  if (!text.ok()) return absl::OkStatus();
  const std::optional<RejectionNote> note = RejectionNote::Parse(*text);
  if (!note.has_value()) return absl::OkStatus();
  const std::optional<Seconds> wait = note->WaitAt(enroller_->clock().Now());
  if (!wait.has_value()) return absl::OkStatus();
  return WithFix(
      MakeError(Reason::kRequestRejected,
                "the authority has rejected " + std::to_string(note->count) +
                    " requests in a row; the next one is made in " + FormatDuration(*wait)),
      "ask the operator why; to make the next one now, remove '" +
          Printable(options_.paths.rejections, 400) + "' and run it again");
}

std::vector<std::string> FileEnrollment::warnings() const {
  std::vector<std::string> all = warnings_;
  all.insert(all.end(), enroller_->warnings().begin(), enroller_->warnings().end());
  return all;
}

}  // namespace troth
