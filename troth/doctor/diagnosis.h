// What a doctor found: about files, or about an endpoint.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "troth/base/reason.h"

namespace troth {

enum class Severity {
  kFault,    // something refuses to work, or lets others in
  kWarning,  // works now, with these programs
  kNote,     // good to know
};

// "fault", "warning", "note".
std::string_view NameOf(Severity severity);

// One thing that is wrong, or worth a word.
struct Finding {
  Severity severity = Severity::kFault;
  Reason reason = Reason::kInternal;
  std::string subject = {};   // the file or endpoint that it is about, as it was given
  std::string title = {};     // the cause, one line: lower case, no full stop
  std::string expected = {};  // evidence; empty where the title says it all
  std::string got = {};
  std::string fix = {};  // what to do, in words; never empty once in a Diagnosis
  // One line for a POSIX shell that mends it when run where the doctor ran, with names quoted;
  // empty when no command can. It overwrites no file but the subject, drops nothing from it, and
  // keeps its mode and owner. It writes a private key only to a new file that its owner alone can
  // read, and has no passphrase in it: the program that needs one asks at the terminal. Once in a
  // Diagnosis it is one line of UTF-8 in which every character can be seen.
  std::string command = {};
};

// A file, or a part of an endpoint, and what it was taken for.
struct Recognised {
  std::string subject;
  std::string what;  // "certificate of 'CN=server' for localhost, valid until 2027-11-21"
};

struct Diagnosis {
  std::vector<Recognised> recognised;  // in the order given
  std::vector<Finding> findings;       // faults first, then warnings, then notes

  bool healthy() const;  // no fault
  // Adds `finding`, once; its fix is that of its reason unless it has one, and a command that a
  // terminal could take for more than text is left out: names in it may be a stranger's.
  void Add(Finding finding);
  // The same, with these in place of the finding's.
  void Add(Severity severity, Reason reason, std::string_view subject, Finding finding);
  // Brings the findings into their order; those of one severity stay as they were added.
  void Sort();
};

// A fault with the reason, message and fix of `status`, which is an error.
Finding FaultOf(const absl::Status& status, std::string_view subject);

}  // namespace troth
