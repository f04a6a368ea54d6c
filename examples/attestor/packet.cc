#include "examples/attestor/packet.h"

#include <string_view>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/pki/digest.h"

namespace attestor {
namespace {

constexpr size_t kMaxChainName = 32;

absl::Status CheckChain(std::string_view part, std::string_view name) {
  constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyz0123456789-";
  if (!name.empty() && name.size() <= kMaxChainName &&
      name.find_first_not_of(kAllowed) == std::string_view::npos) {
    return absl::OkStatus();
  }
  return troth::MakeError(troth::Reason::kParameterInvalid,
                          "\"" + std::string(part) +
                              "\": expected 1 to 32 of a-z, 0-9 and '-', got \"" +
                              troth::Printable(name, 64) + "\"");
}

}  // namespace

absl::Status CheckPacket(const Packet& packet) {
  if (absl::Status status = CheckChain("source", packet.source); !status.ok()) return status;
  if (absl::Status status = CheckChain("destination", packet.destination); !status.ok()) {
    return status;
  }
  // SQLite's numbers end there.
  if (packet.sequence > std::uint64_t{INT64_MAX}) {
    return troth::MakeError(
        troth::Reason::kParameterInvalid,
        "\"sequence\": expected at most 2^63-1, got " + std::to_string(packet.sequence));
  }
  if (packet.message.empty() || packet.message.size() > kMaxMessageBytes) {
    return troth::MakeError(troth::Reason::kParameterInvalid,
                            "\"message\": expected 1 to " + std::to_string(kMaxMessageBytes) +
                                " bytes, got " + std::to_string(packet.message.size()));
  }
  return absl::OkStatus();
}

std::string SignedText(const Packet& packet) {
  // The first line keeps the signature from being taken for one of another protocol; lengths keep
  // one part from being read as the beginning of the next.
  std::string out = "troth example packet 1\n";
  for (const std::string& part :
       {packet.source, packet.destination, std::to_string(packet.sequence), packet.message}) {
    out += std::to_string(part.size()) + ":" + part + "\n";
  }
  return out;
}

std::string PacketId(const Packet& packet) {
  return troth::FormatFingerprint(troth::Sha256(SignedText(packet)));
}

}  // namespace attestor
