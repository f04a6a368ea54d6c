#include <algorithm>
#include <filesystem>

#include "troth/base/shell_word.h"
#include "troth/base/strings.h"
#include "troth/doctor/mend_internal.h"

namespace troth {
namespace {

// `command` with FILE as `path`, and FILE.pem as `path`.pem.
std::string WithPath(std::string_view command, const std::string& path) {
  constexpr std::string_view kFile = "FILE";
  std::string out;
  for (const std::string_view word : Split(command, ' ')) {
    if (!out.empty()) out += ' ';
    out += word.starts_with(kFile) ? PathWord(path + std::string(word.substr(kFile.size())))
                                   : std::string(word);
  }
  return out;
}

bool IsLink(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::is_symlink(path, ignored);
}

// A file, or a link to one that is not there.
bool IsTaken(const std::string& path) {
  std::error_code ignored;
  return IsLink(path) || std::filesystem::exists(path, ignored);
}

// `command`, which makes the files `made`, unless one of them is there, now or when it is run.
std::string Making(const std::vector<std::string>& made, const std::string& command) {
  std::string guards;
  for (const std::string& path : made) {
    if (IsTaken(path)) return "";
    const std::string word = PathWord(path);
    guards += "[ ! -e " + word + " ] && [ ! -L " + word + " ] && ";
  }
  return guards + command;
}

// Replaces `path` by what `command` writes to its standard output, with its mode kept.
std::string InPlace(const std::string& command, const std::string& path) {
  if (IsLink(path)) return "";
  const std::string file = PathWord(path);
  const std::string copy = PathWord(path + ".new");
  return Making({path + ".new"}, "cp -p " + file + " " + copy + " && " + command + " > " + copy +
                                     " && mv " + copy + " " + file);
}

}  // namespace

std::string PathWord(const std::string& path) {
  return ShellWord(path.starts_with('-') ? "./" + path : path);
}

std::string SedCommand(const std::string& expression, const std::string& path) {
  return IsLink(path) ? "" : "sed -i " + expression + " " + PathWord(path);
}

std::string ConvertCommand(std::string_view message, const std::string& path) {
  const std::vector<std::string_view> parts = Split(message, '`');
  std::vector<std::string> commands;
  const std::vector<std::string> made = {path + ".pem"};
  for (size_t i = 1; i + 1 < parts.size(); i += 2) {
    const bool reads_key = parts[i].find(" pkcs12 ") != std::string_view::npos ||
                           parts[i].find(" pkey -inform") != std::string_view::npos ||
                           parts[i].starts_with("keytool ");
    if (reads_key) return "";
    if (parts[i].starts_with("iconv ")) {
      commands.push_back(std::string(parts[i]) + " " + PathWord(path) + " > " +
                         PathWord(path + ".pem"));
    } else if (parts[i].find("FILE") != std::string_view::npos) {
      commands.push_back(WithPath(parts[i], path));
    }
  }
  return commands.empty() ? "" : Making(made, "(umask 077 && " + Join(commands, " && ") + ")");
}

std::string LineEndsCommand(const std::string& path) {
  return SedCommand(
      "-E -e 's/\\\\n/\\n/g' "
      "-e 's/[[:space:]]*(-----(BEGIN|END) [A-Z0-9 ]+-----)[[:space:]]*/\\n\\1\\n/g' "
      "-e 's/([A-Za-z0-9+\\/=]{64})[[:space:]]*/\\1\\n/g' "
      "-e 's/\\n+/\\n/g; s/^\\n//; s/\\n$//'",
      path);
}

std::string ArmourCommand(const std::string& path) {
  return Making({path + ".pem"}, "{ echo '-----BEGIN CERTIFICATE-----'; tr -d '[:space:]' < " +
                                     PathWord(path) +
                                     " | fold -w 64; echo; echo '-----END CERTIFICATE-----'; } > " +
                                     PathWord(path + ".pem"));
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

std::string ReissueCommand(const Reissue& what) {
  if (IsLink(what.certificate)) return "";
  std::vector<std::string> names;
  for (const AlternativeName& name : what.names) names.push_back(name.ToString());
  const std::string csr = PathWord(what.certificate + ".csr");
  const std::string fresh = PathWord(what.certificate + ".new");
  return Making(
      {what.certificate + ".csr", what.certificate + ".new"},
      "openssl req -new -key " + PathWord(what.private_key) + " -subj " + ShellWord(what.subject) +
          (names.empty() ? "" : " -addext " + ShellWord("subjectAltName=" + Join(names, ","))) +
          " -out " + csr + " && troth ca sign renewed --csr " + csr + " --ca-certificate " +
          PathWord(what.ca_certificate) + " --ca-key " + PathWord(what.ca_key) + " --expires " +
          ShellWord(what.lifetime) + " --out " + fresh + " && mv " + fresh + " " +
          PathWord(what.certificate) + " && rm " + csr);
}

std::string SlashesOf(const DistinguishedName& name) {
  std::string out;
  for (const NameAttribute& attribute : name.attributes()) {
    out += "/" + attribute.key + "=";
    for (const char c : attribute.value) {
      if (c == '/' || c == '\\' || c == '+' || c == '=') out += '\\';
      out += c;
    }
  }
  return out.empty() ? "/" : out;
}

}  // namespace troth
