// The intermediates of clients whose TLS session was resumed: a resumed session brings the leaf
// again and nothing else of the chain.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "troth/base/recent_map.h"

namespace troth {

// Chains by leaf. Thread-safe. Bounded: the leaves that were remembered or asked for longest ago
// are forgotten.
class ResumedChains {
 public:
  // For a connection whose full handshake showed both. Whoever calls this has seen that the leaf is
  // worth a place.
  void Remember(std::string_view leaf_pem, std::string_view chain_pem);
  // The chain that was last seen with this leaf, or null.
  std::shared_ptr<const std::string> Find(std::string_view leaf_pem);

 private:
  static constexpr size_t kBytesPerGeneration = 8 << 20;
  std::mutex mutex_;
  // Guarded by mutex_.
  RecentMap<std::string, std::shared_ptr<const std::string>> chains_{kBytesPerGeneration};
  std::atomic<bool> any_ = false;  // whether there is something to look up
};

}  // namespace troth
