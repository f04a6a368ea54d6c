// Roles: names for sets of peers.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "troth/authz/name_pattern.h"
#include "troth/authz/policy_document.h"
#include "troth/pki/certificate.h"
#include "troth/pki/digest.h"

namespace troth {

// What is known about a peer when its roles are looked for.
struct PeerEvidence {
  std::optional<Certificate> leaf;  // nothing: no certificate was shown
  bool verified = false;            // the leaf has a valid path to the trust bundle
  std::vector<Certificate> path;    // leaf first, anchor last; only when verified
};

// Reads a file that a policy names.
using PolicyFileReader = std::function<absl::StatusOr<std::string>(const std::string& path)>;

// One key of a role's table, ready to be compared.
class RoleCondition {
 public:
  // Errors: policy_invalid and those of `read`, with the absolute path. `folder` is what relative
  // paths are relative to.
  static absl::StatusOr<RoleCondition> Create(const RoleConditionText& text,
                                              const std::string& folder,
                                              const PolicyFileReader& read);

  // Pins compare the exact leaf, verified or not, and a CA certificate never pins. Names count only
  // for a verified peer. An issuer matches when a CA of this name and key lies on the verified
  // path.
  bool Matches(const PeerEvidence& peer) const;
  bool IsPin() const {
    return text_.key == RoleKey::kCertificate || text_.key == RoleKey::kFingerprint;
  }
  // "dns = "a.example"": as in the policy.
  std::string Describe() const;
  // What the peer has in place of what is asked for: "the certificate has DNS names a, b".
  std::string DescribeActual(const PeerEvidence& peer) const;

  const RoleConditionText& text() const { return text_; }
  const std::vector<std::string>& files() const { return files_; }    // absolute paths
  const std::vector<Certificate>& pinned() const { return pinned_; }  // of kCertificate

 private:
  explicit RoleCondition(RoleConditionText text) : text_(std::move(text)) {}
  absl::Status LoadCertificates(const std::string& file, const PolicyFileReader& read);

  RoleConditionText text_;
  std::vector<std::string> files_;
  std::vector<Certificate> pinned_;
  std::vector<Certificate> issuers_;
  std::vector<Sha256Digest> pins_;  // sorted
  std::vector<NamePattern> patterns_;
};

struct RoleTable {
  int line = 0;
  std::vector<RoleCondition> conditions;  // all must match
  bool Matches(const PeerEvidence& peer) const;
};

struct Role {
  std::string name;
  int line = 0;
  std::vector<RoleTable> tables;  // any one is enough
  bool Matches(const PeerEvidence& peer) const;
  // An unverified peer can have this role: some table has nothing but pins.
  bool IsPinned() const;
};

}  // namespace troth
