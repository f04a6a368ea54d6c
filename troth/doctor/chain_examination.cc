#include "troth/doctor/chain_examination_internal.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "troth/base/strings.h"
#include "troth/doctor/certificate_faults_internal.h"
#include "troth/doctor/chain_order_internal.h"
#include "troth/doctor/mend_internal.h"
#include "troth/doctor/reissue_internal.h"

namespace troth {
namespace {

bool IsTimeReason(std::optional<Reason> reason) {
  return reason == Reason::kCertificateExpired || reason == Reason::kCertificateNotYetValid ||
         reason == Reason::kCrlExpired;
}

bool HasUsage(const Certificate& certificate, std::string_view usage) {
  const auto& usages = certificate.extended_key_usage();
  return usages.has_value() && std::ranges::find(*usages, usage) != usages->end();
}

bool IsForClients(const Certificate& certificate) {
  return HasUsage(certificate, kClientAuthOid) && !HasUsage(certificate, kServerAuthOid) &&
         !HasUsage(certificate, kAnyExtendedKeyUsageOid);
}

class ChainExamination {
 public:
  ChainExamination(const Chain& chain, const FileSet& set, const FileDoctorOptions& options,
                   Diagnosis& diagnosis)
      : chain_(chain),
        leaf_(chain.leaf()),
        set_(set),
        options_(options),
        diagnosis_(diagnosis),
        path_options_{.now = TimeWhenAllIsValid(),
                      .usage = options.purpose,
                      .crls = &set.crls(),
                      .max_signature_checks =
                          std::max<size_t>(100, kDefaultSignatureChecks / set.chains().size())} {}

  void Run() {
    ExamineOrder(chain_, set_, diagnosis_);
    JudgeName();
    JudgeLeaf();
    if (leaf_.subject().Matches(leaf_.issuer())) {
      JudgeSelfIssued();
    } else {
      JudgeChain();
    }
    JudgeRevocation();
  }

 private:
  void Add(Reason reason, Finding finding) { Add(Severity::kFault, reason, std::move(finding)); }
  void Add(Severity severity, Reason reason, Finding finding) {
    diagnosis_.Add(severity, reason, chain_.file->path, std::move(finding));
  }
  void AddFault(const absl::Status& status, std::string command = "") {
    Finding finding = FaultOf(status, chain_.file->path);
    finding.command = std::move(command);
    diagnosis_.Add(std::move(finding));
  }

  // Times are judged apart: a chain of which a part has expired may have another fault.
  Time TimeWhenAllIsValid() const {
    Time from = leaf_.validity().not_before;
    Time to = leaf_.validity().not_after;
    for (const Certificate& ca : set_.authorities()) {
      if (IsInTime(ca, options_.now)) continue;
      from = std::max(from, ca.validity().not_before);
      to = std::min(to, ca.validity().not_after);
    }
    return std::clamp(options_.now, std::min(from, to), std::max(from, to));
  }

  std::string Reissuing() const { return ReissueCommandOf(chain_, set_, options_); }

  void JudgeName() {
    if (options_.server_name.has_value()) {
      if (IsForOthers()) return;
      const absl::Status status = CheckName(leaf_, *options_.server_name);
      if (status.ok()) return;
      const std::string why = ExplainMismatch(leaf_, *options_.server_name);
      Add(*ReasonOf(status),
          {.title = "the certificate " + Called(leaf_) + " is not for the name " +
                    Printable(options_.server_name->ToPlainString()) +
                    (why.empty() ? "" : ": " + why),
           .expected = Printable(options_.server_name->ToString()),
           .got = NamesOrSubject(leaf_),
           .command = Reissuing()});
      return;
    }
    if (!leaf_.alternative_names().empty() || options_.purpose == Usage::kClient) return;
    const bool is_for_servers = HasUsage(leaf_, kServerAuthOid);
    if (leaf_.extended_key_usage().has_value() && !is_for_servers &&
        options_.purpose == Usage::kAny) {
      return;
    }
    const bool is_server =
        options_.purpose == Usage::kServer || (is_for_servers && !HasUsage(leaf_, kClientAuthOid));
    Add(is_server ? Severity::kFault : Severity::kWarning, Reason::kNamesMissing,
        {.title = "the certificate " + Called(leaf_) + " has no subject alternative name" +
                  (is_server ? "" : ", so it is good for clients only"),
         .expected = "the server's DNS name or IP address as a subject alternative name",
         .got = "only the subject " + Called(leaf_) + ", whose common name does not count",
         .command = Reissuing()});
  }

  // Whether the server name is asked for another certificate: this one is for clients, and there is
  // one that is not.
  bool IsForOthers() const {
    return IsForClients(leaf_) && !std::ranges::all_of(set_.chains(), [](const Chain& chain) {
             return IsForClients(chain.leaf());
           });
  }

