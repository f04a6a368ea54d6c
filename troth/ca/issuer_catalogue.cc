#include <algorithm>
#include <utility>

#include "troth/base/reason.h"
#include "troth/ca/crl_file.h"
#include "troth/ca/issuer_catalogue_internal.h"

namespace troth {
namespace {

// What the authority's actions of its own are ledgered under.
constexpr std::string_view kSelf = "authority";

// The names of the authority's servers, and those of its own certificates.
absl::StatusOr<ReservedNames> ReservedBy(const AuthoritySettings& settings,
                                         const std::vector<NumberedIssuer>& issuers) {
  ReservedNames reserved{.trust_domain = settings.trust_domain};
  for (const std::string& text : settings.dns_names) {
    absl::StatusOr<AlternativeName> name = AlternativeName::Parse(text);
    if (!name.ok()) return WithContext(name.status(), "dns_names of the authority");
    reserved.names.push_back(*std::move(name));
  }
  for (const NumberedIssuer& issuer : issuers) {
    if (std::optional<std::string> name = issuer.certificate.subject().common_name()) {
      reserved.common_names.push_back(*std::move(name));
    }
  }
  return reserved;
}

// Every issuer certificate with its signer, oldest first; the root, as number 0, comes first.
struct Known {
  Certificate certificate;
  std::shared_ptr<const Signer> signer;
};
std::vector<Known> KnownOf(AuthorityKeys keys) {
  std::vector<Known> known;
  const auto share = [](Signer signer) {
    return std::make_shared<const Signer>(std::move(signer));
  };
  const bool one_tier = keys.issuer.certificate() == keys.root;
  known.push_back({keys.root, nullptr});
  std::ranges::reverse(keys.older_issuers);
  for (Signer& older : keys.older_issuers) {
    const Certificate certificate = older.certificate();
    known.push_back({certificate, share(std::move(older))});
  }
  const Certificate certificate = keys.issuer.certificate();
  std::shared_ptr<const Signer> signer = share(std::move(keys.issuer));
  if (one_tier) {
    known.front().signer = std::move(signer);
  } else {
    known.push_back({certificate, std::move(signer)});
  }
  return known;
}

absl::StatusOr<std::vector<IssuerRecord>> RecordsIn(Store& store) {
  std::vector<IssuerRecord> records;
  const absl::Status read = store.Read([&](StoreReader& reader) {
    absl::StatusOr<std::vector<IssuerRecord>> found = reader.Issuers();
    if (!found.ok()) return found.status();
    records = *std::move(found);
    return absl::OkStatus();
  });
  if (!read.ok()) return read;
  return records;
}

absl::Status AddToStore(Store& store, const IssuerRecord& record, const Certificate& certificate) {
  return store.WriteAndWait([&](StoreTransaction& transaction) {
    absl::Status status = transaction.PutIssuer(record);
    if (!status.ok()) return status;
    return transaction.AppendLedger(
        {.at = record.added_at,
         .actor = std::string(kSelf),
         .action = "issuer",
         .subject = certificate.serial_number().ToHex(),
         .detail = "number=" + std::to_string(record.number) +
                   " sha256=" + FormatFingerprint(certificate.fingerprint()) +
                   " name=" + certificate.subject().ToString()});
  });
}

// The store's records with those of `known` that it did not have, by number.
absl::StatusOr<std::vector<IssuerRecord>> Register(const std::vector<Known>& known, Store& store,
                                                   Time now) {
  absl::StatusOr<std::vector<IssuerRecord>> records = RecordsIn(store);
  if (!records.ok()) return records;
  for (const Known& issuer : known) {
    if (std::ranges::find(*records, issuer.certificate.der(), &IssuerRecord::der) !=
        records->end()) {
      continue;
    }
    const bool is_root = &issuer == &known.front();
    if (is_root != records->empty()) {
      return MakeError(Reason::kKeyMismatch,
                       "the store belongs to another authority than the keys: expected one whose "
                       "root is " +
                           known.front().certificate.Describe() +
                           "; restore keys and store from the same backup");
    }
    const IssuerRecord record{.number = records->empty() ? 0 : records->back().number + 1,
                              .der = issuer.certificate.der(),
                              .added_at = now};
    if (absl::Status status = AddToStore(store, record, issuer.certificate); !status.ok())
      return status;
    records->push_back(record);
  }
  return records;
}

}  // namespace

const NumberedIssuer* IssuerSet::Find(std::uint32_t number) const {
  const auto found = std::ranges::find(all, number, &NumberedIssuer::number);
  return found == all.end() ? nullptr : &*found;
}

absl::Status IssuerCatalogue::Load(AuthorityKeys keys, const AuthoritySettings& settings,
                                   Store& store, Time now) {
  const Certificate root = keys.root;
  const Certificate newest = keys.issuer.certificate();
  const std::vector<Known> known = KnownOf(std::move(keys));
  const absl::StatusOr<std::vector<IssuerRecord>> records = Register(known, store, now);
  if (!records.ok()) return records.status();

  auto set = std::make_unique<IssuerSet>();
  set->root_pem = std::make_shared<const std::string>(root.ToPem());
  for (auto record = records->rbegin(); record != records->rend(); ++record) {
    const absl::StatusOr<Certificate> certificate = Certificate::FromDer(record->der);
    if (!certificate.ok()) return WithContext(certificate.status(), "an issuer of the store");
    const auto own = std::ranges::find(known, *certificate, &Known::certificate);
    NumberedIssuer issuer{.number = record->number,
                          .certificate = *certificate,
                          .signer = own == known.end() ? nullptr : own->signer,
                          .chain_pem = std::make_shared<const std::string>(
                              record->number == 0 ? "" : certificate->ToPem())};
    // The newest signs. It is the first, unless an older backup of the keys was put back.
    const bool signs = *certificate == newest;
    set->all.insert(signs ? set->all.begin() : set->all.end(), std::move(issuer));
  }
  const NumberedIssuer& current = set->current();
  if (!settings.public_url.empty()) {
    if (CanSignLists(current.certificate)) set->crl_urls = {CrlUrl(settings, current.number)};
    set->issuer_urls = {IssuerUrl(settings, current.number)};
  }
  absl::StatusOr<ReservedNames> reserved = ReservedBy(settings, set->all);
  if (!reserved.ok()) return reserved.status();
  set->reserved = *std::move(reserved);

  const std::lock_guard lock(mutex_);
  current_.store(set.get(), std::memory_order_release);
  sets_.push_back(std::move(set));
  return absl::OkStatus();
}

}  // namespace troth
