#include "troth/doctor/endpoint_survey_internal.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "troth/base/reason.h"

namespace troth {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr int kNoApplicationProtocol = 120;  // RFC 7301 section 3.2

bool HungUpSilently(const TlsProbe& probe) {
  return probe.handshake_done && probe.answer.empty() &&
         (probe.end == TlsEnd::kClosed || probe.end == TlsEnd::kReset);
}

class Surveying {
 public:
  Surveying(const Endpoint& endpoint, const EndpointOptions& options,
            const ShownCredentials* credentials, Deadline deadline)
      : endpoint_(endpoint),
        options_(options),
        credentials_(credentials),
        deadline_(deadline),
        host_(options.server_name.has_value() &&
                      options.server_name->kind == AlternativeName::Kind::kDns
                  ? options.server_name->value
                  : endpoint.host) {}

  EndpointFacts Run() {
    facts_.shows_certificate = credentials_ != nullptr;
    facts_.resolved = Addresses();
    if (!Reach()) return std::move(facts_);
    if (facts_.tls.handshake_done) {
      SettleSilence(facts_.tls, credentials_);
      if (facts_.tls.alpn == kAlpnH2) AskInHttp1();
      if (facts_.tls.certificate_requested && credentials_ != nullptr) AskWithoutCertificate();
      // What HTTP/1.1 said counts too: nginx settles HTTP/2 with anybody.
      const bool is_refused =
          AdmissionOf(facts_.tls) == Admission::kNo ||
          (facts_.http1.has_value() && AdmissionOf(*facts_.http1) == Admission::kNo);
      if (options_.call != nullptr && !is_refused) Call();
      if (facts_.tls.version == "TLSv1.3" && !IsOver()) {
        facts_.tls12 = Probe(nullptr, {}, TlsVersions::kUpTo12);
      }
      LookForOldVersions();
      LookAtOthers();
      return std::move(facts_);
    }
    if (facts_.tls.alert == kNoApplicationProtocol) {
      facts_.without_alpn = Probe(credentials_, {}, TlsVersions::kModern);
    } else if (facts_.tls.certificate_requested) {
      if (credentials_ != nullptr) AskWithoutCertificate();
    } else {
      LookForOthers();
    }
    LookAtOthers();
    return std::move(facts_);
  }

 private:
  Resolved Addresses() const {
    if (options_.addresses.empty()) return Resolve(endpoint_, At(1, 3));
    Resolved all;
    for (const std::string& address : options_.addresses) {
      Resolved one = Resolve({.host = address, .port = endpoint_.port}, At(1, 3));
      std::ranges::move(one.addresses, std::back_inserter(all.addresses));
      if (!one.error.empty()) all.error = one.error;
    }
    return all;
  }

  // This share of what is left of the time.
  Deadline At(int part, int of) const {
    const auto now = steady_clock::now();
    return now + (deadline_ - now) * part / of;
  }

  bool IsOver() const { return steady_clock::now() >= deadline_; }

  TlsProbe ProbeAt(const SocketAddress& address, Deadline handshake, TlsProbeOptions probe) {
    return ProbeOver(Socket::Connect(address, handshake), handshake, std::move(probe));
  }

  TlsProbe ProbeOver(Socket socket, Deadline handshake, TlsProbeOptions probe) {
    constexpr milliseconds kLongestAnswer(3000);
    probe.server_name = ParseIpAddress(host_).has_value() ? "" : host_;
    probe.handshake_deadline = handshake;
    probe.answer_time =
        std::clamp(std::chrono::duration_cast<milliseconds>(deadline_ - handshake) / 2,
                   milliseconds(0), kLongestAnswer);
    if (probe.request != nullptr) probe.is_whole = IsWhole;
    return ProbeTls(std::move(socket), probe);
  }

  TlsProbe Probe(const ShownCredentials* credentials, std::vector<std::string> alpn,
                 TlsVersions versions) {
    return ProbeAt(*facts_.address, At(1, 2),
                   {.alpn = std::move(alpn),
                    .credentials = credentials,
                    .versions = versions,
                    .request = versions == TlsVersions::kModern ? Request() : nullptr});
  }

  std::function<std::string(std::string_view)> Request() const {
    return [this](std::string_view alpn) {
      if (alpn == kAlpnH2) return Http2Preface();
      const bool is_method = options_.call != nullptr || options_.path.empty();
      const std::string host = host_.find(':') == std::string::npos ? host_ : "[" + host_ + "]";
      return Http1Request(host + ":" + std::to_string(endpoint_.port),
                          is_method ? "/" : options_.path);
    };
  }

