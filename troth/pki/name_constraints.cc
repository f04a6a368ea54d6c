#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/pki/description.h"
#include "troth/pki/name_constraints_internal.h"

namespace troth {
namespace {

using Kind = AlternativeName::Kind;

// The first label of `name` removed: "example.com" of "a.example.com", nothing of "com".
std::string_view ParentDomain(std::string_view name) {
  const size_t dot = name.find('.');
  return dot == std::string_view::npos ? std::string_view() : name.substr(dot + 1);
}

// `name` is `domain`, or has labels before it. The empty domain holds every name.
bool IsInDomain(std::string_view name, std::string_view domain) {
  if (domain.empty() || EqualsIgnoreCaseAscii(name, domain)) return true;
  if (name.size() <= domain.size()) return false;
  const std::string_view tail = name.substr(name.size() - domain.size());
  return name[name.size() - domain.size() - 1] == '.' && EqualsIgnoreCaseAscii(tail, domain);
}

// Hosts of URIs and email addresses: ".example.com" stands for every host below it and not for
// itself, "example.com" for itself alone (unlike in DNS constraints). The empty base holds every
// host: RFC 5280 does not say, others do so.
bool HostMatches(std::string_view host, std::string_view base) {
  if (base.empty()) return true;
  if (base[0] != '.') return EqualsIgnoreCaseAscii(host, base);
  return host.size() > base.size() &&
         EqualsIgnoreCaseAscii(host.substr(host.size() - base.size()), base);
}

bool IsHostBase(std::string_view base) {
  if (base.empty()) return true;
  return IsDnsName(base[0] == '.' ? base.substr(1) : base, false);
}

struct Mailbox {
  std::string_view local, host;
};

// RFC 2821 mailboxes without quoted local parts, which nobody has and which read differently
// everywhere.
std::optional<Mailbox> ParseMailbox(std::string_view text) {
  const size_t at = text.find('@');
  if (at == std::string_view::npos || at == 0) return std::nullopt;
  const Mailbox mailbox{text.substr(0, at), text.substr(at + 1)};
  const bool local_ok = std::ranges::all_of(mailbox.local, [](char c) {
    return c > 0x20 && c < 0x7f &&
           std::string_view("\"(),:;<>[\\]").find(c) == std::string_view::npos;
  });
  if (!local_ok || !IsDnsName(mailbox.host, false)) return std::nullopt;
  return mailbox;
}

// A dotted name whose last label is a number is an IPv4 address to whoever resolves it.
bool LooksLikeAddress(std::string_view host) {
  const size_t dot = host.rfind('.');
  const std::string_view last = dot == std::string_view::npos ? host : host.substr(dot + 1);
  return std::ranges::all_of(last, [](char c) { return c >= '0' && c <= '9'; });
}

// The host of a URI when it is a domain name, nothing when there is none or it is an address: such
// a URI must be refused under a constraint (RFC 5280 section 4.2.1.10).
std::optional<std::string_view> UriHost(std::string_view uri) {
  const size_t colon = uri.find(':');
  if (colon == std::string_view::npos || colon == 0 || uri.substr(colon + 1, 2) != "//") {
    return std::nullopt;
  }
  std::string_view authority = uri.substr(colon + 3);
  authority = authority.substr(0, authority.find_first_of("/?#"));
  const size_t at = authority.find('@');
  if (at != std::string_view::npos) authority.remove_prefix(at + 1);
  const size_t port = authority.find(':');
  if (port != std::string_view::npos) {
    const std::string_view digits = authority.substr(port + 1);
    if (!std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; }))
      return std::nullopt;
    authority = authority.substr(0, port);
  }
  if (!IsDnsName(authority, false) || LooksLikeAddress(authority)) return std::nullopt;
  return authority;
}

bool IsContiguousMask(std::string_view mask) {
  bool ended = false;
  for (const char c : mask) {
    const auto octet = static_cast<std::uint8_t>(c);
    for (int bit = 7; bit >= 0; --bit) {
      const bool one = (octet >> bit & 1) != 0;
      if (one && ended) return false;
      ended = ended || !one;
    }
  }
  return true;
}

bool IsInNetwork(std::string_view address, std::string_view network) {
  if (network.size() != 2 * address.size()) return false;
  for (size_t i = 0; i < address.size(); ++i) {
    const char mask = network[address.size() + i];
    if ((address[i] & mask) != (network[i] & mask)) return false;
  }
  return true;
}

enum class Side { kPermitted, kExcluded };

// Under kPermitted: the name, with all that it can stand for, lies within `base`; under kExcluded:
// some of it does.
bool DnsFalls(std::string_view name, std::string_view base, Side side) {
  if (!name.starts_with("*.")) return IsInDomain(name, base);
  const std::string_view parent = ParentDomain(name);
  if (IsInDomain(parent, base)) return true;
  return side == Side::kExcluded && EqualsIgnoreCaseAscii(ParentDomain(base), parent);
}

