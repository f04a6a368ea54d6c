// For tests of what stands before an authority's operations: operations without an authority.
#pragma once

#include <algorithm>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "troth/base/encoding.h"
#include "troth/base/reason.h"
#include "troth/ca/ledger.h"
#include "troth/ca/operations.h"
#include "troth/pki/digest.h"

namespace troth::ca_testing {

inline std::string HexOf(const Sha256Digest& digest) { return FormatFingerprint(digest); }

inline SerialNumber SerialOf(std::string_view hex) {
  return *SerialNumber::FromDerContent(*FromHex(hex));
}

// What an authority holds, and what it was asked: each call is a line of `calls`, after who called.
// Thread-safe where `mutex` is named.
struct FakeState {
  std::mutex mutex;
  std::vector<std::string> calls;               // guarded by mutex
  std::vector<RequestStatus> requests;          // guarded by mutex; oldest first
  std::vector<TokenRecord> tokens;              // guarded by mutex
  std::vector<CertificateStatus> certificates;  // guarded by mutex; newest first
  std::vector<LedgerEntry> ledger;              // guarded by mutex
  std::string root_pem = "root";                // guarded by mutex
  absl::Status failure;                         // guarded by mutex; of every call
  std::vector<RefreshProgress> refresh = {{}};  // guarded by mutex; the last is the result
  // Called without the mutex, when a view of the ledger was taken.
  std::function<void()> after_ledger_read;

  void Append(LedgerNote note) {
    const std::lock_guard lock(mutex);
    const LedgerHead head =
        ledger.empty() ? LedgerHead() : LedgerHead{ledger.back().sequence, ledger.back().hash};
    ledger.push_back(NextEntry(head, std::move(note)));
  }
  std::vector<std::string> Calls() {
    const std::lock_guard lock(mutex);
    return calls;
  }
};

// Pages, finds and changes what `state` holds; nothing is signed. Filters by name and state only.
class FakeOperations final : public Operations {
 public:
  FakeOperations(FakeState& state, std::string actor) : state_(state), actor_(std::move(actor)) {}

  absl::StatusOr<AuthoritySummary> Summary() override {
    const std::lock_guard lock(state_.mutex);
    if (absl::Status failed = Note("summary"); !failed.ok()) return failed;
    return AuthoritySummary{.root_fingerprint = std::string(64, 'a'),
                            .root_pem = state_.root_pem,
                            .issuer_pem = "issuer",
                            .trust_domain = "example.org",
                            .profiles = {"default", "admin"},
                            .store = {.certificates = state_.certificates.size()}};
  }

  absl::StatusOr<std::vector<RequestStatus>> ListRequests(const RequestFilter& filter) override {
    const std::lock_guard lock(state_.mutex);
    if (absl::Status failed = Note("list requests"); !failed.ok()) return failed;
    std::vector<RequestStatus> found;
    bool after = !filter.after.has_value();
    for (const RequestStatus& request : state_.requests) {
      if (after && found.size() < filter.limit &&
          (filter.name.empty() || request.record.name == filter.name) &&
          (!filter.state.has_value() || request.record.state == *filter.state)) {
        found.push_back(request);
      }
      after = after || request.record.id == *filter.after;
    }
    return found;
  }
  absl::StatusOr<RequestStatus> ShowRequest(std::string_view which) override {
    const std::lock_guard lock(state_.mutex);
    if (absl::Status failed = Note("show request " + std::string(which)); !failed.ok()) {
      return failed;
    }
    auto found = Find(which);
    if (!found.ok()) return found.status();
    return **found;
  }
  absl::StatusOr<CertificateStatus> Approve(std::string_view which,
                                            std::optional<Seconds> lifetime) override {
    const std::lock_guard lock(state_.mutex);
    const std::string seconds = lifetime.has_value() ? std::to_string(lifetime->count()) : "-";
    if (absl::Status failed = Note("approve " + std::string(which) + " " + seconds); !failed.ok()) {
      return failed;
    }
    auto found = Find(which);
    if (!found.ok()) return found.status();
    (*found)->record.state = RequestState::kApproved;
    return state_.certificates.front();
  }
  absl::StatusOr<RequestStatus> Reject(std::string_view which, std::string_view why) override {
    const std::lock_guard lock(state_.mutex);
    if (absl::Status failed = Note("reject " + std::string(which) + " " + std::string(why));
        !failed.ok()) {
      return failed;
    }
    auto found = Find(which);
    if (!found.ok()) return found.status();
    (*found)->record.state = RequestState::kRejected;
    (*found)->record.decision_note = std::string(why);
    return **found;
  }

