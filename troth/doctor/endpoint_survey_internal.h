// What there is to see of an endpoint: the connections that are made, and what came of them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "troth/doctor/endpoint_doctor.h"
#include "troth/doctor/endpoint_request_internal.h"
#include "troth/doctor/plain_probe_internal.h"
#include "troth/doctor/tls_probe_internal.h"

namespace troth {

// An address of the name that no connection could be made to.
struct Unreachable {
  SocketAddress address;
  bool timed_out = false;
  int error = 0;  // errno
};

// Another address of the name, to which a handshake was tried.
struct OtherAddress {
  SocketAddress address;
  TlsProbe tls;
};

struct EndpointFacts {
  Resolved resolved;
  std::vector<Unreachable> unreachable;
  std::optional<SocketAddress> address;  // the one that was examined
  bool shows_certificate = false;        // we had one to show
  TlsProbe tls;                          // the first connection, with our certificate
  std::optional<TlsProbe> anonymous;     // without it, where the server asks for one
  std::optional<TlsProbe> http1;         // asked in HTTP/1.1, where `tls` was in HTTP/2
  std::optional<TlsProbe> tls12;         // with TLS 1.2 only, where `tls` was 1.3
  std::optional<TlsProbe> old;           // with TLS 1.0 and 1.1
  std::optional<TlsProbe> without_alpn;  // where the server has no protocol of ours
  std::vector<OtherAddress> others;
  std::optional<PlainProbe> plain;  // where the port does not speak TLS
  std::optional<absl::StatusOr<std::string>> call;
};

// Whether the server agreed to a version of the probe, whatever became of it then.
bool AgreedToVersion(const std::optional<TlsProbe>& probe);

// Whether the server lets the client in that a probe was. Yes and no need evidence: in TLS 1.3 a
// client has made its handshake before the server has looked at the certificate, and an answer such
// as HTTP 403 may be about the certificate or about the path.
enum class Admission { kYes, kNo, kUnknown };
Admission AdmissionOf(const TlsProbe& probe);
// The answer of HTTP/1, when there is one.
std::optional<Http1Answer> AnswerOf(const TlsProbe& probe);
// Whether the server chose a protocol of HTTP, was asked, and said nothing in time.
bool IsSilentInHttp(const TlsProbe& probe);
// Whether an answer with this status may be about the client's certificate, or the lack of one.
bool MayBeAboutCertificate(const Http1Answer& answer);

// `credentials` is null without any. Ends at `deadline`.
EndpointFacts Survey(const Endpoint& endpoint, const EndpointOptions& options,
                     const ShownCredentials* credentials, Deadline deadline);

}  // namespace troth
