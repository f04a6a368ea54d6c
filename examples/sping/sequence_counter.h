// How many pings the server has counted of each sender.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

namespace troth::sping {

// Bounded, because callers choose the names: the sender that was silent longest is forgotten, and
// then counts from 1 again. Not thread-safe.
class SequenceCounter {
 public:
  static constexpr size_t kMostSenders = 10'000;
  static constexpr size_t kLongestSender = 256;  // bytes; the server refuses longer names

  // Counts a ping with the sender's own number: 1 begins anew, any other adds one. Returns the
  // count. Allocates nothing for a sender that is known.
  std::int64_t Count(std::string_view sender, std::int64_t sender_sequence);

  size_t senders() const { return by_name_.size(); }

 private:
  struct Sender {
    std::string name;
    std::int64_t count = 0;
  };
  std::list<Sender> senders_;  // heard of last first
  std::unordered_map<std::string_view, std::list<Sender>::iterator> by_name_;  // views of senders_
};

}  // namespace troth::sping
