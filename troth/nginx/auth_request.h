// What answers nginx's auth_request: may this client make this request?
#pragma once

#include <memory>
#include <string_view>

#include "troth/authz/guard.h"
#include "troth/base/time.h"
#include "troth/http/message.h"

namespace troth {

inline constexpr std::string_view kAuthorizePath = "/authorize";

// What nginx asks with. It sends these and no field of the client's own.
inline constexpr std::string_view kAskMethodField = "Troth-Ask-Method";    // $request_method
inline constexpr std::string_view kAskTargetField = "Troth-Ask-Target";    // $request_uri
inline constexpr std::string_view kAskAddressField = "Troth-Ask-Address";  // $remote_addr:...
// $ssl_client_verify: NONE, FAILED:why, or SUCCESS.
inline constexpr std::string_view kAskVerifyField = "Troth-Ask-Verify";
// $ssl_client_escaped_cert: the whole leaf, for names, SPIFFE ID and SHA-256 are read from itself.
inline constexpr std::string_view kAskCertificateField = "Troth-Ask-Certificate";

// What it is answered, beside the fields of IdentityFields when the request is allowed.
inline constexpr std::string_view kReasonField = "Troth-Reason";    // "role_not_allowed"
inline constexpr std::string_view kMessageField = "Troth-Message";  // what to tell the client

// Answers GET kAuthorizePath: 204 and who the client is, or 401 or 403 (no other status of a
// refusal reaches a client of nginx) with the reason. Asks `port`, which verifies the certificate
// itself and logs what it refuses. A request whose path can be read in two ways is refused here,
// and logged in the same way. A question that lacks a field, or has one twice, is answered 403:
// nginx asks whole questions.
HttpHandler AuthRequestHandler(std::shared_ptr<GuardedPort> port,
                               const Clock& clock = Clock::System());

}  // namespace troth
