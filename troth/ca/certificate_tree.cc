#include "troth/ca/certificate_tree.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "troth/base/file.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/ca/files_internal.h"
#include "troth/ca/key_pair_files.h"
#include "troth/ca/templates.h"
#include "troth/ca/tree_layout.h"
#include "troth/ca/tree_run_internal.h"

namespace troth {
namespace {

// More would not help: a service that missed two renewals has an expired leaf soon. Each costs a
// kilobyte in the handshakes of TLS libraries that present the whole file.
constexpr size_t kMostOlderLeaves = 2;

bool IsWhole(const TreeRun& run) {
  if (!FileExists(run.ca().key) || !FileExists(run.ca().certificate)) return false;
  return std::ranges::all_of(TreeLeaves(), [&](const TreeLeaf& leaf) {
    const KeyPairPaths paths = run.PathsOf(leaf);
    return FileExists(paths.key) && FileExists(paths.certificate) &&
           FileExists(AuthorityCopyPath(run.options().folder, leaf));
  });
}

absl::Status GenerateAuthority(TreeRun& run) {
  if (FileExists(run.ca().certificate)) {
    if (!FileExists(run.ca().key)) {
      return MakeError(Reason::kFileNotFound,
                       Quoted(run.ca().certificate) + " is there and " + Quoted(run.ca().key) +
                           " is not; put the key back, or make a new CA with "
                           "`troth certs generate --roll-ca`");
    }
    run.report().kept.push_back(run.ca().certificate);
    run.report().kept.push_back(run.ca().key);
    return run.LoadAuthority();
  }
  absl::StatusOr<PrivateKey> key =
      run.KeepOrMakeKey(run.ca().key, KeyType::kRsa4096, run.options().passphrase);
  if (!key.ok()) return key.status();
  const absl::StatusOr<Certificate> certificate = run.IssueAuthority(TreeAuthoritySubject(), *key);
  if (!certificate.ok()) return certificate.status();
  if (absl::Status status = WriteFile(run.ca().certificate, certificate->ToPem(), {}); !status.ok())
    return status;
  run.ReportMade("ca", run.ca(), *certificate, 0);
  return run.LoadAuthority();
}

// Whether a leaf that is there fits its key and the CA.
absl::Status CheckLeaf(TreeRun& run, const TreeLeaf& leaf) {
  const KeyPairPaths paths = run.PathsOf(leaf);
  if (!FileExists(paths.key)) {
    return MakeError(
        Reason::kFileNotFound,
        Quoted(paths.certificate) + " is there and " + Quoted(paths.key) +
            " is not; put the key back, or make both new with `troth certs generate --renew " +
            std::string(leaf.name) + "`");
  }
  const absl::StatusOr<std::vector<Certificate>> certificates =
      ReadCertificateFile(paths.certificate);
  if (!certificates.ok()) return certificates.status();
  const absl::StatusOr<PrivateKey> key = ReadKeyFile(paths.key, nullptr);
  if (!key.ok()) return key.status();
  if (certificates->front().public_key() != key->public_key()) {
    return MakeError(Reason::kKeyMismatch, Quoted(paths.key) +
                                               " does not belong to the first certificate in " +
                                               Quoted(paths.certificate) +
                                               "; put the right one back, or make both new with "
                                               "`troth certs generate --renew " +
                                               std::string(leaf.name) + "`");
  }
  return run.CheckPath(leaf, certificates->front(), run.bundle());
}

absl::Status GenerateLeaf(TreeRun& run, const TreeLeaf& leaf) {
  const KeyPairPaths paths = run.PathsOf(leaf);
  if (FileExists(paths.certificate)) {
    run.report().kept.push_back(paths.certificate);
    run.report().kept.push_back(paths.key);
    return CheckLeaf(run, leaf);
  }
  absl::StatusOr<PrivateKey> key = run.KeepOrMakeKey(paths.key, KeyType::kRsa2048, nullptr);
  if (!key.ok()) return key.status();
  const absl::StatusOr<Certificate> certificate =
      run.IssueLeaf(leaf, SubjectOf(leaf), NamesOf(leaf), key->public_key());
  if (!certificate.ok()) return certificate.status();
  if (absl::Status status = WriteFile(paths.certificate, certificate->ToPem(), {}); !status.ok())
    return status;
  run.ReportMade(leaf.name, paths, *certificate, 0);
  return absl::OkStatus();
}

absl::Status Generate(TreeRun& run) {
  if (IsWhole(run)) {
    return WithFix(
        MakeError(Reason::kFileExists, Quoted(run.options().folder) +
                                           " holds a whole tree, and nothing in it is overwritten"),
        "for new keys and certificates run `troth certs generate --renew NAME` or `--renew all`, "
        "for a new CA `--roll-ca`");
  }
  if (absl::Status status = GenerateAuthority(run); !status.ok()) return status;
  for (const TreeLeaf& leaf : TreeLeaves()) {
    if (const std::string copy = AuthorityCopyPath(run.options().folder, leaf); FileExists(copy)) {
      const absl::StatusOr<std::vector<Certificate>> present = ReadCertificateFile(copy);
      if (!present.ok()) return present.status();
      if (*present != run.bundle()) {
        return MakeError(Reason::kFileExists, Quoted(copy) + " differs from " +
                                                  Quoted(run.ca().certificate) +
                                                  " and is not overwritten; remove the wrong one");
      }
    }
    absl::Status status = run.CopyAuthorityTo(leaf);
    if (status.ok()) status = GenerateLeaf(run, leaf);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Renew(TreeRun& run, const TreeLeaf& leaf) {
  const KeyPairPaths paths = run.PathsOf(leaf);
  const absl::StatusOr<std::vector<Certificate>> present = ReadCertificateFile(paths.certificate);
  if (!present.ok()) {
    if (ReasonOf(present.status()) != Reason::kFileNotFound) return present.status();
    return MakeError(
        Reason::kFileNotFound,
        Quoted(paths.certificate) +
            " is not there, so there is nothing to renew; `troth certs generate` makes what "
            "is missing");
  }
  const Certificate& old = present->front();

  std::vector<AlternativeName> names = old.alternative_names();
  if (names.empty()) names = NamesOf(leaf);
  const KeyType type =
      run.options().key_type.value_or(TypeOf(old.public_key()).value_or(KeyType::kRsa2048));
  const absl::StatusOr<PrivateKey> key = PrivateKey::Generate(type);
  if (!key.ok()) return key.status();
  const absl::StatusOr<Certificate> certificate =
      run.IssueLeaf(leaf, old.subject(), std::move(names), key->public_key());
  if (!certificate.ok()) return certificate.status();

  std::vector<Certificate> content = {*certificate};
  if (leaf.pinned) {
    for (const Certificate& older : *present) {
      if (content.size() > kMostOlderLeaves) break;
      if (!older.is_ca() && IsUnexpired(older, run.now())) content.push_back(older);
    }
  }
  if (absl::Status status = ReplaceKeyPair(paths, key->ToPem(), PemOf(content)); !status.ok())
    return status;
  run.ReportMade(leaf.name, paths, *certificate, content.size() - 1);
  return absl::OkStatus();
}

absl::Status RollAuthority(TreeRun& run) {
  const absl::StatusOr<std::vector<Certificate>> present =
      ReadCertificateFile(run.ca().certificate);
  if (!present.ok()) return present.status();

  // A key that was encrypted stays so; one that is lost or damaged is the reason to be here.
  absl::StatusOr<PrivateKey> old_key = ReadKeyFile(run.ca().key, nullptr);
  const Secret* passphrase = nullptr;
  if (ReasonOf(old_key.status()) == Reason::kKeyEncrypted) {
    passphrase = run.options().passphrase;
    if (passphrase == nullptr) return old_key.status();
    old_key = ReadKeyFile(run.ca().key, passphrase);
    if (!old_key.ok()) return old_key.status();
  }
  auto old = present->begin();
  if (old_key.ok()) {
    old = std::ranges::find(*present, old_key->public_key(), &Certificate::public_key);
    if (old == present->end()) old = present->begin();
  }

  const KeyType type =
      run.options().key_type.value_or(TypeOf(old->public_key()).value_or(KeyType::kRsa4096));
  const absl::StatusOr<PrivateKey> key = PrivateKey::Generate(type);
  if (!key.ok()) return key.status();
  const absl::StatusOr<Certificate> certificate = run.IssueAuthority(old->subject(), *key);
  if (!certificate.ok()) return certificate.status();
  const absl::StatusOr<Secret> pem = AuthorityKeyPem(*key, passphrase);
  if (!pem.ok()) return pem.status();

  std::vector<Certificate> content = {*certificate};
  for (const Certificate& older : *present) {
    if (IsUnexpired(older, run.now())) content.push_back(older);
  }
  if (absl::Status status = ReplaceKeyPair(run.ca(), *pem, PemOf(content)); !status.ok())
    return status;
  for (const std::string& copy : run.ca().certificate_copies) run.report().changed.push_back(copy);
  run.ReportMade("ca", run.ca(), *certificate, content.size() - 1);
  return absl::OkStatus();
}

absl::Status DropOld(TreeRun& run) {
  // Everything is checked before anything is changed.
  std::vector<std::pair<KeyPairPaths, std::vector<Certificate>>> leaves;
  for (const TreeLeaf& leaf : TreeLeaves()) {
    const KeyPairPaths paths = run.PathsOf(leaf);
    if (!FileExists(paths.certificate)) continue;
    absl::StatusOr<std::vector<Certificate>> present = ReadCertificateFile(paths.certificate);
    if (!present.ok()) return present.status();
    const bool has_authority = run.CheckPath(leaf, present->front(), run.bundle()).ok();
    if (has_authority &&
        !run.CheckPath(leaf, present->front(), {run.signer().certificate()}).ok()) {
      return MakeError(Reason::kIssuerUnknown,
                       Quoted(paths.certificate) +
                           " was issued by a CA that would be dropped; run `troth certs generate "
                           "--renew all` first");
    }
    leaves.emplace_back(paths, *std::move(present));
  }
  for (const auto& [paths, present] : leaves) {
    std::vector<Certificate> content = {present.front()};
    for (const Certificate& other : present) {
      if (other.is_ca()) content.push_back(other);
    }
    if (content == present) continue;
    run.report().changed.push_back(paths.certificate);
    if (absl::Status status =
            WriteFile(paths.certificate, PemOf(content), {.overwrite = Overwrite::kReplace});
        !status.ok())
      return status;
  }
  if (run.bundle().size() > 1) {
    run.ForgetOldAuthorities();
    run.report().changed.push_back(run.ca().certificate);
    if (absl::Status status = WriteFile(run.ca().certificate, PemOf(run.bundle()),
                                        {.overwrite = Overwrite::kReplace});
        !status.ok())
      return status;
  }
  for (const TreeLeaf& leaf : TreeLeaves()) {
    if (absl::Status status = run.CopyAuthorityTo(leaf); !status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<TreeReport> GenerateTree(const TreeOptions& options, const Clock& clock) {
  absl::StatusOr<TreeRun> run = TreeRun::Open(options, clock, /*create=*/true);
  if (!run.ok()) return run.status();
  if (absl::Status status = Generate(*run); !status.ok()) return status;
  return std::move(run->report());
}

absl::StatusOr<TreeReport> RenewTree(const TreeOptions& options,
                                     const std::vector<std::string>& leaves, const Clock& clock) {
  for (const std::string& name : leaves) {
    if (FindTreeLeaf(name) == nullptr) {
      return MakeError(Reason::kUsageError,
                       "no leaf is called '" + Printable(name) +
                           "'; expected server, client, aggregator or all (a CA is replaced by "
                           "--roll-ca)");
    }
  }
  absl::StatusOr<TreeRun> run = TreeRun::Open(options, clock, /*create=*/false);
  if (!run.ok()) return run.status();
  absl::Status status = run->LoadAuthority();
  // In the tree's order, each once.
  for (const TreeLeaf& leaf : TreeLeaves()) {
    if (std::ranges::find(leaves, leaf.name) == leaves.end()) continue;
    if (status.ok()) status = run->CopyAuthorityTo(leaf);
    if (status.ok()) status = Renew(*run, leaf);
  }
  if (!status.ok()) return status;
  return std::move(run->report());
}

absl::StatusOr<TreeReport> RollTreeAuthority(const TreeOptions& options, const Clock& clock) {
  absl::StatusOr<TreeRun> run = TreeRun::Open(options, clock, /*create=*/false);
  if (!run.ok()) return run.status();
  if (absl::Status status = RollAuthority(*run); !status.ok()) return status;
  return std::move(run->report());
}

absl::StatusOr<TreeReport> DropOldFromTree(const TreeOptions& options, const Clock& clock) {
  absl::StatusOr<TreeRun> run = TreeRun::Open(options, clock, /*create=*/false);
  if (!run.ok()) return run.status();
  absl::Status status = run->LoadAuthority();
  if (status.ok()) status = DropOld(*run);
  if (!status.ok()) return status;
  return std::move(run->report());
}

}  // namespace troth
