// Bytes as text.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace troth {

// Lower-case hexadecimal, two digits a byte.
std::string ToHex(std::string_view bytes);
// Upper- or lower-case digits, also with ':' between bytes ("AB:CD"). Nothing when it is anything
// else.
std::optional<std::string> FromHex(std::string_view text);

// RFC 4648 section 4, with padding.
std::string ToBase64(std::string_view bytes);
// RFC 4648 section 4. Padding is required, unused bits are zero, white space is not allowed.
std::optional<std::string> FromBase64(std::string_view text);

// RFC 4648 section 5, without padding.
std::string ToBase64Url(std::string_view bytes);
// RFC 4648 section 5. No padding, unused bits are zero, white space is not allowed: one text for
// the same bytes.
std::optional<std::string> FromBase64Url(std::string_view text);

}  // namespace troth
