// For tests of stores: records of every kind, made from numbers, and how to compare them.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "troth/base/time.h"
#include "troth/ca/records.h"
#include "troth/ca/store.h"

namespace troth {

inline bool operator==(const RevocationRecord& a, const RevocationRecord& b) {
  const auto all = [](const RevocationRecord& r) {
    return std::tie(r.serial, r.issuer, r.lineage, r.key, r.revoked_at, r.reason, r.not_after);
  };
  return all(a) == all(b);
}
inline bool operator==(const CertificateRecord& a, const CertificateRecord& b) {
  const auto all = [](const CertificateRecord& r) {
    return std::tie(r.serial, r.issuer, r.profile, r.lineage, r.request, r.token, r.issued_at,
                    r.not_after, r.names, r.der);
  };
  return all(a) == all(b);
}
inline bool operator==(const RequestRecord& a, const RequestRecord& b) {
  const auto all = [](const RequestRecord& r) {
    return std::tie(r.id, r.state, r.profile, r.name, r.names, r.key, r.body, r.address,
                    r.created_at, r.decided_at, r.decided_by, r.decision_note, r.certificate,
                    r.certificate_not_after);
  };
  return all(a) == all(b);
}
inline bool operator==(const TokenRecord& a, const TokenRecord& b) {
  const auto all = [](const TokenRecord& r) {
    return std::tie(r.id, r.secret_hash, r.profile, r.names, r.any_name, r.max_uses, r.uses,
                    r.created_at, r.expires_at, r.created_by, r.revoked_at);
  };
  return all(a) == all(b);
}
inline bool operator==(const IssuerRecord& a, const IssuerRecord& b) {
  const auto all = [](const IssuerRecord& r) {
    return std::tie(r.number, r.der, r.added_at, r.crl_number);
  };
  return all(a) == all(b);
}

namespace ca_testing {

inline const Time kStoreTestTime = *ParseTime("2026-11-21T02:29:09Z");

inline Sha256Digest DigestOf(std::uint64_t number) { return Sha256(std::to_string(number)); }

// As SerialNumber::Generate makes them, but always the same: certificates of ten numbers share a
// second, in which the greater number has the smaller serial.
inline SerialNumber TestSerial(std::uint64_t number) {
  const auto seconds =
      static_cast<std::uint64_t>(kStoreTestTime.time_since_epoch().count()) + number / 10;
  std::string octets(20, '\x55');
  for (size_t i = 0; i < 5; ++i) octets[i] = static_cast<char>(seconds >> (8 * (4 - i)) & 0xff);
  octets[0] = static_cast<char>(octets[0] | 0x40);
  octets[5] = static_cast<char>(0x7f - number % 10);
  for (size_t i = 0; i < 8; ++i) octets[12 + i] = static_cast<char>(number >> (8 * i) & 0xff);
  return *SerialNumber::FromDerContent(octets);
}

inline CertificateRecord TestCertificate(std::uint64_t number) {
  const Seconds age(static_cast<std::int64_t>(number / 10));
  const std::string name = "host-" + std::to_string(number);
  return {.serial = TestSerial(number),
          .issuer = 1,
          .profile = number % 3 == 0 ? "server" : "default",
          .lineage = TestSerial(number),
          .request = DigestOf(number),
          .token = number % 2 == 0 ? "5f2c81a09d3e6b77" : "",
          .issued_at = kStoreTestTime + age,
          .not_after = kStoreTestTime + age + std::chrono::hours(24 * (1 + number % 40)),
          .names = {name, name + ".web.internal"},
          .der = "DER of " + name + std::string(1, '\0') + std::string(600, 'd')};
}

inline RevocationRecord TestRevocation(std::uint64_t number) {
  const CertificateRecord certificate = TestCertificate(number);
  return {.serial = certificate.serial,
          .issuer = certificate.issuer,
          .lineage = certificate.lineage,
          .key = DigestOf(number + 1'000'000),
          .revoked_at = kStoreTestTime + std::chrono::hours(1),
          .reason = 1,
          .not_after = certificate.not_after};
}

inline RequestRecord TestRequest(std::uint64_t number) {
  const std::string name = "waiting-" + std::to_string(number);
  return {.id = DigestOf(number),
          .state = RequestState::kPending,
          .profile = "default",
          .name = name,
          .names = {name, name + ".web.internal"},
          .key = DigestOf(number / 2 + 1'000'000),
          .body = "-----BEGIN CERTIFICATE REQUEST-----" + name,
          .address = number % 2 == 0 ? "192.0.2.1" : "192.0.2.2",
          .created_at = kStoreTestTime};
}

inline TokenRecord TestToken(std::uint64_t number) {
  return {.id = "000000000000" + std::to_string(1000 + number),
          .secret_hash = DigestOf(number),
          .profile = "server",
          .names = {"*.web.internal", "db"},
          .max_uses = 3,
          .created_at = kStoreTestTime,
          .expires_at = kStoreTestTime + std::chrono::hours(1),
          .created_by = "local admin (uid 0)"};
}

inline LedgerNote TestNote(std::uint64_t number) {
  return {.at = kStoreTestTime,
          .actor = "token 5f2c81a09d3e6b77",
          .action = "issue",
          .subject = std::to_string(number),
          .detail = "names=a,b"};
}

// Queues pieces so that they share a group: the writer is busy until all are there.
inline std::vector<absl::Status> WriteAsGroup(Store& store, std::vector<Store::Work> pieces) {
  std::promise<void> queued;
  // Set by the first run, for there may be another, or by a failure before it.
  struct Begun {
    void Set() {
      std::call_once(once, [this] { promise.set_value(); });
    }
    std::once_flag once;
    std::promise<void> promise;
  };
  const auto begun = std::make_shared<Begun>();
  store.Write(
      [begun, ready = queued.get_future().share()](StoreTransaction&) {
        begun->Set();
        ready.wait();
        return absl::OkStatus();
      },
      [begun](const absl::Status&) { begun->Set(); });
  // Else the first piece could become one group with the one that waits.
  begun->promise.get_future().wait();
  std::vector<absl::Status> results(pieces.size(), absl::UnknownError("never done"));
  std::promise<void> all_done;
  size_t done = 0;  // counted by the engine's thread
  for (size_t i = 0; i < pieces.size(); ++i) {
    store.Write(std::move(pieces[i]), [&, i](absl::Status status) {
      EXPECT_EQ(i, done) << "out of order";
      results[i] = std::move(status);
      if (++done == results.size()) all_done.set_value();
    });
  }
  queued.set_value();
  if (!results.empty()) all_done.get_future().wait();
  return results;
}

}  // namespace ca_testing
}  // namespace troth
