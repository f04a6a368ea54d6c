// Records as messages of the native service and back: what server and client share.
//
// Times are seconds, 0 is "not set"; digests are 32 bytes. What a message must not hold is an error
// (response_malformed when it is an answer, request_malformed when it is a question), never a
// default.
#pragma once

#include <optional>

#include "absl/status/statusor.h"
#include "troth/ca/authority.h"
#include "troth/ca/operations.h"
#include "troth/ca/records.h"
#include "troth/v1/authority.pb.h"

namespace troth::native {

// How many entries a page has when the caller does not say, and at most.
inline constexpr size_t kDefaultPage = 100;
inline constexpr size_t kLargestPage = 1000;

v1::RequestState ToMessage(RequestState state);

v1::Request ToMessage(const RequestStatus& request);
absl::StatusOr<RequestStatus> FromMessage(const v1::Request& message);

// The secret's hash stays where it is.
v1::Token ToMessage(const TokenRecord& token);
TokenRecord FromMessage(const v1::Token& message);

// What a revocation repeats of its certificate is taken from there.
v1::Certificate ToMessage(const CertificateStatus& certificate);
absl::StatusOr<CertificateStatus> FromMessage(const v1::Certificate& message);

v1::ListRequestsRequest ToMessage(const RequestFilter& filter);
absl::StatusOr<RequestFilter> FromMessage(const v1::ListRequestsRequest& message);

v1::ListCertificatesRequest ToMessage(const CertificateFilter& filter);
absl::StatusOr<CertificateFilter> FromMessage(const v1::ListCertificatesRequest& message);

v1::CreateTokenRequest ToMessage(const TokenSpec& spec);
TokenSpec FromMessage(const v1::CreateTokenRequest& message);

v1::RevokeCertificatesRequest ToMessage(const RevokeSpec& spec);
RevokeSpec FromMessage(const v1::RevokeCertificatesRequest& message);

v1::RefreshRequest ToMessage(const RefreshSpec& spec);
absl::StatusOr<RefreshSpec> FromMessage(const v1::RefreshRequest& message);

v1::RefreshProgress ToMessage(const RefreshProgress& progress);
RefreshProgress FromMessage(const v1::RefreshProgress& message);

// Of the store's numbers those that an operator looks at.
v1::Summary ToMessage(const AuthoritySummary& summary);
AuthoritySummary FromMessage(const v1::Summary& message);

v1::Event ToMessage(const AuthorityEvent& event);
v1::LedgerEntry ToMessage(const LedgerEntry& entry);
absl::StatusOr<LedgerEntry> FromMessage(const v1::LedgerEntry& message);
v1::LedgerHead ToMessage(const LedgerHead& head);
absl::StatusOr<LedgerHead> FromMessage(const v1::LedgerHead& message);

v1::Issued ToMessage(const IssuedCertificate& issued);
// For the one who sent the request, or knows its digest: without where it came from, who decided,
// and the body.
v1::Submitted ToMessage(const FetchedRequest& fetched);

// 0 is "not said". Errors: usage_error when it is negative.
absl::StatusOr<std::optional<Seconds>> LifetimeOf(std::int64_t seconds);

}  // namespace troth::native
