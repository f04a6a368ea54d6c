#include <algorithm>
#include <utility>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/ca/find_request_internal.h"
#include "troth/ca/stored_records_internal.h"
#include "troth/pki/digest.h"

namespace troth {
namespace {

constexpr size_t kLeastDigits = 8;
constexpr size_t kMostCandidates = 10;

bool IsBeginningOfId(std::string_view text) {
  return text.size() >= kLeastDigits && text.size() <= 2 * sizeof(Sha256Digest) &&
         std::ranges::all_of(text, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
         });
}

absl::StatusOr<std::vector<RequestRecord>> Candidates(AuthorityContext& context,
                                                      std::string_view which) {
  std::vector<RequestRecord> found;
  if (which.empty()) return found;
  if (const std::optional<Sha256Digest> id = ParseFingerprint(which)) {
    absl::StatusOr<std::optional<RequestRecord>> record = ReadRequestRecord(context, *id);
    if (!record.ok()) return record.status();
    if (record->has_value()) found.push_back(**std::move(record));
    return found;
  }
  const auto add = [&](RequestRecord record) {
    const bool known = std::ranges::find(found, record.id, &RequestRecord::id) != found.end();
    if (!known && found.size() <= kMostCandidates) found.push_back(std::move(record));
    return absl::OkStatus();
  };
  absl::Status status = VisitRequests(context, {.name = std::string(which)}, add);
  if (status.ok() && IsBeginningOfId(which)) {
    const std::string digits = ToLowerAscii(which);
    status = VisitRequests(context, {}, [&](RequestRecord record) {
      if (!FormatFingerprint(record.id).starts_with(digits)) return absl::OkStatus();
      return add(std::move(record));
    });
  }
  if (!status.ok()) return status;
  return found;
}

}  // namespace

absl::StatusOr<RequestRecord> FindRequest(AuthorityContext& context, std::string_view which) {
  absl::StatusOr<std::vector<RequestRecord>> found = Candidates(context, which);
  if (!found.ok()) return found.status();
  if (found->size() == 1) return std::move(found->front());
  if (found->empty()) {
    return MakeError(Reason::kRequestUnknown,
                     "expected the SHA-256 of a request, its first 8 or more digits, or its name; "
                     "got '" +
                         Printable(which) + "', which none has");
  }
  std::vector<std::string> texts;
  for (const RequestRecord& record : *found) {
    if (texts.size() == kMostCandidates) {
      texts.emplace_back("...");
      break;
    }
    texts.push_back(FormatFingerprint(record.id) + " (" + Printable(record.name) + ", " +
                    std::string(NameOf(record.state)) + ", " + FormatTime(record.created_at) + ")");
  }
  return MakeError(Reason::kRequestAmbiguous,
                   "'" + Printable(which) + "' is more than one: " + Join(texts, ", ") +
                       "; compare the SHA-256 with what the sender sees");
}

}  // namespace troth