bool EmailFalls(const Mailbox& mailbox, std::string_view base, Side side) {
  const size_t at = base.find('@');
  if (at == std::string_view::npos) return HostMatches(mailbox.host, base);
  const std::string_view local = base.substr(0, at);
  // Hosts decide themselves whether the case of a local part counts: take the stricter reading.
  const bool same = side == Side::kExcluded ? EqualsIgnoreCaseAscii(mailbox.local, local)
                                            : mailbox.local == local;
  return same && EqualsIgnoreCaseAscii(mailbox.host, base.substr(at + 1));
}

// Whether two DER GeneralNames are of the same form; true when that cannot be told.
bool SameForm(std::string_view a, std::string_view b) {
  return a.empty() || b.empty() || a[0] == b[0];
}

// An otherName of the type SmtpUTF8Mailbox (RFC 9598), to which constraints on email addresses
// apply.
bool IsUtf8Mailbox(std::string_view general_name) {
  constexpr std::string_view kOid("\x06\x08\x2b\x06\x01\x05\x05\x07\x08\x09", 10);
  return general_name.find(kOid) != std::string_view::npos;
}

// "10.0.0.0/255.0.0.0" for addresses, the text for the others.
std::string DescribeBase(Kind kind, std::string_view base) {
  if (kind != Kind::kIp) return Printable(base);
  return FormatIpAddress(base.substr(0, base.size() / 2)) + "/" +
         FormatIpAddress(base.substr(base.size() / 2));
}

absl::Status Malformed(std::string_view kind, std::string_view base, std::string_view expected) {
  return MakeError(Reason::kCertificateMalformed, "name constraint " + std::string(kind) + ":'" +
                                                      Printable(base) + "': expected " +
                                                      std::string(expected));
}

absl::Status NotPermitted(std::string_view name, std::string_view problem) {
  return MakeError(Reason::kNameNotPermitted, std::string(name) + " " + std::string(problem));
}

absl::Status TooComplex() {
  return MakeError(Reason::kPathTooComplex,
                   "too many names under too many name constraints; the check was given up");
}

bool Spend(size_t count, size_t& left) {
  if (left < count) {
    left = 0;
    return false;
  }
  left -= count;
  return true;
}

}  // namespace

ConstrainedNames::ConstrainedNames(const Certificate& certificate) : certificate_(certificate) {
  if (!certificate.subject().empty()) directories_.emplace_back(certificate.subject());
  for (std::string& email : certificate.subject().ValuesOf("emailAddress")) {
    subject_emails_.push_back({Kind::kEmail, std::move(email)});
  }
  for (const AlternativeName& name : certificate.alternative_names()) {
    if (name.kind == Kind::kDirectory) {
      directories_.push_back(DistinguishedName::FromDer(name.value));
    }
  }
}

absl::StatusOr<NameRules> NameRules::Create(const NameConstraints& constraints) {
  if (constraints.permitted.empty() && constraints.excluded.empty()) {
    return MakeError(Reason::kCertificateMalformed,
                     "nameConstraints are empty; expected at least one subtree");
  }
  NameRules rules;
  for (const NameConstraints::Subtree& subtree : constraints.permitted) {
    if (absl::Status status = rules.Add(subtree, true); !status.ok()) return status;
  }
  for (const NameConstraints::Subtree& subtree : constraints.excluded) {
    if (absl::Status status = rules.Add(subtree, false); !status.ok()) return status;
  }
  return rules;
}

absl::Status NameRules::Add(const NameConstraints::Subtree& subtree, bool permitted) {
  const std::string& base = subtree.base;
  Subtree rule{.base = base, .directory = {}};
  switch (subtree.kind) {
    case Kind::kDns:
      if (!base.empty() && !IsDnsName(base, false)) {
        return Malformed("DNS", base, "a DNS name without leading dot or wildcard");
      }
      break;
    case Kind::kIp: {
      const bool sized = base.size() == 8 || base.size() == 32;
      if (!sized || !IsContiguousMask(std::string_view(base).substr(base.size() / 2))) {
        return Malformed("IP", base, "an address and a contiguous mask of the same length");
      }
      break;
    }
    case Kind::kUri:
      if (!IsHostBase(base) || (!base.empty() && LooksLikeAddress(base))) {
        return Malformed("URI", base, "a host name, or a domain with a leading dot");
      }
      break;
    case Kind::kEmail: {
      const bool mailbox = base.find('@') != std::string::npos;
      if (mailbox ? !ParseMailbox(base).has_value() : !IsHostBase(base)) {
        return Malformed("email", base, "a mailbox, a host, or a domain with a leading dot");
      }
      break;
    }
    case Kind::kDirectory: {
      absl::StatusOr<DistinguishedName> name = DistinguishedName::FromDer(base);
      if (!name.ok()) return WithContext(name.status(), "name constraint");
      rule.directory = *std::move(name);
      break;
    }
    case Kind::kOther:
      break;
  }
  Rules& rules = rules_[static_cast<size_t>(subtree.kind)];
  (permitted ? rules.permitted : rules.excluded).push_back(std::move(rule));
  return absl::OkStatus();
}

