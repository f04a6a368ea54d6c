#include "troth/pki/certificate_request.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/pki/der.h"
#include "troth/pki/extension_reader_internal.h"
#include "troth/pki/extension_writer_internal.h"
#include "troth/pki/general_name_internal.h"
#include "troth/pki/pem.h"
#include "troth/pki/signature_algorithm.h"

namespace troth {

struct CertificateRequest::Fields {
  std::string der;
  DistinguishedName subject;
  PublicKey public_key;
  std::vector<AlternativeName> names;
};

namespace {

constexpr std::string_view kWhat = "certificate request";
constexpr std::string_view kExtensionRequestOid = "1.2.840.113549.1.9.14";
constexpr std::string_view kMicrosoftExtensionRequestOid = "1.3.6.1.4.1.311.2.1.14";
constexpr std::string_view kLabel = "CERTIFICATE REQUEST";

absl::Status Malformed(std::string_view message) {
  return MakeError(Reason::kRequestMalformed, message);
}

// An error of a part of the request, as one of the request.
absl::Status Malformed(const absl::Status& status) { return Malformed(ToStd(status.message())); }

// The alternative names of the Extensions that an attribute asks for.
absl::StatusOr<std::vector<AlternativeName>> ReadAskedNames(der::Reader values) {
  der::Element sequence;
  if (!values.Read(der::kSequence, "extensionRequest", sequence) ||
      !values.End("extensionRequest")) {
    return values.status();
  }
  std::vector<Extension> extensions;
  if (absl::Status read = ReadExtensionList(values.Into(sequence), extensions); !read.ok()) {
    return read;
  }
  const auto names = std::ranges::find(extensions, kSubjectAltNameOid, &Extension::oid);
  if (names == extensions.end()) return std::vector<AlternativeName>();
  return ReadAlternativeNames(names->value);
}

// SET OF Attribute (RFC 2986 section 4.1). Other attributes, a challenge password for example, must
// be well-formed and are not used.
absl::StatusOr<std::vector<AlternativeName>> ReadAttributes(der::Reader attributes) {
  std::optional<std::vector<AlternativeName>> asked;
  while (attributes.status().ok() && !attributes.AtEnd()) {
    der::Reader attribute = attributes.Enter(der::kSequence, "attribute");
    std::string oid;
    der::Element values;
    if (!attribute.ReadOid("attribute", oid) ||
        !attribute.Read(der::kSet, "attribute values", values) || !attribute.End("attribute")) {
      return attribute.status();
    }
    if (oid != kExtensionRequestOid && oid != kMicrosoftExtensionRequestOid) continue;
    if (asked.has_value()) {
      attribute.Fail("extensionRequest", "expected one, got several");
      return attribute.status();
    }
    absl::StatusOr<std::vector<AlternativeName>> names = ReadAskedNames(attribute.Into(values));
    if (!names.ok()) return names.status();
    asked = *std::move(names);
  }
  if (!attributes.status().ok()) return attributes.status();
  return std::move(asked).value_or(std::vector<AlternativeName>());
}

// The parts of a request, views of its DER.
struct Parts {
  der::Element info, subject, public_key, attributes, algorithm;
  std::string_view signature;
};

absl::Status ReadParts(std::string_view der, Parts& parts) {
  der::Reader whole(der, kWhat);
  der::Element request;
  if (!whole.Read(der::kSequence, "request", request) || !whole.End("request")) {
    return whole.status();
  }
  der::Reader outer = whole.Into(request);
  int unused = 0;
  if (!outer.Read(der::kSequence, "certificationRequestInfo", parts.info) ||
      !outer.Read(der::kSequence, "signatureAlgorithm", parts.algorithm) ||
      !outer.ReadBitString("signature", parts.signature, unused) || !outer.End("request")) {
    return outer.status();
  }
  if (unused != 0) {
    outer.Fail("signature", "expected whole octets");
    return outer.status();
  }
  der::Reader info = outer.Into(parts.info);
  int version = 0;
  bool present = false;
  if (!info.ReadSmallInteger("version", version)) return info.status();
  if (version != 0) {
    info.Fail("version", "expected 0, got " + std::to_string(version));
    return info.status();
  }
  // RFC 2986 wants the attributes even when there are none; some tools leave them out.
  if (info.Read(der::kSequence, "subject", parts.subject) &&
      info.Read(der::kSequence, "subjectPublicKeyInfo", parts.public_key) &&
      info.ReadOptional(der::ContextConstructed(0), "attributes", parts.attributes, present)) {
    info.End("certificationRequestInfo");
  }
  return info.status();
}

// That the key is good enough, and that the sender has it.
absl::Status CheckPossession(const PublicKey& key, const Parts& parts) {
  const absl::StatusOr<SignatureAlgorithm> algorithm = ReadSignatureAlgorithm(parts.algorithm.full);
  if (!algorithm.ok()) {
    return ReasonOf(algorithm.status()).has_value() ? algorithm.status()
                                                    : Malformed(algorithm.status());
  }
  if (absl::Status strength = key.CheckStrength(); !strength.ok()) {
    return ReasonOf(strength) == Reason::kKeyMalformed ? Malformed(strength) : strength;
  }
  return WithContext(key.Verify(*algorithm, parts.info.full, parts.signature), kWhat);
}

}  // namespace

absl::StatusOr<CertificateRequest> CertificateRequest::FromDer(std::string_view der) {
  if (der.size() > kMaxRequestBytes) {
    return Malformed("expected a certificate request of at most " +
                     std::to_string(kMaxRequestBytes) + " bytes, got " +
                     std::to_string(der.size()));
  }
  Parts parts;
  if (absl::Status read = ReadParts(der, parts); !read.ok()) return Malformed(read);
  absl::StatusOr<DistinguishedName> subject = DistinguishedName::FromDer(parts.subject.full);
  if (!subject.ok()) return Malformed(WithContext(subject.status(), "subject"));
  absl::StatusOr<PublicKey> key = PublicKey::FromDer(parts.public_key.full);
  if (!key.ok()) return Malformed(key.status());
  absl::StatusOr<std::vector<AlternativeName>> names =
      ReadAttributes(der::Reader(parts.attributes.content, kWhat));
  if (!names.ok()) return Malformed(names.status());
  if (absl::Status possession = CheckPossession(*key, parts); !possession.ok()) return possession;
  return CertificateRequest(std::make_shared<const Fields>(Fields{.der = std::string(der),
                                                                  .subject = *std::move(subject),
                                                                  .public_key = *std::move(key),
                                                                  .names = *std::move(names)}));
}

absl::StatusOr<CertificateRequest> CertificateRequest::FromPem(std::string_view pem) {
  const absl::StatusOr<std::vector<PemBlock>> blocks = ParsePem(pem);
  if (!blocks.ok()) {
    return Malformed("expected a certificate request in PEM: " +
                     std::string(ToStd(blocks.status().message())));
  }
  const PemBlock* found = nullptr;
  for (const PemBlock& block : *blocks) {
    if (block.label != kLabel && block.label != "NEW CERTIFICATE REQUEST") continue;
    if (found != nullptr) return Malformed("expected one certificate request, got several");
    found = &block;
  }
  if (found == nullptr) {
    return Malformed("expected a certificate request (BEGIN CERTIFICATE REQUEST), got " +
                     DescribePemLabel(blocks->front().label));
  }
  return FromDer(found->content.Reveal());
}

absl::StatusOr<CertificateRequest> CertificateRequest::Create(
    const PrivateKey& key, const DistinguishedName& subject,
    const std::vector<AlternativeName>& names) {
  if (absl::Status checked = CheckAlternativeNames(names); !checked.ok()) return checked;
  der::Writer extensions;
  if (!names.empty()) {
    der::Writer value;
    WriteAlternativeNames(value, names);
    extensions.Nested(der::kSequence, [&] {
      WriteExtension(extensions, kSubjectAltNameOid, /*critical=*/false, value.bytes());
    });
  }
  der::Writer info;
  info.Nested(der::kSequence, [&] {
    info.Integer(0);
    info.Raw(subject.der());
    info.Raw(key.public_key().der());
    info.Nested(der::ContextConstructed(0), [&] {
      if (names.empty()) return;
      info.Nested(der::kSequence, [&] {
        info.Oid(kExtensionRequestOid);
        info.Element(der::kSet, extensions.bytes());
      });
    });
  });
  const absl::StatusOr<std::string> signature = key.Sign(info.bytes());
  if (!signature.ok()) return signature.status();
  der::Writer request;
  request.Nested(der::kSequence, [&] {
    request.Raw(info.bytes());
    request.Raw(SignatureAlgorithmToDer(key.signature_algorithm()));
    request.BitString(*signature);
  });
  return FromDer(request.bytes());
}

const std::string& CertificateRequest::der() const { return fields_->der; }
std::string CertificateRequest::ToPem() const { return FormatPem(kLabel, der()); }
const DistinguishedName& CertificateRequest::subject() const { return fields_->subject; }
const PublicKey& CertificateRequest::public_key() const { return fields_->public_key; }
const std::vector<AlternativeName>& CertificateRequest::alternative_names() const {
  return fields_->names;
}

}  // namespace troth
