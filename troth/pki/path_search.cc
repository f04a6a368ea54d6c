#include "troth/pki/path_search_internal.h"

#include <algorithm>
#include <deque>
#include <tuple>
#include <unordered_set>
#include <utility>

#include "troth/base/reason.h"

namespace troth {
namespace {

bool TooComplex(const absl::Status& status) { return ReasonOf(status) == Reason::kPathTooComplex; }

bool IsSubset(const std::vector<std::uint64_t>& a, const std::vector<std::uint64_t>& b) {
  for (size_t i = 0; i < a.size(); ++i) {
    if ((a[i] & ~b[i]) != 0) return false;
  }
  return true;
}

bool Has(const std::vector<std::uint64_t>& bits, size_t i) {
  return (bits[i / 64] >> i % 64 & 1) != 0;
}

}  // namespace

CertificateGraph::CertificateGraph(const Certificate& leaf,
                                   const std::vector<Certificate>& intermediates,
                                   const TrustBundle& trust) {
  nodes_.reserve(1 + intermediates.size() + trust.anchors().size());
  Add(leaf, false);
  std::unordered_set<std::string_view> seen = {leaf.der()};
  for (const Certificate& anchor : trust.anchors()) {
    if (seen.insert(anchor.der()).second) Add(anchor, true);
  }
  const size_t before = nodes_.size();
  for (const Certificate& intermediate : intermediates) {
    if (seen.insert(intermediate.der()).second) Add(intermediate, false);
  }
  intermediates_ = nodes_.size() - before;
  by_subject_.resize(names_.size());
  for (size_t i = 1; i < nodes_.size(); ++i) {
    by_subject_[static_cast<size_t>(nodes_[i].subject)].push_back(static_cast<int>(i));
  }
  MeasureDistances();
}

void CertificateGraph::Add(const Certificate& certificate, bool is_anchor) {
  const int subject = IdOf(certificate.subject());
  const int issuer = IdOf(certificate.issuer());
  nodes_.push_back({.certificate = &certificate,
                    .is_anchor = is_anchor,
                    .subject = subject,
                    .issuer = issuer,
                    .self_issued = subject == issuer});
}

int CertificateGraph::IdOf(const DistinguishedName& name) {
  const auto [known, is_new] = ids_by_der_.try_emplace(name.der(), 0);
  if (!is_new) return known->second;
  const auto same = std::ranges::find_if(
      names_, [&](const DistinguishedName* other) { return other->Matches(name); });
  known->second = static_cast<int>(same - names_.begin());
  if (same == names_.end()) names_.push_back(&name);
  return known->second;
}

void CertificateGraph::MeasureDistances() {
  std::vector<std::vector<int>> by_issuer(names_.size());
  std::deque<int> queue;
  for (size_t i = 0; i < nodes_.size(); ++i) {
    by_issuer[static_cast<size_t>(nodes_[i].issuer)].push_back(static_cast<int>(i));
    if (!nodes_[i].is_anchor) continue;
    nodes_[i].distance = 0;
    queue.push_back(static_cast<int>(i));
  }
  while (!queue.empty()) {
    const Node& issuer = nodes_[static_cast<size_t>(queue.front())];
    queue.pop_front();
    std::vector<int>& issued = by_issuer[static_cast<size_t>(issuer.subject)];
    for (const int child : issued) {
      Node& node = nodes_[static_cast<size_t>(child)];
      if (node.distance >= 0) continue;
      node.distance = issuer.distance + 1;
      queue.push_back(child);
    }
    issued.clear();  // those of this name are done
  }
}

std::vector<int> CertificateGraph::IssuersOf(int node) const {
  const Node& child = nodes_[static_cast<size_t>(node)];
  if (child.certificate->issuer().empty()) return {};
  std::vector<int> issuers = by_subject_[static_cast<size_t>(child.issuer)];
  std::erase(issuers, node);
  return issuers;
}

int DoubtOf(const Certificate& certificate, const Certificate& issuer) {
  if (!certificate.authority_key_id().has_value() || !issuer.subject_key_id().has_value()) return 1;
  return certificate.authority_key_id() == issuer.subject_key_id() ? 0 : 2;
}

PathSearch::PathSearch(const CertificateGraph& graph, const PathOptions& options,
                       SignatureChecks& signatures, RevocationChecker& revocation)
    : graph_(graph),
      options_(options),
      signatures_(signatures),
      revocation_(revocation),
      leaf_names_(*graph.nodes()[CertificateGraph::kLeaf].certificate),
      authorities_(graph.nodes().size()),
      labels_of_(graph.nodes().size()) {
  for (size_t i = 1; i < graph.nodes().size(); ++i) {
    const Certificate& certificate = *graph.nodes()[i].certificate;
    if (const auto constraints = certificate.basic_constraints();
        constraints.has_value() && constraints->path_length.has_value()) {
      most_below_ = std::max(most_below_, std::min(*constraints->path_length, 1'000'000) + 1);
    }
    if (!certificate.name_constraints().has_value()) continue;
    absl::StatusOr<NameRules> rules = NameRules::Create(*certificate.name_constraints());
    if (!rules.ok()) continue;  // BrokenBy counts it
    authorities_[i].rules = *std::move(rules);
    constrained_.push_back(static_cast<int>(i));
  }
}

bool PathSearch::Edge::operator<(const Edge& other) const {
  return std::tuple(other.broken, other.estimate, !other.to_anchor, other.sequence) <
         std::tuple(broken, estimate, !to_anchor, sequence);
}

int PathSearch::BrokenBy(int node) {
  Authority& authority = authorities_[static_cast<size_t>(node)];
  if (authority.broken.has_value()) return *authority.broken;
  const CertificateGraph::Node& at = graph_.nodes()[static_cast<size_t>(node)];
  const Certificate& ca = *at.certificate;
  const CaRole role = at.is_anchor ? CaRole::kAnchor : CaRole::kIntermediate;
  int broken = 0;
  broken += CheckTime(ca, options_.now).ok() ? 0 : 1;
  broken += CheckExtensions(ca).ok() ? 0 : 1;
  broken += CheckAuthority(ca, role, options_.usage).ok() ? 0 : 1;
  if (ca.name_constraints().has_value()) {
    broken +=
        authority.rules.has_value() && authority.rules->Check(leaf_names_, comparisons_left_).ok()
            ? 0
            : 1;
  }
  authority.broken = broken;
  return broken;
}

const PathSearch::Bits& PathSearch::RefusedBy(int node) {
  Authority& authority = authorities_[static_cast<size_t>(node)];
  if (authority.refused_by.has_value()) return *authority.refused_by;
  Bits& bits = authority.refused_by.emplace((constrained_.size() + 63) / 64);
  const CertificateGraph::Node& at = graph_.nodes()[static_cast<size_t>(node)];
  // 6.1.3 (b): the names of self-issued intermediates are not constrained.
  if (at.self_issued || bits.empty()) return bits;
  const ConstrainedNames names(*at.certificate);
  for (size_t i = 0; i < constrained_.size(); ++i) {
    const NameRules& rules = *authorities_[static_cast<size_t>(constrained_[i])].rules;
    if (!rules.Check(names, comparisons_left_).ok()) bits[i / 64] |= std::uint64_t{1} << i % 64;
  }
  return bits;
}

bool PathSearch::Extend(int label) {
  const Label& child = labels_[static_cast<size_t>(label)];
  const Certificate& certificate = *graph_.nodes()[static_cast<size_t>(child.node)].certificate;
  for (const int node : graph_.IssuersOf(child.node)) {
    const CertificateGraph::Node& issuer = graph_.nodes()[static_cast<size_t>(node)];
    if (issuer.distance < 0) continue;
    if (++steps_ > kMaxSearchSteps) return false;
    int broken = child.broken + BrokenBy(node);
    const std::optional<BasicConstraints> constraints = issuer.certificate->basic_constraints();
    if (constraints.has_value() && constraints->path_length.has_value() &&
        child.below > *constraints->path_length) {
      ++broken;
    }
    if (authorities_[static_cast<size_t>(node)].rules.has_value()) {
      const auto bit = std::ranges::lower_bound(constrained_, node) - constrained_.begin();
      if (Has(child.refused, static_cast<size_t>(bit))) ++broken;
    }
    edges_.push({.broken = broken,
                 .estimate = child.length + child.doubt +
                             DoubtOf(certificate, *issuer.certificate) + issuer.distance,
                 .to_anchor = issuer.is_anchor,
                 .sequence = static_cast<int>(steps_),
                 .label = label,
                 .node = node,
                 .checked = false});
  }
  return true;
}

PathSearch::Label PathSearch::Above(const Edge& edge) {
  const Label& child = labels_[static_cast<size_t>(edge.label)];
  const CertificateGraph::Node& node = graph_.nodes()[static_cast<size_t>(edge.node)];
  const Certificate& certificate = *graph_.nodes()[static_cast<size_t>(child.node)].certificate;
  Label label{.node = edge.node,
              .parent = edge.label,
              .broken = edge.broken,
              .length = child.length + 1,
              .doubt = child.doubt + DoubtOf(certificate, *node.certificate),
              .below = std::min(child.below + (node.self_issued ? 0 : 1), most_below_),
              .refused = child.refused};
  const Bits& refused = RefusedBy(edge.node);
  for (size_t i = 0; i < refused.size(); ++i) label.refused[i] |= refused[i];
  return label;
}

bool PathSearch::IsDominated(const Label& label) const {
  const std::vector<int>& others = labels_of_[static_cast<size_t>(label.node)];
  // Paths that break rules only serve an explanation: one label a certificate is enough.
  if (label.broken > 0) return !others.empty();
  return std::ranges::any_of(others, [&](int i) {
    const Label& other = labels_[static_cast<size_t>(i)];
    return other.below <= label.below && IsSubset(other.refused, label.refused);
  });
}

SearchResult PathSearch::PathTo(int label, int anchor) const {
  SearchResult result;
  result.path.push_back(graph_.nodes()[static_cast<size_t>(anchor)].certificate);
  for (int at = label; at >= 0; at = labels_[static_cast<size_t>(at)].parent) {
    const int node = labels_[static_cast<size_t>(at)].node;
    result.path.push_back(graph_.nodes()[static_cast<size_t>(node)].certificate);
  }
  std::ranges::reverse(result.path);
  return result;
}

SearchResult PathSearch::Run() {
  labels_.push_back({.node = CertificateGraph::kLeaf,
                     .parent = -1,
                     .broken = 0,
                     .length = 0,
                     .doubt = 0,
                     .below = 0,
                     .refused = Bits((constrained_.size() + 63) / 64)});
  labels_of_[CertificateGraph::kLeaf].push_back(0);
  if (!Extend(0)) return {.path = {}, .gave_up = true};
  while (!edges_.empty()) {
    Edge edge = edges_.top();
    edges_.pop();
    const CertificateGraph::Node& issuer = graph_.nodes()[static_cast<size_t>(edge.node)];
    if (!labels_of_[static_cast<size_t>(edge.node)].empty() && IsDominated(Above(edge))) continue;
    if (!edge.checked) {
      const int child_node = labels_[static_cast<size_t>(edge.label)].node;
      const Certificate& child = *graph_.nodes()[static_cast<size_t>(child_node)].certificate;
      const absl::Status& signature = signatures_.Verify(child, issuer.certificate->public_key());
      if (TooComplex(signature)) return {.path = {}, .gave_up = edge.broken == 0};
      if (!signature.ok()) continue;
      const absl::Status& revocation = revocation_.Check(child, *issuer.certificate).status;
      if (TooComplex(revocation)) return {.path = {}, .gave_up = edge.broken == 0};
      edge.checked = true;
      if (!revocation.ok()) {
        ++edge.broken;
        edges_.push(edge);
        continue;
      }
    }
    if (issuer.is_anchor) return PathTo(edge.label, edge.node);
    Label label = Above(edge);
    labels_of_[static_cast<size_t>(edge.node)].push_back(static_cast<int>(labels_.size()));
    labels_.push_back(std::move(label));
    if (!Extend(static_cast<int>(labels_.size()) - 1)) {
      return {.path = {}, .gave_up = edge.broken == 0};
    }
  }
  return {};
}

}  // namespace troth
