// Signatures checked while one path is looked for: each pair of bytes and key once, and no more
// than the budget allows.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "troth/pki/certificate.h"
#include "troth/pki/crl.h"
#include "troth/pki/key.h"

namespace troth {

// Remembers answers by the identity of what was signed and of the key. Certificates, CRLs and keys
// that it was asked about must outlive it. Not thread-safe.
class SignatureChecks {
 public:
  explicit SignatureChecks(size_t budget) : budget_(budget) {}

  // OK when `key`'s signature stands under the certificate or CRL. Errors: signature_invalid,
  // algorithm_not_allowed (SHA-1 ...), key_too_weak and what else PublicKey::CheckStrength answers
  // about `key`, path_too_complex when the budget is spent. A key that cannot have made the
  // signature (of another kind or size) is answered without using the budget.
  const absl::Status& Verify(const Certificate& certificate, const PublicKey& key);
  const absl::Status& Verify(const Crl& crl, const PublicKey& key);

  size_t used() const { return used_; }
  bool spent() const { return spent_; }
  // Allows `more` checks from now on, for the explanation of a refusal.
  void SetBudget(size_t more) {
    budget_ = used_ + more;
    spent_ = false;
  }

 private:
  // A certificate or a list.
  struct Signed {
    SignatureAlgorithm algorithm;
    std::string_view message, signature;
    const Crl* crl = nullptr;
  };
  const absl::Status& Verify(const Signed& what, const PublicKey& key);
  int IdOf(const PublicKey& key);
  static absl::Status TooComplex();

  size_t budget_;
  size_t used_ = 0;
  bool spent_ = false;
  const absl::Status too_complex_ = TooComplex();
  std::map<std::string_view, int> key_ids_;  // SubjectPublicKeyInfo
  std::map<int, absl::Status> strengths_;
  std::map<std::pair<const char*, int>, absl::Status>
      answers_;  // where the signed bytes are, key id
};

}  // namespace troth
