#include "troth/ca/local_operations_internal.h"

#include <algorithm>
#include <utility>

#include "troth/base/log.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/ca/find_request_internal.h"
#include "troth/ca/requests_internal.h"
#include "troth/ca/revocations_internal.h"

namespace troth {
namespace {

class LocalOperations final : public Operations {
 public:
  LocalOperations(AuthorityContext& context, CrlKeeper& lists, std::string actor)
      : context_(context), lists_(lists), actor_(std::move(actor)) {}

  absl::StatusOr<AuthoritySummary> Summary() override {
    const IssuerSet& issuers = context_.issuers.current();
    AuthoritySummary summary{
        .root_fingerprint = FormatFingerprint(issuers.root().certificate.fingerprint()),
        .root_pem = *issuers.root_pem,
        .issuer_pem = issuers.current().certificate.ToPem(),
        .trust_domain = context_.options.settings.trust_domain,
        .store = context_.store.Statistics()};
    for (const Profile& profile : context_.options.profiles.all()) {
      summary.profiles.push_back(profile.name);
    }
    return summary;
  }

  absl::StatusOr<std::vector<RequestStatus>> ListRequests(const RequestFilter& filter) override {
    std::vector<RequestStatus> list;
    const absl::Status read = context_.store.Read([&](StoreReader& reader) {
      absl::StatusOr<std::vector<RequestRecord>> found = reader.FindRequests(filter);
      if (!found.ok()) return found.status();
      for (RequestRecord& record : *found) {
        absl::StatusOr<RequestStatus> status = StatusOf(reader, std::move(record));
        if (!status.ok()) return status.status();
        list.push_back(*std::move(status));
      }
      return absl::OkStatus();
    });
    if (!read.ok()) return read;
    return list;
  }

  absl::StatusOr<RequestStatus> ShowRequest(std::string_view which) override {
    absl::StatusOr<RequestRecord> record = FindRequest(context_, which);
    if (!record.ok()) return record.status();
    return WithStatus(*std::move(record));
  }

  absl::StatusOr<CertificateStatus> Approve(std::string_view which,
                                            std::optional<Seconds> lifetime) override {
    const absl::StatusOr<RequestRecord> record = FindRequest(context_, which);
    if (!record.ok()) return RefuseUnfound("approve", which, record.status());
    return troth::Approve(context_, record->id, lifetime, actor_);
  }

  absl::StatusOr<RequestStatus> Reject(std::string_view which, std::string_view why) override {
    const absl::StatusOr<RequestRecord> record = FindRequest(context_, which);
    if (!record.ok()) return RefuseUnfound("reject", which, record.status());
    absl::StatusOr<RequestRecord> rejected = troth::Reject(context_, record->id, why, actor_);
    if (!rejected.ok()) return rejected.status();
    return WithStatus(*std::move(rejected));
  }

  absl::StatusOr<NewToken> CreateToken(const TokenSpec& spec) override {
    absl::StatusOr<NewToken> token = MakeToken(
        spec, context_.options.profiles,
        context_.issuers.current().root().certificate.fingerprint(), actor_, context_.clock.Now());
    if (!token.ok()) return Refused("create-token", "", token.status());
    const TokenRecord& record = token->record;
    auto change = std::make_shared<Change>();
    change->note = {.at = record.created_at,
                    .actor = actor_,
                    .action = "create-token",
                    .subject = record.id,
                    .detail = "profile=" + record.profile +
                              " names=" + (record.any_name ? "any" : NamesText(record.names)) +
                              " uses=" + std::to_string(record.max_uses) +
                              " until=" + FormatTime(record.expires_at)};
    change->work = [record](StoreTransaction& transaction, Change&) {
      return transaction.PutToken(record);
    };
    if (absl::Status status = Commit("token created", change); !status.ok()) return status;
    return token;
  }

  absl::StatusOr<std::vector<TokenRecord>> ListTokens() override {
    std::vector<TokenRecord> tokens;
    const absl::Status read = context_.store.Read([&](StoreReader& reader) {
      absl::StatusOr<std::vector<TokenRecord>> found = reader.Tokens();
      if (!found.ok()) return found.status();
      tokens = *std::move(found);
      return absl::OkStatus();
    });
    if (!read.ok()) return read;
    return tokens;
  }

  absl::StatusOr<TokenRecord> RevokeToken(std::string_view id) override {
    auto revoked = std::make_shared<TokenRecord>();
    auto change = std::make_shared<Change>();
    change->note = {.at = context_.clock.Now(),
                    .actor = actor_,
                    .action = "revoke-token",
                    .subject = Printable(id)};
    change->work = [id = std::string(id), revoked](StoreTransaction& transaction,
                                                   const Change& same) {
      absl::StatusOr<std::optional<TokenRecord>> token = transaction.FindToken(id);
      if (!token.ok()) return token.status();
      if (!token->has_value()) {
        return MakeError(Reason::kTokenInvalid, "there is no token '" + Printable(id) +
                                                    "'; `troth tokens list` shows those there are");
      }
      *revoked = **std::move(token);
      if (revoked->revoked_at.has_value()) return absl::OkStatus();
      revoked->revoked_at = same.note.at;
      return transaction.PutToken(*revoked);
    };
    if (absl::Status status = Commit("token revoked", change); !status.ok())
      return Refused("revoke-token", Printable(id), status);
    context_.tokens.Put(*revoked);
    return *revoked;
  }

