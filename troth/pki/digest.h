// SHA-256 of bytes, and the fingerprints made of it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace troth {

using Sha256Digest = std::array<std::uint8_t, 32>;

Sha256Digest Sha256(std::string_view bytes);
// Whether two digests are equal, in a time that does not tell where they differ.
bool EqualInConstantTime(const Sha256Digest& a, const Sha256Digest& b);

// A certificate's SHA-256 fingerprint: 64 lower-case hexadecimal digits.
std::string FormatFingerprint(const Sha256Digest& digest);
// Reads 64 digits of either case, also with colons, also after "sha256:" or "SHA256:".
std::optional<Sha256Digest> ParseFingerprint(std::string_view text);

}  // namespace troth
