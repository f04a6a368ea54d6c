// Writes JSON (RFC 8259).
#pragma once

#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "troth/base/time.h"

namespace troth {

class JsonObject;

// One value, as text. Made from what it stands for: text, truth, numbers, times, nothing
// (null), objects, and lists and optionals of these.
class JsonValue {
 public:
  JsonValue(std::nullptr_t = nullptr) : text_("null") {}
  // What is not UTF-8 becomes U+FFFD, for a document with it would be none.
  JsonValue(std::string_view text);
  JsonValue(const std::string& text) : JsonValue(std::string_view(text)) {}
  JsonValue(const char* text) : JsonValue(std::string_view(text)) {}
  JsonValue(std::same_as<bool> auto truth) : text_(truth ? "true" : "false") {}
  JsonValue(std::integral auto number) requires(!std::same_as<decltype(number), bool>)
      : text_(std::to_string(number)) {}
  // In the fewest digits that mean it; null when it is not finite.
  JsonValue(double number);
  // As FormatTime writes it.
  JsonValue(Time time) : JsonValue(FormatTime(time)) {}
  JsonValue(const JsonObject& object);
  template <typename T>
  JsonValue(const std::optional<T>& value)
      : JsonValue(value.has_value() ? JsonValue(*value) : JsonValue()) {}
  template <typename T>
  JsonValue(const std::vector<T>& list) : text_("[") {
    for (const T& value : list) {
      if (text_.size() > 1) text_ += ", ";
      text_ += JsonValue(value).text_;
    }
    text_ += "]";
  }
  // A number that is written already, such as "0.25".
  static JsonValue Number(std::string_view digits);

  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

// Members in the order in which they are added. A name is used once: that is the caller's duty.
class JsonObject {
 public:
  using Members = std::initializer_list<std::pair<std::string_view, JsonValue>>;

  JsonObject() = default;
  JsonObject(Members members) { Add(members); }
  JsonObject& Add(std::string_view name, const JsonValue& value);
  JsonObject& Add(Members members);
  // The members of another one.
  JsonObject& Add(const JsonObject& other);

  // {"a": 1, "b": "x"}, in one line.
  std::string text() const { return "{" + members_ + "}"; }

 private:
  std::string members_;  // as in text()
};

}  // namespace troth
