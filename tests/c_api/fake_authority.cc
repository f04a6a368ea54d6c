#include "fake_authority.h"

#include <memory>

#include "troth/enroll/enroll_internal.h"
#include "troth/enroll/enroll_testing.h"

namespace {

using troth::enroll_testing::FakeAuthority;

troth::FakeClock& TheClock() {
  static troth::FakeClock clock;
  return clock;
}

std::unique_ptr<FakeAuthority>& TheAuthority() {
  static std::unique_ptr<FakeAuthority> authority;
  return authority;
}

}  // namespace

troth_enroller* fake_enroller(troth_enroll_error* error) {
  TheAuthority() =
      std::make_unique<FakeAuthority>(TheClock(), troth::enroll_testing::Speaks::kJson);
  return fake_enroller_again(error);
}

troth_enroller* fake_enroller_again(troth_enroll_error* error) {
  troth::EnrollOptions options;
  options.server = "ca.example.com";
  options.client_id = "phone-7";
  options.trust.bundle = TheAuthority()->bundle();
  options.clock = &TheClock();
  options.connect = TheAuthority()->Connect();
  return troth::NewEnrollerHandle(std::move(options), error);
}

void fake_authority_approves(void) { TheAuthority()->Decide(FakeAuthority::Decision::kIssue); }
void fake_authority_rejects(void) { TheAuthority()->Decide(FakeAuthority::Decision::kReject); }
void fake_authority_hides(int hides) {
  TheAuthority()->intercept = nullptr;
  if (hides == 0) return;
  TheAuthority()->intercept = [](const troth::HttpClientRequest&) {
    return absl::StatusOr<troth::HttpResponse>(
        troth::MakeError(troth::Reason::kConnectionFailed, "connection refused"));
  };
}
