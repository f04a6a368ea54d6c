// How tests make a C handle whose server is theirs.
#pragma once

#include "troth/enroll/enroll.h"
#include "troth/enroll/enroller.h"

namespace troth {

// As troth_enroller_new.
troth_enroller* NewEnrollerHandle(EnrollOptions options, troth_enroll_error* error);

}  // namespace troth