  static bool IsWhole(std::string_view alpn, std::string_view answer) {
    return alpn == kAlpnH2 ? IsWholeHttp2Answer(answer) : IsWholeHttp1Answer(answer);
  }

  // The first address that takes a connection is examined. The addresses share the time for
  // connecting only: a slow handshake has as much as that of a lone address.
  bool Reach() {
    const std::vector<SocketAddress>& addresses = facts_.resolved.addresses;
    for (size_t i = 0; i < addresses.size(); ++i) {
      const int left = static_cast<int>(addresses.size() - i);
      Socket socket = Socket::Connect(addresses[i], left == 1 ? deadline_ : At(1, left + 1));
      if (socket.state() == Socket::State::kOpen) {
        facts_.tls = ProbeOver(std::move(socket), At(1, 2),
                               {.alpn = {std::string(kAlpnH2), std::string(kAlpnHttp1)},
                                .credentials = credentials_,
                                .request = Request()});
        facts_.address = addresses[i];
        return true;
      }
      facts_.unreachable.push_back({.address = addresses[i],
                                    .timed_out = socket.state() == Socket::State::kTimedOut,
                                    .error = socket.error()});
    }
    return false;
  }

  // A server that asks for certificates and hangs up when it is asked something: did it refuse the
  // client, or did it not like the question?
  void SettleSilence(TlsProbe& probe, const ShownCredentials* credentials) {
    if (!probe.certificate_requested || !HungUpSilently(probe) || IsOver()) return;
    TlsProbe quiet = ProbeAt(*facts_.address, At(1, 2),
                             {.alpn = {std::string(kAlpnH2), std::string(kAlpnHttp1)},
                              .credentials = credentials,
                              .request = [](std::string_view /*alpn*/) { return std::string(); }});
    if (quiet.end == TlsEnd::kTimedOut && quiet.handshake_done) probe.end = TlsEnd::kDone;
    if (quiet.alert.has_value()) probe.alert = quiet.alert;
  }

  void AskWithoutCertificate() {
    if (IsOver()) return;
    // nginx says in HTTP/1.1 what it thinks of a client; the settings of HTTP/2 it gives to
    // everybody.
    std::vector<std::string> alpn = {std::string(kAlpnHttp1)};
    if (!facts_.http1.has_value()) alpn.insert(alpn.begin(), std::string(kAlpnH2));
    facts_.anonymous = Probe(nullptr, std::move(alpn), TlsVersions::kModern);
    SettleSilence(*facts_.anonymous, nullptr);
  }

  void AskInHttp1() {
    if (IsOver()) return;
    TlsProbe probe = Probe(credentials_, {std::string(kAlpnHttp1)}, TlsVersions::kModern);
    if (AnswerOf(probe).has_value()) facts_.http1 = std::move(probe);
  }

  void Call() {
    const auto left = std::chrono::duration_cast<milliseconds>(deadline_ - steady_clock::now());
    if (left <= milliseconds(0) || facts_.tls.chain.empty()) return;
    EndpointCall call{.target = facts_.address->GrpcTarget(),
                      .host = host_,
                      .server_certificate = facts_.tls.chain.front().fingerprint(),
                      .method = options_.path.empty() ? std::string(kHealthMethod) : options_.path,
                      .timeout = left * 9 / 10};
    if (credentials_ != nullptr) {
      for (const Certificate& certificate : credentials_->chain) {
        call.certificate_pem += certificate.ToPem();
      }
      call.private_key_pem = credentials_->key.ToPem();
    }
    facts_.call = options_.call(call);
  }

  void LookForOldVersions() {
    if (IsOver()) return;
    facts_.old = Probe(nullptr, {}, TlsVersions::kOld);
  }

  // Several servers may be behind one name, and one of them may be left behind.
  void LookAtOthers() {
    const std::vector<SocketAddress>& addresses = facts_.resolved.addresses;
    const size_t first = facts_.unreachable.size() + 1;  // after the one that was examined
    for (size_t i = first; i < addresses.size() && !IsOver(); ++i) {
      const int left = static_cast<int>(addresses.size() - i);
      TlsProbe probe = ProbeAt(
          addresses[i], At(1, left),
          {.alpn = {std::string(kAlpnH2), std::string(kAlpnHttp1)}, .credentials = credentials_});
      if (probe.end == TlsEnd::kNoSocket) {
        facts_.unreachable.push_back({.address = addresses[i],
                                      .timed_out = probe.socket == Socket::State::kTimedOut,
                                      .error = probe.error});
      } else {
        facts_.others.push_back({.address = addresses[i], .tls = std::move(probe)});
      }
    }
  }

