// For tests: keys, templates and CAs as most tests want them, valid on 2026-11-21.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>
#include <utility>

#include "troth/pki/issue.h"

namespace troth::testing {

// "2026-11-21" or "2026-11-21T02:29:09Z".
inline Time At(std::string_view text) {
  const auto time = ParseTime(text);
  if (!time.has_value()) std::abort();
  return *time;
}

// The value; ends the test program with the error when there is none.
template <typename T>
T Value(absl::StatusOr<T> value) {
  if (!value.ok()) {
    std::cerr << value.status() << "\n";
    std::abort();
  }
  return *std::move(value);
}

inline PrivateKey MakeKey(KeyType type = KeyType::kP256) {
  return Value(PrivateKey::Generate(type));
}

// The server of the Clementine tree, 2026-11-01 to 2027-11-01.
inline CertificateTemplate LeafTemplate(PublicKey key) {
  return {.serial = SerialNumber::Generate(At("2026-11-01")),
          .subject = Value(DistinguishedName::FromSlashes("/C=US/O=Clementine/CN=server")),
          .validity = {At("2026-11-01"), At("2027-11-01")},
          .public_key = std::move(key),
          .alternative_names = {{AlternativeName::Kind::kDns, "localhost"}},
          .extended_key_usage = {std::string(kServerAuthOid)}};
}

// 2026-01-01 to 2036-01-01.
inline CertificateTemplate CaTemplate(PublicKey key,
                                      std::string_view subject = "/C=US/O=Clementine/CN=Root") {
  return {.serial = SerialNumber::Generate(At("2026-01-01")),
          .subject = Value(DistinguishedName::FromSlashes(subject)),
          .validity = {At("2026-01-01"), At("2036-01-01")},
          .public_key = std::move(key),
          .basic_constraints = BasicConstraints{.is_ca = true}};
}

// A self-signed CA.
inline Signer MakeSigner(const CertificateTemplate& what, PrivateKey key) {
  Certificate certificate = Value(IssueSelfSigned(what, key));
  return Value(Signer::Create(std::move(certificate), std::move(key)));
}

inline Signer MakeRoot(KeyType type = KeyType::kP256,
                       std::string_view subject = "/C=US/O=Clementine/CN=Root") {
  PrivateKey key = MakeKey(type);
  const CertificateTemplate what = CaTemplate(key.public_key(), subject);
  return MakeSigner(what, std::move(key));
}

}  // namespace troth::testing
