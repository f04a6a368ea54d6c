// A body that is taken is exactly the text of the request that was read from it; one that is
// refused says so in ASCII.
#include <cstdint>
#include <string>
#include <string_view>

#include "troth/base/fuzz_testing.h"
#include "troth/base/strings.h"
#include "troth/server/caramel/posted_request.h"
#include "troth/server/caramel/python_text.h"

using troth::Require;

// The first line, up to 64 bytes, is the CA's O; the rest is the body.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t line = input.substr(0, 65).find('\n');
  const std::string_view organization =
      line == std::string_view::npos ? std::string_view() : input.substr(0, line);
  const std::string_view body = organization.empty() ? input : input.substr(line + 1);

  std::vector<troth::NameAttribute> prefix;
  if (!organization.empty()) prefix.push_back({"O", "2.5.4.10", std::string(organization)});
  for (const auto& required : {prefix, std::vector<troth::NameAttribute>()}) {
    const auto request = troth::caramel::ReadPostedRequest(body, required);
    if (request.ok()) {
      Require(request->ToPem() == body);
      Require(request->subject().ValuesOf("CN").size() == 1);
      Require(required.empty() || request->subject().attributes().front().value == organization);
    } else {
      const std::string json = troth::caramel::PythonJson(troth::ToStd(request.status().message()));
      for (const char c : json) {
        const auto byte = static_cast<std::uint8_t>(c);
        Require(byte >= 0x20 && byte <= 0x7F);
      }
      Require(json.size() >= 2 && json.front() == '"' && json.back() == '"');
    }
  }
  troth::caramel::PythonRepr(input);
  return 0;
}
