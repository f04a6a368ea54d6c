// For tests: a folder of real files, and what the doctor says of them.
#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "troth/base/file.h"
#include "troth/doctor/file_doctor.h"
#include "troth/pki/path_testing.h"

namespace troth::testing {

class Patient {
 public:
  Patient() {
    std::string name = (std::filesystem::temp_directory_path() / "troth doctor-XXXXXX").string();
    folder_ = mkdtemp(name.data());
  }
  Patient(const Patient&) = delete;
  Patient& operator=(const Patient&) = delete;
  ~Patient() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  std::string Path(std::string_view name) const { return JoinPath(folder_, name); }

  // Writes a file that is to be examined; keys are for their owner only.
  void Give(std::string_view name, std::string_view text, mode_t mode = 0600) {
    Write(name, text, mode);
    paths.push_back(Path(name));
  }
  void Give(std::string_view name, const std::vector<Certificate>& certificates) {
    std::string text;
    for (const Certificate& certificate : certificates) text += certificate.ToPem();
    Give(name, text);
  }
  void GiveKey(std::string_view name, const std::string& label, KeyType type = KeyType::kP256) {
    Give(name, KeyOf(label, type).ToPem().Reveal());
  }
  void Write(std::string_view name, std::string_view text, mode_t mode = 0600) const {
    ASSERT_TRUE(WriteFile(Path(name), text, {.mode = mode, .overwrite = Overwrite::kReplace}).ok());
  }

  // The exit code of a shell command in the folder. No terminal is asked for anything.
  int Run(const std::string& command, std::string_view input = "") const {
    Write("input.txt", input);
    Write("command.sh", command);
    const std::string line =
        "cd '" + folder_ + "' && setsid -w sh command.sh < input.txt > log.txt 2>&1";
    const int code = std::system(line.c_str());
    EXPECT_EQ(code, 0) << command << "\n" << *ReadFile(Path("log.txt"));
    return code;
  }

  Diagnosis Examine() const { return ExamineFiles(paths, options); }

  std::vector<std::string> paths;
  FileDoctorOptions options{.now = kNow};

 private:
  std::string folder_;
};

// "key_mismatch server.key", one for each fault.
inline std::vector<std::string> FaultsOf(const Diagnosis& diagnosis) {
  std::vector<std::string> faults;
  for (const Finding& finding : diagnosis.findings) {
    if (finding.severity != Severity::kFault) continue;
    faults.push_back(std::string(CodeOf(finding.reason)) + " " +
                     std::filesystem::path(finding.subject).filename().string());
  }
  return faults;
}

inline std::string Text(const Diagnosis& diagnosis) {
  std::string text;
  for (const Finding& finding : diagnosis.findings) {
    text += std::string(NameOf(finding.severity)) + " " + std::string(CodeOf(finding.reason)) +
            " " + finding.subject + ": " + finding.title + "\n";
  }
  return text;
}

}  // namespace troth::testing
