#include <algorithm>
#include <utility>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/doctor/endpoint_findings_internal.h"

namespace troth {
namespace {

// Clocks that differ by less disturb nobody.
constexpr Seconds kClockDifference = std::chrono::minutes(5);

class AnswerFindings {
 public:
  AnswerFindings(const EndpointCase& what, Diagnosis& diagnosis)
      : case_(what), facts_(what.facts), diagnosis_(diagnosis) {}

  void Run() {
    JudgeClocks();
    if (facts_.tls.warned_of_name) {
      Add(Severity::kWarning, Reason::kNameMismatch,
          {.title = "the server does not know the name that it was asked for, and answers all the "
                    "same (TLS warning 112)",
           .fix = "ask for a name that it has, with --server-name"});
    }
    if (IsSilentInHttp(facts_.tls)) AddSilence();
    if (case_.options.call == nullptr) return JudgeHttp();
    if (!facts_.call.has_value()) return AddNoCall();
    if (!facts_.call->ok()) return JudgeCall(facts_.call->status());
    if (IsHealthMethod() && **facts_.call != "SERVING") AddNotServing(**facts_.call);
  }

 private:
  void Add(Severity severity, Reason reason, Finding finding) {
    finding.severity = severity;
    finding.reason = reason;
    finding.subject = case_.subject();
    diagnosis_.Add(std::move(finding));
  }

  bool IsHealthMethod() const {
    return case_.options.path.empty() || case_.options.path == kHealthMethod;
  }
  // What the doctor happens to ask for does not matter as much as what was named.
  Severity Weight() const {
    return case_.options.path.empty() ? Severity::kWarning : Severity::kFault;
  }

  // Settings are due at once; a page may take its time.
  void AddSilence() {
    const bool is_h2 = facts_.tls.alpn == kAlpnH2;
    Add(is_h2 ? Severity::kFault : Severity::kWarning, Reason::kRequestTimeout,
        {.title = "the server chose " + std::string(is_h2 ? "HTTP/2" : "HTTP/1.1") +
                  " and then said nothing in time",
         .expected = is_h2 ? "the settings of HTTP/2" : "an answer to GET",
         .got = "silence",
         .fix = "look at the server's log, and whether it is overloaded; try a longer --timeout"});
  }

  void AddNoCall() {
    if (!diagnosis_.healthy()) return;  // the cause is known
    Add(Severity::kFault, Reason::kRequestTimeout,
        {.title = "the call was not made, so that nothing is known of it",
         .fix = "try a longer --timeout"});
  }

  void AddNotServing(const std::string& said) {
    Add(Severity::kFault, Reason::kResponseMalformed,
        {.title = "the server says of itself that it does not serve",
         .expected = "SERVING",
         .got = Printable(said),
         .fix = "look at the server's log, and at what it depends on"});
  }

  void JudgeClocks() {
    const std::optional<Time> there = case_.server_clock();
    if (!there.has_value()) return;
    const Seconds difference = *there - case_.options.now;
    if (std::chrono::abs(difference) < kClockDifference) return;
    Add(Severity::kWarning, Reason::kCertificateNotYetValid,
        {.title = "the server's clock is " + FormatDuration(std::chrono::abs(difference)) +
                  (difference > Seconds(0) ? " ahead of" : " behind") + " this machine's",
         .expected = FormatTime(case_.options.now) + ", as it is here",
         .got = FormatTime(*there) + " in the server's answer",
         .fix = "set the clock that is wrong (`timedatectl` shows whether it is synchronised)"});
  }

  void JudgeHttp() {
    for (const TlsProbe* probe : {&facts_.tls, facts_.http1 ? &*facts_.http1 : nullptr}) {
      if (probe == nullptr) continue;
      const std::optional<Http1Answer> answer = AnswerOf(*probe);
      if (!answer.has_value()) continue;
      const absl::Status refusal = RefusalIn(*answer);
      const std::optional<Reason> reason = ReasonOf(refusal);
      if (!reason.has_value() && IsOfProxy(answer->status)) AddNothingBehind(answer->status);
      // The server's view of the certificate is told apart.
      if (!reason.has_value() || reason == Reason::kClientCertificateMissing ||
          reason == Reason::kPeerRejectedCertificate) {
        continue;
      }
      AddRefusal(refusal);
    }
  }

  // 502, 503 and 504 (RFC 9110 section 15.6).
  static bool IsOfProxy(int status) { return status >= 502 && status <= 504; }

  void AddNothingBehind(int status) {
    Add(Weight(), Reason::kConnectionFailed,
        {.title = "the server answers, but not what is behind it",
         .expected = "an answer of the service",
         .got = "HTTP " + std::to_string(status),
         .fix = "start the service that it passes requests on to, or look at its error log"});
  }

