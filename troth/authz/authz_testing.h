// What the tests of this folder share: peers with any names, their authority, and a port to call.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "troth/authz/guard.h"
#include "troth/authz/policy.h"
#include "troth/base/log.h"
#include "troth/identity/identity_testing.h"
#include "troth/pki/issue.h"

namespace troth {

inline constexpr Seconds kTestDay = std::chrono::hours(24);

// What a certificate is to say.
struct PeerSpec {
  std::string subject = "/CN=client";
  std::vector<std::string> names;  // as AlternativeName::Parse reads them
  Validity validity = {TestTime() - std::chrono::hours(1), TestTime() + 90 * kTestDay};
  std::vector<std::string> extended_key_usage = {std::string(kClientAuthOid)};
  bool is_ca = false;
};

inline CertificateTemplate TemplateOf(const PeerSpec& spec, const PublicKey& key) {
  CertificateTemplate what{.serial = SerialNumber::Generate(TestTime()),
                           .subject = *DistinguishedName::FromSlashes(spec.subject),
                           .validity = spec.validity,
                           .public_key = key};
  for (const std::string& name : spec.names) {
    what.alternative_names.push_back(*AlternativeName::Parse(name));
  }
  if (!spec.is_ca) what.extended_key_usage = spec.extended_key_usage;
  what.basic_constraints = BasicConstraints{.is_ca = spec.is_ca, .path_length = std::nullopt};
  return what;
}

// One key for all peers of the tests: making keys is slow, and guards compare certificates.
inline const PrivateKey& PeerKey() {
  static const PrivateKey& key = *new PrivateKey(NewKey());
  return key;
}

inline Certificate SelfSigned(const PeerSpec& spec) {
  return *IssueSelfSigned(TemplateOf(spec, PeerKey().public_key()), PeerKey());
}

// A CA that issues peers and lists.
class PeerAuthority {
 public:
  explicit PeerAuthority(const std::string& subject = "/CN=test-ca") : signer_(Root(subject)) {}

  PeerAuthority Intermediate(const std::string& subject) const {
    PrivateKey key = NewKey();
    const Certificate certificate = *troth::Issue(
        TemplateOf({.subject = subject, .validity = Years(), .is_ca = true}, key.public_key()),
        signer_);
    return PeerAuthority(*Signer::Create(certificate, std::move(key)));
  }
  Certificate Issue(const PeerSpec& spec = {}) const {
    return *troth::Issue(TemplateOf(spec, PeerKey().public_key()), signer_);
  }
  Crl Revoke(const std::vector<Certificate>& revoked, Time this_update = TestTime(),
             std::optional<Time> next_update = std::nullopt) const {
    CrlTemplate what{.this_update = this_update,
                     .next_update = next_update.value_or(this_update + 7 * kTestDay),
                     .number = static_cast<std::uint64_t>(this_update.time_since_epoch().count())};
    for (const Certificate& certificate : revoked) {
      what.entries.push_back({.serial = certificate.serial_number(), .revoked_at = this_update});
    }
    return *IssueCrl(what, signer_);
  }
  const Certificate& certificate() const { return signer_.certificate(); }
  std::string pem() const { return certificate().ToPem(); }
  TrustBundle Bundle() const { return TrustBundle::FromCertificates({certificate()}); }

 private:
  explicit PeerAuthority(Signer signer) : signer_(std::move(signer)) {}
  static Validity Years() { return {TestTime() - 365 * kTestDay, TestTime() + 3650 * kTestDay}; }
  static Signer Root(const std::string& subject) {
    PrivateKey key = NewKey();
    const Certificate certificate = *IssueSelfSigned(
        TemplateOf({.subject = subject, .validity = Years(), .is_ca = true}, key.public_key()),
        key);
    return *Signer::Create(certificate, std::move(key));
  }
  Signer signer_;
};

// An identity that only trusts.
inline std::shared_ptr<const Identity> Trusting(const std::vector<Certificate>& anchors) {
  std::string pem;
  for (const Certificate& anchor : anchors) pem += anchor.ToPem();
  auto identity = Identity::Create(
      {.certificate_pem = "", .private_key_pem = "", .trust_bundle_pem = pem}, TestTime());
  EXPECT_TRUE(identity.ok()) << identity.status();
  return *identity;
}

inline std::shared_ptr<const Policy> PolicyOf(std::string_view text,
                                              const std::string& folder = ".") {
  auto policy = Policy::FromText(text, "policy.toml", folder);
  EXPECT_TRUE(policy.ok()) << policy.status();
  return policy.ok() ? *policy : nullptr;
}

inline PeerEvidence Verified(const Certificate& leaf, const PeerAuthority& authority) {
  return {.leaf = leaf, .verified = true, .path = {leaf, authority.certificate()}};
}
inline PeerEvidence Unverified(const Certificate& leaf) { return {.leaf = leaf}; }

// "certificate_expired" of an error, "" of OK.
inline std::string CodeOrNone(const absl::Status& status) {
  return status.ok() ? "" : std::string(CodeOf(status));
}
inline std::string CodeOrNone(const Verdict& verdict) {
  return verdict.allowed() ? "" : std::string(CodeOf(verdict.reason()));
}

// Keeps what is logged while it lives.
class LogCapture {
 public:
  LogCapture() {
    SetLogSink([this](const LogEntry& entry) { entries_.push_back(entry); }, LogLevel::kDebug);
  }
  ~LogCapture() { SetLogSink({}); }
  LogCapture(const LogCapture&) = delete;
  LogCapture& operator=(const LogCapture&) = delete;
  // Only while nobody logs.
  const std::vector<LogEntry>& entries() const { return entries_; }
  size_t CountOf(std::string_view message) const {
    size_t count = 0;
    for (const LogEntry& entry : entries_) count += entry.message == message ? 1 : 0;
    return count;
  }

 private:
  std::vector<LogEntry> entries_;
};

}  // namespace troth
