#include "troth/doctor/client_files_internal.h"

#include <algorithm>
#include <string>
#include <utility>

#include "troth/base/file.h"
#include "troth/base/reason.h"
#include "troth/doctor/file_doctor.h"
#include "troth/pki/pem.h"

namespace troth {
namespace {

constexpr size_t kMostSystemBytes = size_t{16} << 20;

// Every certificate that can be read, in PEM or DER.
std::vector<Certificate> ReadCertificates(const std::string& path, size_t max_bytes) {
  std::vector<Certificate> out;
  const absl::StatusOr<std::string> content = ReadFile(path, max_bytes);
  if (!content.ok()) return out;
  const auto add = [&](std::string_view der) {
    absl::StatusOr<Certificate> certificate = Certificate::FromDer(der);
    if (certificate.ok()) out.push_back(*std::move(certificate));
  };
  if (const absl::StatusOr<std::vector<PemBlock>> blocks = ParsePem(*content); blocks.ok()) {
    for (const PemBlock& block : *blocks) {
      if (block.label == "CERTIFICATE" || block.label == "X509 CERTIFICATE") {
        add(block.content.Reveal());
      }
    }
  } else {
    add(*content);
  }
  return out;
}

// What the file doctor says of these files, without its remarks on what was not given: that is
// judged with what the server sent.
void Examine(const std::vector<std::string>& paths, const FileDoctorOptions& options,
             Diagnosis& diagnosis) {
  Diagnosis found = ExamineFiles(paths, options);
  std::ranges::move(found.recognised, std::back_inserter(diagnosis.recognised));
  for (Finding& finding : found.findings) {
    const bool is_remark =
        finding.severity == Severity::kNote &&
        (finding.reason == Reason::kIssuerUnknown || finding.reason == Reason::kRevocationUnknown);
    if (!is_remark) diagnosis.Add(std::move(finding));
  }
}

std::optional<ShownCredentials> ReadCredentials(const EndpointOptions& options) {
  const std::string& key_path =
      options.private_key.empty() ? options.certificate : options.private_key;
  const absl::StatusOr<std::string> pem = ReadFile(key_path);
  if (!pem.ok()) return std::nullopt;
  absl::StatusOr<PrivateKey> key = PrivateKey::FromPem(*pem);
  std::vector<Certificate> chain = ReadCertificates(options.certificate, kMaxFileBytes);
  if (!key.ok()) return std::nullopt;
  const auto leaf = std::ranges::find_if(chain, [&](const Certificate& certificate) {
    return certificate.public_key() == key->public_key();
  });
  if (leaf == chain.end()) return std::nullopt;
  std::rotate(chain.begin(), leaf, leaf + 1);
  return ShownCredentials{.chain = std::move(chain), .key = *std::move(key)};
}

ClientTrust SystemTrust(const std::vector<std::string>& files) {
  for (const std::string& file : files) {
    std::vector<Certificate> certificates = ReadCertificates(file, kMostSystemBytes);
    if (certificates.empty()) continue;
    return {.kind = ClientTrust::Kind::kSystem,
            .called = file,
            .certificates = std::move(certificates)};
  }
  return {};
}

// A file without a certificate is a fault of its own, and says nothing of the server.
ClientTrust GivenTrust(const std::string& path, Diagnosis& diagnosis) {
  ClientTrust trust{.kind = ClientTrust::Kind::kGiven,
                    .called = path,
                    .certificates = ReadCertificates(path, kMaxFileBytes)};
  if (!trust.certificates.empty()) return trust;
  trust.kind = ClientTrust::Kind::kNone;
  const bool is_told = std::ranges::any_of(diagnosis.findings, [&](const Finding& finding) {
    return finding.severity == Severity::kFault && finding.subject == path;
  });
  if (!is_told) {
    diagnosis.Add({.reason = Reason::kCertificateMissing,
                   .subject = path,
                   .title = "the trust bundle holds no certificate, so whether the server is "
                            "trusted was not examined",
                   .expected = "the certificates of the CAs that the client trusts",
                   .got = "a file without one",
                   .fix = "give the CA's certificate with --trust-bundle"});
  }
  return trust;
}

}  // namespace

std::vector<std::string> SystemTrustFiles() {
  return {"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
          "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"};
}

ClientFiles ReadClientFiles(const EndpointOptions& options, Diagnosis& diagnosis) {
  ClientFiles out;
  const FileDoctorOptions file_options{.now = options.now, .warn_before = options.warn_before};
  if (!options.certificate.empty()) {
    std::vector<std::string> paths = {options.certificate};
    if (!options.private_key.empty()) paths.push_back(options.private_key);
    FileDoctorOptions own = file_options;
    own.purpose = Usage::kClient;
    Examine(paths, own, diagnosis);
    out.credentials = ReadCredentials(options);
  }
  std::vector<std::string> others = options.crls;
  if (!options.trust_bundle.empty()) others.insert(others.begin(), options.trust_bundle);
  if (!others.empty()) {
    Diagnosis found;
    Examine(others, file_options, found);
    std::ranges::move(found.recognised, std::back_inserter(diagnosis.recognised));
    for (Finding& finding : found.findings) {
      // A client may trust the very certificate of a server: whether it is this one, is seen later.
      const bool may_be_pinned = finding.subject == options.trust_bundle &&
                                 finding.reason == Reason::kCertificateSelfSigned;
      if (!may_be_pinned) diagnosis.Add(std::move(finding));
    }
  }
  for (const std::string& path : options.crls) {
    const absl::StatusOr<std::string> bytes = ReadFile(path, kMaxCrlBytes);
    if (!bytes.ok()) continue;
    absl::StatusOr<std::vector<Crl>> crls = Crl::ListFromBytes(*bytes);
    if (crls.ok()) std::ranges::move(*crls, std::back_inserter(out.crls));
  }
  if (options.trust_bundle.empty()) {
    out.trust = SystemTrust(options.system_trust_files);
  } else {
    out.trust = GivenTrust(options.trust_bundle, diagnosis);
  }
  return out;
}

}  // namespace troth
