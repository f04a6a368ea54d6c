#include "troth/doctor/server_chain_examination_internal.h"

#include <algorithm>
#include <utility>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/doctor/certificate_faults_internal.h"
#include "troth/doctor/certificate_role_internal.h"
#include "troth/pki/description.h"
#include "troth/pki/path_validation.h"

namespace troth {
namespace {

class Examination {
 public:
  Examination(const ServerChain& chain, Diagnosis& diagnosis)
      : chain_(chain),
        leaf_(chain.chain.front()),
        order_(InRightOrder(chain.chain)),
        diagnosis_(diagnosis) {}

  void Run() {
    const bool is_authority = FindRole(leaf_) != Role::kLeaf;
    const absl::Status usage = CheckByItself(leaf_, Usage::kServer, chain_.now);
    const bool is_refused = ReasonOf(usage) == Reason::kUsageNotAllowed;
    if (is_refused) usage_ = Usage::kAny;
    FindPath();
    JudgeRepetition();
    JudgeOrder();
    JudgeName();
    JudgeCertificates();
    if (is_refused && !is_authority) diagnosis_.Add(FaultOf(usage, chain_.subject));
    JudgeListed();
    if (is_authority) return JudgeAuthorityAsLeaf(is_refused);
    if (IsPinned() && !leads_) return JudgePinned();
    if (leaf_.subject().Matches(leaf_.issuer())) return JudgeSelfIssued();
    ExamineServerTrust(chain_, usage_, diagnosis_);
  }

 private:
  void Add(Severity severity, Reason reason, Finding finding) {
    finding.severity = severity;
    finding.reason = reason;
    finding.subject = chain_.subject;
    diagnosis_.Add(std::move(finding));
  }
  void Fault(Reason reason, Finding finding) { Add(Severity::kFault, reason, std::move(finding)); }

  void Warn(Reason reason, Finding finding) { Add(Severity::kWarning, reason, std::move(finding)); }

  // A client may trust the very certificate of a server, self-signed or not.
  bool IsPinned() const { return Contains(chain_.trust.certificates, leaf_); }

  // What counts: the certificates of the path that a client finds, and when it finds none, those
  // that look like one.
  void FindPath() {
    for (const Certificate& certificate : chain_.chain) {
      if (!Contains(sent_, certificate)) sent_.push_back(certificate);
    }
    const std::vector<Certificate> anchors = AnchorsFor(chain_);
    const PathResult result =
        ValidatePath(leaf_, {sent_.begin() + 1, sent_.end()},
                     TrustBundle::FromCertificates(anchors), {.now = chain_.now, .usage = usage_});
    leads_ = result.path.size() > 1 && Contains(anchors, result.path.back());
    needed_ = leads_ ? result.path : order_;
  }

  void JudgeRepetition() {
    std::vector<Certificate> seen;
    std::vector<Certificate> again;
    for (const Certificate& certificate : chain_.chain) {
      std::vector<Certificate>& where = Contains(seen, certificate) ? again : seen;
      if (!Contains(where, certificate)) where.push_back(certificate);
    }
    if (again.empty()) return;
    Warn(Reason::kIssuerUnknown,
         {.title = "the server sends " + Listed(again, ", ") +
                   " more than once, which some clients refuse",
          .expected = Listed(seen, ", then "),
          .got = Listed(chain_.chain, ", then "),
          .fix = "keep each certificate once in the server's certificate file"});
  }

  // RFC 8446 section 4.4.2 tells clients to put up with any order, and most do.
  void JudgeOrder() {
    const auto end = sent_.begin() + std::min(order_.size(), sent_.size());
    if (!std::equal(order_.begin(), order_.end(), sent_.begin(), end)) {
      Add(leads_ ? Severity::kWarning : Severity::kFault, Reason::kIssuerUnknown,
          {.title =
               std::string("the server sends the certificates of its chain in the wrong order") +
               (leads_ ? ", which some clients refuse" : ""),
           .expected = Listed(order_, ", then "),
           .got = Listed(sent_, ", then "),
           .fix = "in the server's certificate file put the leaf first, then its issuer, and so "
                  "on; leave out the root"});
    } else if (order_.size() < sent_.size() && IsRoot(sent_.back())) {
      Add(Severity::kNote, Reason::kIssuerUnknown,
          {.title = "the server sends its root too, which clients have or do not trust",
           .fix = "leave it out: it only makes every handshake longer"});
    }
  }

