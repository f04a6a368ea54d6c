// The server block that puts nginx in front of a service.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace troth {

struct NginxServer {
  std::string listen = {};                     // see NginxListen
  std::vector<std::string> server_names = {};  // at least one, see NginxServerName
  // Paths of PEM files, absolute: nginx would look for others in its own folder.
  std::string certificate = {};
  std::string private_key = {};
  std::string trust_bundle = {};
  std::string crl = {};       // empty: no revocation
  std::string upstream = {};  // see ParseNginxUpstream
  // Where `troth policy serve` listens; empty: every client with a certificate is let in.
  std::string policy_socket = {};
};

// The first line of what NginxServerBlock writes.
inline constexpr const char* kNginxServerBlockHead =
    "# Written by `troth nginx-config`, which replaces it when it is run again with this --out.";

// A server block for nginx 1.18 or newer, for its http block. In it:
// * TLS 1.2 and 1.3, no session cache and no tickets, so that every connection is verified anew;
//   clients need a certificate that leads to the bundle and, with a CRL, is not revoked;
// * a handshake that another server block made, for a client that named none of these names, is
//   answered 421: that block has other CAs (not where a name is "_" or an address:
//   NginxSniPattern);
// * with a policy socket, every request is asked about first, and refused when nobody answers;
// * the service behind gets the fields of identity_fields.h from nginx alone: each is set, or
//   cleared, in every location, whatever the client sent, as are the fields by which some
//   frameworks replace method, path or client;
// * what the http block says of CAs, error pages, caches and methods changes none of this;
// * the raw target goes on as it came, the same that the policy judged.
//
// Errors: usage_error, for what nginx could not read or could misunderstand.
absl::StatusOr<std::string> NginxServerBlock(const NginxServer& server);

}  // namespace troth
