#include "troth/base/reason.h"
#include "troth/pki/signature_checks_internal.h"

namespace troth {
namespace {

PublicKey::Kind KindOf(SignatureAlgorithm algorithm) {
  switch (algorithm) {
    case SignatureAlgorithm::kEcdsaSha256:
    case SignatureAlgorithm::kEcdsaSha384:
    case SignatureAlgorithm::kEcdsaSha512:
    case SignatureAlgorithm::kEcdsaSha1:
      return PublicKey::Kind::kEc;
    case SignatureAlgorithm::kEd25519:
      return PublicKey::Kind::kEd25519;
    default:
      return PublicKey::Kind::kRsa;
  }
}

// An RSA signature is exactly as long as the modulus (RFC 8017 section 8.2.2).
bool CanHaveSigned(const PublicKey& key, SignatureAlgorithm algorithm, std::string_view signature) {
  if (key.kind() != KindOf(algorithm)) return false;
  return key.kind() != PublicKey::Kind::kRsa ||
         signature.size() == (static_cast<size_t>(key.bits()) + 7) / 8;
}

bool IsAllowed(SignatureAlgorithm algorithm) {
  return algorithm != SignatureAlgorithm::kRsaSha1 && algorithm != SignatureAlgorithm::kEcdsaSha1 &&
         algorithm != SignatureAlgorithm::kOther;
}

}  // namespace

absl::Status SignatureChecks::TooComplex() {
  return MakeError(Reason::kPathTooComplex,
                   "the search for a chain was given up: too many signatures to check");
}

const absl::Status& SignatureChecks::Verify(const Certificate& certificate, const PublicKey& key) {
  return Verify({.algorithm = certificate.signature_algorithm(),
                 .message = certificate.tbs_der(),
                 .signature = certificate.signature()},
                key);
}

const absl::Status& SignatureChecks::Verify(const Crl& crl, const PublicKey& key) {
  return Verify({.algorithm = crl.signature_algorithm(),
                 .message = crl.tbs_der(),
                 .signature = crl.signature(),
                 .crl = &crl},
                key);
}

const absl::Status& SignatureChecks::Verify(const Signed& what, const PublicKey& key) {
  const int key_id = IdOf(key);
  const auto at = std::pair(what.message.data(), key_id);
  if (const auto known = answers_.find(at); known != answers_.end()) return known->second;

  absl::Status answer;
  if (!IsAllowed(what.algorithm)) {
    answer = MakeError(Reason::kAlgorithmNotAllowed, "the signature algorithm is " +
                                                         std::string(NameOf(what.algorithm)) +
                                                         ", SHA-256 or better is needed");
  } else if (!CanHaveSigned(key, what.algorithm, what.signature)) {
    answer = MakeError(Reason::kSignatureInvalid, "the signature is one of another key: it is " +
                                                      std::string(NameOf(what.algorithm)) +
                                                      ", the key is " + key.Describe());
  } else {
    const auto [strength, is_new] = strengths_.try_emplace(key_id);
    if (is_new) strength->second = WithContext(key.CheckStrength(), "its issuer's key");
    answer = strength->second;
    if (answer.ok()) {
      // Not remembered: a larger budget may answer it later.
      if (used_ >= budget_) {
        spent_ = true;
        return too_complex_;
      }
      ++used_;
      answer = what.crl != nullptr ? what.crl->VerifySignature(key)
                                   : key.Verify(what.algorithm, what.message, what.signature);
    }
  }
  return answers_.emplace(at, std::move(answer)).first->second;
}

int SignatureChecks::IdOf(const PublicKey& key) {
  return key_ids_.try_emplace(key.der(), static_cast<int>(key_ids_.size())).first->second;
}

}  // namespace troth
