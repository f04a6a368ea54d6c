// One connection of a server, from its first byte to its last. Lives on one thread.
#pragma once

#include <array>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "troth/http/server_core_internal.h"
#include "troth/http/tls_session_internal.h"

namespace troth {

class Worker;

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  using Instant = std::chrono::steady_clock::time_point;
  using List = std::list<std::shared_ptr<Connection>>;
  using PointerList = std::list<Connection*>;
  static constexpr Instant kNever = Instant::max();

  Connection(Worker& worker, Arrival arrival);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void Start();
  // The handler's answer to its present request.
  void OnAnswer(HttpResponse response);
  // Its deadline is past.
  void OnDeadline();
  // It waits, and another needs its place.
  void MakeRoom();
  // Takes no further request; goes now when none has begun.
  void Drain();
  // Ends it here and now. Called by its own thread, by somebody who holds it.
  void Close();

  Instant deadline() const { return deadline_; }
  const std::string& group() const { return group_; }

  // Where the worker has it.
  struct Place {
    List::iterator in_all;
    PointerList::iterator in_list;  // of those that wait, or of the others
    bool waits = false;
    Instant waiting_since;
  };
  Place place;

 private:
  // kOpening -> kHandshake -> kIdle on a TLS port, kIdle from the beginning on others; then
  // kIdle -> kReading -> kAnswering -> kWriting and back to kIdle; a request that is refused goes
  // from kReading to kWriting. kEnding, kLingering and kClosed end each of them.
  enum class State {
    kOpening,  // nothing came yet
    kHandshake,
    kIdle,       // between requests
    kReading,    // a request has begun
    kAnswering,  // the handler has it
    kWriting,    // the answer is on its way
    kEnding,     // the last is to be flushed
    kLingering,  // everything is sent: reads on, so that the peer gets it and not a reset
    kClosed,
  };

  // Works until it has to wait.
  void Step();
  // One each; true: there is more to do at once.
  bool Open();
  bool Handshake();
  bool ReadRequest();
  bool OnHeader(bool whole);
  bool OnRequest();
  bool WriteAnswer();
  bool End();
  bool Linger();

  void Read();
  void OnRead(const boost::system::error_code& error, size_t count);
  void OnPeerGone(std::string_view why);
  // Decrypted bytes of the peer, in memory that is good until the next Read or Receive.
  TlsSession::Result Receive(std::string_view& got);
  // To the worker's out; Flush sends that.
  bool Write(std::string_view bytes);
  void Flush();
  void WriteUnsent();
  void OnWritten(const boost::system::error_code& error, size_t count);

  void AcknowledgeNow();
  void BecomeIdle();
  void BeginRequest();
  // There is no memory for the body of this request.
  void RefuseBody();
  std::optional<HttpResponse> AskGuard() const;
  void StartAnswer(HttpResponse response, bool keep_alive);
  void FinishAnswer();
  void RefusePlainHttp();
  void BeginEnd();
  // Goes at once, with a goodbye where that is easy.
  void Leave();
  void Report(Drop drop, std::string_view why = {}) const;

  Worker& worker_;
  ServerCore& core_;
  const std::string address_;
  const std::string group_;
  std::optional<boost::asio::basic_stream_socket<boost::asio::generic::stream_protocol,
                                                 boost::asio::io_context::executor_type>>
      socket_;  // gone once it is closed
  State state_;
  Instant deadline_ = kNever;
  bool reading_ = false;
  bool writing_ = false;

  std::unique_ptr<TlsSession> tls_;
  TlsSession::Shown shown_;  // by the client, once and for all

  std::string_view arrived_;  // of raw_, not looked at yet; with TLS, the session has it
  std::string pending_;       // decrypted, and not parsed yet
  bool starved_ = false;      // the parser wants more than is pending
  size_t discarded_ = 0;      // while lingering

  std::shared_ptr<Exchange> exchange_;
  HttpResponse response_;  // what is being written
  size_t body_size_ = 0;   // of it, to be sent
  size_t body_sent_ = 0;
  bool head_sent_ = false;
  bool keep_alive_ = false;
  bool is_http_1_0_ = false;
  bool said_goodbye_ = false;
  bool draining_ = false;

  std::string unsent_;  // what the socket did not take at once
  std::array<char, 4096> raw_;
};

}  // namespace troth
