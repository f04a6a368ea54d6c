#include <algorithm>
#include <string_view>

#include "troth/base/encoding.h"
#include "troth/base/reason.h"
#include "troth/pki/description.h"
#include "troth/pki/revocation_internal.h"
#include "troth/pki/revocation_reason.h"

namespace troth {
namespace {

constexpr int kCertificateHold = 6;  // RFC 5280 section 5.3.1

// Content octets of two INTEGERs that are not negative.
bool NumberLess(std::string_view a, std::string_view b) {
  const auto trim = [](std::string_view number) {
    while (number.size() > 1 && number[0] == '\0') number.remove_prefix(1);
    return number;
  };
  a = trim(a);
  b = trim(b);
  return a.size() != b.size() ? a.size() < b.size() : a < b;  // char_traits compares unsigned
}

bool IsOlder(const Crl& a, const Crl& b) {
  if (a.number().has_value() && b.number().has_value() && *a.number() != *b.number()) {
    return NumberLess(*a.number(), *b.number());
  }
  return a.this_update() < b.this_update();
}

std::string ListOf(const Certificate& issuer) { return "the CRL of " + Quoted(issuer.subject()); }

bool IsPast(const Crl& crl, const PathOptions& options) {
  return crl.next_update().has_value() && options.now > *crl.next_update() + options.crl_grace;
}

// What is wrong with the newest list, from which it follows that a certificate is not revoked.
absl::Status CheckNewest(const Crl& crl, const Certificate& issuer, const PathOptions& options) {
  if (issuer.key_usage().has_value() && (*issuer.key_usage() & kCrlSign) == 0) {
    return MakeError(Reason::kRevocationUnknown,
                     ListOf(issuer) + " does not count: the keyUsage of its issuer lacks cRLSign");
  }
  if (!crl.number().has_value()) {
    return MakeError(Reason::kCrlMalformed,
                     ListOf(issuer) + " has no number; RFC 5280 section 5.2.3 wants one");
  }
  if (!crl.next_update().has_value()) {
    return MakeError(Reason::kCrlMalformed,
                     ListOf(issuer) + " has no nextUpdate; RFC 5280 section 5.1.2.5 wants one");
  }
  if (crl.this_update() > options.now) {
    return MakeError(Reason::kRevocationUnknown,
                     ListOf(issuer) + " is dated in the future: thisUpdate " +
                         FormatTime(crl.this_update()) + ", now " + FormatTime(options.now) +
                         "; check the clocks");
  }
  if (IsPast(crl, options)) {
    return MakeError(Reason::kCrlExpired, ListOf(issuer) + " should have been replaced by " +
                                              FormatTime(*crl.next_update()) + ", now " +
                                              FormatTime(options.now));
  }
  return absl::OkStatus();
}

}  // namespace

const RevocationAnswer& RevocationChecker::Check(const Certificate& certificate,
                                                 const Certificate& issuer) {
  const auto at = std::pair(certificate.der().data(), issuer.der().data());
  if (const auto known = answers_.find(at); known != answers_.end()) return known->second;
  return answers_.emplace(at, Answer(certificate, issuer)).first->second;
}

RevocationAnswer RevocationChecker::Answer(const Certificate& certificate,
                                           const Certificate& issuer) {
  RevocationAnswer answer;
  std::vector<const Crl*> lists;
  if (options_.crls != nullptr) {
    for (const Crl& crl : *options_.crls) {
      if (!crl.issuer().Matches(issuer.subject())) continue;
      const absl::Status& verified = signatures_.Verify(crl, issuer.public_key());
      if (verified.ok()) {
        lists.push_back(&crl);
        continue;
      }
      if (ReasonOf(verified) != Reason::kSignatureInvalid ||
          (crl.authority_key_id().has_value() &&
           crl.authority_key_id() == issuer.subject_key_id())) {
        answer.status = WithContext(verified, ListOf(issuer));
        return answer;
      }
      answer.warnings.push_back(ListOf(issuer) + " from " + FormatTime(crl.this_update()) +
                                " is ignored: another key signed it");
    }
  }
  if (lists.empty()) {
    if (options_.revocation == RevocationCheck::kRequired) {
      answer.status = MakeError(Reason::kRevocationUnknown,
                                "no CRL of its issuer " + Quoted(issuer.subject()) + " was given");
    }
    return answer;
  }

  // A list dated in the future cannot show that a certificate is good, but another one still can.
  const auto newest = std::ranges::max_element(lists, [&](const Crl* a, const Crl* b) {
    const bool a_usable = a->this_update() <= options_.now;
    const bool b_usable = b->this_update() <= options_.now;
    return a_usable != b_usable ? b_usable : IsOlder(*a, *b);
  });
  for (const Crl* list : lists) {
    const RevokedEntry* entry = list->Find(certificate.serial_number());
    if (entry == nullptr) continue;
    if (list != *newest && (entry->reason == kCertificateHold || IsPast(*list, options_))) continue;
    answer.status = MakeError(Reason::kCertificateRevoked,
                              "revoked by " + Quoted(issuer.subject()) + " at " +
                                  FormatTime(entry->revoked_at) + ", reason " +
                                  std::string(NameOfRevocationReason(entry->reason)) +
                                  ", serial number " + certificate.serial_number().ToHex());
    return answer;
  }
  answer.status = CheckNewest(**newest, issuer, options_);
  if (!answer.status.ok()) return answer;
  answer.good_until = *(*newest)->next_update() + options_.crl_grace;
  // At its thisUpdate such a list becomes the newest, and its holds count.
  for (const Crl* list : lists) {
    if (list->this_update() > options_.now) {
      answer.good_until = std::min(*answer.good_until, list->this_update() - Seconds(1));
    }
  }
  return answer;
}

}  // namespace troth
