// Certificate serial numbers.
#pragma once

#include <compare>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "troth/base/time.h"

namespace troth {

// RFC 5280 section 4.1.2.2. Holds the content octets of the DER INTEGER as they were read.
// Immutable.
class SerialNumber {
 public:
  // From content octets: 1 to 21 of them, minimal. Zero and negative numbers of other issuers are
  // read.
  static absl::StatusOr<SerialNumber> FromDerContent(std::string_view octets);
  // 20 bytes: 01 in the two top bits, a time-ordered prefix (seconds), then at least 15 random
  // bytes. Positive, minimal, never repeated in practice; numbers made later sort later.
  static SerialNumber Generate(Time now);

  const std::string& der_content() const { return octets_; }
  std::string ToHex() const;  // lower case, as `openssl x509 -serial` prints but for its case
  auto operator<=>(const SerialNumber&) const = default;

 private:
  explicit SerialNumber(std::string octets) : octets_(std::move(octets)) {}
  std::string octets_;
};

}  // namespace troth
