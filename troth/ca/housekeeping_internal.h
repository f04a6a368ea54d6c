// What an authority does by itself.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "troth/base/file.h"
#include "troth/ca/authority_context_internal.h"
#include "troth/ca/crl_keeper_internal.h"

namespace troth {

// Renews lists at half their life, ends requests that nobody decides, writes the signed head of the
// ledger, notes how many refusals were not ledgered one by one, takes a new issuer over, tries the
// store again after a write has failed, and warns once a day of what an operator must do.
class Housekeeper {
 public:
  Housekeeper(AuthorityContext& context, CrlKeeper& lists);
  ~Housekeeper();

  // Looks after everything every second, on a thread of its own, until Stop.
  void Start();
  void Stop();
  // Once, on the caller's thread. Not at the same time as itself.
  void KeepHouse();
  // The last head, whether or not it is time.
  void WriteHead();

 private:
  void Run();
  bool IsMinuteOver(Time now);
  void TakeOverIssuer(Time now);
  absl::Status LoadIssuers(Time now);
  void NoteSkippedRefusals(Time now);
  void TryStore();
  void WarnDaily(Time now);

  AuthorityContext& context_;
  CrlKeeper& lists_;
  std::optional<FileVersion> issuer_file_;  // as it was taken over
  // Of the version that could not be taken over.
  struct Failed {
    std::optional<FileVersion> version = {};
    absl::Status why = {};
    unsigned times = 0;
    std::chrono::steady_clock::time_point last = {};
  } failed_;
  Time minute_ = {};
  Time warned_ = {};
  std::uint64_t written_head_ = 0;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace troth
