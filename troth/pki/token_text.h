// The text of an enrolment token, as the authority writes it and a client reads it.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "troth/base/secret.h"
#include "troth/pki/digest.h"

namespace troth {

// "troth1." and base64url (RFC 4648 section 5, without padding) of id (8 bytes), secret (32
// bytes), the root's SHA-256 fingerprint (32 bytes) and the first 4 bytes of the SHA-256 of those,
// so that a client needs no other file to know the authority, and a mistyped token is told from a
// wrong one. What it is good for is not in it: the authority knows.
struct TokenText {
  std::string id = {};  // 16 hexadecimal digits, public: what logs and lists call the token
  Secret secret = {};   // 32 bytes
  Sha256Digest root_fingerprint = {};

  Secret ToText() const;
  // White space around it does not matter. Errors: token_invalid, which never repeats the text.
  static absl::StatusOr<TokenText> Parse(std::string_view text);
};

}  // namespace troth
