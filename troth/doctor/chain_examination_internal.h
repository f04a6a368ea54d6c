// A leaf and its chain: what a peer would refuse about it.
#pragma once

#include <string>

#include "troth/doctor/diagnosis.h"
#include "troth/doctor/file_doctor.h"
#include "troth/doctor/file_set_internal.h"

namespace troth {

// Adds to `diagnosis` what is wrong with `chain`: order, completeness, names, usages, signatures,
// revocation. Times are not judged here.
void ExamineChain(const Chain& chain, const FileSet& set, const FileDoctorOptions& options,
                  Diagnosis& diagnosis);

// The command that has the chain's leaf issued anew, with the server name, when the files hold all
// that it takes: the leaf alone in its file, its key, and its CA with the CA's key. Otherwise
// empty.
std::string ReissueCommandOf(const Chain& chain, const FileSet& set,
                             const FileDoctorOptions& options);

}  // namespace troth
