// Patterns of the names in a certificate, as roles give them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "troth/pki/ip_network.h"

namespace troth {

// No pattern of a name is longer. Bytes.
inline constexpr size_t kMaxNamePatternBytes = 1024;

// Matches names of one kind. Without "*" it is the whole name. "*" stands for any run of
// characters, also an empty one, within one part of the name, and names have as many parts as the
// pattern:
//
//   kSpiffeId  parts are path segments; the trust domain holds no "*"; a last segment "**" stands
//   for one or more segments kDns       parts are labels; ASCII case does not count kEmail parts
//   are what stands before and after "@"; ASCII case does not count after it kIp        an address,
//   or a network "10.0.0.0/8"; no "*" kText      one part: common name, organization,
//   organizational unit
class NamePattern {
 public:
  enum class Kind { kSpiffeId, kDns, kEmail, kIp, kText };

  // Errors: policy_invalid, with what is wrong.
  static absl::StatusOr<NamePattern> Parse(Kind kind, std::string_view text);

  const std::string& text() const { return text_; }
  // `name` as the certificate holds it: for kIp 4 or 16 bytes, else text. A "*" in the name is a
  // character like any other.
  bool Matches(std::string_view name) const;

 private:
  NamePattern(Kind kind, std::string_view text) : kind_(kind), text_(text) {}
  Kind kind_;
  std::string text_;
  std::optional<IpNetwork> network_;  // kIp
};

}  // namespace troth
