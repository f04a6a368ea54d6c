// What names and certificates are called in messages for people.
#pragma once

#include <string>

#include "troth/pki/certificate.h"
#include "troth/pki/name.h"

namespace troth {

// "'CN=ca'".
std::string Quoted(const DistinguishedName& name);
// "'CN=server'": the subject, or what else tells a certificate from others: "'db.example.com'",
// "with serial number 1f".
std::string Called(const Certificate& certificate);

}  // namespace troth
