// What attestors sign: a message that one chain sends to another.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"

namespace attestor {

// No message is longer.
inline constexpr size_t kMaxMessageBytes = 4096;

struct Packet {
  std::string source, destination;  // names of chains: 1 to 32 of a-z, 0-9 and '-'
  std::uint64_t sequence = 0;       // counted by the source chain, for each destination
  std::string message;              // for the destination chain; nobody here reads it

  bool operator==(const Packet&) const = default;
};

// Errors: parameter_invalid, which names the part.
absl::Status CheckPacket(const Packet& packet);

// The bytes that an attestor signs. Two different packets never have the same.
std::string SignedText(const Packet& packet);

// What the packet is called: SHA-256 of SignedText, 64 hexadecimal digits.
std::string PacketId(const Packet& packet);

}  // namespace attestor
