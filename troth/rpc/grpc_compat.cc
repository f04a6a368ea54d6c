#include "troth/rpc/grpc_compat.h"

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpcpp/security/auth_metadata_processor.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_certificate_verifier.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <array>
#include <cstring>
#include <exception>
#include <mutex>
#include <utility>

#include "troth/base/log.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/rpc/pem_in_memory.h"
#include "troth/rpc/port_registry.h"
#include "troth/rpc/served_chain.h"

namespace troth::grpc_compat {
namespace {

// The first property of every connection under TLS; its value's address identifies the connection
// while it lives, in the core's auth context as in the C++ one.
constexpr const char* kTransportProperty = GRPC_TRANSPORT_SECURITY_TYPE_PROPERTY_NAME;
constexpr std::string_view kTrue = "true";
constexpr unsigned kSecondsBetweenLooks = 1;

std::string_view ValueOf(const grpc_auth_property& property) {
  return {property.value, property.value_length};
}

// Whether the TLS layer asks for a certificate that it does not verify.
bool AsksWithoutVerifying(ClientCertificate mode, Verification verification) {
  if (mode == ClientCertificate::kDontRequest) return false;
  return !VerifiesPeers(mode) || verification == Verification::kAtFirstCall;
}

grpc_ssl_client_certificate_request_type RequestType(ClientCertificate mode,
                                                     Verification verification) {
  switch (mode) {
    case ClientCertificate::kDontRequest:
      return GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE;
    case ClientCertificate::kRequestUnverified:
      return GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_BUT_DONT_VERIFY;
    case ClientCertificate::kRequireUnverified:
      // At the first call a client without a certificate is told so by the guard.
      return verification == Verification::kAtFirstCall
                 ? GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_BUT_DONT_VERIFY
                 : GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_BUT_DONT_VERIFY;
    case ClientCertificate::kVerifyIfGiven:
      return verification == Verification::kAtFirstCall
                 ? GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_BUT_DONT_VERIFY
                 : GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY;
    case ClientCertificate::kRequire:
      return verification == Verification::kAtFirstCall
                 ? GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_BUT_DONT_VERIFY
                 : GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY;
  }
  return GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY;
}

// Whether `identity` can serve; otherwise why not.
absl::Status CanServe(const Identity& identity, ClientCertificate mode) {
  if (!identity.has_certificate()) {
    return MakeError(Reason::kCertificateMissing,
                     "a server needs a certificate and its key, and the identity has none");
  }
  if (VerifiesPeers(mode) && identity.trust_bundle().empty()) {
    return MakeError(Reason::kConfigurationInvalid,
                     "client certificates are to be verified (mode '" + std::string(NameOf(mode)) +
                         "') and the trust bundle is empty, so that nobody could call; give a "
                         "trust bundle, or choose another mode");
  }
  return absl::OkStatus();
}

// What a connection's auth context says of its peer. The views live as long as it does.
CallFacts FactsOf(const grpc_auth_context* context) {
  CallFacts facts;
  facts.call.connection = context;
  grpc_auth_property_iterator properties = grpc_auth_context_property_iterator(context);
  while (const grpc_auth_property* property = grpc_auth_property_iterator_next(&properties)) {
    // The first letter spares most comparisons, for this runs for every call.
    switch (property->name[0]) {
      case 's':
        if (std::strcmp(property->name, GRPC_SSL_SESSION_REUSED_PROPERTY) == 0) {
          facts.resumed = ValueOf(*property) == kTrue;
        }
        break;
      case 't':
        if (std::strcmp(property->name, kTransportProperty) == 0) {
          facts.call.connection = property->value;
        }
        break;
      case 'x':
        if (std::strcmp(property->name, GRPC_X509_PEM_CERT_PROPERTY_NAME) == 0) {
          facts.call.leaf_pem = ValueOf(*property);
        } else if (std::strcmp(property->name, GRPC_X509_PEM_CERT_CHAIN_PROPERTY_NAME) == 0) {
          facts.call.chain_pem = ValueOf(*property);
        }
        break;
      default:
        break;
    }
  }
  return facts;
}

// What one port's credentials own inside gRPC: the hook for calls and where certificates come from.
// Lives until gRPC drops the credentials, which may be after the C++ object.
class PortHook {
 public:
  explicit PortHook(const std::shared_ptr<GuardedPort>& port)
      : port_(port),
        open_(std::make_shared<OpenPort>(port)),
        id_(PortRegistry::Process().Add(open_)) {}
  PortHook(const PortHook&) = delete;
  PortHook& operator=(const PortHook&) = delete;
  ~PortHook() {
    rotation_.reset();
    PortRegistry::Process().Remove(id_);
  }

