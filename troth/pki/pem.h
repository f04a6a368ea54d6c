// PEM (RFC 7468): blocks of base64 between BEGIN and END lines, with any text around them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "troth/base/secret.h"

namespace troth {

struct PemBlock {
  std::string label;    // "CERTIFICATE"
  std::string headers;  // RFC 1421 headers such as "DEK-Info: ...", empty in nearly every file
  Secret content;       // decoded bytes: may be a key
};

// Every block of `text`, in order; text outside the blocks is skipped. LF, CRLF and one-line bodies
// are read, a UTF-8 byte order mark too. Errors (file_wrong_format) say what the text is when it
// holds no block: binary DER, PKCS#12, UTF-16, plain text. A block that begins and does not end, or
// whose body is not base64, is an error: nothing is dropped in silence.
absl::StatusOr<std::vector<PemBlock>> ParsePem(std::string_view text);

// What blocks with this label hold, for messages: "a certificate request (BEGIN CERTIFICATE
// REQUEST)".
std::string DescribePemLabel(std::string_view label);

// One block, 64 characters a line. Leaves no copy of `content` in freed memory.
std::string FormatPem(std::string_view label, std::string_view content);

}  // namespace troth
