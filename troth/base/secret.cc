#include "troth/base/secret.h"

#include <cstring>
#include <utility>

namespace troth {

void Wipe(std::string& text) {
  text.resize(text.capacity());
  explicit_bzero(text.data(), text.size());
  text.clear();
}

Secret::Secret(std::string&& text) : text_(text) { Wipe(text); }

// Short strings live inside the object, so a moved-from one is wiped as well.
Secret::Secret(Secret&& other) noexcept : text_(std::move(other.text_)) { Wipe(other.text_); }

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this != &other) {
    Wipe(text_);
    text_ = std::move(other.text_);
    Wipe(other.text_);
  }
  return *this;
}

Secret::~Secret() { Wipe(text_); }

Secret Secret::Clone() const { return Secret(std::string(text_)); }

}  // namespace troth
