#include "troth/authz/peer_assessment.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/pki/pem.h"

namespace troth {
namespace {

// How long a refusal is remembered. It is the same peer and the same trust, so only time can mend
// it: a validity that begins.
constexpr Seconds kFailureHolds{10};

// Signature checks that one peer may cost. Nobody who means well needs a tenth of it, and whoever
// does not is told path_too_complex after a few milliseconds.
constexpr int kMostSignatureChecks = 100;

// What the peer sent beside its leaf. Certificates that cannot be read are of no use for a path and
// do no harm to it.
std::vector<Certificate> IntermediatesOf(std::string_view chain_pem) {
  if (TrimWhitespace(chain_pem).empty()) return {};
  if (auto all = Certificate::ListFromPem(chain_pem); all.ok()) return *std::move(all);
  constexpr size_t kMost = 1000;
  std::vector<Certificate> readable;
  const auto blocks = ParsePem(chain_pem);
  if (!blocks.ok()) return readable;
  for (const PemBlock& block : *blocks) {
    if (readable.size() == kMost) break;
    if (auto certificate = Certificate::FromDer(block.content.Reveal()); certificate.ok()) {
      readable.push_back(*std::move(certificate));
    }
  }
  return readable;
}

absl::Status CheckValidity(const Certificate& leaf, Time now) {
  if (now < leaf.validity().not_before) {
    return MakeError(Reason::kCertificateNotYetValid, leaf.Describe() + " is valid from " +
                                                          FormatTime(leaf.validity().not_before) +
                                                          ", now it is " + FormatTime(now));
  }
  if (now > leaf.validity().not_after) {
    return MakeError(Reason::kCertificateExpired, leaf.Describe() + " expired at " +
                                                      FormatTime(leaf.validity().not_after) +
                                                      ", now it is " + FormatTime(now));
  }
  return absl::OkStatus();
}

// Whether `crl` can speak for the issuer of `leaf`.
bool Covers(const Crl& crl, const Certificate& leaf, const TrustBundle& trust) {
  if (!crl.issuer().Matches(leaf.issuer())) return false;
  const std::vector<Certificate> issuers = trust.FindBySubject(crl.issuer());
  if (issuers.empty()) return true;
  return std::ranges::any_of(issuers, [&](const Certificate& issuer) {
    return crl.VerifySignature(issuer.public_key()).ok();
  });
}

constexpr int kCertificateHold = 6;  // RFC 5280 section 5.3.1

absl::Status Revoked(const Certificate& leaf, const RevokedEntry& entry) {
  return MakeError(Reason::kCertificateRevoked,
                   leaf.Describe() + " was revoked at " + FormatTime(entry.revoked_at));
}

absl::Status CheckRevocation(const Certificate& leaf, const AssessmentOptions& options,
                             Time& valid_until) {
  std::vector<const Crl*> lists;
  if (options.crls != nullptr) {
    for (const Crl& crl : *options.crls) {
      if (!Covers(crl, leaf, options.trust)) continue;
      if (crl.this_update() <= options.now) {
        lists.push_back(&crl);
        continue;
      }
      // Its issuer's clock is ahead of ours. What it revokes for good counts now, the rest from its
      // time on.
      const RevokedEntry* entry = crl.Find(leaf.serial_number());
      if (entry != nullptr && entry->reason != kCertificateHold) return Revoked(leaf, *entry);
      valid_until = std::min(valid_until, crl.this_update() - Seconds(1));
    }
  }
  if (lists.empty()) {
    if (options.revocation == RevocationCheck::kRequired &&
        !leaf.subject().Matches(leaf.issuer())) {
      return MakeError(Reason::kRevocationUnknown,
                       leaf.Describe() + ": no revocation list of its issuer \"" +
                           Printable(leaf.issuer().ToString()) + "\" is there");
    }
    return absl::OkStatus();
  }
  const auto last_second = [&](const Crl& crl) {
    return crl.next_update().has_value() ? *crl.next_update() + options.crl_grace : Time::max();
  };
  const Crl* const newest =
      *std::ranges::max_element(lists, {}, [](const Crl* crl) { return crl->this_update(); });
  for (const Crl* crl : lists) {
    const RevokedEntry* entry = crl->Find(leaf.serial_number());
    if (entry == nullptr) continue;
    // A newer list may have lifted a hold, and a list that is past may be of another time.
    if (crl != newest && (entry->reason == kCertificateHold || options.now > last_second(*crl))) {
      continue;
    }
    return Revoked(leaf, *entry);
  }
  if (options.now > last_second(*newest)) {
    return MakeError(Reason::kCrlExpired,
                     "the revocation list of \"" + Printable(newest->issuer().ToString()) +
                         "\" was current until " + FormatTime(*newest->next_update()) +
                         ", now it is " + FormatTime(options.now));
  }
  valid_until = std::min(valid_until, last_second(*newest));
  return absl::OkStatus();
}

PeerAssessment Assess(std::string_view leaf_pem, std::string_view chain_pem,
                      const AssessmentOptions& options) {
  PeerAssessment result;
  if (options.mode == ClientCertificate::kDontRequest) return result;
  if (leaf_pem.empty()) {
    if (RequiresCertificate(options.mode)) {
      result.status = MakeError(Reason::kPeerNotAuthenticated,
                                "no client certificate was shown, and this port requires one");
    }
    return result;
  }
  auto leaf = Certificate::FromPem(leaf_pem);
  if (!leaf.ok()) {
    result.status = leaf.status();
    return result;
  }
  result.evidence.leaf = *leaf;
  if (VerifiesPeers(options.mode)) {
    PathResult path = ValidatePath(*leaf, IntermediatesOf(chain_pem), options.trust,
                                   {.now = options.now,
                                    .usage = options.usage,
                                    .crls = options.crls,
                                    .revocation = options.revocation,
                                    .crl_grace = options.crl_grace,
                                    .max_signature_checks = kMostSignatureChecks});
    result.status = path.status;
    if (!path.status.ok()) return result;
    result.evidence.verified = true;
    result.evidence.path = std::move(path.path);
    result.valid_until = path.valid_until;
    return result;
  }
  result.valid_until = leaf->validity().not_after;
  result.status = CheckValidity(*leaf, options.now);
  if (result.status.ok()) result.status = CheckRevocation(*leaf, options, result.valid_until);
  return result;
}

}  // namespace

PeerAssessment AssessPeer(std::string_view leaf_pem, std::string_view chain_pem,
                          const AssessmentOptions& options) {
  PeerAssessment result = Assess(leaf_pem, chain_pem, options);
  if (!result.status.ok()) {
    const bool heals_by_time = ReasonOf(result.status) == Reason::kCertificateNotYetValid;
    result.valid_until = options.now + (heals_by_time ? Seconds(0) : kFailureHolds);
  }
  return result;
}

}  // namespace troth
