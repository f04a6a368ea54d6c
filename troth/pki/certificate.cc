#include "troth/pki/certificate.h"

#include <algorithm>
#include <utility>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/pki/algorithm_identifier_internal.h"
#include "troth/pki/der.h"
#include "troth/pki/extension_reader_internal.h"
#include "troth/pki/pem.h"
#include "troth/pki/signature_algorithm.h"

namespace troth {

struct Certificate::Fields {
  std::string der;
  Sha256Digest fingerprint{};
  int version = 1;
  std::optional<SerialNumber> serial_number;  // set when reading succeeded, as public_key
  DistinguishedName subject;
  DistinguishedName issuer;
  Validity validity;
  std::optional<PublicKey> public_key;
  SignatureAlgorithm signature_algorithm = SignatureAlgorithm::kOther;
  std::string_view tbs_der;  // in `der`, as signature
  std::string_view signature;
  CertificateExtensions extensions;

  // Reads `der` into the other fields. Errors: any; the caller gives them their reason.
  absl::Status Read();
  absl::Status ReadTbs(der::Reader tbs, std::string_view outer_algorithm);
};

namespace {

constexpr std::string_view kWhat = "certificate";

absl::Status Malformed(std::string_view message) {
  return MakeError(Reason::kCertificateMalformed, message);
}

absl::Status ReadName(der::Reader& tbs, std::string_view field, DistinguishedName& out) {
  der::Element element;
  if (!tbs.Read(der::kSequence, field, element)) return tbs.status();
  absl::StatusOr<DistinguishedName> name = DistinguishedName::FromDer(element.full);
  if (!name.ok()) return WithContext(name.status(), field);
  out = *std::move(name);
  return absl::OkStatus();
}

absl::Status ReadValidity(der::Reader& tbs, Validity& out) {
  der::Reader validity = tbs.Enter(der::kSequence, "validity");
  if (validity.ReadTime("validity.notBefore", out.not_before) &&
      validity.ReadTime("validity.notAfter", out.not_after)) {
    validity.End("validity");
  }
  return validity.status();
}

// issuerUniqueID and subjectUniqueID: [n] IMPLICIT BIT STRING, nobody uses them.
absl::Status SkipUniqueId(der::Reader& tbs, int tag, int version) {
  der::Element id;
  bool present = false;
  if (!tbs.ReadOptional(der::ContextPrimitive(tag), "unique id", id, present)) return tbs.status();
  if (!present) return absl::OkStatus();
  if (version == 1) {
    tbs.Fail("unique id", "a version-1 certificate cannot have one");
  } else if (id.content.empty() || static_cast<std::uint8_t>(id.content[0]) > 7 ||
             (id.content.size() == 1 && id.content[0] != 0)) {
    tbs.Fail("unique id", "not a BIT STRING");
  }
  return tbs.status();
}

absl::Status ReadVersion(der::Reader& tbs, int& version) {
  der::Element element;
  bool present = false;
  if (!tbs.ReadOptional(der::ContextConstructed(0), "version", element, present)) {
    return tbs.status();
  }
  if (!present) return absl::OkStatus();
  der::Reader inner = tbs.Into(element);
  int value = 0;
  if (!inner.ReadSmallInteger("version", value) || !inner.End("version")) return inner.status();
  if (value == 0) {
    inner.Fail("version", "DER leaves version 1 out, for it is the default");
  } else if (value > 2) {
    inner.Fail("version", "expected version 1, 2 or 3, got " + std::to_string(value + 1));
  }
  version = value + 1;
  return inner.status();
}

// An algorithm that is well-formed and not known is kOther: the certificate is read, and nothing
// verifies it.
absl::StatusOr<SignatureAlgorithm> ReadAlgorithm(std::string_view der) {
  absl::StatusOr<SignatureAlgorithm> algorithm = ReadSignatureAlgorithm(der);
  if (!algorithm.ok() && ReasonOf(algorithm.status()) == Reason::kAlgorithmNotAllowed) {
    if (absl::Status status = CheckUnknownAlgorithm(der); !status.ok()) return status;
    return SignatureAlgorithm::kOther;
  }
  return algorithm;
}

absl::StatusOr<PublicKey> ReadPublicKey(const der::Element& info) {
  absl::StatusOr<PublicKey> key = PublicKey::FromDer(info.full);
  if (!key.ok() || key->kind() != PublicKey::Kind::kOther) return key;
  der::Reader reader(info.content, "subjectPublicKeyInfo");
  der::Element algorithm;
  if (!reader.Read(der::kSequence, "algorithm", algorithm)) return reader.status();
  if (absl::Status status = CheckUnknownAlgorithm(algorithm.full); !status.ok()) return status;
  return key;
}

bool IsCertificateLabel(std::string_view label) {
  return label == "CERTIFICATE" || label == "X509 CERTIFICATE";
}

// Why there is no certificate among `blocks`, of which there is at least one.
absl::Status ExplainNoCertificate(const std::vector<PemBlock>& blocks) {
  const std::string& label = blocks.front().label;
  std::string message = "expected a certificate, got " + DescribePemLabel(label);
  if (label == "TRUSTED CERTIFICATE") {
    message += "; convert it with `openssl x509 -in FILE -out FILE.pem`";
  } else if (label == "PKCS7") {
    message += "; convert it with `openssl pkcs7 -print_certs -in FILE -out FILE.pem`";
  } else if (label.ends_with("PRIVATE KEY")) {
    message += "; are the files of certificate and private key swapped?";
  } else if (label.ends_with("CERTIFICATE REQUEST")) {
    message += "; give the certificate that an authority issued for it";
  }
  return MakeError(Reason::kCertificateMissing, message);
}

}  // namespace

absl::Status Certificate::Fields::Read() {
  der::Reader whole(der, kWhat);
  der::Element element;
  if (!whole.Read(der::kSequence, "certificate", element) || !whole.End("certificate")) {
    return whole.status();
  }
  der::Reader outer = whole.Into(element);
  der::Element tbs;
  der::Element algorithm;
  int unused = 0;
  if (!outer.Read(der::kSequence, "tbsCertificate", tbs) ||
      !outer.Read(der::kSequence, "signatureAlgorithm", algorithm) ||
      !outer.ReadBitString("signature", signature, unused) || !outer.End("certificate")) {
    return outer.status();
  }
  if (unused != 0) {
    outer.Fail("signature", "a signature is made of whole bytes");
    return outer.status();
  }
  tbs_der = tbs.full;
  const absl::StatusOr<SignatureAlgorithm> read = ReadAlgorithm(algorithm.full);
  if (!read.ok()) return WithContext(read.status(), kWhat);
  signature_algorithm = *read;
  return ReadTbs(outer.Into(tbs), algorithm.full);
}

absl::Status Certificate::Fields::ReadTbs(der::Reader tbs, std::string_view outer_algorithm) {
  if (absl::Status status = ReadVersion(tbs, version); !status.ok()) return status;

  std::string_view serial;
  if (!tbs.ReadInteger("serialNumber", serial)) return tbs.status();
  absl::StatusOr<SerialNumber> number = SerialNumber::FromDerContent(serial);
  if (!number.ok()) return WithContext(number.status(), kWhat);
  serial_number = *std::move(number);

  der::Element element;
  if (!tbs.Read(der::kSequence, "signature", element)) return tbs.status();
  if (element.full != outer_algorithm) {
    tbs.Fail("signature", "the algorithm inside and that outside of the signed part differ");
    return tbs.status();
  }
  if (absl::Status status = ReadName(tbs, "issuer", issuer); !status.ok()) return status;
  if (absl::Status status = ReadValidity(tbs, validity); !status.ok()) return status;
  if (absl::Status status = ReadName(tbs, "subject", subject); !status.ok()) return status;

  if (!tbs.Read(der::kSequence, "subjectPublicKeyInfo", element)) return tbs.status();
  absl::StatusOr<PublicKey> key = ReadPublicKey(element);
  if (!key.ok()) return WithContext(key.status(), "certificate: subjectPublicKeyInfo");
  public_key = *std::move(key);

  if (absl::Status status = SkipUniqueId(tbs, 1, version); !status.ok()) return status;
  if (absl::Status status = SkipUniqueId(tbs, 2, version); !status.ok()) return status;
  bool present = false;
  if (!tbs.ReadOptional(der::ContextConstructed(3), "extensions", element, present) ||
      !tbs.End("tbsCertificate")) {
    return tbs.status();
  }
  if (!present) return absl::OkStatus();
  if (version != 3) {
    tbs.Fail("extensions", "expected none in version " + std::to_string(version));
    return tbs.status();
  }
  der::Reader tagged = tbs.Into(element);
  if (!tagged.Read(der::kSequence, "extensions", element) || !tagged.End("extensions")) {
    return tagged.status();
  }
  return WithContext(ReadCertificateExtensions(tagged.Into(element), extensions), kWhat);
}

absl::StatusOr<Certificate> Certificate::FromDer(std::string_view der) {
  if (der.size() > kMaxCertificateBytes) {
    return Malformed("certificate: " + std::to_string(der.size()) + " bytes, at most " +
                     std::to_string(kMaxCertificateBytes) + " are read");
  }
  auto fields = std::make_shared<Fields>();
  fields->der = der;
  if (absl::Status status = fields->Read(); !status.ok()) {
    return Malformed(ToStd(status.message()));
  }
  fields->fingerprint = Sha256(fields->der);
  return Certificate(std::move(fields));
}

absl::StatusOr<Certificate> Certificate::FromPem(std::string_view pem) {
  absl::StatusOr<std::vector<Certificate>> list = ListFromPem(pem);
  if (!list.ok()) return list.status();
  if (list->size() > 1) {
    return MakeError(Reason::kFileWrongFormat, "expected one certificate, got " +
                                                   std::to_string(list->size()) +
                                                   ", the first of " + list->front().Describe() +
                                                   "; leave the one that is meant");
  }
  return std::move(list->front());
}

absl::StatusOr<std::vector<Certificate>> Certificate::ListFromPem(std::string_view pem,
                                                                  size_t max) {
  const absl::StatusOr<std::vector<PemBlock>> blocks = ParsePem(pem);
  if (!blocks.ok()) return blocks.status();
  std::vector<Certificate> certificates;
  for (const PemBlock& block : *blocks) {
    if (!IsCertificateLabel(block.label)) continue;
    if (certificates.size() == max) {
      return MakeError(Reason::kFileTooLarge,
                       "expected at most " + std::to_string(max) + " certificates, got more");
    }
    absl::StatusOr<Certificate> certificate = FromDer(block.content.Reveal());
    if (!certificate.ok()) {
      return WithContext(certificate.status(),
                         "certificate " + std::to_string(certificates.size() + 1) + " of the text");
    }
    certificates.push_back(*std::move(certificate));
  }
  if (certificates.empty()) return ExplainNoCertificate(*blocks);
  return certificates;
}

const std::string& Certificate::der() const { return fields_->der; }
std::string Certificate::ToPem() const { return FormatPem("CERTIFICATE", fields_->der); }
const Sha256Digest& Certificate::fingerprint() const { return fields_->fingerprint; }
int Certificate::version() const { return fields_->version; }
const SerialNumber& Certificate::serial_number() const { return *fields_->serial_number; }
const DistinguishedName& Certificate::subject() const { return fields_->subject; }
const DistinguishedName& Certificate::issuer() const { return fields_->issuer; }
const Validity& Certificate::validity() const { return fields_->validity; }
const PublicKey& Certificate::public_key() const { return *fields_->public_key; }
SignatureAlgorithm Certificate::signature_algorithm() const { return fields_->signature_algorithm; }
std::string_view Certificate::tbs_der() const { return fields_->tbs_der; }
std::string_view Certificate::signature() const { return fields_->signature; }

const std::vector<AlternativeName>& Certificate::alternative_names() const {
  return fields_->extensions.alternative_names;
}
bool Certificate::alternative_names_critical() const {
  return fields_->extensions.alternative_names_critical;
}
std::optional<BasicConstraints> Certificate::basic_constraints() const {
  return fields_->extensions.basic_constraints;
}
std::optional<std::uint16_t> Certificate::key_usage() const {
  return fields_->extensions.key_usage;
}
const std::optional<std::vector<std::string>>& Certificate::extended_key_usage() const {
  return fields_->extensions.extended_key_usage;
}
const std::optional<NameConstraints>& Certificate::name_constraints() const {
  return fields_->extensions.name_constraints;
}
const std::optional<std::string>& Certificate::subject_key_id() const {
  return fields_->extensions.subject_key_id;
}
const std::optional<std::string>& Certificate::authority_key_id() const {
  return fields_->extensions.authority_key_id;
}
const std::vector<std::string>& Certificate::crl_distribution_points() const {
  return fields_->extensions.crl_distribution_points;
}
const std::vector<std::string>& Certificate::authority_info_access() const {
  return fields_->extensions.authority_info_access;
}
const std::vector<Extension>& Certificate::extensions() const { return fields_->extensions.all; }

bool Certificate::is_ca() const {
  if (basic_constraints().has_value()) return basic_constraints()->is_ca;
  return version() == 1 && subject().Matches(issuer());
}

bool Certificate::IsSelfSigned() const {
  return subject().Matches(issuer()) &&
         public_key().Verify(signature_algorithm(), tbs_der(), signature()).ok();
}

std::optional<SpiffeId> Certificate::spiffe_id() const {
  const std::string* uri = nullptr;
  for (const AlternativeName& name : alternative_names()) {
    if (name.kind != AlternativeName::Kind::kUri) continue;
    if (uri != nullptr) return std::nullopt;
    uri = &name.value;
  }
  if (uri == nullptr) return std::nullopt;
  absl::StatusOr<SpiffeId> id = SpiffeId::Parse(*uri);
  if (!id.ok()) return std::nullopt;
  return *std::move(id);
}

std::string Certificate::Describe() const {
  std::string name = subject().ToString();
  if (subject().empty()) {
    name = alternative_names().empty() ? "(no name)" : alternative_names().front().ToString();
  }
  return name + " (serial " + serial_number().ToHex() + ", sha256 " +
         FormatFingerprint(fingerprint()).substr(0, 16) + ")";
}

}  // namespace troth
