#include "troth/pki/trust_bundle.h"

#include <algorithm>
#include <set>
#include <utility>

#include "troth/base/file.h"
#include "troth/base/reason.h"

namespace troth {

struct TrustBundle::Index {
  std::vector<Certificate> anchors;  // in the order given
  std::set<Sha256Digest> fingerprints;

  void Add(Certificate certificate) {
    if (fingerprints.insert(certificate.fingerprint()).second) {
      anchors.push_back(std::move(certificate));
    }
  }
};

namespace {

// Why `certificate` cannot be an anchor, or empty.
std::string_view AnchorProblem(const Certificate& certificate) {
  if (!certificate.is_ca()) {
    return certificate.version() == 3
               ? "it has no basicConstraints with CA:TRUE, so it can issue nothing"
               : "it is of version 1 or 2 and its issuer is another, so it can issue nothing";
  }
  if (!certificate.basic_constraints().has_value() && !certificate.IsSelfSigned()) {
    return "it is of version 1 and not signed with its own key, so it can issue nothing";
  }
  return "";
}

}  // namespace

TrustBundle::TrustBundle() {
  static const auto empty = std::make_shared<const Index>();
  index_ = empty;
}

absl::StatusOr<TrustBundle> TrustBundle::FromPem(std::string_view pem) {
  absl::StatusOr<std::vector<Certificate>> certificates = Certificate::ListFromPem(pem);
  if (!certificates.ok()) return certificates.status();
  for (size_t i = 0; i < certificates->size(); ++i) {
    const Certificate& certificate = (*certificates)[i];
    const std::string_view problem = AnchorProblem(certificate);
    if (problem.empty()) continue;
    return MakeError(Reason::kNotACertificateAuthority,
                     "expected only CA certificates in a trust bundle, but certificate " +
                         std::to_string(i + 1) + " of " + std::to_string(certificates->size()) +
                         ", " + certificate.Describe() + ", is none: " + std::string(problem) +
                         "; take it out");
  }
  return FromCertificates(*std::move(certificates));
}

absl::StatusOr<TrustBundle> TrustBundle::FromFile(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadFile(path);
  if (!text.ok()) return text.status();
  absl::StatusOr<TrustBundle> bundle = FromPem(*text);
  if (!bundle.ok()) return WithContext(bundle.status(), path);
  return bundle;
}

TrustBundle TrustBundle::FromCertificates(std::vector<Certificate> anchors) {
  auto index = std::make_shared<Index>();
  for (Certificate& anchor : anchors) index->Add(std::move(anchor));
  TrustBundle bundle;
  bundle.index_ = std::move(index);
  return bundle;
}

const std::vector<Certificate>& TrustBundle::anchors() const { return index_->anchors; }

std::string TrustBundle::ToPem() const {
  std::string pem;
  for (const Certificate& anchor : anchors()) pem += anchor.ToPem();
  return pem;
}

std::vector<Certificate> TrustBundle::FindBySubject(const DistinguishedName& name) const {
  std::vector<Certificate> found;
  std::ranges::copy_if(anchors(), std::back_inserter(found),
                       [&](const Certificate& anchor) { return anchor.subject().Matches(name); });
  return found;
}

bool TrustBundle::operator==(const TrustBundle& other) const {
  return index_ == other.index_ || index_->fingerprints == other.index_->fingerprints;
}

}  // namespace troth
