// The folder of an online authority: its keys and certificates, and where everything else lies.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "troth/base/secret.h"
#include "troth/base/time.h"
#include "troth/ca/depot.h"
#include "troth/ca/folder_lock.h"
#include "troth/pki/crl.h"
#include "troth/pki/issue.h"
#include "troth/pki/key.h"

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
  // What the root's next list is to hold besides what is on its present one (revoked_list.h).
  std::string NextIssuerRevoked() const { return path_ + "/issuer.next.revoked"; }
  // The key of an issuer that was replaced: it signs that issuer's revocation lists as long as
  // what it signed is valid.
  std::string OlderIssuerKey(const PublicKey& key) const;
  std::string Profiles() const { return path_ + "/profiles.toml"; }
  std::string Settings() const { return path_ + "/authority.toml"; }
  std::string Database() const { return path_ + "/authority.db"; }
  std::string Socket() const { return path_ + "/admin.sock"; }
  std::string CrlFolder() const { return path_ + "/crl"; }
  std::string CrlFile(std::uint32_t issuer) const {
    return CrlFolder() + "/" + std::to_string(issuer) + ".crl";
  }
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
  std::vector<RevokedEntry> revoked = {};     // two-tier: on the root's first list
};

// The keys of an authority that are there now. One-tier: `issuer` is the root.
struct AuthorityKeys {
  Certificate root;
  Signer issuer;
  // Replaced, and not retired yet: they sign nothing more but their revocation lists. Newest first.
  std::vector<Signer> older_issuers = {};
  std::vector<std::string> warnings = {};  // see WarningsOf
};

// What an operator must know and do something about: the root's key lies in the clear beside the
// issuer's, an end comes near ... One-tier: `issuer` is the root.
std::vector<std::string> WarningsOf(const AuthorityFolder& folder, const Certificate& root,
                                    const Certificate& issuer, Time now);

// Makes an authority in a folder that holds none, and its root's first revocation list, which
// follows one that is there; whatever is killed when, the next call goes on or begins anew, and
// never has two roots. The caller holds the
// folder's lock (folder_lock.h). Errors: file_exists (there is one, or a database
// without its root), file_write_failed, usage_error, passphrase_wrong (a root that an interrupted
// call left has another).
absl::Status CreateAuthority(const AuthorityFolder& folder, const AuthoritySpec& spec,
                             const Clock& clock);
bool AuthorityExists(const AuthorityFolder& folder);
absl::StatusOr<AuthoritySettings> ReadSettings(const AuthorityFolder& folder);
absl::Status WriteSettings(const AuthorityFolder& folder, const AuthoritySettings& settings);

// Where an issuer's revocation list and certificate are found: PUBLIC/crl/N and PUBLIC/issuer/N.
// Empty without a public_url.
std::string CrlUrl(const AuthoritySettings& settings, std::uint32_t issuer);
std::string IssuerUrl(const AuthoritySettings& settings, std::uint32_t issuer);

// Opens the issuer (never the root's key, but for a one-tier authority). `ask` is called only for
// an encrypted key. Carries out what an interrupted change of issuers had decided. Errors: those of
// files and keys, key_mismatch, key_file_too_open, issuer_unknown (the issuer is not of this root),
// certificate_expired (names the command that renews the issuer).
absl::StatusOr<AuthorityKeys> OpenAuthority(const AuthorityFolder& folder, const AskPassphrase& ask,
                                            Time now);
// A new issuer is prepared (a key and a request), activated (it signs from now on) and its
// predecessor retired (it goes when what it signed has ended). Each step is whole or has not
// happened, and can be done again; they wait for each other (a lock on the folder of the lists),
// and not for the authority's own lock: one that runs takes a new issuer over by itself.

// A new issuer's key is kept as the present one is: in the clear, or under the same passphrase, so
// that who opens the one opens the other. No revocation list of the root loses an entry.

// All three at once, where the root's key is. Gives the root a new revocation list too, with
// `revoked` besides what the present one holds. Errors: file_not_found when the root's key was
// taken away: use the four below; usage_error for a one-tier authority; those of keys and of the
// present list.
absl::Status RenewIssuer(const AuthorityFolder& folder, Seconds lifetime, const AskPassphrase& ask,
                         const std::vector<RevokedEntry>& revoked, const Clock& clock);
// Issuer renewal with the root elsewhere: a key and a request, and what is to be on the root's
// list. A request that is prepared already is left as it is ...
struct PreparedIssuer {
  std::string request = {};    // paths: what goes to the root
  std::string root_list = {};  // the present one; empty: there is none
  std::string revoked = {};    // what it lacks of `revoked`; empty: nothing
};
absl::StatusOr<PreparedIssuer> PrepareIssuer(const AuthorityFolder& folder,
                                             const AskPassphrase& ask,
                                             const std::vector<RevokedEntry>& revoked);
// ... where the root is, the certificate for it (`troth issuer sign`) ...
absl::StatusOr<Certificate> SignIssuer(const Signer& root, std::string_view request_pem,
                                       Seconds lifetime, const AuthoritySettings& settings,
                                       const Clock& clock);
// ... and the root's revocation list, which nobody else can sign: it lasts a year, and longer than
// `issuer`, so that the next one comes with the next issuer. Holds what `present` does, and
// `revoked`
// ...
absl::StatusOr<Crl> SignRootList(const Signer& root, const Certificate& issuer,
                                 const std::optional<Crl>& present,
                                 const std::vector<RevokedEntry>& revoked, const Clock& clock);
// ... and back here. `pem` holds the certificate and may hold the list. Checks that they are for
// the prepared key and of this root. Errors: key_mismatch, issuer_unknown,
// not_a_certificate_authority, certificate_expired, crl_malformed, file_not_found (nothing is
// prepared), usage_error (the list lacks entries of the present one, which the message names).
absl::Status ActivateIssuer(const AuthorityFolder& folder, std::string_view pem,
                            const AskPassphrase& ask, const Clock& clock);
// Removes older issuers that ended 90 days ago or before, with their keys: nothing else brings a
// key back that a clock which was ahead for a moment took away. The authority does it when it
// opens.
absl::Status RetireIssuers(const AuthorityFolder& folder, Time now);

}  // namespace troth
