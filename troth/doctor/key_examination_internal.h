// The private keys of a set: whose they are, and who must not have one.
#pragma once

#include "troth/doctor/diagnosis.h"
#include "troth/doctor/file_doctor.h"
#include "troth/doctor/file_set_internal.h"

namespace troth {

// Adds to `diagnosis` keys that fit no certificate, encrypted ones that a server would have to
// read, and CAs that are used as leaves.
void ExamineKeys(const FileSet& set, const FileDoctorOptions& options, Diagnosis& diagnosis);

}  // namespace troth
