#include <algorithm>
#include <set>
#include <string>

#include "troth/base/encoding.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/pki/chain_end_internal.h"
#include "troth/pki/description.h"

namespace troth {
namespace {

constexpr size_t kChecks = 64;
constexpr size_t kNamesListed = 5;

const Certificate& At(const CertificateGraph& graph, int node) {
  return *graph.nodes()[static_cast<size_t>(node)].certificate;
}

std::string KeyIdOf(const std::optional<std::string>& id) {
  return id.has_value() ? "key id " + Printable(ToHex(*id), 64) : std::string("no key id");
}

// "'CN=a', 'CN=b' and 3 more".
std::string ListAnchors(const CertificateGraph& graph) {
  std::vector<std::string> names;
  size_t more = 0;
  for (const CertificateGraph::Node& node : graph.nodes()) {
    if (!node.is_anchor) continue;
    std::string name = Quoted(node.certificate->subject());
    if (std::ranges::find(names, name) != names.end()) continue;
    if (names.size() < kNamesListed) {
      names.push_back(std::move(name));
    } else {
      ++more;
    }
  }
  if (names.empty()) return "which is empty";
  std::string text = "has: " + Join(names, ", ");
  if (more > 0) text += " and " + std::to_string(more) + " more";
  return text;
}

absl::Status IssuerUnknown(const CertificateGraph& graph, const Certificate& last) {
  return MakeError(Reason::kIssuerUnknown,
                   "issuer " + Quoted(last.issuer()) + " of certificate " + Called(last) +
                       " is not in the trust bundle (" + ListAnchors(graph) + ") nor among " +
                       std::to_string(graph.intermediates()) + " intermediates");
}

absl::Status TooLong(const CertificateGraph& graph, size_t length) {
  return MakeError(Reason::kIssuerUnknown,
                   "certificate " + Called(At(graph, CertificateGraph::kLeaf)) +
                       " has no chain to the trust bundle (" + ListAnchors(graph) +
                       "); looking for its end was given up after " + std::to_string(length) +
                       " certificates");
}

absl::Status SelfSigned(const CertificateGraph& graph, const Certificate& last, bool is_leaf) {
  if (is_leaf) {
    return MakeError(Reason::kCertificateSelfSigned,
                     "certificate " + Called(last) +
                         " is self-signed; expected one that the trust bundle leads to (" +
                         ListAnchors(graph) + ")");
  }
  return MakeError(Reason::kIssuerUnknown,
                   "the chain ends in the self-signed certificate " + Called(last) +
                       ", which is not in the trust bundle (" + ListAnchors(graph) + ")");
}

}  // namespace

ChainEnd ExplainChainEnd(const CertificateGraph& graph, SignatureChecks& signatures) {
  signatures.SetBudget(kChecks);
  ChainEnd end;
  std::set<int> visited;
  int last = CertificateGraph::kLeaf;
  std::vector<int> issuers;            // of `last`
  std::vector<absl::Status> refusals;  // one for each of `issuers`, when none of them is the issuer
  for (;;) {
    visited.insert(last);
    const Certificate& certificate = At(graph, last);
    end.path.push_back(&certificate);
    issuers = graph.IssuersOf(last);
    std::ranges::stable_sort(issuers, {},
                             [&](int i) { return DoubtOf(certificate, At(graph, i)); });
    refusals.clear();
    int next = -1;
    bool circle = false;
    for (const int issuer : issuers) {
      const absl::Status& status = signatures.Verify(certificate, At(graph, issuer).public_key());
      if (ReasonOf(status) == Reason::kPathTooComplex) {
        end.status = TooLong(graph, end.path.size());
        return end;
      }
      if (!status.ok()) {
        refusals.push_back(status);
      } else if (visited.contains(issuer)) {
        circle = true;
      } else {
        next = issuer;
        break;
      }
    }
    if (next < 0 && circle) {
      end.status =
          WithContext(IssuerUnknown(graph, certificate), "the chain goes round in a circle");
      return end;
    }
    if (next < 0) break;
    last = next;
  }

  const Certificate& certificate = At(graph, last);
  const bool is_leaf = last == CertificateGraph::kLeaf;
  const bool self_issued = graph.nodes()[static_cast<size_t>(last)].self_issued;
  const bool self_signed =
      self_issued && signatures.Verify(certificate, certificate.public_key()).ok();
  if (self_signed && (is_leaf || issuers.empty())) {
    end.status = SelfSigned(graph, certificate, is_leaf);
    return end;
  }
  if (issuers.empty()) {
    end.status = IssuerUnknown(graph, certificate);
    return end;
  }
  // Another key of the same name says less than a signature that could not be checked.
  const auto other = std::ranges::find_if(refusals, [](const absl::Status& status) {
    return ReasonOf(status) != Reason::kSignatureInvalid;
  });
  if (other != refusals.end()) {
    end.status = WithContext(*other, "certificate " + Called(certificate));
    return end;
  }
  const Certificate& issuer = At(graph, issuers[0]);
  end.status = MakeError(
      Reason::kSignatureInvalid,
      "certificate " + Called(certificate) + " is not signed by the " +
          (graph.nodes()[static_cast<size_t>(issuers[0])].is_anchor ? "trusted CA "
                                                                    : "intermediate ") +
          Quoted(issuer.subject()) + ": the certificate names " +
          KeyIdOf(certificate.authority_key_id()) + ", the CA has " +
          KeyIdOf(issuer.subject_key_id()) +
          (issuers.size() > 1 ? " (" + std::to_string(issuers.size()) + " CAs of this name tried)"
                              : std::string()));
  return end;
}

}  // namespace troth
