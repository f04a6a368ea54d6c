// Certificates in a row, each with a key of its own, and the files that they go through.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "troth/pki/issue.h"

namespace rotation {

struct KeyPair {
  std::string certificate;  // PEM
  std::string private_key;  // PEM
};

// A CA of its own. Throws std::runtime_error when something cannot be issued.
class Authority {
 public:
  Authority();
  const std::string& certificate() const { return certificate_; }  // PEM
  // `count` P-256 key pairs for `name`, a DNS name, with the usage of `usage_oid`.
  std::vector<KeyPair> Issue(const std::string& name, std::string_view usage_oid, int count) const;

 private:
  const troth::Signer signer_;
  const std::string certificate_;
};

// Key pairs that replace each other in two files, and which of them a certificate belongs to.
class Sequence {
 public:
  // Writes the first of `pairs` to the files.
  Sequence(std::vector<KeyPair> pairs, std::string certificate_path, std::string key_path);

  int size() const { return static_cast<int>(pairs_.size()); }
  const std::string& certificate_path() const { return certificate_path_; }
  const std::string& key_path() const { return key_path_; }

  // Replaces the content of the two files, one after the other, with pair `index`. How depends on
  // the index: key or certificate first; by renaming, or by writing over the old text in two
  // halves. With every kSlowEvery-th pair there is half a file for so long that it must have been
  // seen.
  static constexpr int kSlowEvery = 8;
  void Write(int index) const;
  // The index of the pair with this certificate, -1 for a strange one.
  int IndexOf(std::string_view certificate_pem) const;

 private:
  const std::vector<KeyPair> pairs_;
  const std::string certificate_path_, key_path_;
  std::map<std::string, int, std::less<>> index_by_certificate_;
};

}  // namespace rotation
