#include "troth/ca/depot.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "troth/base/file.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/ca/key_pair_files.h"
#include "troth/pki/pem.h"

namespace troth {
namespace {

bool IsFileNameCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-';
}

// certstrap 1.3.0 writes the key derivation of an encrypted EC key with parameters of type 0, which
// is no type of DER, and which nobody but Go reads, where RFC 8018 appendix B.1.2 has NULL. Both
// are two bytes.
Secret WithParametersMended(Secret pem) {
  // SEQUENCE { OBJECT IDENTIFIER hmacWithSHA256, <two bytes> }
  constexpr std::string_view kAlgorithm("\x30\x0c\x06\x08\x2a\x86\x48\x86\xf7\x0d\x02\x09", 12);
  constexpr std::string_view kWritten("\x00\x00", 2);
  constexpr std::string_view kNull("\x05\x00", 2);
  constexpr size_t kEnd = 128;  // of the algorithm, long before the key itself

  const absl::StatusOr<std::vector<PemBlock>> blocks = ParsePem(pem.Reveal());
  if (!blocks.ok() || blocks->size() != 1 || blocks->front().label != "ENCRYPTED PRIVATE KEY") {
    return pem;
  }
  std::string content(blocks->front().content.Reveal());
  const size_t parameters = content.find(kAlgorithm) + kAlgorithm.size();
  if (content.find(kAlgorithm) > kEnd || content.compare(parameters, 2, kWritten) != 0) return pem;
  content.replace(parameters, kNull.size(), kNull);
  return Secret(FormatPem(blocks->front().label, content));
}

}  // namespace

absl::StatusOr<std::string> AuthorityFileName(std::string_view common_name) {
  const bool usable = !common_name.empty() && common_name.front() != '.' &&
                      std::ranges::none_of(common_name, [](char c) {
                        return c == '/' || c == 0x7f || static_cast<unsigned char>(c) < 0x20;
                      });
  if (!usable) {
    return MakeError(
        Reason::kUsageError,
        "'" + Printable(common_name) +
            "' cannot name files; expected a name without '/' and control characters that "
            "does not begin with '.'");
  }
  std::string name(common_name);
  std::ranges::replace(name, ' ', '_');
  return name;
}

std::string RequestFileName(std::string_view name) {
  std::string stem;
  bool in_run = false;
  for (const char c : name) {
    const bool keep = IsFileNameCharacter(c);
    if (keep) {
      stem += c;
    } else if (!in_run) {
      stem += '_';
    }
    in_run = !keep;
  }
  return stem;
}

std::string Depot::PathOf(std::string_view name, std::string_view extension) const {
  return JoinPath(folder_, std::string(name) + std::string(extension));
}

std::vector<std::string> Depot::NamesWith(std::string_view extension) const {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(folder_, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string file = entry->path().filename().string();
    if (file.size() > extension.size() && file.ends_with(extension)) {
      names.push_back(file.substr(0, file.size() - extension.size()));
    }
  }
  std::ranges::sort(names);
  return names;
}

absl::Status WriteNew(const std::string& path, std::string_view content, mode_t mode) {
  absl::Status status = MakeFolder(FolderOf(path));
  if (status.ok()) status = WriteFile(path, content, {.mode = mode});
  return status;
}

absl::StatusOr<Secret> DepotKeyPem(const PrivateKey& key, const Secret& passphrase) {
  const auto format = key.public_key().kind() == PublicKey::Kind::kRsa
                          ? PrivateKey::Format::kTraditional
                          : PrivateKey::Format::kPkcs8;
  if (passphrase.empty()) return key.ToPem(format);
  return key.ToEncryptedPem(passphrase, format);
}

absl::StatusOr<PrivateKey> ReadDepotKey(const std::string& path, const AskPassphrase& ask) {
  absl::StatusOr<std::string> text = ReadFile(path);
  if (!text.ok()) return text.status();
  const Secret pem = WithParametersMended(Secret(*std::move(text)));
  absl::StatusOr<PrivateKey> key = PrivateKey::FromPem(pem.Reveal());
  if (ReasonOf(key.status()) == Reason::kKeyEncrypted && ask) {
    const absl::StatusOr<Secret> passphrase = ask(path);
    if (!passphrase.ok()) return passphrase.status();
    key = PrivateKey::FromPem(pem.Reveal(), &*passphrase);
  }
  if (!key.ok()) return WithContext(key.status(), path);
  return key;
}

absl::StatusOr<Signer> ReadAuthority(const AuthorityFiles& files, const AskPassphrase& ask,
                                     Time now) {
  const absl::StatusOr<std::vector<Certificate>> certificates =
      ReadCertificateFile(files.certificate);
  if (!certificates.ok()) return certificates.status();
  absl::StatusOr<PrivateKey> key = ReadDepotKey(files.key, ask);
  if (!key.ok()) return key.status();
  const auto own = std::ranges::find(*certificates, key->public_key(), &Certificate::public_key);
  if (own == certificates->end()) {
    return MakeError(Reason::kKeyMismatch, "'" + Printable(files.key, 400) +
                                               "' does not belong to the certificate in '" +
                                               Printable(files.certificate, 400) + "'");
  }
  const Validity& validity = own->validity();
  if (now > validity.not_after) {
    return MakeError(Reason::kCertificateExpired,
                     "the CA in '" + Printable(files.certificate, 400) + "' ended on " +
                         FormatTime(validity.not_after) + " and can issue nothing more");
  }
  if (now < validity.not_before) {
    return MakeError(Reason::kCertificateNotYetValid,
                     "the CA in '" + Printable(files.certificate, 400) + "' begins on " +
                         FormatTime(validity.not_before) + ", now is " + FormatTime(now));
  }
  absl::StatusOr<Signer> signer = Signer::Create(*own, *std::move(key));
  if (!signer.ok()) return WithContext(signer.status(), files.certificate);
  return signer;
}

}  // namespace troth
