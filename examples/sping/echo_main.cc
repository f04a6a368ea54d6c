// The client of secure ping as a program of its own, with mutual TLS. `troth ping` has the other
// modes and flags.
//
//   sping_echo HOST:PORT CERTIFICATE PRIVATE_KEY TRUST_BUNDLE [COUNT]
//   TROTH_TOKEN=... sping_echo HOST:PORT --ca HOST:PORT NAME [COUNT]
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <thread>
#include <utility>

#include "examples/sping/example_identity.h"
#include "examples/sping/ping_client.h"
#include "examples/sping/ping_statistics.h"

int main(int argc, char** argv) {
  if (argc < 5 || argc > 6) {
    std::cerr
        << "usage: sping_echo HOST:PORT CERTIFICATE PRIVATE_KEY TRUST_BUNDLE [COUNT]\n"
           "       sping_echo HOST:PORT --ca HOST:PORT NAME [COUNT]   (token in TROTH_TOKEN)\n";
    return 64;
  }
  auto identity = troth::sping::ExampleIdentity(argv + 2);
  if (!identity.ok()) {
    std::cerr << identity.status() << "\n";
    return 1;
  }
  auto client = troth::sping::PingClient::Create(
      {.target = argv[1], .identity = *std::move(identity), .sender = "sping_echo"});
  if (!client.ok()) {
    std::cerr << client.status() << "\n";
    return 1;
  }
  const int count = argc == 6 ? std::atoi(argv[5]) : 8;
  troth::sping::PingStatistics statistics;
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 1; i <= count; ++i) {
    if (i > 1) std::this_thread::sleep_for(std::chrono::milliseconds(100));
    const auto pong = (*client)->Ping(i);
    if (pong.ok()) {
      statistics.AddAnswer(pong->round_trip);
      std::cout << "seq=" << i << " time=" << troth::sping::FormatMilliseconds(pong->round_trip)
                << " ms\n";
    } else {
      statistics.AddLoss();
      std::cout << "seq=" << i << " " << pong.status() << "\n";
    }
  }
  std::cout << statistics.Describe(std::chrono::steady_clock::now() - begin) << "\n";
  return statistics.lost() == 0 ? 0 : 1;
}
