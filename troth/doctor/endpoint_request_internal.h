// What the doctor asks an endpoint, in HTTP/1.1 or in HTTP/2, and what the answers say.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "troth/base/time.h"

namespace troth {

inline constexpr std::string_view kAlpnH2 = "h2";
inline constexpr std::string_view kAlpnHttp1 = "http/1.1";

// GET, answered by one response after which the connection ends.
std::string Http1Request(std::string_view host, std::string_view path);

struct Http1Answer {
  int status = 0;
  std::optional<Time> date = {};  // of the server's clock
  std::string content_type = {};
  std::string body = {};  // as far as it came
};
// Nothing when it does not begin as an answer of HTTP/1 does.
std::optional<Http1Answer> ReadHttp1Answer(std::string_view bytes);
// Whether no more of the answer is to come, or matters.
bool IsWholeHttp1Answer(std::string_view bytes);

// What the answer says of the caller, where it does: a refusal of Troth's guard with its reason
// (problem+json, or text that nginx passes on), and what nginx answers after a handshake without a
// certificate, or with one that it does not accept (client_certificate_missing,
// peer_rejected_certificate). OK otherwise: what a path answers is the application's business.
absl::Status RefusalIn(const Http1Answer& answer);

// The client's preface of HTTP/2 with its settings (RFC 9113 section 3.4), which every server of
// HTTP/2 acknowledges, once it has accepted the client.
std::string Http2Preface();
// Whether it begins with the settings of a server of HTTP/2.
bool IsHttp2Answer(std::string_view bytes);
// Whether it holds the acknowledgement, or the server's farewell.
bool IsWholeHttp2Answer(std::string_view bytes);

}  // namespace troth
