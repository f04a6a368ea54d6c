// One run of a `troth certs generate` over a tree: what its operations share. Not installed.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "troth/base/secret.h"
#include "troth/base/time.h"
#include "troth/ca/certificate_tree.h"
#include "troth/ca/folder_lock.h"
#include "troth/ca/key_pair_files.h"
#include "troth/ca/tree_layout.h"
#include "troth/pki/issue.h"

namespace troth {

// Holds the tree's lock from Open to the end.
class TreeRun {
 public:
  // Locks the tree, carries out what a run before this one left half done, and keeps keys out of
  // version control. `create` makes the folder when it is missing; otherwise: file_not_found.
  static absl::StatusOr<TreeRun> Open(const TreeOptions& options, const Clock& clock, bool create);

  // Reads the CA; the rest below needs it first, IssueAuthority aside. Errors: those of reading,
  // key_mismatch, certificate_expired.
  absl::Status LoadAuthority();
  const Signer& signer() const { return *signer_; }
  const std::vector<Certificate>& bundle() const {
    return bundle_;
  }  // of ca.pem, the signer's among them
  void ForgetOldAuthorities() { bundle_ = {signer_->certificate()}; }

  // Writes the bundle into the leaf's folder unless it is there.
  absl::Status CopyAuthorityTo(const TreeLeaf& leaf);
  absl::StatusOr<Certificate> IssueAuthority(const DistinguishedName& subject,
                                             const PrivateKey& key) const;
  absl::StatusOr<Certificate> IssueLeaf(const TreeLeaf& leaf, const DistinguishedName& subject,
                                        std::vector<AlternativeName> names,
                                        const PublicKey& key) const;
  // OK when `certificate` is valid for the leaf's usage below one of `anchors`.
  absl::Status CheckPath(const TreeLeaf& leaf, const Certificate& certificate,
                         std::vector<Certificate> anchors) const;
  // The key at `path` when it is of the type asked for, or a new one that is written there.
  // `passphrase` (may be null) opens and encrypts.
  absl::StatusOr<PrivateKey> KeepOrMakeKey(const std::string& path, KeyType usual,
                                           const Secret* passphrase);

  const TreeOptions& options() const { return options_; }
  Time now() const { return now_; }
  const KeyPairPaths& ca() const { return ca_; }
  KeyPairPaths PathsOf(const TreeLeaf& leaf) const { return LeafPaths(options_.folder, leaf); }

  TreeReport& report() { return report_; }
  void ReportMade(std::string_view name, const KeyPairPaths& paths, const Certificate& certificate,
                  size_t older);

 private:
  TreeRun(const TreeOptions& options, Time now, FolderLock lock)
      : options_(options), now_(now), lock_(std::move(lock)), ca_(AuthorityPaths(options.folder)) {}
  Time After(int days) const { return now_ + std::chrono::hours(24) * days; }
  absl::Status FinishInterrupted();
  absl::Status IgnoreKeys();

  const TreeOptions& options_;
  Time now_;
  FolderLock lock_;
  KeyPairPaths ca_;
  std::vector<Certificate> bundle_;
  std::optional<Signer> signer_;
  TreeReport report_;
};

// PEM for ca.key: encrypted when `passphrase` is there and not empty.
absl::StatusOr<Secret> AuthorityKeyPem(const PrivateKey& key, const Secret* passphrase);

inline bool IsUnexpired(const Certificate& certificate, Time now) {
  return now <= certificate.validity().not_after;
}

}  // namespace troth
