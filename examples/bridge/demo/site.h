// The place of the demonstration: an authority, and the machines of those who enrol with it, each a
// folder.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "examples/bridge/demo/process.h"

namespace bridge {

// What is asked for with `troth enroll`.
struct Enrolment {
  std::string machine;                  // "operator"
  std::string client_id;                // "operator.bridge.internal"
  std::vector<std::string> more_names;  // "localhost"
  std::string file;                     // "core/certs/server/server.pem", on the machine
};

// A new temporary folder, which goes with it. All its functions throw std::runtime_error with what
// went wrong.
class Site {
 public:
  explicit Site(std::filesystem::path programs);
  Site(const Site&) = delete;
  Site& operator=(const Site&) = delete;
  ~Site();

  // Starts `troth serve`; its certificates for spiffe://bridge.internal/brief/* live for seconds.
  void StartAuthority();
  // The program.
  std::string troth() const { return (programs_ / "troth").string(); }
  const std::string& authority() const { return authority_; }            // "127.0.0.1:40000"
  const std::string& authority_http() const { return authority_http_; }  // "127.0.0.1:40001"
  const std::string& root_fingerprint() const { return root_fingerprint_; }
  std::string root_pem() const { return Read("authority/root.pem"); }
  // Makes a machine that trusts the authority: its root is core/certs/ca/ca.pem there.
  void AddMachine(const std::string& machine);

  // A token for these names, on standard output.
  std::string MakeToken(const std::vector<std::string>& names, const std::string& profile = "");
  // The same, into the file `token` of a machine, where it is good for as many uses as names say.
  void MakeToken(const std::string& machine, const std::vector<std::string>& names, int uses);
  // `troth enroll`, with the machine's token the first time, and with its certificate when it is
  // there: then it is renewed.
  void Enroll(const Enrolment& what);
  // The same, and must fail; what it said.
  std::string EnrollFails(const Enrolment& what);

  // Runs `troth ARGUMENTS...` in a machine's folder ("": that of the site) and prints it as it is
  // typed. The answer is its standard output.
  std::string Troth(const std::vector<std::string>& arguments, const std::string& machine = "");
  // Starts the service `role` on its machine, and answers where it listens.
  std::string StartService(const std::string& role);

  std::string Path(const std::string& name) const { return (folder_ / name).string(); }
  std::string Read(const std::string& name) const;
  // Replaces a file as a whole.
  void Write(const std::string& name, const std::string& content, bool secret = false) const;

 private:
  CommandResult Run(const std::vector<std::string>& arguments, const std::string& machine);
  std::vector<std::string> EnrollCommand(const Enrolment& what) const;

  const std::filesystem::path programs_;
  std::filesystem::path folder_;
  std::string authority_, authority_http_, root_fingerprint_;
  std::vector<std::unique_ptr<Process>> processes_;  // ended in the opposite order
};

}  // namespace bridge
