// What the files of the folder's code share.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "troth/ca/authority_folder.h"
#include "troth/ca/key_pair_files.h"

namespace troth {

// "Troth Root CA example.org", without the domain when a common name has no room for it.
std::string CommonNameOf(std::string_view role, std::string_view trust_domain);
// The key as it is written: encrypted when there is a passphrase.
absl::StatusOr<Secret> KeyPemOf(const PrivateKey& key, const Secret* passphrase);
KeyPairPaths IssuerPair(const AuthorityFolder& folder);

// Whether the key in the file needs no passphrase. Does not open it.
bool LiesInTheClear(const std::string& path);

// Held by who changes the issuers' files. Errors: those of FolderLock.
absl::StatusOr<FolderLock> LockIssuers(const AuthorityFolder& folder);

// OK when `root` issued and signed `issuer`. Errors: issuer_unknown.
absl::Status CheckIssuedBy(const Certificate& issuer, const Certificate& root);

struct NewIssuer {
  const AuthoritySettings& settings;
  KeyType key_type;
  Seconds lifetime;
  const Secret* passphrase = nullptr;
  const std::vector<RevokedEntry>& revoked;
};
// Prepares, signs with the root's key, which must be there, and activates. The caller holds
// LockIssuers.
absl::Status MakeIssuer(const AuthorityFolder& folder, const NewIssuer& issuer,
                        const AskPassphrase& ask, const Clock& clock);

// Has the root's list in the folder hold these too; made anew only when it lacks some. Two-tier.
absl::Status AddToRootList(const AuthorityFolder& folder, const Signer& root,
                           const std::vector<RevokedEntry>& revoked, const Clock& clock);

}  // namespace troth
