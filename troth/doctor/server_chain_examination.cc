#include "troth/doctor/server_chain_examination_internal.h"

#include <algorithm>
#include <utility>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/doctor/certificate_role_internal.h"
#include "troth/pki/description.h"
#include "troth/pki/path_validation.h"

namespace troth {
namespace {

std::string NamesOf(const Certificate& certificate) {
  constexpr size_t kMost = 10;
  std::vector<std::string> names;
  for (const AlternativeName& name : certificate.alternative_names()) {
    if (names.size() == kMost) {
      names.emplace_back("...");
      break;
    }
    names.push_back(Printable(name.ToString()));
  }
  return names.empty() ? "no subject alternative name, only the subject " + Called(certificate)
                       : Join(names, ", ");
}

// Why names that look alike do not match, or what the server is to be called; may be empty.
std::string ExplainMismatch(const Certificate& leaf, const AlternativeName& name) {
  for (const AlternativeName& has : leaf.alternative_names()) {
    if (has.kind != AlternativeName::Kind::kDns) continue;
    if (name.kind == AlternativeName::Kind::kIp && has.value == name.ToPlainString()) {
      return ": the address is written as a DNS name, and an IP address is only matched by an IP "
             "name";
    }
    if (name.kind == AlternativeName::Kind::kDns && has.value.starts_with("*.") &&
        ToLowerAscii(name.value).ends_with(ToLowerAscii(has.value.substr(1)))) {
      return ": '" + Printable(has.value) + "' stands for one label, and this name has more";
    }
  }
  return "";
}

class Examination {
 public:
  Examination(const ServerChain& chain, Diagnosis& diagnosis)
      : chain_(chain),
        leaf_(chain.chain.front()),
        order_(InRightOrder(chain.chain)),
        diagnosis_(diagnosis) {}

  void Run() {
    JudgeOrder();
    JudgeName();
    for (const Certificate& certificate : order_) {
      ExamineServerTime(chain_, certificate, "", diagnosis_);
      JudgeStrength(certificate);
    }
    JudgeUsage();
    JudgeListed();
    if (IsPinned()) return;
    if (FindRole(leaf_) != Role::kLeaf) return JudgeAuthorityAsLeaf();
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

  // A client may trust the very certificate of a server, self-signed or not.
  bool IsPinned() const {
    return chain_.trust.kind == ClientTrust::Kind::kGiven &&
           std::ranges::find(chain_.trust.certificates, leaf_) != chain_.trust.certificates.end();
  }

  void JudgeOrder() {
    const std::vector<Certificate>& sent = chain_.chain;
    if (!std::equal(order_.begin(), order_.end(), sent.begin())) {
      Fault(Reason::kIssuerUnknown,
            {.title = "the server sends the certificates of its chain in the wrong order",
             .expected = Listed(order_, ", then "),
             .got = Listed(sent, ", then "),
             .fix = "in the server's certificate file put the leaf first, then its issuer, and so "
                    "on; leave out the root"});
    } else if (order_.size() < sent.size() && IsRoot(sent.back())) {
      Add(Severity::kNote, Reason::kIssuerUnknown,
          {.title = "the server sends its root too, which clients have or do not trust",
           .fix = "leave it out: it only makes every handshake longer"});
    }
  }

  void JudgeName() {
    const absl::Status status = CheckName(leaf_, chain_.name);
    if (status.ok()) return;
    const bool missing = ReasonOf(status) == Reason::kNamesMissing;
    Fault(*ReasonOf(status),
          {.title = missing ? "the server's certificate " + Called(leaf_) +
                                  " has no subject alternative name; a common name does not count"
                            : "the server's certificate " + Called(leaf_) +
                                  " is not for the name " + Printable(chain_.name.ToPlainString()) +
                                  ExplainMismatch(leaf_, chain_.name),
           .expected = Printable(chain_.name.ToString()),
           .got = NamesOf(leaf_),
           .fix = missing ? ""
                          : "connect by a name that the certificate has, expect such a name with "
                            "--server-name, or have the certificate issued with this one"});
  }

  void JudgeStrength(const Certificate& certificate) {
    if (const absl::Status status = certificate.public_key().CheckStrength(); !status.ok()) {
      Finding finding = FaultOf(status, chain_.subject);
      finding.title = "the key of " + Called(certificate) + ": " + finding.title;
      finding.got = certificate.public_key().Describe();
      finding.expected = "P-256, P-384, Ed25519, or RSA of at least 2048 bits";
      diagnosis_.Add(std::move(finding));
    }
    const SignatureAlgorithm algorithm = certificate.signature_algorithm();
    if (!IsRefused(algorithm) || certificate.subject().Matches(certificate.issuer())) return;
    Fault(
        Reason::kAlgorithmNotAllowed,
        {.title = "the signature of " + Called(certificate) + " is made with " +
                  (algorithm == SignatureAlgorithm::kOther ? "an algorithm that is not supported"
                                                           : "SHA-1, which TLS no longer accepts"),
         .expected = "SHA-256 or better",
         .got = std::string(NameOf(algorithm))});
  }

  // The leaf by itself: as an anchor of its own it is a path without an issuer.
  void JudgeUsage() {
    const Time then = std::clamp(chain_.now, leaf_.validity().not_before,
                                 std::max(leaf_.validity().not_before, leaf_.validity().not_after));
    absl::Status status = ValidatePath(leaf_, {}, TrustBundle::FromCertificates({leaf_}),
                                       {.now = then, .usage = Usage::kServer})
                              .status;
    if (ReasonOf(status) != Reason::kUsageNotAllowed) return;
    usage_ = Usage::kAny;
    diagnosis_.Add(FaultOf(status, chain_.subject));
  }

  // On any list, whoever signed it: the path may not get as far as to ask.
  void JudgeListed() {
    for (const Certificate& certificate : order_) {
      for (const Crl& crl : chain_.crls) {
        if (!crl.issuer().Matches(certificate.issuer()) ||
            crl.Find(certificate.serial_number()) == nullptr) {
          continue;
        }
        if (HasFault(diagnosis_, Reason::kCertificateRevoked)) return;
        Fault(Reason::kCertificateRevoked,
              {.title = "the certificate " + Called(certificate) +
                        " is on the revocation list of its CA",
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

  void JudgeAuthorityAsLeaf() {
    Fault(Reason::kUsageNotAllowed,
          {.title = "the server shows the CA certificate " + Called(leaf_) +
                    " as its own, which rustls and others refuse, and whoever trusts it trusts "
                    "all that its key issues",
           .expected = "basicConstraints CA:FALSE",
           .got = "CA:TRUE",
           .fix = "keep the CA's key away from servers, and have it issue a certificate for each"});
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

bool HasFault(const Diagnosis& diagnosis, Reason reason) {
  return std::ranges::any_of(diagnosis.findings, [&](const Finding& finding) {
    return finding.reason == reason && finding.severity == Severity::kFault;
  });
}

std::vector<Certificate> InRightOrder(const std::vector<Certificate>& chain) {
  std::vector<Certificate> order;
  for (const size_t at : RightOrder(chain, 0)) order.push_back(chain[at]);
  return order;
}

void ExamineServerChain(const ServerChain& chain, Diagnosis& diagnosis) {
  Examination(chain, diagnosis).Run();
}

}  // namespace troth
