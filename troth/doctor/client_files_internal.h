// The files that a client has: what it shows, and whom it believes.
#pragma once

#include <optional>
#include <vector>

#include "troth/doctor/diagnosis.h"
#include "troth/doctor/endpoint_doctor.h"
#include "troth/doctor/server_chain_examination_internal.h"
#include "troth/doctor/tls_probe_internal.h"
#include "troth/pki/crl.h"

namespace troth {

struct ClientFiles {
  // Nothing when no certificate was given, or it cannot be used; then `diagnosis` says why.
  std::optional<ShownCredentials> credentials = {};
  ClientTrust trust = {};
  std::vector<Crl> crls = {};
};

// Reads and examines the files of `options`, and adds what they hold and what is wrong with them to
// `diagnosis`.
ClientFiles ReadClientFiles(const EndpointOptions& options, Diagnosis& diagnosis);

}  // namespace troth
