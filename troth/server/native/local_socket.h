// A Unix socket that belongs to one user, and connections over it.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "troth/http/listen_socket.h"

namespace troth::native {

// Connects. Errors: file_not_found (no socket there), connection_failed (nobody listens, or it is
// no socket), file_unreadable (another user's), usage_error (a path longer than a socket's can be).
absl::StatusOr<Descriptor> ConnectToSocket(const std::string& path);

// Who made a connection; nothing when the system does not say.
std::optional<uid_t> UserOf(int descriptor);

// Accepts connections on a Unix socket until it goes; then the file is gone too.
class LocalListener {
 public:
  // From the listener's thread. The connection is non-blocking.
  using Accepted = std::function<void(Descriptor connection)>;

  // The file is 0600 from the moment in which it appears, and it appears when it listens. One that
  // a dead process left behind is replaced; where somebody answers, nothing is touched. Errors:
  // connection_failed (somebody listens there, no right to make it ...), file_exists (something
  // else is there), usage_error (the path is too long).
  static absl::StatusOr<std::unique_ptr<LocalListener>> Start(const std::string& path,
                                                              Accepted accepted);
  // Waits until `accepted` has returned.
  virtual ~LocalListener() = default;
};

}  // namespace troth::native
