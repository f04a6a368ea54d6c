// The folder of an online authority: its keys and certificates, and where everything else lies.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "troth/base/secret.h"
#include "troth/base/time.h"
#include "troth/ca/depot.h"
#include "troth/ca/folder_lock.h"
#include "troth/pki/issue.h"

namespace troth {

// Paths below the data directory (0700). Immutable.
class AuthorityFolder {
 public:
  explicit AuthorityFolder(std::string path) : path_(std::move(path)) {}
  const std::string& path() const { return path_; }
  std::string RootCertificate() const { return path_ + "/root.pem"; }
  std::string RootKey() const { return path_ + "/root.key"; }  // may be taken away (two-tier)
  // Issuer certificates, newest first: the first signs; the ones after it are kept while what they
  // signed is valid. One-tier: not there.
  std::string IssuerCertificate() const { return path_ + "/issuer.pem"; }
  std::string IssuerKey() const { return path_ + "/issuer.key"; }
  // The next issuer's key and request while its certificate is awaited from the root elsewhere.
  std::string NextIssuerKey() const { return path_ + "/issuer.next.key"; }
  std::string NextIssuerRequest() const { return path_ + "/issuer.next.csr"; }
  std::string Profiles() const { return path_ + "/profiles.toml"; }
  std::string Settings() const { return path_ + "/authority.toml"; }
  std::string Database() const { return path_ + "/authority.db"; }
  std::string Socket() const { return path_ + "/admin.sock"; }
  std::string CrlFolder() const { return path_ + "/crl"; }
  std::string LedgerHead() const { return path_ + "/ledger.head"; }

 private:
  std::string path_;
};

// What is decided once, when the authority is made, and kept in authority.toml.
struct AuthoritySettings {
  bool one_tier = false;
  std::string trust_domain = {};            // "ca.example.org"
  std::vector<std::string> dns_names = {};  // of the authority's servers; IP addresses too
  std::string public_url = {};              // "http://ca.example.org:8080": where CRL and issuer
                                            // certificates are found; empty: none in certificates
};

struct AuthoritySpec {
  AuthoritySettings settings = {};
  DistinguishedName root_subject = {};  // empty: "CN=Troth Root CA <trust domain>"
  KeyType key_type = KeyType::kP256;
  Seconds root_lifetime = std::chrono::hours(24 * 3650);
  Seconds issuer_lifetime = std::chrono::hours(24 * 365);
  const Secret* root_passphrase = nullptr;    // null or empty: in the clear, with a warning
  const Secret* issuer_passphrase = nullptr;  // likewise, without
};

// The keys of an authority that are there now. One-tier: `issuer` is the root.
struct AuthorityKeys {
  Certificate root;
  Signer issuer;
  std::vector<Certificate> older_issuers = {};  // newest first
  // What an operator must know: the root's key lies in the clear beside the issuer's ...
  std::vector<std::string> warnings = {};
};

// Makes an authority in a folder that holds none; whatever is killed when, the next call goes on or
// begins anew, and never has two roots. Errors: file_exists (there is one), file_write_failed,
// usage_error.
absl::Status CreateAuthority(const AuthorityFolder& folder, const AuthoritySpec& spec,
                             const Clock& clock);
bool AuthorityExists(const AuthorityFolder& folder);
absl::StatusOr<AuthoritySettings> ReadSettings(const AuthorityFolder& folder);
absl::Status WriteSettings(const AuthorityFolder& folder, const AuthoritySettings& settings);

// Opens the issuer (never the root's key, but for a one-tier authority). `ask` is called only for
// an encrypted key. Errors: those of files and keys, key_mismatch, key_file_too_open,
// certificate_expired (names the command that renews the issuer).
absl::StatusOr<AuthorityKeys> OpenAuthority(const AuthorityFolder& folder, const AskPassphrase& ask,
                                            Time now);

// Opens the root's key to make a new issuer (prepare, activate: the old one is kept for what it
// signed). Errors: file_not_found when the root's key was taken away: use the two below.
absl::Status RenewIssuer(const AuthorityFolder& folder, Seconds lifetime, const AskPassphrase& ask,
                         const Secret* issuer_passphrase, const Clock& clock);
// Issuer renewal with the root elsewhere: a key and a request, whose path is answered ...
absl::StatusOr<std::string> PrepareIssuer(const AuthorityFolder& folder,
                                          const Secret* issuer_passphrase, const Clock& clock);
// ... where the root is, the certificate for it (`troth ca sign-issuer`) ...
absl::StatusOr<Certificate> SignIssuer(const Certificate& root, const PrivateKey& root_key,
                                       std::string_view request_pem, Seconds lifetime,
                                       const AuthoritySettings& settings, const Clock& clock);
// ... and back here. Checks that it is for the prepared key and of this root. Errors: key_mismatch,
// issuer_unknown, not_a_certificate_authority, certificate_expired.
absl::Status ActivateIssuer(const AuthorityFolder& folder, std::string_view certificate_pem,
                            const AskPassphrase& ask, const Clock& clock);

}  // namespace troth
