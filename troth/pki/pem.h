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

// What a text is that is or ought to be PEM.
enum class TextKind {
  kPem,
  kUtf16,
  kEscapedLineEnds,  // PEM with "\\n" written out where lines should end
  kBase64,           // without BEGIN and END lines
  kCertificateDer,
  kCertificateRequestDer,
  kCrlDer,
  kPkcs7Der,
  kPublicKeyDer,
  kPrivateKeyDer,  // encrypted or in the clear
  kPkcs12,
  kOther,
};

// What is binary, and how it becomes PEM; both are empty for the other kinds.
struct BinaryKind {
  std::string_view what;     // "a certificate in binary DER"
  std::string_view openssl;  // the tool of openssl and its options: "x509 -inform DER"
};
BinaryKind InfoOf(TextKind kind);

// A text and the blocks in it.
struct PemText {
  TextKind kind = TextKind::kOther;
  bool has_byte_order_mark = false;  // of UTF-8, before everything else
  // A BEGIN or END shares its line with other text: read here, and not by OpenSSL.
  bool has_marks_inside_lines = false;
  absl::StatusOr<std::vector<PemBlock>> blocks;  // what ParsePem answers
};
PemText ReadPem(std::string_view text);

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