  absl::StatusOr<std::vector<CertificateStatus>> ListCertificates(
      const CertificateFilter& filter) override {
    std::vector<CertificateStatus> list;
    const absl::Status read = context_.store.Read([&](StoreReader& reader) {
      absl::StatusOr<std::vector<CertificateRecord>> found = reader.FindCertificates(filter);
      if (!found.ok()) return found.status();
      for (CertificateRecord& record : *found) {
        absl::StatusOr<CertificateStatus> status = StatusOf(reader, std::move(record));
        if (!status.ok()) return status.status();
        list.push_back(*std::move(status));
      }
      return absl::OkStatus();
    });
    if (!read.ok()) return read;
    return list;
  }

  absl::StatusOr<CertificateStatus> ShowCertificate(std::string_view which) override {
    absl::StatusOr<std::vector<CertificateRecord>> found = FindWhich(context_, which, {.most = 1});
    if (!found.ok()) return found.status();
    absl::StatusOr<CertificateStatus> status =
        CertificateStatus{.record = std::move(found->front())};
    const absl::Status read = context_.store.Read([&](StoreReader& reader) {
      status = StatusOf(reader, std::move(status->record));
      return status.status();
    });
    if (!read.ok()) return read;
    return status;
  }

  absl::StatusOr<std::vector<CertificateStatus>> Revoke(const RevokeSpec& spec) override {
    return troth::Revoke(context_, lists_, spec, actor_);
  }

  absl::StatusOr<RefreshProgress> Refresh(
      const RefreshSpec& spec,
      const std::function<void(const RefreshProgress&)>& progress) override {
    return troth::Refresh(context_, spec, actor_, progress);
  }

  absl::StatusOr<std::string> CurrentCrl(std::uint32_t issuer) override {
    const absl::StatusOr<std::shared_ptr<const Crl>> list = lists_.Current(issuer);
    if (!list.ok()) return list.status();
    return (*list)->ToPem();
  }

  absl::StatusOr<LedgerHead> ReadLedger(
      std::uint64_t from, const std::function<bool(const LedgerEntry&)>& visit) override {
    LedgerHead head;
    const absl::Status read = context_.store.Read([&](StoreReader& reader) {
      const absl::StatusOr<LedgerHead> found = reader.Head();
      if (!found.ok()) return found.status();
      head = *found;
      return reader.VisitLedger(from, visit);
    });
    if (!read.ok()) return read;
    return head;
  }

 private:
  static absl::StatusOr<CertificateStatus> StatusOf(StoreReader& reader, CertificateRecord record) {
    absl::StatusOr<std::optional<RevocationRecord>> revocation =
        reader.FindRevocation(record.serial);
    if (!revocation.ok()) return revocation.status();
    return CertificateStatus{.record = std::move(record), .revocation = *std::move(revocation)};
  }

  static absl::StatusOr<RequestStatus> StatusOf(StoreReader& reader, RequestRecord record) {
    RequestStatus status{.record = std::move(record)};
    const absl::StatusOr<std::vector<RequestRecord>> same =
        reader.FindRequests({.name = status.record.name});
    if (!same.ok()) return same.status();
    for (const RequestRecord& other : *same) {
      if (other.key != status.record.key) status.same_name_other_key.push_back(other.id);
    }
    return status;
  }

  absl::StatusOr<RequestStatus> WithStatus(RequestRecord record) {
    absl::StatusOr<RequestStatus> status = RequestStatus{};
    const absl::Status read = context_.store.Read([&](StoreReader& reader) {
      status = StatusOf(reader, std::move(record));
      return status.status();
    });
    if (!read.ok()) return read;
    return status;
  }

  absl::Status Refused(std::string_view action, std::string subject, absl::Status why) {
    return Refuse(context_,
                  {.action = action,
                   .standing = Standing::kKnown,
                   .actor = actor_,
                   .subject = std::move(subject)},
                  std::move(why));
  }
  absl::Status RefuseUnfound(std::string_view action, std::string_view which, absl::Status why) {
    return Refused(action, Printable(which), std::move(why));
  }

  absl::Status Commit(std::string_view message, const std::shared_ptr<Change>& change) {
    absl::Status status = WriteAndWait(context_, change);
    if (status.ok()) {
      Log(LogLevel::kInfo, message,
          {{"subject", change->note.subject}, {"actor", actor_}, {"detail", change->note.detail}});
    }
    return status;
  }

  AuthorityContext& context_;
  CrlKeeper& lists_;
  const std::string actor_;
};

}  // namespace

std::unique_ptr<Operations> MakeLocalOperations(AuthorityContext& context, CrlKeeper& lists,
                                                std::string actor) {
  return std::make_unique<LocalOperations>(context, lists, std::move(actor));
}

}  // namespace troth
