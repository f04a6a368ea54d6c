// A client of a service with mutual TLS that runs for long: it takes up its new certificate and
// trust bundle by itself.
//
//   greeting_client CERTIFICATE PRIVATE_KEY TRUST_BUNDLE https://HOST:PORT/greeting [TIMES]
#include <charconv>
#include <chrono>
#include <iostream>
#include <string_view>
#include <thread>
#include <utility>

#include "troth/base/reason.h"
#include "troth/http/client.h"
#include "troth/identity/identity_source.h"

namespace {

int Fail(const absl::Status& status) {
  std::cerr << status.message() << " [" << troth::CodeOf(status)
            << "]\n  fix: " << troth::FixOf(status) << "\n";
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view count = argc == 6 ? argv[5] : "1";
  int times = 0;
  const auto [end, error] = std::from_chars(count.begin(), count.end(), times);
  if (argc < 5 || argc > 6 || error != std::errc() || end != count.end() || times < 1) {
    std::cerr << "usage: greeting_client CERTIFICATE PRIVATE_KEY TRUST_BUNDLE URL [TIMES]\n";
    return 64;
  }
  // Watches its files: what replaces them is used by the next request, on a new connection.
  auto identity = troth::IdentitySource::WatchFiles(
      {.certificate = argv[1], .private_key = argv[2], .trust_bundle = argv[3]});
  if (!identity.ok()) return Fail(identity.status());
  troth::HttpClientOptions options;
  options.identity_source = *std::move(identity);
  auto client = troth::HttpClient::Create(std::move(options));
  if (!client.ok()) return Fail(client.status());

  for (int i = 0; i < times; ++i) {
    if (i > 0) std::this_thread::sleep_for(std::chrono::seconds(1));
    // No answer: the status says why, and what to do. A refusal is an answer: 401 or 403, with the
    // reason in its body.
    const auto answer = (*client)->Send({.url = argv[4]});
    if (!answer.ok()) return Fail(answer.status());
    std::cout << answer->status << " " << answer->body << std::flush;
    if (answer->status != 200) return 1;
  }
  return 0;
}
