#include <algorithm>
#include <utility>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/doctor/certificate_role_internal.h"
#include "troth/doctor/endpoint_findings_internal.h"
#include "troth/doctor/namesake_authority_internal.h"
#include "troth/http/client_failure_internal.h"
#include "troth/pki/description.h"

namespace troth {
namespace {

// RFC 8446 section 6.2.
constexpr int kHandshakeFailure = 40;
constexpr int kBadCertificate = 42;
constexpr int kCertificateExpired = 45;
constexpr int kCertificateUnknown = 46;
constexpr int kUnknownCa = 48;
constexpr int kCertificateRequired = 116;

// Of connections that were made alike: what HTTP/1.1 says counts, where it was asked.
Admission Combined(const TlsProbe& probe, const std::optional<TlsProbe>& http1) {
  const Admission first = AdmissionOf(probe);
  return first == Admission::kNo || !http1.has_value() ? first : AdmissionOf(*http1);
}

// The answer of HTTP that a client like that of the probes had.
std::optional<Http1Answer> AnswerOf(const TlsProbe& probe, const std::optional<TlsProbe>& http1) {
  return AnswerOf(http1.has_value() ? *http1 : probe);
}

class AdmissionFindings {
 public:
  AdmissionFindings(const EndpointCase& what, Diagnosis& diagnosis)
      : case_(what), facts_(what.facts), diagnosis_(diagnosis) {}

  void Run() {
    const TlsProbe& tls = facts_.tls;
    if (!tls.certificate_requested) {
      if (tls.handshake_done && tls.alert.has_value()) AddRefusal();
      return;
    }
    if (AdmissionOf(facts_) == Admission::kNo) {
      if (!facts_.shows_certificate) {
        AddMissing();
      } else {
        AddRefusal();
      }
      return;
    }
    AddDoubt();
    if (facts_.shows_certificate && AdmissionOf(facts_) == Admission::kYes && !IsNamed()) {
      AddNotNamed();
    }
  }

 private:
  void Add(Severity severity, Reason reason, Finding finding) {
    finding.severity = severity;
    finding.reason = reason;
    finding.subject = case_.subject();
    diagnosis_.Add(std::move(finding));
  }

  const std::vector<DistinguishedName>& Accepted() const { return facts_.tls.accepted_authorities; }

  // Whether the server names an authority of our chain, or none at all.
  bool IsNamed() const {
    if (Accepted().empty() || !case_.files.credentials.has_value()) return true;
    return std::ranges::any_of(case_.files.credentials->chain, [&](const Certificate& certificate) {
      return std::ranges::any_of(Accepted(), [&](const DistinguishedName& name) {
        return name.Matches(certificate.issuer()) || name.Matches(certificate.subject());
      });
    });
  }

  std::string ExpectedIssuers() const {
    return Accepted().empty() ? "a client certificate that the server accepts"
                              : "a client certificate of " + ListedNames(Accepted(), " or ");
  }

  std::string Ours() const {
    const std::vector<Certificate>& chain = case_.files.credentials->chain;
    return "the certificate " + Called(chain.front()) + " of " + Quoted(chain.back().issuer()) +
           (chain.size() > 1 ? " with " + std::to_string(chain.size() - 1) + " more" : "");
  }

  void AddMissing() {
    // That ours cannot be used has been said with the file.
    const bool is_of_ours = std::ranges::any_of(diagnosis_.findings, [&](const Finding& finding) {
      return finding.severity == Severity::kFault && !finding.subject.empty() &&
             (finding.subject == case_.options.certificate ||
              finding.subject == case_.options.private_key);
    });
    if (is_of_ours) return;
    const std::optional<int> alert = facts_.tls.alert;
    const bool fits = !alert.has_value() || alert == kHandshakeFailure ||
                      alert == kBadCertificate || alert == kCertificateUnknown ||
                      alert == kCertificateRequired;
    if (!fits) return AddRefusal();
    Add(Severity::kFault, Reason::kClientCertificateMissing,
        {.title = "the server requires a client certificate, and none was shown",
         .expected = ExpectedIssuers(),
         .got = "no certificate",
         .fix = "give --certificate and --private-key; in nginx `ssl_verify_client optional` lets "
                "clients in without one"});
  }

