// Requests that are being answered now, so that equal ones know of each other.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "troth/pki/digest.h"

namespace troth {

// Thread-safe. Outlives its tickets.
class RequestsInFlight {
 public:
  class Ticket {
   public:
    Ticket(RequestsInFlight& all, const Sha256Digest& request) : all_(all), request_(request) {
      const std::lock_guard lock(all_.mutex_);
      ++all_.entries_[request_].seen;
      ++all_.entries_[request_].present;
    }
    Ticket(const Ticket&) = delete;
    Ticket& operator=(const Ticket&) = delete;
    ~Ticket() {
      const std::lock_guard lock(all_.mutex_);
      const auto entry = all_.entries_.find(request_);
      if (--entry->second.present == 0) all_.entries_.erase(entry);
    }
    // Whether an equal request was on its way at the same time as this one, even if it has ended.
    bool IsShared() const {
      const std::lock_guard lock(all_.mutex_);
      return all_.entries_.find(request_)->second.seen > 1;
    }

   private:
    RequestsInFlight& all_;
    const Sha256Digest request_;
  };

 private:
  struct Entry {
    std::uint32_t present = 0, seen = 0;
  };
  struct Hash {
    size_t operator()(const Sha256Digest& digest) const {
      size_t hash = 0;
      std::memcpy(&hash, digest.data(), sizeof(hash));
      return hash;
    }
  };
  std::mutex mutex_;
  std::unordered_map<Sha256Digest, Entry, Hash> entries_;
};

}  // namespace troth
