#include <algorithm>
#include <string>
#include <utility>

#include "troth/base/strings.h"
#include "troth/doctor/chain_order_internal.h"
#include "troth/doctor/mend_internal.h"

namespace troth {
namespace {

constexpr size_t kMaxNamed = 10;

// "'CN=server', then 'CN=ca'".
std::string InWords(const std::vector<Certificate>& all, const std::vector<size_t>& order) {
  std::vector<std::string> names;
  for (const size_t at : order) {
    if (names.size() == kMaxNamed) {
      names.push_back(std::to_string(order.size() - kMaxNamed) + " more");
      break;
    }
    names.push_back(Called(all[at]));
  }
  return Join(names, ", then ");
}

// The command that brings `order`, and the root of that chain, into their places. Nothing else may
// get lost or moved: keys lie among the blocks of a combined file.
std::string Reordering(const Chain& chain, const FileSet& set, std::vector<size_t> order) {
  const std::vector<Certificate>& all = chain.file->certificates;
  const DistinguishedName& end = all[order.back()].issuer();
  for (size_t i = 0; i < all.size(); ++i) {
    if (set.IsRoot(all[i]) && all[i].subject().Matches(end)) order.push_back(i);
  }
  const bool is_whole = chain.file->only_certificates && order.size() == all.size();
  return is_whole ? ReorderCommand(chain.file->path, order) : "";
}

}  // namespace

std::vector<size_t> RightOrder(const Chain& chain, const FileSet& set) {
  return RightOrder(chain.file->certificates, chain.at,
                    [&set](const Certificate& certificate) { return set.RoleOf(certificate); });
}

void ExamineOrder(const Chain& chain, const FileSet& set, Diagnosis& diagnosis) {
  const std::vector<Certificate>& all = chain.file->certificates;
  const std::vector<size_t> order = RightOrder(chain, set);
  std::vector<size_t> present(all.size());
  for (size_t i = 0; i < all.size(); ++i) present[i] = i;
  if (std::equal(order.begin(), order.end(), present.begin())) {
    if (order.size() < all.size() && set.IsRoot(all.back())) {
      diagnosis.Add({.severity = Severity::kNote,
                     .reason = Reason::kIssuerUnknown,
                     .subject = chain.file->path,
                     .title = "the chain ends with its root, which peers have or do not trust",
                     .fix = "leave it out: it only makes every handshake longer"});
    }
    return;
  }
  const char* title = "the certificates of the chain are in the wrong order";
  if (chain.at != 0) {
    title = set.IsRoot(all[0]) ? "the root stands where the leaf belongs: servers take the first "
                                 "certificate for their own, and find that the key does not match"
                               : "the leaf is not the first certificate of the file, which is the "
                                 "one that servers take for their own";
  }
  diagnosis.Add({.reason = chain.at != 0 ? Reason::kKeyMismatch : Reason::kIssuerUnknown,
                 .subject = chain.file->path,
                 .title = title,
                 .expected = InWords(all, order),
                 .got = InWords(all, present),
                 .fix = "put the leaf first, then its issuer, and so on; leave out the root",
                 .command = Reordering(chain, set, order)});
}

}  // namespace troth
