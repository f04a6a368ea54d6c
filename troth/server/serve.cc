#include "troth/server/serve.h"

#include <algorithm>
#include <atomic>
#include <optional>
#include <utility>

#include "troth/authz/guard.h"
#include "troth/base/file.h"
#include "troth/base/log.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/ca/folder_lock.h"
#include "troth/ca/profile.h"
#include "troth/server/caramel/endpoint.h"
#include "troth/server/endpoint.h"
#include "troth/server/json/body.h"
#include "troth/server/json/endpoint.h"
#include "troth/server/metrics/endpoint.h"
#include "troth/server/native/server.h"
#include "troth/server/own_identity.h"
#include "troth/store/sqlite_store.h"

namespace troth {
namespace {

constexpr mode_t kFolderMode = 0700;
// Its own limit, and 413, is 2 KiB; what is read to say so.
constexpr size_t kMostOfCaramel = 16 << 10;
// Nothing there takes a body: enough to tell a mistaken client so.
constexpr size_t kMostOfPlain = 4 << 10;
constexpr std::string_view kDefaultTrustDomain = "troth.internal";

// The names that every authority's servers have, whatever else they are called.
constexpr std::string_view kLocalNames[] = {"localhost", "127.0.0.1", "::1"};

absl::StatusOr<std::vector<AlternativeName>> ServerNames(const AuthoritySettings& settings) {
  std::vector<AlternativeName> names;
  const auto add = [&](std::string_view text) -> absl::Status {
    auto name = AlternativeName::Parse(text);
    if (!name.ok()) return WithContext(name.status(), "name of the server");
    if (name->kind != AlternativeName::Kind::kDns && name->kind != AlternativeName::Kind::kIp) {
      return MakeError(Reason::kUsageError,
                       "name of the server: expected a DNS name or an IP address, got \"" +
                           Printable(text) + "\"");
    }
    if (std::ranges::find(names, *name) == names.end()) names.push_back(*std::move(name));
    return absl::OkStatus();
  };
  for (const std::string& name : settings.dns_names) {
    if (absl::Status status = add(name); !status.ok()) return status;
  }
  for (const std::string_view name : kLocalNames) {
    if (absl::Status status = add(name); !status.ok()) return status;
  }
  return names;
}

// The first of the names of its servers that is a DNS name, in lower case.
std::optional<std::string> FirstDnsName(const ServeOptions& options) {
  for (const std::string& name : options.dns_names) {
    if (!ParseIpAddress(name).has_value() && IsDnsName(name, false)) return ToLowerAscii(name);
  }
  return std::nullopt;
}

// The trust domain of an authority that was not told one: the first DNS name of its servers.
std::string TrustDomainOf(const ServeOptions& options) {
  if (!options.trust_domain.empty()) return options.trust_domain;
  return FirstDnsName(options).value_or(std::string(kDefaultTrustDomain));
}

// Where lists and issuers are found, of an authority that was not told: its plain HTTP listener, by
// the first DNS name of its servers. Empty where that cannot be known before it listens.
std::string PublicUrlOf(const ServeOptions& options) {
  if (!options.public_url.empty()) return options.public_url;
  const size_t colon = options.http_listen.rfind(':');
  if (colon == std::string::npos || options.http_listen.substr(colon) == ":0") return {};
  const std::optional<std::string> name = FirstDnsName(options);
  return name.has_value() ? "http://" + *name + options.http_listen.substr(colon) : "";
}

// Caramel's clients make their subjects of the CA's, and the one in Python can do so only when it
// begins with a country. XX is no country's (ISO 3166-1, user-assigned).
absl::StatusOr<DistinguishedName> CaramelRootSubject(const std::string& common_name,
                                                     const std::string& organization) {
  std::vector<NameAttribute> attributes = {{"C", "", "XX"}};
  constexpr size_t kMostOfOrganization = 64;  // RFC 5280 appendix A.1
  if (organization.size() <= kMostOfOrganization) attributes.push_back({"O", "", organization});
  attributes.push_back({"OU", "", "Caramel"});
  attributes.push_back(
      {"CN", "", common_name.empty() ? "Caramel Signing Certificate" : common_name});
  return DistinguishedName::FromAttributes(attributes);
}

// Empty: the usual one.
absl::StatusOr<DistinguishedName> RootSubject(const ServeOptions& options,
                                              const std::string& trust_domain) {
  if (options.one_tier) return CaramelRootSubject(options.root_common_name, trust_domain);
  if (options.root_common_name.empty()) return DistinguishedName();
  return DistinguishedName::FromCommonName(options.root_common_name);
}

absl::Status Create(const AuthorityFolder& folder, const ServeOptions& options) {
  AuthoritySpec spec;
  spec.settings = {.one_tier = options.one_tier,
                   .trust_domain = TrustDomainOf(options),
                   .dns_names = options.dns_names,
                   .public_url = PublicUrlOf(options)};
  if (auto domain = SpiffeId::Parse("spiffe://" + spec.settings.trust_domain); !domain.ok()) {
    return WithContext(domain.status(), "trust domain");
  }
  auto subject = RootSubject(options, spec.settings.trust_domain);
  if (!subject.ok()) return subject.status();
  spec.root_subject = *std::move(subject);
  spec.root_passphrase = options.new_root_passphrase;
  // In a one-tier authority there is one key, and the passphrase is its.
  if (options.one_tier) spec.issuer_passphrase = options.new_root_passphrase;
  return CreateAuthority(folder, spec, *options.clock);
}

// The settings as kept, with the names that this start adds and the public URL that it changes.
absl::StatusOr<AuthoritySettings> SettingsOf(const AuthorityFolder& folder,
                                             const ServeOptions& options) {
  auto settings = ReadSettings(folder);
  if (!settings.ok()) return settings.status();
  if (options.one_tier && !settings->one_tier) {
    return MakeError(Reason::kUsageError,
                     "the authority in " + folder.path() +
                         " has a root and an issuer, and --one-tier was given; leave it out, or "
                         "give another --data folder");
  }
  if (!options.trust_domain.empty() && options.trust_domain != settings->trust_domain) {
    return MakeError(Reason::kUsageError,
                     "the authority in " + folder.path() + " is of the trust domain " +
                         settings->trust_domain + ", got --trust-domain " +
                         Printable(options.trust_domain) +
                         "; it is in what was issued and cannot change: leave the option out, or "
                         "give another --data folder");
  }
  AuthoritySettings wanted = *settings;
  if (!options.public_url.empty()) wanted.public_url = options.public_url;
  for (const std::string& name : options.dns_names) {
    if (std::ranges::find(wanted.dns_names, name) == wanted.dns_names.end()) {
      wanted.dns_names.push_back(name);
    }
  }
  if (wanted.dns_names != settings->dns_names || wanted.public_url != settings->public_url) {
    if (absl::Status status = WriteSettings(folder, wanted); !status.ok()) return status;
  }
  return wanted;
}

absl::StatusOr<Profiles> ProfilesOf(const AuthorityFolder& folder,
                                    const AuthoritySettings& settings,
                                    const ServeOptions& options) {
  Profiles base =
      settings.one_tier ? Profiles::CaramelBuiltIn(options.sign_unseen_uuids) : Profiles::BuiltIn();
  if (!FileExists(folder.Profiles())) return base;
  auto text = ReadFile(folder.Profiles());
  if (!text.ok()) return text.status();
  auto profiles = Profiles::FromToml(*text, std::move(base));
  if (!profiles.ok()) return WithContext(profiles.status(), folder.Profiles());
  return profiles;
}

class RunningAuthorityImpl final : public RunningAuthority {
 public:
  explicit RunningAuthorityImpl(ServeOptions options)
      : options_(std::move(options)), folder_(options_.folder) {}

