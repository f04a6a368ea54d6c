// What is poor about a certificate that is read and works.
#include <algorithm>
#include <string>
#include <utility>

#include "troth/pki/certificate.h"

namespace troth {
namespace {

constexpr size_t kMaxSerialBytes = 20;  // RFC 5280 section 4.1.2.2
constexpr int kMinRsaBits = 2048;

bool IsRsaOf(const PublicKey& key) { return key.kind() == PublicKey::Kind::kRsa; }

bool IsSha1(SignatureAlgorithm algorithm) {
  return algorithm == SignatureAlgorithm::kRsaSha1 || algorithm == SignatureAlgorithm::kEcdsaSha1;
}

void AddCommon(const Certificate& certificate, std::vector<std::string>& out) {
  const std::string& serial = certificate.serial_number().der_content();
  if ((static_cast<std::uint8_t>(serial[0]) & 0x80) != 0) {
    out.emplace_back("negative serial number");
  } else if (serial == std::string(1, '\0')) {
    out.emplace_back("serial number 0");
  } else if (serial.size() > kMaxSerialBytes) {
    out.emplace_back("serial number of more than 20 bytes");
  }
  if (IsSha1(certificate.signature_algorithm())) {
    out.emplace_back("signed with SHA-1, which is never accepted; issue it again with -sha256");
  } else if (certificate.signature_algorithm() == SignatureAlgorithm::kOther) {
    out.emplace_back("signed with an algorithm that is not supported, so nothing verifies it");
  }
  const PublicKey& key = certificate.public_key();
  if (key.kind() == PublicKey::Kind::kOther) {
    out.emplace_back("a key of a kind that is not supported, with which nothing verifies");
  } else if (IsRsaOf(key) && key.bits() < kMinRsaBits) {
    out.push_back("RSA key of " + std::to_string(key.bits()) + " bits, fewer than 2048");
  }
  if (certificate.validity().not_after < certificate.validity().not_before) {
    out.emplace_back("notAfter lies before notBefore, so it is never valid");
  }
}

void AddOfCa(const Certificate& certificate, std::vector<std::string>& out) {
  const std::optional<std::uint16_t> usage = certificate.key_usage();
  if (!usage.has_value()) {
    out.emplace_back("no keyUsage, which a CA needs (keyCertSign, cRLSign)");
  } else if ((*usage & kKeyCertSign) == 0) {
    out.emplace_back("keyUsage without keyCertSign, so it can issue nothing");
  }
  for (const Extension& extension : certificate.extensions()) {
    if (extension.oid == "2.5.29.19" && !extension.critical) {
      out.emplace_back("basicConstraints of a CA that is not critical");
    }
    if (extension.oid == "2.5.29.30" && !extension.critical) {
      out.emplace_back("nameConstraints that are not critical, so that others may ignore them");
    }
  }
  if (!certificate.subject_key_id().has_value()) {
    out.emplace_back("no subjectKeyIdentifier, which a CA needs");
  }
  if (certificate.subject().empty()) out.emplace_back("a CA without a subject");
}

// By its extended key usage; without one it may be anything.
bool MayBeServer(const Certificate& certificate) {
  const std::optional<std::vector<std::string>>& usages = certificate.extended_key_usage();
  return !usages.has_value() || std::ranges::any_of(*usages, [](const std::string& usage) {
    return usage == kServerAuthOid || usage == kAnyExtendedKeyUsageOid;
  });
}

void AddOfLeaf(const Certificate& certificate, std::vector<std::string>& out) {
  if (!certificate.key_usage().has_value()) out.emplace_back("no keyUsage");
  if (!certificate.extended_key_usage().has_value()) {
    out.emplace_back("no extendedKeyUsage, so it is good for every use");
  }
  if (certificate.name_constraints().has_value()) {
    out.emplace_back("nameConstraints in a certificate that is no CA");
  }
  if (certificate.key_usage().value_or(0) & kKeyCertSign) {
    out.emplace_back("keyUsage has keyCertSign, but it is no CA");
  }
}

}  // namespace

std::vector<std::string> Certificate::Weaknesses() const {
  std::vector<std::string> out;
  if (version() < 3) {
    out.push_back("version " + std::to_string(version()) +
                  ", which cannot say what it may be used for or which names it has; issue it with "
                  "an extensions file (openssl x509 -req -extfile FILE)");
  } else if (is_ca()) {
    AddOfCa(*this, out);
  } else {
    AddOfLeaf(*this, out);
  }
  AddCommon(*this, out);
  if (!is_ca() && alternative_names().empty() && MayBeServer(*this)) {
    out.emplace_back("no subject alternative name; the common name does not count as a host name");
  }
  const bool self_issued = subject().Matches(issuer());
  if (version() == 3 && !self_issued && !authority_key_id().has_value()) {
    out.emplace_back("no authorityKeyIdentifier");
  }
  if (subject().empty() && !alternative_names().empty() && !alternative_names_critical()) {
    out.emplace_back("no subject, and the subject alternative name is not critical");
  }
  // A CA that certifies its next key is self-issued and rightly not self-signed (RFC 5280
  // section 3.2).
  const bool is_marked_ca = basic_constraints().has_value() && basic_constraints()->is_ca;
  if (self_issued && !is_marked_ca && !IsSelfSigned() &&
      public_key().kind() != PublicKey::Kind::kOther &&
      signature_algorithm() != SignatureAlgorithm::kOther && !IsSha1(signature_algorithm())) {
    out.emplace_back(
        "subject and issuer are the same, but it is not signed with its own key: a certificate "
        "needs another subject than its CA");
  }
  return out;
}

}  // namespace troth
