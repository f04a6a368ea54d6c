// attestor_load --config FILE: asks for the unconfirmed packets as the attestor of this
// configuration, over and over, on connections that are kept and on new ones, until SIGTERM. A kept
// one that nginx has closed between two requests is made anew, as any HTTP client does. From the
// first request on it prints {"requests", "connections", "failures", "first_failure"}, one line of
// JSON, some times a second and at the end, which is with 0 when nothing failed.
#include <atomic>
#include <boost/json.hpp>
#include <chrono>
#include <iostream>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "examples/attestor/attestor_config.h"
#include "examples/attestor/program.h"
#include "examples/attestor/refusal.h"
#include "troth/base/stop_signal.h"
#include "troth/base/strings.h"
#include "troth/http/client.h"
#include "troth/identity/identity_source.h"

namespace attestor {
namespace {

constexpr int kThreadsOfEachKind = 2;
constexpr std::chrono::milliseconds kBetweenReports{50};

class Load {
 public:
  Load(const AttestorConfig& config, std::shared_ptr<troth::IdentitySource> source)
      : config_(config), source_(std::move(source)) {
    for (int i = 0; i < kThreadsOfEachKind; ++i) {
      threads_.emplace_back([this] { Work(1); });
      threads_.emplace_back([this] { Work(kKept); });
    }
  }

  void Stop() {
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
  }

  bool HasAnswers() const { return requests_ > 0; }
  bool Failed() const { return failures_ > 0 || !HasAnswers(); }

  void Report() {
    const std::lock_guard lock(mutex_);
    std::cout << boost::json::serialize(boost::json::object{{"requests", requests_.load()},
                                                            {"connections", clients_.load()},
                                                            {"failures", failures_.load()},
                                                            {"first_failure", first_failure_}})
              << std::endl;
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
    options.identity_source = source_;
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
    if (first_failure_.empty()) first_failure_ = troth::ToStd(status.message());
  }

  const AttestorConfig config_;
  const std::shared_ptr<troth::IdentitySource> source_;
  std::atomic<bool> stop_ = false;
  std::atomic<long> requests_ = 0, clients_ = 0, failures_ = 0;
  std::mutex mutex_;
  std::string first_failure_;  // guarded by mutex_
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
  const troth::StopSignal stop;
  Load load(*config, *source);
  while (!stop.WaitFor(kBetweenReports)) {
    if (load.HasAnswers()) load.Report();
  }
  load.Stop();
  load.Report();
  return load.Failed() ? 1 : 0;
}

}  // namespace
}  // namespace attestor

int main(int argc, char** argv) {
  int exit_code = 0;
  const auto arguments =
      attestor::ReadArguments(argc, argv, "usage: attestor_load --config FILE\n", false, exit_code);
  return arguments.has_value() ? attestor::Run(arguments->config_file) : exit_code;
}
