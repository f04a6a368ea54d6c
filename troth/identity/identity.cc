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

// Whether `certificate` was made for `key`. One public key can be written in more than one way (a
// compressed point, RSA without its NULL), so where the bytes differ a signature decides.
bool IsFor(const PrivateKey& key, const Certificate& certificate) {
  const PublicKey& ours = key.public_key();
  const PublicKey& theirs = certificate.public_key();
  if (ours == theirs) return true;
  if (ours.kind() != theirs.kind() || ours.bits() != theirs.bits()) return false;
  constexpr std::string_view kMessage = "troth: does this key belong to this certificate?";
  const absl::StatusOr<std::string> signature = key.Sign(kMessage);
  return signature.ok() && theirs.Verify(key.signature_algorithm(), kMessage, *signature).ok();
}

std::string DescribeWithKey(const Certificate& certificate) {
  return certificate.Describe() + " with " + certificate.public_key().Describe();
}

absl::Status Mismatch(const Identity::Parts& parts, const PrivateKey& key,
                      const std::vector<Certificate>& certificates) {
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
    if (!IsFor(key, certificates[i])) continue;
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

void AddOnce(std::vector<std::string>& warnings, std::string warning) {
  if (std::ranges::find(warnings, warning) == warnings.end()) {
    warnings.push_back(std::move(warning));
  }
}

std::string Prefixed(std::string_view name, std::string_view text) {
  return std::string(name) + ": " + std::string(text);
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
    for (const Certificate& anchor : identity->trust_bundle_.anchors()) {
      if (now <= anchor.validity().not_after) continue;
      AddOnce(warnings,
              Prefixed(parts.trust_bundle_name, anchor.Describe() + " expired at " +
                                                    FormatTime(anchor.validity().not_after) +
                                                    " and is good for nothing any more"));
    }
  }
  if (certificates.empty()) return identity;

  const PrivateKey& key = *identity->key_;
  const std::optional<size_t> at = FindLeaf(certificates, key, now);
  if (!at.has_value()) return Mismatch(parts, key, certificates);
  const Certificate leaf = certificates[*at];
  if (*at != 0) {
    AddOnce(warnings,
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
  for (std::string& weakness : leaf.Weaknesses()) {
    AddOnce(warnings, Prefixed(parts.certificate_name, weakness));
  }

  std::vector<Certificate>& chain = identity->chain_;
  chain = {leaf};
  size_t needed = 0;  // certificates whose end is the identity's
  if (!identity->trust_bundle_.empty()) {
    PathResult result = ValidatePath(leaf, certificates, identity->trust_bundle_,
                                     {.now = now, .usage = Usage::kAny});
    for (const std::string& warning : result.warnings) {
      AddOnce(warnings, Prefixed(parts.certificate_name, warning));
    }
    if (result.status.ok()) {
      if (result.path.size() > 1) chain.assign(result.path.begin(), result.path.end() - 1);
      needed = chain.size();
    } else if (parts.allow_untrusted_chain && IsOfAnotherAuthority(result.status)) {
      AddOnce(warnings,
              Prefixed(parts.certificate_name, "comes from another authority than those of " +
                                                   std::string(parts.trust_bundle_name) + ": " +
                                                   std::string(ToStd(result.status.message()))));
    } else {
      return WithContext(result.status, Prefixed(parts.certificate_name,
                                                 "with " + std::string(parts.trust_bundle_name)));
    }
  }
  Extend(chain, certificates, now);
  if (needed == 0) needed = chain.size();

  Time last = leaf.validity().not_after;
  for (size_t i = 0; i < needed; ++i) last = std::min(last, chain[i].validity().not_after);
  identity->expires_ = last + Seconds(1);  // notAfter itself is still valid
  return identity;
}

std::string Identity::ChainPem() const {
  std::string pem;
  for (const Certificate& certificate : chain_) pem += certificate.ToPem();
  return pem;
}

}  // namespace troth
