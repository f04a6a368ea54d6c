#include "bench/load/credentials.h"

#include <stdexcept>

#include "troth/base/file.h"
#include "troth/rpc/credentials.h"

namespace bench {
namespace {

template <typename T>
T ValueOf(absl::StatusOr<T> value) {
  if (!value.ok()) throw std::runtime_error(std::string(value.status().message()));
  return *std::move(value);
}

// "FOLDER/server/server.pem"
std::string PathOf(const Certificates& certificates, const std::string& who, const char* suffix) {
  return troth::JoinPath(troth::JoinPath(certificates.folder, who), who + suffix);
}

std::string BundlePath(const Certificates& certificates) {
  return PathOf(certificates, "ca", ".pem");
}

std::string Read(const std::string& path) { return ValueOf(troth::ReadFile(path)); }

std::shared_ptr<troth::IdentitySource> Watch(const Certificates& certificates,
                                             const std::string& who, bool with_certificate) {
  return ValueOf(troth::IdentitySource::WatchFiles({
      .certificate = with_certificate ? PathOf(certificates, who, ".pem") : "",
      .private_key = with_certificate ? PathOf(certificates, who, ".key") : "",
      .trust_bundle = BundlePath(certificates),
  }));
}

}  // namespace

std::shared_ptr<troth::IdentitySource> WatchServer(const Certificates& certificates) {
  return Watch(certificates, "server", true);
}

std::shared_ptr<troth::Guard> WatchPolicy(const Certificates& certificates) {
  return ValueOf(troth::Guard::Create({.policy_file = certificates.policy}));
}

std::shared_ptr<grpc::ServerCredentials> PlainServerCredentials(Mode mode,
                                                                const Certificates& certificates) {
  if (mode == Mode::kInsecure) return grpc::InsecureServerCredentials();
  grpc::SslServerCredentialsOptions options(
      mode == Mode::kMutual ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                            : GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE);
  if (mode == Mode::kMutual) options.pem_root_certs = Read(BundlePath(certificates));
  options.pem_key_cert_pairs.push_back(
      {Read(PathOf(certificates, "server", ".key")), Read(PathOf(certificates, "server", ".pem"))});
  return grpc::SslServerCredentials(options);
}

std::shared_ptr<grpc::ChannelCredentials> MakeChannelCredentials(Library library, Mode mode,
                                                                 const Certificates& certificates) {
  if (mode == Mode::kInsecure) return grpc::InsecureChannelCredentials();
  if (library == Library::kTroth) {
    return troth::ChannelCredentials(Watch(certificates, "client", mode == Mode::kMutual),
                                     {.server = troth::ExpectDnsName("localhost")});
  }
  grpc::SslCredentialsOptions options{.pem_root_certs = Read(BundlePath(certificates))};
  if (mode == Mode::kMutual) {
    options.pem_private_key = Read(PathOf(certificates, "client", ".key"));
    options.pem_cert_chain = Read(PathOf(certificates, "client", ".pem"));
  }
  return grpc::SslCredentials(options);
}

}  // namespace bench
