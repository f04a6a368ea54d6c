#include <algorithm>

#include "troth/doctor/certificate_role_internal.h"

namespace troth {
namespace {

constexpr size_t kMaxLength = 10;

}  // namespace

bool IsRefused(SignatureAlgorithm algorithm) {
  return algorithm == SignatureAlgorithm::kRsaSha1 || algorithm == SignatureAlgorithm::kEcdsaSha1 ||
         algorithm == SignatureAlgorithm::kOther;
}

bool SignsItself(const Certificate& certificate) {
  if (!certificate.subject().Matches(certificate.issuer())) return false;
  const bool is_refused = IsRefused(certificate.signature_algorithm()) ||
                          certificate.public_key().kind() == PublicKey::Kind::kOther;
  if (!is_refused) return certificate.IsSelfSigned();
  const auto& issuer = certificate.authority_key_id();
  const auto& subject = certificate.subject_key_id();
  return !issuer.has_value() || !subject.has_value() || issuer == subject;
}

Role FindRole(const Certificate& certificate) {
  if (!certificate.is_ca()) return Role::kLeaf;
  if (SignsItself(certificate)) return Role::kRoot;
  return certificate.basic_constraints().has_value() ? Role::kIntermediate : Role::kLeaf;
}

std::vector<size_t> RightOrder(const std::vector<Certificate>& chain, size_t at,
                               const std::function<Role(const Certificate&)>& role) {
  std::vector<size_t> order = {at};
  for (bool found = true; found && order.size() < kMaxLength;) {
    found = false;
    const Certificate& last = chain[order.back()];
    for (size_t i = 0; i < chain.size() && !found; ++i) {
      found = chain[i].is_ca() && chain[i].subject().Matches(last.issuer()) &&
              role(chain[i]) != Role::kRoot && std::ranges::find(order, i) == order.end();
      if (found) order.push_back(i);
    }
  }
  return order;
}

}  // namespace troth
