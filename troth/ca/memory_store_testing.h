// For tests: a store that keeps everything in memory, with the semantics of the real engines. Its
// own tests are those of any engine (store_testing.h).
#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/ca/ledger.h"
#include "troth/ca/records.h"
#include "troth/ca/store.h"

namespace troth::ca_testing {

// Records by a key, which also keep the order in which they first came. Shared between copies.
template <typename Key, typename Record>
struct OrderedRecords {
  std::map<std::uint64_t, std::shared_ptr<const Record>> by_order = {};
  std::map<Key, std::uint64_t, std::less<>> order_of = {};

  const Record* Find(const auto& key) const {
    const auto found = order_of.find(key);
    return found == order_of.end() ? nullptr : by_order.at(found->second).get();
  }
  void Put(const Key& key, std::shared_ptr<const Record> record) {
    const std::uint64_t next = by_order.empty() ? 1 : by_order.rbegin()->first + 1;
    by_order[order_of.try_emplace(key, next).first->second] = std::move(record);
  }
};

// Everything that a store holds.
struct MemoryState {
  OrderedRecords<SerialNumber, CertificateRecord> certificates = {};
  // The newest, by request and token.
  std::map<std::pair<Sha256Digest, std::string>, SerialNumber> certificate_of_request = {};
  std::map<SerialNumber, RevocationRecord> revocations = {};
  OrderedRecords<Sha256Digest, RequestRecord> requests = {};
  OrderedRecords<std::string, TokenRecord> tokens = {};
  std::map<std::uint32_t, IssuerRecord> issuers = {};
  std::map<std::uint64_t, std::shared_ptr<const LedgerEntry>> ledger = {};
  std::set<std::string, std::less<>> names = {};  // that any certificate or request ever had

  LedgerHead Head() const {
    if (ledger.empty()) return {};
    return {.sequence = ledger.rbegin()->first, .hash = ledger.rbegin()->second->hash};
  }
};

// What readers and transactions of the store are. Changes are noted as functions, so that another
// copy of the state can follow.
class MemoryTransaction final : public StoreTransaction {
 public:
  using Change = std::function<void(MemoryState&)>;

  explicit MemoryTransaction(MemoryState& state) : state_(state) {}
  const std::vector<Change>& changes() const { return changes_; }

  absl::StatusOr<std::optional<CertificateRecord>> FindCertificate(
      const SerialNumber& serial) override {
    return Optional(state_.certificates.Find(serial));
  }

  absl::StatusOr<std::optional<CertificateRecord>> FindCertificateOfRequest(
      const Sha256Digest& request, std::string_view token) override {
    const auto found = state_.certificate_of_request.find({request, std::string(token)});
    if (found == state_.certificate_of_request.end()) return std::optional<CertificateRecord>();
    return Optional(state_.certificates.Find(found->second));
  }

  absl::StatusOr<std::vector<CertificateRecord>> FindCertificates(
      const CertificateFilter& filter) override {
    const auto& all = state_.certificates.by_order;
    auto end = all.end();
    if (filter.before.has_value()) {
      const auto before = state_.certificates.order_of.find(*filter.before);
      if (before == state_.certificates.order_of.end()) return UnknownCertificate(*filter.before);
      end = all.find(before->second);
    }
    std::vector<CertificateRecord> out;
    while (end != all.begin() && out.size() < filter.limit) {
      --end;
      if (Fits(*end->second, filter)) out.push_back(*end->second);
    }
    return out;
  }

  absl::Status VisitCertificates(
      const std::optional<SerialNumber>& from,
      const std::function<bool(const CertificateRecord&)>& visit) override {
    const auto& all = state_.certificates.by_order;
    auto at = all.begin();
    if (from.has_value()) {
      const auto first = state_.certificates.order_of.find(*from);
      if (first == state_.certificates.order_of.end()) return UnknownCertificate(*from);
      at = all.find(first->second);
    }
    for (; at != all.end(); ++at) {
      if (!visit(*at->second)) break;
    }
    return absl::OkStatus();
  }

  absl::StatusOr<bool> IsNameKnown(std::string_view name) override {
    return state_.names.contains(name);
  }

  absl::StatusOr<std::optional<RevocationRecord>> FindRevocation(
      const SerialNumber& serial) override {
    const auto found = state_.revocations.find(serial);
    if (found == state_.revocations.end()) return std::optional<RevocationRecord>();
    return std::optional<RevocationRecord>(found->second);
  }

  absl::StatusOr<std::vector<RevocationRecord>> Revocations(std::optional<std::uint32_t> issuer,
                                                            Time now) override {
    std::vector<RevocationRecord> out;
    for (const auto& [serial, revocation] : state_.revocations) {
      if (issuer.value_or(revocation.issuer) != revocation.issuer) continue;
      if (revocation.not_after >= now) out.push_back(revocation);
    }
    return out;
  }

  absl::StatusOr<std::optional<RequestRecord>> FindRequest(const Sha256Digest& id) override {
    return Optional(state_.requests.Find(id));
  }

