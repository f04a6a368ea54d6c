// Whether nginx can work with the files that it is given.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "troth/base/time.h"
#include "troth/nginx/server_block.h"

namespace troth {

// Reads the files of `server` with nginx's eyes, which takes less than Troth does and says less:
// * certificate: PEM, the leaf first, valid now, for servers, with the names of `server`; of
//   "*.db.example" with that name, or some of those that it stands for, which is warned of;
// * private_key: the certificate's, not encrypted;
// * trust_bundle: CAs, each with its issuers up to a root;
// * crl: PEM, one file with a current list, signed by its CA, of every CA of the bundle that has
//   not expired, and of those that the certificate's own chain names below them: nginx checks the
//   whole chain of a client, up to the root, and refuses everybody while a list is missing.
// Returns warnings: what works and is poor. Errors: those of reading, key_mismatch,
// certificate_expired, file_wrong_format, name_mismatch, usage_not_allowed, issuer_unknown,
// crl_expired, revocation_unknown; each with what to do.
absl::StatusOr<std::vector<std::string>> CheckNginxFiles(const NginxServer& server, Time now);

}  // namespace troth
