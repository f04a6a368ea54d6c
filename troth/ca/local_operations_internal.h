// What an operator may ask of an authority, answered by itself.
#pragma once

#include <memory>
#include <string>

#include "troth/ca/authority_context_internal.h"
#include "troth/ca/crl_keeper_internal.h"
#include "troth/ca/operations.h"

namespace troth {

// In the name of `actor`. The context and the lists outlive it.
std::unique_ptr<Operations> MakeLocalOperations(AuthorityContext& context, CrlKeeper& lists,
                                                std::string actor);

}  // namespace troth
