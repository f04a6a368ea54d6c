#include "bench/store_filling.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace bench {
namespace {

constexpr std::uint64_t kInATransaction = 4096;

absl::Status AddAll(troth::StoreTransaction& transaction,
                    const std::vector<troth::CertificateRecord>& records) {
  for (const troth::CertificateRecord& record : records) {
    if (absl::Status added = transaction.AddCertificate(record); !added.ok()) return added;
    if (absl::Status noted = transaction.AppendLedger(MakeNote(record)); !noted.ok()) return noted;
  }
  return absl::OkStatus();
}

}  // namespace

std::string NameOf(std::uint64_t number) {
  return "host-" + std::to_string(number) + ".web.internal";
}

troth::CertificateRecord MakeRecord(std::uint64_t number, troth::Time at) {
  const troth::SerialNumber serial = troth::SerialNumber::Generate(at);
  return {.serial = serial,
          .issuer = 1,
          .profile = "default",
          .lineage = serial,
          .request = troth::Sha256(std::to_string(number)),
          .token = "5f2c81a09d3e6b77",
          .issued_at = at,
          .not_after = at + std::chrono::hours(24 * 30) + troth::Seconds(number % 86400),
          .names = {NameOf(number)},
          .der = std::string(620, static_cast<char>(number))};
}

troth::LedgerNote MakeNote(const troth::CertificateRecord& record) {
  return {.at = record.issued_at,
          .actor = "token 5f2c81a09d3e6b77",
          .action = "issue",
          .subject = record.serial.ToHex(),
          .detail = "profile=default names=" + record.names.front()};
}

std::vector<troth::CertificateRecord> MakeRecords(std::uint64_t first, size_t count,
                                                  troth::Time at) {
  std::vector<troth::CertificateRecord> records;
  records.reserve(count);
  for (size_t i = 0; i < count; ++i) records.push_back(MakeRecord(first + i, at));
  return records;
}

absl::Status FillStore(troth::Store& store, std::uint64_t first, std::uint64_t count) {
  const troth::Time yesterday = troth::Clock::System().Now() - std::chrono::hours(24);
  for (std::uint64_t done = 0; done < count;) {
    const std::uint64_t some = std::min(count - done, kInATransaction);
    const std::vector<troth::CertificateRecord> records =
        MakeRecords(first + done, some, yesterday);
    const absl::Status status = store.WriteAndWait(
        [&records](troth::StoreTransaction& transaction) { return AddAll(transaction, records); });
    if (!status.ok()) return status;
    done += some;
  }
  return absl::OkStatus();
}

}  // namespace bench
