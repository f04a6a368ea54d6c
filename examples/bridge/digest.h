// Stand-ins for the bridge's real cryptography: what matters in this example is who may ask for a
// signature, not what is in it.
#pragma once

#include <string>
#include <string_view>

namespace bridge {

// 32 random bytes.
std::string RandomKey();
// SHA-256 of key and text: 32 bytes.
std::string Digest(std::string_view key, std::string_view text);
// What a key is known by: 32 bytes.
std::string PublicOf(std::string_view key);

}  // namespace bridge
