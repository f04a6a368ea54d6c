#include "troth/cli/operations_text.h"

#include <algorithm>

#include "troth/base/strings.h"
#include "troth/pki/certificate.h"
#include "troth/pki/revocation_reason.h"

namespace troth {
namespace {

constexpr size_t kNamesOnALine = 4;

std::optional<std::string> HexOf(const std::optional<SerialNumber>& serial) {
  if (!serial.has_value()) return std::nullopt;
  return serial->ToHex();
}

std::vector<std::string> HexOf(const std::vector<Sha256Digest>& digests) {
  std::vector<std::string> texts;
  texts.reserve(digests.size());
  for (const Sha256Digest& digest : digests) texts.push_back(FormatFingerprint(digest));
  return texts;
}

}  // namespace

std::string RequestDigestLine(const Sha256Digest& request) {
  return "SHA-256 of the request: " + FormatFingerprint(request);
}

std::string_view StateOf(const CertificateStatus& certificate, Time now) {
  if (certificate.revocation.has_value()) return "revoked";
  return certificate.record.not_after < now ? "expired" : "valid";
}

std::string_view StateOf(const TokenRecord& token, Time now) {
  if (token.revoked_at.has_value()) return "revoked";
  if (token.uses >= token.max_uses) return "used up";
  return token.expires_at <= now ? "expired" : "usable";
}

std::string Ago(Time then, Time now) {
  return then > now ? "in " + FormatDuration(then - now) : FormatDuration(now - then) + " ago";
}

std::string Counted(std::uint64_t count, std::string_view one, std::string_view many) {
  return std::to_string(count) + " " + std::string(count == 1 ? one : many);
}

std::string NamesInWords(const std::vector<std::string>& names) {
  std::vector<std::string> shown;
  for (const std::string& name : names) {
    if (shown.size() == kNamesOnALine) {
      shown.push_back(std::to_string(names.size() - kNamesOnALine) + " more");
      break;
    }
    shown.push_back(Printable(name));
  }
  return shown.empty() ? "-" : Join(shown, ", ");
}

JsonObject JsonOf(const RequestStatus& request) {
  const RequestRecord& record = request.record;
  return {{"sha256", FormatFingerprint(record.id)},
          {"state", NameOf(record.state)},
          {"name", record.name},
          {"names", record.names},
          {"profile", record.profile},
          {"key_sha256", FormatFingerprint(record.key)},
          {"address", record.address},
          {"created_at", record.created_at},
          {"decided_at", record.decided_at},
          {"decided_by", record.decided_by},
          {"decision_note", record.decision_note},
          {"certificate", HexOf(record.certificate)},
          {"certificate_not_after", record.certificate_not_after},
          {"same_name_other_key", HexOf(request.same_name_other_key)}};
}

JsonObject JsonOf(const CertificateStatus& certificate, Time now) {
  const CertificateRecord& record = certificate.record;
  JsonObject object = {{"serial", record.serial.ToHex()},
                       {"state", StateOf(certificate, now)},
                       {"names", record.names},
                       {"profile", record.profile},
                       {"issuer", record.issuer},
                       {"lineage", record.lineage.ToHex()},
                       {"request_sha256", FormatFingerprint(record.request)},
                       {"token", record.token},
                       {"issued_at", record.issued_at},
                       {"not_after", record.not_after}};
  if (certificate.revocation.has_value()) {
    object.Add({{"revoked_at", certificate.revocation->revoked_at},
                {"revocation_reason", NameOfRevocationReason(certificate.revocation->reason)}});
  }
  if (!certificate.warning.empty()) object.Add({{"warning", certificate.warning}});
  return object;
}

JsonObject JsonOf(const TokenRecord& token, Time now) {
  return {{"id", token.id},
          {"state", StateOf(token, now)},
          {"profile", token.profile},
          {"names", token.names},
          {"any_name", token.any_name},
          {"max_uses", token.max_uses},
          {"uses", token.uses},
          {"created_at", token.created_at},
          {"expires_at", token.expires_at},
          {"created_by", token.created_by},
          {"revoked_at", token.revoked_at}};
}

JsonObject JsonOf(const LedgerEntry& entry) {
  return {{"sequence", entry.sequence},
          {"at", entry.note.at},
          {"actor", entry.note.actor},
          {"action", entry.note.action},
          {"subject", entry.note.subject},
          {"detail", entry.note.detail},
          {"hash", FormatFingerprint(entry.hash)}};
}

}  // namespace troth
