// Patterns of methods, as the rules of a policy name them.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace troth {

// No pattern is longer. Bytes.
inline constexpr size_t kMaxPatternBytes = 1024;

// Matches whole method names, "/package.Service/Method" or "GET /path". Immutable.
//
//   /package.Service/Method       that method
//   /package.Service/*            every method of the service
//   /package.Service/Internal*    those whose name begins with Internal
//   /package.*                    every service whose full name begins with "package."
//   GET /packets/*                HTTP: the verb, one space, the path
//   *                             everything
//
// "*" stands for any rest, also an empty one, and may only be the last character. Everything before
// it is the literal part.
class MethodPattern {
 public:
  // Errors: policy_invalid, with what is wrong and how to write it.
  static absl::StatusOr<MethodPattern> Parse(std::string_view text);

  const std::string& text() const { return text_; }
  std::string_view literal() const {
    return std::string_view(text_).substr(0, text_.size() - (is_prefix_ ? 1 : 0));
  }
  // Ends with "*".
  bool is_prefix() const { return is_prefix_; }
  bool Matches(std::string_view method) const {
    return is_prefix_ ? method.starts_with(literal()) : method == literal();
  }
  bool operator==(const MethodPattern&) const = default;

 private:
  explicit MethodPattern(std::string_view text) : text_(text), is_prefix_(text.ends_with('*')) {}
  std::string text_;
  bool is_prefix_;
};

}  // namespace troth
