// What a certificate costs the authority, from the request's bytes to the certificate's, beside the
// floor: one raw P-256 signature and one raw P-256 verification. The store keeps next to nothing
// here; bench/store_bench.cc measures the real one.
#include <benchmark/benchmark.h>
#include <openssl/ec.h>
#include <openssl/evp.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "troth/base/log.h"
#include "troth/ca/asked.h"
#include "troth/ca/authority.h"
#include "troth/ca/authority_folder.h"
#include "troth/ca/leaf_template.h"
#include "troth/ca/ledger.h"
#include "troth/pki/certificate_request.h"

namespace troth {
namespace {

// One token and the issuers in memory, the ledger's head, and no certificates. Work runs at once,
// on the caller's thread.
class LightStore final : public Store, public StoreTransaction {
 public:
  void Write(Work work, Done done) override {
    const std::lock_guard lock(mutex_);
    done(work(*this));
  }
  absl::Status Read(const std::function<absl::Status(StoreReader&)>& read) override {
    const std::lock_guard lock(mutex_);
    return read(*this);
  }
  StoreStatistics Statistics() const override { return {}; }

  absl::StatusOr<std::optional<CertificateRecord>> FindCertificate(const SerialNumber&) override {
    return last_;
  }
  absl::StatusOr<std::optional<CertificateRecord>> FindCertificateOfRequest(
      const Sha256Digest&, std::string_view) override {
    return std::optional<CertificateRecord>();
  }
  absl::StatusOr<std::vector<CertificateRecord>> FindCertificates(
      const CertificateFilter&) override {
    return std::vector<CertificateRecord>();
  }
  absl::Status VisitCertificates(const std::optional<SerialNumber>&,
                                 const std::function<bool(const CertificateRecord&)>&) override {
    return absl::OkStatus();
  }
  absl::StatusOr<bool> IsNameKnown(std::string_view) override { return false; }
  absl::StatusOr<std::optional<RevocationRecord>> FindRevocation(const SerialNumber&) override {
    return std::optional<RevocationRecord>();
  }
  absl::StatusOr<std::vector<RevocationRecord>> Revocations(std::optional<std::uint32_t>,
                                                            Time) override {
    return std::vector<RevocationRecord>();
  }
  absl::StatusOr<std::optional<RequestRecord>> FindRequest(const Sha256Digest&) override {
    return std::optional<RequestRecord>();
  }
  absl::StatusOr<std::vector<RequestRecord>> FindRequests(const RequestFilter&) override {
    return std::vector<RequestRecord>();
  }
  absl::StatusOr<std::uint64_t> CountRequests(const RequestFilter&) override { return 0; }
  absl::StatusOr<std::optional<TokenRecord>> FindToken(std::string_view) override { return token_; }
  absl::StatusOr<std::vector<TokenRecord>> Tokens() override { return std::vector<TokenRecord>(); }
  absl::StatusOr<std::vector<IssuerRecord>> Issuers() override { return issuers_; }
  absl::StatusOr<LedgerHead> Head() override { return head_; }
  absl::Status VisitLedger(std::uint64_t, const std::function<bool(const LedgerEntry&)>&) override {
    return absl::OkStatus();
  }

  absl::Status AddCertificate(const CertificateRecord& certificate) override {
    last_ = certificate;
    return absl::OkStatus();
  }
  absl::Status AddRevocation(const RevocationRecord&) override { return absl::OkStatus(); }
  absl::Status PutRequest(const RequestRecord&) override { return absl::OkStatus(); }
  absl::Status PutToken(const TokenRecord& token) override {
    token_ = token;
    return absl::OkStatus();
  }
  absl::Status PutIssuer(const IssuerRecord& issuer) override {
    if (issuer.number < issuers_.size()) {
      issuers_[issuer.number] = issuer;
    } else {
      issuers_.push_back(issuer);
    }
    return absl::OkStatus();
  }
  absl::Status AppendLedger(const LedgerNote& note) override {
    const LedgerEntry entry = NextEntry(head_, note);
    head_ = {.sequence = entry.sequence, .hash = entry.hash};
    return absl::OkStatus();
  }

 private:
  std::mutex mutex_;
  std::optional<TokenRecord> token_;
  std::optional<CertificateRecord> last_;
  std::vector<IssuerRecord> issuers_;
  LedgerHead head_;
};

struct Bench {
  Bench() {
    SetLogSink([](const LogEntry&) {}, LogLevel::kWarning);
    std::string name = (std::filesystem::temp_directory_path() / "troth-bench-XXXXXX").string();
    path = mkdtemp(name.data());
    const AuthorityFolder folder(path + "/data");
    AuthoritySpec spec;
    spec.settings = {.trust_domain = "ca.example.org",
                     .dns_names = {"ca.example.org"},
                     .public_url = "http://ca.example.org:8080"};
    if (!CreateAuthority(folder, spec, Clock::System()).ok()) std::abort();
    auto opened = Authority::Open({.folder = folder, .settings = spec.settings},
                                  std::make_unique<LightStore>());
    if (!opened.ok()) std::abort();
    authority = *std::move(opened);
    const absl::StatusOr<NewToken> made = authority->AsOperator("bench")->CreateToken(
        {.any_name = true, .max_uses = std::uint64_t{1} << 40});
    if (!made.ok()) std::abort();
    token = made->text.Reveal();
  }
  ~Bench() {
    authority.reset();
    std::filesystem::remove_all(path);
  }

