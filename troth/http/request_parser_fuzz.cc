// Requests in pieces, as they come from the network: the first byte says how long the pieces are.
// What is read must not depend on them, and a path must be one that a handler can rely on.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "troth/base/fuzz_testing.h"
#include "troth/base/reason.h"
#include "troth/http/request_parser_internal.h"
#include "troth/http/request_target_internal.h"

namespace {

using troth::Require;

// The requests of `text`, and how it ended.
std::string ReadAll(std::string_view text, size_t step) {
  const troth::HttpLimits limits = {.header_bytes = 256, .body_bytes = 128};
  std::string out;
  std::string pending;
  for (int requests = 0; requests < 20; ++requests) {
    troth::HttpRequest request;
    troth::RequestParser parser(request, limits);
    for (;;) {
      const auto progress = parser.Take(pending);
      if (!progress.ok()) return out + std::string(troth::CodeOf(progress.status()));
      Require(progress->consumed <= pending.size());
      pending.erase(0, progress->consumed);
      if (progress->event == troth::RequestParser::Event::kDone) break;
      if (progress->event == troth::RequestParser::Event::kHeader) {
        const auto again = troth::ParseRequestTarget(request.path);
        Require(again.ok() && again->path == request.path && again->query.empty());
        continue;
      }
      if (text.empty()) return out + "more";
      pending += text.substr(0, step);
      text.remove_prefix(std::min(step, text.size()));
    }
    Require(request.body.size() <= limits.body_bytes);
    out += request.method + " " + request.path + "?" + request.query + "\n";
    for (const auto& [name, value] : request.fields) out.append(name).append(value) += '\n';
    out += request.body + (parser.keep_alive() ? "+" : "-");
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string whole = ReadAll(text, text.size());
  const std::string pieces = ReadAll(text, size_t{data[0]} + 1);
  // How far a bad request is read before it is found out does depend on the pieces.
  const bool good = whole.ends_with("more") && pieces.ends_with("more");
  if (good) Require(whole == pieces);
  return 0;
}
