// For tests of ExamineEndpoint: a client with its files, and what the doctor tells it.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "troth/doctor/endpoint_testing.h"

namespace troth::testing {

inline const AlternativeName kLoopback{AlternativeName::Kind::kIp, std::string("\x7f\0\0\x01", 4)};
inline const AlternativeName kLocalhost{AlternativeName::Kind::kDns, "localhost"};
inline const std::string kServerAuth(kServerAuthOid);
inline const std::string kClientAuth(kClientAuthOid);

using Codes = std::vector<std::string>;

// A server's certificate for 127.0.0.1, of `issuer`.
inline Wanted ServerLeaf(const std::string& issuer = "root") {
  return {.subject = "server",
          .issuer = issuer,
          .extended_key_usage = {kServerAuth},
          .names = {kLoopback, kLocalhost}};
}
inline Wanted ClientLeaf(const std::string& issuer = "root") {
  return {.subject = "client", .issuer = issuer, .extended_key_usage = {kClientAuth}};
}
inline Wanted OldRoot() {
  Wanted root = Root("root");
  root.from = kNow - 3650 * kDay;
  root.to = kNow + 3650 * kDay;
  return root;
}

// A client with its files, and what the doctor tells it.
class Client {
 public:
  Client() {
    options.now = kNow;
    options.timeout = std::chrono::milliseconds(6000);
    options.system_trust_files = {};
  }
  void Trust(const std::vector<Certificate>& authorities) {
    patient.Give("ca.pem", authorities);
    options.trust_bundle = patient.Path("ca.pem");
  }
  void Show(const std::vector<Certificate>& chain, const std::string& key = "client") {
    patient.Give("client.pem", chain);
    patient.GiveKey("client.key", key);
    options.certificate = patient.Path("client.pem");
    options.private_key = patient.Path("client.key");
  }
  void Check(const Crl& crl) {
    patient.Give("ca.crl", crl.ToPem());
    options.crls = {patient.Path("ca.crl")};
  }
  Diagnosis Examine(std::uint16_t port, const std::string& host = "127.0.0.1") const {
    return ExamineEndpoint({.host = host, .port = port}, options);
  }

  Patient patient;
  EndpointOptions options;
};

// The codes of the findings of this severity, each once.
inline std::vector<std::string> CodesOf(const Diagnosis& diagnosis, Severity severity) {
  std::vector<std::string> codes;
  for (const Finding& finding : diagnosis.findings) {
    const std::string code(CodeOf(finding.reason));
    if (finding.severity == severity && std::ranges::find(codes, code) == codes.end()) {
      codes.push_back(code);
    }
  }
  return codes;
}

inline std::vector<std::string> Faults(const Diagnosis& diagnosis) {
  return CodesOf(diagnosis, Severity::kFault);
}
inline std::vector<std::string> Warnings(const Diagnosis& diagnosis) {
  return CodesOf(diagnosis, Severity::kWarning);
}

inline std::string Seen(const Diagnosis& diagnosis, std::string_view part) {
  for (const Recognised& recognised : diagnosis.recognised) {
    if (recognised.subject == part) return recognised.what;
  }
  return "";
}

}  // namespace troth::testing
