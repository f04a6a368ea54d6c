#include "troth/enroll/enroll.h"

#include <algorithm>
#include <cstring>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/enroll/backoff.h"
#include "troth/enroll/enroll_internal.h"
#include "troth/enroll/enroller.h"
#include "troth/enroll/server_answer.h"

struct troth_enroller {
  std::unique_ptr<troth::Enroller> enroller;
  troth::Backoff backoff{{}, troth::SystemRandom()};
  bool pauses = false;  // before the next step
};

struct troth_enroll_kept {
  troth::Secret private_key_pem;
  std::string request_pem, chain_pem, trust_bundle_pem;
  std::int64_t not_after = 0, due = 0;
};

namespace troth {
namespace {

template <size_t kSize>
void CopyText(std::string_view text, char (&out)[kSize]) {
  const size_t length = std::min(text.size(), kSize - 1);
  std::memcpy(out, text.data(), length);
  out[length] = '\0';
}

void Tell(const absl::Status& status, troth_enroll_error* error) {
  if (error == nullptr) return;
  CopyText(status.ok() ? "" : CodeOf(status), error->reason);
  CopyText(status.ok() ? "" : ToStd(status.message()), error->message);
}

// Runs `work`, which answers a status, and lets nothing out of it but a status.
template <typename Work>
absl::Status Guarded(Work work) {
  try {
    return work();
  } catch (const std::exception&) {
    return MakeError(Reason::kInternal, "out of memory");
  }
}

std::string_view TextOf(const char* text) { return text == nullptr ? "" : text; }

absl::StatusOr<EnrollOptions> Read(const troth_enroll_options& given) {
  if (given.size != sizeof(troth_enroll_options)) {
    return MakeError(Reason::kUsageError,
                     "the options were not initialised with troth_enroll_options_init, or by "
                     "another version of the library");
  }
  EnrollOptions options;
  options.server = TextOf(given.server);
  options.client_id = TextOf(given.client_id);
  if (given.more_names == nullptr && given.more_names_count != 0) {
    return MakeError(Reason::kUsageError, "more_names is null, but more_names_count is " +
                                              std::to_string(given.more_names_count));
  }
  for (size_t i = 0; i < given.more_names_count; ++i) {
    absl::StatusOr<AlternativeName> name = AlternativeName::Parse(TextOf(given.more_names[i]));
    if (!name.ok()) return name.status();
    options.more_names.push_back(*std::move(name));
  }
  if (given.key_type != nullptr) {
    const std::optional<KeyType> type = KeyTypeFromName(given.key_type);
    if (!type.has_value()) {
      return MakeError(Reason::kUsageError,
                       "there is no key type \"" + Printable(given.key_type) + "\"");
    }
    options.key_type = *type;
  }
  const int ways = (given.trust_bundle_pem != nullptr ? 1 : 0) +
                   (given.root_fingerprint != nullptr ? 1 : 0) + (given.system_trust != 0 ? 1 : 0);
  if (ways > 1) {
    return MakeError(Reason::kUsageError,
                     "expected one of trust bundle, root fingerprint and system trust");
  }
  if (given.trust_bundle_pem != nullptr) {
    absl::StatusOr<TrustBundle> bundle = TrustBundle::FromPem(given.trust_bundle_pem);
    if (!bundle.ok()) return WithContext(bundle.status(), "trust bundle");
    options.trust.bundle = *std::move(bundle);
  }
  if (given.root_fingerprint != nullptr) {
    options.trust.root_fingerprint = ParseFingerprint(given.root_fingerprint);
    if (!options.trust.root_fingerprint.has_value()) {
      return MakeError(Reason::kUsageError, "the root fingerprint is not 64 hexadecimal digits");
    }
  }
  options.trust.system = given.system_trust != 0;
  options.token = Secret(std::string(TextOf(given.token)));
  if (given.caramel != 0) options.protocol = EnrollProtocol::kCaramel;
  options.profile = TextOf(given.profile);
  if (given.user_agent != nullptr) options.user_agent = given.user_agent;
  options.server_name = TextOf(given.server_name);
  if (given.timeout_ms != 0) options.timeout = std::chrono::milliseconds(given.timeout_ms);
  if (given.renew_before_s != 0) options.renew_before = Seconds(given.renew_before_s);
  return options;
}

absl::Status NoEnroller() {
  return MakeError(Reason::kUsageError,
                   "there is no enroller; expected what troth_enroller_new answered, got null");
}

troth_enroll_step StepInC(EnrollStep step) {
  switch (step) {
    case EnrollStep::kServerLearned:
      return TROTH_ENROLL_SERVER_LEARNED;
    case EnrollStep::kRequestMade:
      return TROTH_ENROLL_REQUEST_MADE;
    case EnrollStep::kForgotten:
      return TROTH_ENROLL_FORGOTTEN;
    case EnrollStep::kWaiting:
      return TROTH_ENROLL_WAITING;
    case EnrollStep::kIssued:
      return TROTH_ENROLL_ISSUED;
    case EnrollStep::kUnchanged:
      return TROTH_ENROLL_UNCHANGED;
    case EnrollStep::kRejected:
      return TROTH_ENROLL_REJECTED;
  }
  return TROTH_ENROLL_FAILED;
}

bool GoesOnAtOnce(EnrollStep step) {
  return step == EnrollStep::kServerLearned || step == EnrollStep::kRequestMade ||
         step == EnrollStep::kForgotten;
}

}  // namespace

troth_enroller* NewEnrollerHandle(EnrollOptions options, troth_enroll_error* error) {
  std::unique_ptr<troth_enroller> handle;
  Tell(Guarded([&]() -> absl::Status {
         absl::StatusOr<std::unique_ptr<Enroller>> enroller = Enroller::Create(std::move(options));
         if (!enroller.ok()) return enroller.status();
         handle.reset(new troth_enroller{.enroller = *std::move(enroller)});
         return absl::OkStatus();
       }),
       error);
  return handle.release();
}

}  // namespace troth

