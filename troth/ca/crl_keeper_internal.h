// The authority's revocation lists: one of each issuer, always in force.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <thread>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "troth/ca/authority_context_internal.h"
#include "troth/pki/crl.h"

namespace troth {

// Signs lists on a thread of its own, from what the store holds, and puts each into memory and into
// the folder of lists. The list of a root whose key is not held by the authority is read from that
// folder, and stays as it is. Thread-safe.
class CrlKeeper {
 public:
  // Under a flood of revocations a list is made this often.
  static constexpr std::chrono::milliseconds kGap{250};

  explicit CrlKeeper(AuthorityContext& context);
  ~CrlKeeper();

  // Makes every list that it can, before anything is served; also when issuers have changed.
  absl::Status MakeAll();
  // Returns when lists of these issuers are in force that hold everything that is in the store now.
  // Answers those that no list can be made of here: their key is elsewhere, or may not sign lists.
  // Who has ended needs no list any more. Waits for at most `kGap` and the signing.
  absl::StatusOr<std::set<std::uint32_t>> Renew(const std::set<std::uint32_t>& issuers);
  // Has lists made that are at half their life or, made with a clock that was ahead, in the future,
  // and after a pause those whose making failed. Does not wait.
  void RenewDue();
  // Errors: file_not_found.
  absl::StatusOr<std::shared_ptr<const Crl>> Current(std::uint32_t issuer) const;

 private:
  using SteadyTime = std::chrono::steady_clock::time_point;
  struct Entry {
    std::shared_ptr<const Crl> list = {};
    Time due = {};
    SteadyTime made = {};
    std::uint64_t wanted = 0, done = 0;  // counts of calls: lists are made until they are equal
    absl::Status outcome = {};           // of the last making
    unsigned failures = 0;               // in a row
  };

  void Run();
  // The issuer whose list is to be made now; or how long to wait, when one will be.
  std::optional<std::uint32_t> NextWanted(SteadyTime now, SteadyTime& wake) const;
  static bool IsDue(const Entry& entry, Time now, SteadyTime steady_now);
  absl::StatusOr<Crl> Make(const NumberedIssuer& issuer);
  absl::Status MakeAndPublish(std::uint32_t number);
  void ReadFromFolder(const NumberedIssuer& issuer);

  AuthorityContext& context_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::uint32_t, Entry> entries_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace troth