  // The handshake did not get far: what else may it be?
  void LookForOthers() {
    const TlsProbe& tls = facts_.tls;
    if (tls.showed_chain() || IsOver()) return;
    if (tls.end == TlsEnd::kNotTls) {
      facts_.plain = RecogniseProtocol(tls.first_bytes);
      const bool is_known =
          facts_.plain->speaks != PlainProbe::Speaks::kOther || !facts_.plain->name.empty();
      if (is_known) return;
    } else if (tls.alert.has_value() || tls.end == TlsEnd::kGivenUp) {
      return LookForOldVersions();
    }
    PlainProbe plain = ProbePlain(*facts_.address, endpoint_.host, At(1, 2));
    if (!facts_.plain.has_value() || plain.speaks == PlainProbe::Speaks::kHttp1 ||
        plain.speaks == PlainProbe::Speaks::kHttp2) {
      facts_.plain = std::move(plain);
    }
    if (facts_.plain->speaks == PlainProbe::Speaks::kNothing) LookForOldVersions();
  }

  const Endpoint& endpoint_;
  const EndpointOptions& options_;
  const ShownCredentials* const credentials_;
  const Deadline deadline_;
  const std::string host_;
  EndpointFacts facts_;
};

}  // namespace

bool AgreedToVersion(const std::optional<TlsProbe>& probe) {
  return probe.has_value() && !probe->version.empty() && probe->showed_chain();
}

std::optional<Http1Answer> AnswerOf(const TlsProbe& probe) {
  if (!probe.handshake_done || probe.alpn == kAlpnH2) return std::nullopt;
  return ReadHttp1Answer(probe.answer);
}

bool IsSilentInHttp(const TlsProbe& probe) {
  return probe.handshake_done && probe.end == TlsEnd::kTimedOut && probe.answer.empty() &&
         (probe.alpn == kAlpnH2 || probe.alpn == kAlpnHttp1);
}

bool MayBeAboutCertificate(const Http1Answer& answer) {
  // 495 and 496 are nginx's own; `error_page` makes others of them.
  constexpr auto kStatuses = std::to_array<int>({400, 401, 403, 421, 495, 496});
  return std::ranges::find(kStatuses, answer.status) != kStatuses.end() &&
         !ReasonOf(RefusalIn(answer)).has_value();  // a guard that speaks has let the client in
}

Admission AdmissionOf(const TlsProbe& probe) {
  if (probe.alert.has_value()) return Admission::kNo;
  const bool hung_up = probe.end == TlsEnd::kClosed || probe.end == TlsEnd::kReset;
  if (!probe.handshake_done) {
    return probe.certificate_requested && hung_up ? Admission::kNo : Admission::kUnknown;
  }
  if (const std::optional<Http1Answer> answer = AnswerOf(probe)) {
    const std::optional<Reason> reason = ReasonOf(RefusalIn(*answer));
    if (reason == Reason::kClientCertificateMissing || reason == Reason::kPeerRejectedCertificate) {
      return Admission::kNo;
    }
    return MayBeAboutCertificate(*answer) ? Admission::kUnknown : Admission::kYes;
  }
  if (!probe.certificate_requested) return Admission::kYes;
  if (HungUpSilently(probe)) return Admission::kNo;
  // The server of TLS 1.2 ends the handshake, when it has seen the certificate. That of TLS 1.3
  // does not, and may send the settings of HTTP/2 before it knows with whom it talks, but not the
  // acknowledgement of ours.
  const bool answered =
      probe.alpn == kAlpnH2 ? IsWholeHttp2Answer(probe.answer) : !probe.answer.empty();
  return probe.version != "TLSv1.3" || probe.sent_ticket || answered ? Admission::kYes
                                                                     : Admission::kUnknown;
}

EndpointFacts Survey(const Endpoint& endpoint, const EndpointOptions& options,
                     const ShownCredentials* credentials, Deadline deadline) {
  return Surveying(endpoint, options, credentials, deadline).Run();
}

}  // namespace troth
