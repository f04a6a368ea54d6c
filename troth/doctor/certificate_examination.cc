#include "troth/doctor/certificate_examination_internal.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "troth/base/strings.h"
#include "troth/doctor/certificate_faults_internal.h"
#include "troth/doctor/reissue_internal.h"

namespace troth {
namespace {

bool IsStrong(const Certificate& certificate) {
  return certificate.public_key().CheckStrength().ok();
}

class CertificateExamination {
 public:
  CertificateExamination(const ExaminedFile& file, const FileSet& set,
                         const FileDoctorOptions& options, Diagnosis& diagnosis)
      : file_(file),
        set_(set),
        options_(options),
        diagnosis_(diagnosis),
        chain_(set.ChainOf(file)) {}

  void Run() {
    for (const Certificate& certificate : file_.certificates) {
      JudgeTime(certificate);
      JudgeKey(certificate);
      JudgeSignature(certificate);
      JudgeSelfIssued(certificate);
    }
    AddUnneeded();
  }

 private:
  void Add(Severity severity, Reason reason, Finding finding) {
    diagnosis_.Add(severity, reason, file_.path, std::move(finding));
  }

  bool IsUsed(const Certificate& ca) const {
    return std::ranges::any_of(set_.files(), [&](const ExaminedFile& file) {
      return std::ranges::any_of(file.certificates, [&](const Certificate& certificate) {
        return certificate != ca && set_.Issued(ca, certificate);
      });
    });
  }

  // Whether what is wrong with it stops something: a CA that nothing needs may lie in a bundle, as
  // an old one does while a new one takes over. `is_fine` says which CAs do not have this fault.
  template <typename IsFine>
  bool Matters(const Certificate& certificate, IsFine is_fine) const {
    if (set_.IsLeaf(certificate) || IsUsed(certificate)) return true;
    if (!set_.chains().empty()) return false;
    return set_.KeyOf(certificate.public_key()) != nullptr ||
           std::ranges::none_of(file_.certificates, is_fine);
  }

  struct Weight {
    Severity when_needed, otherwise;
  };

  // What does not matter in a bundle of many CAs, such as that of a system, becomes one note.
  template <typename IsFine>
  void Weigh(const Certificate& certificate, IsFine is_fine, Weight weight, Finding finding) {
    const bool matters = Matters(certificate, is_fine);
    if (!matters && file_.certificates.size() > kMaxNamedAuthorities) {
      const std::string name = Called(certificate);
      if (unneeded_.empty() || unneeded_.back() != name) unneeded_.push_back(name);
      return;
    }
    finding.subject = file_.path;
    finding.severity = matters ? weight.when_needed : weight.otherwise;
    diagnosis_.Add(std::move(finding));
  }

  void AddUnneeded() {
    if (unneeded_.empty()) return;
    const size_t count = unneeded_.size();
    if (count > kMaxNamedAuthorities) {
      unneeded_.resize(kMaxNamedAuthorities);
      unneeded_.push_back(std::to_string(count - kMaxNamedAuthorities) + " more");
    }
    Add(Severity::kNote, Reason::kCertificateExpired,
        {.title = "of " + std::to_string(file_.certificates.size()) + " certificates " +
                  std::to_string(count) +
                  " that nothing here needs are out of time, end soon, or have a weak key or "
                  "signature: " +
                  Join(unneeded_, ", "),
         .fix = "nothing has to be done; take them out, or update the bundle when its maker does"});
  }

  std::string Reissuing(const Certificate& certificate) const {
    const bool is_served = chain_ != nullptr && chain_->leaf() == certificate;
    return is_served ? ReissueCommandOf(*chain_, set_, options_) : "";
  }