  // Null, and an error, when gRPC or the system cannot.
  absl::StatusOr<grpc_server_credentials*> MakeCredentials(Verification verification) {
    const ClientCertificate mode = port_->client_certificate();
    const grpc_ssl_client_certificate_request_type type = RequestType(mode, verification);
    grpc_server_credentials* credentials = nullptr;
    if (AsksWithoutVerifying(mode, verification)) {
      absl::StatusOr<grpc_server_credentials*> made = MakeWatchingCredentials(type);
      if (!made.ok()) return made.status();
      credentials = *made;
    } else {
      credentials = grpc_ssl_server_credentials_create_with_options(
          grpc_ssl_server_credentials_create_options_using_config_fetcher(type, Fetch, this));
    }
    if (credentials == nullptr) {
      return MakeError(Reason::kInternal, "gRPC cannot make TLS credentials");
    }
    return credentials;
  }

  static void Process(void* state, grpc_auth_context* context, const grpc_metadata* metadata,
                      size_t count, grpc_process_auth_metadata_done_cb done, void* user_data) {
    PortHook& hook = *static_cast<PortHook*>(state);
    Verdict verdict;
    try {
      verdict = hook.Check(context, metadata, count);
    } catch (...) {  // the application's clock, sources and log sink run in there
      done(user_data, nullptr, 0, nullptr, 0, GRPC_STATUS_INTERNAL,
           "the call could not be checked [troth:internal]");
      return;
    }
    if (verdict.allowed()) {
      done(user_data, nullptr, 0, nullptr, 0, GRPC_STATUS_OK, nullptr);
      return;
    }
    const auto code = static_cast<grpc_status_code>(InfoOf(verdict.reason()).status);
    done(user_data, nullptr, 0, nullptr, 0, code, verdict.message().c_str());
  }

  static void Destroy(void* state) { delete static_cast<PortHook*>(state); }

 private:
  Verdict Check(const grpc_auth_context* context, const grpc_metadata* metadata, size_t count) {
    CallFacts facts = FactsOf(context);
    GuardedPort::Call& call = facts.call;
    for (size_t i = 0; i < count; ++i) {
      const grpc_slice& key = metadata[i].key;
      if (GRPC_SLICE_LENGTH(key) == 5 && std::memcmp(GRPC_SLICE_START_PTR(key), ":path", 5) == 0) {
        const grpc_slice& value = metadata[i].value;
        call.method = {reinterpret_cast<const char*>(GRPC_SLICE_START_PTR(value)),
                       GRPC_SLICE_LENGTH(value)};
        break;
      }
    }
    PortRegistry::Process().Note(id_, call.connection);
    const std::shared_ptr<const std::string> chain = open_->CompleteChain(call, facts.resumed);
    Verdict verdict = port_->Check(call);
    if (!facts.resumed && !call.chain_pem.empty() && IsKnown(verdict)) RememberChain(call);
    return verdict;
  }

  // Once a connection and thread: addresses of connections are reused, so the leaf counts as well.
  // The last characters of its PEM are of its signature, which no two certificates share.
  void RememberChain(const GuardedPort::Call& call) {
    constexpr size_t kTail = 40;
    constexpr int kSlotBits = 10;
    thread_local std::array<std::uint64_t, size_t{1} << kSlotBits> remembered{};
    std::uint64_t tail = 0;
    if (call.leaf_pem.size() > kTail) {
      std::memcpy(&tail, call.leaf_pem.data() + call.leaf_pem.size() - kTail, sizeof tail);
    }
    const std::uint64_t mark =
        (reinterpret_cast<std::uintptr_t>(call.connection) + (std::uint64_t{id_} << 48)) ^ tail;
    std::uint64_t& slot = remembered[(mark * 0x9e3779b97f4a7c15U) >> (64 - kSlotBits)];
    if (slot == mark) return;
    open_->chains.Remember(call.leaf_pem, call.chain_pem);
    slot = mark;
  }

