#include "troth/doctor/endpoint_doctor.h"

#include <utility>

#include "troth/doctor/client_files_internal.h"
#include "troth/doctor/endpoint_findings_internal.h"
#include "troth/doctor/endpoint_survey_internal.h"
#include "troth/doctor/server_chain_examination_internal.h"

namespace troth {
namespace {

void ExamineChainOf(const EndpointCase& what, Diagnosis& diagnosis) {
  const TlsProbe& probe = what.furthest();
  if (!probe.chain_status.ok()) diagnosis.Add(FaultOf(probe.chain_status, what.subject()));
  if (probe.chain.empty()) return;
  std::vector<Certificate> loose;
  if (what.files.credentials.has_value()) {
    for (const Certificate& certificate : what.files.credentials->chain) {
      if (certificate.is_ca()) loose.push_back(certificate);
    }
  }
  ExamineServerChain({.subject = what.subject(),
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
  ExamineChainOf(what, diagnosis);
  AddAnswerFindings(what, diagnosis);
  diagnosis.Sort();
  return diagnosis;
}

}  // namespace troth
