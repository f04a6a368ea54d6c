// Words of command lines that are printed for people to run.
#pragma once

#include <string>
#include <string_view>

namespace troth {

// `word` as a shell takes it: quoted only when it has to be.
std::string ShellWord(std::string_view word);

}  // namespace troth
