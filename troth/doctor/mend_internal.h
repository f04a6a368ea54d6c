// The commands that mend files. Each is one line for a POSIX shell, to be run where the files'
// paths are as given; none overwrites a file but the one that it mends, none leaves a key readable
// to others, and none is printed that could lose something.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "troth/pki/certificate.h"

namespace troth {

// `message`, which says how to convert FILE with a command between backticks, as that command for
// `path`; the result is `path`.pem. Empty when there is none.
std::string ConvertCommand(std::string_view message, const std::string& path);
// Line ends where PEM has them, for text that lost its own; in place.
std::string LineEndsCommand(const std::string& path);
// BEGIN and END lines around base64; the result is `path`.pem.
std::string ArmourCommand(const std::string& path);
// The PEM blocks of `path` that `order` numbers (from 0), in that order; in place. Text between the
// blocks is lost.
std::string ReorderCommand(const std::string& path, const std::vector<size_t>& order);
// Decrypts a key into `path`.plain, asking for the passphrase.
std::string DecryptCommand(const std::string& path);

struct Reissue {
  std::string certificate, private_key;     // paths; the certificate's file is replaced
  std::string ca_certificate, ca_key;       // paths
  std::string subject;                      // "/CN=server"
  std::vector<AlternativeName> names = {};  // must be what openssl's -addext can write
};
// Has the CA issue the certificate anew, for the same subject and these names.
std::string ReissueCommand(const Reissue& what);

// "/C=US/CN=server", as openssl's -subj takes it.
std::string SlashesOf(const DistinguishedName& name);

}  // namespace troth
