#include <algorithm>
#include <array>
#include <chrono>

#include "troth/base/strings.h"
#include "troth/doctor/endpoint_request_internal.h"
#include "troth/doctor/plain_probe_internal.h"

namespace troth {
namespace {

struct Banner {
  std::string_view begins;
  std::string_view contains;
  std::string_view name;
};

constexpr auto kBanners = std::to_array<Banner>({
    {"SSH-", "", "SSH"},
    {"220", "SMTP", "SMTP"},
    {"220", "FTP", "FTP"},
    {"220", "", "SMTP or FTP"},
    {"+OK", "", "POP3"},
    {"* OK", "", "IMAP"},
    {"-ERR", "", "Redis"},
    {"RFB ", "", "VNC"},
});

// Until something came that tells what it is, or nothing more comes.
std::string Ask(const SocketAddress& address, std::string_view request, Deadline deadline) {
  constexpr size_t kEnough = 512;
  Socket socket = Socket::Connect(address, deadline);
  socket.Send(request, deadline);
  std::string answer;
  while (socket.state() == Socket::State::kOpen && answer.size() < kEnough) {
    answer += socket.Receive(deadline);
    if (answer.size() >= 12) break;
  }
  return answer;
}

}  // namespace

PlainProbe RecogniseProtocol(std::string_view first_bytes) {
  using Speaks = PlainProbe::Speaks;
  PlainProbe out{.bytes = std::string(first_bytes.substr(0, 80))};
  const bool is_tls = first_bytes.size() > 1 && first_bytes[0] >= 20 && first_bytes[0] <= 23 &&
                      first_bytes[1] == 3;  // a record of TLS
  if (first_bytes.empty() || is_tls) return out;
  out.speaks = Speaks::kOther;
  if (IsHttp2Answer(first_bytes)) {
    out.speaks = Speaks::kHttp2;
    return out;
  }
  if (first_bytes.starts_with("HTTP/")) {
    out.speaks = Speaks::kHttp1;
    return out;
  }
  for (const Banner& banner : kBanners) {
    if (!first_bytes.starts_with(banner.begins)) continue;
    if (first_bytes.find(banner.contains) == std::string_view::npos) continue;
    out.name = banner.name;
    break;
  }
  return out;
}

PlainProbe ProbePlain(const SocketAddress& address, std::string_view host, Deadline deadline) {
  const auto now = std::chrono::steady_clock::now();
  PlainProbe http1 =
      RecogniseProtocol(Ask(address, Http1Request(host, "/"), now + (deadline - now) / 2));
  if (http1.speaks == PlainProbe::Speaks::kHttp1 || http1.speaks == PlainProbe::Speaks::kHttp2) {
    return http1;
  }
  const PlainProbe http2 = RecogniseProtocol(Ask(address, Http2Preface(), deadline));
  return http2.speaks == PlainProbe::Speaks::kHttp2 || http1.bytes.empty() ? http2 : http1;
}

}  // namespace troth
