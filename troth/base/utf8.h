// UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace troth {

// Reads the character at `at`, which lies inside `text`, and moves behind it. Nothing, and `at`
// stays, when no valid character begins there.
std::optional<char32_t> NextUtf8(std::string_view text, size_t& at);

// Whether all of `text` is UTF-8.
bool IsUtf8(std::string_view text);

}  // namespace troth
