// A connection's life: opening, TLS, reading and writing, deadlines and its end.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <cerrno>
#include <utility>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/http/answer_head_internal.h"
#include "troth/http/connection_internal.h"
#include "troth/http/worker_internal.h"

namespace troth {
namespace {

using std::chrono::steady_clock;

constexpr char kHandshakeRecord = 0x16;  // RFC 8446 section 5.1
constexpr std::chrono::seconds kLinger{2};
// In words that ExplainHandshake knows.
constexpr std::string_view kHungUp = "unexpected eof during the handshake";

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
  Report(Drop::kNotTls, "what the client sent is neither TLS nor HTTP");
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
      Report(Drop::kHandshakeFailed, kHungUp);
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
