#include <algorithm>
#include <utility>

#include "troth/base/reason.h"
#include "troth/doctor/certificate_role_internal.h"
#include "troth/doctor/server_chain_examination_internal.h"
#include "troth/pki/description.h"

namespace troth {
namespace {

// What else is known of the clocks.
std::string ClockHint(const ServerChain& chain, const Certificate& certificate) {
  const auto is_valid = [&](Time time) {
    return certificate.validity().not_before <= time && time <= certificate.validity().not_after;
  };
  if (chain.server_clock.has_value() && is_valid(*chain.server_clock)) {
    return "; by the server's clock (" + FormatTime(*chain.server_clock) +
           ") it is valid: is the clock of this machine right";
  }
  const auto is_future = [&](const Certificate& other) {
    return chain.now < other.validity().not_before;
  };
  const std::vector<Certificate>& known = chain.trust.certificates;
  if (chain.trust.kind == ClientTrust::Kind::kGiven && !known.empty() &&
      std::ranges::all_of(chain.chain, is_future) && std::ranges::all_of(known, is_future)) {
    return "; so is every other certificate: the clock of this machine is behind";
  }
  return "";
}

}  // namespace

void ExamineServerTime(const ServerChain& chain, const Certificate& certificate,
                       const std::string& where, Diagnosis& diagnosis) {
  const auto add = [&](Severity severity, Reason reason, Finding finding) {
    finding.severity = severity;
    finding.reason = reason;
    finding.subject = chain.subject;
    diagnosis.Add(std::move(finding));
  };
  const Validity& validity = certificate.validity();
  const std::string name = (certificate == chain.chain.front() ? "the server's certificate "
                            : IsRoot(certificate)              ? "the root CA "
                                                               : "the intermediate CA ") +
                           Called(certificate) + where;
  const std::string now = "it is " + FormatTime(chain.now) + " by this machine's clock";
  if (chain.now > validity.not_after) {
    add(Severity::kFault, Reason::kCertificateExpired,
        {.title = name + " expired " + FormatDuration(chain.now - validity.not_after) + " ago" +
                  ClockHint(chain, certificate),
         .expected = "a time up to " + FormatTime(validity.not_after),
         .got = now});
  } else if (chain.now < validity.not_before) {
    add(Severity::kFault, Reason::kCertificateNotYetValid,
        {.title = name + " becomes valid only in " +
                  FormatDuration(validity.not_before - chain.now) + ClockHint(chain, certificate),
         .expected = "a time from " + FormatTime(validity.not_before) + " on",
         .got = now,
         .fix = "set the clock (`timedatectl` shows whether it is synchronised), or wait"});
  } else {
    const Seconds left = validity.not_after - chain.now;
    const Seconds lifetime = validity.not_after - validity.not_before;
    if (left > std::min(chain.warn_before, lifetime / 3)) return;
    add(Severity::kWarning, Reason::kCertificateExpired,
        {.title = name + " expires in " + FormatDuration(left),
         .expected = "more than " + FormatDuration(std::min(chain.warn_before, lifetime / 3)),
         .got = "valid until " + FormatTime(validity.not_after),
         .fix = "renew it now"});
  }
}

}  // namespace troth
