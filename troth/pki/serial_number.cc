#include "troth/pki/serial_number.h"

#include <openssl/rand.h>

#include <cstdint>
#include <cstdlib>

#include "troth/base/encoding.h"
#include "troth/base/reason.h"

namespace troth {
namespace {

constexpr size_t kSize = 20;        // RFC 5280 section 4.1.2.2: at most 20 octets
constexpr size_t kPrefixBytes = 5;  // 01, then 38 bits of seconds: enough until the year 10680
constexpr size_t kRandomBytes = kSize - kPrefixBytes;

}  // namespace

absl::StatusOr<SerialNumber> SerialNumber::FromDerContent(std::string_view octets) {
  // 20 octets by RFC 5280; one more is the leading zero that some issuers did not count.
  if (octets.empty() || octets.size() > kSize + 1) {
    return MakeError(
        Reason::kCertificateMalformed,
        "expected a serial number of 1 to 21 octets, got " + std::to_string(octets.size()));
  }
  if (octets.size() > 1) {
    const auto first = static_cast<std::uint8_t>(octets[0]);
    const bool second_high = (static_cast<std::uint8_t>(octets[1]) & 0x80) != 0;
    if ((first == 0 && !second_high) || (first == 0xff && second_high)) {
      return MakeError(Reason::kCertificateMalformed,
                       "the serial number " + troth::ToHex(octets) +
                           " is not in its shortest form, expected no needless leading octet");
    }
  }
  return SerialNumber(std::string(octets));
}

SerialNumber SerialNumber::Generate(Time now) {
  const auto seconds = static_cast<std::uint64_t>(now.time_since_epoch().count());
  std::string octets(kSize, '\0');
  for (size_t i = 0; i < kPrefixBytes; ++i) {
    octets[i] = static_cast<char>(seconds >> (8 * (kPrefixBytes - 1 - i)));
  }
  octets[0] = static_cast<char>(0x40 | (static_cast<std::uint8_t>(octets[0]) & 0x3f));
  // RAND_bytes fails only when the system has no randomness at all. A guessable serial would be
  // worse than the end.
  if (RAND_bytes(reinterpret_cast<unsigned char*>(octets.data()) + kPrefixBytes, kRandomBytes) !=
      1) {
    std::abort();
  }
  return SerialNumber(octets);
}

std::string SerialNumber::ToHex() const {
  std::string magnitude = octets_;
  const bool negative = (static_cast<std::uint8_t>(magnitude[0]) & 0x80) != 0;
  if (negative) {  // two's complement
    bool carry = true;
    for (auto octet = magnitude.rbegin(); octet != magnitude.rend(); ++octet) {
      *octet = static_cast<char>(~*octet + (carry ? 1 : 0));
      carry = carry && *octet == 0;
    }
  }
  // The octet that only keeps a number positive, or negative.
  if (magnitude.size() > 1 && magnitude[0] == 0) magnitude.erase(0, 1);
  return (negative ? "-" : "") + troth::ToHex(magnitude);
}

}  // namespace troth
