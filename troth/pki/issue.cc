#include "troth/pki/issue.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/pki/der.h"
#include "troth/pki/extension_reader_internal.h"
#include "troth/pki/extension_writer_internal.h"
#include "troth/pki/issue_internal.h"
#include "troth/pki/name_constraints_internal.h"
#include "troth/pki/signature_algorithm.h"

namespace troth {
namespace {

constexpr std::string_view kOcspOid = "1.3.6.1.5.5.7.48.1";
constexpr std::string_view kCaIssuersOid = "1.3.6.1.5.5.7.48.2";
// More than every name of the largest certificate against every constraint of the largest issuer.
constexpr size_t kMaxNameComparisons = 10'000'000;

std::string BasicConstraintsDer(const BasicConstraints& constraints) {
  der::Writer writer;
  writer.Nested(der::kSequence, [&] {
    if (constraints.is_ca) writer.Boolean(true);
    if (constraints.path_length.has_value()) {
      writer.Integer(static_cast<std::uint64_t>(*constraints.path_length));
    }
  });
  return writer.Take();
}

// A named bit list: trailing zero bits are left out (X.690 section 11.2.2).
std::string KeyUsageDer(std::uint16_t usage) {
  std::uint16_t bits = 0;  // bit 0 of the extension is the highest
  for (int i = 0; i < 9; ++i) {
    if ((usage >> i & 1) != 0) bits = static_cast<std::uint16_t>(bits | 0x8000 >> i);
  }
  std::string octets(1, static_cast<char>(bits >> 8));
  if ((bits & 0xff) != 0) octets += static_cast<char>(bits & 0xff);
  der::Writer writer;
  writer.BitString(octets, std::countr_zero(static_cast<std::uint8_t>(octets.back())));
  return writer.Take();
}

std::string ExtendedKeyUsageDer(const std::vector<std::string>& usages) {
  der::Writer writer;
  writer.Nested(der::kSequence, [&] {
    for (const std::string& oid : usages) writer.Oid(oid);
  });
  return writer.Take();
}

std::string SubjectKeyIdDer(std::string_view key_id) {
  der::Writer writer;
  writer.Element(der::kOctetString, key_id);
  return writer.Take();
}

std::string AuthorityKeyIdDer(std::string_view key_id) {
  der::Writer writer;
  writer.Nested(der::kSequence, [&] { writer.Element(der::ContextPrimitive(0), key_id); });
  return writer.Take();
}

std::string NameConstraintsDer(const NameConstraints& constraints) {
  der::Writer writer;
  const auto write_subtrees = [&](int tag, const std::vector<NameConstraints::Subtree>& subtrees) {
    if (subtrees.empty()) return;
    writer.Nested(der::ContextConstructed(tag), [&] {
      for (const NameConstraints::Subtree& subtree : subtrees) {
        writer.Nested(der::kSequence,
                      [&] { WriteGeneralName(writer, subtree.kind, subtree.base); });
      }
    });
  };
  writer.Nested(der::kSequence, [&] {
    write_subtrees(0, constraints.permitted);
    write_subtrees(1, constraints.excluded);
  });
  return writer.Take();
}

// One DistributionPoint a URL, as OpenSSL writes it.
std::string CrlDistributionPointsDer(const std::vector<std::string>& urls) {
  der::Writer writer;
  writer.Nested(der::kSequence, [&] {
    for (const std::string& url : urls) {
      writer.Nested(der::kSequence, [&] {
        writer.Nested(der::ContextConstructed(0), [&] {
          writer.Nested(der::ContextConstructed(0),
                        [&] { WriteGeneralName(writer, AlternativeName::Kind::kUri, url); });
        });
      });
    }
  });
  return writer.Take();
}

std::string InfoAccessDer(const CertificateTemplate& what) {
  der::Writer writer;
  const auto write = [&](std::string_view method, const std::vector<std::string>& urls) {
    for (const std::string& url : urls) {
      writer.Nested(der::kSequence, [&] {
        writer.Oid(method);
        WriteGeneralName(writer, AlternativeName::Kind::kUri, url);
      });
    }
  };
  writer.Nested(der::kSequence, [&] {
    write(kOcspOid, what.ocsp_urls);
    write(kCaIssuersOid, what.ca_issuer_urls);
  });
  return writer.Take();
}

void WriteExtensions(der::Writer& writer, const CertificateTemplate& what,
                     std::string_view issuer_key_id) {
  const auto write = [&](std::string_view oid, bool critical, std::string_view value) {
    WriteExtension(writer, oid, critical, value);
  };
  if (what.basic_constraints.has_value()) {
    write(kBasicConstraintsOid, true, BasicConstraintsDer(*what.basic_constraints));
  }
  write(kKeyUsageOid, true, KeyUsageDer(KeyUsageFor(what)));
  if (!what.extended_key_usage.empty()) {
    write(kExtendedKeyUsageOid, what.extended_key_usage_critical,
          ExtendedKeyUsageDer(what.extended_key_usage));
  }
  write(kSubjectKeyIdOid, false, SubjectKeyIdDer(KeyIdOf(what.public_key)));
  write(kAuthorityKeyIdOid, false, AuthorityKeyIdDer(issuer_key_id));
  if (!what.alternative_names.empty()) {
    der::Writer names;
    WriteAlternativeNames(names, what.alternative_names);
    // RFC 5280 section 4.2.1.6: critical when there is no other name.
    write(kSubjectAltNameOid, what.subject.empty(), names.bytes());
  }
  if (what.name_constraints.has_value()) {
    write(kNameConstraintsOid, true, NameConstraintsDer(*what.name_constraints));
  }
  if (!what.crl_urls.empty()) {
    write(kCrlDistributionPointsOid, false, CrlDistributionPointsDer(what.crl_urls));
  }
  if (!what.ocsp_urls.empty() || !what.ca_issuer_urls.empty()) {
    write(kAuthorityInfoAccessOid, false, InfoAccessDer(what));
  }
}

std::string TbsDer(const CertificateTemplate& what, const IssuerFields& issuer) {
  der::Writer writer;
  writer.Nested(der::kSequence, [&] {
    writer.Nested(der::ContextConstructed(0), [&] { writer.Integer(2); });  // version 3
    writer.IntegerContent(what.serial.der_content());
    writer.Raw(SignatureAlgorithmToDer(issuer.algorithm));
    writer.Raw(issuer.name_der);
    writer.Nested(der::kSequence, [&] {
      writer.Timestamp(what.validity.not_before);
      writer.Timestamp(what.validity.not_after);
    });
    writer.Raw(what.subject.der());
    writer.Raw(what.public_key.der());
    writer.Nested(der::ContextConstructed(3), [&] {
      writer.Nested(der::kSequence, [&] { WriteExtensions(writer, what, issuer.key_id); });
    });
  });
  return writer.Take();
}

// Writes, signs, reads back and compares. `what` has been checked.
absl::StatusOr<Certificate> SignAndCheck(const CertificateTemplate& what,
                                         const IssuerFields& issuer, const PrivateKey& key) {
  const std::string tbs = TbsDer(what, issuer);
  const absl::StatusOr<std::string> signature = key.Sign(tbs);
  if (!signature.ok()) return signature.status();
  der::Writer writer;
  writer.Nested(der::kSequence, [&] {
    writer.Raw(tbs);
    writer.Raw(SignatureAlgorithmToDer(issuer.algorithm));
    writer.BitString(*signature);
  });
  if (writer.bytes().size() > kMaxCertificateBytes) {
    return MakeError(Reason::kRequestMalformed,
                     "expected a certificate of at most " + std::to_string(kMaxCertificateBytes) +
                         " bytes, got " + std::to_string(writer.bytes().size()) +
                         "; ask for fewer names");
  }
  absl::StatusOr<Certificate> issued = Certificate::FromDer(writer.bytes());
  if (!issued.ok()) {
    return MakeError(Reason::kInternal, "the finished certificate cannot be read back: " +
                                            std::string(ToStd(issued.status().message())));
  }
  if (absl::Status checked = CheckIssued(*issued, what, issuer); !checked.ok()) return checked;
  return issued;
}

absl::Status CheckNamesPermitted(const Certificate& issued, const Certificate& issuer) {
  if (!issuer.name_constraints().has_value()) return absl::OkStatus();
  const absl::StatusOr<NameRules> rules = NameRules::Create(*issuer.name_constraints());
  if (!rules.ok()) return rules.status();
  size_t comparisons_left = kMaxNameComparisons;
  return rules->Check(ConstrainedNames(issued), comparisons_left);
}

}  // namespace

absl::StatusOr<Signer> Signer::Create(Certificate certificate, PrivateKey key) {
  if (certificate.public_key() != key.public_key()) {
    return MakeError(Reason::kKeyMismatch, "the private key (" + key.public_key().Describe() +
                                               ") does not belong to the CA certificate " +
                                               certificate.Describe());
  }
  const bool may_sign = certificate.key_usage().value_or(kKeyCertSign) & kKeyCertSign;
  if (!certificate.is_ca() || !may_sign) {
    return MakeError(
        Reason::kNotACertificateAuthority,
        "expected a CA certificate (CA:TRUE, keyCertSign), got " + certificate.Describe());
  }
  if (absl::Status strength = key.public_key().CheckStrength(); !strength.ok()) {
    return WithContext(strength, "the CA's key");
  }
  return Signer(std::move(certificate), std::move(key));
}

absl::StatusOr<Certificate> Issue(const CertificateTemplate& what, const Signer& signer) {
  if (absl::Status checked = CheckTemplate(what); !checked.ok()) return checked;
  const Certificate& ca = signer.certificate();
  if (ca.validity().not_after < what.validity.not_before) {
    return MakeError(Reason::kCertificateExpired,
                     "the issuer's validity ends at " + FormatTime(ca.validity().not_after) +
                         ", before that of the certificate begins; renew the issuer first");
  }
  const bool for_ca = what.basic_constraints.has_value() && what.basic_constraints->is_ca;
  if (for_ca && ca.basic_constraints().has_value() && ca.basic_constraints()->path_length == 0) {
    return MakeError(Reason::kPathLengthExceeded,
                     "expected a leaf, got a CA to be issued by " + ca.Describe() +
                         ", whose path length is 0; issue it from the CA above");
  }
  const IssuerFields issuer{
      .name_der = ca.subject().der(),
      .key_id = ca.subject_key_id().has_value() ? *ca.subject_key_id() : KeyIdOf(ca.public_key()),
      .algorithm = signer.key().signature_algorithm()};
  absl::StatusOr<Certificate> issued = MakeError(Reason::kInternal, "");
  if (what.validity.not_after <= ca.validity().not_after) {
    issued = SignAndCheck(what, issuer, signer.key());
  } else {
    CertificateTemplate cut = what;
    cut.validity.not_after = ca.validity().not_after;
    issued = SignAndCheck(cut, issuer, signer.key());
  }
  if (!issued.ok()) return issued;
  if (absl::Status permitted = CheckNamesPermitted(*issued, ca); !permitted.ok()) return permitted;
  return issued;
}

absl::StatusOr<Certificate> IssueSelfSigned(const CertificateTemplate& what,
                                            const PrivateKey& key) {
  if (what.public_key != key.public_key()) {
    return MakeError(Reason::kKeyMismatch,
                     "expected the public key of the key that signs, got another");
  }
  if (absl::Status checked = CheckTemplate(what); !checked.ok()) return checked;
  if (what.subject.empty()) {
    return MakeError(Reason::kRequestMalformed,
                     "expected a subject in a self-signed certificate, for it is the issuer too");
  }
  const IssuerFields issuer{.name_der = what.subject.der(),
                            .key_id = KeyIdOf(what.public_key),
                            .algorithm = key.signature_algorithm()};
  return SignAndCheck(what, issuer, key);
}

}  // namespace troth