  void JudgeName() {
    const absl::Status status = CheckName(leaf_, chain_.name);
    if (status.ok()) return;
    const bool missing = ReasonOf(status) == Reason::kNamesMissing;
    const std::string why = ExplainMismatch(leaf_, chain_.name);
    Fault(*ReasonOf(status),
          {.title = missing ? "the server's certificate " + Called(leaf_) +
                                  " has no subject alternative name; a common name does not count"
                            : "the server's certificate " + Called(leaf_) +
                                  " is not for the name " + Printable(chain_.name.ToPlainString()) +
                                  (why.empty() ? "" : ": " + why),
           .expected = Printable(chain_.name.ToString()),
           .got = NamesOrSubject(leaf_),
           .fix = missing ? ""
                          : "connect by a name that the certificate has, expect such a name with "
                            "--server-name, or have the certificate issued with this one"});
  }

  void JudgeCertificates() {
    for (const Certificate& certificate : sent_) {
      const bool is_leaf = certificate == leaf_;
      // A root counts as what the client has.
      if (!is_leaf && IsRoot(certificate)) continue;
      if (is_leaf || Contains(needed_, certificate)) {
        ExamineServerTime(chain_, certificate, "", diagnosis_);
        JudgeStrength(certificate);
      } else if (leads_) {
        JudgeUnneeded(certificate);
      }
    }
  }

  // Beside the path that a client finds.
  void JudgeUnneeded(const Certificate& certificate) {
    const Validity& validity = certificate.validity();
    if (IsInTime(certificate, chain_.now)) return;
    const bool expired = chain_.now > validity.not_after;
    Warn(expired ? Reason::kCertificateExpired : Reason::kCertificateNotYetValid,
         {.title = "the server sends the CA " + Called(certificate) + " issued by " +
                   Quoted(certificate.issuer()) + ", which is out of its time; no path needs it, " +
                   "but old clients stumble over it",
          .expected = "a time from " + FormatTime(validity.not_before) + " to " +
                      FormatTime(validity.not_after),
          .got = "it is " + FormatTime(chain_.now) + " by this machine's clock",
          .fix = "leave it out of the server's certificate file"});
  }

  void JudgeStrength(const Certificate& certificate) {
    const bool is_self_issued = certificate.subject().Matches(certificate.issuer());
    if (const std::optional<Finding> key = FindWeakKey(certificate)) Fault(key->reason, *key);
    if (is_self_issued) return;
    const std::optional<Finding> signature = FindWeakSignature(certificate);
    if (signature.has_value()) Fault(signature->reason, *signature);
  }

  // The CAs that may have issued `certificate`: those whose key did, else all of that name.
  std::vector<Certificate> IssuersOf(const Certificate& certificate) const {
    std::vector<Certificate> called_so;
    std::vector<Certificate> signers;
    for (const std::vector<Certificate>* some :
         {&sent_, &chain_.trust.certificates, &chain_.loose}) {
      for (const Certificate& ca : *some) {
        if (!ca.is_ca() || !ca.subject().Matches(certificate.issuer())) continue;
        called_so.push_back(ca);
        const bool signed_it = ca.public_key()
                                   .Verify(certificate.signature_algorithm(), certificate.tbs_der(),
                                           certificate.signature())
                                   .ok();
        if (signed_it) signers.push_back(ca);
      }
    }
    return signers.empty() ? called_so : signers;
  }

  // On a list, apart from the path, which may not get as far as to ask. A list that another key
  // signed than that of the CA says nothing.
  void JudgeListed() {
    for (const Certificate& certificate : sent_) {
      if (certificate != leaf_ && (!Contains(needed_, certificate) || IsRoot(certificate)))
        continue;
      for (const Crl& crl : chain_.crls) {
        if (!crl.issuer().Matches(certificate.issuer()) ||
            crl.Find(certificate.serial_number()) == nullptr) {
          continue;
        }
        const std::vector<Certificate> issuers = IssuersOf(certificate);
        const bool verified = std::ranges::any_of(issuers, [&](const Certificate& ca) {
          return crl.VerifySignature(ca.public_key()).ok();
        });
        if (!verified && !issuers.empty()) continue;
        if (HasFault(diagnosis_, Reason::kCertificateRevoked, chain_.subject)) return;
        Fault(Reason::kCertificateRevoked,
              {.title = "the certificate " + Called(certificate) +
                        " is on the revocation list of its CA" +
                        (verified ? "" : ", whose signature could not be checked without that CA"),
               .expected = "a certificate that is not revoked",
               .got = "serial number " + certificate.serial_number().ToHex() + " on the list"});
      }
    }
    const bool is_covered = std::ranges::any_of(
        chain_.crls, [&](const Crl& crl) { return crl.issuer().Matches(leaf_.issuer()); });
    if (chain_.crls.empty()) {
      Add(Severity::kNote, Reason::kRevocationUnknown,
          {.title = "no revocation list was given, so revocation was not examined",
           .fix = "give the CA's CRL with --crl, if it has one"});
    } else if (!is_covered) {
      Add(Severity::kWarning, Reason::kRevocationUnknown,
          {.title = "no revocation list covers the server's certificate, which nginx would refuse",
           .expected = "a list of " + Quoted(leaf_.issuer()),
           .got = "lists of other authorities"});
    }
  }