  std::string path;
  std::unique_ptr<Authority> authority;
  std::string token;
};

std::vector<CertificateRequest> Requests(size_t count, KeyType type) {
  std::vector<CertificateRequest> requests;
  for (size_t i = 0; i < count; ++i) {
    const absl::StatusOr<PrivateKey> key = PrivateKey::Generate(type);
    const std::string name = "host-" + std::to_string(i) + ".web.internal";
    requests.push_back(*CertificateRequest::Create(*key, *DistinguishedName::FromCommonName(name),
                                                   {{AlternativeName::Kind::kDns, name}}));
  }
  return requests;
}

using ContextPtr = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;
using KeyPtr = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

// The floor: nothing but OpenSSL, with everything prepared that can be.
void BM_RawSignAndVerify(benchmark::State& state) {
  const KeyPtr key(EVP_EC_gen("P-256"), &EVP_PKEY_free);
  const std::string message(600, 'x');
  const auto* bytes = reinterpret_cast<const unsigned char*>(message.data());
  for (auto _ : state) {
    unsigned char signature[128];
    size_t length = sizeof(signature);
    const ContextPtr sign(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
    EVP_DigestSignInit(sign.get(), nullptr, EVP_sha256(), nullptr, key.get());
    EVP_DigestSign(sign.get(), signature, &length, bytes, message.size());
    const ContextPtr verify(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
    EVP_DigestVerifyInit(verify.get(), nullptr, EVP_sha256(), nullptr, key.get());
    if (EVP_DigestVerify(verify.get(), signature, length, bytes, message.size()) != 1) std::abort();
  }
}
BENCHMARK(BM_RawSignAndVerify)->Unit(benchmark::kMicrosecond);

// The whole line, PEM in, certificate out.
void BM_EnrolWithToken(benchmark::State& state) {
  Bench bench;
  std::vector<std::string> bodies;
  for (const CertificateRequest& request : Requests(512, static_cast<KeyType>(state.range(0)))) {
    bodies.push_back(request.ToPem());
  }
  const Caller caller{.address = "192.0.2.1:4711", .client = "bench"};
  size_t i = 0;
  std::string body;
  for (auto _ : state) {
    // Never the same twice: text around the block is skipped.
    body = std::to_string(i);
    body += '\n';
    body += bodies[i++ % bodies.size()];
    bench.authority->EnrolWithToken(bench.token, body, {}, caller, [](auto issued) {
      if (!issued.ok()) std::abort();
    });
  }
}
BENCHMARK(BM_EnrolWithToken)
    ->ArgName("key_type")
    ->Arg(static_cast<int>(KeyType::kP256))
    ->Arg(static_cast<int>(KeyType::kRsa2048))
    ->Unit(benchmark::kMicrosecond);

void BM_Renew(benchmark::State& state) {
  Bench bench;
  const std::vector<CertificateRequest> requests = Requests(1, KeyType::kP256);
  std::optional<Certificate> current;
  bench.authority->EnrolWithToken(bench.token, requests[0].der(), {}, {},
                                  [&](auto issued) { current = issued->certificate; });
  for (auto _ : state) {
    bench.authority->Renew(*current, requests[0].der(), {}, {}, [&](auto issued) {
      if (!issued.ok()) std::abort();
      current = issued->certificate;
    });
  }
}
BENCHMARK(BM_Renew)->Unit(benchmark::kMicrosecond);

// The line's parts.
void BM_ReadRequest(benchmark::State& state) {
  const std::string body = Requests(1, KeyType::kP256)[0].ToPem();
  for (auto _ : state) benchmark::DoNotOptimize(ReadRequest(body));
}
BENCHMARK(BM_ReadRequest)->Unit(benchmark::kMicrosecond);

void BM_BuildSignAndCheck(benchmark::State& state) {
  const CertificateRequest request = Requests(1, KeyType::kP256)[0];
  const Profiles profiles = Profiles::BuiltIn();
  const ReservedNames reserved{.trust_domain = "ca.example.org"};
  const Time now = Clock::System().Now();
  absl::StatusOr<PrivateKey> key = PrivateKey::Generate(KeyType::kP256);
  CertificateTemplate ca{.serial = SerialNumber::Generate(now),
                         .subject = *DistinguishedName::FromCommonName("bench"),
                         .validity = {now, now + std::chrono::hours(24 * 365)},
                         .public_key = key->public_key()};
  ca.basic_constraints = BasicConstraints{.is_ca = true};
  const Certificate root = *IssueSelfSigned(ca, *key);
  const Signer signer = *Signer::Create(root, *std::move(key));
  const Asked asked = *AskedOf(request);
  for (auto _ : state) {
    const auto what = BuildTemplate(asked, profiles.standard(), reserved, {}, now);
    const auto issued = Issue(*what, signer);
    if (!CheckAgainstProfile(*issued, asked, profiles.standard(), reserved).ok()) std::abort();
  }
}
BENCHMARK(BM_BuildSignAndCheck)->Unit(benchmark::kMicrosecond);

void BM_ReadCertificate(benchmark::State& state) {
  Bench bench;
  std::string der;
  bench.authority->EnrolWithToken(bench.token, Requests(1, KeyType::kP256)[0].der(), {}, {},
                                  [&](auto issued) { der = issued->certificate.der(); });
  for (auto _ : state) benchmark::DoNotOptimize(Certificate::FromDer(der));
}
BENCHMARK(BM_ReadCertificate)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace troth

BENCHMARK_MAIN();
