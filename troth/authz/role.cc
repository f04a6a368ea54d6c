#include "troth/authz/role.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "troth/base/file.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"

namespace troth {
namespace {

std::string AbsolutePath(const std::string& folder, const std::string& file) {
  std::error_code error;
  const std::filesystem::path path =
      std::filesystem::absolute(JoinPath(folder, file), error).lexically_normal();
  return error ? JoinPath(folder, file) : path.string();
}

NamePattern::Kind PatternKindOf(RoleKey key) {
  switch (key) {
    case RoleKey::kSpiffeId:
      return NamePattern::Kind::kSpiffeId;
    case RoleKey::kDns:
      return NamePattern::Kind::kDns;
    case RoleKey::kIp:
      return NamePattern::Kind::kIp;
    case RoleKey::kEmail:
      return NamePattern::Kind::kEmail;
    default:
      return NamePattern::Kind::kText;
  }
}

bool IsCa(const Certificate& certificate) {
  const auto constraints = certificate.basic_constraints();
  return constraints.has_value() && constraints->is_ca;
}

std::vector<std::string> AlternativeNamesOf(const Certificate& leaf, AlternativeName::Kind kind) {
  std::vector<std::string> values;
  for (const AlternativeName& name : leaf.alternative_names()) {
    if (name.kind == kind) values.push_back(name.value);
  }
  return values;
}

// The leaf's names of the kind that `key` compares.
std::vector<std::string> NamesOf(const Certificate& leaf, RoleKey key) {
  switch (key) {
    case RoleKey::kSpiffeId: {
      const auto id = leaf.spiffe_id();
      return id.has_value() ? std::vector{id->ToString()} : std::vector<std::string>{};
    }
    case RoleKey::kDns:
      return AlternativeNamesOf(leaf, AlternativeName::Kind::kDns);
    case RoleKey::kIp:
      return AlternativeNamesOf(leaf, AlternativeName::Kind::kIp);
    case RoleKey::kEmail:
      return AlternativeNamesOf(leaf, AlternativeName::Kind::kEmail);
    case RoleKey::kCommonName: {
      const auto name = leaf.subject().common_name();
      return name.has_value() ? std::vector{*name} : std::vector<std::string>{};
    }
    case RoleKey::kOrganization:
      return leaf.subject().ValuesOf("O");
    case RoleKey::kOrganizationalUnit:
      return leaf.subject().ValuesOf("OU");
    default:
      return {};
  }
}

}  // namespace

absl::StatusOr<RoleCondition> RoleCondition::Create(const RoleConditionText& text,
                                                    const std::string& folder,
                                                    const PolicyFileReader& read) {
  RoleCondition condition(text);
  for (const std::string& value : text.values) {
    switch (text.key) {
      case RoleKey::kCertificate:
      case RoleKey::kIssuer:
        if (value.empty()) {
          return MakeError(Reason::kPolicyInvalid,
                           std::string(NameOf(text.key)) + " is empty, expected a file's path");
        }
        condition.files_.push_back(AbsolutePath(folder, value));
        if (absl::Status ok = condition.LoadCertificates(condition.files_.back(), read); !ok.ok()) {
          return ok;
        }
        break;
      case RoleKey::kFingerprint: {
        const auto digest = ParseFingerprint(value);
        if (!digest.has_value()) {
          return MakeError(Reason::kPolicyInvalid,
                           "fingerprint \"" + Printable(value) +
                               "\" is not SHA-256, expected 64 hexadecimal digits as `openssl x509 "
                               "-noout -fingerprint -sha256 -in FILE` prints");
        }
        condition.pins_.push_back(*digest);
        break;
      }
      default: {
        auto pattern = NamePattern::Parse(PatternKindOf(text.key), value);
        if (!pattern.ok()) return WithContext(pattern.status(), NameOf(text.key));
        condition.patterns_.push_back(*std::move(pattern));
      }
    }
  }
  std::ranges::sort(condition.pins_);
  return condition;
}

absl::Status RoleCondition::LoadCertificates(const std::string& file,
                                             const PolicyFileReader& read) {
  const absl::StatusOr<std::string> pem = read(file);
  if (!pem.ok()) return pem.status();
  auto certificates = Certificate::ListFromPem(*pem);
  if (!certificates.ok())
    return WithContext(certificates.status(), "'" + Printable(file, 400) + "'");
  for (Certificate& certificate : *certificates) {
    const auto error = [&](const std::string& what) {
      return MakeError(Reason::kPolicyInvalid, "'" + Printable(file, 400) + "' holds " +
                                                   certificate.Describe() + ", " + what);
    };
    if (text_.key == RoleKey::kIssuer) {
      if (!certificate.is_ca())
        return error("which is not a CA, expected the CA that issues the role's peers");
      issuers_.push_back(std::move(certificate));
    } else {
      if (IsCa(certificate)) {
        return error(
            "a CA certificate, which never pins: a pin is the exact certificate of one peer; give "
            "that, or name the CA "
            "as issuer (a self-signed certificate pins when it is made with CA:FALSE)");
      }
      pins_.push_back(certificate.fingerprint());
      pinned_.push_back(std::move(certificate));
    }
  }
  return absl::OkStatus();
}

bool RoleCondition::Matches(const PeerEvidence& peer) const {
  if (!peer.leaf.has_value()) return false;
  if (IsPin()) {
    return !IsCa(*peer.leaf) && std::ranges::binary_search(pins_, peer.leaf->fingerprint());
  }
  if (!peer.verified) return false;
  if (text_.key == RoleKey::kIssuer) {
    for (size_t i = 1; i < peer.path.size(); ++i) {
      const Certificate& ca = peer.path[i];
      for (const Certificate& issuer : issuers_) {
        if (ca.public_key() == issuer.public_key() && ca.subject().Matches(issuer.subject()))
          return true;
      }
    }
    return false;
  }
  for (const std::string& name : NamesOf(*peer.leaf, text_.key)) {
    for (const NamePattern& pattern : patterns_) {
      if (pattern.Matches(name)) return true;
    }
  }
  return false;
}

std::string RoleCondition::Describe() const {
  std::string out = std::string(NameOf(text_.key)) + " = ";
  if (text_.values.size() > 1) out += "[";
  for (size_t i = 0; i < text_.values.size(); ++i) {
    if (i == 3 && text_.values.size() > 4) {
      out += ", and " + std::to_string(text_.values.size() - 3) + " more";
      break;
    }
    out += (i == 0 ? "\"" : ", \"") + Printable(text_.values[i]) + "\"";
  }
  if (text_.values.size() > 1) out += "]";
  return out;
}

std::string RoleCondition::DescribeActual(const PeerEvidence& peer) const {
  if (!peer.leaf.has_value()) return "no certificate was shown";
  if (IsPin()) {
    if (IsCa(*peer.leaf)) return "the certificate is a CA, which never pins";
    return "the certificate is " + FormatFingerprint(peer.leaf->fingerprint());
  }
  if (!peer.verified) return "the certificate is not verified, and only pins count then";
  if (text_.key == RoleKey::kIssuer) {
    std::vector<std::string> names;
    for (size_t i = 1; i < peer.path.size(); ++i) {
      names.push_back("\"" + Printable(peer.path[i].subject().ToString()) + "\"");
    }
    return "the certificate was issued by " + Join(names, ", by ");
  }
  std::vector<std::string> names;
  for (const std::string& name : NamesOf(*peer.leaf, text_.key)) {
    names.push_back("\"" + Printable(text_.key == RoleKey::kIp ? FormatIpAddress(name) : name) +
                    "\"");
  }
  if (names.empty()) return "the certificate has no " + std::string(NameOf(text_.key));
  return "the certificate has " + Join(names, ", ");
}

bool RoleTable::Matches(const PeerEvidence& peer) const {
  return std::ranges::all_of(conditions, [&](const auto& c) { return c.Matches(peer); });
}

bool Role::Matches(const PeerEvidence& peer) const {
  return std::ranges::any_of(tables, [&](const auto& table) { return table.Matches(peer); });
}

bool Role::IsPinned() const {
  return std::ranges::any_of(tables, [](const RoleTable& table) {
    return std::ranges::all_of(table.conditions, [](const auto& c) { return c.IsPin(); });
  });
}

}  // namespace troth
