#include "troth/rpc/port_registry.h"

#include <limits>

namespace troth {
namespace {

constexpr int kAddressBits = 48;
constexpr std::uint64_t kAddressMask = (std::uint64_t{1} << kAddressBits) - 1;

std::uint64_t Mix(const void* connection) {
  return (reinterpret_cast<std::uintptr_t>(connection) >> 4) * 0x9e3779b97f4a7c15U;
}

// Zero when the address does not fit, which then never matches a slot.
std::uint64_t Pack(PortRegistry::PortId port, const void* connection) {
  const auto address = static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(connection));
  if ((address & ~kAddressMask) != 0) return 0;
  return (std::uint64_t{port} << kAddressBits) | address;
}

}  // namespace

PortRegistry& PortRegistry::Process() {
  static PortRegistry* const registry = new PortRegistry;
  return *registry;
}

PortRegistry::PortId PortRegistry::Add(const std::shared_ptr<OpenPort>& port) {
  const std::lock_guard lock(mutex_);
  for (size_t id = 0; id < taken_.size(); ++id) {
    if (taken_[id]) continue;
    taken_[id] = true;
    ports_[id] = port;
    return static_cast<PortId>(id);
  }
  if (ports_.size() > std::numeric_limits<PortId>::max()) return kNoPort;
  ports_.emplace_back(port);
  taken_.push_back(true);
  return static_cast<PortId>(ports_.size() - 1);
}

void PortRegistry::Remove(PortId port) {
  if (port == kNoPort) return;
  const std::lock_guard lock(mutex_);
  ports_[port].reset();
  taken_[port] = false;
}

size_t PortRegistry::SlotOf(const void* connection) { return Mix(connection) >> (64 - kSlotBits); }

size_t PortRegistry::ShardOf(const void* connection) { return (Mix(connection) >> 32) % kShards; }

void PortRegistry::Shard::Insert(const void* connection, PortId port) {
  if (young.size() >= kPerShard && !young.contains(connection)) {
    old.swap(young);
    young.clear();
  }
  young[connection] = port;
}

void PortRegistry::Note(PortId port, const void* connection) {
  std::atomic<std::uint64_t>& slot = slots_[SlotOf(connection)];
  const std::uint64_t packed = Pack(port, connection);
  if (packed != 0 && slot.load(std::memory_order_relaxed) == packed) return;
  {
    Shard& shard = shards_[ShardOf(connection)];
    const std::lock_guard lock(shard.mutex);
    shard.Insert(connection, port);
  }
  // Whom it replaces goes to its shard first, so that Find never misses it.
  std::uint64_t seen = slot.load(std::memory_order_relaxed);
  do {
    Refresh(seen);
  } while (!slot.compare_exchange_weak(seen, packed, std::memory_order_relaxed));
}

void PortRegistry::Refresh(std::uint64_t packed) {
  if (packed == 0) return;
  const void* const connection = reinterpret_cast<const void*>(packed & kAddressMask);
  Shard& shard = shards_[ShardOf(connection)];
  const std::lock_guard lock(shard.mutex);
  // What the shard knows is not older than what the slot knew: another port may have noted the same
  // address since.
  if (shard.young.contains(connection)) return;
  const auto old = shard.old.find(connection);
  shard.Insert(connection,
               old != shard.old.end() ? old->second : static_cast<PortId>(packed >> kAddressBits));
}

std::shared_ptr<OpenPort> PortRegistry::Find(const void* connection) const {
  const std::uint64_t seen = slots_[SlotOf(connection)].load(std::memory_order_relaxed);
  PortId id = kNoPort;
  if (seen != 0 && seen == Pack(static_cast<PortId>(seen >> kAddressBits), connection)) {
    id = static_cast<PortId>(seen >> kAddressBits);
  } else {
    const Shard& shard = shards_[ShardOf(connection)];
    const std::lock_guard lock(shard.mutex);
    if (const auto young = shard.young.find(connection); young != shard.young.end()) {
      id = young->second;
    } else if (const auto old = shard.old.find(connection); old != shard.old.end()) {
      id = old->second;
    }
  }
  if (id == kNoPort) return nullptr;
  const std::lock_guard lock(mutex_);
  return id < ports_.size() ? ports_[id].lock() : nullptr;
}

}  // namespace troth
