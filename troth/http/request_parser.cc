#include <algorithm>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <string>
#include <utility>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/http/request_parser_internal.h"
#include "troth/http/request_target_internal.h"

namespace troth {
namespace {

namespace http = boost::beast::http;
using BeastError = boost::beast::error_code;
using BeastView = boost::beast::string_view;

// Memory that a Content-Length alone may claim, before the body is there.
constexpr std::uint64_t kMostReserved = 64 << 10;

// "0\r\n\r\n": no chunked body can end with less. Beast 1.81 asserts that it is given that much
// behind a first chunk that is the last.
constexpr size_t kShortestEnd = 5;

std::string_view View(BeastView text) { return {text.data(), text.size()}; }

absl::Status Malformed(const std::string& what) { return MakeError(Reason::kHttpMalformed, what); }

// The characters of a host and port (RFC 9110 section 7.2, RFC 3986 section 3.2).
bool IsHost(std::string_view text) {
  return text.find_first_not_of(
             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~!$&'()*+,;=:%[]") ==
         std::string_view::npos;
}

}  // namespace

class RequestParser::Impl final : public http::basic_parser<true> {
 public:
  Impl(HttpRequest& request, const HttpLimits& limits) : request_(request), limits_(limits) {
    header_limit(
        static_cast<std::uint32_t>(std::min<size_t>(limits.header_bytes, std::uint32_t{1} << 30)));
    body_limit(limits.body_bytes);
  }

  absl::StatusOr<Progress> Take(std::string_view bytes) {
    Progress progress;
    while (!is_done()) {
      const bool had_header = is_header_done();
      const std::string_view rest = bytes.substr(progress.consumed);
      if (had_header && rest.size() < (chunked() ? kShortestEnd : 1)) return progress;
      BeastError error;
      progress.consumed += put(boost::asio::const_buffer(rest.data(), rest.size()), error);
      if (error == http::error::need_more) {
        // A chunk's extensions or the trailer: Beast wants them whole, and has no limit for them.
        if (had_header && bytes.size() - progress.consumed > limits_.header_bytes) {
          return MakeError(Reason::kHeaderTooLarge, "a chunk header or trailer is larger than " +
                                                        std::to_string(limits_.header_bytes) +
                                                        " bytes");
        }
        return progress;
      }
      if (error) return Explain(error);
      if (!had_header && is_header_done()) {
        progress.event = Event::kHeader;
        return progress;
      }
    }
    progress.event = Event::kDone;
    return progress;
  }

  bool expects_continue() const { return expects_continue_; }
  bool is_http_1_0() const { return version_ == 10; }
  void DropBody() {
    drop_body_ = true;
    request_.body = {};
  }

 private:
  absl::Status Explain(const BeastError& error) {
    if (!problem_.ok()) return problem_;
    if (error == http::error::header_limit) {
      return MakeError(
          Reason::kHeaderTooLarge,
          "the header is larger than " + std::to_string(limits_.header_bytes) + " bytes");
    }
    if (error == http::error::body_limit) {
      return MakeError(Reason::kBodyTooLarge,
                       "the body is larger than " + std::to_string(limits_.body_bytes) + " bytes");
    }
    return Malformed("the request cannot be read: " + error.message());
  }

  // Makes the parser stop with `problem`.
  void Fail(absl::Status problem, BeastError& error) {
    problem_ = std::move(problem);
    error = http::error::bad_value;
  }

  void on_request_impl(http::verb /*verb*/, BeastView method, BeastView target, int version,
                       BeastError& error) override {
    version_ = version;
    request_.method = View(method);
    request_.target = View(target);
    absl::StatusOr<RequestTarget> parsed = ParseRequestTarget(request_.target);
    if (!parsed.ok()) return Fail(parsed.status(), error);
    request_.path = std::move(parsed->path);
    request_.query = parsed->query;
  }