using troth::EnrollStep;
using troth::Guarded;
using troth::Tell;
using troth::TextOf;

void troth_enroll_options_init(troth_enroll_options* options) {
  if (options == nullptr) return;
  *options = troth_enroll_options{};
  options->size = sizeof *options;
}

troth_enroller* troth_enroller_new(const troth_enroll_options* options, troth_enroll_error* error) {
  troth_enroller* made = nullptr;
  const absl::Status status = Guarded([&]() -> absl::Status {
    if (options == nullptr) {
      return troth::MakeError(troth::Reason::kUsageError, "there are no options; got null");
    }
    absl::StatusOr<troth::EnrollOptions> read = troth::Read(*options);
    if (!read.ok()) return read.status();
    made = troth::NewEnrollerHandle(*std::move(read), error);
    return absl::OkStatus();
  });
  if (!status.ok()) Tell(status, error);
  return made;
}

void troth_enroller_free(troth_enroller* enroller) { delete enroller; }

int troth_enroller_resume(troth_enroller* enroller, const char* private_key_pem,
                          const char* request_pem, const char* chain_pem,
                          troth_enroll_error* error) {
  const absl::Status status = Guarded([&] {
    if (enroller == nullptr) return troth::NoEnroller();
    return enroller->enroller->Resume({.private_key_pem = TextOf(private_key_pem),
                                       .request_pem = TextOf(request_pem),
                                       .chain_pem = TextOf(chain_pem)});
  });
  Tell(status, error);
  return status.ok() ? 0 : -1;
}

