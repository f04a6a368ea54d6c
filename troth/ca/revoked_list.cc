#include "troth/ca/revoked_list.h"

#include <set>
#include <utility>

#include "troth/base/encoding.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/pki/revocation_reason.h"

namespace troth {
namespace {

std::optional<RevokedEntry> ReadLine(std::string_view line) {
  const std::vector<std::string_view> words = Split(line, ' ');
  if (words.size() != 3) return std::nullopt;
  std::optional<SerialNumber> serial = SerialFromHex(words[0]);
  const std::optional<Time> time = ParseTime(words[1]);
  const std::optional<int> reason = RevocationReasonFromName(words[2]);
  if (!serial.has_value() || !time.has_value() || !reason.has_value()) return std::nullopt;
  return RevokedEntry{.serial = *std::move(serial), .revoked_at = *time, .reason = *reason};
}

}  // namespace

std::optional<SerialNumber> SerialFromHex(std::string_view text) {
  const std::optional<std::string> octets = FromHex(text);
  if (!octets.has_value() || octets->empty()) return std::nullopt;
  // ToHex leaves out the octet that keeps a number positive.
  const bool high = (static_cast<unsigned char>(octets->front()) & 0x80) != 0;
  absl::StatusOr<SerialNumber> serial =
      SerialNumber::FromDerContent(high ? std::string(1, '\0') + *octets : *octets);
  if (!serial.ok()) return std::nullopt;
  return *std::move(serial);
}

absl::StatusOr<std::vector<RevokedEntry>> RevokedOf(Store& store, std::uint32_t issuer,
                                                    Time since) {
  std::vector<RevokedEntry> entries;
  const absl::Status read = store.Read([&](StoreReader& reader) {
    const absl::StatusOr<std::vector<RevocationRecord>> found = reader.Revocations(issuer, since);
    if (!found.ok()) return found.status();
    entries.reserve(found->size());
    for (const RevocationRecord& record : *found) {
      entries.push_back({record.serial, record.revoked_at, record.reason});
    }
    return absl::OkStatus();
  });
  if (!read.ok()) return read;
  return entries;
}

std::string WriteRevoked(const std::vector<RevokedEntry>& entries) {
  std::string text;
  for (const RevokedEntry& entry : entries) {
    text += entry.serial.ToHex() + " " + FormatTime(entry.revoked_at) + " " +
            std::string(NameOfRevocationReason(entry.reason)) + "\n";
  }
  return text;
}

absl::StatusOr<std::vector<RevokedEntry>> ReadRevoked(std::string_view text) {
  std::vector<RevokedEntry> entries;
  for (const std::string_view raw : Split(text, '\n')) {
    const std::string_view line = TrimWhitespace(raw);
    if (line.empty()) continue;
    std::optional<RevokedEntry> entry = ReadLine(line);
    if (!entry.has_value()) {
      return MakeError(Reason::kFileWrongFormat,
                       "expected lines of serial number, time and reason, as `troth issuer "
                       "request` writes them, got '" +
                           Printable(line) + "'");
    }
    entries.push_back(*std::move(entry));
  }
  return entries;
}

std::vector<RevokedEntry> Joined(std::vector<RevokedEntry> entries,
                                 const std::vector<RevokedEntry>& more) {
  std::set<SerialNumber> seen;
  std::erase_if(entries, [&](const auto& entry) { return !seen.insert(entry.serial).second; });
  for (const RevokedEntry& entry : more) {
    if (seen.insert(entry.serial).second) entries.push_back(entry);
  }
  return entries;
}

}  // namespace troth
