#include "troth/pki/crl.h"

#include <algorithm>
#include <array>
#include <mutex>
#include <utility>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/pki/algorithm_identifier_internal.h"
#include "troth/pki/der.h"
#include "troth/pki/extension_reader_internal.h"
#include "troth/pki/general_name_internal.h"
#include "troth/pki/pem.h"
#include "troth/pki/signature_algorithm.h"

namespace troth {

struct Crl::Fields {
  std::string der;
  int version = 1;
  DistinguishedName issuer;
  Time this_update{};
  std::optional<Time> next_update;
  std::optional<std::string> authority_key_id;
  std::optional<std::string> number;
  SignatureAlgorithm signature_algorithm = SignatureAlgorithm::kOther;
  std::string_view tbs_der;  // in `der`, as signature
  std::string_view signature;
  std::vector<RevokedEntry> entries;

  mutable std::mutex signer_mutex;
  mutable std::optional<PublicKey> signer;  // the key that verified the signature

  // Reads `der` into the other fields. Errors: any; the caller gives them their reason.
  absl::Status Read();
  absl::Status ReadTbs(der::Reader tbs, std::string_view outer_algorithm);
  absl::Status ReadEntries(der::Reader list);
  absl::Status ReadExtensions(der::Reader list);
};

namespace {

constexpr std::string_view kWhat = "revocation list";
// A serial of 20 bytes and a reason: what an entry takes in most lists. Only a guess of how many
// there are.
constexpr size_t kUsualEntryBytes = 36;
constexpr size_t kMaxNumberBytes = 20;  // RFC 5280 section 5.2.3

absl::Status Malformed(std::string_view message) {
  return MakeError(Reason::kCrlMalformed, message);
}

absl::Status Failed(der::Reader& reader, std::string_view field, std::string_view problem) {
  reader.Fail(field, problem);
  return reader.status();
}

// The reasons of RFC 5280 section 5.3.1. 7 is not used; 8, removeFromCRL, has a meaning in delta
// lists only.
bool IsReason(int reason) { return reason >= 0 && reason <= 10 && reason != 7 && reason != 8; }

absl::Status ReadReasonCode(std::string_view value, int& reason) {
  der::Reader reader(value, "reasonCode");
  der::Element element;
  if (!reader.Read(der::kEnumerated, "reason", element) || !reader.End("reason")) {
    return reader.status();
  }
  if (element.content.size() == 1) reason = static_cast<std::uint8_t>(element.content[0]);
  if (element.content.size() != 1 || !IsReason(reason)) {
    return Failed(reader, "reason", "not a reason that a full list can have");
  }
  return absl::OkStatus();
}

absl::Status ReadInvalidityDate(std::string_view value) {
  der::Reader reader(value, "invalidityDate");
  Time ignored;
  if (reader.PeekTag() != der::kGeneralizedTime) {
    return Failed(reader, "date", "expected GeneralizedTime");
  }
  if (reader.ReadTime("date", ignored)) reader.End("date");
  return reader.status();
}

// One extension, a reasonCode that is not critical: what nearly every entry that has extensions
// has. Read without allocating, for there may be millions.
constexpr std::string_view kOnlyReasonCode = "\x30\x0a\x06\x03\x55\x1d\x15\x04\x03\x0a\x01";

absl::Status ReadEntryExtensions(const der::Reader& entry, const der::Element& sequence,
                                 int& reason) {
  if (sequence.content.size() == kOnlyReasonCode.size() + 1 &&
      sequence.content.starts_with(kOnlyReasonCode)) {
    reason = static_cast<std::uint8_t>(sequence.content.back());
    if (IsReason(reason)) return absl::OkStatus();
  }
  std::vector<Extension> extensions;
  if (absl::Status status = ReadExtensionList(entry.Into(sequence), extensions); !status.ok()) {
    return status;
  }
  for (const Extension& extension : extensions) {
    absl::Status status;
    if (extension.oid == kReasonCodeOid) {
      status = ReadReasonCode(extension.value, reason);
    } else if (extension.oid == kInvalidityDateOid) {
      status = ReadInvalidityDate(extension.value);
    } else if (extension.oid == kCertificateIssuerOid) {
      status = absl::InvalidArgumentError(
          "an entry of another issuer: this is an indirect list, which Troth does not read");
    } else if (extension.critical) {
      status = absl::InvalidArgumentError("unknown critical entry extension " + extension.oid);
    }
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

// RFC 5280 section 5.2.5. A list that says only where the full list is found is a full list; any
// other field means that it covers a part of the certificates, or more than one issuer.
absl::Status CheckIssuingDistributionPoint(std::string_view value) {
  der::Reader outer(value, "issuingDistributionPoint");
  der::Element sequence;
  if (!outer.Read(der::kSequence, "value", sequence) || !outer.End("value")) return outer.status();
  der::Reader reader = outer.Into(sequence);
  der::Element name;
  bool present = false;
  if (!reader.ReadOptional(der::ContextConstructed(0), "distributionPoint", name, present)) {
    return reader.status();
  }
  if (!reader.AtEnd()) {
    return Failed(reader, "scope",
                  "the list covers only some certificates or reasons, or several issuers; give the "
                  "issuer's full list");
  }
  if (!present) return absl::OkStatus();
  der::Reader point = reader.Into(name);
  der::Element choice;
  if (!point.ReadAny(choice) || !point.End("distributionPoint")) return point.status();
  if (choice.tag == der::ContextConstructed(1)) return absl::OkStatus();
  if (choice.tag != der::ContextConstructed(0)) {
    return Failed(point, "distributionPoint", "neither fullName nor nameRelativeToCRLIssuer");
  }
  std::vector<AlternativeName> names;
  return ReadGeneralNames(point.Into(choice), GeneralNameContext::kName, names);
}

absl::Status ReadNumber(std::string_view value, std::optional<std::string>& number) {
  der::Reader reader(value, "cRLNumber");
  std::string_view content;
  if (!reader.ReadInteger("number", content) || !reader.End("number")) return reader.status();
  if ((static_cast<std::uint8_t>(content[0]) & 0x80) != 0 || content.size() > kMaxNumberBytes) {
    return Failed(reader, "number", "expected a number of at most 20 bytes that is not negative");
  }
  number = std::string(content);
  return absl::OkStatus();
}

}  // namespace

absl::Status Crl::Fields::Read() {
  der::Reader whole(der, kWhat);
  der::Element element;
  if (!whole.Read(der::kSequence, "list", element) || !whole.End("list")) return whole.status();
  der::Reader outer = whole.Into(element);
  der::Element tbs;
  der::Element algorithm;
  int unused = 0;
  if (!outer.Read(der::kSequence, "tbsCertList", tbs) ||
      !outer.Read(der::kSequence, "signatureAlgorithm", algorithm) ||
      !outer.ReadBitString("signature", signature, unused) || !outer.End("list")) {
    return outer.status();
  }
  if (unused != 0) return Failed(outer, "signature", "a signature is made of whole bytes");
  tbs_der = tbs.full;
  const absl::StatusOr<SignatureAlgorithm> read = ReadSignatureAlgorithm(algorithm.full);
  if (read.ok()) {
    signature_algorithm = *read;
  } else if (ReasonOf(read.status()) != Reason::kAlgorithmNotAllowed) {
    return WithContext(read.status(), kWhat);
  } else if (absl::Status status = CheckUnknownAlgorithm(algorithm.full); !status.ok()) {
    return WithContext(status, kWhat);
  }
  return ReadTbs(outer.Into(tbs), algorithm.full);
}

absl::Status Crl::Fields::ReadTbs(der::Reader tbs, std::string_view outer_algorithm) {
  if (tbs.PeekTag() == der::kInteger) {
    int value = 0;
    if (!tbs.ReadSmallInteger("version", value)) return tbs.status();
    if (value != 1) return Failed(tbs, "version", "a list is of version 2, or does not say");
    version = 2;
  }
  der::Element element;
  if (!tbs.Read(der::kSequence, "signature", element)) return tbs.status();
  if (element.full != outer_algorithm) {
    return Failed(tbs, "signature",
                  "the algorithm inside and that outside of the signed part differ");
  }
  if (!tbs.Read(der::kSequence, "issuer", element)) return tbs.status();
  absl::StatusOr<DistinguishedName> name = DistinguishedName::FromDer(element.full);
  if (!name.ok()) return WithContext(name.status(), "revocation list: issuer");
  issuer = *std::move(name);

  if (!tbs.ReadTime("thisUpdate", this_update)) return tbs.status();
  if (tbs.PeekTag() == der::kUtcTime || tbs.PeekTag() == der::kGeneralizedTime) {
    if (!tbs.ReadTime("nextUpdate", next_update.emplace())) return tbs.status();
  }
  if (tbs.PeekTag() == der::kSequence) {
    if (!tbs.Read(der::kSequence, "revokedCertificates", element)) return tbs.status();
    entries.reserve(element.content.size() / kUsualEntryBytes);
    if (absl::Status status = ReadEntries(tbs.Into(element)); !status.ok()) return status;
  }
  bool present = false;
  if (!tbs.ReadOptional(der::ContextConstructed(0), "crlExtensions", element, present) ||
      !tbs.End("tbsCertList")) {
    return tbs.status();
  }
  if (!present) return absl::OkStatus();
  if (version == 1) return Failed(tbs, "crlExtensions", "a list of version 1 cannot have them");
  der::Reader tagged = tbs.Into(element);
  if (!tagged.Read(der::kSequence, "crlExtensions", element) || !tagged.End("crlExtensions")) {
    return tagged.status();
  }
  return ReadExtensions(tagged.Into(element));
}

absl::Status Crl::Fields::ReadEntries(der::Reader list) {
  while (!list.AtEnd()) {
    der::Element element;
    if (!list.Read(der::kSequence, "entry", element)) return list.status();
    der::Reader entry = list.Into(element);
    std::string_view serial;
    Time revoked_at;
    int reason = 0;
    if (!entry.ReadInteger("userCertificate", serial) ||
        !entry.ReadTime("revocationDate", revoked_at)) {
      return entry.status();
    }
    if (!entry.AtEnd()) {
      if (version == 1) return Failed(entry, "entry", "a list of version 1 cannot have extensions");
      if (!entry.Read(der::kSequence, "crlEntryExtensions", element) || !entry.End("entry")) {
        return entry.status();
      }
      if (absl::Status status = ReadEntryExtensions(entry, element, reason); !status.ok()) {
        return status;
      }
    }
    absl::StatusOr<SerialNumber> number = SerialNumber::FromDerContent(serial);
    if (!number.ok()) return WithContext(number.status(), kWhat);
    entries.push_back({*std::move(number), revoked_at, reason});
  }
  // Stable, so that of two entries for one certificate the first of the list is found.
  if (!std::ranges::is_sorted(entries, {}, &RevokedEntry::serial)) {
    std::ranges::stable_sort(entries, {}, &RevokedEntry::serial);
  }
  return absl::OkStatus();
}

absl::Status Crl::Fields::ReadExtensions(der::Reader list) {
  std::vector<Extension> extensions;
  if (absl::Status status = ReadExtensionList(std::move(list), extensions); !status.ok()) {
    return status;
  }
  for (const Extension& extension : extensions) {
    absl::Status status;
    if (extension.critical &&
        (extension.oid == kCrlNumberOid || extension.oid == kAuthorityKeyIdOid)) {
      status = absl::InvalidArgumentError("extension " + extension.oid +
                                          " must not be critical (RFC 5280 section 5.2)");
    } else if (extension.oid == kCrlNumberOid) {
      status = ReadNumber(extension.value, number);
    } else if (extension.oid == kAuthorityKeyIdOid) {
      status = ReadAuthorityKeyId(extension.value, authority_key_id);
    } else if (extension.oid == kIssuingDistributionPointOid) {
      status = CheckIssuingDistributionPoint(extension.value);
    } else if (extension.oid == kDeltaCrlIndicatorOid) {
      status = absl::InvalidArgumentError(
          "a delta list, which holds only changes; give the issuer's full list");
    } else if (extension.critical) {
      status = absl::InvalidArgumentError("unknown critical extension " + extension.oid);
    }
    if (!status.ok()) return WithContext(status, kWhat);
  }
  return absl::OkStatus();
}

absl::StatusOr<Crl> Crl::FromDer(std::string_view der) {
  if (der.size() > kMaxCrlBytes) {
    return Malformed("revocation list: " + std::to_string(der.size()) + " bytes, at most " +
                     std::to_string(kMaxCrlBytes) + " are read");
  }
  auto fields = std::make_shared<Fields>();
  fields->der = der;
  if (absl::Status status = fields->Read(); !status.ok()) {
    return Malformed(ToStd(status.message()));
  }
  return Crl(std::move(fields));
}

absl::StatusOr<std::vector<Crl>> Crl::ListFromBytes(std::string_view bytes) {
  std::vector<Crl> lists;
  // Any real list is longer than 127 bytes, so its length has the long form, which no text has
  // there.
  if (bytes.size() > 1 && bytes[0] == static_cast<char>(der::kSequence) &&
      (static_cast<std::uint8_t>(bytes[1]) & 0x80) != 0) {
    absl::StatusOr<Crl> list = FromDer(bytes);
    if (!list.ok()) return list.status();
    lists.push_back(*std::move(list));
    return lists;
  }
  const absl::StatusOr<std::vector<PemBlock>> blocks = ParsePem(bytes);
  if (!blocks.ok()) return blocks.status();
  for (const PemBlock& block : *blocks) {
    if (block.label != "X509 CRL") continue;
    absl::StatusOr<Crl> list = FromDer(block.content.Reveal());
    if (!list.ok()) {
      return WithContext(list.status(),
                         "list " + std::to_string(lists.size() + 1) + " of the text");
    }
    lists.push_back(*std::move(list));
  }
  if (lists.empty()) {
    return MakeError(Reason::kFileWrongFormat, "expected a revocation list (BEGIN X509 CRL), got " +
                                                   DescribePemLabel(blocks->front().label));
  }
  return lists;
}

const std::string& Crl::der() const { return fields_->der; }
std::string Crl::ToPem() const { return FormatPem("X509 CRL", fields_->der); }
const DistinguishedName& Crl::issuer() const { return fields_->issuer; }
const std::optional<std::string>& Crl::authority_key_id() const {
  return fields_->authority_key_id;
}
Time Crl::this_update() const { return fields_->this_update; }
std::optional<Time> Crl::next_update() const { return fields_->next_update; }
const std::optional<std::string>& Crl::number() const { return fields_->number; }
absl::Status Crl::VerifySignature(const PublicKey& key) const {
  {
    const std::lock_guard lock(fields_->signer_mutex);
    if (fields_->signer.has_value()) {
      return *fields_->signer == key
                 ? absl::OkStatus()
                 : MakeError(Reason::kSignatureInvalid, "another key signed the revocation list");
    }
  }
  absl::Status status = key.Verify(signature_algorithm(), tbs_der(), signature());
  if (status.ok()) {
    const std::lock_guard lock(fields_->signer_mutex);
    fields_->signer = key;
  }
  return status;
}

std::string_view Crl::tbs_der() const { return fields_->tbs_der; }
std::string_view Crl::signature() const { return fields_->signature; }
SignatureAlgorithm Crl::signature_algorithm() const { return fields_->signature_algorithm; }
const std::vector<RevokedEntry>& Crl::entries() const { return fields_->entries; }

const RevokedEntry* Crl::Find(const SerialNumber& serial) const {
  const auto entry = std::ranges::lower_bound(fields_->entries, serial, {}, &RevokedEntry::serial);
  return entry != fields_->entries.end() && entry->serial == serial ? &*entry : nullptr;
}

}  // namespace troth
