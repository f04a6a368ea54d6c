// Conversions between std::string_view and absl's, which are different types in distributions that
// build Abseil for C++14, and small text helpers.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace troth {

using AbslStringView = decltype(std::declval<const absl::Status&>().message());

inline AbslStringView ToAbsl(std::string_view text) { return {text.data(), text.size()}; }
inline std::string_view ToStd(AbslStringView text) { return {text.data(), text.size()}; }

// "a, b, c".
std::string Join(const std::vector<std::string>& parts, std::string_view separator);
// Pieces of `text` between `separator`; an empty text has one empty piece.
std::vector<std::string_view> Split(std::string_view text, char separator);
std::string_view TrimWhitespace(std::string_view text);
std::string ToLowerAscii(std::string_view text);
bool EqualsIgnoreCaseAscii(std::string_view a, std::string_view b);
// "*" in `pattern` stands for any run of characters, also an empty one; the rest is compared as it
// is. A "*" in `text` is a character like any other. At most the product of the lengths in steps.
bool GlobMatches(std::string_view pattern, std::string_view text);

// `text` fit to be printed on one line of a terminal or log: control characters, quotes,
// backslashes and bytes above 0x7e become \xNN, and what is longer than `max` is cut with "...".
std::string Printable(std::string_view text, size_t max = 200);

}  // namespace troth
