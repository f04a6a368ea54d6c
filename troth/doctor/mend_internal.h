// The commands that mend files. Each is one line for a POSIX shell, to be run where the files'
// paths are as given. None overwrites a file but the one that it mends, whose mode and owner it
// keeps; none replaces a symbolic link; none loses something. A private key is only written to a
// new file that its owner alone can read, and its passphrase is asked for at the terminal. What
// cannot be had so is empty.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "troth/pki/pem.h"

namespace troth {

// `path` as a word that no program takes for an option.
std::string PathWord(const std::string& path);
// `command`, which makes the files `made`, unless one of them is there, now or when it is run.
std::string Making(const std::vector<std::string>& made, const std::string& command);
// Whether a copy can take the place of the file at `path`: it is no link, and its owner and group
// would stay.
bool CanReplace(const std::string& path);

// A text that is no PEM.
struct Unarmoured {
  TextKind kind;           // of the DER when it is in base64
  bool is_base64 = false;  // without BEGIN and END lines
  bool holds_key = false;  // or may do so
};
// `path` as PEM; the result is `path`.pem.
std::string ConvertCommand(const Unarmoured& what, const std::string& path);
// The one block of `path`, a "PKCS7" or "TRUSTED CERTIFICATE", as certificates in `path`.pem.
std::string ConvertBlockCommand(std::string_view label, const std::string& path);
// The key of `path`, which holds nothing else, in the clear; the result is `path`.plain.
std::string DecryptCommand(const std::string& path);
// sed's `expression`, quoted, on `path`; in place.
std::string SedCommand(const std::string& expression, const std::string& path);
// Line ends where PEM has them, for text that lost its own; in place.
std::string LineEndsCommand(const std::string& path);
// All PEM blocks of `path`, as `order` numbers them (from 0), in that order; in place. Text before
// a block goes with it.
std::string ReorderCommand(const std::string& path, const std::vector<size_t>& order);

}  // namespace troth
