// Text that must not outlive its use: private keys in PEM, passphrases.
#pragma once

#include <string>
#include <string_view>

namespace troth {

// Owns a secret, wipes it when it goes, and cannot be printed or copied by accident. Move-only.
class Secret {
 public:
  Secret() = default;
  // Takes the text over; the caller's string is wiped.
  explicit Secret(std::string&& text);
  Secret(Secret&& other) noexcept;
  Secret& operator=(Secret&& other) noexcept;
  ~Secret();

  // The secret itself. The view dies with this object.
  std::string_view Reveal() const { return text_; }
  bool empty() const { return text_.empty(); }
  Secret Clone() const;

 private:
  std::string text_;
};

// Overwrites the whole buffer of `text` with zeros in a way that compilers keep, and empties it.
void Wipe(std::string& text);

}  // namespace troth
