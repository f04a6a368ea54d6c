// gRPC credentials that carry a Troth identity and a guard.
//
//   auto identity = troth::IdentitySource::WatchFiles({.certificate = "server.pem", .private_key =
//   "server.key",
//                                                      .trust_bundle = "ca.pem"});
//   auto guard = troth::Guard::Create({.policy_file = "policy.toml"});
//   grpc::ServerBuilder builder;
//   builder.AddListeningPort("0.0.0.0:50051", troth::ServerCredentials(*identity, *guard), &port);
//   ...
//   auto channel = grpc::CreateChannel(target, troth::ChannelCredentials(*identity, {.server =
//   troth::ExpectDnsName("localhost")}));
#pragma once

#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/server_context.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "troth/authz/guard.h"
#include "troth/base/time.h"
#include "troth/identity/identity_source.h"
#include "troth/pki/digest.h"
#include "troth/pki/name.h"

namespace troth {

// When a client's certificate is verified.
enum class Verification {
  kAtHandshake,  // by TLS: a refused client sees a dead connection
  kAtFirstCall,  // TLS proves possession of the key, the guard verifies: a refused client gets
                 // UNAUTHENTICATED with reason and fix
};

struct ServerOptions {
  ClientCertificate client_certificate = ClientCertificate::kRequire;
  Verification verification = Verification::kAtHandshake;
};

// Credentials for ServerBuilder::AddListeningPort. The identity rotates: every new connection gets
// the newest snapshot. Every call is checked by `guard` before a handler runs. Both are kept alive
// by the credentials. With kDontRequest and a policy that lets `anyone` in this is TLS without
// client certificates. Never null: when something is missing (an identity with a certificate, a
// trust bundle to verify clients with) the reason is logged and the server does not start
// (BuildAndStart gives null).
//
// A new snapshot counts from the next connection on; where TLS asks for certificates without
// verifying them (the unverified modes, and kAtFirstCall) within two seconds. In the verified modes
// a replaced identity, policy or CRL also ends TLS session tickets.
std::shared_ptr<grpc::ServerCredentials> ServerCredentials(std::shared_ptr<IdentitySource> identity,
                                                           std::shared_ptr<Guard> guard,
                                                           ServerOptions options = {});

// Whom a client expects to reach. Verified against the trust bundle in every case but a pin.
class ExpectedServer {
 public:
  enum class Kind { kTarget, kDnsName, kSpiffeId, kPinned };
  ExpectedServer() = default;  // the host of the channel's target
  Kind kind() const { return kind_; }
  const std::string& name() const { return name_; }
  const std::vector<Sha256Digest>& pins() const { return pins_; }

 private:
  friend ExpectedServer ExpectDnsName(std::string name);
  friend ExpectedServer ExpectSpiffeId(const SpiffeId& id);
  friend ExpectedServer ExpectPinned(std::vector<Sha256Digest> fingerprints);
  Kind kind_ = Kind::kTarget;
  std::string name_;
  std::vector<Sha256Digest> pins_;
};
ExpectedServer ExpectDnsName(std::string name);     // also an IP address
ExpectedServer ExpectSpiffeId(const SpiffeId& id);  // no DNS name needed
ExpectedServer ExpectPinned(
    std::vector<Sha256Digest> fingerprints);  // exact leaf, also self-signed

struct ChannelOptions {
  ExpectedServer server = {};
  // Files or folders of CRLs (PEM or DER), watched; a server that one of them lists is refused. No
  // server is accepted until every one could be read; one that breaks later keeps its last good
  // lists, and the log says so.
  std::vector<std::string> crl_files = {};
  const Clock* clock = &Clock::System();  // not owned; outlives the channels
};

// Credentials for grpc::CreateChannel. New connections show the newest certificate within two
// seconds of its appearance, and servers are verified against the newest trust bundle at once. An
// identity without a certificate gives TLS without a client certificate; which of the two it is, is
// settled here: later snapshots change the certificate, not whether there is one. Keys stay in
// memory.
//
// A server is verified by Troth in the place of OpenSSL, after the handshake and before any call,
// so that a refusal says in words what was expected and what was shown: calls fail with UNAVAILABLE
// and a message that ends in the reason code ("certificate is for DNS:localhost, expected DNS:db
// [troth:name_mismatch]"), and the log has it too. A server that is refused has by then seen the
// client's certificate (never its key). Never null; when something is missing, every connection
// fails and says what.
std::shared_ptr<grpc::ChannelCredentials> ChannelCredentials(
    std::shared_ptr<IdentitySource> identity, ChannelOptions options = {});

// The caller behind a call, in a handler. Never null; anonymous when it showed no certificate. On a
// port that is not Troth's it is what the caller showed, not verified.
std::shared_ptr<const Peer> PeerOf(const grpc::ServerContextBase& context);

struct ServerLimits {
  int max_concurrent_calls_per_connection = 0;  // more wait at the client; 0: gRPC's default
};
// Sets limits, tells the guard which methods the server has (for lint and for remembering
// decisions; generic services have no names to tell), and makes the server not start
// (connection_not_guarded in the log) when it has a port that this guard does not protect: an
// insecure port beside a guarded one would serve the same methods to everybody. External acceptors
// and in-process channels are not seen. Call once a builder, before BuildAndStart, in any order
// with its other calls.
void GuardServer(grpc::ServerBuilder& builder, std::shared_ptr<Guard> guard,
                 ServerLimits limits = {});

}  // namespace troth
