// For tests: an authority in memory that speaks both protocols, behind a HttpClientFactory.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/enroll/authority_client.h"
#include "troth/identity/identity_testing.h"
#include "troth/pki/certificate_request.h"
#include "troth/pki/issue.h"
#include "troth/pki/token_text.h"

namespace troth::enroll_testing {

// "a\nb" as a JSON text, with its quotes.
inline std::string Quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) out += c == '\n' ? std::string("\\n") : std::string(1, c);
  return out + "\"";
}

// The value of `"name":"..."` in what Quoted wrote.
inline std::string MemberOf(const std::string& json, const std::string& name) {
  const std::string begin = "\"" + name + "\":\"";
  const size_t at = json.find(begin);
  if (at == std::string::npos) return "";
  const size_t end = json.find('"', at + begin.size());
  std::string text = json.substr(at + begin.size(), end - at - begin.size());
  for (size_t n = 0; (n = text.find("\\n")) != std::string::npos;) text.replace(n, 2, "\n");
  return text;
}

enum class Speaks { kCaramel, kJson };

// Thread-safe. Outlives what it connected.
class FakeAuthority {
 public:
  enum class Decision { kWait, kIssue, kReject };

  FakeAuthority(const Clock& clock, Speaks speaks)
      : clock_(clock), speaks_(speaks), root_(MakeRoot()), issuer_(MakeIssuer()) {}

  // What is decided when a request comes, and of those that wait.
  Decision decision = Decision::kWait;
  Seconds lifetime = std::chrono::hours(24 * 30);
  std::string token = {};  // that is taken; empty: none is
  bool says_last_modified = true;
  // Looked at first; answers in the place of the authority when it answers something.
  std::function<std::optional<absl::StatusOr<HttpResponse>>(const HttpClientRequest&)> intercept;
  // Makes the certificates in its place.
  std::function<std::string(const CertificateRequest&)> issue;
  std::string profile = {};  // that requests are told to have; empty: not told

  // What came: "POST /v1/requests", and the options of the connections.
  std::vector<std::string> requests;
  std::vector<HttpClientRequest> whole_requests;
  std::vector<HttpClientOptions> connections;

  HttpClientFactory Connect() {
    return [this](HttpClientOptions options) -> absl::StatusOr<std::unique_ptr<HttpClient>> {
      const std::lock_guard lock(mutex_);
      connections.push_back(options);
      return std::unique_ptr<HttpClient>(std::make_unique<Client>(*this, options.identity));
    };
  }

  const Signer& root() const { return root_; }
  // The one that signs: the root with Caramel.
  const Signer& issuer() const { return speaks_ == Speaks::kCaramel ? root_ : issuer_; }
  TrustBundle bundle() const { return TrustBundle::FromCertificates({root_.certificate()}); }

  std::string MakeToken() {
    const TokenText text{.id = "0123456789abcdef",
                         .secret = Secret(std::string(32, 's')),
                         .root_fingerprint = root_.certificate().fingerprint()};
    token = std::string(text.ToText().Reveal());
    return token;
  }

