// A private key and its certificate as two files that change together.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "troth/base/secret.h"
#include "troth/pki/certificate.h"
#include "troth/pki/key.h"

namespace troth {

// A private key's mode: its owner reads and writes it.
inline constexpr mode_t kKeyFileMode = 0600;
inline constexpr mode_t kCertificateFileMode = 0644;

// Where a pair lies. Beside it, while it is replaced, lie <key>.next and <certificate>.next.
struct KeyPairPaths {
  std::string key;
  std::string certificate;
  std::vector<std::string> certificate_copies = {};  // files that hold the same as `certificate`
};

// Replaces both files. No system call replaces two files at once, so the new ones are first written
// whole beside the old ones: whatever is killed when, FinishReplacing() then carries the
// replacement out or leaves the old pair as it was. A reader in the moment between the two sees a
// pair that does not match, and must look again.
absl::Status ReplaceKeyPair(const KeyPairPaths& paths, const Secret& key_pem,
                            std::string_view certificates_pem);

// Carries out what an interrupted ReplaceKeyPair had decided, and removes what it had not. True
// when it carried something out.
absl::StatusOr<bool> FinishReplacing(const KeyPairPaths& paths);

// Readers whose errors name the file. `passphrase` may be null.
absl::StatusOr<PrivateKey> ReadKeyFile(const std::string& path, const Secret* passphrase);
absl::StatusOr<std::vector<Certificate>> ReadCertificateFile(const std::string& path);

// The PEM of several certificates, one after another.
std::string PemOf(const std::vector<Certificate>& certificates);

}  // namespace troth
