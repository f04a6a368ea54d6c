// Who calls in the demonstration: identities of every kind, good and bad.
#pragma once

#include <grpcpp/channel.h>

#include <memory>
#include <string>
#include <vector>

#include "troth/identity/identity_source.h"
#include "troth/pki/certificate.h"
#include "troth/pki/issue.h"

namespace bridge {

struct Caller {
  std::string name;
  std::shared_ptr<troth::IdentitySource> identity;
};

// Makes callers from the certificate tree below `folder`, and what the tree does not hold:
// certificates of another CA, self-signed, expired, short-lived. Throws std::runtime_error with
// what went wrong.
class CallerFactory {
 public:
  explicit CallerFactory(std::string folder);

  Caller FromTree(const std::string& name,
                  const std::string& entity) const;  // "own client", "client"
  Caller WithoutCertificate() const;
  Caller SelfSigned() const;
  Caller OfForeignCa() const;
  Caller Expired() const;
  // A certificate of our CA for `common_name` that is valid for `lifetime`.
  Caller Issued(const std::string& name, const std::string& common_name,
                troth::Seconds lifetime) const;

  // Writes a CRL of our CA that lists the caller's certificate to `path`.
  void Revoke(const Caller& caller, const std::string& path) const;

 private:
  Caller Make(const std::string& name, const std::string& common_name, const troth::Signer* signer,
              troth::Validity validity) const;

  std::string folder_;
  std::string trust_bundle_pem_;
  troth::Signer authority_;
};

// A connection of its own, which no other channel shares, to a bridge service on 127.0.0.1.
std::shared_ptr<grpc::Channel> Connect(const std::string& endpoint, const Caller& caller);

}  // namespace bridge
