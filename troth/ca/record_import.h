// Bringing what another authority remembered into a store: its requests, its certificates, and what
// it revoked.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "troth/base/time.h"
#include "troth/ca/store.h"
#include "troth/pki/certificate.h"
#include "troth/pki/crl.h"

namespace troth {

// A request that another authority keeps, with what came of it.
struct ForeignRequest {
  std::string name = {};  // what to call it in messages when its body cannot be read
  std::string body = {};  // as it was sent
  bool rejected = false;
  std::string address = {};                    // of who fetched it first
  std::optional<Time> seen_at = {};            // when
  std::vector<std::string> certificates = {};  // PEM, in any order
};

struct ImportSummary {
  // What is in the store now and was not before.
  std::uint64_t requests = 0, pending = 0, approved = 0, rejected = 0;
  std::uint64_t certificates = 0, revocations = 0;
  // Requests that were there with another state, which follows the source's.
  std::uint64_t changed = 0;
  std::uint64_t known = 0;    // requests, certificates and revocations that were there already
  std::uint64_t expired = 0;  // certificates that have ended, and are not needed
  // What cannot be taken, each with why; the first of them in words.
  std::uint64_t left_out = 0;
  std::vector<std::string> left_out_why = {};
};

// Not thread-safe; the only writer of the store. May be run again and again: what is there stays as
// it is, but that a request which waits becomes approved or rejected, and an approved one rejected,
// as the source has it.
class RecordImport {
 public:
  // `authority`: the root of the store's authority, which must have signed every certificate.
  // `profile`: what its requests and certificates are held to from now on. `store` outlives it.
  RecordImport(Store& store, Certificate authority, std::string profile, Time now);

  // Takes the request in its state: rejected; approved when it has a certificate; else it waits,
  // from now on. Of its certificates those that are valid now, and the newest; serials stay as they
  // are. Errors: store_failed. A request that cannot be taken is in the summary.
  absl::Status Add(const ForeignRequest& request);
  // A certificate whose request nobody kept. Likewise.
  absl::Status AddCertificate(std::string_view pem, std::string_view name);
  // The entries of the authority's list. Each stays on the lists until its certificate ends or,
  // when that is not known, until the authority does: add certificates first. Errors: those of
  // Crl::VerifySignature.
  absl::Status AddList(const Crl& list);
  // Notes in the summary what the source itself could not give.
  void LeaveOut(std::string_view name, const absl::Status& why);
  // Writes what is left. Before it, nothing that was added need be in the store.
  absl::StatusOr<ImportSummary> Finish();

 private:
  // One thing to bring in; changes the summary only when its group is kept.
  using Piece = std::function<absl::Status(StoreTransaction&, ImportSummary&)>;
  static constexpr size_t kGroup = 256;

  absl::Status Push(Piece piece);
  absl::Status WriteGroup();
  absl::StatusOr<Certificate> ReadOwn(std::string_view pem) const;

  Store& store_;
  const Certificate authority_;
  const std::string profile_;
  const Time now_;
  std::vector<Piece> group_;
  ImportSummary summary_;
};

}  // namespace troth
