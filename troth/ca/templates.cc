#include "troth/ca/templates.h"

#include <array>
#include <string>
#include <utility>

namespace troth {

CertificateTemplate LeafTemplate(const DistinguishedName& subject,
                                 std::vector<AlternativeName> names, const PublicKey& key,
                                 LeafUsage usage, Time now, Time not_after) {
  CertificateTemplate what{.serial = SerialNumber::Generate(now),
                           .subject = subject,
                           .validity = {.not_before = now - kBackdate, .not_after = not_after},
                           .public_key = key};
  what.alternative_names = std::move(names);
  if (usage == LeafUsage::kServerAndClient) {
    what.extended_key_usage.emplace_back(kServerAuthOid);
  }
  what.extended_key_usage.emplace_back(kClientAuthOid);
  return what;
}

CertificateTemplate AuthorityTemplate(const DistinguishedName& subject, const PublicKey& key,
                                      std::optional<int> path_length, Time now, Time not_after) {
  CertificateTemplate what{.serial = SerialNumber::Generate(now),
                           .subject = subject,
                           .validity = {.not_before = now - kBackdate, .not_after = not_after},
                           .public_key = key};
  what.basic_constraints = BasicConstraints{.is_ca = true, .path_length = path_length};
  return what;
}

std::optional<KeyType> TypeOf(const PublicKey& key) {
  struct Row {
    KeyType type;
    PublicKey::Kind kind;
    int bits;  // 0: any
  };
  static constexpr std::array kRows = {Row{KeyType::kP256, PublicKey::Kind::kEc, 256},
                                       Row{KeyType::kP384, PublicKey::Kind::kEc, 384},
                                       Row{KeyType::kEd25519, PublicKey::Kind::kEd25519, 0},
                                       Row{KeyType::kRsa2048, PublicKey::Kind::kRsa, 2048},
                                       Row{KeyType::kRsa3072, PublicKey::Kind::kRsa, 3072},
                                       Row{KeyType::kRsa4096, PublicKey::Kind::kRsa, 4096}};
  if (key.is_pss_only()) return std::nullopt;
  for (const Row& row : kRows) {
    if (key.kind() == row.kind && (row.bits == 0 || key.bits() == row.bits)) return row.type;
  }
  return std::nullopt;
}

bool IsOfType(const PublicKey& key, KeyType type) { return TypeOf(key) == type; }

}  // namespace troth
