// Name constraints (RFC 5280 section 4.2.1.10): which names a CA lets the certificates below it
// have.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "troth/pki/certificate.h"
#include "troth/pki/name.h"

namespace troth {

// The names of a certificate that constraints apply to: its alternative names, its subject, and the
// emailAddress attributes of the subject. Borrows from the certificate.
class ConstrainedNames {
 public:
  explicit ConstrainedNames(const Certificate& certificate);

 private:
  friend class NameRules;
  const Certificate& certificate_;
  std::vector<AlternativeName> subject_emails_;
  std::vector<absl::StatusOr<DistinguishedName>>
      directories_;  // the subject, when not empty, first
};

// The name constraints of one CA certificate, read once. Immutable, thread-safe.
class NameRules {
 public:
  // Errors: certificate_malformed for constraints that are no DNS name, host, address range ...:
  // such a rule protects nothing.
  static absl::StatusOr<NameRules> Create(const NameConstraints& constraints);

  // OK when every name is allowed: for its kind, within a permitted subtree if there is one, and in
  // no excluded one. Errors: name_not_permitted, also for a name that is malformed or of a kind
  // that is constrained and not understood; path_too_complex once `comparisons_left`, which is
  // counted down, reaches zero.
  absl::Status Check(const ConstrainedNames& names, size_t& comparisons_left) const;

 private:
  using Kind = AlternativeName::Kind;
  struct Subtree {
    std::string base;
    DistinguishedName directory;  // for kDirectory
  };
  struct Rules {
    std::vector<Subtree> permitted, excluded;
    bool empty() const { return permitted.empty() && excluded.empty(); }
  };

  absl::Status Add(const NameConstraints::Subtree& subtree, bool permitted);
  absl::Status CheckOne(const AlternativeName& name, size_t& comparisons_left) const;
  absl::Status CheckDirectory(const DistinguishedName& name, size_t& comparisons_left) const;

  static constexpr size_t kKinds = static_cast<size_t>(Kind::kOther) + 1;
  const Rules& RulesOf(Kind kind) const { return rules_[static_cast<size_t>(kind)]; }
  std::array<Rules, kKinds> rules_;
};

}  // namespace troth
