#include "troth/doctor/file_doctor.h"

#include <algorithm>
#include <set>
#include <utility>

#include "troth/base/strings.h"
#include "troth/doctor/chain_examination_internal.h"
#include "troth/doctor/examined_file_internal.h"
#include "troth/doctor/file_set_internal.h"

namespace troth {
namespace {

std::vector<ExaminedFile> ExamineAll(const std::vector<std::string>& paths, Diagnosis& diagnosis) {
  std::vector<ExaminedFile> files;
  std::set<std::string> seen;
  for (const std::string& path : paths) {
    if (seen.insert(path).second) files.push_back(ExamineFile(path, diagnosis));
  }
  return files;
}

class FileDoctor {
 public:
  FileDoctor(const FileSet& set, const FileDoctorOptions& options, Diagnosis& diagnosis)
      : set_(set), options_(options), diagnosis_(diagnosis) {}

  void Run() {
    for (const ExaminedFile& file : set_.files()) {
      Recognise(file);
      for (const Certificate& certificate : file.certificates) {
        JudgeTime(file, certificate);
        JudgeStrength(file, certificate);
      }
      for (const Crl& crl : file.crls) JudgeCrl(file, crl);
    }
    JudgeKeys();
    JudgeAuthorityAsLeaf();
    for (const Chain& chain : set_.chains()) ExamineChain(chain, set_, options_, diagnosis_);
    const bool has_crl = std::ranges::any_of(
        set_.files(), [](const ExaminedFile& file) { return !file.crls.empty(); });
    if (!has_crl && !set_.chains().empty() && !set_.trust().empty()) {
      diagnosis_.Add({.severity = Severity::kNote,
                      .reason = Reason::kRevocationUnknown,
                      .subject = set_.chains().front().file->path,
                      .title = "no revocation list was given, so revocation was not examined",
                      .fix = "give the CA's CRL too, if it has one"});
    }
  }

 private:
  void Add(Severity severity, Reason reason, const ExaminedFile& file, Finding finding) {
    finding.severity = severity;
    finding.reason = reason;
    finding.subject = file.path;
    diagnosis_.Add(std::move(finding));
  }

  void Recognise(const ExaminedFile& file) {
    std::vector<std::string> parts;
    for (const Certificate& certificate : file.certificates) {
      std::string what = IsRoot(certificate)   ? "root CA "
                         : IsLeaf(certificate) ? "certificate "
                                               : "intermediate CA ";
      what += Called(certificate);
      if (IsLeaf(certificate) && !certificate.alternative_names().empty()) {
        std::vector<std::string> names;
        for (const AlternativeName& name : certificate.alternative_names()) {
          names.push_back(Printable(name.ToPlainString()));
        }
        what += " for " + Join(names, ", ");
      }
      parts.push_back(what + " until " + FormatTime(certificate.validity().not_after));
    }
    if (file.key.has_value()) {
      std::string what = "private key (" + file.key->public_key().Describe() + ")";
      for (const ExaminedFile& other : set_.files()) {
        for (const Certificate& certificate : other.certificates) {
          if (certificate.public_key() != file.key->public_key()) continue;
          what += " of " + Called(certificate) + " in " + Printable(other.path, 400);
          break;
        }
      }
      parts.push_back(std::move(what));
    }
    if (file.has_encrypted_key) parts.emplace_back("encrypted private key");
    for (const CertificateRequest& request : file.requests) {
      parts.push_back("certificate request for '" + Printable(request.subject().ToString()) + "'");
    }
    for (const Crl& crl : file.crls) {
      parts.push_back("revocation list of '" + Printable(crl.issuer().ToString()) + "' with " +
                      std::to_string(crl.entries().size()) + " entries");
    }
    parts.insert(parts.end(), file.others.begin(), file.others.end());
    diagnosis_.recognised.push_back(
        {.subject = file.path, .what = parts.empty() ? "nothing usable" : Join(parts, "; ")});
  }

  bool IsUsed(const Certificate& ca) const {
    return std::ranges::any_of(set_.files(), [&](const ExaminedFile& file) {
      return std::ranges::any_of(file.certificates, [&](const Certificate& certificate) {
        return certificate != ca && certificate.issuer().Matches(ca.subject()) &&
               ca.public_key()
                   .Verify(certificate.signature_algorithm(), certificate.tbs_der(),
                           certificate.signature())
                   .ok();
      });
    });
  }

