// A client of a service with mutual TLS that runs for long: it takes up its new certificate and
// trust bundle by itself.
//
//   greeting_client CERTIFICATE PRIVATE_KEY TRUST_BUNDLE https://HOST:PORT/greeting [TIMES]
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
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

// A client has one identity for its life, as a connection has: a new identity makes a new one.
class RotatingClient {
 public:
  explicit RotatingClient(std::shared_ptr<troth::IdentitySource> source)
      : source_(std::move(source)) {}

  absl::StatusOr<troth::HttpResponse> Send(const troth::HttpClientRequest& request) {
    std::shared_ptr<const troth::Identity> newest = source_->Current();
    if (newest != identity_) {
      troth::HttpClientOptions options;
      options.trust.bundle = newest->trust_bundle();
      options.identity = newest;
      auto client = troth::HttpClient::Create(std::move(options));
      if (!client.ok()) return client.status();
      client_ = *std::move(client);
      identity_ = std::move(newest);
    }
    return client_->Send(request);
  }

 private:
  const std::shared_ptr<troth::IdentitySource> source_;
  std::shared_ptr<const troth::Identity> identity_;
  std::unique_ptr<troth::HttpClient> client_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5 || argc > 6) {
    std::cerr << "usage: greeting_client CERTIFICATE PRIVATE_KEY TRUST_BUNDLE URL [TIMES]\n";
    return 64;
  }
  auto identity = troth::IdentitySource::WatchFiles(
      {.certificate = argv[1], .private_key = argv[2], .trust_bundle = argv[3]});
  if (!identity.ok()) return Fail(identity.status());
  RotatingClient client(*std::move(identity));

  const int times = argc == 6 ? std::atoi(argv[5]) : 1;
  for (int i = 0; i < times; ++i) {
    if (i > 0) std::this_thread::sleep_for(std::chrono::seconds(1));
    // No answer: the status says why, and what to do. A refusal is an answer: 401 or 403, with the
    // reason in its body.
    const auto answer = client.Send({.url = argv[4]});
    if (!answer.ok()) return Fail(answer.status());
    std::cout << answer->status << " " << answer->body << std::flush;
    if (answer->status != 200) return 1;
  }
  return 0;
}