  // Whoever trusts it by itself gets by with it, with some TLS libraries.
  void JudgeAuthorityAsLeaf(bool usage_is_refused) {
    const bool works = IsPinned() && !usage_is_refused;
    Add(works ? Severity::kWarning : Severity::kFault, Reason::kUsageNotAllowed,
        {.title = "the server shows the CA certificate " + Called(leaf_) +
                  " as its own, which rustls and others refuse, and whoever trusts it trusts "
                  "all that its key issues",
         .expected = "basicConstraints CA:FALSE",
         .got = "CA:TRUE",
         .fix = "keep the CA's key away from servers, and have it issue a certificate for each"});
  }

  void JudgePinned() {
    const bool self_signed = leaf_.IsSelfSigned();
    // Programs that take the system's authorities take this one too.
    if (self_signed && chain_.trust.kind == ClientTrust::Kind::kSystem) return;
    Warn(self_signed ? Reason::kCertificateSelfSigned : Reason::kNotACertificateAuthority,
         {.title = "the server's certificate " + Called(leaf_) + " is trusted by itself, in " +
                   Printable(chain_.trust.called) + ": " +
                   (self_signed ? "Troth takes only CAs for trust bundles, OpenSSL, nginx and curl "
                                  "take this one too"
                                : "Troth, nginx and OpenSSL refuse that, curl accepts it") +
                   "; and every client has to be told when it is replaced",
          .expected = "the CA that issued it, in the trust bundle",
          .got = self_signed ? "a certificate with CA:FALSE that is signed with its own key"
                             : "a certificate with CA:FALSE of " + Quoted(leaf_.issuer()),
          .fix = self_signed ? "have a CA issue the server's certificate, and trust that CA"
                             : "put the CA that issued it in the trust bundle in its place"});
  }

  void JudgeSelfIssued() {
    const bool self_signed = leaf_.IsSelfSigned();
    Fault(Reason::kCertificateSelfSigned,
          {.title = self_signed ? "the server's certificate " + Called(leaf_) +
                                      " is signed with its own key, so that nobody vouches for it"
                                : "the server's certificate has the same name as its CA, so that "
                                  "TLS takes it for self-signed and looks no further",
           .expected = self_signed ? "a certificate that a CA issued"
                                   : "a subject other than that of the CA",
           .got = "subject and issuer " + Called(leaf_)});
  }

  const ServerChain& chain_;
  const Certificate leaf_;
  const std::vector<Certificate> order_;
  Diagnosis& diagnosis_;
  std::vector<Certificate> sent_;    // each once
  std::vector<Certificate> needed_;  // see FindPath
  bool leads_ = false;               // whether they lead to one of the anchors
  Usage usage_ = Usage::kServer;
};

}  // namespace

bool IsRoot(const Certificate& certificate) { return FindRole(certificate) == Role::kRoot; }

std::string Listed(const std::vector<Certificate>& certificates, std::string_view separator) {
  constexpr size_t kMost = 5;
  std::vector<std::string> names;
  for (const Certificate& certificate : certificates) {
    if (names.size() == kMost) {
      names.push_back("... (" + std::to_string(certificates.size()) + " in all)");
      break;
    }
    names.push_back(Called(certificate));
  }
  return names.empty() ? "nobody" : Join(names, separator);
}

bool Contains(const std::vector<Certificate>& all, const Certificate& certificate) {
  return std::ranges::find(all, certificate) != all.end();
}

bool HasFault(const Diagnosis& diagnosis, Reason reason, std::string_view subject) {
  return std::ranges::any_of(diagnosis.findings, [&](const Finding& finding) {
    return finding.reason == reason && finding.severity == Severity::kFault &&
           finding.subject == subject;
  });
}

bool HasFault(const Diagnosis& diagnosis, Reason reason) {
  return std::ranges::any_of(diagnosis.findings, [&](const Finding& finding) {
    return finding.reason == reason && finding.severity == Severity::kFault;
  });
}

std::vector<Certificate> InRightOrder(const std::vector<Certificate>& chain) {
  std::vector<Certificate> order;
  for (const size_t at : RightOrder(chain, 0)) {
    if (!Contains(order, chain[at])) order.push_back(chain[at]);
  }
  return order;
}

void ExamineServerChain(const ServerChain& chain, Diagnosis& diagnosis) {
  Examination(chain, diagnosis).Run();
}

}  // namespace troth
