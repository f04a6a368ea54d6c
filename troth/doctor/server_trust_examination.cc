#include <algorithm>
#include <iterator>
#include <utility>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/doctor/certificate_role_internal.h"
#include "troth/doctor/server_chain_examination_internal.h"
#include "troth/pki/description.h"

namespace troth {
namespace {

bool IsTimeReason(std::optional<Reason> reason) {
  return reason == Reason::kCertificateExpired || reason == Reason::kCertificateNotYetValid;
}

bool IsRevocationReason(std::optional<Reason> reason) {
  return reason == Reason::kCrlExpired || reason == Reason::kRevocationUnknown ||
         reason == Reason::kCertificateRevoked;
}

std::vector<Certificate> RootsAmong(const std::vector<Certificate>& all) {
  std::vector<Certificate> roots;
  std::ranges::copy_if(all, std::back_inserter(roots), IsRoot);
  return roots;
}

bool IsKnownToSystem(const ServerChain& chain) {
  if (chain.trust.kind != ClientTrust::Kind::kSystem) return false;
  const PathResult result =
      ValidatePath(chain.chain.front(), {chain.chain.begin() + 1, chain.chain.end()},
                   TrustBundle::FromCertificates(chain.trust.certificates), {.now = chain.now});
  return result.status.ok() || ReasonOf(result.status) != Reason::kIssuerUnknown;
}

// Where the certificate says that its issuer's is found; empty when it does not.
std::string PlaceOfIssuer(const Certificate& certificate) {
  constexpr std::string_view kPrefix = "caIssuers ";
  for (const std::string& access : certificate.authority_info_access()) {
    if (access.starts_with(kPrefix)) return Printable(access.substr(kPrefix.size()));
  }
  return "";
}

class TrustExamination {
 public:
  TrustExamination(const ServerChain& chain, Usage usage, Diagnosis& diagnosis)
      : chain_(chain),
        leaf_(chain.chain.front()),
        order_(InRightOrder(chain.chain)),
        usage_(usage),
        diagnosis_(diagnosis) {}

  void Run() {
    switch (chain_.trust.kind) {
      case ClientTrust::Kind::kGiven: {
        const bool rootless = RootsAmong(chain_.trust.certificates).empty();
        if (Accepts(AnchorsFor(chain_)) && rootless && path_.size() > 1) {
          JudgeRootlessTrust(path_.back());
        }
        return;
      }
      case ClientTrust::Kind::kSystem:
        if (!IsKnownToSystem(chain_)) return JudgeByItself();
        Accepts(chain_.trust.certificates);
        return;
      case ClientTrust::Kind::kNone:
        if (chain_.trust.called.empty()) JudgeByItself();
        return;
    }
  }

 private:
  // A root that is sent may be that of the clients. Where none is, those fail who trust the
  // authorities of the system, and nothing shows that others do better.
  void JudgeByItself() {
    const std::vector<Certificate> top = AnchorsFor(chain_);
    const bool has_root = !RootsAmong(chain_.chain).empty();
    if (chain_.trust.kind == ClientTrust::Kind::kSystem && !has_root) {
      AddUnknownToSystem();
    } else {
      Add(Severity::kWarning, Reason::kIssuerUnknown,
          {.title = std::string(chain_.trust.kind == ClientTrust::Kind::kSystem
                                    ? "no authority of this system leads to the server's "
                                      "certificate"
                                    : "no trust bundle was given, and this system has none") +
                    ", so the chain was judged by itself, and whether it is trusted is not known",
           .expected = "the authority that signed it: --trust-bundle FILE",
           .got = top.empty() ? "only the certificate of " + Quoted(leaf_.issuer()) +
                                    ", without that authority"
                              : "a chain that ends with " + Called(top.back()),
           .fix = "give the trust bundle that the clients of this server use"});
    }
    if (!top.empty()) Accepts(top);
  }

