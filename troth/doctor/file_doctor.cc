#include "troth/doctor/file_doctor.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "troth/base/strings.h"
#include "troth/doctor/certificate_examination_internal.h"
#include "troth/doctor/chain_examination_internal.h"
#include "troth/doctor/examined_file_internal.h"
#include "troth/doctor/file_set_internal.h"
#include "troth/doctor/key_examination_internal.h"

namespace troth {
namespace {

constexpr size_t kMaxFindingsOfAFile = 20;

std::vector<ExaminedFile> ExamineAll(const std::vector<std::string>& paths, Diagnosis& diagnosis) {
  std::vector<ExaminedFile> files;
  std::set<std::string> seen;
  FileAllowance allowance;
  for (const std::string& path : paths) {
    if (seen.insert(path).second) files.push_back(ExamineFile(path, allowance, diagnosis));
  }
  return files;
}

std::string Describe(const Certificate& certificate, Role role) {
  std::string what = role == Role::kRoot   ? "root CA "
                     : role == Role::kLeaf ? "certificate "
                                           : "intermediate CA ";
  what += Called(certificate);
  if (role == Role::kLeaf && !certificate.alternative_names().empty()) {
    std::vector<std::string> names;
    for (const AlternativeName& name : certificate.alternative_names()) {
      names.push_back(Printable(name.ToPlainString()));
    }
    what += " for " + Join(names, ", ");
  }
  return what + " until " + FormatTime(certificate.validity().not_after);
}

class FileDoctor {
 public:
  FileDoctor(const FileSet& set, const FileDoctorOptions& options, Diagnosis& diagnosis)
      : set_(set), options_(options), diagnosis_(diagnosis) {}

  void Run() {
    for (const ExaminedFile& file : set_.files()) {
      Recognise(file);
      ExamineCertificates(file, set_, options_, diagnosis_);
      for (const Crl& crl : file.crls) JudgeCrl(file, crl);
    }
    ExamineKeys(set_, options_, diagnosis_);
    for (const ExaminedFile* file : set_.bundles()) JudgePins(*file);
    for (const Chain& chain : set_.chains()) ExamineChain(chain, set_, options_, diagnosis_);
    if (set_.crls().empty() && !set_.chains().empty() && !set_.trust().empty()) {
      diagnosis_.Add(Severity::kNote, Reason::kRevocationUnknown, set_.chains().front().file->path,
                     {.title = "no revocation list was given, so revocation was not examined",
                      .fix = "give the CA's CRL too, if it has one"});
    }
  }

 private:
  void Recognise(const ExaminedFile& file) {
    std::vector<std::string> parts;
    const auto authorities = std::ranges::count_if(
        file.certificates, [this](const Certificate& c) { return !set_.IsLeaf(c); });
    const bool are_many = static_cast<size_t>(authorities) > kMaxNamedAuthorities;
    for (const Certificate& certificate : file.certificates) {
      const Role role = set_.RoleOf(certificate);
      if (role == Role::kLeaf || !are_many) parts.push_back(Describe(certificate, role));
    }
    if (are_many) parts.push_back(std::to_string(authorities) + " CA certificates");
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
    if (file.encrypted_key.has_value()) parts.emplace_back("encrypted private key");
    for (const CertificateRequest& request : file.requests) {
      parts.push_back("certificate request for " + Quoted(request.subject()));
    }
    for (const Crl& crl : file.crls) {
      parts.push_back("revocation list of " + Quoted(crl.issuer()) + " with " +
                      std::to_string(crl.entries().size()) + " entries");
    }
    parts.insert(parts.end(), file.others.begin(), file.others.end());
    if (parts.size() > 2 * kMaxNamedAuthorities) {
      const size_t more = parts.size() - 2 * kMaxNamedAuthorities;
      parts.resize(2 * kMaxNamedAuthorities);
      parts.push_back(std::to_string(more) + " more");
    }
    diagnosis_.recognised.push_back(
        {.subject = file.path, .what = parts.empty() ? "nothing usable" : Join(parts, "; ")});
  }