  absl::StatusOr<std::vector<RequestRecord>> FindRequests(const RequestFilter& filter) override {
    auto at = state_.requests.by_order.begin();
    if (filter.after.has_value()) {
      const auto after = state_.requests.order_of.find(*filter.after);
      if (after == state_.requests.order_of.end()) {
        return MakeError(Reason::kRequestUnknown, "expected a request to page on from, got none");
      }
      at = state_.requests.by_order.upper_bound(after->second);
    }
    std::vector<RequestRecord> out;
    for (; at != state_.requests.by_order.end() && out.size() < filter.limit; ++at) {
      if (Fits(*at->second, filter)) out.push_back(*at->second);
    }
    return out;
  }

  // Whatever page and limit say.
  absl::StatusOr<std::uint64_t> CountRequests(const RequestFilter& filter) override {
    std::uint64_t count = 0;
    for (const auto& [order, request] : state_.requests.by_order) count += Fits(*request, filter);
    return count;
  }

  absl::StatusOr<std::optional<TokenRecord>> FindToken(std::string_view id) override {
    return Optional(state_.tokens.Find(id));
  }

  absl::StatusOr<std::vector<TokenRecord>> Tokens() override {
    std::vector<TokenRecord> out;
    for (const auto& [order, token] : state_.tokens.by_order) out.push_back(*token);
    std::ranges::reverse(out);
    return out;
  }

  absl::StatusOr<std::vector<IssuerRecord>> Issuers() override {
    std::vector<IssuerRecord> out;
    for (const auto& [number, issuer] : state_.issuers) out.push_back(issuer);
    return out;
  }

  absl::StatusOr<LedgerHead> Head() override { return state_.Head(); }

  absl::Status VisitLedger(std::uint64_t from,
                           const std::function<bool(const LedgerEntry&)>& visit) override {
    for (auto at = state_.ledger.lower_bound(from); at != state_.ledger.end(); ++at) {
      if (!visit(*at->second)) break;
    }
    return absl::OkStatus();
  }

  absl::Status AddCertificate(const CertificateRecord& certificate) override {
    if (state_.certificates.Find(certificate.serial) != nullptr) {
      return MakeError(Reason::kSerialExists, "serial " + certificate.serial.ToHex());
    }
    Apply([kept = std::make_shared<const CertificateRecord>(certificate)](MemoryState& state) {
      state.certificates.Put(kept->serial, kept);
      state.certificate_of_request.insert_or_assign({kept->request, kept->token}, kept->serial);
      state.names.insert(kept->names.begin(), kept->names.end());
    });
    return absl::OkStatus();
  }

  absl::Status AddRevocation(const RevocationRecord& revocation) override {
    Apply([revocation](MemoryState& state) {
      state.revocations.emplace(revocation.serial, revocation);
    });
    return absl::OkStatus();
  }

  absl::Status PutRequest(const RequestRecord& request) override {
    Apply([kept = std::make_shared<const RequestRecord>(request)](MemoryState& state) {
      state.requests.Put(kept->id, kept);
      if (!kept->name.empty()) state.names.insert(kept->name);
      state.names.insert(kept->names.begin(), kept->names.end());
    });
    return absl::OkStatus();
  }

  absl::Status PutToken(const TokenRecord& token) override {
    Apply([kept = std::make_shared<const TokenRecord>(token)](MemoryState& state) {
      state.tokens.Put(kept->id, kept);
    });
    return absl::OkStatus();
  }

  absl::Status PutIssuer(const IssuerRecord& issuer) override {
    Apply([issuer](MemoryState& state) { state.issuers.insert_or_assign(issuer.number, issuer); });
    return absl::OkStatus();
  }

  absl::Status AppendLedger(const LedgerNote& note) override {
    Apply([kept = std::make_shared<const LedgerEntry>(NextEntry(state_.Head(), note))](
              MemoryState& state) { state.ledger.emplace(kept->sequence, kept); });
    return absl::OkStatus();
  }

 private:
  void Apply(Change change) {
    change(state_);
    changes_.push_back(std::move(change));
  }

  bool Fits(const CertificateRecord& certificate, const CertificateFilter& filter) const {
    if (!filter.name.empty() && std::ranges::none_of(certificate.names, [&](const auto& name) {
          return GlobMatches(filter.name, name);
        })) {
      return false;
    }
    return (filter.profile.empty() || certificate.profile == filter.profile) &&
           (!filter.expires_before.has_value() || certificate.not_after < *filter.expires_before) &&
           (!filter.expires_after.has_value() || certificate.not_after > *filter.expires_after) &&
           (!filter.only_revoked || state_.revocations.contains(certificate.serial));
  }

  static bool Fits(const RequestRecord& request, const RequestFilter& filter) {
    return (!filter.state.has_value() || request.state == *filter.state) &&
           (filter.profile.empty() || request.profile == filter.profile) &&
           (filter.name.empty() || request.name == filter.name) &&
           (!filter.key.has_value() || request.key == *filter.key) &&
           (filter.address.empty() || request.address == filter.address);
  }

  template <typename Record>
  static std::optional<Record> Optional(const Record* record) {
    return record == nullptr ? std::nullopt : std::optional<Record>(*record);
  }