  void AddUnknownToSystem() {
    const Certificate& last = order_.back();
    const std::string issuer = Quoted(last.issuer());
    const std::string place = PlaceOfIssuer(last);
    Fault(Reason::kIssuerUnknown,
          {.title = "no authority of this system leads to the server's certificate: its chain ends "
                    "with " +
                    Called(last) + ", issued by " + issuer + ", which is not sent and not in " +
                    Printable(chain_.trust.called) +
                    (place.empty() ? "" : "; the server leaves out an intermediate"),
           .expected = "a chain that leads to an authority of this system, or --trust-bundle FILE",
           .got = std::to_string(chain_.chain.size()) +
                  " certificate(s): " + Listed(chain_.chain, ", then "),
           .fix = place.empty()
                      ? "of a private CA: give its root with --trust-bundle, as the clients of "
                        "this server have it; otherwise append the intermediate " +
                            issuer + " to the server's certificate file"
                      : "append the certificate of " + issuer + " (in DER at " + place +
                            ") to the server's certificate file; of a private CA: give its root "
                            "with --trust-bundle"});
  }

  std::vector<Certificate> Others() const { return {chain_.chain.begin() + 1, chain_.chain.end()}; }

  // Reports all that keeps the chain from one of `anchors`; times and revocation hide nothing else.
  bool Accepts(const std::vector<Certificate>& anchors) {
    const TrustBundle trust = TrustBundle::FromCertificates(anchors);
    PathOptions options{.now = chain_.now, .usage = usage_, .crls = &chain_.crls};
    const std::vector<Crl> no_lists;
    bool accepted = true;
    for (int round = 0; round < 4; ++round) {
      const PathResult result = ValidatePath(leaf_, Others(), trust, options);
      path_ = result.path;
      if (result.status.ok()) {
        for (const std::string& warning : result.warnings) AddNote(warning);
        JudgeAnchor(result.path.back());
        return accepted;
      }
      accepted = false;
      const std::optional<Reason> reason = ReasonOf(result.status);
      if (IsTimeReason(reason) && options.now == chain_.now) {
        if (result.failed.has_value()) JudgeAnchor(*result.failed);
        options.now = TimeWhenValid(result.path);
        options.crls = &no_lists;  // which say nothing of other times
      } else if (IsRevocationReason(reason) && options.crls != &no_lists) {
        if (!HasFault(diagnosis_, *reason)) diagnosis_.Add(FaultOf(result.status, chain_.subject));
        options.crls = &no_lists;
      } else {
        AddPathFault(result, trust, options);
        return false;
      }
    }
    return false;
  }

  // What the client has is told apart from what the server sent.
  void JudgeAnchor(const Certificate& certificate) {
    if (Contains(order_, certificate)) return;
    const std::string& file = chain_.trust.called;
    const auto is_known = [&](const Finding& finding) {
      return finding.subject == file && IsTimeReason(finding.reason);
    };
    if (!file.empty() && std::ranges::any_of(diagnosis_.findings, is_known)) return;
    ExamineServerTime(chain_, certificate, file.empty() ? "" : " in " + Printable(file),
                      diagnosis_);
  }

  Time TimeWhenValid(const std::vector<Certificate>& path) const {
    Time from = leaf_.validity().not_before;
    Time to = leaf_.validity().not_after;
    for (const Certificate& certificate : path) {
      from = std::max(from, certificate.validity().not_before);
      to = std::min(to, certificate.validity().not_after);
    }
    return std::clamp(chain_.now, std::min(from, to), std::max(from, to));
  }

  void AddPathFault(const PathResult& result, const TrustBundle& trust,
                    const PathOptions& options) {
    const std::optional<Reason> reason = ReasonOf(result.status);
    // Each was judged for every certificate of the chain, with better words.
    if ((reason == Reason::kKeyTooWeak || reason == Reason::kAlgorithmNotAllowed) &&
        HasFault(diagnosis_, *reason)) {
      return;
    }
    if (IsTimeReason(reason)) return;
    if (reason != Reason::kIssuerUnknown) {
      diagnosis_.Add(FaultOf(result.status, chain_.subject));
      return;
    }
    std::vector<Certificate> all = Others();
    all.insert(all.end(), chain_.loose.begin(), chain_.loose.end());
    for (const Certificate& certificate : chain_.trust.certificates) {
      if (certificate.is_ca() && !IsRoot(certificate)) all.push_back(certificate);
    }
    PathOptions without_lists = options;
    const std::vector<Crl> no_lists;
    without_lists.crls = &no_lists;
    const PathResult whole = ValidatePath(leaf_, all, trust, without_lists);
    if (whole.status.ok()) return AddIncomplete(whole.path);
    AddUnknownIssuer();
  }

