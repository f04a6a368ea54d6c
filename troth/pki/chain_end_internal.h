// Why no path leads from a leaf to an anchor, for people.
#pragma once

#include <vector>

#include "absl/status/status.h"
#include "troth/pki/certificate.h"
#include "troth/pki/path_search_internal.h"
#include "troth/pki/signature_checks_internal.h"

namespace troth {

struct ChainEnd {
  std::vector<const Certificate*> path;  // leaf first, as far as signatures lead
  absl::Status status;                   // about the last one
};

// Follows signatures upwards from the leaf, one issuer each, to the certificate whose issuer is
// missing. Errors: issuer_unknown, certificate_self_signed (a leaf), signature_invalid (the
// issuer's name is there, with another key), and what else checking a signature answers. Checks few
// signatures.
ChainEnd ExplainChainEnd(const CertificateGraph& graph, SignatureChecks& signatures);

}  // namespace troth