  void JudgeTime(const ExaminedFile& file, const Certificate& certificate) {
    const Validity& validity = certificate.validity();
    const std::string role = IsLeaf(certificate)   ? "the certificate "
                             : IsRoot(certificate) ? "the root CA "
                                                   : "the intermediate CA ";
    const std::string name = role + Called(certificate);
    const std::string now = "it is " + FormatTime(options_.now) + " by this machine's clock";
    // An old CA may stay in a bundle while a new one takes over.
    const bool matters = IsLeaf(certificate) || IsUsed(certificate) || set_.chains().empty();
    if (options_.now > validity.not_after) {
      Add(matters ? Severity::kFault : Severity::kWarning, Reason::kCertificateExpired, file,
          {.title = name + " expired " + FormatDuration(options_.now - validity.not_after) + " ago",
           .expected = "a time up to " + FormatTime(validity.not_after),
           .got = now,
           .command = IsLeaf(certificate) ? Reissuing(file) : ""});
    } else if (options_.now < validity.not_before) {
      Add(matters ? Severity::kFault : Severity::kWarning, Reason::kCertificateNotYetValid, file,
          {.title = name + " becomes valid only in " +
                    FormatDuration(validity.not_before - options_.now) +
                    "; is the clock of this machine right, or was that of the CA wrong",
           .expected = "a time from " + FormatTime(validity.not_before) + " on",
           .got = now,
           .fix = "set the clock (`timedatectl` shows whether it is synchronised), or wait",
           .command = IsLeaf(certificate) ? Reissuing(file) : ""});
    } else {
      const Seconds left = validity.not_after - options_.now;
      const Seconds lifetime = validity.not_after - validity.not_before;
      if (left > std::min(options_.warn_before, lifetime / 3)) return;
      Add(Severity::kWarning, Reason::kCertificateExpired, file,
          {.title = name + " expires in " + FormatDuration(left),
           .expected = "more than " + FormatDuration(std::min(options_.warn_before, lifetime / 3)),
           .got = "valid until " + FormatTime(validity.not_after),
           .fix = "renew it now",
           .command = IsLeaf(certificate) ? Reissuing(file) : ""});
    }
  }

  std::string Reissuing(const ExaminedFile& file) const {
    const auto chain = std::ranges::find(set_.chains(), &file, &Chain::file);
    return chain == set_.chains().end() ? "" : ReissueCommandOf(*chain, set_, options_);
  }

  void JudgeStrength(const ExaminedFile& file, const Certificate& certificate) {
    if (const absl::Status status = certificate.public_key().CheckStrength(); !status.ok()) {
      Finding finding = FaultOf(status, file.path);
      finding.title = "the key of " + Called(certificate) + ": " + finding.title;
      finding.got = certificate.public_key().Describe();
      finding.expected = "P-256, P-384, Ed25519, or RSA of at least 2048 bits";
      diagnosis_.Add(std::move(finding));
    }
    // Nobody checks the signature of a root.
    const SignatureAlgorithm algorithm = certificate.signature_algorithm();
    const bool weak = algorithm == SignatureAlgorithm::kRsaSha1 ||
                      algorithm == SignatureAlgorithm::kEcdsaSha1 ||
                      algorithm == SignatureAlgorithm::kOther;
    if (!weak) return;
    const bool is_root = certificate.is_ca() && certificate.subject().Matches(certificate.issuer());
    Add(is_root ? Severity::kNote : Severity::kFault, Reason::kAlgorithmNotAllowed, file,
        {.title = "the signature of " + Called(certificate) + " is made with " +
                  (algorithm == SignatureAlgorithm::kOther ? "an algorithm that is not supported"
                                                           : "SHA-1, which TLS no longer accepts") +
                  (is_root ? "; in a root that does not matter" : ""),
         .expected = "SHA-256 or better",
         .got = std::string(NameOf(algorithm)),
         .command = IsLeaf(certificate) ? Reissuing(file) : ""});
  }

