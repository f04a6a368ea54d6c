#include "troth/rpc/served_chain.h"

#include "troth/pki/path_validation.h"

namespace troth {

std::string ServedChainPem(const Identity& identity, Time now) {
  std::string chain = identity.ChainPem();
  if (identity.chain().size() > 1) return chain;
  PathOptions options;
  options.now = now;
  const PathResult path = ValidatePath(identity.leaf(), {}, identity.trust_bundle(), options);
  // A pinned or self-signed leaf, or one whose CA only the clients know, stays alone.
  if (path.status.ok() && path.path.size() > 1) chain += path.path[1].ToPem();
  return chain;
}

}  // namespace troth
