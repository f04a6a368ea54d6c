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

// Other servers behind the same name: what differs from the first.
void ExamineOthers(const EndpointCase& what, Diagnosis& diagnosis) {
  for (const OtherAddress& other : what.facts.others) {
    const std::string subject = what.subject() + " at " + other.address.ToString();
    if (other.tls.chain.empty()) {
      diagnosis.Add({.severity = Severity::kFault,
                     .reason = Reason::kHandshakeFailed,
                     .subject = subject,
                     .title = "this address of the name does not answer with TLS, another does",
                     .expected = "a handshake as at " + what.facts.address->ToString(),
                     .got = other.tls.end == TlsEnd::kTimedOut ? "silence" : "no handshake",
                     .fix = "mend the server there, or take its address out of the name"});
    } else if (other.tls.chain != what.furthest().chain) {
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
