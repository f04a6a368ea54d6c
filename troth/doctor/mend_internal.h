// The commands that mend files. Each is one line for a POSIX shell, to be run where the files'
// paths are as given; none overwrites a file but the one that it mends, none replaces a symbolic
// link, none copies a private key, and none loses something. What cannot be had so is empty.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "troth/pki/certificate.h"

namespace troth {

// `message`, which says how to convert FILE with a command between backticks, as that command for
// `path`; the result is `path`.pem. Empty when there is none, or it would copy a key.
std::string ConvertCommand(std::string_view message, const std::string& path);
// `path` as a word that no program takes for an option.
std::string PathWord(const std::string& path);
// sed's `expression`, quoted, on `path`; in place.
std::string SedCommand(const std::string& expression, const std::string& path);
// Line ends where PEM has them, for text that lost its own; in place.
std::string LineEndsCommand(const std::string& path);
// BEGIN and END lines around the base64 of a certificate; the result is `path`.pem.
std::string ArmourCommand(const std::string& path);
// All PEM blocks of `path`, as `order` numbers them (from 0), in that order; in place. Text before
// a block goes with it.
std::string ReorderCommand(const std::string& path, const std::vector<size_t>& order);

struct Reissue {
  std::string certificate, private_key;     // paths; the certificate's file is replaced
  std::string ca_certificate, ca_key;       // paths
  std::string subject;                      // "/CN=server"
  std::string lifetime;                     // "90 days"
  std::vector<AlternativeName> names = {};  // must be what openssl's -addext can write
};
// Has the CA issue the certificate anew, for the same subject and these names.
std::string ReissueCommand(const Reissue& what);

// "/C=US/CN=server", as openssl's -subj takes it.
std::string SlashesOf(const DistinguishedName& name);

}  // namespace troth
