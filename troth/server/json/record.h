// What the JSON front end answers: records as JSON texts, each one object and a line end.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "troth/ca/authority.h"
#include "troth/ca/operations.h"
#include "troth/ca/records.h"

namespace troth::json {

// Times are RFC 3339 texts, digests and serial numbers lower-case hexadecimal. What is not set is
// left out.

// The whole record, with the certificate in PEM.
std::string WriteCertificate(const CertificateStatus& certificate);
// {"certificates": [...]}, without PEM; "next" when it is not empty.
std::string WriteCertificates(const std::vector<CertificateStatus>& certificates,
                              std::string_view next);

// For operators: with where it came from, who decided, and who else asks for its name.
std::string WriteRequest(const RequestStatus& request);
std::string WriteRequests(const std::vector<RequestStatus>& requests, std::string_view next);

std::string WriteToken(const TokenRecord& token);
// The one time that the secret is shown: "token" beside the record.
std::string WriteNewToken(const NewToken& token);
std::string WriteTokens(const std::vector<TokenRecord>& tokens);

// Writes issued certificates. PEM texts of chain and trust bundle are escaped once for each issuer.
// Thread-safe.
class IssuedWriter {
 public:
  // {"certificate", "chain", "trust_bundle"}.
  std::string Write(const IssuedCertificate& issued);
  // For whoever sent the request or knows its digest: without where it came from and who decided;
  // with the certificate, as Write has it, when there is one.
  std::string Write(const FetchedRequest& fetched);

 private:
  struct Tail {
    std::shared_ptr<const std::string> chain_pem, root_pem;
    std::string text;  // `,"chain":...}` and a line end
  };
  std::shared_ptr<const Tail> TailOf(const IssuedCertificate& issued);
  // Appends the members of the certificate, the brace that ends the object, and a line end.
  void Append(const IssuedCertificate& issued, std::string& out);

  std::mutex mutex_;
  std::shared_ptr<const Tail> tail_;  // guarded by mutex_
};

}  // namespace troth::json
