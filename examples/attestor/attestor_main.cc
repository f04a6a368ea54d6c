// attestor --config FILE [--once]: signs packets that wait, until SIGINT or SIGTERM.
#include <algorithm>
#include <chrono>
#include <iostream>
#include <memory>
#include <string>

#include "examples/attestor/attestor.h"
#include "examples/attestor/attestor_config.h"
#include "examples/attestor/program.h"
#include "troth/base/stop_signal.h"
#include "troth/enroll/backoff.h"

namespace attestor {
namespace {

using std::chrono::milliseconds;

int Run(const std::string& config_file, bool once) {
  const absl::StatusOr<AttestorConfig> config = LoadAttestorConfig(config_file);
  if (!config.ok()) return Fail("attestor", config.status());
  const troth::StopSignal stop;
  const auto stopped = [&] { return stop.WaitFor(milliseconds(0)); };
  auto attestor = Attestor::Create(*config, stopped);
  if (!attestor.ok()) return Fail("attestor", attestor.status());
  if (once) {
    const absl::StatusOr<int> signed_packets = (*attestor)->RunOnce();
    if (!signed_packets.ok()) return Fail("attestor", signed_packets.status());
    std::cout << (*attestor)->name() << " signed " << *signed_packets
              << (*signed_packets == 1 ? " packet" : " packets") << std::endl;
    return 0;
  }
  std::cout << (*attestor)->name() << " signs for " << config->db_service << std::endl;
  troth::Backoff backoff({.first = config->poll_interval,
                          .longest = std::max(config->poll_interval, milliseconds(60'000))},
                         troth::SystemRandom());
  while (!stopped()) {
    milliseconds pause = config->poll_interval;
    const absl::StatusOr<int> round = (*attestor)->RunOnce();
    if (round.ok()) {
      backoff.Reset();
    } else if (!stopped()) {
      // Whatever it is, somebody may mend it meanwhile: it is tried again, ever less often.
      Fail("attestor", round.status());
      pause = backoff.Next();
    }
    stop.WaitFor(pause);
  }
  return 0;
}

}  // namespace
}  // namespace attestor

int main(int argc, char** argv) {
  int exit_code = 0;
  const auto arguments = attestor::ReadArguments(
      argc, argv,
      "usage: attestor --config FILE [--once]\nexample: attestor --config attestor.toml\n", true,
      exit_code);
  return arguments.has_value() ? attestor::Run(arguments->config_file, arguments->once) : exit_code;
}
