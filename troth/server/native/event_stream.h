// Decisions of the authority as one stream of messages to one listener.
#pragma once

#include <grpcpp/support/server_callback.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>

#include "troth/ca/authority.h"
#include "troth/v1/authority.pb.h"

namespace troth::native {

// How many decisions may wait for a listener that has read everything before them.
inline constexpr size_t kLongestEventQueue = 1024;

// Sends what the ledger has after `after_sequence` (nothing: only what is decided from now on),
// then each decision as it is made: none missed, none twice, in order. While it still reads the
// ledger nothing waits in memory, however slow the listener; once it is up to date, a listener that
// lets more than the queue's length wait is ended with listener_too_slow, as soon as it reads on.
//
// Deletes itself when gRPC is done with it.
class EventStream final : public grpc::ServerWriteReactor<v1::Event> {
 public:
  // `gone` is called once, from the destructor. `authority` outlives the stream.
  EventStream(Authority& authority, std::optional<std::uint64_t> after_sequence,
              std::function<void(EventStream*)> gone);
  EventStream(const EventStream&) = delete;
  EventStream& operator=(const EventStream&) = delete;

  // Subscribes and begins to send. Call once.
  void Begin();
  // Ends it with `why`, also in the place of Begin. Thread-safe.
  void End(const absl::Status& why);

 private:
  enum class State {
    kReading,   // what is sent comes from the ledger; live decisions are not kept
    kLive,      // what is sent comes from the queue
    kEnding,    // nothing more is sent but `end_`
    kFinished,  // Finish was called
  };

  ~EventStream() override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override { delete this; }

  void Happened(const AuthorityEvent& event);
  // Sends the next message, or finishes, unless a message is on its way.
  void Advance();
  // Fills the queue from the ledger. Called without the lock, and only while kReading; at times on
  // the thread that tells of decisions: one batch, no waiting.
  absl::Status ReadMore();
  void EndWith(const absl::Status& status);  // with the lock

  Authority& authority_;
  const std::function<void(EventStream*)> gone_;
  std::shared_ptr<void> subscription_;

  std::mutex mutex_;
  // Guarded by mutex_.
  State state_;
  bool busy_ = false;  // a message is on its way, or the ledger is being read
  // The last sequence that was put into the queue, or that the listener has; nothing before the
  // first decision of a stream that began with none.
  std::optional<std::uint64_t> queued_;
  std::uint64_t latest_ = 0;  // the last that happened
  std::deque<v1::Event> queue_;
  absl::Status end_;
  // Only of who made busy_ true.
  v1::Event sending_;
};

}  // namespace troth::native
