// The command that has a certificate issued anew.
#pragma once

#include <string>

#include "troth/doctor/file_doctor.h"
#include "troth/doctor/file_set_internal.h"

namespace troth {

// Has the chain's leaf issued anew by its CA, for the same subject, names, length of time and
// usages, and for the purpose and server name of `options`, when the files hold all that it takes:
// the leaf alone in its file, its key, and its CA with the CA's key. Empty where `troth ca sign`
// would write another kind of certificate, where a list revokes the leaf, and where its key is open
// to everybody.
std::string ReissueCommandOf(const Chain& chain, const FileSet& set,
                             const FileDoctorOptions& options);

}  // namespace troth