absl::Status NameRules::Check(const ConstrainedNames& names, size_t& comparisons_left) const {
  if (!RulesOf(Kind::kDirectory).empty()) {
    for (const absl::StatusOr<DistinguishedName>& name : names.directories_) {
      if (!name.ok()) return NotPermitted("a directory name", "is malformed");
      if (absl::Status status = CheckDirectory(*name, comparisons_left); !status.ok())
        return status;
    }
  }
  for (const std::vector<AlternativeName>* list :
       {&names.certificate_.alternative_names(), &names.subject_emails_}) {
    for (const AlternativeName& name : *list) {
      if (absl::Status status = CheckOne(name, comparisons_left); !status.ok()) return status;
    }
  }
  return absl::OkStatus();
}

absl::Status NameRules::CheckDirectory(const DistinguishedName& name,
                                       size_t& comparisons_left) const {
  const Rules& rules = RulesOf(Kind::kDirectory);
  if (!Spend(rules.permitted.size() + rules.excluded.size(), comparisons_left)) return TooComplex();
  const auto holds = [&](const Subtree& subtree) { return name.IsWithin(subtree.directory); };
  const auto text = [&] { return "directory name " + Quoted(name); };
  const auto excluded = std::ranges::find_if(rules.excluded, holds);
  if (excluded != rules.excluded.end()) {
    return NotPermitted(text(), "lies in the excluded subtree " + Quoted(excluded->directory));
  }
  if (!rules.permitted.empty() && std::ranges::none_of(rules.permitted, holds)) {
    return NotPermitted(
        text(), "lies in no permitted subtree, such as " + Quoted(rules.permitted[0].directory));
  }
  return absl::OkStatus();
}

absl::Status NameRules::CheckOne(const AlternativeName& name, size_t& comparisons_left) const {
  if (name.kind == Kind::kDirectory) return absl::OkStatus();  // by CheckDirectory
  const Rules& rules = RulesOf(name.kind);
  if (name.kind == Kind::kOther && IsUtf8Mailbox(name.value) && !RulesOf(Kind::kEmail).empty()) {
    return NotPermitted(Printable(name.ToString()),
                        "is an internationalized email address, which constraints on "
                        "email addresses bind and which is not understood");
  }
  if (rules.empty()) return absl::OkStatus();
  if (!Spend(rules.permitted.size() + rules.excluded.size(), comparisons_left)) return TooComplex();

  std::optional<Mailbox> mailbox;
  std::optional<std::string_view> host;
  bool well_formed = true;
  switch (name.kind) {
    case Kind::kDns:
      well_formed = IsDnsName(name.value, true);
      break;
    case Kind::kIp:
      well_formed = name.value.size() == 4 || name.value.size() == 16;
      break;
    case Kind::kUri:
      host = UriHost(name.value);
      well_formed = host.has_value();
      break;
    case Kind::kEmail:
      mailbox = ParseMailbox(name.value);
      well_formed = mailbox.has_value();
      break;
    default:
      break;
  }
  if (!well_formed) {
    return NotPermitted(Printable(name.ToString()),
                        "is malformed or has no host name, and names of its kind are constrained");
  }
  const auto falls = [&](const Subtree& subtree, Side side) {
    switch (name.kind) {
      case Kind::kDns:
        return DnsFalls(name.value, subtree.base, side);
      case Kind::kIp:
        return IsInNetwork(name.value, subtree.base);
      case Kind::kUri:
        return HostMatches(*host, subtree.base);
      case Kind::kEmail:
        return EmailFalls(*mailbox, subtree.base, side);
      default:
        return false;
    }
  };
  if (name.kind == Kind::kOther) {
    // RFC 5280 section 4.2.1.10: process the constraint or reject the certificate.
    const auto same = [&](const Subtree& subtree) { return SameForm(name.value, subtree.base); };
    if (std::ranges::any_of(rules.permitted, same) || std::ranges::any_of(rules.excluded, same)) {
      return NotPermitted(Printable(name.ToString()),
                          "is of a kind that is constrained and not understood");
    }
    return absl::OkStatus();
  }
  for (const Subtree& subtree : rules.excluded) {
    if (falls(subtree, Side::kExcluded)) {
      return NotPermitted(
          Printable(name.ToString()),
          "lies in the excluded subtree '" + DescribeBase(name.kind, subtree.base) + "'");
    }
  }
  if (!rules.permitted.empty() &&
      std::ranges::none_of(rules.permitted, [&](const Subtree& subtree) {
        return falls(subtree, Side::kPermitted);
      })) {
    return NotPermitted(Printable(name.ToString()),
                        "lies in no permitted subtree, such as '" +
                            DescribeBase(name.kind, rules.permitted[0].base) + "'");
  }
  return absl::OkStatus();
}

}  // namespace troth