  void JudgeTime(const Certificate& certificate) {
    if (IsInTime(certificate, options_.now)) return JudgeTimeLeft(certificate);
    const Validity& validity = certificate.validity();
    Finding finding{.expected = "a time from " + FormatTime(validity.not_before) + " to " +
                                FormatTime(validity.not_after),
                    .got = "it is " + FormatTime(options_.now) + " by this machine's clock",
                    .command = Reissuing(certificate)};
    if (options_.now > validity.not_after) {
      finding.reason = Reason::kCertificateExpired;
      finding.title = InRole(certificate) + " expired " +
                      FormatDuration(options_.now - validity.not_after) + " ago";
    } else {
      finding.reason = Reason::kCertificateNotYetValid;
      finding.title = InRole(certificate) + " becomes valid only in " +
                      FormatDuration(validity.not_before - options_.now) +
                      "; is the clock of this machine right, or was that of the CA wrong";
      finding.fix = "set the clock (`timedatectl` shows whether it is synchronised), or wait";
    }
    Weigh(
        certificate, [this](const Certificate& other) { return IsInTime(other, options_.now); },
        {Severity::kFault, Severity::kWarning}, std::move(finding));
  }

  void JudgeTimeLeft(const Certificate& certificate) {
    const Validity& validity = certificate.validity();
    const Seconds left = validity.not_after - options_.now;
    const Seconds lifetime = validity.not_after - validity.not_before;
    const Seconds wanted = std::min(options_.warn_before, lifetime / 3);
    if (left > wanted) return;
    const auto lasts = [this, wanted](const Certificate& other) {
      return IsInTime(other, options_.now) && other.validity().not_after - options_.now > wanted;
    };
    Weigh(certificate, lasts, {Severity::kWarning, Severity::kWarning},
          {.reason = Reason::kCertificateExpired,
           .title = InRole(certificate) + " expires in " + FormatDuration(left),
           .expected = "more than " + FormatDuration(wanted),
           .got = "valid until " + FormatTime(validity.not_after),
           .fix = "renew it now",
           .command = Reissuing(certificate)});
  }

  void JudgeKey(const Certificate& certificate) {
    if (std::optional<Finding> weakness = FindWeakKey(certificate)) {
      Weigh(certificate, IsStrong, {Severity::kFault, Severity::kNote}, *std::move(weakness));
    }
  }

  // Nobody checks the signature of a root.
  void JudgeSignature(const Certificate& certificate) {
    std::optional<Finding> weakness = FindWeakSignature(certificate);
    if (!weakness.has_value() || set_.IsRoot(certificate)) return;
    weakness->command = Reissuing(certificate);
    Weigh(
        certificate,
        [](const Certificate& other) { return !IsRefused(other.signature_algorithm()); },
        {Severity::kFault, Severity::kNote}, *std::move(weakness));
  }

  // A CA of its issuer's name ought to be signed by a CA of that name: itself, or its key of old.
  void JudgeSelfIssued(const Certificate& certificate) {
    if (set_.RoleOf(certificate) != Role::kIntermediate ||
        !certificate.subject().Matches(certificate.issuer())) {
      return;
    }
    const bool is_signed = std::ranges::any_of(set_.authorities(), [&](const Certificate& ca) {
      return ca != certificate && set_.Issued(ca, certificate);
    });
    if (is_signed) return;
    Add(Severity::kWarning, Reason::kSignatureInvalid,
        {.title =
             "the CA " + Called(certificate) +
             " names itself as its issuer, and neither its own key nor another CA of that name "
             "among the files signed it",
         .expected = "a signature by its own key, or by the key that the CA had before",
         .got = "another signature",
         .fix = "get the certificate from the CA again"});
  }

  std::string InRole(const Certificate& certificate) const {
    const Role role = set_.RoleOf(certificate);
    return (role == Role::kLeaf   ? "the certificate "
            : role == Role::kRoot ? "the root CA "
                                  : "the intermediate CA ") +
           Called(certificate);
  }

  const ExaminedFile& file_;
  const FileSet& set_;
  const FileDoctorOptions& options_;
  Diagnosis& diagnosis_;
  const Chain* const chain_;  // of the file, or null
  std::vector<std::string> unneeded_;
};

}  // namespace

void ExamineCertificates(const ExaminedFile& file, const FileSet& set,
                         const FileDoctorOptions& options, Diagnosis& diagnosis) {
  CertificateExamination(file, set, options, diagnosis).Run();
}

}  // namespace troth
