// "Did you mean ...": the known word nearest to a mistyped one.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace troth {

// "; did you mean "methods"?" when one of `known` is near enough to `word` to be what was meant,
// else empty.
std::string DidYouMean(std::string_view word, std::span<const std::string_view> known);

}  // namespace troth
