// One TLS connection, made to see what the other side does: nothing is verified here, everything is
// written down.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "troth/doctor/socket_internal.h"
#include "troth/pki/certificate.h"
#include "troth/pki/key.h"

namespace troth {

// What a client shows when it is asked.
struct ShownCredentials {
  std::vector<Certificate> chain;  // leaf first, and as the file has the rest
  PrivateKey key;                  // of the leaf
};

enum class TlsVersions {
  kModern,  // 1.2 and 1.3
  kUpTo12,  // 1.2 only
  kOld,     // 1.0 and 1.1
};

struct TlsProbeOptions {
  std::string server_name = {};                   // for SNI; empty: none is sent
  std::vector<std::string> alpn = {};             // empty: the extension is not sent
  const ShownCredentials* credentials = nullptr;  // not owned
  TlsVersions versions = TlsVersions::kModern;
  // What is sent after the handshake, by the protocol that was chosen (empty: nothing, and what the
  // server does is awaited), and when its answer is whole. Without them the connection ends with
  // the handshake.
  std::function<std::string(std::string_view alpn)> request = nullptr;
  std::function<bool(std::string_view alpn, std::string_view answer)> is_whole = nullptr;
  Deadline handshake_deadline = {};
  // Of the answer, from the end of the handshake on; the handshake's deadline does not bind it.
  std::chrono::milliseconds answer_time{0};
};

// How a connection ended.
enum class TlsEnd {
  kDone,      // all that was asked for was had
  kNoSocket,  // no TCP connection
  kAlert,     // the peer sent a fatal alert
  kClosed,    // the peer hung up, with or without TLS's closing word
  kReset,     // the connection broke
  kTimedOut,  // silence until the deadline
  kNotTls,    // what came was no TLS record
  kGivenUp,   // our side of TLS would not go on: see local_error
  kTooMuch,   // more bytes than an endpoint has any reason to send
};

struct TlsProbe {
  TlsEnd end = TlsEnd::kNoSocket;
  Socket::State socket = Socket::State::kFailed;  // when kNoSocket
  int error = 0;                                  // errno of kNoSocket and kReset
  std::string first_bytes;                        // of the peer, up to 256
  bool handshake_done = false;
  std::string version;  // "TLSv1.3"; empty before the server's hello
  std::string cipher;
  std::string alpn;                // that the server chose; empty: none
  std::vector<Certificate> chain;  // as sent
  absl::Status chain_status;       // why a certificate could not be read
  bool sent_ticket = false;        // of TLS 1.3, which comes after it has accepted the client
  bool certificate_requested = false;
  std::vector<DistinguishedName> accepted_authorities;  // that came with the request
  std::optional<int> alert;                             // fatal (RFC 8446 section 6)
  bool warned_of_name = false;                          // the warning unrecognized_name
  std::string local_error;                              // OpenSSL's words
  std::string answer;                                   // after the handshake, up to 64 KiB
  std::chrono::milliseconds handshake_took{0};          // until it was done, or had failed

  // Whether it came so far that the server showed certificates, also such as cannot be read.
  bool showed_chain() const { return !chain.empty() || !chain_status.ok(); }
};

// Over `socket`, which may have failed to connect. Takes no longer than the two deadlines say, and
// little memory, whatever the peer does.
TlsProbe ProbeTls(Socket socket, const TlsProbeOptions& options);

}  // namespace troth
