#include "examples/bridge/demo/callers.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/support/channel_arguments.h>

#include <stdexcept>
#include <utility>

#include "troth/base/strings.h"
#include "troth/enroll/enroll_wait.h"
#include "troth/enroll/enrolled_identity_source.h"
#include "troth/rpc/credentials.h"

namespace bridge {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

template <typename T>
T Must(absl::StatusOr<T> value) {
  if (!value.ok()) throw std::runtime_error(std::string(troth::ToStd(value.status().message())));
  return *std::move(value);
}

troth::Time Now() { return troth::Clock::System().Now(); }

}  // namespace

CallerFactory::CallerFactory(std::string authority, std::string root_pem)
    : authority_(std::move(authority)), root_pem_(std::move(root_pem)) {}

Caller CallerFactory::FromFile(const std::string& name, const std::string& file,
                               const std::string& trust_bundle) const {
  return {name, Must(troth::IdentitySource::WatchFiles(
                    {.certificate = file, .private_key = file, .trust_bundle = trust_bundle}))};
}

Caller CallerFactory::Enrolled(const std::string& name, const std::string& client_id,
                               troth::Secret token) const {
  auto identity = troth::EnrolledIdentitySource::Start(OptionsFor(client_id, std::move(token)));
  return {name, Must(std::move(identity))};
}

Caller CallerFactory::Brief(const std::string& name, const std::string& client_id,
                            troth::Secret token) const {
  const auto enroller = Must(troth::Enroller::Create(OptionsFor(client_id, std::move(token))));
  Must(troth::EnrollAndWait(*enroller, {}));
  const troth::EnrolledIdentity enrolled = Must(enroller->identity());
  return {name, troth::MemoryIdentitySource::Create(Must(
                    troth::Identity::Create({.certificate_pem = enrolled.chain_pem,
                                             .private_key_pem = enrolled.private_key_pem.Reveal(),
                                             .trust_bundle_pem = enrolled.trust_bundle_pem},
                                            Now())))};
}

troth::EnrollOptions CallerFactory::OptionsFor(const std::string& client_id,
                                               troth::Secret token) const {
  troth::EnrollOptions options;
  options.server = authority_;
  options.client_id = client_id;
  options.token = std::move(token);
  return options;
}

Caller CallerFactory::WithoutCertificate() const {
  return {"none", troth::MemoryIdentitySource::Create(
                      Must(troth::Identity::Create({.trust_bundle_pem = root_pem_}, Now())))};
}

Caller CallerFactory::Make(const std::string& name, const troth::Signer* signer) const {
  const troth::PrivateKey key = Must(troth::PrivateKey::Generate(troth::KeyType::kP256));
  const troth::CertificateTemplate what = {
      .serial = troth::SerialNumber::Generate(Now()),
      .subject = Must(troth::DistinguishedName::FromCommonName("aggregator")),
      .validity = {Now() - minutes(5), Now() + hours(24)},
      .public_key = key.public_key(),
      .alternative_names = {Must(
          troth::AlternativeName::Parse("uri:spiffe://bridge.internal/aggregator"))},
      .extended_key_usage = {std::string(troth::kClientAuthOid)}};
  const troth::Certificate certificate =
      Must(signer != nullptr ? troth::Issue(what, *signer) : troth::IssueSelfSigned(what, key));
  // The caller believes in its certificate, however bad it is: what counts is what the server makes
  // of it.
  const auto identity = Must(troth::Identity::Create({.certificate_pem = certificate.ToPem(),
                                                      .private_key_pem = key.ToPem().Reveal(),
                                                      .trust_bundle_pem = root_pem_,
                                                      .allow_untrusted_chain = true},
                                                     Now()));
  return {name, troth::MemoryIdentitySource::Create(identity)};
}

Caller CallerFactory::SelfSigned() const { return Make("self-signed", nullptr); }

Caller CallerFactory::OfForeignCa() const {
  troth::PrivateKey key = Must(troth::PrivateKey::Generate(troth::KeyType::kP256));
  const troth::CertificateTemplate root = {
      .serial = troth::SerialNumber::Generate(Now()),
      .subject = Must(troth::DistinguishedName::FromCommonName("some other CA")),
      .validity = {Now() - minutes(5), Now() + hours(24)},
      .public_key = key.public_key(),
      .basic_constraints = troth::BasicConstraints{.is_ca = true}};
  troth::Certificate certificate = Must(troth::IssueSelfSigned(root, key));
  const troth::Signer foreign = Must(troth::Signer::Create(std::move(certificate), std::move(key)));
  return Make("foreign CA", &foreign);
}

std::shared_ptr<grpc::Channel> Connect(const std::string& endpoint, const Caller& caller) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(
      endpoint,
      troth::ChannelCredentials(caller.identity, {.server = troth::ExpectDnsName("localhost")}),
      arguments);
}

}  // namespace bridge
