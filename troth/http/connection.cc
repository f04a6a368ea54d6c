#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <cerrno>
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

constexpr char kHandshakeRecord = 0x16;                 // RFC 8446 section 5.1
constexpr size_t kRecord = 16384;                       // the most that one TLS record holds
constexpr size_t kMostUnsent = 64 << 10;                // of an answer, before it is sent on
constexpr std::uint64_t kMostReadOfRefused = 64 << 10;  // of a body that nobody will look at
constexpr std::chrono::seconds kLinger{2};
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

Connection::Connection(Worker& worker, Arrival arrival)
    : worker_(worker),
      core_(worker.core()),
      address_(std::move(arrival.address)),
      group_(std::move(arrival.group)),
      state_(core_.tls != nullptr ? State::kOpening : State::kIdle) {
  boost::system::error_code error;
  socket_.emplace(worker.context());
  // Whatever the family is: Asio would need it to make a socket, and this one is there.
  socket_->assign(boost::asio::generic::stream_protocol(AF_UNSPEC, 0), arrival.descriptor.number(),
                  error);
  if (!error) arrival.descriptor.Release();
}

void Connection::Start() {
  if (!socket_->is_open()) return Close();
  const HttpLimits& limits = core_.options.limits;
  deadline_ = steady_clock::now() + (state_ == State::kOpening ? limits.handshake : limits.idle);
  Read();
}

void Connection::Report(Drop drop, std::string_view why) const {
  core_.log.Add(drop, address_, why);
}

void Connection::Step() {
  const std::shared_ptr<Connection> self = shared_from_this();
  bool more = true;
  while (more && !writing_) {
    switch (state_) {
      case State::kOpening:
        more = Open();
        break;
      case State::kHandshake:
        more = Handshake();
        break;
      case State::kIdle:
      case State::kReading:
        more = ReadRequest();
        break;
      case State::kWriting:
        more = WriteAnswer();
        break;
      case State::kEnding:
        more = End();
        break;
      case State::kLingering:
        more = Linger();
        break;
      case State::kAnswering:
      case State::kClosed:
        more = false;
        break;
    }
    Flush();
  }
}

bool Connection::Open() {
  if (arrived_.empty()) {
    Read();
    return false;
  }
  const char first = arrived_.front();
  if (first == kHandshakeRecord) {
    tls_ = TlsSession::Create(*core_.tls->Current(), worker_.out());
    if (tls_ == nullptr) {
      Close();
      return false;
    }
    tls_->Feed(std::exchange(arrived_, {}));
    state_ = State::kHandshake;
    return true;
  }
  core_.handshakes_failed.fetch_add(1, std::memory_order_relaxed);
  if (first >= 'A' && first <= 'Z') {
    RefusePlainHttp();
    return true;
  }
  Report(Drop::kNotTls, "the first byte is of no TLS handshake");
  Close();
  return false;
}

void Connection::RefusePlainHttp() {
  Report(Drop::kPlainHttp, "a plain HTTP request on a port that speaks HTTPS");
  const HttpResponse response = {
      .status = 400,
      .fields = {{"Content-Type", "text/plain"}},
      .body = "This port speaks HTTPS: use https:// in place of http://.\n"};
  AppendAnswerHead(
      response,
      {.server = core_.options.name, .date = worker_.date(), .connection = ConnectionField::kClose},
      worker_.out());
  worker_.out() += response.body;
  BeginEnd();
}

bool Connection::Handshake() {
  switch (tls_->Handshake()) {
    case TlsSession::Result::kDone:
      shown_ = tls_->ShownByPeer();
      AcknowledgeNow();
      BecomeIdle();
      return true;
    case TlsSession::Result::kNeedMore:
      Read();
      return false;
    case TlsSession::Result::kClosed:
    case TlsSession::Result::kFailed:
      break;
  }
  core_.handshakes_failed.fetch_add(1, std::memory_order_relaxed);
  Report(Drop::kHandshakeFailed, tls_->TakeFailure());
  // The alert is on its way; after a failure TLS has no goodbye.
  said_goodbye_ = true;
  BeginEnd();
  return true;
}

