// What a connection does with requests: reads them, asks the guard and the handler, and answers.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <utility>

#include "troth/base/log.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/http/answer_head_internal.h"
#include "troth/http/connection_internal.h"
#include "troth/http/worker_internal.h"

namespace troth {
namespace {

using std::chrono::steady_clock;

constexpr size_t kRecord = 16384;                       // the most that one TLS record holds
constexpr size_t kMostUnsent = 64 << 10;                // of an answer, before it is sent on
constexpr std::uint64_t kMostReadOfRefused = 64 << 10;  // of a body that nobody will look at
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

// Whether a refusal is about the certificate that was shown, and not about what its holder may do:
// then the caller is as good as one without a certificate.
bool IsAboutCertificate(Reason reason) {
  switch (reason) {
    case Reason::kCertificateExpired:
    case Reason::kCertificateNotYetValid:
    case Reason::kCertificateRevoked:
    case Reason::kCertificateMalformed:
    case Reason::kCertificateSelfSigned:
    case Reason::kIssuerUnknown:
    case Reason::kSignatureInvalid:
    case Reason::kNotACertificateAuthority:
    case Reason::kPathLengthExceeded:
    case Reason::kNameNotPermitted:
    case Reason::kUsageNotAllowed:
    case Reason::kCriticalExtensionUnknown:
    case Reason::kPathTooComplex:
    case Reason::kRevocationUnknown:
    case Reason::kCrlExpired:
    case Reason::kCrlMalformed:
    case Reason::kKeyTooWeak:
    case Reason::kAlgorithmNotAllowed:
    case Reason::kPeerNotVerified:
      return true;
    default:
      return false;
  }
}

}  // namespace

void Connection::BeginRequest() {
  exchange_ = std::make_shared<Exchange>(core_.bodies);
  exchange_->connection = this;
  exchange_->begin = steady_clock::now();
  exchange_->request.address = address_;
  exchange_->request.tls = tls_ != nullptr;
  exchange_->parser.emplace(exchange_->request, core_.options.limits);
  state_ = State::kReading;
  deadline_ = exchange_->begin + core_.options.limits.request;
}

TlsSession::Result Connection::Receive(std::string_view& got) {
  if (tls_ == nullptr) {
    got = std::exchange(arrived_, {});
    return got.empty() ? TlsSession::Result::kNeedMore : TlsSession::Result::kDone;
  }
  size_t count = 0;
  const TlsSession::Result result = tls_->Read(worker_.scratch(), count);
  got = {worker_.scratch().data(), count};
  return result;
}

bool Connection::ReadRequest() {
  std::string_view bytes = pending_;
  const bool fresh = pending_.empty();
  if (fresh || starved_) {
    switch (Receive(bytes)) {
      case TlsSession::Result::kDone:
        break;
      case TlsSession::Result::kNeedMore:
        Read();
        return false;
      case TlsSession::Result::kClosed:
        OnPeerGone("the client closed the connection");
        return false;
      case TlsSession::Result::kFailed:
        Report(Drop::kReset, tls_->TakeFailure());
        said_goodbye_ = true;
        BeginEnd();
        return true;
    }
    if (!fresh) {
      pending_ += bytes;
      bytes = pending_;
    }
  }
  if (state_ == State::kIdle) {
    // RFC 9112 section 2.2: an empty line before a request means nothing.
    while (bytes.starts_with("\r\n")) bytes.remove_prefix(2);
    if (bytes.empty()) {
      pending_.clear();
      return true;
    }
    BeginRequest();
  }
  RequestParser& parser = *exchange_->parser;
  bool has_header = false;
  for (;;) {
    const absl::StatusOr<RequestParser::Progress> progress = parser.Take(bytes);
    if (!progress.ok()) {
      Report(Drop::kRequestMalformed, ToStd(progress.status().message()));
      StartAnswer(ProblemResponse(progress.status()), /*keep_alive=*/false);
      return true;
    }
    if (!exchange_->body_share.GrowTo(exchange_->request.body.capacity())) {
      RefuseBody();
      return true;
    }
    bytes.remove_prefix(progress->consumed);
    if (progress->event == RequestParser::Event::kHeader) {
      has_header = true;
      continue;
    }
    const bool whole = progress->event == RequestParser::Event::kDone;
    // `bytes` may be of pending_ itself.
    if (fresh) {
      pending_.assign(bytes);
    } else {
      pending_.erase(0, pending_.size() - bytes.size());
    }
    starved_ = !whole;
    if (has_header && !OnHeader(whole)) return true;
    return whole ? OnRequest() : true;
  }
}

void Connection::RefuseBody() {
  const absl::Status status =
      MakeError(Reason::kTooManyCalls,
                "the bodies that are being read hold " + std::to_string(BodyShare::kMostOfAll) +
                    " bytes already; send a body of at most " + std::to_string(BodyShare::kSmall) +
                    " bytes, or try again later");
  Report(Drop::kMadeRoom, ToStd(status.message()));
  exchange_->parser->DropBody();
  StartAnswer(ProblemResponse(status), /*keep_alive=*/false);
}

// False when the request was answered already.
bool Connection::OnHeader(bool whole) {
  RequestParser& parser = *exchange_->parser;
  worker_.EndWaiting(*this);
  keep_alive_ = parser.keep_alive();
  is_http_1_0_ = parser.is_http_1_0();
  exchange_->refusal = AskGuard();
  if (whole) return true;
  if (exchange_->refusal.has_value()) {
    // What is short is read to its end, so that the connection can go on.
    if (parser.expects_continue() ||
        parser.body_to_come().value_or(UINT64_MAX) > kMostReadOfRefused) {
      StartAnswer(*std::exchange(exchange_->refusal, {}), /*keep_alive=*/false);
      return false;
    }
    parser.DropBody();
  }
  if (parser.expects_continue()) Write(kContinue);
  return true;
}

std::optional<HttpResponse> Connection::AskGuard() const {
  if (core_.guard == nullptr) return std::nullopt;
  HttpRequest& request = exchange_->request;
  std::string& method = worker_.scratch_text();
  method.assign(request.method).append(" ").append(request.path);
  GuardedPort::Call call{.connection = this,
                         .leaf_pem = shown_.leaf_pem,
                         .chain_pem = shown_.chain_pem,
                         .method = method,
                         .address = address_};
  const Verdict verdict = core_.guard->Check(call);
  if (verdict.allowed()) {
    if (shown_.leaf_pem.empty()) return std::nullopt;
    std::shared_ptr<const Peer> peer = core_.guard->FindPeer(call);
    if (peer->verified) request.peer = std::move(peer);
    return std::nullopt;
  }
  if (!shown_.leaf_pem.empty() && IsAboutCertificate(verdict.reason())) {
    call.leaf_pem = {};
    call.chain_pem = {};
    if (core_.guard->Check(call).allowed()) return std::nullopt;
  }
  return ProblemResponse(verdict.ToStatus());
}

bool Connection::OnRequest() {
  core_.requests.fetch_add(1, std::memory_order_relaxed);
  Exchange& exchange = *exchange_;
  exchange.parser.reset();
  if (exchange.refusal.has_value()) {
    StartAnswer(*std::exchange(exchange.refusal, {}), keep_alive_);
    return true;
  }
  state_ = State::kAnswering;
  deadline_ = kNever;
  exchange.in_handler = true;
  core_.handler(std::shared_ptr<const HttpRequest>(exchange_, &exchange.request),
                MakeRespond(worker_.mailbox(), exchange_));
  exchange.in_handler = false;
  if (!exchange.answer.has_value()) return false;
  StartAnswer(*std::exchange(exchange.answer, {}), keep_alive_);
  return true;
}

void Connection::OnAnswer(HttpResponse response) {
  if (state_ != State::kAnswering) return;
  StartAnswer(std::move(response), keep_alive_);
  Step();
}

void Connection::StartAnswer(HttpResponse response, bool keep_alive) {
  worker_.EndWaiting(*this);
  state_ = State::kWriting;
  deadline_ = steady_clock::now() + core_.options.limits.answer;
  keep_alive_ = keep_alive && !draining_;
  response_ = std::move(response);
  const bool has_body = HasBody(StatusOf(response_)) && exchange_->request.method != "HEAD";
  body_size_ = has_body ? response_.body.size() : 0;
  body_sent_ = 0;
  head_sent_ = false;
}

bool Connection::WriteAnswer() {
  if (!head_sent_) {
    head_sent_ = true;
    std::string& piece = worker_.scratch_text();
    piece.clear();
    AppendAnswerHead(response_,
                     {.server = core_.options.name,
                      .date = worker_.date(),
                      .connection = !keep_alive_   ? ConnectionField::kClose
                                    : is_http_1_0_ ? ConnectionField::kKeepAlive
                                                   : ConnectionField::kNone},
                     piece);
    // One record and one packet for an answer that is small.
    body_sent_ = std::min(body_size_, kRecord - std::min(kRecord, piece.size()));
    piece.append(response_.body, 0, body_sent_);
    if (!Write(piece)) return true;
  }
  while (body_sent_ < body_size_ && worker_.out().size() < kMostUnsent) {
    const size_t count = std::min(kRecord, body_size_ - body_sent_);
    if (!Write(std::string_view(response_.body).substr(body_sent_, count))) return true;
    body_sent_ += count;
  }
  Flush();
  if (state_ != State::kWriting || writing_) return false;
  if (body_sent_ == body_size_) FinishAnswer();
  return true;
}

void Connection::FinishAnswer() {
  if (core_.options.access_log && !exchange_->request.method.empty() && IsLogged(LogLevel::kInfo)) {
    const HttpRequest& request = exchange_->request;
    core_.log.Add({.method = request.method,
                   .path = request.path,
                   .address = address_,
                   .peer = request.peer,
                   .status = StatusOf(response_),
                   .bytes = body_size_,
                   .took = steady_clock::now() - exchange_->begin});
  }
  exchange_->connection = nullptr;
  exchange_.reset();
  response_ = {};
  if (keep_alive_ && !draining_) {
    starved_ = false;
    BecomeIdle();
  } else {
    BeginEnd();
  }
}

}  // namespace troth
