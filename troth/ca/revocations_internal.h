// Taking certificates back.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "troth/ca/authority_context_internal.h"
#include "troth/ca/crl_keeper_internal.h"
#include "troth/ca/operations.h"

namespace troth {

// Operations::Revoke in the name of `actor`.
absl::StatusOr<std::vector<CertificateStatus>> Revoke(AuthorityContext& context, CrlKeeper& lists,
                                                      const RevokeSpec& spec,
                                                      const std::string& actor);

struct WhichOptions {
  std::optional<Time> expires_after = {};  // only certificates by name
  size_t most = SIZE_MAX;
};
// The certificate of this serial number, in hexadecimal; or else those that have exactly this name,
// newest first. Errors: certificate_unknown, store_failed.
absl::StatusOr<std::vector<CertificateRecord>> FindWhich(AuthorityContext& context,
                                                         std::string_view which,
                                                         const WhichOptions& options);

// Everything that the store has, into memory.
absl::Status LoadRevoked(AuthorityContext& context);

}  // namespace troth
