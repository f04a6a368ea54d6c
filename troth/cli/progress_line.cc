#include "troth/cli/progress_line.h"

#include <algorithm>

namespace troth {
namespace {

constexpr auto kInterval = std::chrono::milliseconds(100);

// "1,200,000".
std::string Grouped(std::uint64_t number) {
  std::string digits = std::to_string(number);
  for (size_t at = digits.size(); at > 3;) {
    at -= 3;
    digits.insert(at, 1, ',');
  }
  return digits;
}

}  // namespace

void ProgressLine::Show(std::uint64_t done, std::uint64_t total, const std::string& more) {
  if (!session_.interactive || session_.json) return;
  const auto now = std::chrono::steady_clock::now();
  if (next_.has_value() && now < *next_ && done != total) return;
  next_ = now + kInterval;
  std::string line = what_ + " " + Grouped(done);
  if (total > 0) {
    line += " of " + Grouped(total) + " (" +
            std::to_string(
                static_cast<int>(100.0 * static_cast<double>(done) / static_cast<double>(total))) +
            "%)";
  }
  if (!more.empty()) line += ", " + more;
  const size_t width = line.size();
  line.resize(std::max(width, width_), ' ');
  width_ = width;
  session_.err << "\r" << line << std::flush;
}

void ProgressLine::Wipe() {
  if (width_ == 0) return;
  session_.err << "\r" << std::string(width_, ' ') << "\r" << std::flush;
  width_ = 0;
}

}  // namespace troth
