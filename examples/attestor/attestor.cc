#include "examples/attestor/attestor.h"

#include <utility>

#include "examples/attestor/packet_json.h"
#include "examples/attestor/packet_signature.h"
#include "examples/attestor/refusal.h"
#include "troth/base/file.h"
#include "troth/base/log.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"

namespace attestor {
namespace {

// The first DNS name, in small letters; empty when there is none.
std::string DnsNameOf(const troth::Identity& identity) {
  for (const troth::AlternativeName& name : identity.leaf().alternative_names()) {
    if (name.kind == troth::AlternativeName::Kind::kDns) return troth::ToLowerAscii(name.value);
  }
  return "";
}

absl::StatusOr<troth::PrivateKey> ReadSigningKey(const std::string& path) {
  absl::StatusOr<std::string> pem = troth::ReadFile(path);
  if (!pem.ok()) return troth::WithContext(pem.status(), "signing_key");
  const troth::Secret secret(*std::move(pem));
  absl::StatusOr<troth::PrivateKey> key = troth::PrivateKey::FromPem(secret.Reveal());
  if (!key.ok()) {
    return troth::WithContext(key.status(), "signing_key: " + troth::Printable(path, 400));
  }
  if (const auto version = troth::VersionOf(path);
      version.has_value() && troth::IsOpenToOthers(version->mode)) {
    troth::Log(troth::LogLevel::kWarning, "others can read or write the signing key",
               {{"file", troth::Printable(path, 400)},
                {"fix", "run `chmod 600` on it; make a new key if somebody may have read it"}});
  }
  return key;
}

}  // namespace

Attestor::Attestor(AttestorConfig config, std::function<bool()> give_up,
                   troth::PrivateKey signing_key, std::shared_ptr<troth::IdentitySource> source,
                   std::unique_ptr<troth::HttpClient> client)
    : config_(std::move(config)),
      give_up_(std::move(give_up)),
      signing_key_(std::move(signing_key)),
      source_(std::move(source)),
      client_(std::move(client)) {}

absl::StatusOr<std::unique_ptr<Attestor>> Attestor::Create(AttestorConfig config,
                                                           std::function<bool()> give_up) {
  absl::StatusOr<troth::PrivateKey> signing_key = ReadSigningKey(config.signing_key);
  if (!signing_key.ok()) return signing_key.status();
  auto source = troth::IdentitySource::WatchFiles({.certificate = config.attestor_certificate,
                                                   .private_key = config.attestor_key,
                                                   .trust_bundle = config.ca_certificate});
  if (!source.ok()) return source.status();
  troth::HttpClientOptions options;
  options.identity_source = *source;
  options.user_agent = "attestor";
  options.server_name = config.server_name;
  options.give_up = give_up;
  auto client = troth::HttpClient::Create(std::move(options));
  if (!client.ok()) return client.status();
  std::unique_ptr<Attestor> attestor(new Attestor(std::move(config), std::move(give_up),
                                                  *std::move(signing_key), *std::move(source),
                                                  *std::move(client)));
  if (absl::Status status = attestor->TakeUpIdentity(); !status.ok()) return status;
  return attestor;
}

absl::Status Attestor::TakeUpIdentity() {
  std::shared_ptr<const troth::Identity> now = source_->Current();
  if (now == identity_) return absl::OkStatus();
  if (config_.attestor.empty() && DnsNameOf(*now).empty()) {
    return troth::WithFix(
        troth::MakeError(troth::Reason::kNamesMissing,
                         "attestor_certificate: " + troth::Printable(config_.attestor_certificate) +
                             ": expected a DNS name, by which the db-service knows the attestor; "
                             "got none"),
        "ask for a certificate with one: openssl req ... -addext subjectAltName=DNS:NAME");
  }
  if (identity_ != nullptr) {
    troth::Log(troth::LogLevel::kInfo, "took up a new certificate",
               {{"certificate", now->leaf().Describe()}});
  }
  identity_ = std::move(now);
  return absl::OkStatus();
}

std::string Attestor::name() const {
  return config_.attestor.empty() ? DnsNameOf(*identity_) : config_.attestor;
}

absl::StatusOr<troth::HttpResponse> Attestor::Send(const troth::HttpClientRequest& request) {
  absl::StatusOr<troth::HttpResponse> response = client_->Send(request);
  if (!response.ok()) return response.status();
  if (response->status != 200 && response->status != 201) return RefusalOf(*response);
  return response;
}

absl::StatusOr<std::vector<Packet>> Attestor::Fetch() {
  const absl::StatusOr<troth::HttpResponse> response =
      Send({.url = config_.db_service + "/packets/unconfirmed?not_signed_by=" + name()});
  if (!response.ok()) return response.status();
  return ReadPackets(response->body);
}

absl::StatusOr<bool> Attestor::Sign(const Packet& packet) {
  absl::StatusOr<std::string> signature = SignPacket(packet, signing_key_);
  if (!signature.ok()) return signature.status();
  const std::string id = PacketId(packet);
  const absl::StatusOr<troth::HttpResponse> response =
      Send({.method = "POST",
            .url = config_.db_service + "/packets/" + id + "/signatures",
            .fields = {{"Content-Type", "application/json"}},
            .body = WriteSignature({.attestor = name(), .signature = *std::move(signature)})});
  if (!response.ok()) return response.status();
  if (response->status == 200) return false;
  troth::Log(troth::LogLevel::kInfo, "signed a packet",
             {{"attestor", name()},
              {"source", packet.source},
              {"destination", packet.destination},
              {"sequence", std::to_string(packet.sequence)},
              {"packet", id}});
  return true;
}

absl::StatusOr<int> Attestor::RunOnce() {
  int done = 0;
  bool more = true;
  while (more && !give_up_()) {
    if (absl::Status status = TakeUpIdentity(); !status.ok()) return status;
    const absl::StatusOr<std::vector<Packet>> packets = Fetch();
    if (!packets.ok()) return packets.status();
    // What is signed is not listed again. Until nothing new was signed, for a service that listed
    // it all the same would be asked for ever.
    more = false;
    for (const Packet& packet : *packets) {
      if (give_up_()) return done;
      const absl::StatusOr<bool> is_new = Sign(packet);
      if (!is_new.ok()) return is_new.status();
      if (!*is_new) continue;
      more = true;
      ++done;
    }
  }
  return done;
}

}  // namespace attestor
