// Packets as the service and its clients send them to each other (RFC 8259).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "examples/attestor/packet.h"
#include "examples/attestor/packet_store.h"

namespace attestor {

// {"packets": [{"id", "source", "destination", "sequence", "message"}]}
std::string WritePackets(const std::vector<Packet>& packets);
// The same back; ids are not read, for who signs makes them of what is signed. Errors:
// response_malformed, also for a packet that cannot be one.
absl::StatusOr<std::vector<Packet>> ReadPackets(std::string_view body);

// A packet with "confirmed" and "signatures": [{"attestor", "signature"}].
std::string WriteStoredPacket(const StoredPacket& stored);

// {"attestor", "signature"}; the signature in base64.
std::string WriteSignature(const PacketSignature& signature);

}  // namespace attestor
