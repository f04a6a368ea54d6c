// The original server's answers, byte for byte.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "troth/base/time.h"
#include "troth/http/message.h"
#include "troth/pki/digest.h"

namespace troth::caramel {

// {"status":400,"title":"Bad Request","detail":"..."}; without a detail: null.
HttpResponse Problem(int status, std::optional<std::string_view> detail = {});

// "2.0 kB" of 2048, for the detail of 413.
std::string KilobytesText(size_t bytes);

// 202 with the request's id and where it will be found, which is built from the Host field.
HttpResponse Accepted(const HttpRequest& request, const Sha256Digest& id);

// 200, or 304 when the client has seen one that is no older. `issued_at` is Last-Modified.
HttpResponse CertificateAnswer(const HttpRequest& request, std::string pem, Time issued_at);

// The CA's certificate, to be kept for an hour.
HttpResponse AuthorityCertificate(std::string pem);

}  // namespace troth::caramel
