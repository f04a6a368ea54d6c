// For tests: sets of files that are healthy, to be spoilt.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "troth/doctor/doctor_testing.h"
#include "troth/doctor/file_doctor.h"
#include "troth/pki/name.h"
#include "troth/pki/path_testing.h"

namespace troth::testing {

inline AlternativeName Named(std::string_view text) { return *AlternativeName::Parse(text); }

// A server's leaf below the root.
inline Wanted Server() {
  Wanted wanted = Leaf("root");
  wanted.extended_key_usage = {std::string(kServerAuthOid)};
  return wanted;
}

inline void GiveRoot(Patient& p) { p.Give("ca.pem", {Make(Root("root"))}); }

// A server's certificate, key and trust bundle, with `leaf` for the certificate.
inline void GiveServer(Patient& p, const Wanted& leaf = Server()) {
  p.Give("server.pem", {Make(leaf)});
  p.GiveKey("server.key", "leaf", leaf.key_type);
  GiveRoot(p);
}

inline Wanted ServerOf(const std::string& issuer) {
  Wanted wanted = Server();
  wanted.issuer = issuer;
  return wanted;
}

// Encrypts the key in a file; the passphrase is "secret".
inline std::string Encrypting(const std::string& name) {
  return "mv " + name + " clear && openssl pkey -in clear -aes-256-cbc -passout pass:secret -out " +
         name;
}

// The reason codes of the findings with this severity.
inline std::vector<std::string> OfSeverity(const Diagnosis& diagnosis, Severity severity) {
  std::vector<std::string> codes;
  for (const Finding& finding : diagnosis.findings) {
    if (finding.severity == severity) codes.emplace_back(CodeOf(finding.reason));
  }
  return codes;
}

}  // namespace troth::testing
