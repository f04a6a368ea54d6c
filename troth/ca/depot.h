// A folder of keys, requests, certificates and CRLs, in certstrap's layout: NAME.key, NAME.csr,
// NAME.crt, NAME.crl.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "troth/base/secret.h"
#include "troth/base/time.h"
#include "troth/pki/issue.h"
#include "troth/pki/key.h"

namespace troth {

// certstrap refuses files with any permission beyond 0440 and 0444, writing by the owner included.
inline constexpr mode_t kDepotKeyMode = 0400;
inline constexpr mode_t kDepotFileMode = 0444;

// Asked for the passphrase of an encrypted key, with the key's path. Called only when there is one
// to open.
using AskPassphrase = std::function<absl::StatusOr<Secret>(const std::string& key_path)>;

// The stem of a CA's files: its common name with '_' for each space. Errors: usage_error when the
// name is empty, begins with '.', or holds '/' or control characters.
absl::StatusOr<std::string> AuthorityFileName(std::string_view common_name);
// The stem of a request's files: every run of characters other than letters, digits, '.', '_' and
// '-' becomes one '_'.
std::string RequestFileName(std::string_view name);

// Paths in a depot. Immutable.
class Depot {
 public:
  explicit Depot(std::string folder) : folder_(std::move(folder)) {}

  const std::string& folder() const { return folder_; }
  std::string KeyPath(std::string_view name) const { return PathOf(name, ".key"); }
  std::string RequestPath(std::string_view name) const { return PathOf(name, ".csr"); }
  std::string CertificatePath(std::string_view name) const { return PathOf(name, ".crt"); }
  std::string CrlPath(std::string_view name) const { return PathOf(name, ".crl"); }
  // Stems of the files that end with `extension`, sorted. None when there is no folder.
  std::vector<std::string> NamesWith(std::string_view extension) const;

 private:
  std::string PathOf(std::string_view name, std::string_view extension) const;
  std::string folder_;
};

// Writes a file that is not there yet, and its folder when needed. Errors: file_exists.
absl::Status WriteNew(const std::string& path, std::string_view content, mode_t mode);

// A private key as certstrap writes it: PKCS#1 for RSA, PKCS#8 for the rest; with a passphrase that
// is not empty, DEK-Info with 3DES for RSA, PBES2 for the rest.
absl::StatusOr<Secret> DepotKeyPem(const PrivateKey& key, const Secret& passphrase);

// Reads a key, asking for its passphrase when it is encrypted.
absl::StatusOr<PrivateKey> ReadDepotKey(const std::string& path, const AskPassphrase& ask);

// Where a CA lies.
struct AuthorityFiles {
  std::string certificate, key, crl;
};

// The CA of these files, with which certificates can be issued now: the certificate of the file
// that the key belongs to. Errors: those of reading, key_mismatch, not_a_certificate_authority,
// certificate_expired, certificate_not_yet_valid.
absl::StatusOr<Signer> ReadAuthority(const AuthorityFiles& files, const AskPassphrase& ask,
                                     Time now);

}  // namespace troth
