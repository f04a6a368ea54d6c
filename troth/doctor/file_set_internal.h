// The files of one examination, and what belongs to what among them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "troth/doctor/examined_file_internal.h"
#include "troth/pki/certificate.h"
#include "troth/pki/trust_bundle.h"

namespace troth {

// Whether it is not meant to issue: no CA, or one of version 1 that its own key did not sign, which
// is a leaf that was given its CA's name.
bool IsLeaf(const Certificate& certificate);
// A CA that its own key signed.
bool IsRoot(const Certificate& certificate);
// "'CN=server'", or what else tells a certificate from others.
std::string Called(const Certificate& certificate);

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
  const std::vector<Chain>& chains() const { return chains_; }
  // Files of CA certificates only.
  const std::vector<const ExaminedFile*>& bundles() const { return bundles_; }
  // What the bundles make trusted: their roots, or, when they hold none, all that they hold.
  const TrustBundle& trust() const { return trust_; }
  bool has_root_in_bundles() const { return has_root_; }
  // Every CA certificate of every file, once.
  const std::vector<Certificate>& authorities() const { return authorities_; }
  std::vector<Crl> Crls() const;

  // The file with this key, or null.
  const ExaminedFile* KeyOf(const PublicKey& key) const;
  // The first file with this certificate; it is in one.
  const ExaminedFile& FileOf(const Certificate& certificate) const;

 private:
  std::vector<ExaminedFile> files_;
  std::vector<Chain> chains_;
  std::vector<const ExaminedFile*> bundles_;
  TrustBundle trust_;
  bool has_root_ = false;
  std::vector<Certificate> authorities_;
};

}  // namespace troth
