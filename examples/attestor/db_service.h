// What the db-service answers.
//
//   POST /packets                     {"source", "destination", "sequence", "message"}: 201; 200
//                                     when it was there already
//   GET  /packets/unconfirmed         {"packets": [...]}, the oldest first, 100 at most;
//        /packets/confirmed           ?not_signed_by=NAME leaves out those that NAME has signed,
//                                     ?after=ID all up to the packet ID
//   GET  /packets/{id}                the packet, with its signatures
//   POST /packets/{id}/signatures     {"attestor", "signature"}: 201; 200 when that attestor has
//                                     signed it already
//
// Refusals are problem documents (RFC 9457) with a reason.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "examples/attestor/db_service_config.h"
#include "examples/attestor/packet_store.h"
#include "troth/http/message.h"

namespace attestor {

// No request's body is larger.
inline constexpr size_t kMaxBodyBytes = size_t{16} << 10;

// Who may call what is for nginx and its policy; what depends on who the caller is, is decided
// here: an attestor signs as itself only, and its signature has to verify with its key. One thread
// at a time.
class DbService {
 public:
  // Opens the database. On packets that wait, signatures of who is no attestor any more, or made
  // with another key than its present one, are dropped. Errors: store_failed.
  static absl::StatusOr<std::unique_ptr<DbService>> Open(DbServiceConfig config);
  // It came through nginx: its Troth-Client-Names are believed.
  troth::HttpResponse Answer(const troth::HttpRequest& request);

 private:
  DbService(std::unique_ptr<PacketStore> store, AttestorKeys attestors);
  absl::StatusOr<troth::HttpResponse> Route(const troth::HttpRequest& request);
  absl::StatusOr<troth::HttpResponse> AddPacket(const troth::HttpRequest& request);
  absl::StatusOr<troth::HttpResponse> List(const troth::HttpRequest& request, bool confirmed);
  absl::StatusOr<troth::HttpResponse> AddSignature(const troth::HttpRequest& request,
                                                   const std::string& id);
  absl::StatusOr<troth::HttpResponse> Show(const std::string& id, int status);

  const std::unique_ptr<PacketStore> store_;
  const AttestorKeys attestors_;
};

// Answers on a thread of its own, for the disk has to be waited for and HTTP's threads must not.
troth::HttpHandler DbServiceHandler(std::unique_ptr<DbService> service);

}  // namespace attestor
