// What a doctor found, for people and for programs.
#pragma once

#include <string_view>

#include "troth/cli/command.h"
#include "troth/doctor/diagnosis.h"

namespace troth {

// "healthy: nothing is wrong with WHAT", or the number of faults; what everything was recognised
// as; then each finding with its evidence and fix. With --json as one object in one line, in which
// `recognised` is the name of the list of what was recognised, and `subject` and `what` are those
// of its members.
struct DiagnosisWords {
  std::string_view what;
  std::string_view recognised;
  std::string_view subject;
  std::string_view is;
};
void PrintDiagnosis(const Diagnosis& diagnosis, const DiagnosisWords& words,
                    const Session& session);

}  // namespace troth
