#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/doctor/endpoint_findings_internal.h"
#include "troth/http/client_failure_internal.h"

namespace troth {
namespace {

constexpr int kNoApplicationProtocol = 120;
constexpr std::string_view kCompare =
    "look at the server's log, and compare its versions, ciphers, groups and kind of key with what "
    "OpenSSL offers (`openssl s_client -connect HOST:PORT`)";

std::string WhyUnreachable(const Unreachable& unreachable) {
  if (unreachable.timed_out) return "no answer in time";
  if (unreachable.error == ECONNREFUSED) return "connection refused";
  return ToLowerAscii(std::generic_category().message(unreachable.error));
}

class ConnectionFindings {
 public:
  ConnectionFindings(const EndpointCase& what, Diagnosis& diagnosis)
      : case_(what), facts_(what.facts), tls_(what.facts.tls), diagnosis_(diagnosis) {}

  void Run() {
    if (facts_.resolved.addresses.empty()) return AddUnknownHost();
    if (!facts_.address.has_value()) return AddNothingThere();
    for (const Unreachable& unreachable : facts_.unreachable) {
      Add(Severity::kNote, Reason::kConnectionFailed,
          {.title = unreachable.address.ToString() + " takes no connection (" +
                    WhyUnreachable(unreachable) + "), another address of the name does",
           .fix = "have the server listen there too, or take the address out of the name"});
    }
    if (tls_.handshake_done) return JudgeVersions();
    // What the server has against the client is told apart.
    if (tls_.certificate_requested) return;
    if (OnlySpeaksOld()) return AddOnlyOld();
    if (facts_.plain.has_value() && facts_.plain->speaks != PlainProbe::Speaks::kNothing) {
      return AddNotTls();
    }
    if (tls_.alert.has_value()) return AddAlert();
    AddBrokenHandshake();
  }

 private:
  void Add(Severity severity, Reason reason, Finding finding) {
    finding.severity = severity;
    finding.reason = reason;
    finding.subject = case_.subject();
    diagnosis_.Add(std::move(finding));
  }
  void Fault(Reason reason, Finding finding) { Add(Severity::kFault, reason, std::move(finding)); }

  void AddUnknownHost() {
    Fault(Reason::kConnectionFailed,
          {.title = facts_.resolved.timed_out
                        ? "the name servers did not say in time which address the host has"
                        : "the host is unknown: its name has no address",
           .expected = "an address of " + Printable(case_.endpoint.host),
           .got = Printable(facts_.resolved.error),
           .fix = facts_.resolved.timed_out
                      ? "check the name servers in /etc/resolv.conf, or give an IP address"
                      : "check the spelling, and that this machine's name servers know it"});
  }

  void AddNothingThere() {
    std::vector<std::string> got;
    for (const Unreachable& unreachable : facts_.unreachable) {
      got.push_back(unreachable.address.ToString() + ": " + WhyUnreachable(unreachable));
    }
    const bool all_refuse = std::ranges::all_of(
        facts_.unreachable, [](const Unreachable& at) { return at.error == ECONNREFUSED; });
    const bool all_silent = std::ranges::all_of(facts_.unreachable, &Unreachable::timed_out);
    Fault(Reason::kConnectionFailed,
          {.title = all_refuse   ? "nothing listens there: the connection was refused"
                    : all_silent ? "the address did not answer in time"
                                 : "no connection could be made",
           .expected =
               "a server that takes connections on port " + std::to_string(case_.endpoint.port),
           .got = Join(got, ", "),
           .fix = all_silent ? "check the address, and whether a firewall on the way drops the port"
                             : "check the port, and that the server runs and listens on this "
                               "address (`ss -ltn` on its machine)"});
  }

  bool OnlySpeaksOld() const {
    return facts_.old.has_value() && !facts_.old->version.empty() && !tls_.showed_chain();
  }

  void AddOnlyOld() {
    Fault(Reason::kProtocolMismatch,
          {.title = "the server speaks only TLS 1.1 or older, which clients no longer accept",
           .expected = "TLS 1.2 or TLS 1.3",
           .got = facts_.old->version,
           .fix = "turn TLS 1.2 and 1.3 on in the server, or bring it up to date"});
  }

  void JudgeVersions() {
    if (AgreedToVersion(facts_.old)) {
      Add(Severity::kWarning, Reason::kProtocolMismatch,
          {.title = "the server also accepts " + facts_.old->version + ", which is broken",
           .expected = "TLS 1.2 and TLS 1.3 only",
           .got = facts_.old->version + " with " + facts_.old->cipher,
           .fix = "turn TLS 1.0 and 1.1 off in the server"});
    }
    if (case_.options.call == nullptr || tls_.alpn == kAlpnH2) return;
    Fault(
        Reason::kProtocolMismatch,
        {.title = "the server speaks TLS and does not choose HTTP/2, which gRPC needs",
         .expected = "ALPN h2",
         .got = tls_.alpn.empty() ? "no ALPN" : "ALPN " + Printable(tls_.alpn),
         .fix = "check that this is the port of the gRPC server; in a proxy turn HTTP/2 on (nginx: "
                "http2 on)"});
  }

