// What the code that works on files of an authority says and does alike.
#pragma once

#include <string>

#include "absl/status/status.h"

namespace troth {

// A path as messages name it: 'a/b'.
std::string Quoted(const std::string& path);
// One that is not there is fine. Errors: file_write_failed.
absl::Status RemoveFile(const std::string& path);

}  // namespace troth
