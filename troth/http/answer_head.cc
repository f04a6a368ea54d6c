#include <algorithm>
#include <array>
#include <boost/beast/http/status.hpp>
#include <charconv>

#include "troth/base/strings.h"
#include "troth/http/answer_head_internal.h"

namespace troth {
namespace {

bool IsOurs(std::string_view name) {
  return std::ranges::any_of(
      std::to_array<std::string_view>(
          {"content-length", "transfer-encoding", "connection", "date", "server"}),
      [&](std::string_view ours) { return EqualsIgnoreCaseAscii(name, ours); });
}

// RFC 9110 section 5.6.2.
bool IsToken(std::string_view text) {
  return !text.empty() && text.find_first_not_of(
                              "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                              "!#$%&'*+-.^_`|~") == std::string_view::npos;
}

bool IsFieldValue(std::string_view text) {
  return std::ranges::none_of(text, [](char c) { return c == '\r' || c == '\n' || c == '\0'; });
}

void AppendNumber(std::uint64_t number, std::string& out) {
  std::array<char, 20> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  out.append(digits.data(), end);
}

}  // namespace

int StatusOf(const HttpResponse& response) {
  return response.status >= 200 && response.status <= 599 ? response.status : 500;
}

bool HasBody(int status) { return status != 204 && status != 304; }

void AppendAnswerHead(const HttpResponse& response, const AnswerHead& head, std::string& out) {
  const int status = StatusOf(response);
  out += "HTTP/1.1 ";
  AppendNumber(static_cast<std::uint64_t>(status), out);
  out += ' ';
  const auto phrase =
      boost::beast::http::obsolete_reason(static_cast<boost::beast::http::status>(status));
  out.append(phrase.data(), phrase.size());
  out.append("\r\nServer: ").append(head.server);
  out.append("\r\nDate: ").append(head.date).append("\r\n");
  for (const auto& [name, value] : response.fields) {
    if (IsOurs(name) || !IsToken(name) || !IsFieldValue(value)) continue;
    out.append(name).append(": ").append(value).append("\r\n");
  }
  if (HasBody(status)) {
    out += "Content-Length: ";
    AppendNumber(response.body.size(), out);
    out += "\r\n";
  }
  if (head.connection == ConnectionField::kClose) out += "Connection: close\r\n";
  if (head.connection == ConnectionField::kKeepAlive) out += "Connection: keep-alive\r\n";
  out += "\r\n";
}

}  // namespace troth
