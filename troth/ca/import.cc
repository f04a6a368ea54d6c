#include "troth/ca/import.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "troth/base/file.h"
#include "troth/base/reason.h"
#include "troth/ca/authority_folder_internal.h"
#include "troth/ca/crl_file.h"
#include "troth/ca/files_internal.h"
#include "troth/ca/key_pair_files.h"
#include "troth/ca/revoked_list.h"

namespace troth {
namespace {

absl::Status CheckCanBeRoot(const Certificate& certificate, const ImportSpec& spec) {
  if (!certificate.IsSelfSigned()) {
    return MakeError(Reason::kUsageError, Quoted(spec.certificate) +
                                              ": expected a self-signed CA, got one that " +
                                              certificate.issuer().ToString() +
                                              " issued; import that one, or make a new authority");
  }
  const std::optional<BasicConstraints> constraints = certificate.basic_constraints();
  if (!spec.settings.one_tier && constraints.has_value() && constraints->path_length == 0) {
    return MakeError(Reason::kUsageError,
                     Quoted(spec.certificate) +
                         " allows no CA below it (pathlen 0), and so no issuer; give --one-tier");
  }
  return absl::OkStatus();
}

// An authority that is there: the one that would be made, or another.
absl::Status CheckIsTheSame(const AuthorityFolder& folder, const ImportSpec& spec,
                            const Certificate& certificate) {
  const absl::StatusOr<AuthoritySettings> settings = ReadSettings(folder);
  if (!settings.ok()) return settings.status();
  const absl::StatusOr<std::vector<Certificate>> roots =
      ReadCertificateFile(folder.RootCertificate());
  if (!roots.ok()) return roots.status();
  if (roots->front() != certificate) {
    return MakeError(Reason::kFileExists, "there is another authority in " + Quoted(folder.path()) +
                                              ", " + roots->front().Describe() +
                                              "; expected a folder without one");
  }
  if (settings->one_tier != spec.settings.one_tier) {
    return MakeError(Reason::kFileExists,
                     "the authority in " + Quoted(folder.path()) + " has " +
                         (settings->one_tier ? "one tier" : "a root and an issuer") +
                         "; expected a folder without one");
  }
  return absl::OkStatus();
}

absl::Status CheckLists(const std::vector<Crl>& lists, const Certificate& certificate) {
  for (const Crl& list : lists) {
    if (!list.issuer().Matches(certificate.subject())) {
      return MakeError(Reason::kIssuerUnknown, "expected a revocation list of " +
                                                   certificate.subject().ToString() +
                                                   ", got one of " + list.issuer().ToString());
    }
    if (absl::Status status = list.VerifySignature(certificate.public_key()); !status.ok())
      return WithContext(status, "the revocation list of " + list.issuer().ToString());
  }
  return absl::OkStatus();
}

std::vector<RevokedEntry> EntriesOf(const std::vector<Crl>& lists) {
  std::vector<RevokedEntry> entries;
  for (const Crl& list : lists) entries = Joined(std::move(entries), list.entries());
  return entries;
}

// The newest list, in the place of the root's: the first that the root signs here follows it.
absl::Status PutNewestList(const AuthorityFolder& folder, const std::vector<Crl>& lists) {
  if (lists.empty() || FileExists(folder.CrlFile(0))) return absl::OkStatus();
  const auto newest = std::ranges::max_element(lists, {}, &Crl::this_update);
  absl::Status status = MakeFolder(folder.CrlFolder());
  if (status.ok()) status = WriteCrl(folder.CrlFile(0), *newest);
  return status;
}

}  // namespace

absl::Status ImportAuthority(const AuthorityFolder& folder, const ImportSpec& spec,
                             const Clock& clock) {
  Secret passphrase;
  const AskPassphrase ask = [&](const std::string& path) -> absl::StatusOr<Secret> {
    if (!spec.ask) return Secret();
    absl::StatusOr<Secret> asked = spec.ask(path);
    if (asked.ok()) passphrase = asked->Clone();
    return asked;
  };
  const absl::StatusOr<Signer> signer = ReadAuthority(
      {.certificate = spec.certificate, .key = spec.private_key, .crl = {}}, ask, clock.Now());
  if (!signer.ok()) return signer.status();
  const Certificate& certificate = signer->certificate();
  if (absl::Status status = CheckCanBeRoot(certificate, spec); !status.ok()) return status;
  if (absl::Status status = CheckLists(spec.lists, certificate); !status.ok()) return status;
  const bool two_tier = !spec.settings.one_tier;
  if (AuthorityExists(folder)) {
    absl::Status status = CheckIsTheSame(folder, spec, certificate);
    if (status.ok() && two_tier) {
      status = AddToRootList(folder, *signer, EntriesOf(spec.lists), clock);
    }
    return status;
  }

  constexpr mode_t kFolderMode = 0700;
  if (absl::Status status = MakeFolder(folder.path(), kFolderMode); !status.ok()) return status;
  const KeyPairPaths pair{.key = folder.RootKey(), .certificate = folder.RootCertificate()};
  const absl::StatusOr<bool> finished = FinishReplacing(pair);
  if (!finished.ok()) return finished.status();
  if (FileExists(pair.certificate)) {
    const absl::StatusOr<std::vector<Certificate>> there = ReadCertificateFile(pair.certificate);
    if (!there.ok()) return there.status();
    if (there->front() != certificate) {
      return MakeError(Reason::kFileExists,
                       Quoted(pair.certificate) + " is another CA's; expected an empty folder");
    }
  } else if (FileExists(pair.key)) {
    return MakeError(Reason::kFileExists, Quoted(pair.key) +
                                              " is there without its certificate, and is not "
                                              "overwritten; expected an empty folder");
  } else {
    const absl::StatusOr<Secret> pem = KeyPemOf(signer->key(), &passphrase);
    if (!pem.ok()) return pem.status();
    if (absl::Status status = ReplaceKeyPair(pair, *pem, certificate.ToPem()); !status.ok())
      return status;
  }
  if (two_tier) {
    if (absl::Status status = PutNewestList(folder, spec.lists); !status.ok()) return status;
  }
  // Goes on with a root that is there.
  return CreateAuthority(folder,
                         {.settings = spec.settings,
                          .issuer_lifetime = spec.issuer_lifetime,
                          .root_passphrase = &passphrase,
                          .issuer_passphrase = spec.issuer_passphrase,
                          .revoked = EntriesOf(spec.lists)},
                         clock);
}

}  // namespace troth
