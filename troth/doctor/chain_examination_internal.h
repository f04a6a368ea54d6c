// A leaf and its chain: what a peer would refuse about it.
#pragma once

#include "troth/doctor/diagnosis.h"
#include "troth/doctor/file_doctor.h"
#include "troth/doctor/file_set_internal.h"

namespace troth {

// Adds to `diagnosis` what is wrong with `chain`: order, completeness, names, usages, signatures,
// revocation. Times are not judged here, nor weak keys and signatures, which must be in `diagnosis`
// already.
void ExamineChain(const Chain& chain, const FileSet& set, const FileDoctorOptions& options,
                  Diagnosis& diagnosis);

}  // namespace troth
