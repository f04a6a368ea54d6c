// How commands print certificates and lists.
#pragma once

#include <string>
#include <string_view>

#include "troth/base/time.h"
#include "troth/cli/json.h"
#include "troth/pki/certificate.h"

namespace troth {

// "2027-11-21 (365 days)", "2027-11-21 (ended 3 days ago)".
std::string DateAndDaysLeft(Time end, Time now);
// "localhost, *.docker.internal, 127.0.0.1".
std::string NamesInWords(const Certificate& certificate);

// Subject, issuer, names, key, serial, fingerprint, not_before, not_after.
JsonObject JsonOf(const Certificate& certificate);

}  // namespace troth
