#include "troth/server/native/event_stream.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "troth/base/reason.h"
#include "troth/ca/operations.h"
#include "troth/server/native/call_answer.h"
#include "troth/server/native/messages.h"

namespace troth::native {
namespace {

// Entries that are read from the ledger at a time.
constexpr size_t kBatch = 256;

}  // namespace

EventStream::EventStream(Authority& authority, std::optional<std::uint64_t> after_sequence,
                         std::function<void(EventStream*)> gone)
    : authority_(authority),
      gone_(std::move(gone)),
      state_(after_sequence.has_value() ? State::kReading : State::kLive),
      queued_(after_sequence) {}

EventStream::~EventStream() {
  // Waits for a callback that is running, which may want the lock.
  subscription_.reset();
  gone_(this);
}

void EventStream::Begin() {
  {
    // Nothing is sent before the subscription is kept: the end of the stream drops it.
    const std::lock_guard lock(mutex_);
    busy_ = true;
  }
  subscription_ = authority_.Subscribe([this](const AuthorityEvent& event) { Happened(event); });
  StartSendInitialMetadata();
  {
    const std::lock_guard lock(mutex_);
    busy_ = false;
  }
  Advance();
}

void EventStream::End(const absl::Status& why) {
  {
    const std::lock_guard lock(mutex_);
    EndWith(why);
  }
  Advance();
}

void EventStream::Happened(const AuthorityEvent& event) {
  {
    const std::lock_guard lock(mutex_);
    latest_ = std::max(latest_, event.sequence);
    if (state_ != State::kLive || event.sequence <= queued_.value_or(0)) return;
    if (queued_.has_value() && event.sequence != *queued_ + 1) {
      // Something that nobody was told of was written in between.
      state_ = State::kReading;
    } else if (queue_.size() >= kLongestEventQueue) {
      EndWith(MakeError(Reason::kListenerTooSlow,
                        std::to_string(kLongestEventQueue) +
                            " decisions wait to be read; watch again after the last sequence that "
                            "you have, and read faster"));
    } else {
      queue_.push_back(ToMessage(event));
      queued_ = event.sequence;
    }
  }
  Advance();
}

void EventStream::EndWith(const absl::Status& status) {
  if (state_ == State::kEnding || state_ == State::kFinished) return;
  state_ = State::kEnding;
  end_ = status;
  queue_.clear();
}

void EventStream::Advance() {
  while (true) {
    absl::Status end;
    {
      const std::lock_guard lock(mutex_);
      if (busy_ || state_ == State::kFinished) return;
      if (state_ == State::kEnding) {
        state_ = State::kFinished;
        end = end_;
      } else if (!queue_.empty()) {
        busy_ = true;
        sending_ = std::move(queue_.front());
        queue_.pop_front();
      } else if (state_ == State::kReading) {
        busy_ = true;
      } else {
        return;
      }
    }
    if (!end.ok()) {
      Finish(ToAnswer(end));
      return;
    }
    if (sending_.sequence() != 0) {
      StartWrite(&sending_);
      return;
    }
    const absl::Status read = ReadMore();
    const std::lock_guard lock(mutex_);
    busy_ = false;
    if (!read.ok()) EndWith(read);
  }
}

absl::Status EventStream::ReadMore() {
  std::uint64_t after = 0;
  {
    const std::lock_guard lock(mutex_);
    after = queued_.value_or(0);
  }
  std::vector<v1::Event> batch;
  const auto head =
      authority_.AsOperator("event stream")->ReadLedger(after + 1, [&](const LedgerEntry& entry) {
        batch.push_back(ToMessage(AuthorityEvent{entry.sequence, entry.note}));
        return batch.size() < kBatch;
      });
  if (!head.ok()) return head.status();
  if (head->sequence < after) {
    return MakeError(Reason::kLedgerBroken,
                     "the ledger ends with entry " + std::to_string(head->sequence) +
                         ", and entry " + std::to_string(after) +
                         " has been seen; a backup without it may have been restored");
  }
  const std::lock_guard lock(mutex_);
  if (state_ != State::kReading) return absl::OkStatus();
  for (v1::Event& event : batch) {
    queued_ = event.sequence();
    queue_.push_back(std::move(event));
  }
  // What happened by now was read; what happens from here on is seen by Happened.
  if (batch.size() < kBatch && latest_ <= queued_.value_or(0)) state_ = State::kLive;
  return absl::OkStatus();
}

void EventStream::OnWriteDone(bool ok) {
  {
    const std::lock_guard lock(mutex_);
    busy_ = false;
    sending_.Clear();
    if (!ok) EndWith(MakeError(Reason::kConnectionFailed, "the listener is gone"));
  }
  Advance();
}

void EventStream::OnCancel() {
  {
    const std::lock_guard lock(mutex_);
    EndWith(MakeError(Reason::kConnectionFailed, "the listener is gone"));
  }
  Advance();
}

}  // namespace troth::native
