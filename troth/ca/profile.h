// Profiles: what a kind of certificate may contain, and who may have one.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "troth/base/time.h"
#include "troth/pki/certificate_request.h"
#include "troth/pki/issue.h"
#include "troth/pki/key.h"
#include "troth/pki/name.h"

namespace troth {

// Which names a profile allows. A name is allowed when one entry of its kind matches; a kind
// without entries is not allowed at all.
struct AllowedNames {
  bool any = false;                      // every name but the reserved ones
  std::vector<std::string> dns = {};     // "*.web.internal" (one label), "**.internal" (any depth,
                                         // and itself not), "db.internal"
  std::vector<std::string> ip = {};      // "10.0.0.0/8", "::1"
  std::vector<std::string> spiffe = {};  // "spiffe://example.org/db/*", "spiffe://example.org/**"
  std::vector<std::string> email = {};   // "*@example.org"
  // Pattern of the common name with '*' for anything, or "uuid". Empty: a common name is allowed
  // when it is one of the certificate's allowed DNS names or addresses.
  std::string common_name = {};
};

// How a request of this profile that carries no token is decided.
enum class Approval {
  kManual,     // an operator approves
  kAutomatic,  // at once, for a name never seen in any state that `automatic` matches; others wait
  kNone,       // only with a token (or an approved predecessor): refused
};

enum class LeafUsages { kClient, kServer, kServerAndClient };

struct Profile {
  std::string name;
  Seconds default_lifetime = std::chrono::hours(24 * 30);
  Seconds max_lifetime = std::chrono::hours(24 * 90);
  std::vector<KeyType> key_types = {KeyType::kP256,    KeyType::kP384,    KeyType::kEd25519,
                                    KeyType::kRsa2048, KeyType::kRsa3072, KeyType::kRsa4096};
  LeafUsages usages = LeafUsages::kServerAndClient;
  bool usages_critical = false;
  AllowedNames names = {};
  // What Caramel's clients expect: the common name alone counts, and may be any text
  // ("b8:27:eb:00", "Alice"). It is the one alternative name too when it is a DNS name; alternative
  // names that a request asks for are left out.
  bool common_name_only = false;
  Approval approval = Approval::kManual;
  std::string automatic = {};  // "uuid", or a pattern of the common name with '*'
  // Certificates of this profile are admin identities: the one profile that may issue the names
  // below spiffe://TRUST-DOMAIN/troth/admin/. Built in, cannot be set in a file.
  bool admin = false;
  // How many requests may wait, and how many of one address.
  std::uint32_t max_pending = 10000, max_pending_per_address = 20;
  Seconds pending_lifetime = std::chrono::hours(24 * 30);
};

// The authority's own names, which no profile issues to others.
struct ReservedNames {
  std::vector<AlternativeName> names = {};  // of its servers
  std::string trust_domain = {};  // "example.org": spiffe://example.org/troth/ is reserved
};

// A set of profiles. Immutable once made.
class Profiles {
 public:
  // Two-tier: "default" (manual, any name, 30 days), "server", "client", "admin" (built in).
  static Profiles BuiltIn();
  // What Caramel does: "caramel" (manual; CA:FALSE, EKU both and critical; 48 h and 7 days).
  static Profiles CaramelBuiltIn(bool sign_unseen_uuids);
  // TOML: [profiles.NAME] tables, over the built-in ones. Errors name line and key, with the
  // nearest right one: configuration_invalid.
  static absl::StatusOr<Profiles> FromToml(std::string_view text, Profiles base);

  const Profile* Find(std::string_view name) const;  // null: no such
  const std::vector<Profile>& all() const { return all_; }
  // The one that is used when a request names none.
  const Profile& standard() const { return all_.front(); }

 private:
  std::vector<Profile> all_;
};

// What is asked for, taken out of a request: a public key and names. Nothing else of it counts.
struct Asked {
  PublicKey key;
  std::string common_name = {};
  std::vector<AlternativeName> names = {};  // without a DNS name that only repeats another
};

// A request read: key canonical (named curve, uncompressed point on it; odd modulus of an allowed
// size, e >= 65537), signature good. Accepts PEM or DER. Errors: those of CertificateRequest.
absl::StatusOr<CertificateRequest> ReadRequest(std::string_view body);
absl::StatusOr<Asked> AskedOf(const CertificateRequest& request);

// OK when `profile` allows key and names. Errors, each naming what is allowed: name_not_permitted
// (reserved names too), names_missing, key_too_weak, algorithm_not_allowed.
absl::Status CheckAsked(const Asked& asked, const Profile& profile, const ReservedNames& reserved);

// The straight line's second step. `lifetime`: nothing for the profile's default. The caller sets
// subject attributes beyond the common name, serial is fresh, CRL and AIA addresses are the
// issuer's. Errors: usage_error (a lifetime beyond the profile's), those of CheckAsked.
absl::StatusOr<CertificateTemplate> BuildTemplate(const Asked& asked, const Profile& profile,
                                                  const ReservedNames& reserved,
                                                  std::optional<Seconds> lifetime, Time now);

// The straight line's fourth step, on the finished bytes as read by Certificate::FromDer: is it a
// leaf of this profile, with these names and this key and no other? The error is internal.
absl::Status CheckAgainstProfile(const Certificate& certificate, const Asked& asked,
                                 const Profile& profile, const ReservedNames& reserved);

}  // namespace troth
