// The search for a path from a leaf to an anchor.
//
// A path has to keep rules of three kinds. Those of one certificate (CA, time, usage, what its name
// constraints say of the leaf) and those of a certificate and its issuer (signature, revocation) do
// not depend on the rest of the path. The third kind does: pathLen counts the intermediates below,
// and name constraints bind their names. So the search walks from the leaf upwards over labels: a
// certificate, with how many intermediates lie below it and which CAs' constraints would refuse one
// of them. A label that is no better in any of this than another of the same certificate is
// dropped. That makes the search exact - a good path is found when there is one - without trying
// paths one by one: nearly always there is a single label a certificate.
//
// Labels are taken in the order: fewest rules broken; then the smallest sum of the length so far,
// the doubts that key identifiers raise, and the distance to an anchor as names tell it. Only what
// is taken has its signature checked. Paths that break rules are followed after all others, for the
// explanation of a refusal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <queue>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "troth/pki/certificate.h"
#include "troth/pki/certificate_rules_internal.h"
#include "troth/pki/name_constraints_internal.h"
#include "troth/pki/path_validation.h"
#include "troth/pki/revocation_internal.h"
#include "troth/pki/signature_checks_internal.h"
#include "troth/pki/trust_bundle.h"

namespace troth {

inline constexpr size_t kMaxSearchSteps = 1'000'000;
inline constexpr size_t kMaxNameComparisons = 2'000'000;

// The certificates of one search, by name. Pointers lead into what the constructor was given, which
// must outlive it.
class CertificateGraph {
 public:
  // Duplicates are left out; a certificate that is an anchor and an intermediate is an anchor.
  CertificateGraph(const Certificate& leaf, const std::vector<Certificate>& intermediates,
                   const TrustBundle& trust);

  struct Node {
    const Certificate* certificate;
    bool is_anchor;
    int subject, issuer;  // ids of names: equal when the names match
    bool self_issued;
    int distance =
        -1;  // issuers between this and an anchor as names tell it; -1: names lead to none
  };
  static constexpr int kLeaf = 0;

  const std::vector<Node>& nodes() const { return nodes_; }
  // The nodes that `node`'s issuer may be: named like it, and not `node` itself.
  std::vector<int> IssuersOf(int node) const;
  size_t intermediates() const { return intermediates_; }

 private:
  void Add(const Certificate& certificate, bool is_anchor);
  int IdOf(const DistinguishedName& name);
  void MeasureDistances();

  std::vector<Node> nodes_;
  size_t intermediates_ = 0;
  std::unordered_map<std::string_view, int> ids_by_der_;
  std::vector<const DistinguishedName*> names_;
  std::vector<std::vector<int>> by_subject_;
};

// How little the key identifiers of the two tell against `issuer` having issued `certificate`: 0
// equal, 1 unknown, 2 different.
int DoubtOf(const Certificate& certificate, const Certificate& issuer);

struct SearchResult {
  // Leaf first, anchor last: a path with the fewest broken rules (often none). Empty when no
  // signatures lead to an anchor.
  std::vector<const Certificate*> path;
  bool gave_up = false;  // before every path without broken rules was tried
};

class PathSearch {
 public:
  // Everything must outlive the object.
  PathSearch(const CertificateGraph& graph, const PathOptions& options, SignatureChecks& signatures,
             RevocationChecker& revocation);
  SearchResult Run();

 private:
  using Bits = std::vector<std::uint64_t>;
  struct Label {
    int node;
    int parent;  // label, -1 for the leaf
    int broken;  // rules
    int length;  // certificates below
    int doubt;
    int below;  // intermediates that count to pathLen, with this one; at most pathLen of any CA + 1
    Bits refused;  // by the name constraints of these CAs
  };
  struct Edge {
    int broken;
    int estimate;
    bool to_anchor;
    int sequence;
    int label, node;
    bool checked;                             // signature and revocation were
    bool operator<(const Edge& other) const;  // priority_queue gives the greatest first
  };
  struct Authority {
    std::optional<int> broken;  // rules that the CA breaks in any path from this leaf
    std::optional<NameRules> rules;
    std::optional<Bits> refused_by;
  };

  // False when there were too many steps.
  bool Extend(int label);
  int BrokenBy(int node);
  const Bits& RefusedBy(int node);
  Label Above(const Edge& edge);
  bool IsDominated(const Label& label) const;
  SearchResult PathTo(int label, int anchor) const;

  const CertificateGraph& graph_;
  const PathOptions& options_;
  SignatureChecks& signatures_;
  RevocationChecker& revocation_;
  const ConstrainedNames leaf_names_;
  size_t comparisons_left_ = kMaxNameComparisons;
  size_t steps_ = 0;
  int most_below_ = 0;
  std::vector<Authority> authorities_;  // by node
  std::vector<int> constrained_;        // nodes with name constraints; their position is their bit
  std::vector<Label> labels_;
  std::vector<std::vector<int>> labels_of_;  // by node
  std::priority_queue<Edge> edges_;
};

}  // namespace troth
