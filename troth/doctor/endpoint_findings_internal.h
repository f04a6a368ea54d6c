// What was seen of an endpoint, in words: what it is, and what is wrong with it.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "troth/doctor/client_files_internal.h"
#include "troth/doctor/diagnosis.h"
#include "troth/doctor/endpoint_doctor.h"
#include "troth/doctor/endpoint_survey_internal.h"

namespace troth {

struct EndpointCase {
  const Endpoint& endpoint;
  const EndpointOptions& options;
  const ClientFiles& files;
  const EndpointFacts& facts;

  std::string subject() const { return endpoint.ToString(); }
  // The connection that came furthest, for what does not depend on the client.
  const TlsProbe& furthest() const;
  // What the server's answers say that the time is.
  std::optional<Time> server_clock() const;
};

// Whether the server wants a certificate of its clients.
enum class ClientCertificateWish { kUnknown, kNone, kOptional, kRequired };
ClientCertificateWish WishOf(const EndpointFacts& facts);
// Whether the client of this case was let in, as far as TLS and nginx say.
Admission AdmissionOf(const EndpointFacts& facts);

// "2.5 s".
std::string ShortTime(std::chrono::milliseconds time);
// "'CN=a', 'CN=b'"; short when there are many.
std::string ListedNames(const std::vector<DistinguishedName>& names, std::string_view separator);

// Adds to diagnosis.recognised what the endpoint is.
void DescribeEndpoint(const EndpointCase& what, Diagnosis& diagnosis);
// Adds why there is no connection, or none with TLS of today.
void AddConnectionFindings(const EndpointCase& what, Diagnosis& diagnosis);
// Adds what the server has against the client.
void AddAdmissionFindings(const EndpointCase& what, Diagnosis& diagnosis);
// Adds what came of the request or call.
void AddAnswerFindings(const EndpointCase& what, Diagnosis& diagnosis);

}  // namespace troth