  // Every request that waits is decided.
  void Decide(Decision what) {
    const std::lock_guard lock(mutex_);
    for (auto& [id, entry] : entries_) {
      if (what == Decision::kIssue) Issue(entry);
      if (what == Decision::kReject) entry.rejected = true;
    }
  }
  // Every certificate that was issued is revoked: of its key there is no other.
  void Revoke() {
    const std::lock_guard lock(mutex_);
    for (auto& [id, entry] : entries_) {
      revoked_keys_.push_back(CertificateRequest::FromPem(entry.request_pem)->public_key());
    }
  }
  void RevokeKey(const PrivateKey& key) {
    const std::lock_guard lock(mutex_);
    revoked_keys_.push_back(key.public_key());
  }
  void Forget() {
    const std::lock_guard lock(mutex_);
    entries_.clear();
  }
  size_t stored() const {
    const std::lock_guard lock(mutex_);
    return entries_.size();
  }
  std::vector<std::string> stored_ids() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> ids;
    for (const auto& [id, entry] : entries_) ids.push_back(id);
    return ids;
  }

  // A certificate for this request, as it should be.
  std::string CertificateFor(const CertificateRequest& request) const {
    return MakeCertificate(request, issuer());
  }
  std::string MakeCertificate(const CertificateRequest& request, const Signer& signer,
                              std::optional<PublicKey> key = std::nullopt,
                              std::optional<DistinguishedName> subject = std::nullopt) const {
    const Time now = clock_.Now();
    std::vector<AlternativeName> names = request.alternative_names();
    if (subject.has_value()) names = {};
    if (names.empty()) {
      const DistinguishedName named = subject.value_or(request.subject());
      const auto name = AlternativeName::Parse("dns:" + named.common_name().value_or(""));
      if (name.ok()) names = {*name};
    }
    return Issue_(
        {.serial = SerialNumber::Generate(now),
         .subject = subject.value_or(request.subject()),
         .validity = {now - std::chrono::minutes(5), now + lifetime},
         .public_key = key.value_or(request.public_key()),
         .alternative_names = names,
         .extended_key_usage = {std::string(kServerAuthOid), std::string(kClientAuthOid)}},
        signer);
  }

 private:
  struct Entry {
    std::string request_pem;
    std::string certificate_pem;  // empty: none yet
    Time issued_at;
    bool rejected = false;
  };

  class Client : public HttpClient {
   public:
    Client(FakeAuthority& authority, std::shared_ptr<const Identity> identity)
        : authority_(authority), identity_(std::move(identity)) {}
    absl::StatusOr<HttpResponse> Send(const HttpClientRequest& request) override {
      return authority_.Answer(request, identity_.get());
    }

   private:
    FakeAuthority& authority_;
    std::shared_ptr<const Identity> identity_;
  };

  static std::string Issue_(const CertificateTemplate& what, const Signer& signer) {
    const absl::StatusOr<Certificate> made = troth::Issue(what, signer);
    EXPECT_TRUE(made.ok()) << made.status();
    return made.ok() ? made->ToPem() : "";
  }

  static CertificateTemplate CaTemplate(const std::string& name, const PublicKey& key) {
    return {.serial = SerialNumber::Generate(TestTime()),
            .subject = *DistinguishedName::FromSlashes("/C=SE/O=Example/OU=Lab/CN=" + name),
            .validity = {TestTime() - std::chrono::hours(24),
                         TestTime() + std::chrono::hours(24 * 3650)},
            .public_key = key,
            .basic_constraints = BasicConstraints{.is_ca = true}};
  }
  static Signer MakeRoot() {
    PrivateKey key = NewKey();
    Certificate certificate = *IssueSelfSigned(CaTemplate("Root", key.public_key()), key);
    return *Signer::Create(std::move(certificate), std::move(key));
  }
  Signer MakeIssuer() const {
    PrivateKey key = NewKey();
    Certificate certificate = *troth::Issue(CaTemplate("Issuer", key.public_key()), root_);
    return *Signer::Create(std::move(certificate), std::move(key));
  }

  void Issue(Entry& entry) {
    const CertificateRequest request = *CertificateRequest::FromPem(entry.request_pem);
    entry.certificate_pem = issue ? issue(request) : CertificateFor(request);
    entry.issued_at = clock_.Now();
  }

  static HttpResponse Problem(Reason reason, const std::string& detail) {
    const int status = InfoOf(reason).http_status;
    return {.status = status,
            .fields = {{"Content-Type", "application/problem+json"}},
            .body = R"({"status":)" + std::to_string(status) + R"(,"code":)" +
                    Quoted(CodeOf(reason)) + R"(,"detail":)" + Quoted(detail) + "}"};
  }

  std::string IssuedMembers(const std::string& certificate) const {
    return R"("certificate":)" + Quoted(certificate) + R"(,"chain":)" +
           Quoted(issuer_.certificate().ToPem()) + R"(,"trust_bundle":)" +
           Quoted(root_.certificate().ToPem());
  }

  absl::StatusOr<HttpResponse> Answer(const HttpClientRequest& request, const Identity* shown) {
    const std::lock_guard lock(mutex_);
    const std::string path = request.url.substr(request.url.find('/', 8));
    requests.push_back(request.method + " " + path);
    whole_requests.push_back(request);
    if (intercept) {
      if (auto answer = intercept(request); answer.has_value()) return *std::move(answer);
    }
    return speaks_ == Speaks::kCaramel ? AnswerCaramel(request, path)
                                       : AnswerJson(request, path, shown);
  }

  Entry& Remember(const std::string& id, const std::string& pem) {
    const auto [entry, added] = entries_.try_emplace(id, Entry{.request_pem = pem});
    if (added && decision == Decision::kIssue) Issue(entry->second);
    if (added && decision == Decision::kReject) entry->second.rejected = true;
    return entry->second;
  }

  HttpResponse AnswerCaramel(const HttpClientRequest& request, const std::string& path) {
    if (path == "/root.crt") return {.body = root_.certificate().ToPem()};
    const std::string id = path.substr(1);
    if (id.size() != 64) return {.status = 404};
    if (request.method == "POST") {
      if (FormatFingerprint(Sha256(request.body)) != id) {
        return Problem(Reason::kRequestMalformed, "hash mismatch");
      }
      Remember(id, request.body);
      return {.status = 202, .body = R"({"sha256":"x","url":"y"})"};
    }
    const auto entry = entries_.find(id);
    if (entry == entries_.end()) return {.status = 404};
    if (entry->second.rejected) return {.status = 403};
    if (entry->second.certificate_pem.empty()) return {.status = 202};
    HttpResponse response{.body = entry->second.certificate_pem};
    if (says_last_modified) {
      response.fields.emplace_back("Last-Modified", FormatHttpTime(entry->second.issued_at));
      for (const auto& [name, value] : request.fields) {
        if (name == "If-Modified-Since" && *ParseHttpTime(value) >= entry->second.issued_at) {
          return {.status = 304};
        }
      }
    }
    return response;
  }

  HttpResponse AnswerJson(const HttpClientRequest& request, const std::string& path,
                          const Identity* shown) {
    if (path == "/v1/trust-bundle") return {.body = root_.certificate().ToPem()};
    const std::string csr = MemberOf(request.body, "csr");
    if (path == "/v1/certificates") {
      const std::string bearer = "Bearer " + token;
      const bool good = !token.empty() && std::ranges::any_of(request.fields, [&](const auto& f) {
        return f.first == "Authorization" && f.second == bearer;
      });
      if (!good) return Problem(Reason::kTokenInvalid, "no such token");
      if (IsRevoked(csr)) {
        return Problem(Reason::kCertificateRevoked, "a certificate of this key was revoked");
      }
      Entry entry{.request_pem = csr};
      Issue(entry);
      return {.status = 201, .body = "{" + IssuedMembers(entry.certificate_pem) + "}"};
    }
    if (path == "/v1/certificates/renew") {
      if (shown == nullptr || !shown->has_certificate()) {
        return Problem(Reason::kPeerNotAuthenticated, "show a certificate");
      }
      Entry entry{.request_pem = csr};
      Issue(entry);
      return {.status = 201, .body = "{" + IssuedMembers(entry.certificate_pem) + "}"};
    }
    if (path == "/v1/requests" && request.method == "POST") {
      const std::string id = FormatFingerprint(Sha256(csr));
      if (IsRevoked(csr)) {
        return Problem(Reason::kCertificateRevoked, "a certificate of this key was revoked");
      }
      Entry& entry = Remember(id, csr);
      if (HasEnded(entry)) {
        entry.certificate_pem.clear();
        if (decision == Decision::kIssue) Issue(entry);
      }
      return Describe(id, entry);
    }
    if (path.starts_with("/v1/requests/")) {
      const std::string id = path.substr(13);
      const auto entry = entries_.find(id);
      if (entry == entries_.end()) return Problem(Reason::kRequestUnknown, "no such request");
      return Describe(id, entry->second);
    }
    return Problem(Reason::kPathUnknown, "nothing there");
  }

  bool IsRevoked(const std::string& request_pem) const {
    const PublicKey key = CertificateRequest::FromPem(request_pem)->public_key();
    return std::ranges::find(revoked_keys_, key) != revoked_keys_.end();
  }

  // A certificate that has ended is no longer told; the request waits again when it is sent again.
  bool HasEnded(const Entry& entry) const {
    const auto leaf = Certificate::FromPem(entry.certificate_pem);
    if (!leaf.ok()) return false;
    const Time end = leaf->validity().not_after;
    return entry.issued_at <= end && end < clock_.Now();
  }

  HttpResponse Describe(const std::string& id, const Entry& entry) const {
    if (IsRevoked(entry.request_pem)) {
      HttpResponse refusal =
          Problem(Reason::kCertificateRevoked, "a certificate of this key was revoked");
      refusal.status = 403;
      return refusal;
    }
    const std::string more = profile.empty() ? "" : R"(,"profile":)" + Quoted(profile);
    if (entry.rejected) {
      return {.body = R"({"id":)" + Quoted(id) +
                      R"(,"state":"rejected","decision_note":"not one of ours"})"};
    }
    if (entry.certificate_pem.empty()) {
      return {.status = 202,
              .body = R"({"id":)" + Quoted(id) + R"(,"state":"pending")" + more + "}"};
    }
    if (HasEnded(entry)) {
      return {.body = R"({"id":)" + Quoted(id) + R"(,"state":"approved"})"};
    }
    return {.status = 201,
            .body = R"({"id":)" + Quoted(id) + R"(,"state":"approved",)" +
                    IssuedMembers(entry.certificate_pem) + "}"};
  }

  const Clock& clock_;
  Speaks speaks_;
  Signer root_, issuer_;
  mutable std::mutex mutex_;
  std::map<std::string, Entry> entries_;  // by id; guarded by mutex_
  std::vector<PublicKey> revoked_keys_;   // guarded by mutex_
};

}  // namespace troth::enroll_testing