  // Whether the peer is somebody, though perhaps not one who may make this call.
  static bool IsKnown(const Verdict& verdict) {
    return verdict.allowed() ||
           InfoOf(verdict.reason()).status != absl::StatusCode::kUnauthenticated;
  }

  // Called by gRPC for each new connection, and twice when the port is added.
  static grpc_ssl_certificate_config_reload_status Fetch(
      void* user_data, grpc_ssl_server_certificate_config** config) {
    try {
      return static_cast<PortHook*>(user_data)->FetchNewest(config);
    } catch (...) {  // tried again with the next connection
      return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_FAIL;
    }
  }

  grpc_ssl_certificate_config_reload_status FetchNewest(
      grpc_ssl_server_certificate_config** config) {
    const std::lock_guard lock(mutex_);
    const std::shared_ptr<const Identity> newest = port_->identity()->Current();
    const std::uint64_t generation = port_->guard()->generation();
    if (newest == seen_ && generation == generation_) {
      return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
    }
    const bool same_identity = newest == seen_;
    const absl::Status usable = CanServe(*newest, port_->client_certificate());
    if (!usable.ok()) {
      if (!same_identity) {
        Log(LogLevel::kError, "the newest identity cannot serve, the old one stays in use",
            {{"reason", CodeOf(usable)}, {"error", ToStd(usable.message())}});
      }
      seen_ = newest;
      generation_ = generation;
      return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
    }
    // A new configuration also ends the session tickets that were given out under the old one,
    // which is why a new generation (a revocation, a policy) gets one too.
    const Secret key = newest->private_key().ToPem();
    const std::string chain = ServedChainPem(*newest, Clock::System().Now());
    // gRPC requires CA certificates here. Where none is asked of clients they are not used.
    std::string roots = newest->trust_bundle().ToPem();
    if (roots.empty()) roots = chain;
    grpc_ssl_pem_key_cert_pair pair = {key.Reveal().data(),
                                       chain.c_str()};  // ends in NUL: a string's
    *config = grpc_ssl_server_certificate_config_create(roots.c_str(), &pair, 1);
    seen_ = newest;
    generation_ = generation;
    return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
  }

  absl::StatusOr<grpc_server_credentials*> MakeWatchingCredentials(
      grpc_ssl_client_certificate_request_type type) {
    const std::shared_ptr<const Identity> identity = port_->identity()->Current();
    absl::StatusOr<std::unique_ptr<PemInMemory>> file =
        PemInMemory::Create(KeyAndChain(*identity).Reveal());
    if (!file.ok()) return file.status();
    file_ = *std::move(file);
    rotation_ = port_->identity()->Subscribe([this](std::shared_ptr<const Identity> newest) {
      absl::Status status = CanServe(*newest, port_->client_certificate());
      if (status.ok()) status = file_->Replace(KeyAndChain(*newest).Reveal());
      if (status.ok()) return;
      Log(LogLevel::kError, "the newest identity cannot serve, the old one stays in use",
          {{"reason", CodeOf(status)}, {"error", ToStd(status.message())}});
    });
    // A snapshot that came between reading and subscribing.
    if (const auto newest = port_->identity()->Current();
        newest != identity && CanServe(*newest, port_->client_certificate()).ok()) {
      const absl::Status status = file_->Replace(KeyAndChain(*newest).Reveal());
      if (!status.ok()) return status;
    }

    const char* path = file_->path().c_str();
    grpc_tls_credentials_options* options = grpc_tls_credentials_options_create();
    grpc_tls_certificate_provider* provider = grpc_tls_certificate_provider_file_watcher_create(
        path, path, nullptr, kSecondsBetweenLooks);
    grpc_tls_credentials_options_set_certificate_provider(options, provider);
    grpc_tls_certificate_provider_release(provider);
    grpc_tls_credentials_options_watch_identity_key_cert_pairs(options);
    grpc_tls_credentials_options_set_cert_request_type(options, type);
    // The guard verifies, for every call.
    grpc_tls_certificate_verifier* verifier = grpc_tls_certificate_verifier_no_op_create();
    grpc_tls_credentials_options_set_certificate_verifier(options, verifier);
    grpc_tls_certificate_verifier_release(verifier);
    return grpc_tls_server_credentials_create(options);
  }

