#include "troth/base/nearest_word.h"

#include <algorithm>
#include <numeric>
#include <vector>

namespace troth {

size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);  // distances of a prefix of `a` to every prefix of `b`
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, diagonal + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

std::optional<std::string_view> NearestWord(std::string_view word,
                                            std::span<const std::string_view> known,
                                            size_t max_distance) {
  std::optional<std::string_view> nearest;
  size_t best = max_distance + 1;
  for (const std::string_view candidate : known) {
    // Cheaper than the distance, and never more than it.
    const size_t lengths = word.size() > candidate.size() ? word.size() - candidate.size()
                                                          : candidate.size() - word.size();
    if (lengths >= best) continue;
    if (const size_t distance = EditDistance(word, candidate); distance < best) {
      nearest = candidate;
      best = distance;
    }
  }
  return nearest;
}

std::string DidYouMean(std::string_view word, std::span<const std::string_view> known) {
  constexpr size_t kLongestWord = 64;
  if (word.size() > kLongestWord) return "";
  const auto nearest = NearestWord(word, known, std::max<size_t>(2, word.size() / 3));
  // A word that shares nothing with the typed one is no help.
  if (!nearest.has_value() || EditDistance(word, *nearest) >= nearest->size()) return "";
  return "; did you mean \"" + std::string(*nearest) + "\"?";
}

}  // namespace troth
