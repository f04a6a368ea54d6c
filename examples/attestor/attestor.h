// An attestor: fetches packets that are not confirmed yet, signs them, and posts the signatures.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "examples/attestor/attestor_config.h"
#include "examples/attestor/packet.h"
#include "troth/http/client.h"
#include "troth/identity/identity_source.h"
#include "troth/pki/key.h"

namespace attestor {

// One thread at a time.
class Attestor {
 public:
  // Reads the files; certificate, key and CA are watched from then on, and the next round uses what
  // is there then. `give_up` as in HttpClientOptions. Errors name the file, or the key of the
  // configuration that it stands for.
  static absl::StatusOr<std::unique_ptr<Attestor>> Create(AttestorConfig config,
                                                          std::function<bool()> give_up);

  // Signs all that waits for this attestor, and returns how many that were. Errors: those of
  // HttpClient, RefusalOf, ReadPackets; what was signed until then is posted.
  absl::StatusOr<int> RunOnce();
  // As whom it signs now.
  std::string name() const;

 private:
  Attestor(AttestorConfig config, std::function<bool()> give_up, troth::PrivateKey signing_key,
           std::shared_ptr<troth::IdentitySource> source,
           std::unique_ptr<troth::HttpClient> client);

  // Looks what the files say now, and by which name that is to sign.
  absl::Status TakeUpIdentity();
  absl::StatusOr<troth::HttpResponse> Send(const troth::HttpClientRequest& request);
  absl::StatusOr<std::vector<Packet>> Fetch();
  // Whether the db-service did not have this signature yet.
  absl::StatusOr<bool> Sign(const Packet& packet);

  const AttestorConfig config_;
  const std::function<bool()> give_up_;
  const troth::PrivateKey signing_key_;
  const std::shared_ptr<troth::IdentitySource> source_;
  const std::unique_ptr<troth::HttpClient> client_;
  std::shared_ptr<const troth::Identity> identity_;  // whose name it signs by
};

}  // namespace attestor
