#include "examples/sping/sequence_counter.h"

namespace troth::sping {

std::int64_t SequenceCounter::Count(std::string_view sender, std::int64_t sender_sequence) {
  const auto known = by_name_.find(sender);
  if (known != by_name_.end()) {
    senders_.splice(senders_.begin(), senders_, known->second);
  } else {
    if (senders_.size() >= kMostSenders) {
      by_name_.erase(senders_.back().name);
      senders_.pop_back();
    }
    senders_.push_front({.name = std::string(sender)});
    by_name_.emplace(senders_.front().name, senders_.begin());
  }
  std::int64_t& count = senders_.front().count;
  count = sender_sequence == 1 ? 1 : count + 1;
  return count;
}

}  // namespace troth::sping
