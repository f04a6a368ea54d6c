// Packets and the signatures on them, in SQLite.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "examples/attestor/packet.h"

namespace attestor {

struct PacketSignature {
  std::string attestor;
  std::string signature;  // raw bytes

  bool operator==(const PacketSignature&) const = default;
};

struct StoredPacket {
  Packet packet;
  bool confirmed = false;
  std::vector<PacketSignature> signatures;  // in the order in which they came
};

struct PacketQuery {
  bool confirmed = false;
  std::string not_signed_by;  // without those that this attestor has signed; empty: all
  std::string after;          // only what came after the packet of this id; empty: all
  int limit = 100;
};

enum class Added { kNew, kThereAlready };

// Whether a signature that was stored once is one still.
using SignatureCounts = std::function<bool(const Packet&, const PacketSignature&)>;

// What returned is on disk. One thread at a time. Errors of all: store_failed.
class PacketStore {
 public:
  // Makes the file (0600) when there is none. A packet is confirmed once `threshold` attestors, at
  // least one, have signed it, and stays so, with its signatures; with a lower threshold than last
  // time, more are. On packets that wait, signatures that do not count are dropped first, so that
  // their attestors may sign anew.
  static absl::StatusOr<std::unique_ptr<PacketStore>> Open(const std::string& path, int threshold,
                                                           const SignatureCounts& counts);
  virtual ~PacketStore() = default;

  // Errors: request_state when another packet has this one's source, destination and sequence.
  virtual absl::StatusOr<Added> AddPacket(const Packet& packet) = 0;
  // The first signature of an attestor counts, and a second one is not kept: ECDSA never makes the
  // same twice. The packet must be there.
  virtual absl::StatusOr<Added> AddSignature(const std::string& id,
                                             const PacketSignature& signature) = 0;
  // Nothing when it is not there.
  virtual absl::StatusOr<std::optional<StoredPacket>> Find(const std::string& id) = 0;
  // The oldest first, without signatures; none when `after` is not there.
  virtual absl::StatusOr<std::vector<Packet>> List(const PacketQuery& query) = 0;
};

}  // namespace attestor
