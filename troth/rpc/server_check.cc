#include "troth/rpc/server_check.h"

#include <algorithm>
#include <string>
#include <utility>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/pki/certificate.h"
#include "troth/pki/path_validation.h"

namespace troth {
namespace {

// A chain longer than this is not looked at: a path has at most ten certificates.
constexpr size_t kMaxShown = 32;

// The name that a certificate must have for `host`: an address or a DNS name, never another kind
// that the text might look like.
absl::StatusOr<AlternativeName> NameOfHost(std::string_view host) {
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  if (std::optional<std::string> address = ParseIpAddress(host)) {
    return AlternativeName{.kind = AlternativeName::Kind::kIp, .value = *std::move(address)};
  }
  if (host.ends_with('.')) host.remove_suffix(1);
  if (IsDnsName(host, /*allow_wildcard=*/false)) {
    return AlternativeName{.kind = AlternativeName::Kind::kDns, .value = std::string(host)};
  }
  return MakeError(
      Reason::kNameMismatch,
      "'" + Printable(host) +
          "' is neither a DNS name nor an IP address, so no certificate can be for it; "
          "say whom you expect with ExpectDnsName or ExpectSpiffeId");
}

absl::Status CheckPin(const Certificate& leaf, const std::vector<Sha256Digest>& pins, Time now) {
  if (std::ranges::find(pins, leaf.fingerprint()) == pins.end()) {
    std::string expected;
    for (const Sha256Digest& pin : pins) {
      if (!expected.empty()) expected += " or ";
      expected += FormatFingerprint(pin);
    }
    return MakeError(Reason::kPeerNotPinned, "expected the server's certificate to be " +
                                                 (expected.empty() ? "one of no pins" : expected) +
                                                 ", got " + FormatFingerprint(leaf.fingerprint()) +
                                                 " (" + leaf.Describe() + ")");
  }
  if (now > leaf.validity().not_after) {
    return MakeError(Reason::kCertificateExpired,
                     "the server's pinned certificate was valid until " +
                         FormatTime(leaf.validity().not_after) + ", and it is " + FormatTime(now));
  }
  if (now < leaf.validity().not_before) {
    return MakeError(Reason::kCertificateNotYetValid,
                     "the server's pinned certificate is valid from " +
                         FormatTime(leaf.validity().not_before) + ", and it is " + FormatTime(now));
  }
  return absl::OkStatus();
}

// A pin is not verified, so neither is the list: it is a file of our own, and can only take trust
// away.
absl::Status CheckListed(const Certificate& leaf, const std::vector<Crl>& crls) {
  for (const Crl& crl : crls) {
    if (!crl.issuer().Matches(leaf.issuer()) || crl.Find(leaf.serial_number()) == nullptr) continue;
    return MakeError(Reason::kCertificateRevoked, "the server's certificate " + leaf.Describe() +
                                                      " is on the revocation list of " +
                                                      crl.issuer().ToString());
  }
  return absl::OkStatus();
}

}  // namespace

ExpectedServer ExpectDnsName(std::string name) {
  ExpectedServer expected;
  expected.kind_ = ExpectedServer::Kind::kDnsName;
  expected.name_ = std::move(name);
  return expected;
}

ExpectedServer ExpectSpiffeId(const SpiffeId& id) {
  ExpectedServer expected;
  expected.kind_ = ExpectedServer::Kind::kSpiffeId;
  expected.name_ = id.ToString();
  return expected;
}

ExpectedServer ExpectPinned(std::vector<Sha256Digest> fingerprints) {
  ExpectedServer expected;
  expected.kind_ = ExpectedServer::Kind::kPinned;
  expected.pins_ = std::move(fingerprints);
  return expected;
}

absl::Status CheckServer(const ShownCertificates& shown, const ExpectedServer& expected,
                         const TrustBundle& trust, const std::vector<Crl>& crls, Time now) {
  if (shown.leaf_pem.empty()) {
    return MakeError(Reason::kCertificateMissing, "the server showed no certificate");
  }
  const absl::StatusOr<Certificate> leaf = Certificate::FromPem(shown.leaf_pem);
  if (!leaf.ok()) return WithContext(leaf.status(), "the server's certificate");
  if (expected.kind() == ExpectedServer::Kind::kPinned) {
    absl::Status pinned = CheckPin(*leaf, expected.pins(), now);
    return pinned.ok() ? CheckListed(*leaf, crls) : pinned;
  }

  std::vector<Certificate> intermediates;
  if (!shown.chain_pem.empty()) {
    absl::StatusOr<std::vector<Certificate>> chain =
        Certificate::ListFromPem(shown.chain_pem, kMaxShown);
    if (!chain.ok()) return WithContext(chain.status(), "the server's chain");
    intermediates = *std::move(chain);
    std::erase(intermediates, *leaf);
  }
  PathOptions options;
  options.now = now;
  options.usage = Usage::kServer;
  options.crls = &crls;
  const absl::Status valid = ValidatePath(*leaf, intermediates, trust, options).status;
  if (!valid.ok()) return WithContext(valid, "the server's certificate");

  if (expected.kind() == ExpectedServer::Kind::kSpiffeId) {
    const std::optional<SpiffeId> id = leaf->spiffe_id();
    if (id.has_value() && id->ToString() == expected.name()) return absl::OkStatus();
    return MakeError(
        Reason::kNameMismatch,
        "the server's certificate is for " +
            (id.has_value() ? id->ToString() : leaf->Describe() + ", which has no SPIFFE ID") +
            ", expected " + expected.name());
  }
  const absl::StatusOr<AlternativeName> name = NameOfHost(
      expected.kind() == ExpectedServer::Kind::kDnsName ? expected.name() : shown.target);
  if (!name.ok()) return name.status();
  return WithContext(CheckName(*leaf, *name), "the server's certificate");
}

}  // namespace troth