  static absl::Status UnknownCertificate(const SerialNumber& serial) {
    return MakeError(Reason::kCertificateUnknown, "no certificate has serial " + serial.ToHex());
  }

  MemoryState& state_;
  std::vector<Change> changes_;
};

class MemoryStore final : public Store {
 public:
  // `clock`: what the statistics take "within a day" from. Not owned.
  explicit MemoryStore(const Clock& clock = Clock::System())
      : clock_(clock), writer_([this] { RunWriter(); }) {}
  ~MemoryStore() override {
    {
      const std::lock_guard lock(mutex_);
      closing_ = true;
    }
    wake_.notify_all();
    writer_.join();
  }
  MemoryStore(const MemoryStore&) = delete;
  MemoryStore& operator=(const MemoryStore&) = delete;

  // From now on every write ends with store_failed and keeps nothing, as with a full disk; until
  // told otherwise.
  void FailWrites(bool fail) { fail_writes_ = fail; }

  void Write(Work work, Done done) override {
    {
      const std::lock_guard lock(mutex_);
      waiting_.push_back({std::move(work), std::move(done)});
    }
    wake_.notify_all();
  }

  absl::Status Read(const std::function<absl::Status(StoreReader&)>& read) override {
    const ReadGuard guard(*this);
    // A reader's view of the type that it gets has no way to change the state.
    MemoryTransaction reader(guard.copy->state);
    return read(reader);
  }

  StoreStatistics Statistics() const override {
    const std::lock_guard lock(mutex_);
    const MemoryState& state = published_->state;
    StoreStatistics out{.certificates = state.certificates.by_order.size(),
                        .revocations = state.revocations.size(),
                        .groups = groups_,
                        .writes = writes_};
    for (const auto& [order, request] : state.requests.by_order) {
      out.pending_requests += request->state == RequestState::kPending;
    }
    const Time now = clock_.Now();
    for (const auto& [order, certificate] : state.certificates.by_order) {
      if (certificate->not_after < now || state.revocations.contains(certificate->serial)) continue;
      out.expiring_day += certificate->not_after <= now + std::chrono::days(1);
      out.expiring_week += certificate->not_after <= now + std::chrono::days(7);
    }
    return out;
  }

 private:
  struct Piece {
    Work work;
    Done done;
    absl::Status status = {};
  };
  struct Copy {
    MemoryState state = {};
    int readers = 0;  // guarded by mutex_
  };
  struct ReadGuard {
    explicit ReadGuard(MemoryStore& owner) : store(owner) {
      const std::lock_guard lock(store.mutex_);
      copy = store.published_;
      ++copy->readers;
    }
    ReadGuard(const ReadGuard&) = delete;
    ReadGuard& operator=(const ReadGuard&) = delete;
    ~ReadGuard() {
      const std::lock_guard lock(store.mutex_);
      --copy->readers;
    }
    MemoryStore& store;
    std::shared_ptr<Copy> copy;
  };

  void RunWriter() {
    for (;;) {
      std::deque<Piece> group;
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [this] { return closing_ || !waiting_.empty(); });
        if (waiting_.empty()) return;
        group.swap(waiting_);
      }
      RunGroup(group);
      for (Piece& piece : group) piece.done(piece.status);
    }
  }

  void RunGroup(std::deque<Piece>& group) {
    std::vector<MemoryTransaction::Change> changes;
    for (Piece& piece : group) {
      MemoryTransaction transaction(next_->state);
      piece.status = piece.work(transaction);
      if (piece.status.ok()) {
        changes.insert(changes.end(), transaction.changes().begin(), transaction.changes().end());
      } else if (!transaction.changes().empty()) {
        next_ = CopyOf(*published_);
        for (const auto& change : changes) change(next_->state);
      }
    }
    if (fail_writes_) {
      for (Piece& piece : group) {
        if (!piece.status.ok()) continue;
        piece.status = MakeError(Reason::kStoreFailed, "expected to write, got a test's refusal");
      }
      next_ = CopyOf(*published_);
      return;
    }
    const std::lock_guard lock(mutex_);
    ++groups_;
    writes_ += static_cast<std::uint64_t>(
        std::ranges::count_if(group, [](const Piece& piece) { return piece.status.ok(); }));
    std::swap(published_, next_);
    // What was published until now follows, unless somebody still looks at it.
    if (next_->readers > 0) {
      next_ = CopyOf(*published_);
    } else {
      for (const auto& change : changes) change(next_->state);
    }
  }

  static std::shared_ptr<Copy> CopyOf(const Copy& copy) {
    return std::make_shared<Copy>(Copy{.state = copy.state});
  }

  const Clock& clock_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Piece> waiting_;  // guarded by mutex_
  bool closing_ = false;       // likewise
  std::shared_ptr<Copy> published_ =
      std::make_shared<Copy>();                            // likewise; the state is not changed
  std::shared_ptr<Copy> next_ = std::make_shared<Copy>();  // the writer's: equal, between groups
  std::uint64_t groups_ = 0, writes_ = 0;                  // guarded by mutex_
  std::atomic<bool> fail_writes_ = false;
  std::thread writer_;
};

}  // namespace troth::ca_testing
