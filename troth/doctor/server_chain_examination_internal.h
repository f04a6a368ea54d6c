// What is wrong with the chain that a server sent, as those see it who connect.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "troth/base/time.h"
#include "troth/doctor/diagnosis.h"
#include "troth/pki/certificate.h"
#include "troth/pki/crl.h"
#include "troth/pki/name.h"
#include "troth/pki/path_validation.h"

namespace troth {

// Whom the client believes.
struct ClientTrust {
  enum class Kind {
    kGiven,   // a trust bundle
    kSystem,  // the authorities of the system; a chain that they do not know is judged by itself
    // Nobody: the chain is judged by itself; where it is `called`, the file has no certificate, and
    // whether the chain is trusted is not judged at all.
    kNone,
  };
  Kind kind = Kind::kNone;
  std::string called = {};  // the file
  std::vector<Certificate> certificates = {};
};

struct ServerChain {
  std::string subject;             // of the findings: the endpoint
  std::vector<Certificate> chain;  // as sent; not empty
  const ClientTrust& trust;
  const std::vector<Crl>& crls;
  std::vector<Certificate> loose;    // CAs that the client has and does not trust
  AlternativeName name;              // whom the client expects
  std::optional<Time> server_clock;  // what the server says that the time is
  Time now;
  Seconds warn_before;
};

// The certificates of `chain` from the leaf up, each followed by its issuer; what belongs to no
// such place, a root, and what is there again, is left out.
std::vector<Certificate> InRightOrder(const std::vector<Certificate>& chain);

// A CA that signs itself.
bool IsRoot(const Certificate& certificate);
// "'CN=a', then 'CN=b'"; short when there are many.
std::string Listed(const std::vector<Certificate>& certificates, std::string_view separator);
// Whether a fault with this reason is known already.
bool HasFault(const Diagnosis& diagnosis, Reason reason);
// The same, of `subject`.
bool HasFault(const Diagnosis& diagnosis, Reason reason, std::string_view subject);
bool Contains(const std::vector<Certificate>& all, const Certificate& certificate);

// Adds all that is wrong with `chain` to `diagnosis`.
void ExamineServerChain(const ServerChain& chain, Diagnosis& diagnosis);

// The parts of it that are files of their own.
// Whether `certificate`, which is found `where` (" in ca.pem", or nothing when the server sent it),
// is in its time.
void ExamineServerTime(const ServerChain& chain, const Certificate& certificate,
                       const std::string& where, Diagnosis& diagnosis);
// Whether the chain, whose leaf may be used for `usage`, leads to whom the client trusts.
void ExamineServerTrust(const ServerChain& chain, Usage usage, Diagnosis& diagnosis);
// Whom the chain has to lead to: those that the client trusts, and where they do not know it, the
// upmost of the chain itself.
std::vector<Certificate> AnchorsFor(const ServerChain& chain);

}  // namespace troth
