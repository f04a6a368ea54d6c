// Certificates for those who hold a token, or the certificate before.
#pragma once

#include <optional>
#include <string_view>

#include "troth/ca/authority_context_internal.h"

namespace troth {

// Authority's methods of these names (authority.h).
void EnrolWithToken(AuthorityContext& context, std::string_view token, std::string_view request,
                    std::optional<Seconds> lifetime, const Caller& caller, IssueDone done);
void Renew(AuthorityContext& context, const Certificate& current, std::string_view request,
           std::optional<Seconds> lifetime, const Caller& caller, IssueDone done);
absl::StatusOr<IssuedCertificate> IssueOwn(AuthorityContext& context, const PublicKey& key,
                                           const std::vector<AlternativeName>& names,
                                           Seconds lifetime);
absl::Status CheckIssued(AuthorityContext& context, const Certificate& leaf);

// Notes the requests of the last hour that came with tokens, as many as can be read in a moment.
absl::Status LoadRecentRequests(AuthorityContext& context);

}  // namespace troth