  const std::shared_ptr<GuardedPort> port_;
  const std::shared_ptr<OpenPort> open_;
  const PortRegistry::PortId id_;

  std::mutex mutex_;
  std::shared_ptr<const Identity> seen_;  // guarded by mutex_
  std::uint64_t generation_ = 0;          // guarded by mutex_

  std::unique_ptr<PemInMemory> file_;
  Subscription rotation_;
};

void LogRefusedStart(const std::string& address, const absl::Status& why) {
  Log(LogLevel::kError, "the server does not start",
      {{"address", address},
       {"reason", CodeOf(why)},
       {"error", ToStd(why.message())},
       {"fix", InfoOf(ReasonOf(why).value_or(Reason::kInternal)).fix}});
}

class GuardedCredentials final : public grpc::ServerCredentials {
 public:
  GuardedCredentials(std::shared_ptr<GuardedPort> port, Verification verification)
      : port_(std::move(port)), verification_(verification) {}

  void SetAuthMetadataProcessor(
      const std::shared_ptr<grpc::AuthMetadataProcessor>& /*processor*/) override {
    has_foreign_processor_ = true;
  }

  std::shared_ptr<Guard> guard() const { return port_->guard(); }

 private:
  int AddPortToServer(const std::string& address, grpc_server* server) override {
    try {
      const absl::StatusOr<int> port = Add(address, server);
      if (port.ok()) return *port;
      LogRefusedStart(address, port.status());
    } catch (const std::exception& error) {
      LogRefusedStart(address, MakeError(Reason::kInternal, error.what()));
    }
    return 0;
  }

  absl::StatusOr<int> Add(const std::string& address, grpc_server* server) {
    if (has_foreign_processor_) {
      return MakeError(
          Reason::kConfigurationInvalid,
          "SetAuthMetadataProcessor was called on Troth's credentials, where the guard "
          "has its place; check calls in an interceptor or in the handler");
    }
    const absl::Status usable =
        CanServe(*port_->identity()->Current(), port_->client_certificate());
    if (!usable.ok()) return usable;
    // Credentials of their own for each port: gRPC asks for "what is new" by credentials, not by
    // port.
    auto hook = std::make_unique<PortHook>(port_);
    const absl::StatusOr<grpc_server_credentials*> credentials =
        hook->MakeCredentials(verification_);
    if (!credentials.ok()) return credentials.status();
    grpc_server_credentials_set_auth_metadata_processor(
        *credentials, {PortHook::Process, PortHook::Destroy, hook.release()});
    const int port = grpc_server_add_http2_port(server, address.c_str(), *credentials);
    grpc_server_credentials_release(*credentials);
    // With AddExternalConnectionAcceptor connections are handed over and come by no port.
    if (port == 0 && !address.starts_with("external:")) {
      return MakeError(Reason::kConnectionFailed, "cannot listen on " + address +
                                                      "; is the port taken or the address not of "
                                                      "this machine?");
    }
    return port;
  }

  const std::shared_ptr<GuardedPort> port_;
  const Verification verification_;
  bool has_foreign_processor_ = false;
};

class RefusingCredentials final : public grpc::ServerCredentials {
 public:
  explicit RefusingCredentials(absl::Status why) : why_(std::move(why)) {}
  void SetAuthMetadataProcessor(
      const std::shared_ptr<grpc::AuthMetadataProcessor>& /*processor*/) override {}

 private:
  int AddPortToServer(const std::string& address, grpc_server* /*server*/) override {
    LogRefusedStart(address, why_);
    return 0;
  }
  const absl::Status why_;
};

// Gives gRPC's protected list of ports out.
struct BuilderPorts : grpc::ServerBuilder {
  static std::vector<Port> Of(grpc::ServerBuilder& builder) {
    return (builder.*&BuilderPorts::ports)();
  }
};

std::string_view View(const grpc::string_ref& text) { return {text.data(), text.size()}; }

class ServerVerifier final : public grpc::experimental::ExternalCertificateVerifier {
 public:
  explicit ServerVerifier(std::function<absl::Status(const ShownCertificates&)> check)
      : check_(std::move(check)) {}

