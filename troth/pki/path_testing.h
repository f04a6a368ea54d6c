// For tests: certificates and CRLs of any shape, good and bad, signed by real keys.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "troth/base/reason.h"
#include "troth/pki/certificate.h"
#include "troth/pki/crl.h"
#include "troth/pki/der_testing.h"
#include "troth/pki/key.h"
#include "troth/pki/path_validation.h"

namespace troth::testing {

inline constexpr Time kNow{std::chrono::sys_days{std::chrono::year{2026} / 6 / 15}};
inline constexpr Seconds kDay = std::chrono::hours(24);

// A key pair that stays the same for one label throughout the process: making keys is slow.
inline const PrivateKey& KeyOf(const std::string& label, KeyType type = KeyType::kP256) {
  static auto& keys = *new std::map<std::pair<std::string, KeyType>, PrivateKey>;
  const auto at = std::pair(label, type);
  const auto known = keys.find(at);
  if (known != keys.end()) return known->second;
  return keys.emplace(at, *PrivateKey::Generate(type)).first->second;
}

inline std::string KeyIdOf(const PrivateKey& key) {
  const Sha256Digest digest = Sha256(key.public_key().key_bits());
  return {reinterpret_cast<const char*>(digest.data()), 20};
}

inline DistinguishedName NameFrom(const std::string& text) {
  if (text.empty()) return DistinguishedName();
  return text[0] == '/' ? *DistinguishedName::FromSlashes(text)
                        : *DistinguishedName::FromCommonName(text);
}

inline std::string GeneralName(AlternativeName::Kind kind, const std::string& value) {
  switch (kind) {
    case AlternativeName::Kind::kEmail:
      return Tlv(0x81, value);
    case AlternativeName::Kind::kDns:
      return Tlv(0x82, value);
    case AlternativeName::Kind::kDirectory:
      return Tlv(0xa4, value);
    case AlternativeName::Kind::kUri:
      return Tlv(0x86, value);
    case AlternativeName::Kind::kIp:
      return Tlv(0x87, value);
    default:
      return value;
  }
}

// A certificate to be. What is not said is as a good CA would write it.
struct Wanted {
  std::string subject = "leaf";  // a common name, "/C=..." or empty
  std::string key = {};          // label; the subject when empty
  std::string issuer = "root";
  std::string issuer_key = {};  // label; the issuer when empty
  int version = 3;
  Time from = kNow - kDay;
  Time to = kNow + 30 * kDay;
  bool ca = false;
  bool with_basic_constraints = true;
  bool basic_constraints_critical = true;
  std::optional<int> path_length = {};
  std::optional<std::uint16_t> key_usage = {};  // 0: no extension; nothing: as fits `ca`
  std::vector<std::string> extended_key_usage = {};
  std::vector<AlternativeName> names = {};
  bool names_critical = false;
  std::optional<NameConstraints> constraints = {};
  bool constraints_critical = true;
  bool with_subject_key_id = true;
  std::optional<std::string> subject_key_id = {};
  bool with_authority_key_id = true;
  std::optional<std::string> authority_key_id = {};
  std::vector<std::string> extensions = {};  // as ExtensionOf gives them
  int serial = 0;                            // 0: a new one
  KeyType key_type = KeyType::kP256;
  KeyType issuer_key_type = KeyType::kP256;
  bool sha1 = false;
  bool broken_signature = false;
};

inline std::string TimeOf(Time time) {
  der::Writer writer;
  writer.Timestamp(time);
  return writer.Take();
}

inline std::string SubtreesOf(const std::vector<NameConstraints::Subtree>& subtrees) {
  std::string out;
  for (const NameConstraints::Subtree& subtree : subtrees) {
    out += Sequence({GeneralName(subtree.kind, subtree.base)});
  }
  return out;
}

inline std::vector<std::string> ExtensionsOf(const Wanted& wanted, const PrivateKey& key,
                                             const PrivateKey& issuer_key) {
  std::vector<std::string> out;
  der::Writer value;
  if (wanted.with_basic_constraints) {
    value.Nested(der::kSequence, [&] {
      if (wanted.ca) value.Boolean(true);
      if (wanted.path_length.has_value()) {
        value.Integer(static_cast<std::uint64_t>(*wanted.path_length));
      }
    });
    out.push_back(ExtensionOf("2.5.29.19", value.Take(), wanted.basic_constraints_critical));
  }
  const std::uint16_t usage = wanted.key_usage.value_or(
      wanted.ca ? kKeyCertSign | kCrlSign : static_cast<int>(kDigitalSignature));
  if (usage != 0) {
    std::string bits(1, '\0');
    for (int i = 0; i < 8; ++i) {
      if ((usage >> i & 1) != 0) bits[0] = static_cast<char>(bits[0] | 0x80 >> i);
    }
    int unused = 0;
    while ((bits[0] >> unused & 1) == 0) ++unused;
    der::Writer writer;
    writer.BitString(bits, unused);
    out.push_back(ExtensionOf("2.5.29.15", writer.Take(), true));
  }
  if (!wanted.extended_key_usage.empty()) {
    std::string oids;
    for (const std::string& oid : wanted.extended_key_usage) oids += Oid(oid);
    out.push_back(ExtensionOf("2.5.29.37", Tlv(der::kSequence, oids)));
  }
  if (!wanted.names.empty()) {
    std::string names;
    for (const AlternativeName& name : wanted.names) names += GeneralName(name.kind, name.value);
    out.push_back(ExtensionOf("2.5.29.17", Tlv(der::kSequence, names), wanted.names_critical));
  }
  if (wanted.constraints.has_value()) {
    std::string subtrees;
    if (!wanted.constraints->permitted.empty()) {
      subtrees += Tlv(0xa0, SubtreesOf(wanted.constraints->permitted));
    }
    if (!wanted.constraints->excluded.empty()) {
      subtrees += Tlv(0xa1, SubtreesOf(wanted.constraints->excluded));
    }
    out.push_back(
        ExtensionOf("2.5.29.30", Tlv(der::kSequence, subtrees), wanted.constraints_critical));
  }
  if (wanted.with_subject_key_id) {
    out.push_back(ExtensionOf(
        "2.5.29.14", Tlv(der::kOctetString, wanted.subject_key_id.value_or(KeyIdOf(key)))));
  }
  if (wanted.with_authority_key_id) {
    out.push_back(ExtensionOf(
        "2.5.29.35", Sequence({Tlv(0x80, wanted.authority_key_id.value_or(KeyIdOf(issuer_key)))})));
  }
  out.insert(out.end(), wanted.extensions.begin(), wanted.extensions.end());
  return out;
}

inline std::string AlgorithmOf(const PrivateKey& key) {
  switch (key.signature_algorithm()) {
    case SignatureAlgorithm::kEcdsaSha256:
      return Sequence({Oid("1.2.840.10045.4.3.2")});
    case SignatureAlgorithm::kEcdsaSha384:
      return Sequence({Oid("1.2.840.10045.4.3.3")});
    case SignatureAlgorithm::kEd25519:
      return Sequence({Oid("1.3.101.112")});
    default:
      return Sequence({Oid("1.2.840.113549.1.1.11"), Bytes("\x05\x00")});
  }
}

// The DER of what `wanted` says; it need not be a readable certificate.
inline std::string MakeDer(const Wanted& wanted) {
  const PrivateKey& key = KeyOf(wanted.key.empty() ? wanted.subject : wanted.key, wanted.key_type);
  const PrivateKey& issuer_key =
      KeyOf(wanted.issuer_key.empty() ? wanted.issuer : wanted.issuer_key, wanted.issuer_key_type);
  static int last_serial = 1'000'000;
  der::Writer serial;
  serial.Integer(static_cast<std::uint64_t>(wanted.serial != 0 ? wanted.serial : ++last_serial));

  const std::string algorithm =
      wanted.sha1 ? Sequence({Oid("1.2.840.10045.4.1")}) : AlgorithmOf(issuer_key);
  std::string extensions;
  if (wanted.version == 3) {
    for (const std::string& extension : ExtensionsOf(wanted, key, issuer_key)) {
      extensions += extension;
    }
    if (!extensions.empty()) extensions = Tlv(0xa3, Tlv(der::kSequence, extensions));
  }
  const std::string version = wanted.version == 3   ? Bytes("\xa0\x03\x02\x01\x02")
                              : wanted.version == 2 ? Bytes("\xa0\x03\x02\x01\x01")
                                                    : std::string();
  const std::string tbs =
      Sequence({version, serial.Take(), algorithm, NameFrom(wanted.issuer).der(),
                Sequence({TimeOf(wanted.from), TimeOf(wanted.to)}), NameFrom(wanted.subject).der(),
                key.public_key().der(), extensions});
  std::string signature = *issuer_key.Sign(tbs);
  if (wanted.broken_signature) signature.back() = static_cast<char>(signature.back() ^ 1);
  return Sequence({tbs, algorithm, Tlv(der::kBitString, Bytes("\x00") + signature)});
}

inline Certificate Make(const Wanted& wanted) {
  const absl::StatusOr<Certificate> made = Certificate::FromDer(MakeDer(wanted));
  if (!made.ok()) {
    ADD_FAILURE() << "the test asks for a certificate that is not read: " << made.status();
    std::abort();
  }
  return *made;
}

// A self-signed CA.
inline Wanted Root(const std::string& name) {
  return {.subject = name, .issuer = name, .ca = true};
}
// A CA below `issuer`.
inline Wanted Intermediate(const std::string& name, const std::string& issuer) {
  return {.subject = name, .issuer = issuer, .ca = true};
}
inline Wanted Leaf(const std::string& issuer) {
  return {.subject = "leaf",
          .issuer = issuer,
          .names = {{AlternativeName::Kind::kDns, "leaf.example.com"}}};
}

struct WantedCrl {
  std::string issuer = "root";
  std::string key = {};  // label; the issuer when empty
  Time from = kNow - kDay;
  std::optional<Time> to = kNow + kDay;
  std::optional<int> number = 1;
  bool number_critical = false;
  bool with_authority_key_id = true;
  std::vector<std::pair<int, int>> revoked = {};  // serial, reason
  bool broken_signature = false;
};

inline absl::StatusOr<Crl> TryToMakeCrl(const WantedCrl& wanted) {
  const PrivateKey& key = KeyOf(wanted.key.empty() ? wanted.issuer : wanted.key);
  std::string entries;
  for (const auto& [serial, reason] : wanted.revoked) {
    der::Writer number;
    number.Integer(static_cast<std::uint64_t>(serial));
    std::string extensions;
    if (reason != 0) {
      extensions = Sequence({ExtensionOf(
          "2.5.29.21", Tlv(der::kEnumerated, std::string(1, static_cast<char>(reason))))});
    }
    entries += Sequence({number.Take(), TimeOf(kNow - 2 * kDay), extensions});
  }
  std::string extensions;
  if (wanted.with_authority_key_id) {
    extensions += ExtensionOf("2.5.29.35", Sequence({Tlv(0x80, KeyIdOf(key))}));
  }
  if (wanted.number.has_value()) {
    der::Writer number;
    number.Integer(static_cast<std::uint64_t>(*wanted.number));
    extensions += ExtensionOf("2.5.29.20", number.Take(), wanted.number_critical);
  }
  if (!extensions.empty()) extensions = Tlv(0xa0, Tlv(der::kSequence, extensions));
  const std::string tbs =
      Sequence({Bytes("\x02\x01\x01"), AlgorithmOf(key), NameFrom(wanted.issuer).der(),
                TimeOf(wanted.from), wanted.to.has_value() ? TimeOf(*wanted.to) : std::string(),
                entries.empty() ? std::string() : Tlv(der::kSequence, entries), extensions});
  std::string signature = *key.Sign(tbs);
  if (wanted.broken_signature) signature.back() = static_cast<char>(signature.back() ^ 1);
  return Crl::FromDer(
      Sequence({tbs, AlgorithmOf(key), Tlv(der::kBitString, Bytes("\x00") + signature)}));
}

inline Crl MakeCrl(const WantedCrl& wanted) {
  const absl::StatusOr<Crl> made = TryToMakeCrl(wanted);
  if (!made.ok()) {
    ADD_FAILURE() << "the test asks for a CRL that is not read: " << made.status();
    std::abort();
  }
  return *made;
}

inline TrustBundle Bundle(std::vector<Certificate> anchors) {
  return TrustBundle::FromCertificates(std::move(anchors));
}

// "ok" or the reason code, for comparisons that read well when they fail.
inline std::string CodeFor(const absl::Status& status) {
  return status.ok() ? "ok" : std::string(CodeOf(status));
}

}  // namespace troth::testing
