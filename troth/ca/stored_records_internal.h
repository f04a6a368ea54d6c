// Reading the store's records: what the parts of an authority have in common.
#pragma once

#include <functional>
#include <optional>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "troth/ca/authority_context_internal.h"
#include "troth/ca/records.h"
#include "troth/pki/certificate.h"

namespace troth {

// What `read` answers, an absl::StatusOr, given a reader of what is committed now.
template <typename Read>
std::invoke_result_t<const Read&, StoreReader&> ReadFrom(Store& store, const Read& read) {
  std::optional<std::invoke_result_t<const Read&, StoreReader&>> answer;
  absl::Status status = store.Read([&](StoreReader& reader) {
    answer.emplace(read(reader));
    return answer->status();
  });
  if (!status.ok()) return status;
  return *std::move(answer);
}

// Errors of all: store_failed.
absl::StatusOr<std::optional<RequestRecord>> ReadRequestRecord(AuthorityContext& context,
                                                               const Sha256Digest& id);
absl::StatusOr<std::optional<CertificateRecord>> ReadCertificateRecord(AuthorityContext& context,
                                                                       const SerialNumber& serial);
// Calls `visit` for every request that the filter means, whatever its page and limit, oldest first,
// until that answers an error, which is the answer. `visit` may change what the store holds.
absl::Status VisitRequests(AuthorityContext& context, RequestFilter filter,
                           const std::function<absl::Status(RequestRecord)>& visit);

// The store's record of exactly this certificate. Errors: certificate_unknown.
absl::StatusOr<CertificateRecord> RecordOf(StoreReader& reader, const Certificate& leaf);

}  // namespace troth
