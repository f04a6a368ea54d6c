// What can be wrong with one certificate, whether it lies in a file or a server sent it.
#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "troth/base/time.h"
#include "troth/doctor/diagnosis.h"
#include "troth/pki/certificate.h"
#include "troth/pki/name.h"
#include "troth/pki/path_validation.h"

namespace troth {

// Its alternative names, ten at most, or that it has none.
std::string NamesOrSubject(const Certificate& certificate);
// Why names that look alike do not match; empty when there is nothing to explain.
std::string ExplainMismatch(const Certificate& leaf, const AlternativeName& name);

bool IsInTime(const Certificate& certificate, Time now);

// `leaf` as a path of its own, without an issuer, at the time of its validity next to `now`.
absl::Status CheckByItself(const Certificate& leaf, Usage usage, Time now);

// The key, or the signature, when nobody should accept it. Without severity and subject.
std::optional<Finding> FindWeakKey(const Certificate& certificate);
std::optional<Finding> FindWeakSignature(const Certificate& certificate);

}  // namespace troth
