#include "examples/bridge/demo/callers.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/support/channel_arguments.h>

#include <stdexcept>
#include <utility>

#include "troth/base/file.h"
#include "troth/base/strings.h"
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

std::string MustRead(const std::string& path) { return Must(troth::ReadFile(path)); }

troth::Signer LoadAuthority(const std::string& folder) {
  return Must(
      troth::Signer::Create(Must(troth::Certificate::FromPem(MustRead(folder + "/ca/ca.pem"))),
                            Must(troth::PrivateKey::FromPem(MustRead(folder + "/ca/ca.key")))));
}

}  // namespace

CallerFactory::CallerFactory(std::string folder)
    : folder_(std::move(folder)),
      trust_bundle_pem_(MustRead(folder_ + "/ca/ca.pem")),
      authority_(LoadAuthority(folder_)) {}

Caller CallerFactory::FromTree(const std::string& name, const std::string& entity) const {
  const std::string stem = folder_ + "/" + entity + "/" + entity;
  return {name, Must(troth::IdentitySource::WatchFiles({.certificate = stem + ".pem",
                                                        .private_key = stem + ".key",
                                                        .trust_bundle = folder_ + "/ca/ca.pem"}))};
}

Caller CallerFactory::WithoutCertificate() const {
  return {"no certificate",
          troth::MemoryIdentitySource::Create(Must(troth::Identity::Create(
              {.trust_bundle_pem = trust_bundle_pem_}, troth::Clock::System().Now())))};
}

Caller CallerFactory::Make(const std::string& name, const std::string& common_name,
                           const troth::Signer* signer, troth::Validity validity) const {
  const troth::PrivateKey key = Must(troth::PrivateKey::Generate(troth::KeyType::kP256));
  const troth::CertificateTemplate what = {
      .serial = troth::SerialNumber::Generate(troth::Clock::System().Now()),
      .subject = Must(troth::DistinguishedName::FromCommonName(common_name)),
      .validity = validity,
      .public_key = key.public_key(),
      .alternative_names = {Must(troth::AlternativeName::Parse("dns:" + common_name))},
      .extended_key_usage = {std::string(troth::kClientAuthOid)}};
  const troth::Certificate certificate =
      Must(signer != nullptr ? troth::Issue(what, *signer) : troth::IssueSelfSigned(what, key));
  // The caller believes in its certificate, however bad it is: what counts is what the server makes
  // of it.
  const auto identity = Must(troth::Identity::Create({.certificate_pem = certificate.ToPem(),
                                                      .private_key_pem = key.ToPem().Reveal(),
                                                      .trust_bundle_pem = trust_bundle_pem_,
                                                      .allow_untrusted_chain = true},
                                                     validity.not_before));
  return {name, troth::MemoryIdentitySource::Create(identity)};
}

Caller CallerFactory::SelfSigned() const {
  const troth::Time now = troth::Clock::System().Now();
  return Make("self-signed", "aggregator", nullptr, {now - minutes(5), now + hours(24)});
}

Caller CallerFactory::OfForeignCa() const {
  const troth::Time now = troth::Clock::System().Now();
  const troth::Validity validity = {now - minutes(5), now + hours(24)};
  troth::PrivateKey key = Must(troth::PrivateKey::Generate(troth::KeyType::kP256));
  const troth::CertificateTemplate root = {
      .serial = troth::SerialNumber::Generate(now),
      .subject = Must(troth::DistinguishedName::FromCommonName("some other CA")),
      .validity = validity,
      .public_key = key.public_key(),
      .basic_constraints = troth::BasicConstraints{.is_ca = true}};
  troth::Certificate certificate = Must(troth::IssueSelfSigned(root, key));
  const troth::Signer foreign = Must(troth::Signer::Create(std::move(certificate), std::move(key)));
  return Make("foreign CA", "aggregator", &foreign, validity);
}

Caller CallerFactory::Expired() const {
  const troth::Time begin = authority_.certificate().validity().not_before;
  return Make("expired", "auditor", &authority_, {begin, begin + minutes(1)});
}

Caller CallerFactory::Issued(const std::string& name, const std::string& common_name,
                             troth::Seconds lifetime) const {
  const troth::Time now = troth::Clock::System().Now();
  return Make(name, common_name, &authority_,
              {authority_.certificate().validity().not_before, now + lifetime});
}

void CallerFactory::Revoke(const Caller& caller, const std::string& path) const {
  const troth::Time now = troth::Clock::System().Now();
  const troth::Crl crl = Must(
      troth::IssueCrl({.this_update = now - minutes(5),
                       .next_update = now + hours(24),
                       .entries = {{.serial = caller.identity->Current()->leaf().serial_number(),
                                    .revoked_at = now}}},
                      authority_));
  const absl::Status written =
      troth::WriteFile(path, crl.ToPem(), {.overwrite = troth::Overwrite::kReplace});
  if (!written.ok()) throw std::runtime_error(std::string(troth::ToStd(written.message())));
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
