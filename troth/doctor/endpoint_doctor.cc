#include "troth/doctor/endpoint_doctor.h"

#include <utility>

#include "troth/doctor/client_files_internal.h"
#include "troth/doctor/endpoint_findings_internal.h"
#include "troth/doctor/endpoint_survey_internal.h"
#include "troth/doctor/server_chain_examination_internal.h"

namespace troth {
namespace {

void ExamineChainOf(const EndpointCase& what, const TlsProbe& probe, const std::string& subject,
                    Diagnosis& diagnosis) {
  if (!probe.chain_status.ok()) diagnosis.Add(FaultOf(probe.chain_status, subject));
  if (probe.handshake_done && !probe.showed_chain()) {
    diagnosis.Add({.severity = Severity::kFault,
                   .reason = Reason::kCertificateMissing,
                   .subject = subject,
                   .title = "the server showed no certificate",
                   .expected = "a certificate for " + what.endpoint.host,
                   .got = probe.version + " with " + probe.cipher,
                   .fix = "give the server a certificate and its key"});
  }
  if (probe.chain.empty()) return;
  std::vector<Certificate> loose;
  if (what.files.credentials.has_value()) {
    for (const Certificate& certificate : what.files.credentials->chain) {
      if (certificate.is_ca()) loose.push_back(certificate);
    }
  }
  ExamineServerChain({.subject = subject,
                      .chain = probe.chain,
                      .trust = what.files.trust,
                      .crls = what.files.crls,
                      .loose = std::move(loose),
                      .name = what.options.server_name.value_or(what.endpoint.Name()),
                      .server_clock = what.server_clock(),
                      .now = what.options.now,
                      .warn_before = what.options.warn_before},
                     diagnosis);
}

void AddWithoutTls(const EndpointCase& what, const OtherAddress& other, const std::string& subject,
                   Diagnosis& diagnosis) {
  const bool timed_out = other.tls.end == TlsEnd::kTimedOut;
  const bool first_does = what.furthest().showed_chain();
  const std::string there = what.facts.address->ToString();
  // The addresses share what is left of the time: a slow one is not a broken one.
  diagnosis.Add(
      {.severity = timed_out ? Severity::kWarning : Severity::kFault,
       .reason = Reason::kHandshakeFailed,
       .subject = subject,
       .title = std::string(timed_out ? "this address of the name did not answer with TLS in time"
                                      : "this address of the name does not answer with TLS") +
                (first_does ? ", " + there + " does" : ", nor does " + there),
       .expected = "a handshake",
       .got = timed_out ? "none within " + ShortTime(other.tls.handshake_took) : "no handshake",
       .fix = timed_out ? "examine this address by itself, or try a longer --timeout"
                        : "mend the server there, or take its address out of the name"});
}

// Other servers behind the same name: what differs from the first.
void ExamineOthers(const EndpointCase& what, Diagnosis& diagnosis) {
  for (const OtherAddress& other : what.facts.others) {
    const std::string subject = what.subject() + " at " + other.address.ToString();
    const TlsProbe& first = what.furthest();
    if (!other.tls.showed_chain()) {
      AddWithoutTls(what, other, subject, diagnosis);
      continue;
    }
    if (!first.showed_chain()) {
      diagnosis.Add({.severity = Severity::kNote,
                     .reason = Reason::kHandshakeFailed,
                     .subject = subject,
                     .title = "this address of the name answers with TLS, " +
                              what.facts.address->ToString() + " does not",
                     .fix = "mend the server that does not, or take its address out of the name"});
    }
    if (other.tls.chain != first.chain || other.tls.chain_status != first.chain_status) {
      ExamineChainOf(what, other.tls, subject, diagnosis);
    }
  }
}

}  // namespace

Diagnosis ExamineEndpoint(const Endpoint& endpoint, const EndpointOptions& options) {
  const Deadline deadline = std::chrono::steady_clock::now() + options.timeout;
  Diagnosis diagnosis;
  const ClientFiles files = ReadClientFiles(options, diagnosis);
  const EndpointFacts facts = Survey(
      endpoint, options, files.credentials.has_value() ? &*files.credentials : nullptr, deadline);
  const EndpointCase what{.endpoint = endpoint, .options = options, .files = files, .facts = facts};
  DescribeEndpoint(what, diagnosis);
  AddConnectionFindings(what, diagnosis);
  AddAdmissionFindings(what, diagnosis);
  ExamineChainOf(what, what.furthest(), what.subject(), diagnosis);
  ExamineOthers(what, diagnosis);
  AddAnswerFindings(what, diagnosis);
  diagnosis.Sort();
  return diagnosis;
}

}  // namespace troth
