// What one running service is: its key, its certificate chain, and whom it trusts.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "troth/base/secret.h"
#include "troth/base/time.h"
#include "troth/pki/certificate.h"
#include "troth/pki/key.h"
#include "troth/pki/trust_bundle.h"

namespace troth {

// An immutable snapshot; exists only when it is whole. Thread-safe.
class Identity {
 public:
  // Key and certificate in PEM may both be empty: a client that shows no certificate, which only
  // trusts. When one of them is empty, the other holds both. Certificates may come in any order,
  // with a root or an old leaf among them: the leaf is the one that is the key's. The trust bundle
  // may be empty where peers are not verified. Checked: the key is the leaf's and strong enough;
  // the leaf is valid at `now`; the chain reaches the trust bundle, when there is one
  // (`allow_untrusted_chain` lets a chain of another CA pass with a warning: what others verify us
  // with need not be what we verify others with). Errors begin with the name of the part:
  // key_mismatch (names both), key_too_weak, certificate_expired, certificate_not_yet_valid,
  // issuer_unknown, and those of reading keys, certificates and bundles.
  struct Parts {
    std::string_view certificate_pem = {};
    std::string_view private_key_pem = {};
    std::string_view trust_bundle_pem = {};
    const Secret* passphrase = nullptr;
    bool allow_untrusted_chain = false;
    // What errors and warnings call the parts: the files that they were read from, where there are
    // such.
    std::string_view certificate_name = "certificate";
    std::string_view private_key_name = "private key";
    std::string_view trust_bundle_name = "trust bundle";
  };
  static absl::StatusOr<std::shared_ptr<const Identity>> Create(const Parts& parts, Time now);

  bool has_certificate() const { return !chain_.empty(); }
  // Requires has_certificate().
  const Certificate& leaf() const { return chain_.front(); }
  const PrivateKey& private_key() const { return *key_; }
  // Leaf first, then the intermediates that lead to the trust bundle, without the anchor; beyond an
  // anchor that is an intermediate itself, those of the file that lead on, for peers who trust only
  // the root. Certificates of the file that do not belong to the chain (an old leaf kept beside the
  // new one, a root) are left out.
  const std::vector<Certificate>& chain() const { return chain_; }
  const TrustBundle& trust_bundle() const { return trust_bundle_; }
  std::string ChainPem() const;
  // The first moment at which the leaf or an intermediate is no longer valid.
  std::optional<Time> expires() const { return expires_; }
  // What is poor though it works: a version-1 leaf, an unusual order of certificates, an expired CA
  // in the trust bundle ...
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  Identity() = default;
  std::optional<PrivateKey> key_;
  std::vector<Certificate> chain_;
  TrustBundle trust_bundle_;
  std::optional<Time> expires_;
  std::vector<std::string> warnings_;
};

}  // namespace troth
