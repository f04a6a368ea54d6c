#include "troth/ca/files_internal.h"

#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "troth/base/reason.h"
#include "troth/base/strings.h"

namespace troth {

std::string Quoted(const std::string& path) { return "'" + Printable(path, 400) + "'"; }

absl::Status RemoveFile(const std::string& path) {
  if (unlink(path.c_str()) == 0 || errno == ENOENT) return absl::OkStatus();
  return MakeError(Reason::kFileWriteFailed,
                   "cannot remove " + Quoted(path) + ": " +
                       std::error_code(errno, std::generic_category()).message());
}

}  // namespace troth
