#include <vector>

#include "troth/base/reason.h"
#include "troth/ca/stored_records_internal.h"

namespace troth {
namespace {

constexpr size_t kPage = 200;

}  // namespace

absl::StatusOr<std::optional<RequestRecord>> ReadRequestRecord(AuthorityContext& context,
                                                               const Sha256Digest& id) {
  return ReadFrom(context.store, [&](StoreReader& reader) { return reader.FindRequest(id); });
}

absl::StatusOr<std::optional<CertificateRecord>> ReadCertificateRecord(AuthorityContext& context,
                                                                       const SerialNumber& serial) {
  return ReadFrom(context.store,
                  [&](StoreReader& reader) { return reader.FindCertificate(serial); });
}

absl::Status VisitRequests(AuthorityContext& context, RequestFilter filter,
                           const std::function<absl::Status(RequestRecord)>& visit) {
  filter.after.reset();
  filter.limit = kPage;
  while (true) {
    absl::StatusOr<std::vector<RequestRecord>> page =
        ReadFrom(context.store, [&](StoreReader& reader) { return reader.FindRequests(filter); });
    if (!page.ok()) return page.status();
    const bool last = page->size() < kPage;
    if (!last) filter.after = page->back().id;
    for (RequestRecord& record : *page) {
      if (absl::Status visited = visit(std::move(record)); !visited.ok()) return visited;
    }
    if (last) return absl::OkStatus();
  }
}

absl::StatusOr<CertificateRecord> RecordOf(StoreReader& reader, const Certificate& leaf) {
  absl::StatusOr<std::optional<CertificateRecord>> record =
      reader.FindCertificate(leaf.serial_number());
  if (!record.ok()) return record.status();
  if (record->has_value() && (*record)->der == leaf.der()) return **std::move(record);
  return MakeError(Reason::kCertificateUnknown,
                   "expected a certificate that this authority issued, got " + leaf.Describe());
}

}  // namespace troth
