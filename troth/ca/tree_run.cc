#include "troth/ca/tree_run_internal.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "troth/base/file.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/ca/files_internal.h"
#include "troth/ca/templates.h"
#include "troth/pki/path_validation.h"
#include "troth/pki/trust_bundle.h"

namespace troth {
absl::StatusOr<TreeRun> TreeRun::Open(const TreeOptions& options, const Clock& clock, bool create) {
  if (create) {
    if (absl::Status status = MakeFolder(options.folder); !status.ok()) return status;
  } else if (!FileExists(AuthorityPaths(options.folder).certificate)) {
    return MakeError(Reason::kFileNotFound, "there is no certificate tree in " +
                                                Quoted(options.folder) +
                                                "; `troth certs generate` makes one");
  }
  absl::StatusOr<FolderLock> lock = FolderLock::Acquire(options.folder);
  if (!lock.ok()) return lock.status();
  TreeRun tree(options, clock.Now(), *std::move(lock));
  absl::Status status = tree.FinishInterrupted();
  if (status.ok()) status = tree.IgnoreKeys();
  if (!status.ok()) return status;
  return tree;
}

absl::Status TreeRun::FinishInterrupted() {
  std::vector<KeyPairPaths> pairs = {ca_};
  for (const TreeLeaf& leaf : TreeLeaves()) pairs.push_back(PathsOf(leaf));
  for (const KeyPairPaths& paths : pairs) {
    const absl::StatusOr<bool> finished = FinishReplacing(paths);
    if (!finished.ok()) return finished.status();
    if (*finished) report_.recovered.push_back(paths.certificate);
  }
  return absl::OkStatus();
}

// The folder's own .gitignore. A user's file keeps what it says, and gets the line when it is
// missing.
absl::Status TreeRun::IgnoreKeys() {
  constexpr std::string_view kLines = "*.key\n*.key.*\n";
  const std::string path = JoinPath(options_.folder, ".gitignore");
  std::string content = "# Private keys stay out of version control.\n";
  if (FileExists(path)) {
    absl::StatusOr<std::string> present = ReadFile(path);
    if (!present.ok() && ReasonOf(present.status()) != Reason::kFileEmpty) return present.status();
    content = present.ok() ? *std::move(present) : "";
    for (const std::string_view line : Split(content, '\n')) {
      if (TrimWhitespace(line) == "*.key") return absl::OkStatus();
    }
    if (!content.empty() && !content.ends_with('\n')) content += '\n';
  }
  content += kLines;
  report_.changed.push_back(path);
  return WriteFile(path, content, {.overwrite = Overwrite::kReplace});
}

absl::Status TreeRun::LoadAuthority() {
  absl::StatusOr<std::vector<Certificate>> bundle = ReadCertificateFile(ca_.certificate);
  if (!bundle.ok()) return bundle.status();
  absl::StatusOr<PrivateKey> key = ReadKeyFile(ca_.key, options_.passphrase);
  if (!key.ok()) return key.status();
  const auto own = std::ranges::find(*bundle, key->public_key(), &Certificate::public_key);
  if (own == bundle->end()) {
    return MakeError(Reason::kKeyMismatch, Quoted(ca_.key) + " belongs to no certificate in " +
                                               Quoted(ca_.certificate) +
                                               "; put the right key back, or make a new CA with "
                                               "`troth certs generate --roll-ca`");
  }
  if (!IsUnexpired(*own, now_)) {
    return MakeError(
        Reason::kCertificateExpired,
        "the CA in " + Quoted(ca_.certificate) + " ended on " +
            FormatTime(own->validity().not_after) +
            " and can issue nothing; make a new one with `troth certs generate --roll-ca`");
  }
  absl::StatusOr<Signer> signer = Signer::Create(*own, *std::move(key));
  if (!signer.ok()) return WithContext(signer.status(), ca_.certificate);
  bundle_ = *std::move(bundle);
  signer_ = *std::move(signer);
  return absl::OkStatus();
}

absl::Status TreeRun::CopyAuthorityTo(const TreeLeaf& leaf) {
  const std::string copy = AuthorityCopyPath(options_.folder, leaf);
  const std::string pem = PemOf(bundle_);
  if (FileExists(copy)) {
    const absl::StatusOr<std::vector<Certificate>> present = ReadCertificateFile(copy);
    if (present.ok() && *present == bundle_) return absl::OkStatus();
  }
  report_.changed.push_back(copy);
  absl::Status status = MakeFolder(FolderOf(copy));
  if (status.ok()) status = WriteFile(copy, pem, {.overwrite = Overwrite::kReplace});
  return status;
}

absl::StatusOr<Secret> AuthorityKeyPem(const PrivateKey& key, const Secret* passphrase) {
  if (passphrase == nullptr || passphrase->empty()) return key.ToPem();
  return key.ToEncryptedPem(*passphrase);
}

absl::StatusOr<Certificate> TreeRun::IssueAuthority(const DistinguishedName& subject,
                                                    const PrivateKey& key) const {
  // Path length 0: this CA issues leaves, and whoever takes a leaf's key gets no CA by it.
  return IssueSelfSigned(
      AuthorityTemplate(subject, key.public_key(), 0, now_, After(options_.authority_days)), key);
}

absl::StatusOr<Certificate> TreeRun::IssueLeaf(const TreeLeaf& leaf,
                                               const DistinguishedName& subject,
                                               std::vector<AlternativeName> names,
                                               const PublicKey& key) const {
  if (leaf.usage == LeafUsage::kServerAndClient) {
    for (const AlternativeName& name : options_.server_names) {
      if (std::ranges::find(names, name) == names.end()) names.push_back(name);
    }
  }
  return Issue(LeafTemplate(subject, std::move(names), key, leaf.usage, now_, After(options_.days)),
               *signer_);
}

void TreeRun::ReportMade(std::string_view name, const KeyPairPaths& paths,
                         const Certificate& certificate, size_t older) {
  report_.made.push_back({.name = std::string(name),
                          .certificate_file = paths.certificate,
                          .key_file = paths.key,
                          .certificate = certificate,
                          .older_certificates = static_cast<int>(older),
                          .ends_with_authority = name != "ca" && certificate.validity().not_after <
                                                                     After(options_.days - 1)});
}

// The key at `path`, or a new one that is written there.
absl::StatusOr<PrivateKey> TreeRun::KeepOrMakeKey(const std::string& path, KeyType usual,
                                                  const Secret* passphrase) {
  if (FileExists(path)) {
    absl::StatusOr<PrivateKey> key = ReadKeyFile(path, passphrase);
    if (!key.ok()) return key;
    if (options_.key_type.has_value() && !IsOfType(key->public_key(), *options_.key_type)) {
      return WithFix(
          MakeError(Reason::kFileExists, Quoted(path) + " holds a key of type " +
                                             key->public_key().Describe() + ", asked for is " +
                                             std::string(NameOf(*options_.key_type))),
          "leave --key-type out to use the key, or remove the file first");
    }
    if (absl::Status status = key->public_key().CheckStrength(); !status.ok())
      return WithContext(status, path);
    report_.kept.push_back(path);
    return key;
  }
  absl::StatusOr<PrivateKey> key = PrivateKey::Generate(options_.key_type.value_or(usual));
  if (!key.ok()) return key;
  const absl::StatusOr<Secret> pem = AuthorityKeyPem(*key, passphrase);
  if (!pem.ok()) return pem.status();
  absl::Status status = MakeFolder(FolderOf(path));
  if (status.ok()) status = WriteFile(path, pem->Reveal(), {.mode = kKeyFileMode});
  if (!status.ok()) return status;
  return key;
}

absl::Status TreeRun::CheckPath(const TreeLeaf& leaf, const Certificate& certificate,
                                std::vector<Certificate> anchors) const {
  const PathOptions path{
      .now = now_, .usage = leaf.usage == LeafUsage::kClient ? Usage::kClient : Usage::kServer};
  return WithContext(
      ValidatePath(certificate, {}, TrustBundle::FromCertificates(std::move(anchors)), path).status,
      PathsOf(leaf).certificate);
}

}  // namespace troth
