// The files of one examination, and what belongs to what among them.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "troth/doctor/certificate_role_internal.h"
#include "troth/doctor/examined_file_internal.h"
#include "troth/pki/certificate.h"
#include "troth/pki/description.h"
#include "troth/pki/path_validation.h"
#include "troth/pki/trust_bundle.h"

namespace troth {

// More CAs of a file are counted, and not named.
inline constexpr size_t kMaxNamedAuthorities = 5;

// A leaf with what is sent with it.
struct Chain {
  const ExaminedFile* file;
  size_t at;  // of the leaf in the file
  const Certificate& leaf() const { return file->certificates[at]; }
  std::vector<Certificate> others() const;  // all of the file but the leaf
};

class FileSet {
 public:
  explicit FileSet(std::vector<ExaminedFile> files);
  FileSet(const FileSet&) = delete;
  FileSet& operator=(const FileSet&) = delete;

  const std::vector<ExaminedFile>& files() const { return files_; }
  // One for each file with a leaf that is not pinned by a trust bundle.
  const std::vector<Chain>& chains() const { return chains_; }
  const Chain* ChainOf(const ExaminedFile& file) const;  // or null
  // Trust bundles: files of CA certificates, perhaps with pinned leaves among them. One whose
  // intermediates all are in the chains, and which has no root, is none: it only repeats them.
  const std::vector<const ExaminedFile*>& bundles() const { return bundles_; }
  // What the bundles make trusted: their roots and pinned leaves, or, when they hold none, all that
  // they hold.
  const TrustBundle& trust() const { return trust_; }
  // Whether that is more than intermediates.
  bool trusts_roots() const { return trusts_roots_; }
  // Every CA certificate of every file, once.
  const std::vector<Certificate>& authorities() const { return authorities_; }
  const std::vector<Crl>& crls() const { return crls_; }

  Role RoleOf(const Certificate& certificate) const;  // which is one of the files'
  bool IsLeaf(const Certificate& certificate) const { return RoleOf(certificate) == Role::kLeaf; }
  bool IsRoot(const Certificate& certificate) const { return RoleOf(certificate) == Role::kRoot; }

  // Whether `ca` issued it: by its name, and by its signature for the first thousand that are asked
  // for, unless the algorithm is refused.
  bool Issued(const Certificate& ca, const Certificate& certificate) const;
  bool Issued(const Certificate& ca, const Crl& crl) const;

  // The file with this key, or null.
  const ExaminedFile* KeyOf(const PublicKey& key) const;
  // The first file with this certificate, of the bundles if it is in one of them; it is in a file.
  const ExaminedFile& FileOf(const Certificate& certificate) const;

 private:
  std::optional<size_t> LeafOf(const ExaminedFile& file) const;
  bool IsPinning(const ExaminedFile& file, size_t leaf) const;
  bool OnlyRepeatsChains(const ExaminedFile& file) const;
  void Trust();

  std::vector<ExaminedFile> files_;
  std::map<Sha256Digest, Role> roles_;
  std::vector<Chain> chains_;
  std::vector<const ExaminedFile*> bundles_;
  TrustBundle trust_;
  bool trusts_roots_ = false;
  std::vector<Certificate> authorities_;
  std::vector<Crl> crls_;
  mutable size_t signatures_left_ = 1000;
};

}  // namespace troth
