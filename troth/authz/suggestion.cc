#include "troth/authz/suggestion.h"

#include <algorithm>

#include "troth/base/nearest_word.h"

namespace troth {

std::string DidYouMean(std::string_view word, std::span<const std::string_view> known) {
  constexpr size_t kLongestWord = 64;
  if (word.size() > kLongestWord) return "";
  const auto nearest = NearestWord(word, known, std::max<size_t>(2, word.size() / 3));
  // A word that shares nothing with the typed one is no help.
  if (!nearest.has_value() || EditDistance(word, *nearest) >= nearest->size()) return "";
  return "; did you mean \"" + std::string(*nearest) + "\"?";
}

}  // namespace troth
