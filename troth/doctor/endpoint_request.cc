#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <vector>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/doctor/endpoint_request_internal.h"
#include "troth/http/message.h"

namespace troth {
namespace {

constexpr std::string_view kHeaderEnd = "\r\n\r\n";

// One frame of HTTP/2 (RFC 9113 section 4.1).
struct Frame {
  int type = 0;
  int flags = 0;
  size_t size = 0;  // of its payload
};
constexpr size_t kFrameHeader = 9;
constexpr int kSettings = 4;
constexpr int kGoaway = 7;
constexpr int kAck = 1;

std::optional<Frame> ReadFrame(std::string_view bytes) {
  if (bytes.size() < kFrameHeader) return std::nullopt;
  const auto at = [&](size_t i) { return static_cast<unsigned char>(bytes[i]); };
  return Frame{.type = at(3),
               .flags = at(4),
               .size = size_t{at(0)} << 16 | size_t{at(1)} << 8 | size_t{at(2)}};
}

// The value of the first field with this name, or nothing.
std::optional<std::string_view> FieldOf(std::string_view header, std::string_view name) {
  for (std::string_view line : Split(header, '\n')) {
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    if (EqualsIgnoreCaseAscii(line.substr(0, colon), name)) {
      return TrimWhitespace(line.substr(colon + 1));
    }
  }
  return std::nullopt;
}

constexpr size_t kLongestDetail = 600;  // of what a server says

// Reason and detail of a problem that Troth wrote; OK for any other text.
absl::Status ProblemOf(const std::string& body) {
  constexpr size_t kDeepest = 8;
  boost::json::parse_options options;
  options.max_depth = kDeepest;
  boost::system::error_code error;
  const boost::json::value value = boost::json::parse(body, error, {}, options);
  if (error || !value.is_object()) return absl::OkStatus();
  const auto text = [&](std::string_view name) -> std::string_view {
    const boost::json::value* member = value.get_object().if_contains({name.data(), name.size()});
    if (member == nullptr || !member->is_string()) return "";
    return {member->get_string().data(), member->get_string().size()};
  };
  const std::optional<Reason> reason = ReasonFromCode(text("code"));
  if (!reason.has_value()) return absl::OkStatus();
  const std::string_view detail = text("detail");
  return MakeError(*reason,
                   detail.empty() ? InfoOf(*reason).text : Printable(detail, kLongestDetail));
}

// A guard's message as text, with its reason at its end, as nginx passes it on; OK for any other.
absl::Status TaggedRefusal(std::string_view body) {
  constexpr std::string_view kTag = "[troth:";
  const size_t at = body.rfind(kTag);
  if (at == std::string_view::npos || !body.ends_with(']')) return absl::OkStatus();
  const size_t begin = at + kTag.size();
  const std::optional<Reason> reason = ReasonFromCode(body.substr(begin, body.size() - begin - 1));
  if (!reason.has_value()) return absl::OkStatus();
  return MakeError(*reason, Printable(TrimWhitespace(body.substr(0, at)), kLongestDetail));
}

// How the answer begins that `troth nginx-config` has nginx give, before $ssl_client_verify.
constexpr std::string_view kNginxVerdict = "certificate: ";

absl::Status VerdictOfNginx(std::string_view verdict) {
  constexpr std::string_view kFailed = "FAILED:";
  if (verdict == "NONE") {
    return MakeError(Reason::kClientCertificateMissing,
                     "the server requires a client certificate, and none was shown (nginx: NONE)");
  }
  if (!verdict.starts_with(kFailed)) return absl::OkStatus();
  verdict.remove_prefix(kFailed.size());
  return MakeError(
      Reason::kPeerRejectedCertificate,
      "the server refused our certificate (nginx: \"" + Printable(verdict, kLongestDetail) + "\")");
}

}  // namespace

std::string Http1Request(std::string_view host, std::string_view path) {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: " + std::string(host) +
         "\r\nUser-Agent: troth-doctor\r\nAccept: */*\r\nConnection: close\r\n\r\n";
}

std::optional<Http1Answer> ReadHttp1Answer(std::string_view bytes) {
  if (!bytes.starts_with("HTTP/1.") || bytes.size() < 12) return std::nullopt;
  Http1Answer out;
  const char* digits = bytes.data() + 9;
  if (std::from_chars(digits, digits + 3, out.status).ec != std::errc()) return std::nullopt;
  const size_t end = bytes.find(kHeaderEnd);
  const std::string_view header = bytes.substr(0, end);
  if (const auto date = FieldOf(header, "Date")) out.date = ParseHttpTime(*date);
  out.content_type = FieldOf(header, "Content-Type").value_or("");
  if (end != std::string_view::npos) out.body = bytes.substr(end + kHeaderEnd.size());
  return out;
}

bool IsWholeHttp1Answer(std::string_view bytes) {
  constexpr size_t kEnough = size_t{32} << 10;
  if (bytes.size() > kEnough) return true;
  const size_t end = bytes.find(kHeaderEnd);
  if (end == std::string_view::npos) return false;
  const auto length = FieldOf(bytes.substr(0, end), "Content-Length");
  if (!length.has_value()) return bytes.ends_with("0\r\n\r\n");  // chunked, or until it is closed
  size_t size = 0;
  if (std::from_chars(length->data(), length->data() + length->size(), size).ec != std::errc()) {
    return true;
  }
  return bytes.size() - end - kHeaderEnd.size() >= size;
}

absl::Status RefusalIn(const Http1Answer& answer) {
  const auto says = [&](std::string_view words) {
    return answer.body.find(words) != std::string::npos;
  };
  if (answer.status == 400 && says("No required SSL certificate was sent")) {
    return MakeError(Reason::kClientCertificateMissing,
                     "the server requires a client certificate, and none was shown (nginx: \"No "
                     "required SSL certificate was sent\")");
  }
  if (answer.status == 400 && says("The SSL certificate error")) {
    return MakeError(Reason::kPeerRejectedCertificate,
                     "the server refused our certificate (nginx: \"The SSL certificate error\"); "
                     "its error log says why");
  }
  if (answer.status == 400 && answer.body.starts_with(kNginxVerdict)) {
    return VerdictOfNginx(
        TrimWhitespace(std::string_view(answer.body).substr(kNginxVerdict.size())));
  }
  const bool is_problem = answer.content_type.starts_with("application/problem+json") ||
                          answer.content_type.starts_with("application/json");
  if (answer.status == 401 || answer.status == 403 || answer.status == 429) {
    return is_problem ? ProblemOf(answer.body) : TaggedRefusal(TrimWhitespace(answer.body));
  }
  return absl::OkStatus();
}

std::string Http2Preface() {
  std::string out = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  out += std::string("\0\0\0\x04\0\0\0\0\0", kFrameHeader);  // SETTINGS, none of them set
  return out;
}

bool IsHttp2Answer(std::string_view bytes) {
  const std::optional<Frame> first = ReadFrame(bytes);
  constexpr size_t kSetting = 6;
  return first.has_value() && first->type == kSettings && first->size % kSetting == 0 &&
         bytes.substr(5, 4) == std::string_view("\0\0\0\0", 4);
}

bool IsWholeHttp2Answer(std::string_view bytes) {
  while (const std::optional<Frame> frame = ReadFrame(bytes)) {
    if (frame->type == kGoaway || (frame->type == kSettings && (frame->flags & kAck) != 0)) {
      return true;
    }
    if (bytes.size() < kFrameHeader + frame->size) return false;
    bytes.remove_prefix(kFrameHeader + frame->size);
  }
  return false;
}

}  // namespace troth
