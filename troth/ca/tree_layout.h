// The certificate tree of a small fleet: who is in it, under which names, in which files.
//
//   ca/ca.key, ca/ca.pem
//   server/ca.pem, server.key, server.pem         client/...         aggregator/...
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "troth/ca/key_pair_files.h"
#include "troth/ca/templates.h"
#include "troth/pki/name.h"

namespace troth {

struct TreeLeaf {
  std::string_view name;     // of its folder and files: "server"
  std::string_view subject;  // "/C=US/.../CN=localhost"
  std::span<const std::string_view> alternative_names;
  LeafUsage usage;
  // Policies pin this leaf by its file, so that the old leaf stays beside a new one for a while.
  bool pinned;
};

// server, client, aggregator.
std::span<const TreeLeaf> TreeLeaves();
// The leaf with this name, or null.
const TreeLeaf* FindTreeLeaf(std::string_view name);

DistinguishedName TreeAuthoritySubject();
DistinguishedName SubjectOf(const TreeLeaf& leaf);
std::vector<AlternativeName> NamesOf(const TreeLeaf& leaf);

// Paths below `folder`. Those of the CA include the copies of its certificate in every leaf's
// folder.
KeyPairPaths AuthorityPaths(const std::string& folder);
KeyPairPaths LeafPaths(const std::string& folder, const TreeLeaf& leaf);
std::string AuthorityCopyPath(const std::string& folder, const TreeLeaf& leaf);

}  // namespace troth
