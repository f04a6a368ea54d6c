// What `troth enroll` is asked to do.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "troth/enroll/file_enrollment.h"

namespace CLI {
class App;
}

namespace troth {

struct EnrollArguments {
  std::string server;        // CARAMEL_CA
  std::string client_id;     // CARAMEL_CN
  std::string folder = ".";  // CARAMEL_CERT_DIR
  std::string out;
  std::string owner;
  std::string mode;
  std::string trust_bundle;
  std::string fingerprint;
  bool system_trust = false;
  std::string token_file;  // "-": standard input; empty: TROTH_TOKEN, if it is set
  std::vector<std::string> names;
  std::string profile;
  std::string key_type = "p256";
  bool caramel = false;
  std::string server_name;
  std::string renew_before;
  std::string timeout = "30s";
  bool once = false;
};

void AddEnrollOptions(CLI::App& app, EnrollArguments& arguments);

// The token in a file ("-": the first line of standard input), or without a file that of the
// environment's TROTH_TOKEN; empty when there is neither. Errors: those of reading the file.
absl::StatusOr<Secret> ReadToken(const std::string& token_file,
                                 const std::optional<std::string>& token_variable);

// Reads texts and files that the arguments name. `token_variable` is the environment's TROTH_TOKEN.
// Errors: usage_error, and those of reading files, trust bundles and tokens; a token file that is
// not there is for FileEnrollment to judge.
absl::StatusOr<FileEnrollmentOptions> ReadEnrollArguments(
    const EnrollArguments& arguments, const std::optional<std::string>& token_variable);

}  // namespace troth
