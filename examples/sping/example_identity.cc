#include "examples/sping/example_identity.h"

#include <cstdlib>
#include <string_view>
#include <utility>

#include "troth/enroll/enrolled_identity_source.h"

namespace troth::sping {

absl::StatusOr<std::shared_ptr<IdentitySource>> ExampleIdentity(const char* const* arguments) {
  if (std::string_view(arguments[0]) != "--ca") {
    return IdentitySource::WatchFiles(
        {.certificate = arguments[0], .private_key = arguments[1], .trust_bundle = arguments[2]});
  }
  const char* token = std::getenv("TROTH_TOKEN");
  EnrollOptions enroll;
  enroll.server = arguments[1];
  enroll.client_id = arguments[2];
  enroll.token = Secret(token == nullptr ? "" : token);
  return EnrolledIdentitySource::Start(std::move(enroll));
}

}  // namespace troth::sping