  bool Verify(grpc::experimental::TlsCustomVerificationCheckRequest* request,
              std::function<void(grpc::Status)> /*callback*/, grpc::Status* result) override {
    *result = Check(*request);
    return true;  // done, nothing is called back
  }
  void Cancel(grpc::experimental::TlsCustomVerificationCheckRequest* /*request*/) override {}

 private:
  grpc::Status Check(const grpc::experimental::TlsCustomVerificationCheckRequest& request) const {
    absl::Status status;
    try {
      status = check_({.leaf_pem = View(request.peer_cert()),
                       .chain_pem = View(request.peer_cert_full_chain()),
                       .target = View(request.target_name())});
    } catch (const std::exception& error) {
      status = MakeError(Reason::kInternal, error.what());
    } catch (...) {
      status = MakeError(Reason::kInternal, "the check of the server failed");
    }
    if (status.ok()) return grpc::Status::OK;
    return {static_cast<grpc::StatusCode>(status.code()),
            std::string(ToStd(status.message())) + " [troth:" + std::string(CodeOf(status)) + "]"};
  }

  const std::function<absl::Status(const ShownCertificates&)> check_;
};

}  // namespace

std::shared_ptr<grpc::ServerCredentials> NewServerCredentials(std::shared_ptr<GuardedPort> port,
                                                              Verification verification) {
  return std::make_shared<GuardedCredentials>(std::move(port), verification);
}

std::shared_ptr<grpc::ServerCredentials> NewRefusingServerCredentials(absl::Status why) {
  return std::make_shared<RefusingCredentials>(std::move(why));
}

std::shared_ptr<Guard> GuardOf(const grpc::ServerCredentials& credentials) {
  const auto* guarded = dynamic_cast<const GuardedCredentials*>(&credentials);
  return guarded == nullptr ? nullptr : guarded->guard();
}

std::vector<ListeningPort> PortsOf(grpc::ServerBuilder& builder) {
  std::vector<ListeningPort> ports;
  for (const auto& port : BuilderPorts::Of(builder)) {
    ports.push_back({.address = port.addr, .credentials = port.creds});
  }
  return ports;
}

CallFacts FactsOf(const grpc::AuthContext& auth) {
  const auto first = [&](const char* name) -> std::string_view {
    const std::vector<grpc::string_ref> values = auth.FindPropertyValues(name);
    return values.empty() ? std::string_view() : View(values.front());
  };
  CallFacts facts;
  facts.call.connection = first(kTransportProperty).data();
  facts.call.leaf_pem = first(GRPC_X509_PEM_CERT_PROPERTY_NAME);
  facts.call.chain_pem = first(GRPC_X509_PEM_CERT_CHAIN_PROPERTY_NAME);
  facts.resumed = first(GRPC_SSL_SESSION_REUSED_PROPERTY) == kTrue;
  return facts;
}

std::shared_ptr<grpc::ChannelCredentials> NewChannelCredentials(
    const std::string& key_and_chain, std::function<absl::Status(const ShownCertificates&)> check) {
  using namespace grpc::experimental;  // NOLINT(google-build-using-namespace)
  TlsChannelCredentialsOptions options;
  options.set_verify_server_certs(false);
  options.set_check_call_host(false);
  options.set_certificate_verifier(
      ExternalCertificateVerifier::Create<ServerVerifier>(std::move(check)));
  if (!key_and_chain.empty()) {
    // As its roots gRPC reads the certificates of the same file: it would load the system's
    // otherwise, though it uses none.
    options.set_certificate_provider(std::make_shared<FileWatcherCertificateProvider>(
        key_and_chain, key_and_chain, key_and_chain, kSecondsBetweenLooks));
    options.watch_identity_key_cert_pairs();
    options.watch_root_certs();
  }
  return TlsCredentials(options);
}

}  // namespace troth::grpc_compat
