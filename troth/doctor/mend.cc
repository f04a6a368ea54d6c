#include <algorithm>

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
    out += word.starts_with(kFile) ? ShellWord(path + std::string(word.substr(kFile.size())))
                                   : std::string(word);
  }
  return out;
}

// Replaces `path` by what `command` writes to its standard output, with its mode kept.
std::string InPlace(const std::string& command, const std::string& path) {
  const std::string file = ShellWord(path);
  const std::string copy = ShellWord(path + ".new");
  return "cp -p " + file + " " + copy + " && " + command + " > " + copy + " && mv " + copy + " " +
         file;
}

}  // namespace

std::string ConvertCommand(std::string_view message, const std::string& path) {
  const std::vector<std::string_view> parts = Split(message, '`');
  std::vector<std::string> commands;
  for (size_t i = 1; i + 1 < parts.size(); i += 2) {
    if (parts[i].starts_with("iconv ")) {
      commands.push_back(std::string(parts[i]) + " " + ShellWord(path) + " > " +
                         ShellWord(path + ".pem"));
    } else if (parts[i].find("FILE") != std::string_view::npos) {
      commands.push_back(WithPath(parts[i], path));
    }
  }
  // The result may hold a key.
  return commands.empty() ? "" : "(umask 077 && " + Join(commands, " && ") + ")";
}

std::string LineEndsCommand(const std::string& path) {
  return "sed -i -E -e 's/\\\\n/\\n/g' "
         "-e 's/[[:space:]]*(-----(BEGIN|END) [A-Z0-9 ]+-----)[[:space:]]*/\\n\\1\\n/g' "
         "-e 's/([A-Za-z0-9+\\/=]{64})[[:space:]]*/\\1\\n/g' "
         "-e 's/\\n+/\\n/g; s/^\\n//; s/\\n$//' " +
         ShellWord(path);
}

std::string ArmourCommand(const std::string& path) {
  return "{ echo '-----BEGIN CERTIFICATE-----'; tr -d '[:space:]' < " + ShellWord(path) +
         " | fold -w 64; echo; echo '-----END CERTIFICATE-----'; } > " + ShellWord(path + ".pem");
}

std::string ReorderCommand(const std::string& path, const std::vector<size_t>& order) {
  std::string blocks;
  for (const size_t at : order) {
    if (!blocks.empty()) blocks += ", ";
    blocks += "b[" + std::to_string(at + 1) + "]";
  }
  std::string format;
  for (size_t i = 0; i < order.size(); ++i) format += "%s";
  return InPlace(
      "awk '/^-----BEGIN /{n++; inside=1} inside{b[n]=b[n] $0 \"\\n\"} "
      "/^-----END /{inside=0} END{printf \"" +
          format + "\", " + blocks + "}' " + ShellWord(path),
      path);
}

std::string DecryptCommand(const std::string& path) {
  return "(umask 077 && openssl pkey -in " + ShellWord(path) + " -out " +
         ShellWord(path + ".plain") + ")";
}

std::string ReissueCommand(const Reissue& what) {
  std::vector<std::string> names;
  for (const AlternativeName& name : what.names) names.push_back(name.ToString());
  const std::string csr = ShellWord(what.certificate + ".csr");
  const std::string fresh = ShellWord(what.certificate + ".new");
  return "openssl req -new -key " + ShellWord(what.private_key) + " -subj " +
         ShellWord(what.subject) +
         (names.empty() ? "" : " -addext " + ShellWord("subjectAltName=" + Join(names, ","))) +
         " -out " + csr + " && troth ca sign renewed --csr " + csr + " --ca-certificate " +
         ShellWord(what.ca_certificate) + " --ca-key " + ShellWord(what.ca_key) + " --out " +
         fresh + " && mv " + fresh + " " + ShellWord(what.certificate) + " && rm " + csr;
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
