#include "troth/identity/identity.h"

#include <algorithm>
#include <utility>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/pki/path_validation.h"

namespace troth {
namespace {

constexpr size_t kMaxChain = 10;  // as path validation

bool IsValidAt(const Certificate& certificate, Time now) {
  return certificate.validity().not_before <= now && now <= certificate.validity().not_after;
}

bool Contains(const std::vector<Certificate>& certificates, const Certificate& one) {
  return std::ranges::find(certificates, one) != certificates.end();
}

std::string Prefixed(std::string_view name, std::string_view text) {
  return std::string(name) + ": " + std::string(text);
}

std::string DescribeWithKey(const Certificate& certificate) {
  return certificate.Describe() + " with " + certificate.public_key().Describe();
}

absl::Status Mismatch(const Identity::Parts& parts, const PrivateKey& key,
                      const std::vector<Certificate>& certificates) {
  // A key of a kind or in a form that is not supported cannot be compared.
  const Certificate& first = certificates.front();
  if (first.public_key().kind() == PublicKey::Kind::kOther) {
    return WithContext(first.public_key().CheckStrength(),
                       Prefixed(parts.certificate_name, first.Describe()));
  }
  constexpr size_t kNamed = 3;
  std::vector<std::string> named;
  for (size_t i = 0; i < std::min(certificates.size(), kNamed); ++i) {
    named.push_back(DescribeWithKey(certificates[i]));
  }
  if (certificates.size() > kNamed) {
    named.push_back(std::to_string(certificates.size() - kNamed) + " more");
  }
  return MakeError(Reason::kKeyMismatch,
                   std::string(parts.private_key_name) + ": the key (" +
                       key.public_key().Describe() + ") does not belong to a certificate of " +
                       std::string(parts.certificate_name) + ", which holds " + Join(named, ", ") +
                       "; use the key that the certificate was made for, or issue the "
                       "certificate again");
}

// The certificate that is the key's; of several the one that is valid, of these the newest. Nothing
// when none is the key's.
std::optional<size_t> FindLeaf(const std::vector<Certificate>& certificates, const PrivateKey& key,
                               Time now) {
  std::optional<size_t> best;
  for (size_t i = 0; i < certificates.size(); ++i) {
    if (certificates[i].public_key() != key.public_key()) continue;
    const auto rank = [&](size_t at) {
      return std::pair(IsValidAt(certificates[at], now), certificates[at].validity().not_before);
    };
    if (!best.has_value() || rank(i) > rank(*best)) best = i;
  }
  return best;
}

absl::Status CheckTime(const Certificate& leaf, Time now) {
  const Validity& validity = leaf.validity();
  if (now > validity.not_after) {
    return MakeError(Reason::kCertificateExpired, leaf.Describe() + " was valid until " +
                                                      FormatTime(validity.not_after) +
                                                      ", now it is " + FormatTime(now) + " (" +
                                                      FormatDuration(now - validity.not_after) +
                                                      " later); renew it, or check the clock");
  }
  if (now < validity.not_before) {
    return MakeError(Reason::kCertificateNotYetValid,
                     leaf.Describe() + " is valid from " + FormatTime(validity.not_before) +
                         ", now it is " + FormatTime(now) + " (" +
                         FormatDuration(validity.not_before - now) +
                         " before); wait, or check the clock");
  }
  return absl::OkStatus();
}

// Adds to `chain` those of `others` that lead on from its end, up to a root, which is left out:
// peers have it or do not trust it.
void Extend(std::vector<Certificate>& chain, const std::vector<Certificate>& others, Time now) {
  while (chain.size() < kMaxChain) {
    const Certificate& last = chain.back();
    const auto issuer = std::ranges::find_if(others, [&](const Certificate& other) {
      return other.subject().Matches(last.issuer()) && !other.subject().Matches(other.issuer()) &&
             other.is_ca() && IsValidAt(other, now) && !Contains(chain, other) &&
             other.public_key()
                 .Verify(last.signature_algorithm(), last.tbs_der(), last.signature())
                 .ok();
    });
    if (issuer == others.end()) return;
    chain.push_back(*issuer);
  }
}

// Whether `status` means that the chain is another CA's, and not that something is wrong with it.
bool IsOfAnotherAuthority(const absl::Status& status) {
  const std::optional<Reason> reason = ReasonOf(status);
  return reason == Reason::kIssuerUnknown || reason == Reason::kCertificateSelfSigned ||
         reason == Reason::kSignatureInvalid;  // a CA of the same name with another key
}

struct Chain {
  std::vector<Certificate> certificates;  // leaf first
  Time expires;
};

// The leaf's chain to the trust bundle, or where that does not matter as far as `others` reach.
absl::StatusOr<Chain> BuildChain(const Identity::Parts& parts, const Certificate& leaf,
                                 const std::vector<Certificate>& others, const TrustBundle& bundle,
                                 Time now, std::vector<std::string>& warnings) {
  Chain chain{.certificates = {leaf}, .expires = {}};
  std::vector<std::string> poor;
  bool trusted = false;
  if (!bundle.empty()) {
    PathResult result = ValidatePath(leaf, others, bundle, {.now = now, .usage = Usage::kAny});
    trusted = result.status.ok();
    if (trusted) {
      // A leaf that is in the bundle itself is its own anchor.
      if (result.path.size() > 1) result.path.pop_back();
      chain.certificates = std::move(result.path);
      poor = std::move(result.warnings);
    } else if (parts.allow_untrusted_chain && IsOfAnotherAuthority(result.status)) {
      poor.push_back("comes from another authority than those of " +
                     std::string(parts.trust_bundle_name) + ": " +
                     std::string(ToStd(result.status.message())));
    } else {
      return WithContext(result.status, Prefixed(parts.certificate_name,
                                                 "with " + std::string(parts.trust_bundle_name)));
    }
  }
  const size_t needed = chain.certificates.size();
  Extend(chain.certificates, others, now);
  if (!trusted) {
    for (std::string& weakness : leaf.Weaknesses()) poor.push_back(std::move(weakness));
  }
  for (const std::string& warning : poor) {
    warnings.push_back(Prefixed(parts.certificate_name, warning));
  }
  const auto end = trusted ? chain.certificates.begin() + static_cast<std::ptrdiff_t>(needed)
                           : chain.certificates.end();
  const auto first_to_end = std::min_element(
      chain.certificates.begin(), end,
      [](const auto& a, const auto& b) { return a.validity().not_after < b.validity().not_after; });
  chain.expires = first_to_end->validity().not_after + Seconds(1);  // notAfter is still valid
  return chain;
}

void WarnOfExpiredAnchors(const Identity::Parts& parts, const TrustBundle& bundle, Time now,
                          std::vector<std::string>& warnings) {
  for (const Certificate& anchor : bundle.anchors()) {
    if (now <= anchor.validity().not_after) continue;
    warnings.push_back(
        Prefixed(parts.trust_bundle_name, anchor.Describe() + " expired at " +
                                              FormatTime(anchor.validity().not_after) +
                                              ", so nothing that it issued is valid any more"));
  }
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Identity>> Identity::Create(const Parts& given, Time now) {
  const std::shared_ptr<Identity> identity(new Identity());
  std::vector<std::string>& warnings = identity->warnings_;

  Parts parts = given;
  if (parts.private_key_pem.empty()) {
    parts.private_key_pem = parts.certificate_pem;
    parts.private_key_name = parts.certificate_name;
  } else if (parts.certificate_pem.empty()) {
    parts.certificate_pem = parts.private_key_pem;
    parts.certificate_name = parts.private_key_name;
  }

  std::vector<Certificate> certificates;
  if (!parts.certificate_pem.empty()) {
    absl::StatusOr<std::vector<Certificate>> list = Certificate::ListFromPem(parts.certificate_pem);
    if (!list.ok()) return WithContext(list.status(), parts.certificate_name);
    certificates = *std::move(list);
    absl::StatusOr<PrivateKey> key = PrivateKey::FromPem(parts.private_key_pem, parts.passphrase);
    if (!key.ok()) return WithContext(key.status(), parts.private_key_name);
    identity->key_ = *std::move(key);
  }

  if (!parts.trust_bundle_pem.empty()) {
    absl::StatusOr<TrustBundle> bundle = TrustBundle::FromPem(parts.trust_bundle_pem);
    if (!bundle.ok()) return WithContext(bundle.status(), parts.trust_bundle_name);
    identity->trust_bundle_ = *std::move(bundle);
    WarnOfExpiredAnchors(parts, identity->trust_bundle_, now, warnings);
  }
  if (certificates.empty()) return identity;

  const PrivateKey& key = *identity->key_;
  const std::optional<size_t> at = FindLeaf(certificates, key, now);
  if (!at.has_value()) return Mismatch(parts, key, certificates);
  const Certificate leaf = certificates[*at];
  if (*at != 0) {
    warnings.push_back(
        Prefixed(parts.certificate_name,
                 "the key's certificate is number " + std::to_string(*at + 1) +
                     " of the file; put it first, for other programs take the first"));
  }
  certificates.erase(certificates.begin() + static_cast<std::ptrdiff_t>(*at));

  if (absl::Status status = leaf.public_key().CheckStrength(); !status.ok()) {
    return WithContext(status, Prefixed(parts.certificate_name, leaf.Describe()));
  }
  if (absl::Status status = CheckTime(leaf, now); !status.ok()) {
    return WithContext(status, parts.certificate_name);
  }
  absl::StatusOr<Chain> chain =
      BuildChain(parts, leaf, certificates, identity->trust_bundle_, now, warnings);
  if (!chain.ok()) return chain.status();
  identity->chain_ = std::move(chain->certificates);
  identity->expires_ = chain->expires;
  return identity;
}

std::string Identity::ChainPem() const {
  std::string pem;
  for (const Certificate& certificate : chain_) pem += certificate.ToPem();
  return pem;
}

}  // namespace troth
