// certstrap's way to write options.
#pragma once

#include <string>
#include <vector>

namespace troth {

// Go programs take long options with one dash too, and the documents of certstrap's users are full
// of them: in the arguments of `troth ca`, "-ip" becomes "--ip" and "-common-name=x"
// "--common-name=x". Other commands' arguments are returned as they are.
std::vector<std::string> WithDoubleDashes(std::vector<std::string> arguments);

}  // namespace troth
