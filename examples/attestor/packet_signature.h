// An attestor's signature on a packet.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "examples/attestor/packet.h"
#include "troth/pki/key.h"

namespace attestor {

// The bytes of a signature over SignedText.
absl::StatusOr<std::string> SignPacket(const Packet& packet, const troth::PrivateKey& key);

// OK when SignPacket made `signature` with the key of `key`. Errors: signature_invalid,
// algorithm_not_allowed.
absl::Status VerifyPacket(const Packet& packet, std::string_view signature,
                          const troth::PublicKey& key);

}  // namespace attestor
