// A list of texts in one column.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace troth {

// Each text after its length (LEB128): none can run into another. Replaces what `out` held.
void EncodeTexts(const std::vector<std::string>& texts, std::string& out);
// Nothing when `bytes` is not such a list.
std::optional<std::vector<std::string>> DecodeTexts(std::string_view bytes);
// Takes the next text off `bytes`, which it points into; nothing when it is cut short.
std::optional<std::string_view> TakeText(std::string_view& bytes);
// Whether `text` is one of an encoded list.
bool HoldsText(std::string_view bytes, std::string_view text);

}  // namespace troth
