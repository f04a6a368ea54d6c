#include "troth/authz/guard.h"

#include <algorithm>
#include <ctime>
#include <exception>
#include <utility>

#include "troth/authz/guard_internal.h"
#include "troth/authz/policy_lint.h"
#include "troth/base/file.h"
#include "troth/base/log.h"
#include "troth/base/strings.h"

namespace troth {
namespace {

constexpr size_t kMethodsNamedInLog = 20;
constexpr std::string_view kPolicyTextName = "policy";

}  // namespace

absl::Status Verdict::ToStatus() const {
  return allowed() ? absl::OkStatus() : MakeError(reason(), message());
}

absl::StatusOr<std::shared_ptr<Guard>> Guard::Create(GuardOptions options) {
  if (options.policy_file.empty() == options.policy_text.empty()) {
    return MakeError(Reason::kConfigurationInvalid,
                     "a guard needs a policy: expected one of policy_file and policy_text, got " +
                         std::string(options.policy_file.empty() ? "neither" : "both"));
  }
  auto guard = std::make_shared<GuardImpl>(std::move(options));
  if (absl::Status ok = guard->Start(); !ok.ok()) return ok;
  return guard;
}

GuardImpl::GuardImpl(GuardOptions options)
    : options_(std::move(options)), crl_store_(options_.crl_paths) {}

absl::Status GuardImpl::Start() {
  // Held while the watcher starts: its callback waits until watcher_ is set.
  const std::lock_guard reload_lock(reload_mutex_);
  if (absl::Status ok = ReloadLocked(); !ok.ok()) return ok;
  const std::vector<std::string> paths = WatchedPaths();
  if (paths.empty()) return absl::OkStatus();
  watcher_ = FileWatcher::Start(paths, [this] { (void)Reload(); },
                                {.poll_interval = options_.poll_interval});
  // What changed between the reading and the watching.
  return ReloadLocked();
}

absl::Status GuardImpl::Reload() {
  const std::lock_guard reload_lock(reload_mutex_);
  return ReloadLocked();
}

absl::Status GuardImpl::ReloadLocked() {
  const std::shared_ptr<const GuardState> old = State();
  GuardState next = old == nullptr ? GuardState{} : *old;
  bool changed = false;
  const absl::Status policy = ReloadPolicy(next, changed);
  const absl::Status crls = ReloadCrls(next, changed);
  if (old == nullptr && !(policy.ok() && crls.ok())) return policy.ok() ? crls : policy;
  if (changed) {
    next.rate = RateSteps::Of(next.policy->limits().value_or(options_.rate_limit));
    const std::lock_guard lock(state_mutex_);
    Replace(std::move(next));
  }
  if (watcher_ != nullptr) watcher_->SetPaths(WatchedPaths());
  return policy.ok() ? crls : policy;
}

absl::Status GuardImpl::ReloadPolicy(GuardState& state, bool& changed) {
  attempted_files_.clear();
  std::string all_read;
  const auto read = [&](const std::string& path) -> absl::StatusOr<std::string> {
    attempted_files_.push_back(path);
    absl::StatusOr<std::string> content = ReadFile(path);
    const Sha256Digest digest = Sha256(content.ok() ? *content : "");
    all_read.append(path).append(1, '\0').append(digest.begin(), digest.end());
    return content;
  };
  const auto load = [&]() -> absl::StatusOr<std::shared_ptr<const Policy>> {
    const bool from_file = !options_.policy_file.empty();
    absl::StatusOr<std::string> text =
        from_file ? ReadFile(options_.policy_file) : options_.policy_text;
    if (!text.ok()) return WithContext(text.status(), "policy");
    all_read.append(*text).append(1, '\0');
    auto document =
        PolicyDocument::Parse(*text, from_file ? options_.policy_file : kPolicyTextName);
    if (!document.ok()) return document.status();
    return Policy::Compile(*std::move(document), from_file ? FolderOf(options_.policy_file) : ".",
                           read);
  };
  absl::StatusOr<std::shared_ptr<const Policy>> policy = load();
  if (!policy.ok()) all_read.append(ToStd(policy.status().message()));
  const Sha256Digest digest = Sha256(all_read);

  const bool is_first = state.policy == nullptr;
  const bool is_new_failure = !policy.ok() && !is_first && digest != rejected_digest_;
  const std::string error(ToStd(policy.status().message()));
  {
    const std::lock_guard lock(statistics_mutex_);
    policy_error_ = error;
    if (is_new_failure) ++policy_rejected_;
  }
  rejected_digest_ = policy.ok() ? Sha256Digest{} : digest;
  if (is_new_failure) {
    Log(LogLevel::kError, "policy not in use, the old one stays",
        {{"file", options_.policy_file}, {"reason", CodeOf(policy.status())}, {"message", error}});
  }
  if (!policy.ok()) return policy.status();
  if (!is_first && digest == policy_digest_) return absl::OkStatus();
  if (!is_first) {
    Log(LogLevel::kInfo, "policy replaced",
        {{"file", options_.policy_file},
         {"roles", std::to_string((*policy)->roles().size())},
         {"rules", std::to_string((*policy)->rules().size())}});
    WarnAboutMethodsWithoutRule(**policy);
  }
  policy_digest_ = digest;
  state.policy = *std::move(policy);
  state.registered = TableFor(*state.policy);
  changed = true;
  return absl::OkStatus();
}

absl::Status GuardImpl::ReloadCrls(GuardState& state, bool& changed) {
  absl::Status status = crl_store_.Load();
  const std::string error(ToStd(status.message()));
  bool is_new_failure = false;
  {
    const std::lock_guard lock(statistics_mutex_);
    is_new_failure = !status.ok() && state.crls != nullptr && error != crl_error_;
    crl_error_ = error;
  }
  if (is_new_failure) {
    Log(LogLevel::kError, "revocation list not in use, the last good one stays",
        {{"reason", CodeOf(status)}, {"message", error}});
  }
  if (state.crls != crl_store_.lists()) {
    if (state.crls != nullptr) {
      Log(LogLevel::kInfo, "revocation lists replaced",
          {{"lists", std::to_string(crl_store_.lists()->size())}});
    }
    state.crls = crl_store_.lists();
    changed = true;
  }
  return status;
}

void GuardImpl::Replace(GuardState state) {
  state.generation = generation_.load(std::memory_order_relaxed) + 1;
  state_ = std::make_shared<const GuardState>(std::move(state));
  generation_.store(state_->generation, std::memory_order_release);
}

std::shared_ptr<const GuardState> GuardImpl::State() const {
  const std::lock_guard lock(state_mutex_);
  return state_;
}

void GuardImpl::BeginGeneration() {
  const std::lock_guard lock(state_mutex_);
  Replace(*state_);
}

std::vector<std::string> GuardImpl::WatchedPaths() const {
  std::vector<std::string> paths = crl_store_.paths();
  if (!options_.policy_file.empty()) paths.push_back(options_.policy_file);
  const std::vector<std::string>& files = State()->policy->files();
  paths.insert(paths.end(), files.begin(), files.end());
  // A new policy that is not in use because of one of its files is tried again when that file
  // changes.
  paths.insert(paths.end(), attempted_files_.begin(), attempted_files_.end());
  std::ranges::sort(paths);
  paths.erase(std::unique(paths.begin(), paths.end()), paths.end());
  return paths;
}

std::shared_ptr<const MethodTable> GuardImpl::TableFor(const Policy& policy) const {
  std::vector<MethodTable::Entry> entries;
  for (const std::string& method : methods_) {
    entries.push_back({.method = method, .value = policy.FindGroup(method)});
  }
  return std::make_shared<const MethodTable>(entries);
}

void GuardImpl::WarnAboutMethodsWithoutRule(const Policy& policy) const {
  std::vector<std::string> without = MethodsWithoutRule(policy, methods_);
  if (without.empty()) return;
  const std::string count = std::to_string(without.size());
  if (without.size() > kMethodsNamedInLog) {
    without.resize(kMethodsNamedInLog);
    without.emplace_back("...");
  }
  Log(LogLevel::kWarning, "methods that no rule of the policy names: nobody may call them",
      {{"file", options_.policy_file}, {"count", count}, {"methods", Join(without, ", ")}});
}

void GuardImpl::RegisterMethods(const std::vector<std::string>& methods) {
  const std::lock_guard reload_lock(reload_mutex_);
  methods_.insert(methods_.end(), methods.begin(), methods.end());
  std::ranges::sort(methods_);
  methods_.erase(std::unique(methods_.begin(), methods_.end()), methods_.end());
  GuardState next = *State();
  next.registered = TableFor(*next.policy);
  WarnAboutMethodsWithoutRule(*next.policy);
  const std::lock_guard lock(state_mutex_);
  Replace(std::move(next));
}

std::shared_ptr<GuardedPort> GuardImpl::Protect(std::shared_ptr<IdentitySource> identity,
                                                ClientCertificate mode) {
  const size_t authorities = identity->Current()->trust_bundle().anchors().size();
  if (VerifiesPeers(mode) && authorities > 1) {
    const std::vector<std::string> roles = RolesOfAnyIssuer(*State()->policy);
    if (!roles.empty()) {
      Log(LogLevel::kWarning,
          "several CAs are trusted, and any of them can issue these roles: name the issuer in the "
          "policy",
          {{"cas", std::to_string(authorities)}, {"roles", Join(roles, ", ")}});
    }
  }
  return MakeGuardedPort(shared_from_this(), std::move(identity), mode);
}

std::int64_t GuardImpl::Ticks() const {
  if (options_.clock != &Clock::System()) {
    return std::chrono::nanoseconds(options_.clock->Now().time_since_epoch()).count();
  }
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

void GuardImpl::Report(std::string_view peer_key, const std::shared_ptr<const Peer>& peer,
                       std::string_view method, const Judgement& judgement, bool shadow) {
  if (shadow) {
    shadow_refused_.fetch_add(1, std::memory_order_relaxed);
  } else {
    refused_[static_cast<size_t>(judgement.reason)].fetch_add(1, std::memory_order_relaxed);
  }
  refusal_log_.Write(peer_key,
                     {.peer = peer->Describe(),
                      .address = peer->address,
                      .method = method,
                      .rule = judgement.rule,
                      .required = judgement.required,
                      .message = judgement.message,
                      .reason = judgement.reason,
                      .shadow = shadow},
                     options_.clock->Now());
  if (!options_.on_refusal) return;
  try {
    options_.on_refusal({.peer = peer,
                         .method = std::string(method),
                         .rule = judgement.rule,
                         .reason = judgement.reason,
                         .message = judgement.message,
                         .shadow = shadow});
  } catch (const std::exception& error) {
    // The contract forbids it; a call must not come through, or the server go down, because of it.
    Log(LogLevel::kError, "the callback on_refusal threw", {{"message", error.what()}});
  } catch (...) {
    Log(LogLevel::kError, "the callback on_refusal threw");
  }
}

GuardStatistics GuardImpl::Statistics() const {
  GuardStatistics out;
  out.generation = generation();
  for (const ReasonInfo& info : AllReasons()) {
    const std::uint64_t count =
        refused_[static_cast<size_t>(info.reason)].load(std::memory_order_relaxed);
    if (count != 0) out.refused[std::string(info.code)] = count;
  }
  out.shadow_refused = shadow_refused_.load(std::memory_order_relaxed);
  const std::lock_guard lock(statistics_mutex_);
  out.policy_rejected = policy_rejected_;
  out.last_error = policy_error_;
  if (!crl_error_.empty()) out.last_error += (out.last_error.empty() ? "" : "; ") + crl_error_;
  return out;
}

}  // namespace troth
