#include "examples/bridge/demo/site.h"

#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <utility>

#include "troth/base/file.h"
#include "troth/base/strings.h"

namespace bridge {
namespace {

namespace fs = std::filesystem;

// The value of `"name": "value"` in a line of JSON that `troth` printed.
std::string MemberOf(const std::string& json, const std::string& name) {
  const std::string begin = "\"" + name + "\": \"";
  const size_t at = json.find(begin);
  if (at == std::string::npos) return "";
  const size_t from = at + begin.size();
  return json.substr(from, json.find('"', from) - from);
}

// As a shell takes it.
std::string Typed(const std::string& word) {
  return word.find_first_of("*? ") == std::string::npos ? word : "'" + word + "'";
}

}  // namespace

Site::Site(fs::path programs) : programs_(std::move(programs)) {
  std::string name = (fs::temp_directory_path() / "troth-bridge-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make a temporary folder");
  folder_ = name;
}

Site::~Site() {
  while (!processes_.empty()) processes_.pop_back();
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

void Site::StartAuthority() {
  fs::create_directory(folder_ / "authority");
  Write("authority/profiles.toml",
        "[profiles.brief]\ndefault_lifetime = \"3s\"\nmax_lifetime     = \"3s\"\n"
        "names            = { spiffe = [\"spiffe://bridge.internal/brief/*\"] }\n");
  std::vector<std::string> command = {troth(), "--json", "serve"};
  for (const char* word :
       {"--data", "authority", "--listen", "127.0.0.1:0", "--grpc-listen", "127.0.0.1:0",
        "--http-listen", "127.0.0.1:0", "--trust-domain", "bridge.internal"}) {
    command.emplace_back(word);
  }
  processes_.push_back(std::make_unique<Process>(command, folder_.string(), Path("authority.log")));
  const std::string line = processes_.back()->ReadLine();
  authority_ = MemberOf(line, "https");
  authority_http_ = MemberOf(line, "http");
  root_fingerprint_ = MemberOf(line, "root_fingerprint");
  if (authority_.empty()) {
    throw std::runtime_error("the authority did not start:\n" + Read("authority.log"));
  }
}

void Site::AddMachine(const std::string& machine) {
  fs::create_directories(folder_ / machine / "core/certs/ca");
  fs::copy_file(folder_ / "authority/root.pem", folder_ / machine / "core/certs/ca/ca.pem");
}

std::string Site::MakeToken(const std::vector<std::string>& names, const std::string& profile) {
  std::vector<std::string> arguments = {"tokens", "create", "--data", "authority"};
  for (const std::string& name : names) arguments.insert(arguments.end(), {"--name", name});
  if (!profile.empty()) arguments.insert(arguments.end(), {"--profile", profile});
  const CommandResult result = Run(arguments, "");
  if (result.exit_code != 0) throw std::runtime_error("no token:\n" + Read("troth.log"));
  return std::string(troth::TrimWhitespace(result.output));
}

void Site::MakeToken(const std::string& machine, const std::vector<std::string>& names, int uses) {
  std::vector<std::string> arguments = {"tokens", "create", "--data", "authority"};
  for (const std::string& name : names) arguments.insert(arguments.end(), {"--name", name});
  if (uses > 1) arguments.insert(arguments.end(), {"--max-uses", std::to_string(uses)});
  std::cout << "   $ troth";
  for (const std::string& argument : arguments) std::cout << " " << Typed(argument);
  std::cout << " > " << machine << "/token" << std::endl;
  const CommandResult result = Run(arguments, "");
  if (result.exit_code != 0) throw std::runtime_error("no token:\n" + Read("troth.log"));
  Write(machine + "/token", result.output, true);
}

std::vector<std::string> Site::EnrollCommand(const Enrolment& what) const {
  std::vector<std::string> arguments = {"enroll", authority_, what.client_id};
  for (const std::string& name : what.more_names) {
    arguments.insert(arguments.end(), {"--name", name});
  }
  if (fs::exists(folder_ / what.machine / what.file)) {
    // Due at once, for the demonstration.
    arguments.insert(arguments.end(), {"--renew-before", "90d"});
  } else {
    arguments.insert(arguments.end(), {"--token-file", "token"});
  }
  arguments.insert(arguments.end(), {"--trust-bundle", "core/certs/ca/ca.pem", "--out", what.file});
  return arguments;
}

void Site::Enroll(const Enrolment& what) {
  const std::string output = Troth(EnrollCommand(what), what.machine);
  std::cout << "      " << output.substr(0, output.find('\n')) << std::endl;
}

std::string Site::EnrollFails(const Enrolment& what) {
  const size_t before = Read("troth.log").size();
  if (Run(EnrollCommand(what), what.machine).exit_code == 0) return "";
  return Read("troth.log").substr(before);
}

CommandResult Site::Run(const std::vector<std::string>& arguments, const std::string& machine) {
  std::vector<std::string> command = {troth()};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return RunCommand(command, Path(machine), Path("troth.log"));
}

std::string Site::Troth(const std::vector<std::string>& arguments, const std::string& machine) {
  std::cout << "   " << machine << "$ troth";
  for (const std::string& argument : arguments) std::cout << " " << Typed(argument);
  std::cout << std::endl;
  CommandResult result = Run(arguments, machine);
  if (result.exit_code != 0) {
    throw std::runtime_error("the command failed:\n" + result.output + Read("troth.log"));
  }
  return std::move(result.output);
}

std::string Site::StartService(const std::string& role) {
  processes_.push_back(std::make_unique<Process>(
      std::vector<std::string>{(programs_ / "bridge").string(), role, "--config", role + ".toml"},
      Path(role), Path(role + ".log")));
  const std::string line = processes_.back()->ReadLine();  // "operator listens on 127.0.0.1:40000"
  if (line.find(" listens on ") == std::string::npos) {
    throw std::runtime_error(role + " did not start:\n" + Read(role + ".log"));
  }
  std::cout << "   " << line << std::endl;
  return line.substr(line.rfind(' ') + 1);
}

std::string Site::Read(const std::string& name) const {
  std::ifstream file(folder_ / name);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

void Site::Write(const std::string& name, const std::string& content, bool secret) const {
  const absl::Status status = troth::WriteFile(
      Path(name), content,
      {.mode = static_cast<mode_t>(secret ? 0600 : 0644), .overwrite = troth::Overwrite::kReplace});
  if (!status.ok()) throw std::runtime_error(std::string(troth::ToStd(status.message())));
}

}  // namespace bridge
