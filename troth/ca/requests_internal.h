// Requests that are stored, and decided at once or by an operator.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "troth/ca/authority_context_internal.h"
#include "troth/ca/issuing_internal.h"
#include "troth/ca/operations.h"
#include "troth/ca/stored_records_internal.h"

namespace troth {

// Authority's methods of these names (authority.h).
void Submit(AuthorityContext& context, std::string_view profile, std::string_view request,
            const Caller& caller, std::function<void(absl::StatusOr<FetchedRequest>)> done);
absl::StatusOr<FetchedRequest> Fetch(AuthorityContext& context, const Sha256Digest& id);

// What pending requests are limited by: the address without its port; of an IPv6 address the /64,
// for a host has as many addresses as it likes.
std::string LimitedAddress(std::string_view address);

// Operations' methods of these names, in the name of `actor`.
absl::StatusOr<CertificateStatus> Approve(AuthorityContext& context, const Sha256Digest& id,
                                          std::optional<Seconds> lifetime,
                                          const std::string& actor);
absl::StatusOr<RequestRecord> Reject(AuthorityContext& context, const Sha256Digest& id,
                                     std::string_view why, const std::string& actor);
absl::StatusOr<RefreshProgress> Refresh(
    AuthorityContext& context, const RefreshSpec& spec, const std::string& actor,
    const std::function<void(const RefreshProgress&)>& progress);

// Ends requests that nobody decided in their profile's time.
absl::Status ExpireRequests(AuthorityContext& context);

// What approving, renewing or refreshing a stored request has in common: reads its body again, and
// prepares a certificate for it, of the lineage of the one that it has. Errors: those of reading,
// name_not_permitted (its profile is gone), certificate_revoked.
absl::StatusOr<std::shared_ptr<Issuance>> IssuanceFor(AuthorityContext& context,
                                                      const RequestRecord& record, RequestMove move,
                                                      const std::string& actor);

}  // namespace troth
