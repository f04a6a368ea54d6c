// Texts as Python writes them: the bodies of the original server are made of such texts, and its
// clients show them to people and search them.
#pragma once

#include <string>
#include <string_view>

namespace troth::caramel {

// repr() of a str: in single quotes, or in double ones when it holds only single ones; control
// characters, spaces other than ' ' and what has no glyph as \n, \x85, \u200b. `text` is UTF-8;
// malformed bytes become U+FFFD. Code points that Unicode has not assigned are written as they are,
// where Python escapes them.
std::string PythonRepr(std::string_view text);

// json.dumps() of a str: all ASCII, "\u00f6" for what is not. Malformed UTF-8 becomes \ufffd.
std::string PythonJson(std::string_view text);

}  // namespace troth::caramel
