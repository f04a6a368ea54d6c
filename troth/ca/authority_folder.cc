#include "troth/ca/authority_folder.h"

#include <algorithm>
#include <optional>

#include "troth/base/encoding.h"
#include "troth/base/file.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/ca/authority_folder_internal.h"
#include "troth/ca/crl_file.h"
#include "troth/ca/files_internal.h"
#include "troth/ca/key_pair_files.h"
#include "troth/ca/templates.h"

namespace troth {
namespace {

constexpr mode_t kFolderMode = 0700;
constexpr mode_t kPublicFolderMode = 0755;
constexpr Seconds kWarnBefore = std::chrono::hours(24 * 30);

KeyPairPaths RootPair(const AuthorityFolder& folder) {
  return {.key = folder.RootKey(), .certificate = folder.RootCertificate()};
}

absl::StatusOr<DistinguishedName> RootSubject(const AuthoritySpec& spec) {
  if (!spec.root_subject.empty()) return spec.root_subject;
  return DistinguishedName::FromCommonName(
      CommonNameOf("Troth Root CA", spec.settings.trust_domain));
}

absl::Status MakeRoot(const AuthorityFolder& folder, const AuthoritySpec& spec, Time now) {
  const absl::StatusOr<DistinguishedName> subject = RootSubject(spec);
  if (!subject.ok()) return subject.status();
  const absl::StatusOr<PrivateKey> key = PrivateKey::Generate(spec.key_type);
  if (!key.ok()) return key.status();
  const int path_length = spec.settings.one_tier ? 0 : 1;
  const absl::StatusOr<Certificate> root = IssueSelfSigned(
      AuthorityTemplate(*subject, key->public_key(), path_length, now, now + spec.root_lifetime),
      *key);
  if (!root.ok()) return root.status();
  const Secret* passphrase = spec.root_passphrase;
  if (spec.settings.one_tier && (passphrase == nullptr || passphrase->empty())) {
    passphrase = spec.issuer_passphrase;
  }
  const absl::StatusOr<Secret> pem = KeyPemOf(*key, passphrase);
  if (!pem.ok()) return pem.status();
  return ReplaceKeyPair(RootPair(folder), *pem, root->ToPem());
}

// The spec's passphrases, as the answers to whoever opens a key of the folder.
AskPassphrase PassphrasesOf(const AuthorityFolder& folder, const AuthoritySpec& spec) {
  return [root_key = folder.RootKey(), &spec](const std::string& path) -> absl::StatusOr<Secret> {
    const Secret* passphrase = spec.issuer_passphrase;
    if (path == root_key && spec.root_passphrase != nullptr && !spec.root_passphrase->empty()) {
      passphrase = spec.root_passphrase;
    }
    return passphrase != nullptr ? passphrase->Clone() : Secret();
  };
}

absl::Status RefuseWhatIsThere(const AuthorityFolder& folder, const AuthoritySpec& spec) {
  if (AuthorityExists(folder)) {
    return MakeError(Reason::kFileExists, "there is an authority in " + Quoted(folder.path()) +
                                              "; expected a folder without one");
  }
  if (FileExists(folder.Database())) {
    return MakeError(Reason::kFileExists,
                     Quoted(folder.Database()) +
                         " is there, but not all of the authority that it belongs to; restore "
                         "root.pem and authority.toml from a backup, or use another folder");
  }
  if (FileExists(folder.RootKey()) && !FileExists(folder.RootCertificate())) {
    return MakeError(Reason::kFileExists,
                     Quoted(folder.RootKey()) +
                         " is there without its certificate, and is not overwritten; restore "
                         "root.pem, or use another folder");
  }
  if (spec.settings.one_tier && FileExists(folder.IssuerCertificate())) {
    return MakeError(Reason::kUsageError,
                     "an authority with root and issuer was begun in " + Quoted(folder.path()) +
                         "; expected an empty folder for one with a single key");
  }
  return absl::OkStatus();
}

absl::Status MakeFolders(const AuthorityFolder& folder) {
  absl::Status status = MakeFolder(folder.path(), kFolderMode);
  if (status.ok()) status = MakeFolder(folder.CrlFolder(), kPublicFolderMode);
  return status;
}

absl::Status CheckOnlyOwnersKey(const std::string& path) {
  const std::optional<FileVersion> version = VersionOf(path);
  if (!version.has_value() || !IsOpenToOthers(version->mode)) return absl::OkStatus();
  return MakeError(Reason::kKeyFileTooOpen,
                   Quoted(path) + " can be used by others than its owner; expected mode 0600: " +
                       "`chmod 600`, and think of it as copied if others work on this machine");
}

absl::Status CheckValidity(const Certificate& certificate, std::string_view what, Time now,
                           std::string_view remedy) {
  if (now > certificate.validity().not_after) {
    return MakeError(Reason::kCertificateExpired, "the " + std::string(what) + " ended on " +
                                                      FormatTime(certificate.validity().not_after) +
                                                      ", now is " + FormatTime(now) + "; " +
                                                      std::string(remedy));
  }
  if (now < certificate.validity().not_before) {
    return MakeError(Reason::kCertificateNotYetValid,
                     "the " + std::string(what) + " begins on " +
                         FormatTime(certificate.validity().not_before) + ", now is " +
                         FormatTime(now) + "; check the clock");
  }
  return absl::OkStatus();
}

std::string RenewalOf(const AuthorityFolder& folder) {
  return FileExists(folder.RootKey())
             ? "renew it with `troth issuer renew`"
             : "renew it with `troth issuer request`, and `troth issuer sign` where the "
               "root's key is";
}

void WarnOfRootsList(const AuthorityFolder& folder, const Certificate& root, Time now,
                     std::vector<std::string>& warnings) {
  const absl::StatusOr<Crl> list = ReadCrl(folder.CrlFile(0), root);
  if (!list.ok()) {
    warnings.push_back(
        "the root has no revocation list (" + std::string(ToStd(list.status().message())) +
        "): who checks the whole chain will refuse every certificate; " + RenewalOf(folder));
  } else if (const Time end = list->next_update().value_or(now); end < now + kWarnBefore) {
    warnings.push_back("the root's revocation list is good until " + FormatTime(end) +
                       " only: " + RenewalOf(folder) + ", which makes a new one");
  }
}

std::string UrlBelow(const AuthoritySettings& settings, std::string_view path,
                     std::uint32_t issuer) {
  if (settings.public_url.empty()) return {};
  std::string_view base = settings.public_url;
  while (base.ends_with('/')) base.remove_suffix(1);
  return std::string(base) + std::string(path) + std::to_string(issuer);
}

absl::StatusOr<Signer> ReadSigner(const std::string& key_path, const Certificate& certificate,
                                  const AskPassphrase& ask) {
  if (absl::Status status = CheckOnlyOwnersKey(key_path); !status.ok()) return status;
  absl::StatusOr<PrivateKey> key = ReadDepotKey(key_path, ask);
  if (!key.ok()) return key.status();
  absl::StatusOr<Signer> signer = Signer::Create(certificate, *std::move(key));
  if (!signer.ok()) return WithContext(signer.status(), Quoted(key_path));
  return signer;
}

absl::StatusOr<AuthorityKeys> OpenOneTier(const AuthorityFolder& folder, const Certificate& root,
                                          const AskPassphrase& ask, Time now) {
  absl::Status valid = CheckValidity(root, "authority's certificate", now, "make a new authority");
  if (!valid.ok()) return valid;
  absl::StatusOr<Signer> signer = ReadSigner(folder.RootKey(), root, ask);
  if (!signer.ok()) return signer.status();
  return AuthorityKeys{.root = root,
                       .issuer = *std::move(signer),
                       .older_issuers = {},
                       .warnings = WarningsOf(folder, root, root, now)};
}

void AddOlderIssuers(const AuthorityFolder& folder, const std::vector<Certificate>& issuers,
                     const AskPassphrase& ask, Time now, AuthorityKeys& keys) {
  for (size_t i = 1; i < issuers.size(); ++i) {
    absl::StatusOr<Signer> older =
        ReadSigner(folder.OlderIssuerKey(issuers[i].public_key()), issuers[i], ask);
    if (older.ok()) {
      keys.older_issuers.push_back(*std::move(older));
    } else if (now <= issuers[i].validity().not_after) {
      keys.warnings.push_back(
          "what " + issuers[i].Describe() +
          " issued cannot be revoked any more: " + std::string(ToStd(older.status().message())));
    }
  }
}

}  // namespace

std::string CommonNameOf(std::string_view role, std::string_view trust_domain) {
  constexpr size_t kMostOfCommonName = 64;  // RFC 5280 appendix A.1
  std::string name(role);
  if (!trust_domain.empty() && name.size() + 1 + trust_domain.size() <= kMostOfCommonName) {
    name += ' ';
    name += trust_domain;
  }
  return name;
}

absl::StatusOr<Secret> KeyPemOf(const PrivateKey& key, const Secret* passphrase) {
  if (passphrase == nullptr || passphrase->empty()) return key.ToPem();
  return key.ToEncryptedPem(*passphrase);
}

bool LiesInTheClear(const std::string& path) {
  absl::StatusOr<std::string> text = ReadFile(path);
  if (!text.ok()) return false;
  const Secret pem(*std::move(text));
  return pem.Reveal().find("ENCRYPTED") == std::string_view::npos;
}

KeyPairPaths IssuerPair(const AuthorityFolder& folder) {
  return {.key = folder.IssuerKey(), .certificate = folder.IssuerCertificate()};
}

std::string AuthorityFolder::OlderIssuerKey(const PublicKey& key) const {
  return path_ + "/issuer." + FormatFingerprint(Sha256(key.der())).substr(0, 16) + ".key";
}

std::string CrlUrl(const AuthoritySettings& settings, std::uint32_t issuer) {
  return UrlBelow(settings, "/crl/", issuer);
}
std::string IssuerUrl(const AuthoritySettings& settings, std::uint32_t issuer) {
  return UrlBelow(settings, "/issuer/", issuer);
}

bool AuthorityExists(const AuthorityFolder& folder) {
  return FileExists(folder.Settings()) && FileExists(folder.RootCertificate());
}

absl::Status CreateAuthority(const AuthorityFolder& folder, const AuthoritySpec& spec,
                             const Clock& clock) {
  if (absl::Status status = MakeFolders(folder); !status.ok()) return status;
  const absl::StatusOr<bool> finished = FinishReplacing(RootPair(folder));
  if (!finished.ok()) return finished.status();
  if (absl::Status status = RefuseWhatIsThere(folder, spec); !status.ok()) return status;
  if (!FileExists(folder.RootCertificate())) {
    if (absl::Status status = MakeRoot(folder, spec, clock.Now()); !status.ok()) return status;
  }
  const AskPassphrase passphrases = PassphrasesOf(folder, spec);
  const absl::StatusOr<FolderLock> lock = LockIssuers(folder);
  if (!lock.ok()) return lock.status();
  if (!spec.settings.one_tier && !FileExists(folder.IssuerCertificate())) {
    const NewIssuer issuer{.settings = spec.settings,
                           .key_type = spec.key_type,
                           .lifetime = spec.issuer_lifetime,
                           .passphrase = spec.issuer_passphrase,
                           .revoked = spec.revoked};
    if (absl::Status status = MakeIssuer(folder, issuer, passphrases, clock); !status.ok())
      return status;
  }
  // Written last: with it, there is an authority.
  return WriteSettings(folder, spec.settings);
}

absl::StatusOr<FolderLock> LockIssuers(const AuthorityFolder& folder) {
  if (absl::Status status = MakeFolder(folder.CrlFolder(), kPublicFolderMode); !status.ok())
    return status;
  return FolderLock::Acquire(folder.CrlFolder());
}

std::vector<std::string> WarningsOf(const AuthorityFolder& folder, const Certificate& root,
                                    const Certificate& issuer, Time now) {
  std::vector<std::string> warnings;
  const bool one_tier = issuer == root;
  const Time root_end = root.validity().not_after;
  if (root_end < now + 12 * kWarnBefore) {
    warnings.push_back("the root ends on " + FormatTime(root_end) +
                       "; make a new authority, and have it trusted everywhere before");
  }
  if (one_tier) {
    if (!CanSignLists(root)) {
      warnings.push_back(
          "the authority's certificate may not sign revocation lists (its keyUsage lacks "
          "cRLSign): what is revoked is renewed no more, but others learn of it only when it ends");
    }
    return warnings;
  }
  const Time issuer_end = issuer.validity().not_after;
  if (issuer_end < now + kWarnBefore) {
    warnings.push_back("the issuer ends on " + FormatTime(issuer_end) +
                       ", and no certificate outlives it; " + RenewalOf(folder));
  }
  if (FileExists(folder.RootKey()) && LiesInTheClear(folder.RootKey())) {
    warnings.push_back("the root's key lies in the clear beside the issuer's, in " +
                       Quoted(folder.RootKey()) +
                       ": who takes this machine over can make another issuer; move it away");
  }
  WarnOfRootsList(folder, root, now, warnings);
  return warnings;
}

absl::StatusOr<AuthorityKeys> OpenAuthority(const AuthorityFolder& folder, const AskPassphrase& ask,
                                            Time now) {
  const absl::StatusOr<FolderLock> lock = LockIssuers(folder);
  if (!lock.ok()) return lock.status();
  for (const KeyPairPaths& pair : {RootPair(folder), IssuerPair(folder)}) {
    const absl::StatusOr<bool> finished = FinishReplacing(pair);
    if (!finished.ok()) return finished.status();
  }
  const absl::StatusOr<AuthoritySettings> settings = ReadSettings(folder);
  if (!settings.ok()) return settings.status();
  const absl::StatusOr<std::vector<Certificate>> roots =
      ReadCertificateFile(folder.RootCertificate());
  if (!roots.ok()) return roots.status();
  const Certificate& root = roots->front();
  if (settings->one_tier) return OpenOneTier(folder, root, ask, now);

  const absl::StatusOr<std::vector<Certificate>> issuers =
      ReadCertificateFile(folder.IssuerCertificate());
  if (!issuers.ok()) return issuers.status();
  const Certificate& issuer = issuers->front();
  if (absl::Status status = CheckIssuedBy(issuer, root); !status.ok())
    return WithContext(status, Quoted(folder.IssuerCertificate()));
  absl::Status valid = CheckValidity(issuer, "issuer", now, RenewalOf(folder));
  if (valid.ok()) valid = CheckValidity(root, "root", now, "make a new authority");
  if (!valid.ok()) return valid;
  absl::StatusOr<Signer> signer = ReadSigner(folder.IssuerKey(), issuer, ask);
  if (!signer.ok()) return signer.status();

  AuthorityKeys keys{.root = root, .issuer = *std::move(signer)};
  AddOlderIssuers(folder, *issuers, ask, now, keys);
  for (std::string& warning : WarningsOf(folder, root, issuer, now)) {
    keys.warnings.push_back(std::move(warning));
  }
  return keys;
}

}  // namespace troth
