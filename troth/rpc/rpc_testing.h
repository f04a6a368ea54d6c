// For tests: an authority with its certificates, a service with a method of each kind, servers and
// clients with them.
#pragma once

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "troth/authz/guard.h"
#include "troth/base/log.h"
#include "troth/base/strings.h"
#include "troth/identity/identity_source.h"
#include "troth/pki/certificate.h"
#include "troth/pki/crl.h"
#include "troth/pki/issue.h"
#include "troth/pki/key.h"
#include "troth/rpc/call_status.h"
#include "troth/rpc/credentials.h"
#include "troth/rpc/rpc_testing.grpc.pb.h"
#include "troth/rpc/rpc_testing.pb.h"

namespace troth::testing {

using std::chrono::hours;

// The value of `result`, or the test ends.
template <typename T>
T Must(absl::StatusOr<T> result) {
  if (!result.ok()) {
    ADD_FAILURE() << result.status();
    std::abort();
  }
  return *std::move(result);
}

// The machine's time, moved by what the test says.
class MovedClock final : public Clock {
 public:
  Time Now() const override { return Clock::System().Now() + Seconds(moved_.load()); }
  void Move(Seconds by) { moved_ += by.count(); }

 private:
  std::atomic<std::int64_t> moved_ = 0;
};

// A certificate with its key.
struct KeyPair {
  Certificate certificate;
  std::string key_pem;
  std::string chain_pem;  // the certificate and its intermediates
};

struct LeafNames {
  std::string common_name;
  std::vector<std::string> names;  // as AlternativeName::Parse reads them
  Seconds lifetime = hours(24);
};

inline std::vector<AlternativeName> ParseNames(const std::vector<std::string>& texts) {
  std::vector<AlternativeName> names;
  for (const std::string& text : texts) names.push_back(Must(AlternativeName::Parse(text)));
  return names;
}

inline CertificateTemplate LeafTemplate(const LeafNames& what, const PublicKey& key) {
  const Time now = Clock::System().Now();
  return {.serial = SerialNumber::Generate(now),
          .subject = Must(DistinguishedName::FromCommonName(what.common_name)),
          .validity = {.not_before = now - hours(1), .not_after = now + what.lifetime},
          .public_key = key,
          .alternative_names = ParseNames(what.names),
          .extended_key_usage = {std::string(kServerAuthOid), std::string(kClientAuthOid)}};
}

class TestAuthority {
 public:
  explicit TestAuthority(const std::string& name)
      : TestAuthority(name, Must(PrivateKey::Generate(KeyType::kP256)), nullptr) {}
  // An authority below `parent`.
  TestAuthority(const std::string& name, const TestAuthority& parent)
      : TestAuthority(name, Must(PrivateKey::Generate(KeyType::kP256)), &parent) {}

  std::string Pem() const { return signer_->certificate().ToPem(); }
  const Signer& signer() const { return *signer_; }

  KeyPair Issue(const LeafNames& what) const {
    const PrivateKey key = Must(PrivateKey::Generate(KeyType::kP256));
    Certificate leaf = Must(troth::Issue(LeafTemplate(what, key.public_key()), *signer_));
    std::string chain = leaf.ToPem() + (is_root_ ? "" : Pem());
    return {std::move(leaf), std::string(key.ToPem().Reveal()), std::move(chain)};
  }

