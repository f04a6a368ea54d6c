// What the tests of this folder share.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "examples/attestor/db_service.h"
#include "examples/attestor/packet.h"
#include "examples/attestor/packet_signature.h"
#include "examples/attestor/packet_store.h"
#include "troth/base/reason.h"
#include "troth/identity/identity_testing.h"

namespace attestor {

// The value of `result`, or the test ends.
template <typename T>
T Must(absl::StatusOr<T> result) {
  if (!result.ok()) {
    ADD_FAILURE() << result.status();
    std::abort();
  }
  return *std::move(result);
}

// "ok", or the reason code.
inline std::string CodeOfStatus(const absl::Status& status) {
  return status.ok() ? "ok" : std::string(troth::CodeOf(status));
}
template <typename T>
std::string CodeOfResult(const absl::StatusOr<T>& result) {
  return CodeOfStatus(result.status());
}

inline Packet PacketNumber(std::uint64_t sequence, std::string message = "transfer 5") {
  return {.source = "aleo",
          .destination = "ethereum",
          .sequence = sequence,
          .message = std::move(message)};
}

inline bool AllCount(const Packet& /*packet*/, const PacketSignature& /*signature*/) {
  return true;
}

inline constexpr const char* kOne = "one.attestors.example";
inline constexpr const char* kTwo = "two.attestors.example";

// A db-service of which two attestors are known, and two are enough.
struct TestService {
  troth::TestFolder folder;
  troth::PrivateKey one = Must(troth::PrivateKey::Generate(troth::KeyType::kEd25519));
  troth::PrivateKey two = Must(troth::PrivateKey::Generate(troth::KeyType::kP256));

  std::unique_ptr<DbService> Make() const {
    return Open({{kOne, one.public_key()}, {kTwo, two.public_key()}});
  }
  // On the same database.
  std::unique_ptr<DbService> Open(AttestorKeys attestors) const {
    DbServiceConfig config;
    config.database = folder / "packets.db";
    config.attestors = std::move(attestors);
    return Must(DbService::Open(std::move(config)));
  }
};

}  // namespace attestor
