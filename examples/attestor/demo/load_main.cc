// attestor_load --config FILE: asks for the unconfirmed packets as the attestor of this
// configuration, over and over, on connections that are kept and on new ones, until SIGTERM. A kept
// one that nginx has closed between two requests is made anew, as any HTTP client does. Then prints
// {"requests", "connections", "failures", "first_failure"}, one line of JSON, and ends with 0 when
// nothing failed.
#include <atomic>
#include <iostream>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "examples/attestor/attestor_config.h"
#include "examples/attestor/program.h"
#include "examples/attestor/refusal.h"
#include "troth/base/strings.h"
#include "troth/http/client.h"
#include "troth/identity/identity_source.h"

namespace attestor {
namespace {

constexpr int kThreadsOfEachKind = 2;

class Load {
 public:
  Load(const AttestorConfig& config, std::shared_ptr<const troth::Identity> identity)
      : config_(config), identity_(std::move(identity)) {
    for (int i = 0; i < kThreadsOfEachKind; ++i) {
      threads_.emplace_back([this] { Work(1); });
      threads_.emplace_back([this] { Work(kKept); });
    }
  }

  void Stop() {
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
  }

  int Report() const {
    std::cout << "{\"requests\": " << requests_ << ", \"connections\": " << clients_
              << ", \"failures\": " << failures_ << ", \"first_failure\": \"" << first_failure_
              << "\"}" << std::endl;
    return failures_ == 0 && requests_ > 0 ? 0 : 1;
  }

 private:
  static constexpr int kKept = 500;  // requests on one connection

  void Work(int requests_each) {
    while (!stop_) {
      const auto client = troth::HttpClient::Create(Options());
      ++clients_;
      for (int i = 0; i < requests_each && !stop_; ++i) {
        const absl::Status status = client.ok() ? Ask(**client) : client.status();
        ++requests_;
        if (!status.ok()) Note(status);
      }
    }
  }

  troth::HttpClientOptions Options() const {
    troth::HttpClientOptions options;
    options.trust.bundle = identity_->trust_bundle();
    options.identity = identity_;
    options.server_name = config_.server_name;
    return options;
  }

  absl::Status Ask(troth::HttpClient& client) {
    const auto response = client.Send({.url = config_.db_service + "/packets/unconfirmed"});
    if (!response.ok()) return response.status();
    return response->status == 200 ? absl::OkStatus() : RefusalOf(*response);
  }

  void Note(const absl::Status& status) {
    ++failures_;
    const std::lock_guard lock(mutex_);
    if (first_failure_.empty()) {
      first_failure_ = troth::Printable(troth::ToStd(status.message()), 400);
    }
  }

  const AttestorConfig config_;
  const std::shared_ptr<const troth::Identity> identity_;
  std::atomic<bool> stop_ = false;
  std::atomic<long> requests_ = 0, clients_ = 0, failures_ = 0;
  std::mutex mutex_;
  std::string first_failure_;  // guarded by mutex_ until Stop has returned
  std::vector<std::thread> threads_;
};

int Run(const std::string& config_file) {
  const absl::StatusOr<AttestorConfig> config = LoadAttestorConfig(config_file);
  if (!config.ok()) return Fail("attestor_load", config.status());
  const auto source =
      troth::IdentitySource::WatchFiles({.certificate = config->attestor_certificate,
                                         .private_key = config->attestor_key,
                                         .trust_bundle = config->ca_certificate});
  if (!source.ok()) return Fail("attestor_load", source.status());
  Load load(*config, (*source)->Current());
  while (!StopSignals::WaitFor(std::chrono::hours(1))) continue;
  load.Stop();
  return load.Report();
}

}  // namespace
}  // namespace attestor

int main(int argc, char** argv) {
  attestor::StopSignals::Block();
  if (argc != 3 || std::string(argv[1]) != "--config") {
    std::cerr << "usage: attestor_load --config FILE\n";
    return 64;
  }
  return attestor::Run(argv[2]);
}
