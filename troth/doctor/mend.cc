#include "troth/doctor/mend_internal.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <optional>

#include "troth/base/shell_word.h"

namespace troth {
namespace {

bool IsLink(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::is_symlink(path, ignored);
}

// A file, or a link to one that is not there.
bool IsTaken(const std::string& path) {
  std::error_code ignored;
  return IsLink(path) || std::filesystem::exists(path, ignored);
}

bool IsOfGroup(gid_t group) {
  if (group == getegid()) return true;
  std::vector<gid_t> groups(static_cast<size_t>(std::max(0, getgroups(0, nullptr))));
  const int count = getgroups(static_cast<int>(groups.size()), groups.data());
  groups.resize(static_cast<size_t>(std::max(0, count)));
  return std::ranges::find(groups, group) != groups.end();
}

// Replaces `path` by what `command` writes to its standard output, with its mode kept.
std::string InPlace(const std::string& command, const std::string& path) {
  if (!CanReplace(path)) return "";
  const std::string file = PathWord(path);
  const std::string copy = PathWord(path + ".new");
  return Making({path + ".new"}, "cp -p " + file + " " + copy + " && " + command + " > " + copy +
                                     " && mv " + copy + " " + file);
}

// `command`, which makes `made`. When it writes a key, only its owner can read that; and OpenSSL
// leaves an empty file behind when the passphrase was wrong.
std::string MakingOne(const std::string& made, const std::string& command, bool writes_key) {
  if (!writes_key) return Making({made}, command);
  return Making({made},
                "(umask 077 && " + command + " || { rm -f " + PathWord(made) + "; false; })");
}

}  // namespace

std::string PathWord(const std::string& path) {
  return ShellWord(path.starts_with('-') ? "./" + path : path);
}

std::string Making(const std::vector<std::string>& made, const std::string& command) {
  std::string guards;
  for (const std::string& path : made) {
    if (IsTaken(path)) return "";
    const std::string word = PathWord(path);
    guards.append("[ ! -e ").append(word).append(" ] && [ ! -L ").append(word).append(" ] && ");
  }
  return guards + command;
}

bool CanReplace(const std::string& path) {
  struct stat file {};
  if (lstat(path.c_str(), &file) != 0 || !S_ISREG(file.st_mode) || file.st_nlink != 1) return false;
  return geteuid() == 0 || (file.st_uid == geteuid() && IsOfGroup(file.st_gid));
}

std::string ConvertCommand(const Unarmoured& what, const std::string& path) {
  const std::string made = path + ".pem";
  const std::string file = PathWord(path);
  if (what.kind == TextKind::kUtf16) {
    return MakingOne(made, "iconv -f UTF-16 -t UTF-8 " + file + " > " + PathWord(made),
                     what.holds_key);
  }
  const std::string_view tool = InfoOf(what.kind).openssl;
  if (tool.empty()) return "";
  const std::string openssl = "openssl " + std::string(tool);
  const std::string command = what.is_base64
                                  ? "tr -d '[:space:]' < " + file + " | base64 -d | " + openssl
                                  : openssl + " -in " + file;
  return MakingOne(made, command + " -out " + PathWord(made), what.holds_key);
}

std::string ConvertBlockCommand(std::string_view label, const std::string& path) {
  const std::string made = path + ".pem";
  return Making({made}, std::string("openssl ") +
                            (label == "PKCS7" ? "pkcs7 -print_certs" : "x509") + " -in " +
                            PathWord(path) + " -out " + PathWord(made));
}

std::string DecryptCommand(const std::string& path) {
  const std::string made = path + ".plain";
  return MakingOne(made, "openssl pkey -in " + PathWord(path) + " -out " + PathWord(made), true);
}

std::string SedCommand(const std::string& expression, const std::string& path) {
  return CanReplace(path) ? "sed -i " + expression + " " + PathWord(path) : "";
}

std::string LineEndsCommand(const std::string& path) {
  return SedCommand(
      "-E -e 's/\\\\n/\\n/g' "
      "-e 's/[[:space:]]*(-----(BEGIN|END) [A-Z0-9 ]+-----)[[:space:]]*/\\n\\1\\n/g' "
      "-e 's/([A-Za-z0-9+\\/=]{64})[[:space:]]*/\\1\\n/g' "
      "-e 's/\\n+/\\n/g; s/^\\n//; s/\\n$//'",
      path);
}

std::string ReorderCommand(const std::string& path, const std::vector<size_t>& order) {
  std::string blocks;
  for (const size_t at : order) {
    if (!blocks.empty()) blocks += ", ";
    blocks += "b[" + std::to_string(at) + "]";
  }
  const std::string count = std::to_string(order.size());
  std::string format = "%s";  // what follows the last block
  for (size_t i = 0; i < order.size(); ++i) format += "%s";
  return InPlace("awk 'BEGIN{n=0} {b[n]=b[n] $0 \"\\n\"} /^-----END /{n++} END{if (n != " + count +
                     ") exit 1; printf \"" + format + "\", " + blocks + ", b[" + count + "]}' " +
                     PathWord(path),
                 path);
}

}  // namespace troth