// Without session tickets nothing goes back behind a handshake of TLS 1.3. A client that has
// Nagle's algorithm on holds its first request until its last message is acknowledged, which the
// kernel would put off for 40 ms.
void Connection::AcknowledgeNow() {
  const int on = 1;
  ::setsockopt(socket_->native_handle(), IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
}

void Connection::BecomeIdle() {
  state_ = State::kIdle;
  const auto now = steady_clock::now();
  deadline_ = now + core_.options.limits.idle;
  worker_.BeginWaiting(*this, now);
}

void Connection::BeginRequest() {
  exchange_ = std::make_shared<Exchange>();
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
  if (parser.expects_continue() && pending_.empty()) Write(kContinue);
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

bool Connection::Write(std::string_view bytes) {
  if (tls_ == nullptr) {
    worker_.out() += bytes;
    return true;
  }
  if (tls_->Write(bytes) == TlsSession::Result::kDone) return true;
  Report(Drop::kReset, tls_->TakeFailure());
  Close();
  return false;
}

void Connection::Flush() {
  std::string& out = worker_.out();
  if (out.empty()) return;
  if (state_ == State::kClosed || writing_) {
    out.clear();
    return;
  }
  // At once, without asking whether the socket is ready: it nearly always is.
  const ssize_t sent =
      ::send(socket_->native_handle(), out.data(), out.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  const bool is_full = sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
  if (sent < 0 && !is_full) {
    out.clear();
    OnPeerGone("the client went before it had its answer");
    return;
  }
  const size_t count = is_full ? 0 : static_cast<size_t>(sent);
  if (count < out.size()) {
    unsent_.assign(out, count);
    WriteUnsent();
  }
  out.clear();
}

void Connection::WriteUnsent() {
  writing_ = true;
  socket_->async_write_some(
      boost::asio::buffer(unsent_),
      [self = shared_from_this()](const boost::system::error_code& error, size_t count) {
        self->OnWritten(error, count);
      });
}

void Connection::OnWritten(const boost::system::error_code& error, size_t count) {
  writing_ = false;
  if (state_ == State::kClosed) return;
  if (error) return OnPeerGone("the client went before it had its answer");
  unsent_.erase(0, count);
  if (!unsent_.empty()) return WriteUnsent();
  unsent_ = {};
  Step();
}

void Connection::Read() {
  if (reading_ || state_ == State::kClosed) return;
  reading_ = true;
  socket_->async_read_some(
      boost::asio::buffer(raw_),
      [self = shared_from_this()](const boost::system::error_code& error, size_t count) {
        self->OnRead(error, count);
      });
}

void Connection::OnRead(const boost::system::error_code& error, size_t count) {
  reading_ = false;
  if (state_ == State::kClosed) return;
  if (error) return OnPeerGone("the client closed the connection");
  const std::string_view bytes(raw_.data(), count);
  if (tls_ != nullptr && state_ != State::kLingering) {
    tls_->Feed(bytes);
  } else {
    arrived_ = bytes;
  }
  Step();
}

void Connection::OnPeerGone(std::string_view why) {
  switch (state_) {
    case State::kHandshake:
      core_.handshakes_failed.fetch_add(1, std::memory_order_relaxed);
      Report(Drop::kHandshakeFailed, "the client hung up during the handshake");
      break;
    case State::kReading:
    case State::kWriting:
      Report(Drop::kReset, why);
      break;
    default:
      break;  // at no time does anybody miss anything
  }
  Close();
}

void Connection::BeginEnd() {
  state_ = State::kEnding;
  const auto now = steady_clock::now();
  deadline_ = now + std::min<std::chrono::nanoseconds>(kLinger, core_.options.limits.answer);
  pending_ = {};
  if (exchange_ != nullptr) exchange_->connection = nullptr;
  exchange_.reset();
  worker_.BeginWaiting(*this, now);
}

bool Connection::End() {
  if (!std::exchange(said_goodbye_, true) && tls_ != nullptr) tls_->Close();
  Flush();
  if (writing_ || state_ != State::kEnding) return false;
  // To close with something unread would reset the connection, and could take the answer from the
  // client's hands (RFC 9112 section 9.6).
  ::shutdown(socket_->native_handle(), SHUT_WR);
  if (draining_) {
    Close();
    return false;
  }
  state_ = State::kLingering;
  arrived_ = {};
  Read();
  return false;
}

bool Connection::Linger() {
  discarded_ += std::exchange(arrived_, {}).size();
  if (discarded_ > core_.options.limits.body_bytes + core_.options.limits.header_bytes) {
    Close();
  } else {
    Read();
  }
  return false;
}

void Connection::OnDeadline() {
  switch (state_) {
    case State::kOpening:
    case State::kHandshake:
      core_.timed_out.fetch_add(1, std::memory_order_relaxed);
      core_.handshakes_failed.fetch_add(1, std::memory_order_relaxed);
      Report(Drop::kHandshakeTimeout);
      Close();
      break;
    case State::kReading: {
      core_.timed_out.fetch_add(1, std::memory_order_relaxed);
      Report(Drop::kRequestTimeout);
      const absl::Status status =
          MakeError(Reason::kRequestTimeout,
                    "expected the whole request within " +
                        std::to_string(core_.options.limits.request.count()) + " ms");
      if (writing_) {
        Close();
      } else {
        StartAnswer(ProblemResponse(status), /*keep_alive=*/false);
        Step();
      }
      break;
    }
    case State::kWriting: {
      core_.timed_out.fetch_add(1, std::memory_order_relaxed);
      Report(Drop::kAnswerTimeout);
      // What it does not read need not wait for it in the kernel.
      const linger abort = {.l_onoff = 1, .l_linger = 0};
      ::setsockopt(socket_->native_handle(), SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
      Close();
      break;
    }
    default:
      Leave();
      break;
  }
}

void Connection::MakeRoom() {
  Report(Drop::kMadeRoom);
  Leave();
}

void Connection::Drain() {
  draining_ = true;
  // A request whose header is not whole has not begun: its client may send it again elsewhere.
  if (place.waits) Leave();
}

void Connection::Leave() {
  if (state_ == State::kIdle && tls_ != nullptr && !writing_) {
    tls_->Close();
    Flush();
  }
  Close();
}

void Connection::Close() {
  if (state_ == State::kClosed) return;
  state_ = State::kClosed;
  worker_.out().clear();
  if (exchange_ != nullptr) exchange_->connection = nullptr;
  exchange_.reset();
  tls_.reset();
  // Now, and not with the last owner, who may be on another thread and outlive the context.
  socket_.reset();
  worker_.Remove(*this);
}

}  // namespace troth