  // What the server says of it in HTTP, after the handshake.
  absl::Status SaidInHttp() const {
    for (const TlsProbe* probe : {&facts_.tls, facts_.http1 ? &*facts_.http1 : nullptr}) {
      if (probe == nullptr) continue;
      const std::optional<Http1Answer> answer = AnswerOf(*probe);
      if (!answer.has_value()) continue;
      if (absl::Status status = RefusalIn(*answer); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

  absl::Status WhyRefused() const {
    const TlsProbe& tls = facts_.tls;
    if (absl::Status said = SaidInHttp(); !said.ok()) return said;
    if (!tls.alert.has_value()) {
      if (const std::optional<Http1Answer> answer = AnswerOf(tls, facts_.http1)) {
        return MakeError(Reason::kPeerRejectedCertificate,
                         "the server answers HTTP " + std::to_string(answer->status) +
                             " to our certificate, and lets in who shows none; its log says why");
      }
      return MakeError(Reason::kPeerRejectedCertificate,
                       "the server hung up when it had seen our certificate, without saying why");
    }
    if (facts_.shows_certificate && tls.alert == kHandshakeFailure) {
      return MakeError(Reason::kPeerRejectedCertificate,
                       "the server refused our certificate, or its kind of key (TLS alert 40)");
    }
    absl::Status status = ExplainClientFailure({.stage = ClientAttempt::Stage::kHandshake,
                                                .shows_certificate = facts_.shows_certificate,
                                                .alert = tls.alert},
                                               {});
    // It begins with the server, which is the subject here.
    const std::string message(ToStd(status.message()));
    return MakeError(ReasonOf(status).value_or(Reason::kHandshakeFailed),
                     message.substr(message.find_first_not_of(": ")));
  }

  void AddRefusal() {
    Finding finding = FaultOf(WhyRefused(), case_.subject());
    // Nothing of a certificate is meant by one who asks for none.
    if (!case_.files.credentials.has_value() || !facts_.tls.certificate_requested) {
      if (finding.reason == Reason::kHandshakeFailed) finding.fix = "look at the server's log";
      diagnosis_.Add(std::move(finding));
      return;
    }
    finding.expected = ExpectedIssuers();
    finding.got = Ours();
    if (!IsNamed()) {
      finding.title += "; it accepts other authorities than that of our certificate";
    } else if (IsOutOfTimeThere()) {
      finding.title += "; by the server's clock it is " + FormatTime(*case_.server_clock());
      finding.fix = "set the server's clock, if it is wrong; otherwise renew our certificate";
    } else if (IsIncomplete()) {
      finding.title += "; our file has no intermediate, which the server may miss";
    } else if (facts_.tls.alert != kCertificateExpired) {
      finding.title += ExplainNamesake(case_.files.credentials->chain, Accepted(),
                                       case_.files.trust.certificates);
    }
    if (facts_.tls.alert == kUnknownCa || !IsNamed()) {
      finding.fix =
          "use a certificate of an authority that the server accepts, with its "
          "intermediates, or add our authority to those of the server (nginx: "
          "ssl_client_certificate)";
    }
    if (WishOf(facts_) == ClientCertificateWish::kOptional) {
      finding.fix += "; without a certificate the server lets clients in";
    }
    diagnosis_.Add(std::move(finding));
  }

  bool IsOutOfTimeThere() const {
    const std::optional<Time> there = case_.server_clock();
    if (!there.has_value() ||
        (facts_.tls.alert.has_value() && facts_.tls.alert != kCertificateExpired)) {
      return false;
    }
    const Validity& validity = case_.files.credentials->chain.front().validity();
    return *there < validity.not_before || validity.not_after < *there;
  }

  // The server names a root, and our issuer is another.
  bool IsIncomplete() const {
    const std::vector<Certificate>& chain = case_.files.credentials->chain;
    return chain.size() == 1 && !Accepted().empty() &&
           std::ranges::none_of(Accepted(), [&](const DistinguishedName& name) {
             return name.Matches(chain.front().issuer());
           });
  }

  // Where an answer of HTTP may mean the certificate, or something else.
  void AddDoubt() {
    const std::optional<Http1Answer> answer = AnswerOf(facts_.tls, facts_.http1);
    if (!answer.has_value() || !MayBeAboutCertificate(*answer)) return;
    const std::string got = "HTTP " + std::to_string(answer->status);
    if (facts_.shows_certificate) {
      Add(Severity::kWarning, Reason::kPeerRejectedCertificate,
          {.title = "the server answers " + got + " to our certificate, which it may have refused",
           .expected = ExpectedIssuers(),
           .got = case_.files.credentials.has_value() ? Ours() : got,
           .fix = "look at the server's log, which says why; if the path is the cause, name one "
                  "that your client asks for with --path"});
    } else {
      Add(Severity::kWarning, Reason::kClientCertificateMissing,
          {.title = "the server asks for a client certificate, and answers " + got + " without one",
           .expected = ExpectedIssuers(),
           .got = "no certificate",
           .fix = "give --certificate and --private-key; if the path is the cause, name one that "
                  "your client asks for with --path"});
    }
  }

  // Many clients hold their certificate back then.
  void AddNotNamed() {
    Add(Severity::kWarning, Reason::kPeerRejectedCertificate,
        {.title = "the server accepts our certificate and does not name its authority among those "
                  "that it accepts: clients of Go, Java and others will show none",
         .expected = ExpectedIssuers(),
         .got = Ours(),
         .fix = "have the server name our authority too, or none"});
  }

  const EndpointCase& case_;
  const EndpointFacts& facts_;
  Diagnosis& diagnosis_;
};

}  // namespace

std::string ListedNames(const std::vector<DistinguishedName>& names, std::string_view separator) {
  constexpr size_t kMost = 5;
  std::vector<std::string> out;
  for (const DistinguishedName& name : names) {
    if (out.size() == kMost) {
      out.push_back("... (" + std::to_string(names.size()) + " in all)");
      break;
    }
    out.push_back(Quoted(name));
  }
  return Join(out, separator);
}

Admission AdmissionOf(const EndpointFacts& facts) {
  const Admission ours = Combined(facts.tls, facts.http1);
  if (ours != Admission::kUnknown || !facts.anonymous.has_value()) return ours;
  // The same question without a certificate was answered well: it is the certificate.
  const std::optional<Http1Answer> refused = AnswerOf(facts.tls, facts.http1);
  return refused.has_value() && AnswerOf(*facts.anonymous).has_value() &&
                 AdmissionOf(*facts.anonymous) == Admission::kYes
             ? Admission::kNo
             : ours;
}

ClientCertificateWish WishOf(const EndpointFacts& facts) {
  const TlsProbe& tls = facts.tls;
  if (!tls.certificate_requested) {
    return tls.handshake_done ? ClientCertificateWish::kNone : ClientCertificateWish::kUnknown;
  }
  Admission without =
      facts.shows_certificate
          ? (facts.anonymous.has_value() ? AdmissionOf(*facts.anonymous) : Admission::kUnknown)
          : AdmissionOf(facts);
  // Without it an answer that may mean the certificate, and with it none such: it did.
  if (facts.anonymous.has_value() && without == Admission::kUnknown &&
      AnswerOf(*facts.anonymous).has_value() && AnswerOf(facts.tls, facts.http1).has_value() &&
      AdmissionOf(facts) == Admission::kYes) {
    without = Admission::kNo;
  }
  switch (without) {
    case Admission::kYes:
      // The handshake passes without one, and a guard may want it all the same.
      if (!facts.shows_certificate && facts.call.has_value() &&
          ReasonOf(facts.call->status()) == Reason::kPeerNotAuthenticated) {
        return ClientCertificateWish::kUnknown;
      }
      return ClientCertificateWish::kOptional;
    case Admission::kNo:
      return ClientCertificateWish::kRequired;
    default:
      return ClientCertificateWish::kUnknown;
  }
}

void AddAdmissionFindings(const EndpointCase& what, Diagnosis& diagnosis) {
  AdmissionFindings(what, diagnosis).Run();
}

}  // namespace troth