  void JudgeLeaf() {
    const absl::Status usage = CheckByItself(leaf_, options_.purpose, options_.now);
    if (ReasonOf(usage) == Reason::kUsageNotAllowed) {
      AddFault(usage, Reissuing());
      path_options_.usage = Usage::kAny;
    }
    const absl::Status status = CheckByItself(leaf_, Usage::kAny, options_.now);
    if (status.ok() || IsTimeReason(ReasonOf(status))) return;
    leaf_is_broken_ = true;
    if (!IsFound(ReasonOf(status))) AddFault(status);
  }

  // Weak keys and signatures are judged for every certificate, whether in a chain or not.
  bool IsFound(std::optional<Reason> reason) const {
    return (reason == Reason::kAlgorithmNotAllowed || reason == Reason::kKeyTooWeak) &&
           std::ranges::any_of(diagnosis_.findings, [&](const Finding& finding) {
             return finding.reason == *reason && finding.severity == Severity::kFault;
           });
  }

  void JudgeSelfIssued() {
    if (SignsItself(leaf_)) return JudgeSelfSigned();
    Add(Reason::kCertificateSelfSigned,
        {.title = "the certificate has the same name as its CA, so that TLS takes it for "
                  "self-signed and looks no further",
         .expected = "a subject other than that of the CA",
         .got = "subject and issuer " + Called(leaf_),
         .fix = "make a request with another subject (openssl req -new -key KEY -subj "
                "/CN=NAME), and have the CA sign it"});
  }

  // One that is given twice is trusted by itself: once it is sent, and once it is the trust bundle.
  void JudgeSelfSigned() {
    const std::vector<Certificate>& trusted = set_.trust().anchors();
    if (set_.trusts_roots() && std::ranges::find(trusted, leaf_) != trusted.end()) return;
    std::vector<const Chain*> same;
    for (const Chain& chain : set_.chains()) {
      if (chain.leaf() == leaf_) same.push_back(&chain);
    }
    if (same.front() != &chain_) return;
    const bool is_pinned = same.size() > 1;
    Add(is_pinned ? Severity::kWarning : Severity::kFault, Reason::kCertificateSelfSigned,
        {.title = "the certificate " + Called(leaf_) +
                  (is_pinned
                       ? " is its own trust bundle: every peer has to be told when it is replaced, "
                         "and Troth takes only CAs for trust bundles"
                       : " is signed with its own key, so that nobody vouches for it"),
         .expected = "a certificate that a CA issued",
         .got = "subject and issuer " + Called(leaf_)});
  }

  std::vector<Certificate> Loose() const {
    std::vector<Certificate> all = chain_.others();
    for (const Certificate& ca : set_.authorities()) {
      if (!set_.IsRoot(ca)) all.push_back(ca);
    }
    return all;
  }

  void JudgeChain() {
    if (leaf_is_broken_) return;
    if (set_.trust().empty()) return JudgeWithoutTrust();
    const PathResult sent = ValidatePath(leaf_, chain_.others(), set_.trust(), path_options_);
    if (sent.status.ok()) {
      for (const std::string& warning : sent.warnings) AddNote(warning);
      if (!set_.trusts_roots()) JudgeRootlessTrust(sent.path.back());
      return;
    }
    const std::optional<Reason> reason = ReasonOf(sent.status);
    if (IsTimeReason(reason) || IsFound(reason)) return;
    // At another time than now a list says nothing.
    if (reason == Reason::kRevocationUnknown && path_options_.now != options_.now) return;
    if (reason == Reason::kIssuerUnknown) {
      const PathResult all = ValidatePath(leaf_, Loose(), set_.trust(), path_options_);
      if (all.path.size() > std::max<size_t>(1, sent.path.size())) return JudgeIncomplete(all);
    }
    AddFault(sent.status, reason == Reason::kSignatureInvalid ? Reissuing() : "");
  }

  // The other files lead further up than that of the leaf.
  void JudgeIncomplete(const PathResult& all) {
    std::vector<Certificate> intermediates(all.path.begin() + 1, all.path.end());
    const std::vector<Certificate>& anchors = set_.trust().anchors();
    if (std::ranges::find(anchors, intermediates.back()) != anchors.end()) intermediates.pop_back();
    const Chain* whole = WholeElsewhere();
    if (whole != nullptr) {
      return Add(Severity::kNote, Reason::kIssuerUnknown,
                 {.title = "the file has the certificate without its intermediates, which " +
                           Printable(whole->file->path, 400) + " has too",
                  .fix = "give servers " + Printable(whole->file->path, 400)});
    }
    if (!intermediates.empty()) AddIncomplete(intermediates);
    const std::optional<Reason> reason = ReasonOf(all.status);
    if (!all.status.ok() && !IsTimeReason(reason) && !IsFound(reason)) AddFault(all.status);
  }

  // The chain of the same leaf in another file when that is in order; otherwise null.
  const Chain* WholeElsewhere() const {
    for (const Chain& chain : set_.chains()) {
      if (&chain == &chain_ || chain.leaf() != leaf_) continue;
      const PathResult result = ValidatePath(leaf_, chain.others(), set_.trust(), path_options_);
      if (result.status.ok()) return &chain;
    }
    return nullptr;
  }

