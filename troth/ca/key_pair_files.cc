#include "troth/ca/key_pair_files.h"

#include <utility>

#include "troth/base/file.h"
#include "troth/base/reason.h"
#include "troth/ca/files_internal.h"

namespace troth {
namespace {

std::string NextOf(const std::string& path) { return path + ".next"; }

absl::Status Replace(const std::string& path, std::string_view content, mode_t mode) {
  return WriteFile(path, content, {.mode = mode, .overwrite = Overwrite::kReplace});
}

}  // namespace

absl::Status ReplaceKeyPair(const KeyPairPaths& paths, const Secret& key_pem,
                            std::string_view certificates_pem) {
  // The key's .next is the decision: it is written last, and only whole.
  absl::Status status = Replace(NextOf(paths.certificate), certificates_pem, kCertificateFileMode);
  if (status.ok()) status = Replace(NextOf(paths.key), key_pem.Reveal(), kKeyFileMode);
  if (status.ok()) status = FinishReplacing(paths).status();
  return status;
}

absl::StatusOr<bool> FinishReplacing(const KeyPairPaths& paths) {
  const std::string next_key = NextOf(paths.key);
  const std::string next_certificate = NextOf(paths.certificate);
  if (!FileExists(next_key)) {
    if (absl::Status status = RemoveFile(next_certificate); !status.ok()) return status;
    return false;
  }

  // Every step can be done again, and the key's .next goes first of the two: without it nothing is
  // left to do.
  const absl::StatusOr<std::string> certificates = ReadFile(next_certificate);
  if (!certificates.ok()) return certificates.status();
  absl::StatusOr<std::string> key_text = ReadFile(next_key);
  if (!key_text.ok()) return key_text.status();
  const Secret key(*std::move(key_text));
  for (const std::string& copy : paths.certificate_copies) {
    if (absl::Status status = MakeFolder(FolderOf(copy)); !status.ok()) return status;
    if (absl::Status status = Replace(copy, *certificates, kCertificateFileMode); !status.ok())
      return status;
  }
  absl::Status status = Replace(paths.certificate, *certificates, kCertificateFileMode);
  if (status.ok()) status = Replace(paths.key, key.Reveal(), kKeyFileMode);
  if (status.ok()) status = RemoveFile(next_key);
  if (status.ok()) status = RemoveFile(next_certificate);
  if (!status.ok()) return status;
  return true;
}

absl::StatusOr<PrivateKey> ReadKeyFile(const std::string& path, const Secret* passphrase) {
  absl::StatusOr<std::string> text = ReadFile(path);
  if (!text.ok()) return text.status();
  const Secret pem(*std::move(text));
  absl::StatusOr<PrivateKey> key = PrivateKey::FromPem(pem.Reveal(), passphrase);
  if (!key.ok()) return WithContext(key.status(), path);
  return key;
}

absl::StatusOr<std::vector<Certificate>> ReadCertificateFile(const std::string& path) {
  const absl::StatusOr<std::string> pem = ReadFile(path);
  if (!pem.ok()) return pem.status();
  absl::StatusOr<std::vector<Certificate>> certificates = Certificate::ListFromPem(*pem);
  if (!certificates.ok()) return WithContext(certificates.status(), path);
  return certificates;
}

std::string PemOf(const std::vector<Certificate>& certificates) {
  std::string pem;
  for (const Certificate& certificate : certificates) pem += certificate.ToPem();
  return pem;
}

}  // namespace troth
