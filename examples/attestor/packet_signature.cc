#include "examples/attestor/packet_signature.h"

namespace attestor {
namespace {

using troth::SignatureAlgorithm;

// The one that PrivateKey::Sign uses: the key says it, and no sender chooses.
SignatureAlgorithm AlgorithmOf(const troth::PublicKey& key) {
  switch (key.kind()) {
    case troth::PublicKey::Kind::kEd25519:
      return SignatureAlgorithm::kEd25519;
    case troth::PublicKey::Kind::kEc:
      return key.bits() > 384   ? SignatureAlgorithm::kEcdsaSha512
             : key.bits() > 256 ? SignatureAlgorithm::kEcdsaSha384
                                : SignatureAlgorithm::kEcdsaSha256;
    case troth::PublicKey::Kind::kRsa:
      return SignatureAlgorithm::kRsaSha256;
    case troth::PublicKey::Kind::kOther:
      break;
  }
  return SignatureAlgorithm::kOther;
}

}  // namespace

absl::StatusOr<std::string> SignPacket(const Packet& packet, const troth::PrivateKey& key) {
  return key.Sign(SignedText(packet));
}

absl::Status VerifyPacket(const Packet& packet, std::string_view signature,
                          const troth::PublicKey& key) {
  return key.Verify(AlgorithmOf(key), SignedText(packet), signature);
}

}  // namespace attestor
