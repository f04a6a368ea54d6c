// What the authority remembers: the values that a store keeps.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "troth/base/time.h"
#include "troth/ca/request_state.h"
#include "troth/pki/certificate.h"
#include "troth/pki/digest.h"
#include "troth/pki/serial_number.h"

namespace troth {

// A certificate that was issued. Written once, never changed; what happened to it later lies in
// RevocationRecord.
struct CertificateRecord {
  SerialNumber serial;
  std::uint32_t issuer = 0;  // IssuerRecord::number
  std::string profile = {};
  // The serial of the first certificate of this identity: a renewal inherits it. Equal to `serial`
  // for a first certificate.
  SerialNumber lineage;
  // SHA-256 of the request as it was sent. Of a renewal of what a stored request got: that request,
  // whose state decides on renewals.
  Sha256Digest request = {};
  std::string token = {};  // TokenRecord::id that it was issued by; empty: none
  Time issued_at = {};
  Time not_after = {};
  // Every name that it can be found by: common name and alternative names, as plain text.
  std::vector<std::string> names = {};
  std::string der = {};
};

struct RevocationRecord {
  SerialNumber serial;
  std::uint32_t issuer = 0;
  SerialNumber lineage;
  Sha256Digest key = {};  // SHA-256 of the SubjectPublicKeyInfo: the key is not certified again
  Time revoked_at = {};
  int reason = 0;       // RFC 5280 section 5.3.1
  Time not_after = {};  // after it the entry may leave the list
};

// A request that waits for, or was given, a decision.
struct RequestRecord {
  // SHA-256 of the request as it was sent (for Caramel: of the body, which is PEM). What `show` and
  // `enroll` print to compare.
  Sha256Digest id = {};
  RequestState state = RequestState::kPending;
  std::string profile = {};
  std::string name = {};                // the one that an operator knows it by
  std::vector<std::string> names = {};  // all that it asks for
  Sha256Digest key = {};                // SHA-256 of the SubjectPublicKeyInfo
  std::string body = {};                // as sent
  std::string address = {};             // of who sent it
  Time created_at = {};
  std::optional<Time> decided_at = {};
  std::string decided_by = {};
  std::string decision_note = {};  // why it was rejected
  // The newest certificate that was issued for it.
  std::optional<SerialNumber> certificate = {};
  std::optional<Time> certificate_not_after = {};
};

// A right to enrol. The secret itself is never stored.
struct TokenRecord {
  std::string id = {};            // 16 hexadecimal digits: public, in lists and in the ledger
  Sha256Digest secret_hash = {};  // SHA-256 of the secret
  std::string profile = {};
  std::vector<std::string> names = {};  // exact names or patterns ("*.web.internal")
  bool any_name = false;
  std::uint64_t max_uses = 1;
  std::uint64_t uses = 0;
  Time created_at = {};
  Time expires_at = {};
  std::string created_by = {};
  std::optional<Time> revoked_at = {};
};

// An issuer of this authority, or its root. Number 0 is the root; each new issuer has the next.
struct IssuerRecord {
  std::uint32_t number = 0;
  std::string der = {};
  Time added_at = {};
  std::uint64_t crl_number = 0;  // of the last list that was signed for it
};

// One decision, as it goes into the ledger (ledger.h).
struct LedgerNote {
  Time at = {};
  std::string actor = {};    // "token 5f2c81a09d3e6b77", "local admin (uid 0)", "CN=admin, ..."
  std::string action = {};   // "issue", "renew", "refuse", "revoke", "approve", ...
  std::string subject = {};  // serial, request or token that it is about
  std::string detail = {};   // names, profile, reason: one line
};

struct LedgerEntry {
  std::uint64_t sequence = 0;  // 1, 2, 3 ...
  LedgerNote note = {};
  Sha256Digest hash = {};  // over the previous entry's hash and this entry (ledger.h)
};

struct LedgerHead {
  std::uint64_t sequence = 0;  // 0: empty
  Sha256Digest hash = {};
};

}  // namespace troth