troth_enroll_step troth_enroller_step(troth_enroller* enroller, troth_enroll_error* error) {
  troth_enroll_step answer = TROTH_ENROLL_FAILED;
  if (enroller == nullptr) {
    Tell(troth::NoEnroller(), error);
    return answer;
  }
  enroller->pauses = true;
  Tell(Guarded([&]() -> absl::Status {
         const absl::StatusOr<EnrollStep> step = enroller->enroller->Step();
         if (!step.ok()) return step.status();
         answer = troth::StepInC(*step);
         enroller->pauses = !troth::GoesOnAtOnce(*step);
         if (*step == EnrollStep::kIssued) enroller->backoff.Reset();
         return absl::OkStatus();
       }),
       error);
  return answer;
}

uint32_t troth_enroller_pause_ms(troth_enroller* enroller) {
  if (enroller == nullptr || !enroller->pauses) return 0;
  std::chrono::milliseconds wait = enroller->backoff.Next();
  if (const auto asked = enroller->enroller->retry_after(); asked.has_value()) {
    wait = std::max<std::chrono::milliseconds>(wait, *asked);
  }
  return static_cast<uint32_t>(wait.count());
}

int troth_enroll_error_is_passing(const troth_enroll_error* error) {
  if (error == nullptr) return 0;
  const std::optional<troth::Reason> reason = troth::ReasonFromCode(error->reason);
  return reason.has_value() && troth::IsPassing(troth::MakeError(*reason, "")) ? 1 : 0;
}

int troth_enroller_request_digest(const troth_enroller* enroller, char digest[65]) {
  if (digest == nullptr) return -1;
  digest[0] = '\0';
  if (enroller == nullptr) return -1;
  const std::optional<troth::Sha256Digest> made = enroller->enroller->request_digest();
  if (!made.has_value()) return -1;
  const std::string text = troth::FormatFingerprint(*made);
  std::memcpy(digest, text.c_str(), 65);
  return 0;
}

const char* troth_enroller_rejection(const troth_enroller* enroller) {
  return enroller == nullptr ? "" : enroller->enroller->rejection().c_str();
}

int troth_enroller_start_over(troth_enroller* enroller, troth_enroll_error* error) {
  const absl::Status status = Guarded(
      [&] { return enroller == nullptr ? troth::NoEnroller() : enroller->enroller->StartOver(); });
  Tell(status, error);
  return status.ok() ? 0 : -1;
}

troth_enroll_kept* troth_enroller_keep(const troth_enroller* enroller) {
  if (enroller == nullptr) return nullptr;
  try {
    auto kept = std::make_unique<troth_enroll_kept>();
    kept->private_key_pem = enroller->enroller->private_key_pem();
    kept->request_pem = enroller->enroller->request_pem();
    if (auto identity = enroller->enroller->identity(); identity.ok()) {
      kept->chain_pem = std::move(identity->chain_pem);
      kept->trust_bundle_pem = std::move(identity->trust_bundle_pem);
      kept->not_after = identity->not_after.time_since_epoch().count();
      kept->due = identity->due.time_since_epoch().count();
    }
    return kept.release();
  } catch (const std::exception&) {
    return nullptr;
  }
}

void troth_enroll_kept_free(troth_enroll_kept* kept) { delete kept; }

const char* troth_enroll_kept_private_key(const troth_enroll_kept* kept) {
  // A Secret holds a std::string: a zero byte follows its text.
  if (kept == nullptr || kept->private_key_pem.empty()) return "";
  return kept->private_key_pem.Reveal().data();
}
const char* troth_enroll_kept_request(const troth_enroll_kept* kept) {
  return kept == nullptr ? "" : kept->request_pem.c_str();
}
const char* troth_enroll_kept_chain(const troth_enroll_kept* kept) {
  return kept == nullptr ? "" : kept->chain_pem.c_str();
}
const char* troth_enroll_kept_trust_bundle(const troth_enroll_kept* kept) {
  return kept == nullptr ? "" : kept->trust_bundle_pem.c_str();
}
int64_t troth_enroll_kept_not_after(const troth_enroll_kept* kept) {
  return kept == nullptr ? 0 : kept->not_after;
}
int64_t troth_enroll_kept_due(const troth_enroll_kept* kept) {
  return kept == nullptr ? 0 : kept->due;
}
