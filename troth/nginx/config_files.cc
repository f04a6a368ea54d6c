#include "troth/nginx/config_files.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "troth/base/file.h"
#include "troth/base/reason.h"
#include "troth/base/secret.h"
#include "troth/base/strings.h"
#include "troth/identity/identity.h"
#include "troth/nginx/config_value.h"
#include "troth/pki/crl.h"
#include "troth/pki/path_validation.h"
#include "troth/pki/trust_bundle.h"

namespace troth {
namespace {

std::string Shown(const std::string& path) { return Printable(path, 400); }

absl::StatusOr<std::string> ReadPem(const std::string& path, std::string_view convert) {
  absl::StatusOr<std::string> text = ReadFile(path, kMaxCrlBytes);
  if (text.ok() && text->find("-----BEGIN ") == std::string::npos) {
    return WithFix(MakeError(Reason::kFileWrongFormat,
                             Shown(path) + ": expected PEM, which is all that nginx reads"),
                   "convert it: " + std::string(convert));
  }
  return text;
}

absl::Status CheckLeaf(const NginxServer& server, const std::string& pem,
                       const Identity& identity) {
  const auto certificates = Certificate::ListFromPem(pem);
  if (!certificates.ok()) return WithContext(certificates.status(), Shown(server.certificate));
  if (certificates->front() != identity.leaf()) {
    return WithFix(
        MakeError(Reason::kKeyMismatch, Shown(server.certificate) +
                                            ": expected the certificate of the key first, got " +
                                            certificates->front().Describe() +
                                            "; nginx takes the first one of the file for it"),
        "put the server's certificate first in the file, then its issuers");
  }
  const auto& usages = identity.leaf().extended_key_usage();
  if (usages.has_value() && std::ranges::find(*usages, kServerAuthOid) == usages->end() &&
      std::ranges::find(*usages, kAnyExtendedKeyUsageOid) == usages->end()) {
    return WithFix(MakeError(Reason::kUsageNotAllowed, Shown(server.certificate) +
                                                           ": expected a certificate for servers "
                                                           "(serverAuth), got one for another use"),
                   "issue a server certificate");
  }
  return absl::OkStatus();
}

// What to warn of, or nothing. nginx takes "*.db.example" for names of any depth, clients take it
// for one label.
absl::StatusOr<std::string> CheckWildcard(const Certificate& leaf, const std::string& pattern) {
  const std::string end = ToLowerAscii(pattern.substr(1));  // ".db.example"
  std::string some;
  for (const AlternativeName& each : leaf.alternative_names()) {
    if (each.kind != AlternativeName::Kind::kDns) continue;
    if (EqualsIgnoreCaseAscii(each.value, pattern)) return std::string();
    if (!ToLowerAscii(each.value).ends_with(end)) continue;
    some += (some.empty() ? "" : ", ") + Printable(each.value);
  }
  if (!some.empty()) {
    return "of --server-name " + pattern + " the certificate has " + some +
           " only: clients refuse the server by every other name";
  }
  const auto name = AlternativeName::Parse(pattern);
  if (!name.ok()) return WithContext(name.status(), "--server-name");
  return CheckName(leaf, *name);
}

// Warnings: names that the certificate has only in part.
absl::StatusOr<std::vector<std::string>> CheckNames(const NginxServer& server,
                                                    const Certificate& leaf) {
  std::vector<std::string> warnings;
  for (const std::string& text : server.server_names) {
    if (text == "_") continue;
    if (text.starts_with('*')) {
      auto warning = CheckWildcard(leaf, text);
      if (!warning.ok()) return WithContext(warning.status(), Shown(server.certificate));
      if (!warning->empty()) warnings.push_back(*std::move(warning));
      continue;
    }
    const bool is_ipv6 = text.starts_with('[');
    const auto name = AlternativeName::Parse(is_ipv6 ? text.substr(1, text.size() - 2) : text);
    if (!name.ok()) return WithContext(name.status(), "--server-name");
    if (absl::Status has = CheckName(leaf, *name); !has.ok()) {
      return WithContext(has, Shown(server.certificate));
    }
  }
  return warnings;
}

// OpenSSL, as nginx uses it, ends a chain at a self-signed certificate only.
absl::Status CheckRoots(const std::string& path, const TrustBundle& bundle) {
  if (bundle.empty()) {
    return MakeError(Reason::kCertificateMissing,
                     Shown(path) + ": expected the CAs of the clients, got no certificate");
  }
  for (const Certificate& anchor : bundle.anchors()) {
    if (anchor.IsSelfSigned()) continue;
    const auto issuers = bundle.FindBySubject(anchor.issuer());
    const bool has_issuer = std::ranges::any_of(issuers, [&](const Certificate& issuer) {
      return issuer.public_key()
          .Verify(anchor.signature_algorithm(), anchor.tbs_der(), anchor.signature())
          .ok();
    });
    if (has_issuer) continue;
    return WithFix(
        MakeError(Reason::kIssuerUnknown,
                  Shown(path) + ": expected every CA with its issuers up to the root, got " +
                      anchor.Describe() + " without " + Printable(anchor.issuer().ToString()) +
                      "; nginx trusts no CA that leads to no root"),
        "add the root: cat issuer.pem root.pem > bundle.pem");
  }
  return absl::OkStatus();
}

// The CAs that nginx needs a list of: those of the bundle, and those between them and the leaf.
std::vector<Certificate> AuthoritiesOf(const Identity& identity, const TrustBundle& bundle,
                                       Time now) {
  std::vector<Certificate> out = bundle.anchors();
  if (identity.chain().size() < 2) return out;
  const PathResult path =
      ValidatePath(identity.leaf(), identity.chain(), bundle, PathOptions{.now = now});
  // Another CA's certificate is no matter of the clients.
  if (!path.status.ok()) return out;
  for (size_t i = 1; i < path.path.size(); ++i) {
    if (std::ranges::find(out, path.path[i]) == out.end()) out.push_back(path.path[i]);
  }
  return out;
}

absl::Status CheckLists(const std::string& path, const std::vector<Certificate>& authorities,
                        Time now) {
  const auto pem = ReadPem(path, "openssl crl -inform DER -in " + Shown(path) + " -out crl.pem");
  if (!pem.ok()) return pem.status();
  const auto lists = Crl::ListFromBytes(*pem);
  if (!lists.ok()) return WithContext(lists.status(), Shown(path));
  for (const Certificate& authority : authorities) {
    // Nobody's chain goes through it, and nobody signs lists for it.
    if (authority.validity().not_after < now) continue;
    const Crl* found = nullptr;
    for (const Crl& list : *lists) {
      if (!list.issuer().Matches(authority.subject()) ||
          !list.VerifySignature(authority.public_key()).ok()) {
        continue;
      }
      if (found == nullptr || list.this_update() > found->this_update()) found = &list;
    }
    const std::string name = Printable(authority.subject().ToString());
    if (found == nullptr) {
      return WithFix(
          MakeError(Reason::kRevocationUnknown,
                    Shown(path) + ": expected a list of " + name +
                        ", got none that it signed; nginx checks the whole chain of a client, and "
                        "would refuse everybody below that CA"),
          "add that CA's list, the root's too: cat issuer.crl root.crl > crls.pem");
    }
    if (found->next_update().has_value() && *found->next_update() < now) {
      return MakeError(Reason::kCrlExpired, Shown(path) + ": the list of " + name +
                                                " was current until " +
                                                FormatTime(*found->next_update()) +
                                                "; nginx would refuse everybody below that CA");
    }
    if (found->this_update() > now) {
      return WithFix(MakeError(Reason::kRevocationUnknown, Shown(path) + ": the list of " + name +
                                                               " begins in the future, at " +
                                                               FormatTime(found->this_update())),
                     "check the clocks of this machine and of the CA's");
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<std::string>> CheckNginxFiles(const NginxServer& server, Time now) {
  const auto certificate =
      ReadPem(server.certificate, "openssl x509 -inform DER -in " + Shown(server.certificate) +
                                      " -out certificate.pem");
  if (!certificate.ok()) return certificate.status();
  auto key_text = ReadPem(server.private_key, "openssl pkey -inform DER -in " +
                                                  Shown(server.private_key) + " -out key.pem");
  if (!key_text.ok()) return key_text.status();
  const Secret key(*std::move(key_text));
  const auto bundle_pem =
      ReadPem(server.trust_bundle,
              "openssl x509 -inform DER -in " + Shown(server.trust_bundle) + " -out bundle.pem");
  if (!bundle_pem.ok()) return bundle_pem.status();
  const auto bundle = TrustBundle::FromPem(*bundle_pem);
  if (!bundle.ok()) return WithContext(bundle.status(), Shown(server.trust_bundle));
  if (absl::Status ok = CheckRoots(server.trust_bundle, *bundle); !ok.ok()) return ok;
  const auto identity = Identity::Create({.certificate_pem = *certificate,
                                          .private_key_pem = key.Reveal(),
                                          .trust_bundle_pem = *bundle_pem,
                                          .allow_untrusted_chain = true,
                                          .certificate_name = server.certificate,
                                          .private_key_name = server.private_key,
                                          .trust_bundle_name = server.trust_bundle},
                                         now);
  if (!identity.ok()) return identity.status();
  if (absl::Status ok = CheckLeaf(server, *certificate, **identity); !ok.ok()) return ok;
  auto names = CheckNames(server, (*identity)->leaf());
  if (!names.ok()) return names.status();
  std::vector<std::string> warnings = (*identity)->warnings();
  warnings.insert(warnings.end(), names->begin(), names->end());
  const std::vector<Certificate> authorities = AuthoritiesOf(**identity, *bundle, now);
  if (!server.crl.empty()) {
    if (absl::Status ok = CheckLists(server.crl, authorities, now); !ok.ok()) return ok;
  } else {
    warnings.emplace_back("without --crl nginx lets revoked certificates in");
  }
  if (NginxSniPattern(server.server_names).empty()) {
    warnings.emplace_back(
        "with an address or _ among the --server-name clients need not name the server, so that "
        "where several server blocks share " +
        server.listen + " the default one decides who is verified: make it this one");
  }
  if (auto policy = ParseNginxUpstream(server.policy_socket, "--policy-socket");
      policy.ok() && !policy->is_unix) {
    warnings.push_back("every user of this machine can answer at " + policy->url +
                       " while the policy service is away, and let in whom he likes; use a Unix "
                       "socket (unix:/PATH)");
  }
  // nginx passes the leaf on alone.
  if (!server.policy_socket.empty() && authorities.size() > bundle->anchors().size()) {
    warnings.push_back(
        Shown(server.trust_bundle) + " has no " +
        Printable(authorities.back().subject().ToString()) +
        ": when clients are certified by it, `troth policy serve` cannot verify them, for nginx "
        "shows it no intermediate; give both a bundle with that CA and the root");
  }
  if (auto upstream = ParseNginxUpstream(server.upstream, "--upstream");
      upstream.ok() && !upstream->is_unix) {
    warnings.push_back(
        upstream->is_loopback
            ? "every user of this machine can reach " + upstream->url +
                  " and call himself whom he likes; a Unix socket (unix:/PATH) can be closed to "
                  "them"
            : upstream->url +
                  " is on the network: who reaches it past nginx can call himself whom he likes, "
                  "and names travel unprotected; use a Unix socket");
  }
  return warnings;
}

}  // namespace troth
