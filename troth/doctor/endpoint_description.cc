#include <algorithm>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/doctor/certificate_role_internal.h"
#include "troth/doctor/endpoint_findings_internal.h"
#include "troth/pki/description.h"

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
    names.push_back(Printable(name.ToPlainString()));
  }
  return Join(names, ", ");
}

std::string JudgedBy(const ClientTrust& trust) {
  const std::string many = std::to_string(trust.certificates.size());
  switch (trust.kind) {
    case ClientTrust::Kind::kGiven:
      return "the authorities in " + Printable(trust.called) + " (" + many + ")";
    case ClientTrust::Kind::kSystem:
      return "the authorities of this system (" + many + " in " + Printable(trust.called) + ")";
    default:
      return "nobody: the chain by itself";
  }
}

std::string_view NameOf(ClientCertificateWish wish) {
  switch (wish) {
    case ClientCertificateWish::kNone:
      return "not asked for";
    case ClientCertificateWish::kOptional:
      return "optional";
    case ClientCertificateWish::kRequired:
      return "required";
    default:
      return "asked for";
  }
}

class Description {
 public:
  Description(const EndpointCase& what, Diagnosis& diagnosis)
      : case_(what), facts_(what.facts), diagnosis_(diagnosis) {}

  void Run() {
    if (!facts_.address.has_value()) return;
    std::string others;
    for (const OtherAddress& other : facts_.others) others += ", " + other.address.ToString();
    Say("address",
        facts_.address->ToString() + (others.empty() ? "" : "; also" + others.substr(1)));
    const TlsProbe& tls = case_.furthest();
    if (tls.version.empty()) return;
    Say("protocol", tls.version + " with " + tls.cipher +
                        (tls.alpn.empty() ? ", no ALPN" : ", ALPN " + Printable(tls.alpn)));
    SayVersions();
    SayChain(tls.chain);
    SayClientCertificate();
    SayAnswer();
  }

 private:
  void Say(std::string part, std::string what) {
    diagnosis_.recognised.push_back({.subject = std::move(part), .what = std::move(what)});
  }

  void SayVersions() {
    std::vector<std::string> versions;
    if (facts_.tls.handshake_done) versions.push_back(facts_.tls.version);
    for (const std::optional<TlsProbe>* probe : {&facts_.tls12, &facts_.old}) {
      if (AgreedToVersion(*probe)) versions.push_back((*probe)->version);
    }
    if (!versions.empty()) Say("versions", Join(versions, ", "));
  }

  void SayChain(const std::vector<Certificate>& chain) {
    if (chain.empty()) return;
    const Certificate& leaf = chain.front();
    const std::string names = NamesOf(leaf);
    Say("certificate", Called(leaf) + (names.empty() ? "" : " for " + names) + " until " +
                           FormatTime(leaf.validity().not_after));
    const bool has_root = IsRoot(chain.back());
    Say("chain", Listed(chain, ", then ") +
                     (has_root ? "" : ", issued by " + Quoted(chain.back().issuer())));
    Say("judged by", JudgedBy(case_.files.trust));
  }

  void SayClientCertificate() {
    const ClientCertificateWish wish = WishOf(facts_);
    if (wish == ClientCertificateWish::kUnknown && !facts_.tls.certificate_requested) return;
    std::string what(NameOf(wish));
    if (facts_.tls.certificate_requested) {
      const Admission admission = AdmissionOf(facts_);
      what += !facts_.shows_certificate      ? ", none shown"
              : admission == Admission::kYes ? ", ours accepted"
              : admission == Admission::kNo  ? ", ours refused"
                                             : ", ours shown";
    }
    Say("client certificate", what);
    const std::vector<DistinguishedName>& accepted = facts_.tls.accepted_authorities;
    if (!facts_.tls.certificate_requested) return;
    Say("accepted authorities", accepted.empty() ? "none named" : ListedNames(accepted, ", "));
  }

  void SayAnswer() {
    for (const TlsProbe* probe : {facts_.http1 ? &*facts_.http1 : nullptr, &facts_.tls}) {
      if (probe == nullptr) continue;
      if (const std::optional<Http1Answer> answer = AnswerOf(*probe)) {
        Say("answer", "HTTP " + std::to_string(answer->status));
        break;
      }
      if (probe->alpn == kAlpnH2 && IsHttp2Answer(probe->answer)) {
        Say("answer", "the settings of HTTP/2");
        break;
      }
      if (!probe->handshake_done || probe != &facts_.tls) continue;
      if (!probe->answer.empty()) {
        Say("answer", "not of HTTP: \"" + Printable(probe->answer, 60) + "\"");
      } else {
        Say("answer", probe->end == TlsEnd::kTimedOut
                          ? "none in time"
                          : "none: it hung up when it was asked in HTTP");
      }
    }
    if (case_.options.call == nullptr) return;
    if (!facts_.call.has_value()) return Say("call", "not made");
    const absl::Status& status = facts_.call->status();
    if (status.ok()) return Say("call", "passed: " + Printable(**facts_.call));
    const std::string code(absl::StatusCodeToString(status.code()));
    // A refusal with a reason is a finding, with all its words.
    Say("call", ReasonOf(status).has_value() ? "refused, " + code
                                             : code + ": " + Printable(ToStd(status.message())));
  }

  const EndpointCase& case_;
  const EndpointFacts& facts_;
  Diagnosis& diagnosis_;
};

}  // namespace

const TlsProbe& EndpointCase::furthest() const {
  if (facts.tls.handshake_done || facts.tls.showed_chain()) return facts.tls;
  if (facts.without_alpn.has_value()) return *facts.without_alpn;
  return AgreedToVersion(facts.old) ? *facts.old : facts.tls;
}

std::optional<Time> EndpointCase::server_clock() const {
  for (const TlsProbe* probe : {&facts.tls, facts.http1 ? &*facts.http1 : nullptr,
                                facts.anonymous ? &*facts.anonymous : nullptr,
                                facts.without_alpn ? &*facts.without_alpn : nullptr}) {
    if (probe == nullptr) continue;
    const std::optional<Http1Answer> answer = AnswerOf(*probe);
    if (answer.has_value() && answer->date.has_value()) return answer->date;
  }
  return std::nullopt;
}

void DescribeEndpoint(const EndpointCase& what, Diagnosis& diagnosis) {
  Description(what, diagnosis).Run();
}

}  // namespace troth
