// Taking over an authority that was kept elsewhere: with openssl's files, in certstrap's depot, by
// Caramel.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "troth/base/secret.h"
#include "troth/base/time.h"
#include "troth/ca/authority_folder.h"
#include "troth/ca/depot.h"
#include "troth/pki/crl.h"

namespace troth {

struct ImportSpec {
  AuthoritySettings settings = {};
  // The CA's files, which are read and never changed. The certificate must be self-signed: it
  // becomes the root. One-tier: its key signs from now on. Otherwise the key signs an issuer, and
  // may be taken away then.
  std::string certificate = {}, private_key = {};
  AskPassphrase ask = {};  // the key is kept under the same passphrase
  Seconds issuer_lifetime = std::chrono::hours(24 * 365);
  const Secret* issuer_passphrase = nullptr;  // two-tier
  // Revocation lists of the CA: with two tiers the root's own list goes on from the newest, and
  // holds what is on any of them. With one tier the store's records say it (record_import.h).
  std::vector<Crl> lists = {};
};

// Makes an authority of this CA in a folder that holds none; whatever is killed when, the next call
// goes on. One that was made of the same CA, in as many tiers, is left as it is, but that the
// root's list takes in what is new on `lists`. The caller holds the folder's lock. Errors:
// file_exists (another authority), usage_error (not self-signed; two tiers below a CA that allows
// none), key_mismatch, not_a_certificate_authority, key_too_weak, certificate_expired,
// issuer_unknown (a list of another CA), and those of files, keys, Crl::VerifySignature and
// CreateAuthority.
absl::Status ImportAuthority(const AuthorityFolder& folder, const ImportSpec& spec,
                             const Clock& clock);

}  // namespace troth