 private:
  TestAuthority(const std::string& name, PrivateKey key, const TestAuthority* parent)
      : is_root_(parent == nullptr) {
    CertificateTemplate what = LeafTemplate({.common_name = name}, key.public_key());
    what.validity.not_after = what.validity.not_before + hours(24 * 365);
    what.basic_constraints = BasicConstraints{.is_ca = true};
    what.extended_key_usage.clear();
    Certificate certificate =
        Must(is_root_ ? IssueSelfSigned(what, key) : troth::Issue(what, parent->signer()));
    signer_.emplace(Must(Signer::Create(std::move(certificate), std::move(key))));
  }
  bool is_root_;
  std::optional<Signer> signer_;
};

inline KeyPair SelfSigned(const LeafNames& what) {
  const PrivateKey key = Must(PrivateKey::Generate(KeyType::kP256));
  Certificate leaf = Must(IssueSelfSigned(LeafTemplate(what, key.public_key()), key));
  std::string pem = leaf.ToPem();
  return {std::move(leaf), std::string(key.ToPem().Reveal()), std::move(pem)};
}

inline std::shared_ptr<const Identity> IdentityOf(const KeyPair& pair, const std::string& bundle) {
  return Must(Identity::Create({.certificate_pem = pair.chain_pem,
                                .private_key_pem = pair.key_pem,
                                .trust_bundle_pem = bundle,
                                .allow_untrusted_chain = true},
                               Clock::System().Now()));
}
inline std::shared_ptr<const Identity> TrustOnly(const std::string& bundle) {
  return Must(Identity::Create({.trust_bundle_pem = bundle}, Clock::System().Now()));
}
inline std::shared_ptr<MemoryIdentitySource> SourceOf(const KeyPair& pair,
                                                      const std::string& bundle) {
  return MemoryIdentitySource::Create(IdentityOf(pair, bundle));
}

// Everybody with a verified certificate may call everything.
inline constexpr std::string_view kAuthenticatedMayAll =
    "[[rules]]\nmethods = [\"/*\"]\nallow = [\"authenticated\"]\n";
inline constexpr std::string_view kAnyoneMayAll =
    "[[rules]]\nmethods = [\"/*\"]\nallow = [\"anyone\"]\n";

inline std::shared_ptr<Guard> GuardOf(std::string_view policy,
                                      const Clock& clock = Clock::System()) {
  GuardOptions options;
  options.policy_text = policy;
  options.clock = &clock;
  return Must(Guard::Create(std::move(options)));
}

// Answers "NAME of the caller" to Say, and echoes elsewhere.
class TalkService final : public Talk::Service {
 public:
  grpc::Status Say(grpc::ServerContext* context, const Text* /*request*/, Text* reply) override {
    ++calls;
    const std::shared_ptr<const Peer> peer = PeerOf(*context);
    reply->set_text(peer->Describe());
    const std::lock_guard lock(mutex);
    last_peer = peer;
    return grpc::Status::OK;
  }
  grpc::Status Listen(grpc::ServerContext* /*context*/, const Text* request,
                      grpc::ServerWriter<Text>* out) override {
    ++calls;
    for (int i = 0; i < 3; ++i) out->Write(*request);
    return grpc::Status::OK;
  }
  grpc::Status Tell(grpc::ServerContext* /*context*/, grpc::ServerReader<Text>* in,
                    Text* reply) override {
    ++calls;
    for (Text text; in->Read(&text);) reply->set_text(reply->text() + text.text());
    return grpc::Status::OK;
  }
  grpc::Status Chat(grpc::ServerContext* /*context*/,
                    grpc::ServerReaderWriter<Text, Text>* stream) override {
    ++calls;
    for (Text text; stream->Read(&text);) stream->Write(text);
    return grpc::Status::OK;
  }

  std::atomic<int> calls = 0;
  std::mutex mutex;
  std::shared_ptr<const Peer> last_peer;  // guarded by mutex
};

// A running server on a free port of 127.0.0.1.
class TestServer {
 public:
  explicit TestServer(std::shared_ptr<grpc::ServerCredentials> credentials,
                      const std::function<void(grpc::ServerBuilder&)>& more = {}) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", std::move(credentials), &port_);
    builder.RegisterService(&service);
    if (more) more(builder);
    server_ = builder.BuildAndStart();
  }
  ~TestServer() {
    if (server_ != nullptr) server_->Shutdown(std::chrono::system_clock::now());
  }
  bool started() const { return server_ != nullptr; }
  std::string target() const { return "127.0.0.1:" + std::to_string(port_); }
  int port() const { return port_; }

  TalkService service;

 private:
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

// A channel that shares no connection with another.
inline std::shared_ptr<grpc::Channel> Connect(
    const std::string& target, const std::shared_ptr<grpc::ChannelCredentials>& credentials) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 50);
  return grpc::CreateCustomChannel(target, credentials, arguments);
}

struct Answer {
  absl::Status status;  // with its reason
  grpc::Status raw;
  std::string text;
};

inline Answer Say(const std::shared_ptr<grpc::Channel>& channel) {
  const auto stub = Talk::NewStub(channel);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
  Text request;
  Text reply;
  request.set_text("hello");
  const grpc::Status status = stub->Say(&context, request, &reply);
  return {.status = StatusOfCall(status), .raw = status, .text = reply.text()};
}

// "ok", or the reason code of a refusal, or "unavailable", "cancelled" ... without a reason.
inline std::string CodeOfAnswer(const absl::Status& status) {
  if (status.ok()) return "ok";
  if (const auto reason = ReasonOf(status)) return std::string(CodeOf(*reason));
  return ToLowerAscii(absl::StatusCodeToString(status.code()));
}

// Waits until `condition` holds, or fails the test after `limit`.
template <typename Condition>
bool Eventually(Condition condition, std::chrono::milliseconds limit = std::chrono::seconds(10)) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

// Collects the log while it lives.
class LogCapture {
 public:
  LogCapture() {
    SetLogSink([this](const LogEntry& entry) {
      const std::lock_guard lock(mutex_);
      lines_ += FormatLogEntry(entry) + "\n";
    });
  }
  ~LogCapture() { SetLogSink({}); }
  std::string text() const {
    const std::lock_guard lock(mutex_);
    return lines_;
  }
  bool Has(std::string_view part) const { return text().find(part) != std::string::npos; }

 private:
  mutable std::mutex mutex_;
  std::string lines_;  // guarded by mutex_
};

}  // namespace troth::testing
