// What a server answers to the doctor: whatever it is, it is read within its bounds.
#include <cstdint>
#include <string>
#include <string_view>

#include "troth/base/fuzz_testing.h"
#include "troth/base/reason.h"
#include "troth/doctor/endpoint_request_internal.h"
#include "troth/doctor/plain_probe_internal.h"

using troth::Require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const auto answer = troth::ReadHttp1Answer(bytes)) {
    Require(answer->body.size() < bytes.size());
    const absl::Status refusal = troth::RefusalIn(*answer);
    Require(refusal.ok() || troth::ReasonOf(refusal).has_value());
    for (const char c : refusal.message()) Require(c >= 0x20 && c < 0x7f);
  }
  // What is whole stays whole when more comes.
  if (troth::IsWholeHttp2Answer(bytes)) {
    Require(troth::IsWholeHttp2Answer(std::string(bytes) + "x"));
  }
  troth::IsWholeHttp1Answer(bytes);
  const troth::PlainProbe plain = troth::RecogniseProtocol(bytes);
  Require(plain.bytes.size() <= 80);
  Require(plain.speaks != troth::PlainProbe::Speaks::kHttp2 || troth::IsHttp2Answer(bytes));
  return 0;
}
