#include <memory>
#include <string>
#include <utility>

#include "troth/authz/watched_crls.h"
#include "troth/base/log.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/rpc/credentials.h"
#include "troth/rpc/grpc_compat.h"
#include "troth/rpc/pem_in_memory.h"
#include "troth/rpc/server_check.h"

namespace troth {
namespace {

// What a channel's credentials own: the key in memory, kept fresh, and the rules by which servers
// are accepted.
class ChannelIdentity {
 public:
  ChannelIdentity(std::shared_ptr<IdentitySource> source, ChannelOptions options)
      : source_(std::move(source)), options_(std::move(options)), crls_(options_.crl_files) {}
  ChannelIdentity(const ChannelIdentity&) = delete;
  ChannelIdentity& operator=(const ChannelIdentity&) = delete;
  ~ChannelIdentity() { rotation_.reset(); }

  // Nothing to do when the identity has no certificate.
  absl::Status Start() {
    const std::shared_ptr<const Identity> identity = source_->Current();
    if (!identity->has_certificate()) return absl::OkStatus();
    absl::StatusOr<std::unique_ptr<PemInMemory>> file =
        PemInMemory::Create(KeyAndChain(*identity).Reveal());
    if (!file.ok()) return file.status();
    file_ = *std::move(file);
    rotation_ =
        source_->Subscribe([this](std::shared_ptr<const Identity> newest) { Rotate(*newest); });
    // A snapshot that came between reading and subscribing.
    if (const auto newest = source_->Current(); newest != identity) Rotate(*newest);
    return absl::OkStatus();
  }

  // Empty without a certificate.
  std::string path() const { return file_ == nullptr ? std::string() : file_->path(); }

  absl::Status Check(const ShownCertificates& shown) const {
    absl::Status status = CheckNow(shown);
    if (!status.ok()) {
      Log(LogLevel::kWarning, "a server was refused",
          {{"server", shown.target},
           {"reason", CodeOf(status)},
           {"error", ToStd(status.message())},
           {"fix", FixOf(status)}});
    }
    return status;
  }

 private:
  void Rotate(const Identity& newest) {
    const absl::Status status =
        newest.has_certificate()
            ? file_->Replace(KeyAndChain(newest).Reveal())
            : MakeError(Reason::kCertificateMissing, "the newest identity has no certificate");
    if (status.ok()) return;
    Log(LogLevel::kError, "a channel keeps its old certificate",
        {{"reason", CodeOf(status)}, {"error", ToStd(status.message())}});
  }

  absl::Status CheckNow(const ShownCertificates& shown) const {
    const absl::StatusOr<CrlStore::Lists> crls = crls_.Current();
    if (!crls.ok()) return crls.status();
    return CheckServer(shown, options_.server, source_->Current()->trust_bundle(), **crls,
                       options_.clock->Now());
  }

  const std::shared_ptr<IdentitySource> source_;
  const ChannelOptions options_;
  const WatchedCrls crls_;
  std::unique_ptr<PemInMemory> file_;
  Subscription rotation_;
};

std::shared_ptr<grpc::ChannelCredentials> Refusing(const absl::Status& why) {
  Log(LogLevel::kError, "a channel cannot connect to anybody",
      {{"reason", CodeOf(why)}, {"error", ToStd(why.message())}});
  return grpc_compat::NewChannelCredentials(
      "", [why](const ShownCertificates& /*shown*/) { return why; });
}

}  // namespace

std::shared_ptr<grpc::ChannelCredentials> ChannelCredentials(
    std::shared_ptr<IdentitySource> identity, ChannelOptions options) {
  if (identity == nullptr) {
    return Refusing(MakeError(Reason::kConfigurationInvalid,
                              "channel credentials need an identity, and there is none"));
  }
  auto own = std::make_shared<ChannelIdentity>(std::move(identity), std::move(options));
  const absl::Status started = own->Start();
  if (!started.ok()) return Refusing(started);
  return grpc_compat::NewChannelCredentials(
      own->path(), [own](const ShownCertificates& shown) { return own->Check(shown); });
}

}  // namespace troth
