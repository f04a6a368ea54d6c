// Flags that the server and the load have in common.
#pragma once

#include <CLI/CLI.hpp>
#include <map>
#include <string>

#include "bench/load/credentials.h"

namespace bench {

struct CredentialFlags {
  Library library = Library::kGrpc;
  Mode mode = Mode::kInsecure;
  Certificates certificates;

  void Add(CLI::App& app) {
    static const std::map<std::string, Library> kLibraries = {{"grpc", Library::kGrpc},
                                                              {"troth", Library::kTroth}};
    static const std::map<std::string, Mode> kModes = {
        {"insecure", Mode::kInsecure}, {"tls", Mode::kTls}, {"mutual", Mode::kMutual}};
    app.add_option("--library", library, "whose credentials")
        ->transform(CLI::Transformer(kLibraries));
    app.add_option("--mode", mode, "what they do")->transform(CLI::Transformer(kModes));
    app.add_option("--certificates", certificates.folder,
                   "folder that `troth certs generate` made");
    app.add_option("--policy", certificates.policy, "of a server with Troth's credentials");
  }
};

}  // namespace bench
