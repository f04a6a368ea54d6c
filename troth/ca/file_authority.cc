#include "troth/ca/file_authority.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "troth/base/file.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/ca/crl_file.h"
#include "troth/ca/files_internal.h"
#include "troth/ca/folder_lock.h"
#include "troth/ca/key_pair_files.h"
#include "troth/ca/lifetime.h"
#include "troth/ca/templates.h"
#include "troth/pki/issue.h"
#include "troth/pki/path_validation.h"
#include "troth/pki/trust_bundle.h"

namespace troth {
namespace {

absl::Status RefuseExisting(const std::string& path, std::string_view what) {
  if (!FileExists(path)) return absl::OkStatus();
  return MakeError(Reason::kFileExists, Quoted(path) + " exists; " + std::string(what) +
                                            " never overwrites a key, a request or a certificate");
}

struct ChosenKey {
  PrivateKey key;
  Secret pem;  // as it is to be written
  WrittenFile file;
};

// Reads or makes the key; writes nothing.
absl::StatusOr<ChosenKey> ChooseKey(const KeyChoice& choice, const std::string& default_path) {
  const std::string path = choice.file.empty() ? default_path : choice.file;
  if (!choice.file.empty() && FileExists(path)) {
    absl::StatusOr<PrivateKey> key = ReadDepotKey(path, choice.open_passphrase);
    if (!key.ok()) return key.status();
    if (absl::Status status = key->public_key().CheckStrength(); !status.ok())
      return WithContext(status, path);
    return ChosenKey{*std::move(key), Secret(), {.path = path, .was_there = true}};
  }
  const absl::StatusOr<Secret> passphrase = choice.new_passphrase();
  if (!passphrase.ok()) return passphrase.status();
  absl::StatusOr<PrivateKey> key = PrivateKey::Generate(choice.type);
  if (!key.ok()) return key.status();
  absl::StatusOr<Secret> pem = DepotKeyPem(*key, *passphrase);
  if (!pem.ok()) return pem.status();
  return ChosenKey{
      *std::move(key), *std::move(pem), {.path = path, .encrypted = !passphrase->empty()}};
}

// The common name as an alternative name, when it can be one.
std::optional<AlternativeName> NameFromCommonName(const DistinguishedName& subject) {
  const std::optional<std::string> common_name = subject.common_name();
  if (!common_name.has_value()) return std::nullopt;
  absl::StatusOr<AlternativeName> name = AlternativeName::Parse(*common_name);
  if (!name.ok() ||
      (name->kind != AlternativeName::Kind::kDns && name->kind != AlternativeName::Kind::kIp)) {
    return std::nullopt;
  }
  return *std::move(name);
}

absl::StatusOr<std::vector<AlternativeName>> NamesToSign(const CertificateRequest& request) {
  std::vector<AlternativeName> names = request.alternative_names();
  for (const AlternativeName& name : names) {
    if (name.kind != AlternativeName::Kind::kDns && name.kind != AlternativeName::Kind::kIp &&
        name.kind != AlternativeName::Kind::kUri) {
      return MakeError(Reason::kRequestMalformed,
                       "the request asks for " + name.ToString() +
                           "; expected DNS names, IP addresses and URIs only");
    }
  }
  if (names.empty()) {
    if (std::optional<AlternativeName> name = NameFromCommonName(request.subject())) {
      names.push_back(*std::move(name));
    }
  }
  if (names.empty() && request.subject().empty()) {
    return MakeError(Reason::kRequestMalformed,
                     "the request has neither a subject nor a name; expected at least one");
  }
  return names;
}

absl::Status CheckRequest(const CertificateRequest& request, const Certificate& authority) {
  if (request.public_key() == authority.public_key()) {
    return MakeError(
        Reason::kRequestMalformed,
        "the request is for the CA's own key; expected a key that only its holder has");
  }
  if (request.subject().Matches(authority.subject())) {
    return MakeError(
        Reason::kRequestMalformed,
        "the request's subject is the CA's own name, " + authority.subject().ToString() +
            ": the certificate could not be told from a self-signed one; expected another "
            "common name");
  }
  return absl::OkStatus();
}

absl::StatusOr<CertificateTemplate> TemplateFor(const CertificateRequest& request,
                                                const SignOptions& options,
                                                const Certificate& authority, Time now,
                                                Time not_after) {
  if (!options.intermediate) {
    absl::StatusOr<std::vector<AlternativeName>> names = NamesToSign(request);
    if (!names.ok()) return names.status();
    return LeafTemplate(request.subject(), *std::move(names), request.public_key(),
                        LeafUsage::kServerAndClient, now, not_after);
  }
  if (request.subject().empty()) {
    return MakeError(Reason::kRequestMalformed,
                     "an intermediate needs a subject; the request has none");
  }
  // RFC 5280 section 4.2.1.9: what a CA's pathLenConstraint allows below it.
  const std::optional<int> above = authority.basic_constraints().has_value()
                                       ? authority.basic_constraints()->path_length
                                       : std::nullopt;
  if (above.has_value() && options.path_length >= *above) {
    return MakeError(Reason::kPathLengthExceeded,
                     "the CA has path length " + std::to_string(*above) +
                         (*above == 0 ? ", so no intermediate may be below it"
                                      : ", an intermediate below it has to have less") +
                         ", asked for is " + std::to_string(options.path_length) +
                         "; make the CA with a larger --path-length");
  }
  return AuthorityTemplate(request.subject(), request.public_key(), options.path_length, now,
                           not_after);
}

AuthorityFiles FilesOf(const Depot& depot, const std::string& name) {
  return {.certificate = depot.CertificatePath(name),
          .key = depot.KeyPath(name),
          .crl = depot.CrlPath(name)};
}

}  // namespace

absl::StatusOr<InitResult> InitAuthority(const Depot& depot, const InitOptions& options,
                                         const Clock& clock) {
  const absl::StatusOr<std::string> name =
      AuthorityFileName(options.subject.common_name().value_or(""));
  if (!name.ok()) return name.status();
  const AuthorityFiles files = FilesOf(depot, *name);
  const Time now = clock.Now();
  const absl::StatusOr<Time> not_after = TimeAfter(now, options.expires);
  if (!not_after.ok()) return not_after.status();
  NameConstraints constraints;
  for (const std::string& domain : options.permit_domains) {
    if (!IsDnsName(domain, false)) {
      return MakeError(Reason::kUsageError,
                       "domain '" + Printable(domain) + "': expected such as example.com");
    }
    constraints.permitted.push_back({.kind = AlternativeName::Kind::kDns, .base = domain});
  }
  for (const std::string& path : {files.certificate, files.key, files.crl}) {
    if (path == files.key && options.key.file == files.key) continue;
    if (absl::Status status = RefuseExisting(path, "`troth ca init`"); !status.ok()) return status;
  }

  absl::StatusOr<ChosenKey> chosen = ChooseKey(options.key, files.key);
  if (!chosen.ok()) return chosen.status();
  CertificateTemplate what = AuthorityTemplate(options.subject, chosen->key.public_key(),
                                               options.path_length, now, *not_after);
  if (!constraints.permitted.empty()) what.name_constraints = std::move(constraints);
  const absl::StatusOr<Certificate> certificate = IssueSelfSigned(what, chosen->key);
  if (!certificate.ok()) return certificate.status();

  // A key from elsewhere is copied into the depot, where every later command looks for it.
  WrittenFile key_file = chosen->file;
  if (key_file.was_there && key_file.path != files.key) {
    const absl::StatusOr<Secret> passphrase = options.key.new_passphrase();
    if (!passphrase.ok()) return passphrase.status();
    absl::StatusOr<Secret> pem = DepotKeyPem(chosen->key, *passphrase);
    if (!pem.ok()) return pem.status();
    chosen->pem = *std::move(pem);
    key_file = {.path = files.key, .encrypted = !passphrase->empty()};
  } else if (!key_file.was_there) {
    key_file.path = files.key;
  }
  absl::StatusOr<Signer> signer = Signer::Create(*certificate, std::move(chosen->key));
  if (!signer.ok()) return signer.status();
  const absl::StatusOr<Crl> crl = NextCrl(std::nullopt, {}, "", *signer, now);
  if (!crl.ok()) return crl.status();

  absl::Status status;
  if (!key_file.was_there) status = WriteNew(key_file.path, chosen->pem.Reveal(), kDepotKeyMode);
  if (status.ok()) status = WriteNew(files.certificate, certificate->ToPem(), kDepotFileMode);
  if (status.ok()) status = WriteNew(files.crl, crl->ToPem(), kDepotFileMode);
  if (!status.ok()) return status;
  return InitResult{{key_file, {.path = files.certificate}, {.path = files.crl}}, *certificate};
}

absl::StatusOr<RequestResult> MakeRequest(const Depot& depot, const RequestOptions& options) {
  const std::string name = RequestFileName(options.name);
  const std::string request_path =
      options.request_file.empty() ? depot.RequestPath(name) : options.request_file;
  absl::Status status = RefuseExisting(request_path, "`troth ca request-cert`");
  if (status.ok() && options.key.file.empty()) {
    status = RefuseExisting(depot.KeyPath(name), "`troth ca request-cert`");
  }
  if (!status.ok()) return status;

  std::vector<AlternativeName> names = options.names;
  if (names.empty()) {
    if (std::optional<AlternativeName> from_common_name = NameFromCommonName(options.subject)) {
      names.push_back(*std::move(from_common_name));
    }
  }
  absl::StatusOr<ChosenKey> chosen = ChooseKey(options.key, depot.KeyPath(name));
  if (!chosen.ok()) return chosen.status();
  absl::StatusOr<CertificateRequest> request =
      CertificateRequest::Create(chosen->key, options.subject, names);
  if (!request.ok()) return request.status();

  if (!chosen->file.was_there) {
    status = WriteNew(chosen->file.path, chosen->pem.Reveal(), kDepotKeyMode);
  }
  if (status.ok()) status = WriteNew(request_path, request->ToPem(), kDepotFileMode);
  if (!status.ok()) return status;
  return RequestResult{{chosen->file, {.path = request_path}}, *std::move(request)};
}

absl::StatusOr<SignResult> SignRequest(const Depot& depot, const SignOptions& options,
                                       const Clock& clock) {
  const absl::StatusOr<std::string> authority_name = AuthorityFileName(options.authority);
  absl::StatusOr<std::string> name = AuthorityFileName(options.name);
  if (!name.ok() || !FileExists(depot.RequestPath(*name))) name = RequestFileName(options.name);

  AuthorityFiles files;
  if (authority_name.ok()) files = FilesOf(depot, *authority_name);
  if (!options.authority_certificate_file.empty())
    files.certificate = options.authority_certificate_file;
  if (!options.authority_key_file.empty()) files.key = options.authority_key_file;
  if (files.certificate.empty() || files.key.empty()) return authority_name.status();

  const std::string request_path =
      options.request_file.empty() ? depot.RequestPath(*name) : options.request_file;
  const std::string certificate_path =
      options.certificate_file.empty() ? depot.CertificatePath(*name) : options.certificate_file;
  const Time now = clock.Now();
  const absl::StatusOr<Time> not_after = TimeAfter(now, options.expires);
  if (!not_after.ok()) return not_after.status();
  if (absl::Status status = RefuseExisting(certificate_path, "`troth ca sign`"); !status.ok())
    return status;

  const absl::StatusOr<std::string> request_pem = ReadFile(request_path);
  if (!request_pem.ok()) return request_pem.status();
  const absl::StatusOr<CertificateRequest> request = CertificateRequest::FromPem(*request_pem);
  if (!request.ok()) return WithContext(request.status(), request_path);
  const absl::StatusOr<Signer> signer = ReadAuthority(files, options.open_passphrase, now);
  if (!signer.ok()) return signer.status();

  absl::Status status = CheckRequest(*request, signer->certificate());
  if (!status.ok()) return WithContext(status, request_path);
  const absl::StatusOr<CertificateTemplate> what =
      TemplateFor(*request, options, signer->certificate(), now, *not_after);
  if (!what.ok()) return WithContext(what.status(), request_path);
  const absl::StatusOr<Certificate> certificate = Issue(*what, *signer);
  if (!certificate.ok()) return certificate.status();

  // A second opinion after the issuer's own checks: what every relying party will find.
  const PathResult path =
      ValidatePath(*certificate, {}, TrustBundle::FromCertificates({signer->certificate()}),
                   PathOptions{.now = now});
  if (!path.status.ok()) {
    return WithContext(path.status, "the certificate would not be valid below this CA");
  }
  status = WriteNew(certificate_path, certificate->ToPem(), kDepotFileMode);
  if (!status.ok()) return status;

  SignResult result{
      .certificate_file = certificate_path,
      .request_file = request_path,
      .authority_key_file = files.key,
      .certificate = *certificate,
      .ends_with_authority = certificate->validity().not_after < *not_after - std::chrono::days(1),
      .warnings = {}};
  if (!options.intermediate && certificate->alternative_names().empty()) {
    result.warnings.push_back(
        "the certificate has no alternative name: it can be a client, but no client "
        "will accept it as a server; ask for one with --domain or --ip");
  }
  return result;
}

absl::StatusOr<CrlResult> RenewCrl(const Depot& depot, const CrlOptions& options,
                                   const Clock& clock) {
  const absl::StatusOr<std::string> name = AuthorityFileName(options.authority);
  if (!name.ok()) return name.status();
  const AuthorityFiles files = FilesOf(depot, *name);
  const Time now = clock.Now();
  const absl::StatusOr<Signer> signer = ReadAuthority(files, options.open_passphrase, now);
  if (!signer.ok()) return signer.status();
  const absl::StatusOr<FolderLock> lock = FolderLock::Acquire(depot.folder());
  if (!lock.ok()) return lock.status();

  std::optional<Crl> present;
  if (FileExists(files.crl)) {
    absl::StatusOr<Crl> read = ReadCrl(files.crl, signer->certificate());
    if (!read.ok()) return read.status();
    present = *std::move(read);
  }
  absl::StatusOr<Crl> next =
      NextCrl(present, present.has_value() ? present->entries() : std::vector<RevokedEntry>(),
              options.expires, *signer, now);
  if (!next.ok()) return next.status();
  if (absl::Status status = WriteCrl(files.crl, *next); !status.ok()) return status;
  return CrlResult{files.crl, *std::move(next)};
}

absl::StatusOr<RevokeResult> RevokeCertificate(const Depot& depot, const RevokeOptions& options,
                                               const Clock& clock) {
  // RFC 5280 section 5.3.1: 7 is unused, and 8 takes an entry off a list again.
  if (options.reason < 0 || options.reason > 10 || options.reason == 7 || options.reason == 8) {
    return MakeError(Reason::kUsageError, "revocation reason " + std::to_string(options.reason) +
                                              ": expected 0 to 6, 9 or 10");
  }
  const absl::StatusOr<std::string> authority_name = AuthorityFileName(options.crl.authority);
  if (!authority_name.ok()) return authority_name.status();
  absl::StatusOr<std::string> name = AuthorityFileName(options.name);
  if (!name.ok() || !FileExists(depot.CertificatePath(*name))) name = RequestFileName(options.name);
  const AuthorityFiles files = FilesOf(depot, *authority_name);
  const Time now = clock.Now();

  const std::string certificate_path = depot.CertificatePath(*name);
  const absl::StatusOr<std::vector<Certificate>> read = ReadCertificateFile(certificate_path);
  if (!read.ok()) return read.status();
  const Certificate& certificate = read->front();
  const absl::StatusOr<Signer> signer = ReadAuthority(files, options.crl.open_passphrase, now);
  if (!signer.ok()) return signer.status();
  const Certificate& authority = signer->certificate();
  if (certificate == authority) {
    return MakeError(Reason::kUsageError,
                     "a CA cannot revoke itself; take it out of the trust bundles");
  }
  if (!certificate.issuer().Matches(authority.subject()) ||
      !authority.public_key()
           .Verify(certificate.signature_algorithm(), certificate.tbs_der(),
                   certificate.signature())
           .ok()) {
    return MakeError(Reason::kIssuerUnknown,
                     Quoted(certificate_path) + " was not issued by " + Quoted(files.certificate) +
                         " but by " + certificate.issuer().ToString() + "; give that CA");
  }

  const absl::StatusOr<FolderLock> lock = FolderLock::Acquire(depot.folder());
  if (!lock.ok()) return lock.status();
  if (!FileExists(files.crl)) {
    return MakeError(Reason::kFileNotFound,
                     Quoted(files.crl) +
                         " is not there, and with it what was revoked before; put it back, "
                         "or start an empty list with `troth ca crl --CA " +
                         *authority_name + "`");
  }
  const absl::StatusOr<Crl> present = ReadCrl(files.crl, authority);
  if (!present.ok()) return present.status();
  if (const RevokedEntry* entry = present->Find(certificate.serial_number())) {
    return RevokeResult{
        certificate_path, certificate, entry->revoked_at, true, {files.crl, *present}};
  }
  std::vector<RevokedEntry> entries = present->entries();
  entries.push_back({certificate.serial_number(), now, options.reason});
  absl::StatusOr<Crl> next =
      NextCrl(*present, std::move(entries), options.crl.expires, *signer, now);
  if (!next.ok()) return next.status();
  if (absl::Status status = WriteCrl(files.crl, *next); !status.ok()) return status;
  return RevokeResult{certificate_path, certificate, now, false, {files.crl, *std::move(next)}};
}

}  // namespace troth
