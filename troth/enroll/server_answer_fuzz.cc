// Whatever a server answers: what is read of it is bounded and printable.
#include <algorithm>
#include <cstdint>
#include <string_view>

#include "troth/base/fuzz_testing.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/enroll/server_answer.h"

namespace {

using troth::Require;
using troth::ServerAnswer;

bool IsPrintable(std::string_view text) {
  return std::ranges::all_of(text, [](unsigned char c) { return c >= 0x20 && c < 0x7f; });
}

void Check(const absl::StatusOr<ServerAnswer>& answer) {
  if (!answer.ok()) {
    Require(troth::ReasonOf(answer.status()).has_value());
    Require(IsPrintable(troth::ToStd(answer.status().message())));
    Require(answer.status().message().size() < 4000);
    return;
  }
  Require(IsPrintable(answer->note));
  Require(answer->request_id.empty() || answer->request_id.size() == 64);
  Require((answer->kind == ServerAnswer::Kind::kIssued) == !answer->certificates_pem.empty());
}

}  // namespace

// Two bytes of status, a length, that many bytes of a field's value, and the body.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, size_t size) {
  if (size < 3) return 0;
  constexpr int kStatuses[] = {200, 201, 202, 204, 301, 304, 400,
                               401, 403, 404, 411, 413, 429, 500};
  troth::HttpResponse response;
  response.status = data[0] < std::size(kStatuses) ? kStatuses[data[0]] : data[0] * 4 + data[1] % 4;
  const size_t field = std::min<size_t>(data[2], size - 3);
  const auto* text = reinterpret_cast<const char*>(data) + 3;
  for (const char* name : {"Retry-After", "Last-Modified", "Location"}) {
    response.fields.emplace_back(name, std::string(text, field));
  }
  response.body.assign(text + field, size - 3 - field);

  Check(ReadCaramelPost(response));
  Check(ReadCaramelFetch(response));
  Check(ReadIssued(response));
  Check(ReadRequestState(response));
  const absl::StatusOr<std::string> certificates = ReadCertificates(response);
  if (!certificates.ok()) Require(troth::ReasonOf(certificates.status()).has_value());
  RetryAfterOf(response);
  return 0;
}
