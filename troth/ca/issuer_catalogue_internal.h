// The issuers of an authority, by number: the one that signs, those before it, and the root.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "troth/ca/authority_folder.h"
#include "troth/ca/name_rules.h"
#include "troth/ca/store.h"
#include "troth/pki/issue.h"

namespace troth {

struct NumberedIssuer {
  std::uint32_t number = 0;
  Certificate certificate;
  // Null: its key is not here. The root's never is, but for a one-tier authority.
  std::shared_ptr<const Signer> signer = {};
  // PEM of the intermediates that its leaves are sent with.
  std::shared_ptr<const std::string> chain_pem = {};
};

// The issuers at one moment. Immutable.
struct IssuerSet {
  std::vector<NumberedIssuer> all;  // newest first, the root last; never empty
  std::shared_ptr<const std::string> root_pem = {};
  // Of the first, made once for all of its leaves.
  std::vector<std::string> crl_urls = {}, issuer_urls = {};
  ReservedNames reserved = {};

  const NumberedIssuer& current() const { return all.front(); }
  const NumberedIssuer& root() const { return all.back(); }
  const NumberedIssuer* Find(std::uint32_t number) const;
};

// Thread-safe. Sets live as long as the catalogue, so that references into them stay good.
class IssuerCatalogue {
 public:
  // Takes the keys over; numbers issuers that the store does not know yet, and writes them there.
  // Waits for the store. Errors: key_mismatch (the store belongs to another root), store_failed,
  // request_malformed (a DNS name of the settings is none).
  absl::Status Load(AuthorityKeys keys, const AuthoritySettings& settings, Store& store, Time now);
  const IssuerSet& current() const { return *current_.load(std::memory_order_acquire); }

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<const IssuerSet>> sets_;
  std::atomic<const IssuerSet*> current_ = nullptr;
};

}  // namespace troth
