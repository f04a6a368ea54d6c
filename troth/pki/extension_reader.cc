#include "troth/pki/extension_reader_internal.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "troth/base/reason.h"
#include "troth/pki/general_name_internal.h"

namespace troth {
namespace {

constexpr std::string_view kOcspOid = "1.3.6.1.5.5.7.48.1";
constexpr std::string_view kCaIssuersOid = "1.3.6.1.5.5.7.48.2";
constexpr size_t kFewExtensions = 16;

absl::Status Failed(der::Reader& reader, std::string_view field, std::string_view problem) {
  reader.Fail(field, problem);
  return reader.status();
}

// The one SEQUENCE that `value` is.
absl::Status ReadSequence(std::string_view value, std::string_view what, der::Reader& content) {
  der::Reader reader(value, what);
  der::Element sequence;
  if (!reader.Read(der::kSequence, "value", sequence) || !reader.End("value")) {
    return reader.status();
  }
  content = reader.Into(sequence);
  return absl::OkStatus();
}

absl::Status ReadBasicConstraints(const Extension& extension, CertificateExtensions& out) {
  der::Reader reader({}, {});
  if (absl::Status status = ReadSequence(extension.value, "basicConstraints", reader);
      !status.ok()) {
    return status;
  }
  BasicConstraints constraints;
  if (reader.PeekTag() == der::kBoolean && !reader.ReadBoolean("cA", constraints.is_ca)) {
    return reader.status();
  }
  if (reader.PeekTag() == der::kInteger) {
    int length = 0;
    if (!reader.ReadSmallInteger("pathLenConstraint", length)) return reader.status();
    if (!constraints.is_ca) return Failed(reader, "pathLenConstraint", "only a CA may have it");
    constraints.path_length = length;
  }
  if (!reader.End("basicConstraints")) return reader.status();
  out.basic_constraints = constraints;
  return absl::OkStatus();
}

absl::Status ReadKeyUsage(const Extension& extension, CertificateExtensions& out) {
  der::Reader reader(extension.value, "keyUsage");
  std::string_view bits;
  int unused = 0;
  if (!reader.ReadBitString("bits", bits, unused) || !reader.End("bits")) return reader.status();
  std::uint16_t usage = 0;
  for (size_t i = 0; i < bits.size() * 8; ++i) {
    if ((static_cast<std::uint8_t>(bits[i / 8]) >> (7 - i % 8) & 1) == 0) continue;
    if (i > 8) return Failed(reader, "bits", "there are only nine usages");
    usage = static_cast<std::uint16_t>(usage | 1 << i);
  }
  if (usage == 0) return Failed(reader, "bits", "at least one bit must be set");
  out.key_usage = usage;
  return absl::OkStatus();
}

absl::Status ReadExtendedKeyUsage(const Extension& extension, CertificateExtensions& out) {
  der::Reader reader({}, {});
  if (absl::Status status = ReadSequence(extension.value, "extKeyUsage", reader); !status.ok()) {
    return status;
  }
  if (reader.AtEnd()) return Failed(reader, "extKeyUsage", "it names no usage");
  std::vector<std::string>& usages = out.extended_key_usage.emplace();
  while (!reader.AtEnd()) {
    if (!reader.ReadOid("usage", usages.emplace_back())) return reader.status();
  }
  return absl::OkStatus();
}

absl::Status ReadSubjectAltName(const Extension& extension, CertificateExtensions& out) {
  absl::StatusOr<std::vector<AlternativeName>> names = ReadAlternativeNames(extension.value);
  if (!names.ok()) return names.status();
  out.alternative_names = *std::move(names);
  out.alternative_names_critical = extension.critical;
  return absl::OkStatus();
}

absl::Status ReadSubtrees(der::Reader subtrees, std::vector<NameConstraints::Subtree>& out) {
  if (subtrees.AtEnd()) return Failed(subtrees, "subtrees", "a list of subtrees has at least one");
  while (!subtrees.AtEnd()) {
    der::Reader subtree = subtrees.Enter(der::kSequence, "subtree");
    if (!subtree.status().ok()) return subtree.status();
    AlternativeName base;
    absl::Status read = ReadGeneralName(subtree, GeneralNameContext::kConstraint, base);
    if (!read.ok()) return read;
    if (!subtree.AtEnd()) {
      return Failed(subtree, "subtree",
                    "minimum and maximum are not allowed (RFC 5280 section 4.2.1.10)");
    }
    out.push_back({base.kind, std::move(base.value)});
  }
  return absl::OkStatus();
}

absl::Status ReadNameConstraints(const Extension& extension, CertificateExtensions& out) {
  der::Reader reader({}, {});
  if (absl::Status status = ReadSequence(extension.value, "nameConstraints", reader);
      !status.ok()) {
    return status;
  }
  if (reader.AtEnd()) return Failed(reader, "nameConstraints", "it constrains nothing");
  NameConstraints& constraints = out.name_constraints.emplace();
  for (const auto& [tag, list] :
       {std::pair{0, &constraints.permitted}, std::pair{1, &constraints.excluded}}) {
    der::Element subtrees;
    bool present = false;
    if (!reader.ReadOptional(der::ContextConstructed(tag), "subtrees", subtrees, present)) {
      return reader.status();
    }
    if (!present) continue;
    if (absl::Status status = ReadSubtrees(reader.Into(subtrees), *list); !status.ok()) {
      return status;
    }
  }
  reader.End("nameConstraints");
  return reader.status();
}

absl::Status ReadSubjectKeyId(const Extension& extension, CertificateExtensions& out) {
  der::Reader reader(extension.value, "subjectKeyIdentifier");
  der::Element id;
  if (!reader.Read(der::kOctetString, "identifier", id) || !reader.End("identifier")) {
    return reader.status();
  }
  if (id.content.empty()) return Failed(reader, "identifier", "it is empty");
  out.subject_key_id = std::string(id.content);
  return absl::OkStatus();
}

absl::Status ReadAuthorityKeyIdExtension(const Extension& extension, CertificateExtensions& out) {
  return ReadAuthorityKeyId(extension.value, out.authority_key_id);
}

// DistributionPointName: the URIs of fullName.
absl::Status ReadDistributionPointName(der::Reader name, std::vector<std::string>& uris) {
  der::Element choice;
  if (!name.ReadAny(choice) || !name.End("distributionPoint")) return name.status();
  if (choice.tag == der::ContextConstructed(1))
    return absl::OkStatus();  // relative to the issuer's name
  if (choice.tag != der::ContextConstructed(0)) {
    return Failed(name, "distributionPoint", "neither fullName nor nameRelativeToCRLIssuer");
  }
  std::vector<AlternativeName> names;
  absl::Status read = ReadGeneralNames(name.Into(choice), GeneralNameContext::kName, names);
  if (!read.ok()) return read;
  for (AlternativeName& full_name : names) {
    if (full_name.kind == AlternativeName::Kind::kUri) uris.push_back(std::move(full_name.value));
  }
  return absl::OkStatus();
}

absl::Status ReadCrlDistributionPoints(const Extension& extension, CertificateExtensions& out) {
  der::Reader reader({}, {});
  if (absl::Status status = ReadSequence(extension.value, "cRLDistributionPoints", reader);
      !status.ok())
    return status;
  if (reader.AtEnd()) return Failed(reader, "cRLDistributionPoints", "it names no point");
  while (!reader.AtEnd()) {
    der::Reader point = reader.Enter(der::kSequence, "distribution point");
    der::Element part;
    bool present = false;
    if (!point.ReadOptional(der::ContextConstructed(0), "distributionPoint", part, present)) {
      return point.status();
    }
    if (present) {
      absl::Status read = ReadDistributionPointName(point.Into(part), out.crl_distribution_points);
      if (!read.ok()) return read;
    }
    if (!point.ReadOptional(der::ContextPrimitive(1), "reasons", part, present)) {
      return point.status();
    }
    if (!point.ReadOptional(der::ContextConstructed(2), "cRLIssuer", part, present)) {
      return point.status();
    }
    if (present) {
      std::vector<AlternativeName> issuers;
      absl::Status read = ReadGeneralNames(point.Into(part), GeneralNameContext::kName, issuers);
      if (!read.ok()) return read;
    }
    if (!point.End("distribution point")) return point.status();
  }
  return absl::OkStatus();
}

absl::Status ReadAuthorityInfoAccess(const Extension& extension, CertificateExtensions& out) {
  der::Reader reader({}, {});
  if (absl::Status status = ReadSequence(extension.value, "authorityInfoAccess", reader);
      !status.ok())
    return status;
  if (reader.AtEnd()) return Failed(reader, "authorityInfoAccess", "it describes no access");
  while (!reader.AtEnd()) {
    der::Reader description = reader.Enter(der::kSequence, "access description");
    std::string method;
    AlternativeName location;
    if (!description.ReadOid("access method", method)) return description.status();
    absl::Status read = ReadGeneralName(description, GeneralNameContext::kName, location);
    if (!read.ok()) return read;
    if (!description.End("access description")) return description.status();
    if (location.kind != AlternativeName::Kind::kUri) continue;
    if (method == kOcspOid) out.authority_info_access.push_back("ocsp " + location.value);
    if (method == kCaIssuersOid) out.authority_info_access.push_back("caIssuers " + location.value);
  }
  return absl::OkStatus();
}

// Policies are not processed; they must be well-formed.
absl::Status ReadCertificatePolicies(const Extension& extension, CertificateExtensions& /*out*/) {
  der::Reader reader({}, {});
  if (absl::Status status = ReadSequence(extension.value, "certificatePolicies", reader);
      !status.ok())
    return status;
  if (reader.AtEnd()) return Failed(reader, "certificatePolicies", "it names no policy");
  while (!reader.AtEnd()) {
    der::Reader policy = reader.Enter(der::kSequence, "policy");
    std::string oid;
    if (!policy.ReadOid("policy", oid)) return policy.status();
    if (policy.AtEnd()) continue;
    der::Reader qualifiers = policy.Enter(der::kSequence, "policy qualifiers");
    if (qualifiers.AtEnd()) return Failed(qualifiers, "policy qualifiers", "the list is empty");
    while (!qualifiers.AtEnd()) {
      der::Reader qualifier = qualifiers.Enter(der::kSequence, "policy qualifier");
      der::Element value;
      if (!qualifier.ReadOid("policy qualifier", oid) || !qualifier.ReadAny(value) ||
          !qualifier.End("policy qualifier")) {
        return qualifier.status();
      }
    }
    if (!policy.End("policy")) return policy.status();
  }
  return absl::OkStatus();
}

struct Known {
  std::string_view oid;
  absl::Status (*read)(const Extension&, CertificateExtensions&);
};
constexpr std::array kKnown = {
    Known{kBasicConstraintsOid, ReadBasicConstraints},
    Known{kKeyUsageOid, ReadKeyUsage},
    Known{kExtendedKeyUsageOid, ReadExtendedKeyUsage},
    Known{kSubjectAltNameOid, ReadSubjectAltName},
    Known{kNameConstraintsOid, ReadNameConstraints},
    Known{kSubjectKeyIdOid, ReadSubjectKeyId},
    Known{kAuthorityKeyIdOid, ReadAuthorityKeyIdExtension},
    Known{kCrlDistributionPointsOid, ReadCrlDistributionPoints},
    Known{kAuthorityInfoAccessOid, ReadAuthorityInfoAccess},
    Known{kCertificatePoliciesOid, ReadCertificatePolicies},
};

}  // namespace

absl::Status ReadAuthorityKeyId(std::string_view value, std::optional<std::string>& key_id) {
  der::Reader reader({}, {});
  if (absl::Status status = ReadSequence(value, "authorityKeyIdentifier", reader); !status.ok()) {
    return status;
  }
  der::Element id;
  der::Element issuer;
  der::Element serial;
  bool has_id = false;
  bool has_issuer = false;
  bool has_serial = false;
  if (!reader.ReadOptional(der::ContextPrimitive(0), "keyIdentifier", id, has_id) ||
      !reader.ReadOptional(der::ContextConstructed(1), "authorityCertIssuer", issuer, has_issuer) ||
      !reader.ReadOptional(der::ContextPrimitive(2), "authorityCertSerialNumber", serial,
                           has_serial) ||
      !reader.End("authorityKeyIdentifier")) {
    return reader.status();
  }
  if (has_id && id.content.empty()) return Failed(reader, "keyIdentifier", "it is empty");
  if (has_issuer) {
    std::vector<AlternativeName> names;
    absl::Status read = ReadGeneralNames(reader.Into(issuer), GeneralNameContext::kName, names);
    if (!read.ok()) return read;
  }
  if (has_serial && !SerialNumber::FromDerContent(serial.content).ok()) {
    return Failed(reader, "authorityCertSerialNumber", "not a serial number");
  }
  if (has_id) key_id = std::string(id.content);
  return absl::OkStatus();
}

absl::Status ReadExtensionList(der::Reader extensions, std::vector<Extension>& out) {
  if (!extensions.status().ok()) return extensions.status();
  if (extensions.AtEnd()) return Failed(extensions, "extensions", "the list is empty");
  const size_t first = out.size();
  std::set<std::string> seen;  // of a list that is too long to be searched
  const auto is_there = [&](const std::string& oid) {
    if (out.size() - first < kFewExtensions) {
      return std::ranges::find(out.begin() + static_cast<std::ptrdiff_t>(first), out.end(), oid,
                               &Extension::oid) != out.end();
    }
    if (seen.empty()) {
      for (size_t i = first; i < out.size(); ++i) seen.insert(out[i].oid);
    }
    return !seen.insert(oid).second;
  };
  while (!extensions.AtEnd()) {
    der::Reader reader = extensions.Enter(der::kSequence, "extension");
    Extension extension;
    if (!reader.ReadOid("extension id", extension.oid)) return reader.status();
    if (reader.PeekTag() == der::kBoolean) {
      if (!reader.ReadBoolean("critical", extension.critical)) return reader.status();
      if (!extension.critical) {
        return Failed(reader, "critical", "DER leaves FALSE out, for it is the default");
      }
    }
    der::Element value;
    if (!reader.Read(der::kOctetString, "extension value", value) || !reader.End("extension")) {
      return reader.status();
    }
    if (is_there(extension.oid)) {
      return Failed(reader, "extension", extension.oid + " is there twice");
    }
    extension.value = value.content;
    out.push_back(std::move(extension));
  }
  return absl::OkStatus();
}

absl::Status ReadCertificateExtensions(der::Reader extensions, CertificateExtensions& out) {
  if (absl::Status status = ReadExtensionList(std::move(extensions), out.all); !status.ok()) {
    return status;
  }
  for (const Extension& extension : out.all) {
    const auto known = std::ranges::find(kKnown, std::string_view(extension.oid), &Known::oid);
    if (known == kKnown.end()) continue;
    if (absl::Status status = known->read(extension, out); !status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace troth
