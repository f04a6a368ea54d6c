#include "examples/attestor/db_service.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "examples/attestor/client_names.h"
#include "examples/attestor/packet_json.h"
#include "examples/attestor/packet_signature.h"
#include "troth/base/encoding.h"
#include "troth/base/log.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/http/method_not_allowed.h"
#include "troth/server/json/body.h"
#include "troth/server/json/route.h"
#include "troth/server/json/work_queue.h"

namespace attestor {
namespace {

using troth::HttpRequest;
using troth::HttpResponse;
using troth::MakeError;
using troth::Printable;
using troth::Reason;

constexpr std::string_view kPacketPath = "/packets/{id}";
constexpr std::string_view kSignaturesPath = "/packets/{id}/signatures";
// More requests than nginx's workers have connections wait for nobody.
constexpr size_t kMaxWaiting = 1000;

HttpResponse Json(int status, std::string body) {
  return {
      .status = status, .fields = {{"Content-Type", "application/json"}}, .body = std::move(body)};
}

absl::Status NoSuchPacket(std::string_view id) {
  return MakeError(Reason::kPathUnknown, "there is no packet " + Printable(id, 64) +
                                             "; GET /packets/unconfirmed lists those that wait");
}

// An attestor signs with its own name, and with nobody else's: its certificate says which those
// are.
absl::Status CheckOwnName(const HttpRequest& request, const std::string& attestor) {
  const absl::StatusOr<std::vector<std::string>> names = ClientDnsNames(request);
  if (!names.ok()) return names.status();
  if (std::ranges::find(*names, attestor) != names->end()) return absl::OkStatus();
  return troth::WithFix(
      MakeError(Reason::kNameNotPermitted,
                "expected a signature of " +
                    (names->empty() ? std::string("nobody, for the certificate has no DNS name")
                                    : Printable(troth::Join(*names, " or "))) +
                    ", got one as " + Printable(attestor) +
                    ": an attestor signs only as itself, by the name of its certificate"),
      "post with the certificate of the attestor that signed");
}

}  // namespace

DbService::DbService(std::unique_ptr<PacketStore> store, AttestorKeys attestors)
    : store_(std::move(store)), attestors_(std::move(attestors)) {}

absl::StatusOr<std::unique_ptr<DbService>> DbService::Open(DbServiceConfig config) {
  const auto counts = [&](const Packet& packet, const PacketSignature& signature) {
    const auto key = config.attestors.find(signature.attestor);
    return key != config.attestors.end() &&
           VerifyPacket(packet, signature.signature, key->second).ok();
  };
  auto store = PacketStore::Open(config.database, config.threshold, counts);
  if (!store.ok()) return store.status();
  return std::unique_ptr<DbService>(new DbService(*std::move(store), std::move(config.attestors)));
}

HttpResponse DbService::Answer(const HttpRequest& request) {
  absl::StatusOr<HttpResponse> response = Route(request);
  if (response.ok()) return *std::move(response);
  troth::Log(troth::LogLevel::kWarning, "request refused",
             {{"method", request.method},
              {"path", Printable(request.path)},
              {"client", Printable(request.Field("Troth-Client-Names").value_or(""))},
              {"reason", troth::CodeOf(response.status())},
              {"message", troth::ToStd(response.status().message())}});
  return troth::ProblemResponse(response.status());
}

absl::StatusOr<HttpResponse> DbService::Route(const HttpRequest& request) {
  const bool get = request.method == "GET";
  const bool post = request.method == "POST";
  if (request.path == "/packets") {
    return post ? AddPacket(request) : troth::MethodNotAllowed(request, "POST");
  }
  for (const bool confirmed : {false, true}) {
    if (request.path != (confirmed ? "/packets/confirmed" : "/packets/unconfirmed")) continue;
    return get ? List(request, confirmed) : troth::MethodNotAllowed(request, "GET");
  }
  if (const auto id = troth::json::MatchPath(kPacketPath, request.path)) {
    return get ? Show(std::string(*id), 200) : troth::MethodNotAllowed(request, "GET");
  }
  if (const auto id = troth::json::MatchPath(kSignaturesPath, request.path)) {
    return post ? AddSignature(request, std::string(*id))
                : troth::MethodNotAllowed(request, "POST");
  }
  return MakeError(Reason::kPathUnknown,
                   "expected /packets, /packets/unconfirmed, /packets/confirmed, /packets/ID or "
                   "/packets/ID/signatures, got " +
                       Printable(request.path));
}

absl::StatusOr<HttpResponse> DbService::AddPacket(const HttpRequest& request) {
  Packet packet;
  absl::Status read =
      troth::json::ReadObject(request.body, {{"source", &packet.source, true},
                                             {"destination", &packet.destination, true},
                                             {"sequence", &packet.sequence, true},
                                             {"message", &packet.message, true}});
  if (!read.ok()) return read;
  if (absl::Status status = CheckPacket(packet); !status.ok()) return status;
  const absl::StatusOr<Added> added = store_->AddPacket(packet);
  if (!added.ok()) return added.status();
  return Show(PacketId(packet), *added == Added::kNew ? 201 : 200);
}

absl::StatusOr<HttpResponse> DbService::List(const HttpRequest& request, bool confirmed) {
  const auto names = troth::QueryValues(request.query, "not_signed_by");
  const auto after = troth::QueryValues(request.query, "after");
  if (!names.has_value() || names->size() > 1 || !after.has_value() || after->size() > 1) {
    return MakeError(Reason::kParameterInvalid,
                     "expected ?not_signed_by=NAME and ?after=ID at most once each, got " +
                         Printable(request.query));
  }
  PacketQuery query{.confirmed = confirmed, .not_signed_by = {}, .after = {}};
  if (!names->empty()) query.not_signed_by = troth::ToLowerAscii(names->front());
  if (!after->empty()) {
    query.after = after->front();
    const absl::StatusOr<std::optional<StoredPacket>> there = store_->Find(query.after);
    if (!there.ok()) return there.status();
    if (!there->has_value()) return NoSuchPacket(query.after);
  }
  const absl::StatusOr<std::vector<Packet>> packets = store_->List(query);
  if (!packets.ok()) return packets.status();
  return Json(200, WritePackets(*packets));
}

absl::StatusOr<HttpResponse> DbService::AddSignature(const HttpRequest& request,
                                                     const std::string& id) {
  std::string name;
  std::string base64;
  absl::Status read = troth::json::ReadObject(
      request.body, {{"attestor", &name, true}, {"signature", &base64, true}});
  if (!read.ok()) return read;
  name = troth::ToLowerAscii(name);
  if (absl::Status own = CheckOwnName(request, name); !own.ok()) return own;
  const auto key = attestors_.find(name);
  if (key == attestors_.end()) {
    return troth::WithFix(
        MakeError(Reason::kRoleNotAllowed,
                  "expected one of the attestors whose signing keys are known, "
                  "got " +
                      Printable(name)),
        "add its public key to [attestors] of the db-service, and start it again");
  }
  const std::optional<std::string> signature = troth::FromBase64(base64);
  if (!signature.has_value()) {
    return MakeError(Reason::kParameterInvalid, "\"signature\": expected base64 with padding");
  }
  const absl::StatusOr<std::optional<StoredPacket>> stored = store_->Find(id);
  if (!stored.ok()) return stored.status();
  if (!stored->has_value()) return NoSuchPacket(id);
  if (!VerifyPacket((*stored)->packet, *signature, key->second).ok()) {
    return MakeError(Reason::kParameterInvalid,
                     "\"signature\": expected one over this packet by the signing key of " +
                         Printable(name) + ", got one that does not verify");
  }
  const absl::StatusOr<Added> added =
      store_->AddSignature(id, {.attestor = name, .signature = *signature});
  if (!added.ok()) return added.status();
  if (*added == Added::kNew) {
    troth::Log(troth::LogLevel::kInfo, "signature stored", {{"attestor", name}, {"packet", id}});
  }
  return Show(id, *added == Added::kNew ? 201 : 200);
}

absl::StatusOr<HttpResponse> DbService::Show(const std::string& id, int status) {
  const absl::StatusOr<std::optional<StoredPacket>> stored = store_->Find(id);
  if (!stored.ok()) return stored.status();
  if (!stored->has_value()) return NoSuchPacket(id);
  return Json(status, WriteStoredPacket(**stored));
}

troth::HttpHandler DbServiceHandler(std::unique_ptr<DbService> service) {
  struct Shared {
    std::unique_ptr<DbService> service;
    // After the service: its thread ends first.
    troth::json::WorkQueue queue{kMaxWaiting};
  };
  auto shared = std::make_shared<Shared>();
  shared->service = std::move(service);
  return [shared](std::shared_ptr<const HttpRequest> request, const troth::HttpRespond& respond) {
    const bool queued = shared->queue.Add([service = shared->service.get(), request, respond] {
      respond(service->Answer(*request));
    });
    if (queued) return;
    respond(troth::ProblemResponse(MakeError(
        Reason::kTooManyRequests, "too many requests wait for the database; try again later")));
  };
}

}  // namespace attestor
