#include <algorithm>
#include <utility>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/pki/der.h"
#include "troth/pki/extension_reader_internal.h"
#include "troth/pki/extension_writer_internal.h"
#include "troth/pki/issue.h"
#include "troth/pki/issue_internal.h"
#include "troth/pki/signature_algorithm.h"

namespace troth {
namespace {

absl::Status Malformed(std::string_view message) {
  return MakeError(Reason::kRequestMalformed, message);
}

// RFC 5280 section 5.3.1; 7 is not used, 8 (removeFromCRL) is for delta lists.
bool IsReasonCode(int reason) { return reason >= 0 && reason <= 10 && reason != 7 && reason != 8; }

bool SameEntry(const RevokedEntry& a, const RevokedEntry& b) {
  return a.serial == b.serial && a.revoked_at == b.revoked_at && a.reason == b.reason;
}

absl::Status CheckEntries(const std::vector<RevokedEntry>& sorted) {
  for (const RevokedEntry& entry : sorted) {
    if (!IsWritable(entry.revoked_at) || !IsReasonCode(entry.reason)) {
      return Malformed(
          "expected a time within the years 1950 to 9999 and a reason of RFC 5280 "
          "section 5.3.1 for serial " +
          entry.serial.ToHex() + ", got " + FormatTime(entry.revoked_at) + " and " +
          std::to_string(entry.reason));
    }
  }
  const auto twice = std::ranges::adjacent_find(sorted, {}, &RevokedEntry::serial);
  if (twice == sorted.end()) return absl::OkStatus();
  return Malformed("expected each serial once in a revocation list, got " + twice->serial.ToHex() +
                   " twice");
}

void WriteEntry(der::Writer& writer, const RevokedEntry& entry) {
  writer.Nested(der::kSequence, [&] {
    writer.IntegerContent(entry.serial.der_content());
    writer.Timestamp(entry.revoked_at);
    if (entry.reason == 0) return;  // RFC 5280 section 5.3.1: unspecified is left out
    const char reason = static_cast<char>(entry.reason);
    der::Writer value;
    value.Element(der::kEnumerated, {&reason, 1});
    writer.Nested(der::kSequence, [&] {
      WriteExtension(writer, kReasonCodeOid, /*critical=*/false, value.bytes());
    });
  });
}

std::string TbsDer(const CrlTemplate& what, const std::vector<RevokedEntry>& sorted,
                   const IssuerFields& issuer) {
  der::Writer key_id;
  key_id.Nested(der::kSequence, [&] { key_id.Element(der::ContextPrimitive(0), issuer.key_id); });
  der::Writer number;
  number.Integer(what.number);
  der::Writer writer;
  writer.Nested(der::kSequence, [&] {
    writer.Integer(1);  // version 2
    writer.Raw(SignatureAlgorithmToDer(issuer.algorithm));
    writer.Raw(issuer.name_der);
    writer.Timestamp(what.this_update);
    writer.Timestamp(what.next_update);
    if (!sorted.empty()) {  // RFC 5280 section 5.1.2.6: absent, not empty
      writer.Nested(der::kSequence, [&] {
        for (const RevokedEntry& entry : sorted) WriteEntry(writer, entry);
      });
    }
    writer.Nested(der::ContextConstructed(0), [&] {
      writer.Nested(der::kSequence, [&] {
        WriteExtension(writer, kAuthorityKeyIdOid, /*critical=*/false, key_id.bytes());
        WriteExtension(writer, kCrlNumberOid, /*critical=*/false, number.bytes());
      });
    });
  });
  return writer.Take();
}

// Whether the list, as it was read back, is what was asked for.
bool IsAsAsked(const Crl& issued, const CrlTemplate& what, const std::vector<RevokedEntry>& sorted,
               const IssuerFields& issuer) {
  der::Writer number;
  number.Integer(what.number);
  der::Reader reader(number.bytes(), "number");
  std::string_view number_content;
  reader.ReadInteger("number", number_content);
  return issued.issuer().der() == issuer.name_der && issued.authority_key_id() == issuer.key_id &&
         issued.signature_algorithm() == issuer.algorithm && issued.number() == number_content &&
         issued.this_update() == what.this_update && issued.next_update() == what.next_update &&
         std::ranges::equal(issued.entries(), sorted, SameEntry);
}

}  // namespace

absl::StatusOr<Crl> IssueCrl(const CrlTemplate& what, const Signer& signer) {
  const Certificate& ca = signer.certificate();
  if ((ca.key_usage().value_or(kCrlSign) & kCrlSign) == 0) {
    return MakeError(Reason::kUsageNotAllowed,
                     "expected a CA certificate with key usage cRLSign, got " + ca.Describe());
  }
  if (!IsWritable(what.this_update) || !IsWritable(what.next_update) ||
      what.next_update <= what.this_update) {
    return Malformed("expected nextUpdate after thisUpdate (" + FormatTime(what.this_update) +
                     "), got " + FormatTime(what.next_update));
  }
  std::vector<RevokedEntry> sorted = what.entries;
  std::ranges::sort(sorted, {}, &RevokedEntry::serial);
  if (absl::Status checked = CheckEntries(sorted); !checked.ok()) return checked;

  const IssuerFields issuer{
      .name_der = ca.subject().der(),
      .key_id = ca.subject_key_id().has_value() ? *ca.subject_key_id() : KeyIdOf(ca.public_key()),
      .algorithm = signer.key().signature_algorithm()};
  const std::string tbs = TbsDer(what, sorted, issuer);
  const absl::StatusOr<std::string> signature = signer.key().Sign(tbs);
  if (!signature.ok()) return signature.status();
  der::Writer writer;
  writer.Nested(der::kSequence, [&] {
    writer.Raw(tbs);
    writer.Raw(SignatureAlgorithmToDer(issuer.algorithm));
    writer.BitString(*signature);
  });
  absl::StatusOr<Crl> issued = Crl::FromDer(writer.bytes());
  if (!issued.ok()) {
    return MakeError(Reason::kInternal, "the finished revocation list cannot be read back: " +
                                            std::string(ToStd(issued.status().message())));
  }
  if (!IsAsAsked(*issued, what, sorted, issuer)) {
    return MakeError(Reason::kInternal,
                     "the finished revocation list is not what was asked for; it was not released");
  }
  return issued;
}

}  // namespace troth
