// Finds the known word that a mistyped one was meant to be.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace troth {

// The fewest characters to insert, remove or replace that make `b` of `a` (Levenshtein's distance).
size_t EditDistance(std::string_view a, std::string_view b);

// The first of the words of `known` nearest to `word`, when it is at most `max_distance` away.
std::optional<std::string_view> NearestWord(std::string_view word,
                                            std::span<const std::string_view> known,
                                            size_t max_distance);

// "; did you mean "methods"?" when one of `known` is near enough to `word` to be what was meant,
// else empty.
std::string DidYouMean(std::string_view word, std::span<const std::string_view> known);

}  // namespace troth