  void JudgeCall(const absl::Status& status) {
    if (const std::optional<Reason> reason = ReasonOf(status)) {
      const bool is_connection =
          reason == Reason::kHandshakeFailed || reason == Reason::kConnectionFailed ||
          (reason == Reason::kProtocolMismatch && facts_.tls.alpn != kAlpnH2) ||
          reason == Reason::kClientCertificateMissing || reason == Reason::kPeerRejectedCertificate;
      // The cause is known better already.
      if ((is_connection && !diagnosis_.healthy()) || HasFault(diagnosis_, *reason)) return;
      return AddRefusal(status);
    }
    const std::string text = Printable(ToStd(status.message()));
    const std::string title = text.empty() ? "" : ": " + text;
    switch (status.code()) {
      case absl::StatusCode::kUnimplemented:
        if (case_.options.path.empty()) return;  // it has no health service, and need not
        return Add(Severity::kFault, Reason::kPathUnknown,
                   {.title = "the server has no method " + Printable(case_.options.path) + title,
                    .fix = "check the name: /package.Service/Method"});
      case absl::StatusCode::kUnauthenticated:
        return Add(MissesCertificate() ? Severity::kFault : Weight(), Reason::kPeerNotAuthenticated,
                   {.title = "the server does not know who calls" + title, .fix = NameTheMethod()});
      case absl::StatusCode::kPermissionDenied:
        return Add(Weight(), Reason::kRoleNotAllowed,
                   {.title = "the server knows who calls, and does not allow it" + title,
                    .fix = NameTheMethod()});
      case absl::StatusCode::kDeadlineExceeded:
        return Add(Severity::kFault, Reason::kRequestTimeout,
                   {.title = "the call was not answered in time",
                    .fix = "try a longer --timeout, and look at the server's log"});
      case absl::StatusCode::kUnavailable:
        if (!diagnosis_.healthy()) return;
        return Add(Severity::kFault, Reason::kConnectionFailed,
                   {.title = "the call found no connection, though the handshake passed" + title,
                    .fix = "look at the server's log"});
      case absl::StatusCode::kNotFound:
        if (IsHealthMethod()) return;  // a health service that keeps no account of the whole
        break;
      default:
        break;
    }
    // An answer of the application. The empty message may be its cause, but not for the health
    // service, which takes it.
    const bool is_broken = status.code() == absl::StatusCode::kInternal ||
                           status.code() == absl::StatusCode::kUnknown ||
                           status.code() == absl::StatusCode::kDataLoss;
    Add(is_broken && IsHealthMethod() ? Severity::kFault : Severity::kWarning,
        Reason::kResponseMalformed,
        {.title = "the server answers the call with " +
                  std::string(absl::StatusCodeToString(status.code())) + title,
         .expected = "OK",
         .got = std::string(absl::StatusCodeToString(status.code())),
         .fix = IsHealthMethod() ? "look at the server's log"
                                 : "look at the server's log; it was called with an empty message, "
                                   "which the method may not take"});
  }

  bool MissesCertificate() const {
    return facts_.tls.certificate_requested && !facts_.shows_certificate;
  }

  std::string NameTheMethod() const {
    if (!case_.options.path.empty()) return "";
    return "name what your client asks for with --path" +
           std::string(MissesCertificate() ? ", and show its certificate if it has one" : "") +
           "; otherwise there is nothing to do";
  }

  // A server knows nothing of our files: by such a reason it would choose the fix that we show.
  static bool IsAboutFiles(Reason reason) {
    return reason >= Reason::kKeyMismatch && reason <= Reason::kFileLocked;
  }

  // Nobody has to allow what the doctor happens to ask for: the method of the health service, or
  // the path "/" to somebody who shows no certificate.
  bool IsOfNoMatter(Reason reason) const {
    if (!case_.options.path.empty()) return false;
    if (reason == Reason::kNoRuleMatches) return true;
    if (case_.options.call != nullptr) {
      return (reason == Reason::kPeerNotAuthenticated && !MissesCertificate()) ||
             reason == Reason::kPeerNotVerified || reason == Reason::kRoleNotAllowed;
    }
    return reason == Reason::kPeerNotAuthenticated &&
           WishOf(facts_) == ClientCertificateWish::kOptional && !facts_.shows_certificate;
  }

  // A guard's refusal, or what else came with a reason. The words are the server's, which may be
  // anybody's.
  void AddRefusal(const absl::Status& status) {
    Finding finding = FaultOf(status, case_.subject());
    constexpr size_t kLongest = 600;
    finding.title = Printable(finding.title, kLongest);
    if (IsAboutFiles(finding.reason)) {
      finding.got = CodeOf(finding.reason);
      finding.expected = "a reason about the call or who calls";
      finding.title = "the server refuses with a reason about files of its own: " + finding.title;
      finding.reason = Reason::kResponseMalformed;
      finding.fix = "look at the server's log";
    }
    if (finding.reason == Reason::kProtocolMismatch) {
      finding.fix =
          "check that this is the port of the gRPC server; in a proxy check where it passes calls "
          "on (nginx: grpc_pass)";
    }
    if (IsOfNoMatter(finding.reason)) {
      finding.severity = Severity::kWarning;
      finding.fix = NameTheMethod();
    }
    diagnosis_.Add(std::move(finding));
  }

  const EndpointCase& case_;
  const EndpointFacts& facts_;
  Diagnosis& diagnosis_;
};

}  // namespace

void AddAnswerFindings(const EndpointCase& what, Diagnosis& diagnosis) {
  AnswerFindings(what, diagnosis).Run();
}

}  // namespace troth
