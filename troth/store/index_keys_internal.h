// By which keys a certificate is found.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "troth/ca/records.h"

namespace troth {

// Kinds of index, as segments are marked in the file.
enum class IndexKind : std::uint8_t {
  kSerials = 0,  // the first eight bytes of a serial of our own making: ordered by time
  kExpiry = 1,   // notAfter in seconds
  kTerms = 2,    // hashes of names, of requests, and of serials that others made
};
inline constexpr std::array kIndexKinds = {IndexKind::kSerials, IndexKind::kExpiry,
                                           IndexKind::kTerms};

// A key and the certificate that it leads to. Different things can have one key: who follows it
// looks at the certificate.
struct IndexEntry {
  std::uint64_t key = 0;
  std::uint64_t sequence = 0;
  auto operator<=>(const IndexEntry&) const = default;
};

// Every key of one certificate.
struct CertificateKeys {
  std::optional<std::uint64_t> serial = {};
  std::uint64_t expiry = 0;
  std::vector<std::uint64_t> terms = {};  // each once
};

// What the keys of a certificate are made of; the texts of `names` as EncodeTexts wrote them.
struct KeySource {
  std::string_view serial, request, names;
  std::int64_t issued_at = 0, not_after = 0;
};

// Makes keys, with a hash that only this store knows: nobody can choose names that collide.
class IndexKeys {
 public:
  explicit IndexKeys(const std::array<std::uint64_t, 2>& hash_key) : hash_key_(hash_key) {}

  void Of(const KeySource& source, CertificateKeys& keys) const;  // reuses the memory of `keys`
  std::uint64_t OfName(std::string_view name) const { return Hash(name, 1); }
  std::uint64_t OfRequest(std::string_view digest) const { return Hash(digest, 2); }
  std::uint64_t OfForeignSerial(std::string_view serial) const { return Hash(serial, 3); }
  // Nothing when SerialNumber::Generate cannot have made it.
  static std::optional<std::uint64_t> OfOwnSerial(std::string_view serial);
  // Times before 1970 count as 1970.
  static std::uint64_t OfTime(std::int64_t seconds) {
    return seconds < 0 ? 0 : static_cast<std::uint64_t>(seconds);
  }

 private:
  std::uint64_t Hash(std::string_view bytes, std::uint64_t kind) const;

  std::array<std::uint64_t, 2> hash_key_;
};

// SipHash-2-4.
std::uint64_t SipHash(std::string_view bytes, const std::array<std::uint64_t, 2>& key);

}  // namespace troth