  void AddNote(const std::string& text) {
    Add(Severity::kNote, Reason::kCertificateMalformed,
        {.title = text, .fix = "nothing has to be done now; have it issued better the next time"});
  }

  // Some of these are among the files, and not in that of the leaf.
  void AddIncomplete(const std::vector<Certificate>& intermediates) {
    const std::string file = PathWord(chain_.file->path);
    std::vector<std::string> missing;
    std::vector<std::string> commands;
    bool can_append = !chain_.file->blocks.empty();
    const std::string end = chain_.file->ends_in_line_end ? "" : "echo >> " + file + " && ";
    for (const Certificate& intermediate : intermediates) {
      const std::vector<Certificate>& sent = chain_.file->certificates;
      if (std::ranges::find(sent, intermediate) != sent.end()) {
        // What is missing belongs before it.
        if (!missing.empty()) can_append = false;
        continue;
      }
      missing.push_back(Called(intermediate));
      const ExaminedFile& source = set_.FileOf(intermediate);
      // Other certificates of that file have no business in the chain.
      can_append = can_append && source.certificates.size() == 1 && source.only_certificates;
      commands.push_back("openssl x509 -in " + PathWord(source.path) + " >> " + file);
    }
    if (missing.empty()) return;
    Add(Reason::kIssuerUnknown,
        {.title = "the chain is incomplete: the file has no intermediate that leads to the root",
         .expected = "after " + Called(leaf_) + ": " + Join(missing, ", then "),
         .got = std::to_string(chain_.file->certificates.size()) + " certificate(s), without it",
         .fix = "append the intermediates to the file, each after the certificate that it issued",
         .command = can_append ? end + Join(commands, " && ") : ""});
  }

  // All that the bundles hold is an intermediate.
  void JudgeRootlessTrust(const Certificate& anchor) {
    diagnosis_.Add(
        {.severity = Severity::kFault,
         .reason = Reason::kIssuerUnknown,
         .subject = set_.FileOf(anchor).path,
         .title = "the trust bundle holds an intermediate without its root: nginx, curl and most "
                  "TLS libraries do not trust an intermediate alone",
         .expected = "the root " + Quoted(anchor.issuer()),
         .got = "only " + Called(anchor) + ", which the root issued",
         .fix = "add the root's certificate to the trust bundle"});
  }

  // Apart from the path, which may have been judged at another time than now, or not at all.
  void JudgeRevocation() {
    for (const size_t at : RightOrder(chain_, set_)) {
      const Certificate& certificate = chain_.file->certificates[at];
      for (const Crl& crl : set_.crls()) {
        if (!crl.issuer().Matches(certificate.issuer()) ||
            crl.Find(certificate.serial_number()) == nullptr) {
          continue;
        }
        bool named = false;
        bool verified = false;
        for (const Certificate& ca : set_.authorities()) {
          if (!ca.subject().Matches(crl.issuer())) continue;
          named = true;
          verified = verified || set_.Issued(ca, crl);
        }
        if (verified || !named) AddRevoked(certificate, verified);
      }
    }
  }

  void AddRevoked(const Certificate& certificate, bool verified) {
    const bool known = std::ranges::any_of(diagnosis_.findings, [&](const Finding& finding) {
      return finding.reason == Reason::kCertificateRevoked && finding.subject == chain_.file->path;
    });
    if (known) return;
    Add(Reason::kCertificateRevoked,
        {.title = "the certificate " + Called(certificate) +
                  " is on the revocation list of its CA" +
                  (verified ? "" : ", whose signature could not be checked without that CA"),
         .expected = "a certificate that is not revoked",
         .got = "serial number " + certificate.serial_number().ToHex() + " on the list"});
  }

  // Without a trust bundle the chain must at least hold together.
  void JudgeWithoutTrust() {
    const std::vector<Certificate> others = chain_.others();
    Add(Severity::kNote, Reason::kIssuerUnknown,
        {.title = "no trust bundle was given, so whether " + Called(leaf_) +
                  " is trusted was not examined",
         .fix = "give the CA's certificate too"});
    if (others.empty()) return;
    const PathResult result = ValidatePath(
        leaf_, others, TrustBundle::FromCertificates(set_.authorities()), path_options_);
    const std::optional<Reason> reason = ReasonOf(result.status);
    if (!result.status.ok() && !IsTimeReason(reason) && !IsFound(reason)) AddFault(result.status);
  }

  const Chain& chain_;
  const Certificate leaf_;
  const FileSet& set_;
  const FileDoctorOptions& options_;
  Diagnosis& diagnosis_;
  PathOptions path_options_;
  bool leaf_is_broken_ = false;
};

}  // namespace

void ExamineChain(const Chain& chain, const FileSet& set, const FileDoctorOptions& options,
                  Diagnosis& diagnosis) {
  ChainExamination(chain, set, options, diagnosis).Run();
}

}  // namespace troth
