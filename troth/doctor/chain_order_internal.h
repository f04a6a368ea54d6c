// The order of a chain in its file.
#pragma once

#include <vector>

#include "troth/doctor/diagnosis.h"
#include "troth/doctor/file_set_internal.h"

namespace troth {

// RightOrder of the chain's file.
std::vector<size_t> RightOrder(const Chain& chain, const FileSet& set);

// Adds to `diagnosis` that the leaf is not first, that the others do not follow it in their order,
// or that the root is sent too.
void ExamineOrder(const Chain& chain, const FileSet& set, Diagnosis& diagnosis);

}  // namespace troth