  void AddNotTls() {
    const PlainProbe& plain = *facts_.plain;
    const std::string got = "\"" + Printable(plain.bytes, 60) + "\"";
    switch (plain.speaks) {
      case PlainProbe::Speaks::kHttp1:
        return Fault(Reason::kProtocolMismatch,
                     {.title = "the server speaks plain HTTP on this port, not TLS",
                      .expected = "TLS",
                      .got = got,
                      .fix = "give the port of its HTTPS, or turn TLS on for this one (nginx: "
                             "listen PORT ssl)"});
      case PlainProbe::Speaks::kHttp2:
        return Fault(Reason::kProtocolMismatch,
                     {.title = "the server speaks HTTP/2 without TLS on this port, as gRPC does "
                               "with insecure credentials",
                      .expected = "TLS",
                      .got = "the settings of HTTP/2 in the clear",
                      .fix = "give the server TLS credentials, or find the port that has them"});
      default:
        return Fault(
            Reason::kProtocolMismatch,
            {.title = plain.name.empty() ? "what listens there does not speak TLS"
                                         : "this is a port of " + plain.name + ", not of TLS",
             .expected = "TLS",
             .got = got,
             .fix = "check the port"});
    }
  }

  void AddAlert() {
    if (tls_.alert == kNoApplicationProtocol) {
      const bool works = facts_.without_alpn.has_value() && facts_.without_alpn->handshake_done;
      return Fault(
          Reason::kProtocolMismatch,
          {.title = "the server speaks neither HTTP/2 nor HTTP/1.1 there (TLS alert 120)",
           .expected = "ALPN h2 or http/1.1",
           .got = works ? "a handshake only without ALPN" : "alert no_application_protocol",
           .fix = "check the port, or turn HTTP/2 on in the server"});
    }
    Finding finding = FaultOf(ExplainClientFailure({.stage = ClientAttempt::Stage::kHandshake,
                                                    .shows_certificate = facts_.shows_certificate,
                                                    .alert = tls_.alert},
                                                   {}),
                              case_.subject());
    // It begins with the server, which is the subject here.
    finding.title.erase(0, finding.title.find_first_not_of(": "));
    finding.expected = "a handshake with TLS 1.2 or TLS 1.3";
    finding.got = "TLS alert " + std::to_string(*tls_.alert);
    // The reason's own advice is to run the doctor.
    if (finding.reason == Reason::kHandshakeFailed) finding.fix = kCompare;
    diagnosis_.Add(std::move(finding));
  }

  void AddBrokenHandshake() {
    switch (tls_.end) {
      case TlsEnd::kTimedOut:
        return Fault(
            Reason::kConnectionFailed,
            {.title = "the server took the connection and did not finish the TLS "
                      "handshake in time",
             .expected = "an answer to the client's hello",
             .got = (tls_.version.empty() ? "silence for " : "only a part of the handshake in ") +
                    ShortTime(tls_.handshake_took),
             .fix = "check that it speaks TLS on this port, and that it is not overloaded; "
                    "try a longer --timeout"});
      case TlsEnd::kClosed:
      case TlsEnd::kReset:
        return Fault(Reason::kHandshakeFailed,
                     {.title = "the server hung up during the TLS handshake",
                      .expected = "an answer to the client's hello",
                      .got = tls_.end == TlsEnd::kReset ? "the connection was reset"
                                                        : "the connection was closed",
                      .fix = "check that it speaks TLS on this port, and look at its log"});
      case TlsEnd::kTooMuch:
      case TlsEnd::kNotTls:
        return Fault(Reason::kProtocolMismatch,
                     {.title = "what listens there does not speak TLS",
                      .expected = "TLS",
                      .got = tls_.end == TlsEnd::kTooMuch ? "more than 1 MiB without a handshake"
                                                          : "other bytes",
                      .fix = "check the port"});
      default:
        return Fault(Reason::kHandshakeFailed, {.title = "the TLS handshake failed on our side",
                                                .expected = "a handshake as RFC 8446 has it",
                                                .got = Printable(tls_.local_error),
                                                .fix = std::string(kCompare)});
    }
  }

  const EndpointCase& case_;
  const EndpointFacts& facts_;
  const TlsProbe& tls_;
  Diagnosis& diagnosis_;
};

}  // namespace

std::string ShortTime(std::chrono::milliseconds time) {
  const auto tenths = (time.count() + 50) / 100;
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " s";
}

void AddConnectionFindings(const EndpointCase& what, Diagnosis& diagnosis) {
  ConnectionFindings(what, diagnosis).Run();
}

}  // namespace troth
