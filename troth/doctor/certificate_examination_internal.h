// Every certificate by itself: its time, its key, its signature.
#pragma once

#include "troth/doctor/diagnosis.h"
#include "troth/doctor/file_doctor.h"
#include "troth/doctor/file_set_internal.h"

namespace troth {

// Adds to `diagnosis` what is wrong with the certificates of `file`, whether they are in a chain or
// not.
void ExamineCertificates(const ExaminedFile& file, const FileSet& set,
                         const FileDoctorOptions& options, Diagnosis& diagnosis);

}  // namespace troth