  absl::StatusOr<NewToken> CreateToken(const TokenSpec& spec) override {
    const std::lock_guard lock(state_.mutex);
    std::string line = "create token " + spec.profile;
    for (const std::string& name : spec.names) line += " " + name;
    line += spec.any_name ? " *any*" : "";
    line += " " + std::to_string(spec.max_uses) + " " + std::to_string(spec.lifetime.count());
    if (absl::Status failed = Note(line); !failed.ok()) return failed;
    TokenRecord record{.id = "5f2c81a09d3e6b77",
                       .profile = spec.profile.empty() ? "default" : spec.profile,
                       .names = spec.names,
                       .any_name = spec.any_name,
                       .max_uses = spec.max_uses,
                       .created_at = now,
                       .expires_at = now + spec.lifetime,
                       .created_by = actor_};
    state_.tokens.insert(state_.tokens.begin(), record);
    return NewToken{.record = std::move(record), .text = Secret("troth1.secret-of-the-token")};
  }
  absl::StatusOr<std::vector<TokenRecord>> ListTokens() override {
    const std::lock_guard lock(state_.mutex);
    if (absl::Status failed = Note("list tokens"); !failed.ok()) return failed;
    return state_.tokens;
  }
  absl::StatusOr<TokenRecord> RevokeToken(std::string_view id) override {
    const std::lock_guard lock(state_.mutex);
    if (absl::Status failed = Note("revoke token " + std::string(id)); !failed.ok()) return failed;
    for (TokenRecord& token : state_.tokens) {
      if (token.id != id) continue;
      token.revoked_at = now;
      return token;
    }
    return MakeError(Reason::kTokenInvalid, "no such token");
  }

  absl::StatusOr<std::vector<CertificateStatus>> ListCertificates(
      const CertificateFilter& filter) override {
    const std::lock_guard lock(state_.mutex);
    if (absl::Status failed = Note("list certificates " + Describe(filter)); !failed.ok()) {
      return failed;
    }
    std::vector<CertificateStatus> found;
    bool below = !filter.before.has_value();
    for (const CertificateStatus& one : state_.certificates) {
      if (below && found.size() < filter.limit &&
          (!filter.only_revoked || one.revocation.has_value()) &&
          (filter.name.empty() || std::ranges::count(one.record.names, filter.name) > 0)) {
        found.push_back(one);
      }
      below = below || one.record.serial == *filter.before;
    }
    return found;
  }
  absl::StatusOr<CertificateStatus> ShowCertificate(std::string_view which) override {
    const std::lock_guard lock(state_.mutex);
    if (absl::Status failed = Note("show certificate " + std::string(which)); !failed.ok()) {
      return failed;
    }
    for (const CertificateStatus& one : state_.certificates) {
      if (one.record.serial.ToHex() == which ||
          std::ranges::count(one.record.names, std::string(which)) > 0) {
        return one;
      }
    }
    return MakeError(Reason::kCertificateUnknown, "no certificate " + std::string(which));
  }
  absl::StatusOr<std::vector<CertificateStatus>> Revoke(const RevokeSpec& spec) override {
    const std::lock_guard lock(state_.mutex);
    if (absl::Status failed = Note("revoke " + spec.which + " " + std::to_string(spec.reason) +
                                   (spec.all ? " all" : ""));
        !failed.ok()) {
      return failed;
    }
    std::vector<CertificateStatus> revoked;
    for (CertificateStatus& one : state_.certificates) {
      if (one.record.serial.ToHex() != spec.which &&
          std::ranges::count(one.record.names, spec.which) == 0) {
        continue;
      }
      one.revocation = RevocationRecord{.serial = one.record.serial,
                                        .issuer = one.record.issuer,
                                        .lineage = one.record.lineage,
                                        .revoked_at = now,
                                        .reason = spec.reason,
                                        .not_after = one.record.not_after};
      revoked.push_back(one);
    }
    if (revoked.empty()) return MakeError(Reason::kCertificateUnknown, "no such certificate");
    return revoked;
  }

