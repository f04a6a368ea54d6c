// Finds what is wrong with the files of a TLS identity: certificates, keys, trust bundles, lists.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "troth/base/time.h"
#include "troth/doctor/diagnosis.h"
#include "troth/pki/name.h"
#include "troth/pki/path_validation.h"

namespace troth {

struct FileDoctorOptions {
  Time now;
  // What the certificates that are no CA are for. kAny: usage is not judged.
  Usage purpose = Usage::kAny;
  // When set, such a certificate must have this name.
  std::optional<AlternativeName> server_name = {};
  // Warns of a certificate that ends within this, but never before the last third of its life.
  Seconds warn_before = std::chrono::hours(24 * 30);
};

// Examines the files as one set. What each of them is, which key belongs to which certificate and
// which chain to which root is found out from what they hold, never from their names or order:
// * A file that holds only CA certificates is a trust bundle; one with another certificate is the
//   chain of that certificate, as a server sends it. Only self-signed CAs of trust bundles count as
//   trusted; without any, the chain is checked within itself. A bundle may pin leaves among CAs
//   that have nothing to do with them; a file that only repeats intermediates of chains is none.
// * A CA certificate whose key is among the files is an authority, unless a purpose or a server
//   name is given and there is no other certificate, or its key is in its file: then it is used as
//   a leaf.
// * CRLs of the files count for every chain.
// Reads the files and their modes; changes nothing. No passphrase is asked for: an encrypted key is
// a fault when it may be that of a leaf. All that is wrong is reported, not only the first, but for
// at most 20 findings on a file; the work is bounded, whatever the files hold.
Diagnosis ExamineFiles(const std::vector<std::string>& paths, const FileDoctorOptions& options);

}  // namespace troth
