#include "troth/authz/refusal_log.h"

#include <utility>

#include "troth/base/log.h"

namespace troth {

bool RefusalLog::MayWrite(const std::string& key, Time now, std::uint64_t& left_out) {
  const std::lock_guard lock(mutex_);
  if (second_ != now) {
    second_ = now;
    lines_ = 0;
  }
  if (seen_.size() >= kRemembered && !seen_.contains(key)) {
    std::erase_if(seen_, [&](const auto& entry) {
      if (entry.second.logged == now) return false;
      left_out_elsewhere_ += entry.second.left_out;
      return true;
    });
    if (seen_.size() >= kRemembered) {
      ++left_out_elsewhere_;
      return false;
    }
  }
  const auto [entry, is_new] = seen_.try_emplace(key, Seen{.logged = now});
  if ((!is_new && entry->second.logged == now) || lines_ >= kLinesPerSecond) {
    ++entry->second.left_out;
    return false;
  }
  ++lines_;
  entry->second.logged = now;
  left_out = std::exchange(entry->second.left_out, 0) + std::exchange(left_out_elsewhere_, 0);
  return true;
}

void RefusalLog::Write(std::string_view peer_key, const RefusedCall& call, Time now) {
  std::string key(CodeOf(call.reason));
  key += call.shadow ? "?" : "!";
  key += peer_key;
  std::uint64_t left_out = 0;
  if (!MayWrite(key, now, left_out)) return;
  Log(LogLevel::kWarning,
      call.shadow ? "call would have been refused (shadow mode)" : "call refused",
      {{"peer", call.peer},
       {"address", call.address},
       {"method", call.method},
       {"rule", call.rule},
       {"allowed_roles", call.required},
       {"reason", CodeOf(call.reason)},
       {"message", call.message},
       {"left_out", std::to_string(left_out)}});
}

}  // namespace troth
