#include "troth/ca/tree_layout.h"

#include <array>

#include "troth/base/file.h"

namespace troth {
namespace {

constexpr std::array<std::string_view, 4> kServerNames = {"localhost", "*.docker.internal",
                                                          "127.0.0.1", "172.17.0.1"};
constexpr std::array<std::string_view, 1> kClientNames = {"clementine-client"};
constexpr std::array<std::string_view, 1> kAggregatorNames = {"clementine-aggregator"};

constexpr std::string_view kAuthoritySubject =
    "/C=US/ST=California/L=San Francisco/O=Clementine/OU=CA/CN=clementine-ca";

constexpr std::array kLeaves = {
    TreeLeaf{"server", "/C=US/ST=California/L=San Francisco/O=Clementine/OU=Server/CN=localhost",
             kServerNames, LeafUsage::kServerAndClient, false},
    TreeLeaf{"client",
             "/C=US/ST=California/L=San Francisco/O=Clementine/OU=Client/CN=clementine-client",
             kClientNames, LeafUsage::kClient, true},
    TreeLeaf{
        "aggregator",
        "/C=US/ST=California/L=San Francisco/O=Clementine/OU=Aggregator/CN=clementine-aggregator",
        kAggregatorNames, LeafUsage::kClient, true}};

}  // namespace

std::span<const TreeLeaf> TreeLeaves() { return kLeaves; }

const TreeLeaf* FindTreeLeaf(std::string_view name) {
  for (const TreeLeaf& leaf : kLeaves) {
    if (leaf.name == name) return &leaf;
  }
  return nullptr;
}

// The constants are well-formed: a test reads each of them.
DistinguishedName TreeAuthoritySubject() {
  return *DistinguishedName::FromSlashes(kAuthoritySubject);
}
DistinguishedName SubjectOf(const TreeLeaf& leaf) {
  return *DistinguishedName::FromSlashes(leaf.subject);
}
std::vector<AlternativeName> NamesOf(const TreeLeaf& leaf) {
  std::vector<AlternativeName> names;
  for (const std::string_view name : leaf.alternative_names) {
    names.push_back(*AlternativeName::Parse(name));
  }
  return names;
}

KeyPairPaths AuthorityPaths(const std::string& folder) {
  KeyPairPaths paths{.key = JoinPath(folder, "ca/ca.key"),
                     .certificate = JoinPath(folder, "ca/ca.pem")};
  for (const TreeLeaf& leaf : kLeaves) {
    paths.certificate_copies.push_back(AuthorityCopyPath(folder, leaf));
  }
  return paths;
}

KeyPairPaths LeafPaths(const std::string& folder, const TreeLeaf& leaf) {
  const std::string stem = JoinPath(JoinPath(folder, leaf.name), leaf.name);
  return {.key = stem + ".key", .certificate = stem + ".pem"};
}

std::string AuthorityCopyPath(const std::string& folder, const TreeLeaf& leaf) {
  return JoinPath(JoinPath(folder, leaf.name), "ca.pem");
}

}  // namespace troth
