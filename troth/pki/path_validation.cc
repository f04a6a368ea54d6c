#include "troth/pki/path_validation.h"

#include <algorithm>
#include <utility>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/pki/certificate_rules_internal.h"
#include "troth/pki/chain_end_internal.h"
#include "troth/pki/description.h"
#include "troth/pki/name_constraints_internal.h"
#include "troth/pki/path_search_internal.h"
#include "troth/pki/revocation_internal.h"
#include "troth/pki/signature_checks_internal.h"

namespace troth {
namespace {

using Path = std::vector<const Certificate*>;

bool IsSelfIssued(const Certificate& certificate) {
  return certificate.subject().Matches(certificate.issuer());
}

// What certificate `i` of the path is called in messages.
std::string Role(const Path& path, size_t i) {
  const std::string_view role = i == 0                 ? "certificate "
                                : i + 1 == path.size() ? "trust anchor "
                                                       : "intermediate ";
  return std::string(role) + Called(*path[i]);
}

// Checks a path as RFC 5280 section 6.1 says, from the anchor down. What the search has found out
// is not relied on: a path is good when this says so. Signatures and CRLs that were checked are not
// checked again.
class PathCheck {
 public:
  PathCheck(const Path& path, const PathOptions& options, SignatureChecks& signatures,
            RevocationChecker& revocation)
      : path_(path), options_(options), signatures_(signatures), revocation_(revocation) {}

  // Fills in everything but path and signature_checks.
  void Run(PathResult& result) {
    result.valid_until = path_.back()->validity().not_after;
    for (size_t i = path_.size(); i-- > 0;) {
      absl::Status status = CheckOne(i, result);
      if (!status.ok()) {
        result.status = WithContext(status, Role(path_, i));
        result.failed = *path_[i];
        return;
      }
    }
    for (size_t i = 0; i < path_.size(); ++i) Warn(i, result);
  }

 private:
  absl::Status CheckOne(size_t i, PathResult& result) {
    const Certificate& certificate = *path_[i];
    const bool is_anchor = i + 1 == path_.size();
    if (absl::Status status = CheckTime(certificate, options_.now); !status.ok()) return status;
    LimitTo(certificate.validity().not_after, result);
    if (absl::Status status = CheckExtensions(certificate); !status.ok()) return status;
    if (!is_anchor) {
      if (absl::Status status = CheckIssued(certificate, *path_[i + 1], result); !status.ok()) {
        return status;
      }
    }
    if (absl::Status status = CheckNames(i); !status.ok()) return status;
    if (i > 0) return CheckAsAuthority(i);
    if (absl::Status status = CheckLeaf(certificate, options_.usage); !status.ok()) return status;
    return options_.name.has_value() ? CheckName(certificate, *options_.name) : absl::OkStatus();
  }

  // 6.1.3 (a).
  absl::Status CheckIssued(const Certificate& certificate, const Certificate& issuer,
                           PathResult& result) {
    if (!certificate.issuer().Matches(issuer.subject())) {
      return MakeError(Reason::kIssuerUnknown, "its issuer is not " + Called(issuer));
    }
    if (const absl::Status& status = signatures_.Verify(certificate, issuer.public_key());
        !status.ok()) {
      return status;
    }
    const RevocationAnswer& revocation = revocation_.Check(certificate, issuer);
    if (!revocation.status.ok()) return revocation.status;
    if (revocation.good_until.has_value()) LimitTo(*revocation.good_until, result);
    for (const std::string& warning : revocation.warnings) AddWarning(warning, result);
    return absl::OkStatus();
  }

  // 6.1.3 (b) and (c), against the constraints of every CA above.
  absl::Status CheckNames(size_t i) {
    if (rules_.empty() || (i > 0 && IsSelfIssued(*path_[i]))) return absl::OkStatus();
    const ConstrainedNames names(*path_[i]);
    for (const auto& [at, rules] : rules_) {
      if (absl::Status status = rules.Check(names, comparisons_left_); !status.ok()) {
        return MakeError(*ReasonOf(status), std::string(ToStd(status.message())) +
                                                " by the name constraints of " +
                                                Called(*path_[at]));
      }
    }
    return absl::OkStatus();
  }

  // 6.1.4: what certificate `i` must be like to issue the one below.
  absl::Status CheckAsAuthority(size_t i) {
    const Certificate& ca = *path_[i];
    const CaRole role = i + 1 == path_.size() ? CaRole::kAnchor : CaRole::kIntermediate;
    if (absl::Status status = CheckAuthority(ca, role, options_.usage); !status.ok()) return status;
    const std::optional<BasicConstraints> constraints = ca.basic_constraints();
    if (constraints.has_value() && constraints->path_length.has_value()) {
      const auto below = std::count_if(path_.begin() + 1, path_.begin() + static_cast<long>(i),
                                       [](const Certificate* c) { return !IsSelfIssued(*c); });
      if (below > *constraints->path_length) {
        return MakeError(Reason::kPathLengthExceeded,
                         "its pathLenConstraint allows " +
                             std::to_string(*constraints->path_length) +
                             " intermediates below it, got " + std::to_string(below));
      }
    }
    if (!ca.name_constraints().has_value()) return absl::OkStatus();
    absl::StatusOr<NameRules> rules = NameRules::Create(*ca.name_constraints());
    if (!rules.ok()) return rules.status();
    rules_.emplace_back(i, *std::move(rules));
    return absl::OkStatus();
  }

