// The ASN.1 string types that names are written in, as UTF-8.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace troth {

// Whether three quarters or more of `text` are printable characters and white space in UTF-8: what
// a person would call text, with some damage.
bool IsMostlyPrintable(std::string_view text);
// The number of characters of a text that is UTF-8.
size_t CountUtf8Characters(std::string_view text);

// Whether `tag` is a string type that DecodeDirectoryString knows: PrintableString, UTF8String,
// TeletexString, BMPString, UniversalString, IA5String, NumericString.
bool IsDirectoryString(std::uint8_t tag);

// The content of a string element as UTF-8; nothing when it is not valid for its type, or holds
// U+0000 (which only an attack has). Deviations, for the sake of certificates in use: a
// TeletexString is read as Latin-1, as everyone writes it; a PrintableString may hold * @ & _ too.
std::optional<std::string> DecodeDirectoryString(std::uint8_t tag, std::string_view content);

// Whether `text` may stand in a PrintableString (X.680 section 41.4, without the deviation above).
bool IsPrintableString(std::string_view text);

// `text`, valid UTF-8, without what could deceive a reader on a terminal: control characters (C0,
// DEL, C1) and the invisible and direction-changing ones (U+200B-200F, U+2028-202E, U+2060-206F,
// U+FEFF) become \XX for each of their bytes, as RFC 4514 section 2.4 has it.
std::string EscapeInvisible(std::string_view text);

}  // namespace troth