  void JudgeCrl(const ExaminedFile& file, const Crl& crl) {
    const std::string issuer = "'" + Printable(crl.issuer().ToString()) + "'";
    if (crl.next_update().has_value() && *crl.next_update() < options_.now) {
      Add(Severity::kFault, Reason::kCrlExpired, file,
          {.title = "the revocation list of " + issuer +
                    " is out of date, and nginx refuses every "
                    "certificate with such a list",
           .expected = "a list that is current",
           .got =
               "nextUpdate " + FormatTime(*crl.next_update()) + ", now " + FormatTime(options_.now),
           .fix = "fetch or make a new list"});
    }
    if (crl.this_update() > options_.now) {
      Add(Severity::kFault, Reason::kRevocationUnknown, file,
          {.title = "the revocation list of " + issuer + " is dated in the future",
           .expected = "a time from " + FormatTime(crl.this_update()) + " on",
           .got = "now " + FormatTime(options_.now),
           .fix = "check the clocks of this machine and of the CA"});
    }
    bool named = false;
    for (const Certificate& ca : set_.authorities()) {
      if (!ca.subject().Matches(crl.issuer())) continue;
      if (crl.VerifySignature(ca.public_key()).ok()) return;
      named = true;
    }
    if (named) {
      Add(Severity::kFault, Reason::kSignatureInvalid, file,
          {.title = "the revocation list is not signed by the CA " + issuer +
                    ": the CA of this name has another key",
           .expected = "a list that the CA's key signed",
           .got = "another signature",
           .fix =
               "fetch the list of the present CA, or give the certificate of the CA that made it"});
    } else if (!set_.authorities().empty()) {
      Add(Severity::kWarning, Reason::kIssuerUnknown, file,
          {.title = "the revocation list is that of " + issuer + ", which is not among the files",
           .fix = "give the certificate of that CA, or the list of yours"});
    }
  }

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
      if (set_.KeyOf(certificate.public_key()) != nullptr) return;
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

  void JudgeKeys() {
    for (const ExaminedFile& file : set_.files()) {
      if (!file.key.has_value() || HasOwner(file.key->public_key())) continue;
      const std::vector<std::string> candidates = WithoutKey();
      if (candidates.empty()) {
        Add(set_.chains().empty() ? Severity::kNote : Severity::kWarning, Reason::kKeyMismatch,
            file,
            {.title = "no certificate of this key is among the files",
             .fix = "give its certificate too"});
        continue;
      }
      const bool only_cas = set_.chains().empty();
      Add(Severity::kFault, Reason::kKeyMismatch, file,
          {.title = only_cas ? "the private key is not that of the CA, and the certificate that it "
                               "belongs to is not among the files"
                             : "the private key does not belong to the certificate",
           .expected = "the key of " + Join(candidates, ", or of "),
           .got = "another key (" + file.key->public_key().Describe() + ")",
           .fix = only_cas ? "give the certificate that was issued for this key, not that of its CA"
                           : std::string(InfoOf(Reason::kKeyMismatch).fix)});
    }
  }

  void JudgeAuthorityAsLeaf() {
    if (!set_.chains().empty()) return;
    const bool meant_as_leaf = options_.purpose != Usage::kAny || options_.server_name.has_value();
    for (const ExaminedFile* file : set_.bundles()) {
      const Certificate& first = file->certificates.front();
      if (set_.KeyOf(first.public_key()) == nullptr) continue;
      if (!meant_as_leaf && first.alternative_names().empty()) continue;
      Add(meant_as_leaf ? Severity::kFault : Severity::kWarning, Reason::kUsageNotAllowed, *file,
          {.title = "the CA certificate " + Called(first) +
                    " is used as a leaf, which rustls and others refuse, and whoever trusts it "
                    "trusts all that its key issues",
           .expected = "basicConstraints CA:FALSE",
           .got = "CA:TRUE",
           .fix = "keep the CA's key away from servers, and have it issue a certificate for each"});
      if (options_.server_name.has_value()) {
        if (const absl::Status status = CheckName(first, *options_.server_name); !status.ok()) {
          diagnosis_.Add(FaultOf(status, file->path));
        }
      }
    }
  }

  const FileSet& set_;
  const FileDoctorOptions& options_;
  Diagnosis& diagnosis_;
};

}  // namespace

Diagnosis ExamineFiles(const std::vector<std::string>& paths, const FileDoctorOptions& options) {
  Diagnosis diagnosis;
  const FileSet set(ExamineAll(paths, diagnosis));
  FileDoctor(set, options, diagnosis).Run();
  diagnosis.Sort();
  return diagnosis;
}

}  // namespace troth
