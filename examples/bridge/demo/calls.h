// The calls that the demonstration makes.
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/support/status.h>

#include <memory>
#include <string>
#include <vector>

namespace bridge {

struct Call {
  std::string service;  // "operator", "verifier": which endpoint
  std::string name;     // "Operator/GetXOnlyPublicKey"
  grpc::Status (*make)(const std::shared_ptr<grpc::Channel>& channel,
                       std::string* server_certificate);
};

// One of every kind: public, internal, streaming, and reflection's neighbours.
const std::vector<Call>& AllCalls();

// The operator's GetXOnlyPublicKey and InternalEndRound. With `server_certificate`, also the leaf
// in PEM that the server showed.
grpc::Status GetKey(const std::shared_ptr<grpc::Channel>& channel,
                    std::string* server_certificate = nullptr);
grpc::Status EndRound(const std::shared_ptr<grpc::Channel>& channel,
                      std::string* server_certificate = nullptr);

// "role_not_allowed" of "... [troth:role_not_allowed]"; the status code's name when the message has
// no reason.
std::string ReasonCode(const grpc::Status& status);

}  // namespace bridge