  absl::StatusOr<RefreshProgress> Refresh(
      const RefreshSpec& spec,
      const std::function<void(const RefreshProgress&)>& progress) override {
    const std::lock_guard lock(state_.mutex);
    const std::string seconds =
        spec.lifetime.has_value() ? std::to_string(spec.lifetime->count()) : "-";
    if (absl::Status failed = Note("refresh " + seconds + " " + spec.profile); !failed.ok()) {
      return failed;
    }
    for (const RefreshProgress& step : state_.refresh) progress(step);
    return state_.refresh.back();
  }

  absl::StatusOr<std::string> CurrentCrl(std::uint32_t issuer) override {
    const std::lock_guard lock(state_.mutex);
    if (absl::Status failed = Note("crl " + std::to_string(issuer)); !failed.ok()) return failed;
    return "list of issuer " + std::to_string(issuer);
  }

  absl::StatusOr<LedgerHead> ReadLedger(
      std::uint64_t from, const std::function<bool(const LedgerEntry&)>& visit) override {
    std::vector<LedgerEntry> entries;
    {
      const std::lock_guard lock(state_.mutex);
      if (absl::Status failed = Note("read ledger " + std::to_string(from)); !failed.ok()) {
        return failed;
      }
      entries = state_.ledger;
    }
    if (state_.after_ledger_read) state_.after_ledger_read();
    for (const LedgerEntry& entry : entries) {
      if (entry.sequence >= from && !visit(entry)) break;
    }
    if (entries.empty()) return LedgerHead();
    return LedgerHead{entries.back().sequence, entries.back().hash};
  }

  // What a test's certificates and tokens begin and end by.
  Time now = *ParseTime("2026-11-21T02:29:09Z");

 private:
  // With the lock. The error that every call is to end with.
  absl::Status Note(const std::string& call) {
    state_.calls.push_back(actor_ + ": " + call);
    return state_.failure;
  }

  static std::string Describe(const CertificateFilter& filter) {
    std::string text = filter.name + "/" + filter.profile;
    if (filter.expires_after.has_value()) text += " after " + FormatTime(*filter.expires_after);
    if (filter.expires_before.has_value()) text += " before " + FormatTime(*filter.expires_before);
    return text;
  }

  absl::StatusOr<RequestStatus*> Find(std::string_view which) {
    std::vector<RequestStatus*> found;
    for (RequestStatus& request : state_.requests) {
      if (HexOf(request.record.id).starts_with(which) || request.record.name == which) {
        found.push_back(&request);
      }
    }
    if (found.size() == 1) return found.front();
    if (found.empty())
      return MakeError(Reason::kRequestUnknown, "no request " + std::string(which));
    std::string candidates;
    for (const RequestStatus* one : found) candidates += " " + HexOf(one->record.id).substr(0, 16);
    return MakeError(Reason::kRequestAmbiguous, std::string(which) + " may be" + candidates);
  }

  FakeState& state_;
  const std::string actor_;
};

// A request for `name` in `state`, whose digest begins with `digits`.
inline RequestStatus FakeRequest(const std::string& name, std::string_view digits,
                                 RequestState state = RequestState::kPending) {
  std::string hex(digits);
  hex.resize(64, '0');
  return {.record = {.id = *ParseFingerprint(hex),
                     .state = state,
                     .profile = "default",
                     .name = name,
                     .names = {name},
                     .key = Sha256(hex),
                     .body = "body of " + name,
                     .address = "192.0.2.1:4711",
                     .created_at = *ParseTime("2026-11-21T01:29:09Z")}};
}

inline CertificateStatus FakeCertificate(const std::string& name, std::string_view serial_hex) {
  return {.record = {.serial = SerialOf(serial_hex),
                     .issuer = 1,
                     .profile = "default",
                     .lineage = SerialOf(serial_hex),
                     .request = Sha256(name),
                     .issued_at = *ParseTime("2026-11-20T02:29:09Z"),
                     .not_after = *ParseTime("2026-12-20T02:29:09Z"),
                     .names = {name},
                     .der = "not a certificate"}};
}

}  // namespace troth::ca_testing
