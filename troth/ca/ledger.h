// The ledger: every decision of the authority, each entry bound to the one before by a hash, and a
// head that the issuer signs and that can be kept elsewhere.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "troth/ca/records.h"
#include "troth/pki/issue.h"

namespace troth {

// The entry that follows `head`: its hash is SHA-256 over the previous hash and a
// length-prefixed encoding of sequence, time and the four texts, none of which can run into
// another.
LedgerEntry NextEntry(const LedgerHead& head, LedgerNote note);

// A statement of the authority: at this time the ledger had this head.
struct SignedHead {
  LedgerHead head = {};
  Time at = {};
  std::string signer_der = {};  // the issuer's certificate
  std::string signature = {};

  // A text file of a few "key: value" lines.
  std::string ToText() const;
  // Errors: file_wrong_format.
  static absl::StatusOr<SignedHead> FromText(std::string_view text);
  // OK when the signer's key made the signature. Who the signer is, the caller checks.
  absl::Status Verify() const;
};
absl::StatusOr<SignedHead> SignHead(const LedgerHead& head, const Signer& signer, Time now);

// Checks entries as they are read, oldest first. Not thread-safe.
class LedgerVerifier {
 public:
  // `kept`: a head that was kept elsewhere, or nothing.
  explicit LedgerVerifier(std::optional<LedgerHead> kept = {});
  // Errors: ledger_broken, with the sequence number, what was expected and what is there.
  absl::Status Add(const LedgerEntry& entry);
  // Call after the last. Errors: ledger_broken when the kept head was not reached (the ledger was
  // cut short), or when `recorded` is another head than the last entry's.
  absl::Status Finish(const LedgerHead& recorded) const;
  const LedgerHead& head() const { return head_; }

 private:
  std::optional<LedgerHead> kept_;
  LedgerHead head_;
};

}  // namespace troth
