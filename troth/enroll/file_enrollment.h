// An enrolment whose key, request and certificate are files: for services and devices. Whatever is
// killed when, the files are such that the next run goes on where the last one ended: a request is
// on disk before it is sent, and a file is replaced whole or not at all.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "troth/enroll/enroll_files.h"
#include "troth/enroll/enroll_wait.h"
#include "troth/enroll/enroller.h"
#include "troth/enroll/locked_file.h"
#include "troth/enroll/rejection_note.h"

namespace troth {

struct FileEnrollmentOptions {
  // `trust` may say nothing when the trust bundle's file is there: it is believed then, before the
  // token. Where `trust` does say, the file, when it is there, holds the CA that certificates must
  // lead to.
  EnrollOptions enroll;
  EnrollPaths paths = {};
  // Of the key's file. The other files are 0644; all have the owner.
  mode_t key_mode = 0600;
  FileOwner owner = {};
  // What to do with a key that cannot be read as one.
  enum class BadKey {
    kRefuse,   // an error: somebody can look after it
    kReplace,  // nobody can: make a new one
  };
  BadKey bad_key = BadKey::kRefuse;
  // Why there is no token, though one was named: an error unless a valid certificate is held, which
  // is renewed without.
  absl::Status token_problem = {};
  RandomSource random = nullptr;  // null: the system's
};

// Holds the lock on the key's file as long as it lives. Not thread-safe.
class FileEnrollment {
 public:
  // Locks and reads. Errors: file_locked; issuer_unknown (the trust bundle's file is of another CA
  // than fingerprint or token name); those of Enroller::Create and Enroller::Resume, and of reading
  // files; `token_problem`. A folder that is not there is made.
  static absl::StatusOr<std::unique_ptr<FileEnrollment>> Open(FileEnrollmentOptions options);

  // Goes as far as it can without waiting for a decision: kIssued, kUnchanged, kWaiting or
  // kRejected; after a rejection key and request are wiped, so that the next run starts over, at
  // once the first time and after growing waits the next times. Takes at most about the timeout of
  // the options. Errors: as Enroller::Step; request_rejected (it is too early to start over, or a
  // certificate of the rejected key is still valid, and nothing was wiped).
  absl::StatusOr<EnrollStep> Once();
  // Goes on until there is a certificate: kIssued, kUnchanged, or kRejected, and then nothing is
  // wiped. `options.keep` is not looked at. Errors: as EnrollAndWait.
  absl::StatusOr<EnrollStep> Wait(EnrollWaitOptions options);

  Enroller& enroller() { return *enroller_; }
  const EnrollPaths& paths() const { return options_.paths; }
  // What was odd about the files, and what the enroller warns of.
  std::vector<std::string> warnings() const;

 private:
  FileEnrollment(FileEnrollmentOptions options, LockedFile key_file,
                 std::unique_ptr<Enroller> enroller)
      : options_(std::move(options)),
        key_file_(std::move(key_file)),
        enroller_(std::move(enroller)) {}

  absl::Status Read();
  absl::Status Keep(EnrollStep step);
  absl::Status KeepTrustBundle(const TrustBundle& bundle);
  absl::Status KeepRequest();
  absl::Status KeepCertificate();
  absl::StatusOr<EnrollStep> StartOver();
  absl::Status CheckNotTooEarly() const;

  FileEnrollmentOptions options_;
  LockedFile key_file_;
  std::unique_ptr<Enroller> enroller_;
  Secret key_on_disk_;  // PEM as it was read or written; empty: none
  std::vector<std::string> warnings_;
};

}  // namespace troth