  void Warn(size_t i, PathResult& result) {
    const Certificate& certificate = *path_[i];
    for (const std::string& weakness : certificate.Weaknesses()) {
      AddWarning(Role(path_, i) + ": " + weakness, result);
    }
  }

  static void AddWarning(std::string text, PathResult& result) {
    if (std::ranges::find(result.warnings, text) == result.warnings.end()) {
      result.warnings.push_back(std::move(text));
    }
  }

  static void LimitTo(Time time, PathResult& result) {
    result.valid_until = std::min(result.valid_until, time);
  }

  const Path& path_;
  const PathOptions& options_;
  SignatureChecks& signatures_;
  RevocationChecker& revocation_;
  std::vector<std::pair<size_t, NameRules>> rules_;  // position in the path, from the anchor down
  size_t comparisons_left_ = kMaxNameComparisons;
};

Path FindPath(const Certificate& leaf, const CertificateGraph& graph, const TrustBundle& trust,
              const PathOptions& options, SignatureChecks& signatures,
              RevocationChecker& revocation, PathResult& result) {
  const std::vector<Certificate>& anchors = trust.anchors();
  if (std::ranges::find(anchors, leaf) != anchors.end()) return {&leaf};
  SearchResult found = PathSearch(graph, options, signatures, revocation).Run();
  if (!found.path.empty()) return std::move(found.path);
  ChainEnd end = ExplainChainEnd(graph, signatures);
  if (found.gave_up) {
    end.status = MakeError(Reason::kPathTooComplex,
                           "the search for a chain for certificate " + Called(leaf) +
                               " was given up after " + std::to_string(signatures.used()) +
                               " signatures; expected fewer CAs of one name among " +
                               std::to_string(graph.intermediates()) + " intermediates");
  } else {
    result.failed = *end.path.back();
  }
  result.status = end.status;
  for (const Certificate* certificate : end.path) result.path.push_back(*certificate);
  return {};
}

std::string ListNames(const Certificate& certificate) {
  std::string names;
  for (const AlternativeName& name : certificate.alternative_names()) {
    if (names.size() > 500) return names + ", ...";
    if (!names.empty()) names += ", ";
    names += Printable(name.ToString());
  }
  return names;
}

bool EmailMatches(std::string_view a, std::string_view b) {
  const size_t at = a.rfind('@');
  if (at == std::string_view::npos || a.size() != b.size()) return false;
  return a.substr(0, at) == b.substr(0, at) && EqualsIgnoreCaseAscii(a.substr(at), b.substr(at));
}

bool NameMatches(const AlternativeName& has, const AlternativeName& expected) {
  if (has.kind != expected.kind) return false;
  switch (expected.kind) {
    case AlternativeName::Kind::kDns: {
      // "example.com." is how a resolver writes the same name.
      std::string_view name = expected.value;
      if (name.ends_with('.')) name.remove_suffix(1);
      return DnsNameMatches(has.value, name);
    }
    case AlternativeName::Kind::kEmail:
      return EmailMatches(has.value, expected.value);
    default:
      return has.value == expected.value;
  }
}

}  // namespace

PathResult ValidatePath(const Certificate& leaf, const std::vector<Certificate>& intermediates,
                        const TrustBundle& trust, const PathOptions& options) {
  PathResult result;
  const CertificateGraph graph(leaf, intermediates, trust);
  SignatureChecks signatures(options.max_signature_checks);
  RevocationChecker revocation(options, signatures);
  const Path path = FindPath(leaf, graph, trust, options, signatures, revocation, result);
  if (!path.empty()) {
    PathCheck(path, options, signatures, revocation).Run(result);
    for (const Certificate* certificate : path) result.path.push_back(*certificate);
  }
  result.signature_checks = signatures.used();
  if (!result.status.ok()) result.valid_until = Time{};
  return result;
}

absl::Status CheckName(const Certificate& certificate, const AlternativeName& name) {
  const std::vector<AlternativeName>& names = certificate.alternative_names();
  if (std::ranges::any_of(names,
                          [&](const AlternativeName& has) { return NameMatches(has, name); })) {
    return absl::OkStatus();
  }
  const std::string expected = "expected the name " + Printable(name.ToString());
  if (!names.empty()) {
    return MakeError(Reason::kNameMismatch,
                     expected + ", the certificate has " + ListNames(certificate));
  }
  const std::optional<std::string> common_name = certificate.subject().common_name();
  return MakeError(Reason::kNamesMissing,
                   expected + ", the certificate has no subject alternative name" +
                       (common_name.has_value()
                            ? "; its common name '" + Printable(*common_name) + "' does not count"
                            : std::string()));
}

}  // namespace troth
