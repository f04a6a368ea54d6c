// A whole authority as a process runs it: folder, store, listeners, own certificate.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "troth/base/time.h"
#include "troth/ca/authority.h"
#include "troth/http/server.h"

namespace troth {

struct ServeOptions {
  std::string folder = {};                     // --data; made when it is not there
  std::string listen = "127.0.0.1:8443";       // HTTPS; empty: none
  std::string grpc_listen = "127.0.0.1:8444";  // empty: none
  std::string http_listen = {};                // plain HTTP for lists, issuers, health; empty: none
  std::vector<std::string> dns_names = {};     // of the servers, IP addresses too; "localhost" and
                                               // 127.0.0.1 are always among them
  bool one_tier = false;                       // Caramel's front end in place of tokens and JSON
  bool sign_unseen_uuids = false;              // with one_tier: Caramel's autosign
  std::string trust_domain = {};               // set by the first start; empty: the first DNS name
  std::string public_url = {};                 // see AuthoritySettings; empty on the first start:
                                               // by http_listen and the first DNS name
  std::string root_common_name = {};           // first start only
  AskPassphrase ask = {};
  const Secret* new_root_passphrase = nullptr;  // first start only
  HttpLimits limits = {};
  int threads = 2;
  const Clock* clock = &Clock::System();
};

// Listens until it goes. Thread-safe.
class RunningAuthority {
 public:
  // Makes the authority on the first start. Errors: file_locked (another process holds the folder),
  // connection_failed, and those of Authority::Open and OpenSqliteStore.
  static absl::StatusOr<std::unique_ptr<RunningAuthority>> Start(ServeOptions options);
  virtual ~RunningAuthority() = default;

  virtual bool was_created() const = 0;           // by this start
  virtual std::string https_address() const = 0;  // "127.0.0.1:8443", empty: none
  virtual std::string grpc_address() const = 0;
  virtual std::string http_address() const = 0;
  virtual Authority& authority() = 0;
  // Lets what is being answered end, then stops. The store is closed by the destructor.
  virtual void Shutdown(std::chrono::milliseconds patience) = 0;
};

}  // namespace troth