  void on_field_impl(http::field field, BeastView name, BeastView value,
                     BeastError& error) override {
    if (is_header_done()) return;  // a trailer
    if (request_.fields.size() == limits_.header_fields) {
      return Fail(
          MakeError(Reason::kHeaderTooLarge, "the header has more than " +
                                                 std::to_string(limits_.header_fields) + " fields"),
          error);
    }
    switch (field) {
      case http::field::host:
        ++hosts_;
        if (!IsHost(View(value))) return Fail(Malformed("the Host field is no host"), error);
        break;
      case http::field::content_length:
        request_.has_content_length = true;
        break;
      case http::field::transfer_encoding:
        codings_ += codings_.empty() ? "" : ",";
        codings_ += View(value);
        has_codings_ = true;
        break;
      case http::field::expect:
        expects_continue_ = EqualsIgnoreCaseAscii(View(value), "100-continue");
        break;
      default:
        break;
    }
    request_.fields.emplace_back(View(name), View(value));
  }

  void on_header_impl(BeastError& error) override {
    if (hosts_ > 1 || (hosts_ == 0 && version_ == 11)) {
      return Fail(Malformed("expected one Host field, got " + std::to_string(hosts_)), error);
    }
    if (has_codings_) {
      if (absl::Status status = CheckCodings(); !status.ok()) return Fail(status, error);
    }
    // HTTP/1.0 knows no interim answers (RFC 9110 section 10.1.1).
    expects_continue_ = expects_continue_ && version_ == 11 && !is_done();
  }

  // What is not understood the same way by everybody on the way lets one request hide in another
  // (RFC 9112 section 11.2): all of it is refused.
  absl::Status CheckCodings() const {
    if (version_ != 11) return Malformed("HTTP/1.0 has no Transfer-Encoding");
    if (request_.has_content_length) {
      return Malformed("expected Content-Length or Transfer-Encoding, got both");
    }
    const std::vector<std::string_view> codings = Split(codings_, ',');
    for (const std::string_view coding : codings) {
      if (!EqualsIgnoreCaseAscii(TrimWhitespace(coding), "chunked")) {
        return MakeError(Reason::kTransferCodingUnknown,
                         "the transfer coding \"" + Printable(TrimWhitespace(coding)) +
                             "\" is not known; send the body chunked or with a Content-Length");
      }
    }
    if (codings.size() != 1 || !chunked()) return Malformed("expected chunked once");
    return absl::OkStatus();
  }

  void on_body_init_impl(const boost::optional<std::uint64_t>& length,
                         BeastError& /*error*/) override {
    if (length && !drop_body_) request_.body.reserve(std::min(*length, kMostReserved));
  }
  std::size_t on_body_impl(BeastView body, BeastError& /*error*/) override {
    if (!drop_body_) request_.body.append(body.data(), body.size());
    return body.size();
  }
  void on_chunk_header_impl(std::uint64_t /*size*/, BeastView /*extensions*/,
                            BeastError& /*error*/) override {}
  std::size_t on_chunk_body_impl(std::uint64_t /*remain*/, BeastView body,
                                 BeastError& /*error*/) override {
    if (!drop_body_) request_.body.append(body.data(), body.size());
    return body.size();
  }
  void on_finish_impl(BeastError& /*error*/) override {}
  void on_response_impl(int /*code*/, BeastView /*reason*/, int /*version*/,
                        BeastError& /*error*/) override {}

  HttpRequest& request_;
  const HttpLimits& limits_;
  absl::Status problem_;
  std::string codings_;
  bool has_codings_ = false;
  bool expects_continue_ = false;
  bool drop_body_ = false;
  int hosts_ = 0;
  int version_ = 11;
};

RequestParser::RequestParser(HttpRequest& request, const HttpLimits& limits)
    : impl_(std::make_unique<Impl>(request, limits)) {}
RequestParser::~RequestParser() = default;

absl::StatusOr<RequestParser::Progress> RequestParser::Take(std::string_view bytes) {
  return impl_->Take(bytes);
}
bool RequestParser::keep_alive() const { return impl_->keep_alive(); }
bool RequestParser::is_http_1_0() const { return impl_->is_http_1_0(); }
bool RequestParser::expects_continue() const { return impl_->expects_continue(); }
std::optional<std::uint64_t> RequestParser::body_to_come() const {
  if (impl_->is_done()) return 0;
  const auto remaining = impl_->content_length_remaining();
  return remaining ? std::optional<std::uint64_t>(*remaining) : std::nullopt;
}
void RequestParser::DropBody() { impl_->DropBody(); }

}  // namespace troth
