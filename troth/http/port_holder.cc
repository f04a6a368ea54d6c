#include <charconv>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string_view>

#include "troth/base/strings.h"
#include "troth/http/port_holder_internal.h"

namespace troth {
namespace {

namespace fs = std::filesystem;

// The inodes of the sockets that listen on `port`: lines of `table` are "sl local_address
// rem_address st tx:rx tr:tm retrnsmt uid timeout inode ...", addresses "HEX:HEXPORT".
void AddListeners(const char* table, std::uint16_t port, std::set<std::string>& inodes) {
  std::ifstream file(table);
  std::string line;
  std::getline(file, line);
  while (std::getline(file, line)) {
    std::istringstream words(line);
    std::string slot;
    std::string local;
    std::string remote;
    std::string state;
    std::string skipped;
    std::string inode;
    words >> slot >> local >> remote >> state;
    for (int i = 0; i < 5; ++i) words >> skipped;
    words >> inode;
    const size_t colon = local.rfind(':');
    if (colon == std::string::npos || state != "0A") continue;  // TCP_LISTEN
    unsigned number = 0;
    std::from_chars(local.data() + colon + 1, local.data() + local.size(), number, 16);
    if (number == port) inodes.insert("socket:[" + inode + "]");
  }
}

bool HasOneOf(const fs::path& process, const std::set<std::string>& inodes) {
  std::error_code error;
  for (fs::directory_iterator it(process / "fd", error), end; !error && it != end;
       it.increment(error)) {
    std::error_code ignored;
    if (inodes.contains(fs::read_symlink(it->path(), ignored).string())) return true;
  }
  return false;
}

}  // namespace

std::string DescribePortHolder(std::uint16_t port) {
  std::set<std::string> inodes;
  AddListeners("/proc/net/tcp", port, inodes);
  AddListeners("/proc/net/tcp6", port, inodes);
  if (inodes.empty()) return {};
  std::error_code error;
  for (fs::directory_iterator it("/proc", error), end; !error && it != end; it.increment(error)) {
    const std::string id = it->path().filename().string();
    if (id.find_first_not_of("0123456789") != std::string::npos) continue;
    if (!HasOneOf(it->path(), inodes)) continue;
    std::ifstream file(it->path() / "comm");
    std::string name;
    std::getline(file, name);
    return "process " + id + " (" + Printable(name) + ")";
  }
  return "another process";
}

}  // namespace troth