  ~RunningAuthorityImpl() override { Shutdown(std::chrono::milliseconds(0)); }

  absl::Status Begin() {
    for (const auto step :
         {&RunningAuthorityImpl::TakeFolder, &RunningAuthorityImpl::OpenAuthorityItself,
          &RunningAuthorityImpl::Listen}) {
      if (absl::Status status = (this->*step)(); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

  bool was_created() const override { return created_; }
  std::string https_address() const override { return https_ ? https_->address() : ""; }
  std::string grpc_address() const override { return grpc_address_; }
  std::string http_address() const override { return http_ ? http_->address() : ""; }
  Authority& authority() override { return *authority_; }

  void Shutdown(std::chrono::milliseconds patience) override {
    if (https_ != nullptr) https_->Shutdown(patience);
    if (http_ != nullptr) http_->Shutdown(patience);
    if (native_ != nullptr) native_->Shutdown(patience);
  }

 private:
  absl::Status TakeFolder() {
    if (options_.folder.empty()) {
      return MakeError(Reason::kUsageError, "no data folder; give one with --data");
    }
    if (absl::Status status = MakeFolder(options_.folder, kFolderMode); !status.ok()) {
      return status;
    }
    auto lock = FolderLock::Acquire(options_.folder, Seconds(0));
    if (!lock.ok()) {
      return WithContext(lock.status(),
                         "another authority serves this folder, or a command works on it");
    }
    lock_.emplace(*std::move(lock));
    if (AuthorityExists(folder_)) return absl::OkStatus();
    created_ = true;
    return Create(folder_, options_);
  }

  absl::Status OpenAuthorityItself() {
    auto settings = SettingsOf(folder_, options_);
    if (!settings.ok()) return settings.status();
    auto profiles = ProfilesOf(folder_, *settings, options_);
    if (!profiles.ok()) return profiles.status();
    auto store = OpenSqliteStore({.path = folder_.Database()});
    if (!store.ok()) return store.status();
    auto authority = Authority::Open({.folder = folder_,
                                      .settings = *settings,
                                      .profiles = *std::move(profiles),
                                      .ask = options_.ask,
                                      .clock = options_.clock},
                                     *std::move(store));
    if (!authority.ok()) return authority.status();
    authority_ = *std::move(authority);

    auto names = ServerNames(*settings);
    if (!names.ok()) return names.status();
    auto own = OwnIdentity::Start(*authority_, *std::move(names), *options_.clock);
    if (!own.ok()) return own.status();
    own_ = *std::move(own);
    // A certificate that is for servers only is renewed by showing it too. That it is an admin's
    // is said by its name alone, which no other profile issues.
    auto guard = Guard::Create({.policy_text = native::PolicyText(*settings),
                                .crl_paths = {folder_.CrlFolder()},
                                .peer_usage = Usage::kAny,
                                .clock = options_.clock});
    if (!guard.ok()) return guard.status();
    guard_ = *std::move(guard);
    return absl::OkStatus();
  }

  absl::Status Listen() {
    const std::shared_ptr<Endpoint> numbers = metrics::MakeEndpoint(
        *authority_, [this] { return HttpStatistics(); }, *options_.clock);
    const bool one_tier = authority_->settings().one_tier;
    if (!options_.listen.empty()) {
      auto server =
          HttpServer::Start(HttpOptions(options_.listen, own_->source(), guard_,
                                        one_tier ? kMostOfCaramel : json::kMaxBodyBytes),
                            HandlerOf({numbers, one_tier ? caramel::MakeEndpoint(*authority_)
                                                         : json::MakeEndpoint(*authority_)}));
      if (!server.ok()) return WithContext(server.status(), "--listen");
      https_ = *std::move(server);
      counted_.store(https_.get());
    }
    if (!options_.http_listen.empty()) {
      auto server = HttpServer::Start(
          HttpOptions(options_.http_listen, nullptr, nullptr, kMostOfPlain), HandlerOf({numbers}));
      if (!server.ok()) return WithContext(server.status(), "--http-listen");
      http_ = *std::move(server);
    }
    // A one-tier authority is for Caramel's clients; its operator sits on the machine itself.
    auto native =
        native::Server::Start(*authority_, {.listen = one_tier ? "" : options_.grpc_listen,
                                            .identity = own_->source(),
                                            .guard = guard_,
                                            .socket = folder_.Socket()});
    if (!native.ok()) return WithContext(native.status(), "--grpc-listen");
    native_ = *std::move(native);
    if (native_->port() != 0) {
      grpc_address_ = options_.grpc_listen.substr(0, options_.grpc_listen.rfind(':') + 1) +
                      std::to_string(native_->port());
    }
    return absl::OkStatus();
  }

  HttpServerOptions HttpOptions(const std::string& listen,
                                const std::shared_ptr<IdentitySource>& identity,
                                const std::shared_ptr<Guard>& guard, size_t body_bytes) const {
    HttpLimits limits = options_.limits;
    limits.body_bytes = std::min(limits.body_bytes, body_bytes);
    return {.listen = listen,
            .identity = identity,
            .guard = guard,
            .limits = limits,
            .threads = options_.threads,
            .clock = options_.clock};
  }

  HttpServerStatistics HttpStatistics() const {
    const HttpServer* server = counted_.load();
    return server != nullptr ? server->Statistics() : HttpServerStatistics{};
  }

  const ServeOptions options_;
  const AuthorityFolder folder_;
  bool created_ = false;
  std::string grpc_address_;

  // In the order of their making: what listens goes first, the lock last.
  std::optional<FolderLock> lock_;
  std::unique_ptr<Authority> authority_;
  std::unique_ptr<OwnIdentity> own_;
  std::shared_ptr<Guard> guard_;
  std::atomic<HttpServer*> counted_ = nullptr;
  std::unique_ptr<HttpServer> https_, http_;
  std::unique_ptr<native::Server> native_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<RunningAuthority>> RunningAuthority::Start(ServeOptions options) {
  auto running = std::make_unique<RunningAuthorityImpl>(std::move(options));
  if (absl::Status status = running->Begin(); !status.ok()) return status;
  return running;
}

}  // namespace troth
