#include "examples/attestor/program.h"

#include <iostream>
#include <string_view>

#include "troth/base/reason.h"
#include "troth/base/strings.h"

namespace attestor {

int Fail(const char* program, const absl::Status& status) {
  std::cerr << program << ": " << troth::ToStd(status.message()) << " [" << troth::CodeOf(status)
            << "]\n  fix: " << troth::FixOf(status) << std::endl;
  return troth::InfoOf(troth::ReasonOf(status).value_or(troth::Reason::kInternal)).exit_code;
}

std::optional<ProgramArguments> ReadArguments(int argc, char** argv, const char* usage,
                                              bool knows_once, int& exit_code) {
  ProgramArguments out;
  bool good = true;
  for (int i = 1; i < argc && good; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--help" || argument == "-h") {
      std::cout << usage;
      exit_code = 0;
      return std::nullopt;
    }
    if (argument == "--once" && knows_once) {
      out.once = true;
    } else if (argument == "--config" && i + 1 < argc && out.config_file.empty()) {
      out.config_file = argv[++i];
    } else {
      good = false;
    }
  }
  if (good && !out.config_file.empty()) return out;
  std::cerr << usage;
  exit_code = troth::InfoOf(troth::Reason::kUsageError).exit_code;
  return std::nullopt;
}

}  // namespace attestor
