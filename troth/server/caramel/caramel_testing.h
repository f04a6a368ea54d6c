// For tests of this folder: bodies as clients post them, and what can be wrong with them.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "troth/base/encoding.h"
#include "troth/pki/certificate_request.h"
#include "troth/pki/digest.h"
#include "troth/pki/issue_testing.h"

namespace troth::caramel_testing {

using testing::MakeKey;
using testing::Value;

inline constexpr std::string_view kAuthoritySubject =
    "/C=SE/ST=Östergötland/L=Linköping/O=Modio's AB/OU=Caramel/CN=Caramel CA";
inline constexpr std::string_view kClientPrefix =
    "/C=SE/ST=Östergötland/L=Linköping/O=Modio's AB/OU=Caramel";

// "/C=SE/.../CN=name".
inline std::string SubjectOf(std::string_view name) {
  std::string subject(kClientPrefix);
  subject += "/CN=";
  subject += name;
  return subject;
}

// A key that all bodies share, for making RSA keys takes long.
inline const PrivateKey& SharedKey() {
  static const PrivateKey key = MakeKey(KeyType::kP256);
  return key;
}

inline CertificateRequest RequestOf(std::string_view subject, const PrivateKey& key = SharedKey()) {
  return Value(CertificateRequest::Create(key, Value(DistinguishedName::FromSlashes(subject)), {}));
}

// "/C=SE/.../CN=name" as PEM.
inline std::string BodyOf(std::string_view name, const PrivateKey& key = SharedKey()) {
  return RequestOf(SubjectOf(name), key).ToPem();
}

inline std::string Replaced(std::string text, std::string_view what, std::string_view with) {
  for (size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += with.size()) {
    text.replace(at, what.size(), with);
  }
  return text;
}

// PEM of any bytes, `width` characters a line.
inline std::string PemOfBytes(std::string_view der, size_t width = 64) {
  const std::string text = ToBase64(der);
  std::string pem = "-----BEGIN CERTIFICATE REQUEST-----\n";
  for (size_t at = 0; at < text.size(); at += width) pem += text.substr(at, width) + "\n";
  return pem + "-----END CERTIFICATE REQUEST-----\n";
}

// A good body with a signature that is not its own.
inline std::string BodyWithBadSignature() {
  std::string der = RequestOf(SubjectOf("bad")).der();
  // The last byte is the end of ECDSA's s: still a number.
  der.back() = static_cast<char>(der.back() ^ 1);
  return PemOfBytes(der);
}

// Bodies that say nothing that can be read, by what is wrong with them.
inline std::vector<std::pair<std::string, std::string>> UnreadableBodies() {
  const std::string good = BodyOf("good");
  const std::string der = RequestOf(SubjectOf("good")).der();
  return {
      {"empty", ""},
      {"no PEM", "hello"},
      {"DER", der},
      {"a line before", "\n" + good},
      {"text before", "Certificate Request:\n" + good},
      {"a line behind", good + "\n"},
      {"text behind", good + "x"},
      {"twice", good + good},
      {"another block behind", good + PemOfBytes("key")},
      {"no newline at the end", good.substr(0, good.size() - 1)},
      {"carriage returns", Replaced(good, "\n", "\r\n")},
      {"a byte order mark", "\xef\xbb\xbf" + good},
      {"the older label", Replaced(good, "CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST")},
      {"a certificate's label", Replaced(good, "CERTIFICATE REQUEST", "CERTIFICATE")},
      {"one long line", PemOfBytes(der, 100000)},
      {"76 characters a line", PemOfBytes(der, 76)},
      {"a byte behind the request", PemOfBytes(der + '\0')},
      {"a cut request", PemOfBytes(der.substr(0, der.size() - 4))},
      {"a length in long form", PemOfBytes("\x30\x83" + std::string(1, '\0') + "\x01\x00" + der)},
      {"not base64", Replaced(good, "MII", "M!I")},
      {"a zero byte", good + std::string(1, '\0')},
      {"an END line missing", good.substr(0, good.find("-----END"))},
  };
}

}  // namespace troth::caramel_testing
