// GET /v1/trust: all that somebody needs who verifies certificates of this authority.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "troth/base/time.h"
#include "troth/ca/authority.h"

namespace troth::metrics {

// Thread-safe. A text is written once and kept until an issuer or a list changes, for lists can be
// long, and anyone may ask.
class TrustWriter {
 public:
  TrustWriter(Authority& authority, const Clock& clock) : authority_(authority), clock_(clock) {}

  // {"trust_bundle", "issuers", "crls"}, each PEM: the root; every other issuer that has not ended,
  // newest first; and the current list of each of them and, last, of the root. An issuer of which
  // there is no list here is among the issuers all the same.
  std::shared_ptr<const std::string> Write();

 private:
  Authority& authority_;
  const Clock& clock_;
  std::mutex mutex_;
  // What `text_` was written from. Guarded by mutex_.
  std::vector<Certificate> issuers_;
  std::vector<std::shared_ptr<const Crl>> lists_;
  std::shared_ptr<const std::string> text_;
};

}  // namespace troth::metrics
