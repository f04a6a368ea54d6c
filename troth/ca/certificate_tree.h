// Makes, renews and rolls over the certificate tree of tree_layout.h.
//
// One file is both what a service presents and what others pin: aggregator/aggregator.pem is the
// aggregator's own certificate and, copied to its peers, the pin in their policy. After a renewal a
// pinned leaf's file therefore holds the new certificate first, which is what every TLS library
// presents, and after it the leaves before it that have not expired (two at most), which is what a
// policy still accepts until every copy and every process has changed over. DropOld ends that
// overlap. The server's certificate is pinned by nobody, and its file holds one.
//
// ca.pem likewise may hold several CA certificates after a roll-over, in ca/ and in every copy. The
// one that signs is the one that ca.key belongs to; the others keep the leaves that they issued
// valid until DropOld.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "troth/base/secret.h"
#include "troth/base/time.h"
#include "troth/pki/certificate.h"
#include "troth/pki/key.h"
#include "troth/pki/name.h"

namespace troth {

struct TreeOptions {
  std::string folder = "core/certs";
  // Of every key that is made. Nothing: RSA 4096 for a first CA and RSA 2048 for first leaves; the
  // type of the key that is replaced afterwards.
  std::optional<KeyType> key_type = {};
  int days = 365;            // lifetime of leaves, cut where their CA ends sooner
  int authority_days = 365;  // lifetime of a CA
  std::vector<AlternativeName> server_names = {};  // of the server, beside those that it has
  const Secret* passphrase = nullptr;              // opens ca.key when that is encrypted; not owned
};

// A certificate that was made, with its files.
struct TreeEntry {
  std::string name;  // "ca", "server", ...
  std::string certificate_file;
  std::string key_file;
  Certificate certificate;
  int older_certificates = 0;        // how many stay in the file after it
  bool ends_with_authority = false;  // its lifetime was cut by more than a day
};

struct TreeReport {
  std::vector<TreeEntry> made;         // in the order of the tree
  std::vector<std::string> kept;       // files of the tree that were there and are used
  std::vector<std::string> changed;    // other files that were written
  std::vector<std::string> recovered;  // files whose interrupted replacement was carried out first
};

// Each holds a FolderLock on the tree while it works (errors: file_locked), first carries out what
// a run before it had left half done, and can itself be repeated after a crash. Errors of reading
// name the file.

// Makes what is missing. Files that are there are kept when they fit (a key its certificate, a
// certificate its CA), and never changed. Errors: file_exists when nothing is missing, or a key is
// of another type than asked for; key_mismatch, issuer_unknown ... when what is there does not fit;
// file_not_found when a certificate has lost its key.
absl::StatusOr<TreeReport> GenerateTree(const TreeOptions& options, const Clock& clock);

// New keys and certificates for these leaves, by the CA that is there. Subject and names are those
// of the leaf that is replaced, and `server_names`. Errors: file_not_found, usage_error (no such
// leaf), certificate_expired (the CA), key_mismatch.
absl::StatusOr<TreeReport> RenewTree(const TreeOptions& options,
                                     const std::vector<std::string>& leaves, const Clock& clock);

// A new CA key and certificate of the same subject. Every ca.pem then holds the new certificate and
// those before it; leaves stay as they are until RenewTree. Needs no old key, so that a lost one
// can be replaced.
absl::StatusOr<TreeReport> RollTreeAuthority(const TreeOptions& options, const Clock& clock);

// Ends the overlaps: leaves before the present ones, and CA certificates other than the signing
// one, go. Errors: issuer_unknown when a present leaf would lose its CA.
absl::StatusOr<TreeReport> DropOldFromTree(const TreeOptions& options, const Clock& clock);

}  // namespace troth
