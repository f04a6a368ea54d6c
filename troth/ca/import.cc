#include "troth/ca/import.h"

#include <optional>
#include <utility>
#include <vector>

#include "troth/base/file.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/ca/authority_folder_internal.h"
#include "troth/ca/key_pair_files.h"

namespace troth {
namespace {

std::string Quoted(const std::string& path) { return "'" + Printable(path, 400) + "'"; }

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
  if (AuthorityExists(folder)) return CheckIsTheSame(folder, spec, certificate);

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
  // Goes on with a root that is there.
  return CreateAuthority(folder,
                         {.settings = spec.settings,
                          .issuer_lifetime = spec.issuer_lifetime,
                          .root_passphrase = &passphrase,
                          .issuer_passphrase = spec.issuer_passphrase},
                         clock);
}

}  // namespace troth
