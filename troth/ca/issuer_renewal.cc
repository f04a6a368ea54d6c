// Issuers are prepared, activated and retired.
#include <algorithm>
#include <optional>
#include <utility>

#include "troth/base/file.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/ca/authority_folder.h"
#include "troth/ca/authority_folder_internal.h"
#include "troth/ca/crl_file.h"
#include "troth/ca/files_internal.h"
#include "troth/ca/revoked_list.h"
#include "troth/ca/templates.h"
#include "troth/pki/certificate_request.h"
#include "troth/pki/path_validation.h"
#include "troth/pki/trust_bundle.h"

namespace troth {
namespace {

constexpr mode_t kRequestMode = 0644;
// The root's list ends this long after the issuer that came with it: time to renew that one.
constexpr Seconds kListGrace = std::chrono::hours(24 * 30);
constexpr Seconds kLeastListLifetime = std::chrono::hours(24 * 365);
constexpr Seconds kRetirementGrace = std::chrono::hours(24 * 90);

absl::Status RemovePrepared(const AuthorityFolder& folder) {
  // The request goes last: with it, and without its key, a new preparation begins anew.
  absl::Status status = RemoveFile(folder.NextIssuerKey());
  if (status.ok()) status = RemoveFile(folder.NextIssuerRevoked());
  if (status.ok()) status = RemoveFile(folder.NextIssuerRequest());
  return status;
}

// Every issuer has a name of its own, so that no list of one is taken for another's.
absl::StatusOr<DistinguishedName> IssuerSubject(const AuthoritySettings& settings,
                                                const PublicKey& key) {
  const std::string id = FormatFingerprint(Sha256(key.der())).substr(0, 8);
  return DistinguishedName::FromCommonName(
      CommonNameOf("Troth Issuing CA " + id, settings.trust_domain));
}

absl::StatusOr<std::vector<Certificate>> PresentIssuers(const AuthorityFolder& folder) {
  if (!FileExists(folder.IssuerCertificate())) return std::vector<Certificate>();
  return ReadCertificateFile(folder.IssuerCertificate());
}

// A new issuer's key is of the type of the present one's.
absl::StatusOr<KeyType> PresentKeyType(const AuthorityFolder& folder) {
  const absl::StatusOr<std::vector<Certificate>> present = PresentIssuers(folder);
  if (!present.ok()) return present.status();
  if (present->empty()) return KeyType::kP256;
  return TypeOf(present->front().public_key()).value_or(KeyType::kP256);
}

// What the present issuer's key is kept under; empty when it lies in the clear.
absl::StatusOr<Secret> PresentPassphrase(const AuthorityFolder& folder, const AskPassphrase& ask) {
  Secret passphrase;
  if (!FileExists(folder.IssuerKey()) || LiesInTheClear(folder.IssuerKey())) return passphrase;
  const AskPassphrase listen = [&](const std::string& path) -> absl::StatusOr<Secret> {
    absl::StatusOr<Secret> asked = ask ? ask(path) : Secret();
    if (asked.ok()) passphrase = asked->Clone();
    return asked;
  };
  const absl::StatusOr<PrivateKey> key = ReadDepotKey(folder.IssuerKey(), listen);
  if (!key.ok()) {
    return WithContext(key.status(), "the present issuer's key, whose passphrase the new one gets");
  }
  return passphrase;
}

absl::StatusOr<CertificateRequest> ReadPrepared(const AuthorityFolder& folder) {
  const absl::StatusOr<std::string> pem = ReadFile(folder.NextIssuerRequest());
  if (!pem.ok()) return pem.status();
  absl::StatusOr<CertificateRequest> request = CertificateRequest::FromPem(*pem);
  if (!request.ok()) return WithContext(request.status(), Quoted(folder.NextIssuerRequest()));
  return request;
}

// Whether a request waits for its certificate. What an interrupted preparation, or one that came to
// its end, has left does not count.
absl::StatusOr<bool> IsPrepared(const AuthorityFolder& folder) {
  if (!FileExists(folder.NextIssuerKey()) || !FileExists(folder.NextIssuerRequest())) return false;
  const absl::StatusOr<CertificateRequest> request = ReadPrepared(folder);
  if (!request.ok()) return request.status();
  const absl::StatusOr<std::vector<Certificate>> issuers = PresentIssuers(folder);
  if (!issuers.ok()) return issuers.status();
  return issuers->empty() || issuers->front().public_key() != request->public_key();
}

absl::Status Prepare(const AuthorityFolder& folder, const NewIssuer& issuer) {
  const absl::StatusOr<bool> prepared = IsPrepared(folder);
  if (!prepared.ok()) return prepared.status();
  if (*prepared) return absl::OkStatus();
  if (absl::Status status = RemovePrepared(folder); !status.ok()) return status;

  const absl::StatusOr<PrivateKey> key = PrivateKey::Generate(issuer.key_type);
  if (!key.ok()) return key.status();
  const absl::StatusOr<Secret> pem = KeyPemOf(*key, issuer.passphrase);
  if (!pem.ok()) return pem.status();
  const absl::StatusOr<DistinguishedName> subject =
      IssuerSubject(issuer.settings, key->public_key());
  if (!subject.ok()) return subject.status();
  const absl::StatusOr<CertificateRequest> request = CertificateRequest::Create(*key, *subject, {});
  if (!request.ok()) return request.status();
  absl::Status status = WriteFile(folder.NextIssuerKey(), pem->Reveal(), {.mode = kKeyFileMode});
  if (status.ok()) {
    status = WriteFile(folder.NextIssuerRequest(), request->ToPem(), {.mode = kRequestMode});
  }
  return status;
}

absl::StatusOr<Certificate> ReadRoot(const AuthorityFolder& folder) {
  absl::StatusOr<std::vector<Certificate>> roots = ReadCertificateFile(folder.RootCertificate());
  if (!roots.ok()) return roots.status();
  return std::move(roots->front());
}

// The root's list in the folder; nothing only when there is none: one that cannot be read may hold
// what is lost without it.
absl::StatusOr<std::optional<Crl>> PresentRootList(const AuthorityFolder& folder,
                                                   const Certificate& root) {
  absl::StatusOr<Crl> present = ReadCrl(folder.CrlFile(0), root);
  if (present.ok()) return std::optional<Crl>(*std::move(present));
  if (ReasonOf(present.status()) == Reason::kFileNotFound) return std::optional<Crl>();
  return WithContext(present.status(),
                     "the root's present revocation list, whose entries the next one needs "
                     "(restore it from a backup, or remove it if nothing was on it)");
}

// Those of `wanted` that the list does not hold.
std::vector<RevokedEntry> MissingIn(const std::optional<Crl>& list,
                                    const std::vector<RevokedEntry>& wanted) {
  std::vector<RevokedEntry> missing;
  for (const RevokedEntry& entry : wanted) {
    if (!list.has_value() || list->Find(entry.serial) == nullptr) missing.push_back(entry);
  }
  return missing;
}

absl::Status CheckForgetsNothing(const AuthorityFolder& folder, const Crl& present,
                                 const Crl& list) {
  constexpr size_t kMostNamed = 10;
  const std::vector<RevokedEntry> missing = MissingIn(list, present.entries());
  if (missing.empty()) return absl::OkStatus();
  std::vector<std::string> serials;
  for (const RevokedEntry& entry : missing) {
    if (serials.size() < kMostNamed) serials.push_back(entry.serial.ToHex());
  }
  return MakeError(Reason::kUsageError,
                   "the root's new revocation list lacks what is revoked on its present one: " +
                       Join(serials, ", ") + (missing.size() > kMostNamed ? ", ..." : "") +
                       "; sign again, with `--crl` and a copy of " + Quoted(folder.CrlFile(0)));
}

absl::Status WriteRootList(const AuthorityFolder& folder, const Crl& list) {
  absl::Status status = MakeFolder(folder.CrlFolder());
  if (status.ok()) status = WriteCrl(folder.CrlFile(0), list);
  return status;
}

// Puts the list in place unless the one that is there is newer.
absl::Status InstallRootList(const AuthorityFolder& folder, const Certificate& root,
                             const Crl& list, Time now) {
  if (!list.issuer().Matches(root.subject()) || !list.VerifySignature(root.public_key()).ok()) {
    return MakeError(Reason::kCrlMalformed, "expected a revocation list of " +
                                                root.subject().ToString() + ", got one of " +
                                                list.issuer().ToString() +
                                                " or one that it did not sign");
  }
  const absl::StatusOr<std::optional<Crl>> found = PresentRootList(folder, root);
  if (!found.ok()) return found.status();
  const std::optional<Crl>& present = *found;
  if (present.has_value()) {
    // One from the future was made with a wrong clock.
    const bool newer = present->this_update() > list.this_update() && present->this_update() <= now;
    if (newer) return absl::OkStatus();
    if (absl::Status status = CheckForgetsNothing(folder, *present, list); !status.ok())
      return status;
  }
  return WriteRootList(folder, list);
}

absl::Status InstallRootLists(const AuthorityFolder& folder, const Certificate& root,
                              std::string_view pem, Time now) {
  if (pem.find("BEGIN X509 CRL") == std::string_view::npos) return absl::OkStatus();
  const absl::StatusOr<std::vector<Crl>> lists = Crl::ListFromBytes(pem);
  if (!lists.ok()) return lists.status();
  for (const Crl& list : *lists) {
    if (absl::Status status = InstallRootList(folder, root, list, now); !status.ok()) return status;
  }
  return absl::OkStatus();
}

// The certificate of `pem` that is for this key.
absl::StatusOr<Certificate> CertificateFor(const PublicKey& key, std::string_view pem) {
  const absl::StatusOr<std::vector<Certificate>> certificates = Certificate::ListFromPem(pem);
  if (!certificates.ok()) return certificates.status();
  const auto own = std::ranges::find(*certificates, key, &Certificate::public_key);
  if (own != certificates->end()) return *own;
  return MakeError(Reason::kKeyMismatch,
                   "expected a certificate for the key that was prepared, "
                   "got " +
                       certificates->front().Describe());
}

absl::Status CheckNewIssuer(const Certificate& issuer, const Certificate& root, Time now) {
  if (absl::Status status = CheckIssuedBy(issuer, root); !status.ok()) return status;
  return ValidatePath(issuer, {}, TrustBundle::FromCertificates({root}), {.now = now}).status;
}

bool Holds(std::string_view pem, const Certificate& certificate) {
  const absl::StatusOr<std::vector<Certificate>> certificates = Certificate::ListFromPem(pem);
  return certificates.ok() && std::ranges::find(*certificates, certificate) != certificates->end();
}

// The present issuer's key, kept under a name of its own before another takes its place.
absl::Status KeepKeyOf(const AuthorityFolder& folder, const Certificate& present) {
  absl::StatusOr<std::string> text = ReadFile(folder.IssuerKey());
  if (!text.ok()) return text.status();
  const Secret key(*std::move(text));
  return WriteFile(folder.OlderIssuerKey(present.public_key()), key.Reveal(),
                   {.mode = kKeyFileMode, .overwrite = Overwrite::kReplace});
}

absl::Status TakePlace(const AuthorityFolder& folder, const Certificate& issuer,
                       const std::vector<Certificate>& present) {
  if (!present.empty()) {
    if (absl::Status status = KeepKeyOf(folder, present.front()); !status.ok()) return status;
  }
  absl::StatusOr<std::string> text = ReadFile(folder.NextIssuerKey());
  if (!text.ok()) return text.status();
  const Secret key(*std::move(text));
  std::vector<Certificate> all = {issuer};
  all.insert(all.end(), present.begin(), present.end());
  return ReplaceKeyPair(IssuerPair(folder), key, PemOf(all));
}

absl::Status Activate(const AuthorityFolder& folder, std::string_view pem, const AskPassphrase& ask,
                      Time now) {
  const absl::StatusOr<bool> finished = FinishReplacing(IssuerPair(folder));
  if (!finished.ok()) return finished.status();
  const absl::StatusOr<Certificate> root = ReadRoot(folder);
  if (!root.ok()) return root.status();
  const absl::StatusOr<std::vector<Certificate>> present = PresentIssuers(folder);
  if (!present.ok()) return present.status();
  if (!present->empty() && Holds(pem, present->front())) {  // an interrupted activation
    if (absl::Status status = InstallRootLists(folder, *root, pem, now); !status.ok())
      return status;
    return RemovePrepared(folder);
  }

  const absl::StatusOr<CertificateRequest> request = ReadPrepared(folder);
  if (!request.ok()) return request.status();
  const absl::StatusOr<Certificate> issuer = CertificateFor(request->public_key(), pem);
  if (!issuer.ok()) return issuer.status();
  if (absl::Status status = CheckNewIssuer(*issuer, *root, now); !status.ok()) return status;
  absl::StatusOr<PrivateKey> key = ReadDepotKey(folder.NextIssuerKey(), ask);
  if (!key.ok()) return key.status();
  const absl::StatusOr<Signer> signer = Signer::Create(*issuer, *std::move(key));
  if (!signer.ok()) return signer.status();

  absl::Status status = InstallRootLists(folder, *root, pem, now);
  if (status.ok()) status = TakePlace(folder, *issuer, *present);
  if (status.ok()) status = RemovePrepared(folder);
  return status;
}

}  // namespace

absl::Status CheckIssuedBy(const Certificate& issuer, const Certificate& root) {
  if (issuer.issuer().Matches(root.subject()) &&
      root.public_key()
          .Verify(issuer.signature_algorithm(), issuer.tbs_der(), issuer.signature())
          .ok()) {
    return absl::OkStatus();
  }
  return MakeError(Reason::kIssuerUnknown, "expected an issuer that " + root.Describe() +
                                               " signed, got " + issuer.Describe());
}

absl::Status MakeIssuer(const AuthorityFolder& folder, const NewIssuer& issuer,
                        const AskPassphrase& ask, const Clock& clock) {
  const absl::StatusOr<Certificate> root = ReadRoot(folder);
  if (!root.ok()) return root.status();
  if (!FileExists(folder.RootKey())) {
    return MakeError(Reason::kFileNotFound,
                     "the root's key is not in the folder ('" + folder.RootKey() +
                         "' is not there); put it back for the moment, or, where the root is "
                         "elsewhere, use `troth issuer request`, `sign` and `activate`");
  }
  absl::StatusOr<PrivateKey> root_key = ReadDepotKey(folder.RootKey(), ask);
  if (!root_key.ok()) return root_key.status();
  const absl::StatusOr<Signer> signer = Signer::Create(*root, *std::move(root_key));
  if (!signer.ok()) return WithContext(signer.status(), Quoted(folder.RootKey()));
  const absl::StatusOr<std::optional<Crl>> present = PresentRootList(folder, *root);
  if (!present.ok()) return present.status();
  if (absl::Status status = Prepare(folder, issuer); !status.ok()) return status;
  const absl::StatusOr<CertificateRequest> request = ReadPrepared(folder);
  if (!request.ok()) return request.status();
  const absl::StatusOr<Certificate> certificate =
      SignIssuer(*signer, request->ToPem(), issuer.lifetime, issuer.settings, clock);
  if (!certificate.ok()) return certificate.status();
  const absl::StatusOr<Crl> list =
      SignRootList(*signer, *certificate, *present, issuer.revoked, clock);
  if (!list.ok()) return list.status();
  return Activate(folder, certificate->ToPem() + list->ToPem(), ask, clock.Now());
}

absl::Status RenewIssuer(const AuthorityFolder& folder, Seconds lifetime, const AskPassphrase& ask,
                         const std::vector<RevokedEntry>& revoked, const Clock& clock) {
  const absl::StatusOr<FolderLock> lock = LockIssuers(folder);
  if (!lock.ok()) return lock.status();
  const absl::StatusOr<AuthoritySettings> settings = ReadSettings(folder);
  if (!settings.ok()) return settings.status();
  if (settings->one_tier) {
    return MakeError(Reason::kUsageError,
                     "the authority in " + Quoted(folder.path()) +
                         " has one key and no issuer below it; expected one with root and issuer");
  }
  const absl::StatusOr<KeyType> type = PresentKeyType(folder);
  if (!type.ok()) return type.status();
  const absl::StatusOr<Secret> passphrase = PresentPassphrase(folder, ask);
  if (!passphrase.ok()) return passphrase.status();
  const NewIssuer issuer{.settings = *settings,
                         .key_type = *type,
                         .lifetime = lifetime,
                         .passphrase = &*passphrase,
                         .revoked = revoked};
  const AskPassphrase with_new =
      [&, next = folder.NextIssuerKey()](const std::string& path) -> absl::StatusOr<Secret> {
    if (path == next && !passphrase->empty()) return passphrase->Clone();
    if (ask) return ask(path);
    return Secret();
  };
  return MakeIssuer(folder, issuer, with_new, clock);
}

absl::StatusOr<PreparedIssuer> PrepareIssuer(const AuthorityFolder& folder,
                                             const AskPassphrase& ask,
                                             const std::vector<RevokedEntry>& revoked) {
  const absl::StatusOr<FolderLock> lock = LockIssuers(folder);
  if (!lock.ok()) return lock.status();
  const absl::StatusOr<AuthoritySettings> settings = ReadSettings(folder);
  if (!settings.ok()) return settings.status();
  const absl::StatusOr<KeyType> type = PresentKeyType(folder);
  if (!type.ok()) return type.status();
  const absl::StatusOr<Certificate> root = ReadRoot(folder);
  if (!root.ok()) return root.status();
  const absl::StatusOr<std::optional<Crl>> list = PresentRootList(folder, *root);
  if (!list.ok()) return list.status();
  const absl::StatusOr<bool> prepared = IsPrepared(folder);
  if (!prepared.ok()) return prepared.status();
  if (!*prepared) {
    const absl::StatusOr<Secret> passphrase = PresentPassphrase(folder, ask);
    if (!passphrase.ok()) return passphrase.status();
    const absl::Status status = Prepare(folder, {.settings = *settings,
                                                 .key_type = *type,
                                                 .lifetime = {},
                                                 .passphrase = &*passphrase,
                                                 .revoked = revoked});
    if (!status.ok()) return status;
  }
  PreparedIssuer paths{.request = folder.NextIssuerRequest()};
  if (list->has_value()) paths.root_list = folder.CrlFile(0);
  const std::vector<RevokedEntry> missing = MissingIn(*list, revoked);
  if (missing.empty()) {
    if (absl::Status status = RemoveFile(folder.NextIssuerRevoked()); !status.ok()) return status;
    return paths;
  }
  paths.revoked = folder.NextIssuerRevoked();
  const absl::Status written = WriteFile(paths.revoked, WriteRevoked(missing),
                                         {.mode = kRequestMode, .overwrite = Overwrite::kReplace});
  if (!written.ok()) return written;
  return paths;
}

absl::StatusOr<Certificate> SignIssuer(const Signer& root, std::string_view request_pem,
                                       Seconds lifetime, const AuthoritySettings& settings,
                                       const Clock& clock) {
  const absl::StatusOr<CertificateRequest> request = CertificateRequest::FromPem(request_pem);
  if (!request.ok()) return request.status();
  if (request->public_key() == root.key().public_key()) {
    return MakeError(Reason::kRequestMalformed,
                     "the request is for the root's own key; expected a key of the issuer's own");
  }
  const absl::StatusOr<DistinguishedName> subject = IssuerSubject(settings, request->public_key());
  if (!subject.ok()) return subject.status();
  const Time now = clock.Now();
  CertificateTemplate what =
      AuthorityTemplate(*subject, request->public_key(), /*path_length=*/0, now, now + lifetime);
  if (!settings.public_url.empty()) {
    what.crl_urls = {CrlUrl(settings, 0)};
    what.ca_issuer_urls = {IssuerUrl(settings, 0)};
  }
  return Issue(what, root);
}

absl::StatusOr<Crl> SignRootList(const Signer& root, const Certificate& issuer,
                                 const std::optional<Crl>& present,
                                 const std::vector<RevokedEntry>& revoked, const Clock& clock) {
  const Time now = clock.Now();
  const Time end = std::max(now + kLeastListLifetime, issuer.validity().not_after + kListGrace);
  std::vector<RevokedEntry> before;
  if (present.has_value()) before = present->entries();
  return NextCrl(present, Joined(std::move(before), revoked),
                 std::min(end, root.certificate().validity().not_after), root, now);
}

absl::Status AddToRootList(const AuthorityFolder& folder, const Signer& root,
                           const std::vector<RevokedEntry>& revoked, const Clock& clock) {
  const absl::StatusOr<FolderLock> lock = LockIssuers(folder);
  if (!lock.ok()) return lock.status();
  const absl::StatusOr<std::optional<Crl>> present = PresentRootList(folder, root.certificate());
  if (!present.ok()) return present.status();
  if (MissingIn(*present, revoked).empty()) return absl::OkStatus();
  const absl::StatusOr<std::vector<Certificate>> issuers =
      ReadCertificateFile(folder.IssuerCertificate());
  if (!issuers.ok()) return issuers.status();
  const absl::StatusOr<Crl> list = SignRootList(root, issuers->front(), *present, revoked, clock);
  if (!list.ok()) return list.status();
  return WriteRootList(folder, *list);
}

absl::Status ActivateIssuer(const AuthorityFolder& folder, std::string_view pem,
                            const AskPassphrase& ask, const Clock& clock) {
  const absl::StatusOr<FolderLock> lock = LockIssuers(folder);
  if (!lock.ok()) return lock.status();
  return Activate(folder, pem, ask, clock.Now());
}

absl::Status RetireIssuers(const AuthorityFolder& folder, Time now) {
  const absl::StatusOr<FolderLock> lock = LockIssuers(folder);
  if (!lock.ok()) return lock.status();
  const absl::StatusOr<std::vector<Certificate>> present = PresentIssuers(folder);
  if (!present.ok()) return present.status();
  std::vector<Certificate> kept;
  for (const Certificate& issuer : *present) {
    if (kept.empty() || now <= issuer.validity().not_after + kRetirementGrace) {
      kept.push_back(issuer);
    } else if (absl::Status status = RemoveFile(folder.OlderIssuerKey(issuer.public_key()));
               !status.ok()) {
      return status;
    }
  }
  if (kept.size() == present->size()) return absl::OkStatus();
  return WriteFile(folder.IssuerCertificate(), PemOf(kept),
                   {.mode = kCertificateFileMode, .overwrite = Overwrite::kReplace});
}

}  // namespace troth
