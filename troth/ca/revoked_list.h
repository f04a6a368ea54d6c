// Revocations on their way to who signs the list: out of the store, and as a text that an operator
// carries to where the root is.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "troth/base/time.h"
#include "troth/ca/store.h"
#include "troth/pki/crl.h"

namespace troth {

// Reads what SerialNumber::ToHex writes.
std::optional<SerialNumber> SerialFromHex(std::string_view text);

// What the store wants on the list of `issuer`: revoked, and not ended before `since`.
absl::StatusOr<std::vector<RevokedEntry>> RevokedOf(Store& store, std::uint32_t issuer, Time since);

// A line each: serial, time, reason.
std::string WriteRevoked(const std::vector<RevokedEntry>& entries);
// Reads what WriteRevoked writes. Errors: file_wrong_format.
absl::StatusOr<std::vector<RevokedEntry>> ReadRevoked(std::string_view text);

// `entries` and those of `more` whose serial is not among them. Each serial once, the first.
std::vector<RevokedEntry> Joined(std::vector<RevokedEntry> entries,
                                 const std::vector<RevokedEntry>& more);

}  // namespace troth
