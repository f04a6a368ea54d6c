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
  // Those whose key is not here are left out. Waits for at most `kGap` and the signing.
  absl::Status Renew(const std::set<std::uint32_t>& issuers);
  // Has lists made that are at half their life, or whose making failed. Does not wait.
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
  };

  void Run();
  // The issuer whose list is to be made now; or how long to wait, when one will be.
  std::optional<std::uint32_t> NextWanted(SteadyTime now, SteadyTime& wake) const;
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
