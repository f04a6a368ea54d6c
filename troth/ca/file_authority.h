// An authority kept in files, for a desk rather than a server: certstrap's work on certstrap's
// files (depot.h), so that either can go on where the other stopped.
//
// Its state is its files: NAME.crt says what was issued, the CA's CRL what was revoked.
// Nothing here overwrites a key, a request or a certificate; a CRL is replaced by a newer one of
// the same CA only.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "troth/base/secret.h"
#include "troth/base/time.h"
#include "troth/ca/depot.h"
#include "troth/pki/certificate.h"
#include "troth/pki/certificate_request.h"
#include "troth/pki/crl.h"
#include "troth/pki/key.h"
#include "troth/pki/name.h"

namespace troth {

// A key that is made or, when `file` is there, read.
struct KeyChoice {
  KeyType type = KeyType::kRsa2048;
  std::string file = {};  // empty: a new key in the depot
  // Asked once nothing else stands in the way; an empty answer leaves a new key in the clear. Must
  // be set.
  std::function<absl::StatusOr<Secret>()> new_passphrase = {};
  AskPassphrase open_passphrase = {};
};

struct WrittenFile {
  std::string path = {};
  bool encrypted = false;  // a key, by a passphrase
  bool was_there = false;  // read, not written
};

struct InitOptions {
  DistinguishedName subject = {};  // with a common name, which names the files
  KeyChoice key{.type = KeyType::kRsa4096};
  std::string expires = "18 months";   // as TimeAfter reads it
  std::optional<int> path_length = 0;  // nothing: any number of intermediates
  std::vector<std::string> permit_domains =
      {};  // DNS names outside these are refused below this CA
};
struct InitResult {
  std::vector<WrittenFile> files;  // key, certificate, CRL
  Certificate certificate;
};
// A self-signed CA and its empty CRL. Errors: file_exists, usage_error, request_malformed.
absl::StatusOr<InitResult> InitAuthority(const Depot& depot, const InitOptions& options,
                                         const Clock& clock);

struct RequestOptions {
  DistinguishedName subject = {};
  // None: the common name, when it can be a DNS name or an address.
  std::vector<AlternativeName> names = {};
  std::string name = {};  // of the files, through RequestFileName
  KeyChoice key = {};
  std::string request_file = {};  // empty: in the depot
};
struct RequestResult {
  std::vector<WrittenFile> files;  // key, request
  CertificateRequest request;
};
// A key and a request for a certificate of it. Errors: file_exists, request_malformed.
absl::StatusOr<RequestResult> MakeRequest(const Depot& depot, const RequestOptions& options);

struct SignOptions {
  std::string name = {};       // of the request's files
  std::string authority = {};  // the CA's name
  // Each empty: in the depot.
  std::string request_file = {};
  std::string certificate_file = {};
  std::string authority_certificate_file = {};
  std::string authority_key_file = {};
  std::string expires = "2 years";
  bool intermediate = false;
  int path_length = 0;  // of an intermediate
  AskPassphrase open_passphrase = {};
};
struct SignResult {
  std::string certificate_file, request_file, authority_key_file;
  Certificate certificate;
  bool ends_with_authority = false;   // its lifetime was cut by more than a day
  std::vector<std::string> warnings;  // what its users should know
};
// A certificate for a request: its key, its subject, and its DNS, IP and URI names; a leaf without
// any gets its common name. A leaf may be server and client; an intermediate gets no alternative
// names. The result is validated against the CA before it is written. Errors: file_exists (whatever
// is there: certificate, CA, key), request_malformed (also a request with the CA's key or name),
// path_length_exceeded, name_not_permitted, those of ReadAuthority.
absl::StatusOr<SignResult> SignRequest(const Depot& depot, const SignOptions& options,
                                       const Clock& clock);

struct CrlOptions {
  std::string authority = {};
  std::string expires = {};  // until the list's nextUpdate; empty: as long as the CA lives
  AskPassphrase open_passphrase = {};
};
struct CrlResult {
  std::string file;
  Crl crl;
};
// A new CRL with the entries of the present one, or the first. Its number is above the old one's
// and never falls, not even after certstrap, which writes none: it follows the clock. Errors:
// crl_malformed, those of ReadAuthority.
absl::StatusOr<CrlResult> RenewCrl(const Depot& depot, const CrlOptions& options,
                                   const Clock& clock);

struct RevokeOptions {
  std::string name = {};  // whose certificate
  int reason = 0;         // RFC 5280 section 5.3.1
  CrlOptions crl = {};
};
struct RevokeResult {
  std::string certificate_file;
  Certificate certificate;
  Time revoked_at;
  bool was_revoked = false;  // before, and so nothing was written
  CrlResult crl;
};
// Puts a certificate on its CA's CRL. Errors: file_not_found (no certificate, or no CRL: one that
// is lost took its entries with it), issuer_unknown (of another CA), usage_error (the CA itself, an
// unknown reason).
absl::StatusOr<RevokeResult> RevokeCertificate(const Depot& depot, const RevokeOptions& options,
                                               const Clock& clock);

}  // namespace troth
