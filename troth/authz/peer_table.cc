#include <utility>

#include "troth/authz/peer_table_internal.h"

namespace troth {
namespace {

// In bytes, with what parsing made of the leaf.
std::size_t CostOf(const PeerState& state) {
  return 2 * state.leaf_pem.size() + state.chain_pem.size() + 2048;
}

}  // namespace

std::shared_ptr<const PeerState> PeerTable::Get(
    const std::string& key, const std::function<bool(const PeerState&)>& holds,
    const std::function<std::shared_ptr<const PeerState>(const PeerState*)>& make) {
  std::shared_ptr<const PeerState> known;
  std::shared_ptr<Flight> flight;
  {
    std::unique_lock lock(mutex_);
    while (true) {
      const auto* const found = peers_.Find(key);
      known = found == nullptr ? nullptr : *found;
      if (known != nullptr && holds(*known)) return known;
      std::shared_ptr<Flight>& place = flights_[key];
      if (place == nullptr) {
        flight = place = std::make_shared<Flight>();
        break;
      }
      const std::shared_ptr<Flight> others = place;
      others->landed.wait(lock, [&] { return others->done; });
      if (others->result != nullptr && holds(*others->result)) return others->result;
    }
  }
  std::shared_ptr<const PeerState> made;
  try {
    made = make(known.get());
  } catch (...) {
    Land(key, *flight, nullptr);
    throw;
  }
  Land(key, *flight, made);
  return made;
}

void PeerTable::Land(const std::string& key, Flight& flight,
                     std::shared_ptr<const PeerState> result) {
  const std::lock_guard lock(mutex_);
  flights_.erase(key);
  flight.done = true;
  flight.result = result;
  flight.landed.notify_all();
  if (result == nullptr) return;
  const auto* const known = peers_.Find(key);
  // A call that began before the last change must not put back what it replaced.
  if (known != nullptr && (*known)->generation > result->generation) return;
  const std::size_t cost = CostOf(*result);
  peers_.Put(key, std::move(result), cost);
}

}  // namespace troth