  void JudgeCrl(const ExaminedFile& file, const Crl& crl) {
    const std::string issuer = Quoted(crl.issuer());
    if (crl.next_update().has_value() && *crl.next_update() < options_.now) {
      diagnosis_.Add(Severity::kFault, Reason::kCrlExpired, file.path,
                     {.title = "the revocation list of " + issuer +
                               " is out of date, and nginx refuses every certificate with such a "
                               "list",
                      .expected = "a list that is current",
                      .got = "nextUpdate " + FormatTime(*crl.next_update()) + ", now " +
                             FormatTime(options_.now),
                      .fix = "fetch or make a new list"});
    }
    if (crl.this_update() > options_.now) {
      diagnosis_.Add(Severity::kFault, Reason::kRevocationUnknown, file.path,
                     {.title = "the revocation list of " + issuer + " is dated in the future",
                      .expected = "a time from " + FormatTime(crl.this_update()) + " on",
                      .got = "now " + FormatTime(options_.now),
                      .fix = "check the clocks of this machine and of the CA"});
    }
    bool named = false;
    for (const Certificate& ca : set_.authorities()) {
      if (!ca.subject().Matches(crl.issuer())) continue;
      if (set_.Issued(ca, crl)) return;
      named = true;
    }
    if (named) {
      diagnosis_.Add(Severity::kFault, Reason::kSignatureInvalid, file.path,
                     {.title = "the revocation list is not signed by the CA " + issuer +
                               ": the CA of this name has another key",
                      .expected = "a list that the CA's key signed",
                      .got = "another signature",
                      .fix = "fetch the list of the present CA, or give the certificate of the CA "
                             "that made it"});
    } else if (!set_.authorities().empty()) {
      diagnosis_.Add(
          Severity::kWarning, Reason::kIssuerUnknown, file.path,
          {.title = "the revocation list is that of " + issuer + ", which is not among the files",
           .fix = "give the certificate of that CA, or the list of yours"});
    }
  }

  // Leaves that are trusted by themselves.
  void JudgePins(const ExaminedFile& file) {
    for (const Certificate& certificate : file.certificates) {
      if (!set_.IsLeaf(certificate)) continue;
      diagnosis_.Add(
          Severity::kWarning, Reason::kNotACertificateAuthority, file.path,
          {.title = "the trust bundle holds " + Called(certificate) +
                    ", which is no CA: Troth refuses such a bundle, others trust this one "
                    "certificate or pass over it",
           .expected = "CA certificates only",
           .got = "a certificate with CA:FALSE",
           .fix =
               "take it out, and trust the CA that issued it; or is this a server's chain, which "
               "begins with the leaf"});
    }
  }

  const FileSet& set_;
  const FileDoctorOptions& options_;
  Diagnosis& diagnosis_;
};

// What a person can read: of each file the worst findings, and how many more there are. They are in
// their order.
void Shorten(Diagnosis& diagnosis) {
  std::vector<Finding> kept;
  std::map<std::string, size_t> counts;
  std::map<std::string, Finding> worst_left;
  for (Finding& finding : diagnosis.findings) {
    if (++counts[finding.subject] <= kMaxFindingsOfAFile) {
      kept.push_back(std::move(finding));
    } else {
      worst_left.try_emplace(std::string(finding.subject), std::move(finding));
    }
  }
  diagnosis.findings = std::move(kept);
  for (const auto& [subject, finding] : worst_left) {
    const size_t left = counts[subject] - kMaxFindingsOfAFile;
    diagnosis.Add(finding.severity, finding.reason, subject,
                  {.title = "findings on this file that are not shown: " + std::to_string(left),
                   .fix = "mend the others first, and examine it again"});
  }
}

}  // namespace

Diagnosis ExamineFiles(const std::vector<std::string>& paths, const FileDoctorOptions& options) {
  Diagnosis diagnosis;
  const FileSet set(ExamineAll(paths, diagnosis));
  FileDoctor(set, options, diagnosis).Run();
  diagnosis.Sort();
  Shorten(diagnosis);
  diagnosis.Sort();
  return diagnosis;
}

}  // namespace troth
