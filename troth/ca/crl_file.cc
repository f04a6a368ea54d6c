#include "troth/ca/crl_file.h"

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <utility>

#include "troth/base/file.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/ca/depot.h"
#include "troth/ca/lifetime.h"
#include "troth/ca/templates.h"

namespace troth {
namespace {

// Content octets of an INTEGER as a number; nothing when it is larger.
std::optional<std::uint64_t> ToNumber(std::string_view octets) {
  while (!octets.empty() && octets.front() == '\0') octets.remove_prefix(1);
  if (octets.size() > sizeof(std::uint64_t)) return std::nullopt;
  std::uint64_t number = 0;
  for (const char octet : octets) number = number << 8 | static_cast<unsigned char>(octet);
  return number;
}

constexpr std::uint64_t kNumbersPerSecond = 1 << 16;

// Rises with the clock and, within a second, with what is revoked.
std::uint64_t NumberAt(Time now, size_t entries) {
  return CrlNumberAt(now) + std::min<std::uint64_t>(entries, kNumbersPerSecond - 1);
}

// Some time before now, as certificates begin, for clocks of other machines may be behind; but not
// before the list that it follows, or readers that have both take the old one for the newer.
Time ThisUpdate(const std::optional<Crl>& present, Time now) {
  Time time = now - kBackdate;
  if (present.has_value()) time = std::max(time, present->this_update());
  return std::min(time, now);
}

}  // namespace

std::uint64_t CrlNumberAt(Time now) {
  return static_cast<std::uint64_t>(now.time_since_epoch().count()) * kNumbersPerSecond;
}

bool CanSignLists(const Certificate& authority) {
  const std::optional<std::uint16_t> usage = authority.key_usage();
  return !usage.has_value() || (*usage & kCrlSign) != 0;
}

absl::StatusOr<Crl> ReadCrl(const std::string& path, const Certificate& authority) {
  const absl::StatusOr<std::string> bytes = ReadFile(path, kMaxCrlBytes);
  if (!bytes.ok()) return bytes.status();
  absl::StatusOr<std::vector<Crl>> lists = Crl::ListFromBytes(*bytes);
  if (!lists.ok()) return WithContext(lists.status(), path);
  if (lists->size() != 1 || !lists->front().issuer().Matches(authority.subject())) {
    return MakeError(Reason::kCrlMalformed,
                     "'" + Printable(path, 400) + "': expected one list of " +
                         authority.subject().ToString() + ", got " + std::to_string(lists->size()) +
                         ", the first of " + lists->front().issuer().ToString());
  }
  Crl list = std::move(lists->front());
  const absl::Status signature =
      authority.public_key().Verify(list.signature_algorithm(), list.tbs_der(), list.signature());
  if (!signature.ok()) return WithContext(signature, path);
  return list;
}

absl::Status WriteCrl(const std::string& path, const Crl& crl) {
  return WriteFile(path, crl.ToPem(), {.mode = kDepotFileMode, .overwrite = Overwrite::kReplace});
}

absl::StatusOr<Crl> NextCrl(const std::optional<Crl>& present, std::vector<RevokedEntry> entries,
                            const std::string& expires, const Signer& signer, Time now) {
  Time next_update = signer.certificate().validity().not_after;
  if (!expires.empty()) {
    const absl::StatusOr<Time> time = TimeAfter(now, expires);
    if (!time.ok()) return time.status();
    next_update = *time;
  }
  return NextCrl(present, std::move(entries), next_update, signer, now);
}

absl::StatusOr<Crl> NextCrl(const std::optional<Crl>& present, std::vector<RevokedEntry> entries,
                            Time next_update, const Signer& signer, Time now) {
  CrlTemplate what{.this_update = ThisUpdate(present, now),
                   .next_update = next_update,
                   .number = NumberAt(now, entries.size())};
  what.entries = std::move(entries);
  if (present.has_value() && present->number().has_value()) {
    const std::optional<std::uint64_t> number = ToNumber(*present->number());
    if (!number.has_value() || *number + 1 == 0) {
      return MakeError(Reason::kCrlMalformed,
                       "the present list's number is too large to count on from");
    }
    what.number = std::max(what.number, *number + 1);
  }
  return IssueCrl(what, signer);
}

}  // namespace troth
