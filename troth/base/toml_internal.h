// toml++, for the .cc files of this library only, and under a name of its own.
//
// toml++ is header-only, and parts of it have the same symbols whatever it was configured with. An
// application that uses it as well, in another configuration, would share those symbols with us and
// crash (seen with 3.3: exceptions on in one, off in the other). So its namespace is troth_toml
// here.
#pragma once

#ifdef TOML_NAMESPACE_START
#error "include troth/base/toml_internal.h in place of <toml++/toml.h>"
#endif

#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#define toml troth_toml
#include <toml++/toml.h>
#undef toml

namespace troth {
namespace toml = ::troth_toml;
}  // namespace troth
