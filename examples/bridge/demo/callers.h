// Who calls in the demonstration: identities of every kind, good and bad.
#pragma once

#include <grpcpp/channel.h>

#include <memory>
#include <string>

#include "troth/base/secret.h"
#include "troth/enroll/enroller.h"
#include "troth/identity/identity_source.h"
#include "troth/pki/issue.h"

namespace bridge {

struct Caller {
  std::string name;
  std::shared_ptr<troth::IdentitySource> identity;
};

// Makes callers: from files, by enrolling with the authority, and bad ones, which no authority has
// issued. Throws std::runtime_error with what went wrong.
class CallerFactory {
 public:
  // `authority`: where it listens; `root_pem`: its root, which every caller trusts.
  CallerFactory(std::string authority, std::string root_pem);

  // Key and certificates in `file`, which is watched.
  Caller FromFile(const std::string& name, const std::string& file,
                  const std::string& trust_bundle) const;
  // Enrols with a token, in memory, and renews itself.
  Caller Enrolled(const std::string& name, const std::string& client_id, troth::Secret token) const;
  // The same with a token of the profile "brief", and does not renew itself: the certificate
  // expires.
  Caller Brief(const std::string& name, const std::string& client_id, troth::Secret token) const;
  Caller WithoutCertificate() const;
  Caller SelfSigned() const;
  Caller OfForeignCa() const;

 private:
  troth::EnrollOptions OptionsFor(const std::string& client_id, troth::Secret token) const;
  Caller Make(const std::string& name, const troth::Signer* signer) const;

  const std::string authority_;
  const std::string root_pem_;
};

// A connection of its own, which no other channel shares, to a bridge service on 127.0.0.1.
std::shared_ptr<grpc::Channel> Connect(const std::string& endpoint, const Caller& caller);

}  // namespace bridge
