#include "troth/doctor/key_examination_internal.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "troth/base/strings.h"
#include "troth/doctor/mend_internal.h"

namespace troth {
namespace {

class KeyExamination {
 public:
  KeyExamination(const FileSet& set, const FileDoctorOptions& options, Diagnosis& diagnosis)
      : set_(set),
        diagnosis_(diagnosis),
        server_name_(options.server_name),
        meant_as_leaf_(options.purpose != Usage::kAny || options.server_name.has_value()) {}

  void Run() {
    for (const ExaminedFile& file : set_.files()) {
      if (file.key.has_value() && !HasOwner(file.key->public_key())) JudgeKeyOfNone(file);
      if (file.encrypted_key.has_value()) JudgeEncrypted(file);
    }
    for (const ExaminedFile* file : set_.bundles()) JudgeAuthorityAsLeaf(*file);
  }

 private:
  bool HasOwner(const PublicKey& key) const {
    return std::ranges::any_of(set_.files(), [&](const ExaminedFile& file) {
      return std::ranges::any_of(file.certificates,
                                 [&](const Certificate& c) { return c.public_key() == key; }) ||
             std::ranges::any_of(file.requests, [&](const CertificateRequest& request) {
               return request.public_key() == key;
             });
    });
  }

  // What a key could have been meant for: the certificates whose own key is not there.
  std::vector<std::string> WithoutKey() const {
    std::vector<std::string> out;
    const auto add = [&](const Certificate& certificate, const ExaminedFile& file) {
      if (set_.KeyOf(certificate.public_key()) != nullptr || out.size() == 5) return;
      out.push_back(Called(certificate) + " in " + Printable(file.path, 400) + " with " +
                    certificate.public_key().Describe());
    };
    for (const Chain& chain : set_.chains()) add(chain.leaf(), *chain.file);
    if (!set_.chains().empty()) return out;
    for (const ExaminedFile* file : set_.bundles()) {
      for (const Certificate& certificate : file->certificates) add(certificate, *file);
    }
    return out;
  }

  void JudgeKeyOfNone(const ExaminedFile& file) {
    const std::vector<std::string> candidates = WithoutKey();
    const bool only_cas = set_.chains().empty();
    if (candidates.empty()) {
      return diagnosis_.Add(only_cas ? Severity::kNote : Severity::kWarning, Reason::kKeyMismatch,
                            file.path,
                            {.title = "no certificate of this key is among the files",
                             .fix = "give its certificate too"});
    }
    diagnosis_.Add(
        Severity::kFault, Reason::kKeyMismatch, file.path,
        {.title = only_cas ? "the private key is not that of the CA, and the certificate that it "
                             "belongs to is not among the files"
                           : "the private key does not belong to the certificate",
         .expected = "the key of " + Join(candidates, ", or of "),
         .got = "another key (" + file.key->public_key().Describe() + ")",
         .fix = only_cas ? "give the certificate that was issued for this key, not that of its CA"
                         : ""});
  }

  // Whether the key may be one that a program has to use: that of a leaf, and not that of a CA,
  // which is well kept encrypted.
  bool MayBeOfALeaf() const {
    if (set_.chains().empty()) return meant_as_leaf_ || set_.bundles().empty();
    return std::ranges::any_of(set_.chains(), [this](const Chain& chain) {
      return set_.KeyOf(chain.leaf().public_key()) == nullptr;
    });
  }

  void JudgeEncrypted(const ExaminedFile& file) {
    if (!MayBeOfALeaf()) {
      return diagnosis_.Add(Severity::kNote, Reason::kKeyEncrypted, file.path,
                            {.title = "the private key is encrypted, as that of a CA should be; "
                                      "whose it is cannot be told",
                             .fix = "nothing has to be done"});
    }
    const bool is_alone = file.certificates.empty() && file.requests.empty() && file.crls.empty() &&
                          file.others.empty();
    const std::string command = is_alone ? DecryptCommand(file.path) : "";
    diagnosis_.Add(
        Severity::kFault, Reason::kKeyEncrypted, file.path,
        {.title = "the private key is encrypted, so a server without its passphrase cannot start",
         .expected = "a private key in the clear, readable to its owner only",
         .got = *file.encrypted_key,
         .fix = "give the program the passphrase (nginx: ssl_password_file), or decrypt the key " +
                (command.empty()
                     ? "with openssl pkey into a file that only its owner can read (umask 077)"
                     : "and use " + Printable(file.path + ".plain", 400) +
                           ", which only its owner can read"),
         .command = command});
  }

  // A CA's key lies where the CA is, unless a purpose says that all of this is a server or client.
  // A chain beside it explains it, but not that it shares a file with its certificate, as what a
  // program is given does.
  void JudgeAuthorityAsLeaf(const ExaminedFile& file) {
    const Certificate& first = file.certificates.front();
    const ExaminedFile* key = set_.KeyOf(first.public_key());
    if (key == nullptr) return;
    if (!set_.chains().empty() && !(meant_as_leaf_ && key == &file)) return;
    if (!meant_as_leaf_ && first.alternative_names().empty()) return;
    diagnosis_.Add(
        meant_as_leaf_ ? Severity::kFault : Severity::kWarning, Reason::kUsageNotAllowed, file.path,
        {.title = "the CA certificate " + Called(first) +
                  " is used as a leaf, which rustls and others refuse, and whoever trusts it "
                  "trusts all that its key issues",
         .expected = "basicConstraints CA:FALSE",
         .got = "CA:TRUE",
         .fix = "keep the CA's key away from servers, and have it issue a certificate for each"});
    if (!set_.chains().empty() || !server_name_.has_value()) return;
    if (const absl::Status status = CheckName(first, *server_name_); !status.ok()) {
      diagnosis_.Add(FaultOf(status, file.path));
    }
  }

  const FileSet& set_;
  Diagnosis& diagnosis_;
  const std::optional<AlternativeName>& server_name_;
  const bool meant_as_leaf_;
};

}  // namespace

void ExamineKeys(const FileSet& set, const FileDoctorOptions& options, Diagnosis& diagnosis) {
  KeyExamination(set, options, diagnosis).Run();
}

}  // namespace troth
