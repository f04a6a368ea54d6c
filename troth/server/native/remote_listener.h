// Takes connections for a gRPC server. gRPC's own listener takes any number of them, and none ever
// again once the process has run out of descriptors (grpc/grpc issue 20418).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "troth/http/listen_socket.h"

namespace troth::native {

struct RemoteListenerOptions {
  std::string listen = {};  // as ListenSocket takes it
  // When so many are open, or descriptors are short, the address that has the most loses its oldest
  // for each that comes.
  size_t connections = 512;
};

// Listens until it goes; the connections stay.
class RemoteListener {
 public:
  // From the listener's thread. The connection is non-blocking, and is shut down (both ways) by who
  // takes it when it ends: that is how the listener learns of it.
  using Accepted = std::function<void(Descriptor connection)>;

  // Errors: those of ListenSocket::Open; connection_failed.
  static absl::StatusOr<std::unique_ptr<RemoteListener>> Start(const RemoteListenerOptions& options,
                                                               Accepted accepted);
  // Waits until `accepted` has returned.
  virtual ~RemoteListener() = default;
  virtual std::uint16_t port() const = 0;
};

}  // namespace troth::native