  void AddIncomplete(const std::vector<Certificate>& path) {
    std::vector<Certificate> missing;
    for (size_t i = 1; i + 1 < path.size(); ++i) {
      if (!Contains(chain_.chain, path[i])) missing.push_back(path[i]);
    }
    Fault(Reason::kIssuerUnknown,
          {.title = "the chain is incomplete: the server sends no intermediate that leads to the "
                    "root",
           .expected = "after " + Called(leaf_) + ": " + Listed(missing, ", then "),
           .got = std::to_string(chain_.chain.size()) + " certificate(s), without it",
           .fix = "append the intermediates to the server's certificate file, each after the "
                  "certificate that it issued"});
  }

  void AddUnknownIssuer() {
    const Certificate& last = order_.back();
    const std::string issuer = Quoted(last.issuer());
    const bool root_sent = IsRoot(chain_.chain.back());
    const std::string where =
        chain_.trust.called.empty() ? "trusted" : "in " + Printable(chain_.trust.called);
    Fault(Reason::kIssuerUnknown,
          {.title = "the server's chain ends with " + Called(last) + ", issued by " + issuer +
                    ", which is not " + where +
                    (root_sent ? ": it is of another authority"
                               : ": the server leaves out an intermediate, or is of another "
                                 "authority"),
           .expected = "a chain that leads to " + Listed(chain_.trust.certificates, " or "),
           .got = std::to_string(chain_.chain.size()) +
                  " certificate(s): " + Listed(chain_.chain, ", then ")});
  }

  // All that the bundle holds is an intermediate.
  void JudgeRootlessTrust(const Certificate& anchor) {
    diagnosis_.Add(
        {.severity = Severity::kFault,
         .reason = Reason::kIssuerUnknown,
         .subject = chain_.trust.called,
         .title = "the trust bundle holds an intermediate without its root: nginx, curl and most "
                  "TLS libraries do not trust an intermediate alone",
         .expected = "the root " + Quoted(anchor.issuer()),
         .got = "only " + Called(anchor) + ", which the root issued",
         .fix = "add the root's certificate to the trust bundle"});
  }

  void AddNote(const std::string& text) {
    Add(Severity::kNote, Reason::kCertificateMalformed,
        {.title = text, .fix = "nothing has to be done now; have it issued better the next time"});
  }

  void Add(Severity severity, Reason reason, Finding finding) {
    finding.severity = severity;
    finding.reason = reason;
    finding.subject = chain_.subject;
    diagnosis_.Add(std::move(finding));
  }
  void Fault(Reason reason, Finding finding) { Add(Severity::kFault, reason, std::move(finding)); }

  const ServerChain& chain_;
  const Certificate leaf_;
  const std::vector<Certificate> order_;
  const Usage usage_;
  Diagnosis& diagnosis_;
  std::vector<Certificate> path_;  // of the last judgement
};

}  // namespace

std::vector<Certificate> AnchorsFor(const ServerChain& chain) {
  const std::vector<Certificate>& known = chain.trust.certificates;
  if (chain.trust.kind == ClientTrust::Kind::kGiven) {
    std::vector<Certificate> roots = RootsAmong(known);
    return roots.empty() ? known : roots;
  }
  if (IsKnownToSystem(chain)) return known;
  std::vector<Certificate> top = RootsAmong(chain.chain);
  const std::vector<Certificate> order = InRightOrder(chain.chain);
  if (top.empty() && order.size() > 1) top.push_back(order.back());
  return top;
}

void ExamineServerTrust(const ServerChain& chain, Usage usage, Diagnosis& diagnosis) {
  TrustExamination(chain, usage, diagnosis).Run();
}

}  // namespace troth
