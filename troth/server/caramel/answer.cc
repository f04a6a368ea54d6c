#include "troth/server/caramel/answer.h"

#include <array>
#include <charconv>
#include <utility>

#include "troth/server/caramel/python_text.h"

namespace troth::caramel {
namespace {

std::string_view TitleOf(int status) {
  switch (status) {
    case 400:
      return "Bad Request";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 411:
      return "Length Required";
    case 413:
      return "Request Entity Too Large";
    case 429:
      return "Too Many Requests";
    case 503:
      return "Service Unavailable";
    default:
      return "Internal Server Error";
  }
}

// "https://ca.example.org": without the port that goes without saying.
std::string BaseUrl(const HttpRequest& request) {
  std::string_view host = request.Field("Host").value_or("");
  const std::string_view usual = request.tls ? ":443" : ":80";
  if (host.ends_with(usual)) host.remove_suffix(usual.size());
  // Only an HTTP/1.0 client sends none.
  if (host.empty()) return {};
  return (request.tls ? "https://" : "http://") + std::string(host);
}

}  // namespace

HttpResponse Problem(int status, std::optional<std::string_view> detail) {
  return {.status = status,
          .fields = {{"Content-Type", "application/problem+json"}},
          .body = "{\"status\":" + std::to_string(status) +
                  ",\"title\":" + PythonJson(TitleOf(status)) +
                  ",\"detail\":" + (detail.has_value() ? PythonJson(*detail) : "null") + "}"};
}

std::string KilobytesText(size_t bytes) {
  std::array<char, 32> text{};
  const double kilobytes = static_cast<double>(bytes) / 1024;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), kilobytes).ptr;
  std::string out(text.data(), end);
  if (out.find('.') == std::string::npos) out += ".0";
  return out + " kB";
}

HttpResponse Accepted(const HttpRequest& request, const Sha256Digest& id) {
  const std::string hash = FormatFingerprint(id);
  return {.status = 202,
          .fields = {{"Content-Type", "application/json"}},
          .body = "{\"sha256\": \"" + hash +
                  "\", \"url\": " + PythonJson(BaseUrl(request) + "/" + hash) + "}"};
}

HttpResponse CertificateAnswer(const HttpRequest& request, std::string pem, Time issued_at) {
  HttpResponse answer{.fields = {{"Last-Modified", FormatHttpTime(issued_at)}}};
  if (const auto since = request.Field("If-Modified-Since")) {
    if (const std::optional<Time> time = ParseHttpTime(*since); time && issued_at <= *time) {
      answer.status = 304;
      return answer;
    }
  }
  answer.fields.emplace_back("Content-Type", "application/octet-stream");
  answer.body = std::move(pem);
  return answer;
}

HttpResponse AuthorityCertificate(std::string pem) {
  return {
      .fields = {{"Content-Type", "text/plain; charset=UTF-8"}, {"Cache-Control", "max-age=3600"}},
      .body = std::move(pem)};
}

}  // namespace troth::caramel
