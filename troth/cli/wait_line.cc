#include "troth/cli/wait_line.h"

#include <algorithm>

#include "troth/base/time.h"

namespace troth {
namespace {

constexpr std::chrono::seconds kFirstRepeat{60};
constexpr std::string_view kEraseLine = "\r\x1b[K";

}  // namespace

void WaitLine::Show(std::string_view what, std::chrono::seconds waited, std::string_view detail) {
  if (where_ == Where::kTerminal) {
    out_ << kEraseLine << what << " · " << FormatDuration(waited);
    if (!detail.empty()) out_ << " · " << detail;
    out_ << std::flush;
    shown_ = true;
    return;
  }
  if (what == last_what_ && waited < next_) return;
  out_ << what;
  if (waited.count() > 0) out_ << " (for " << FormatDuration(waited) << ")";
  out_ << std::endl;
  last_what_ = what;
  next_ = std::max(kFirstRepeat, waited * 2);
}

void WaitLine::Clear() {
  if (!shown_) return;
  out_ << kEraseLine << std::flush;
  shown_ = false;
}

}  // namespace troth
