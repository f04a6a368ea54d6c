#include "troth/server/caramel/posted_request.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/server/caramel/caramel_testing.h"

namespace troth::caramel {
namespace {

using caramel_testing::BodyOf;
using caramel_testing::kAuthoritySubject;
using caramel_testing::RequestOf;
using caramel_testing::Value;

DistinguishedName Name(std::string_view slashes) {
  return Value(DistinguishedName::FromSlashes(slashes));
}

std::string TextOf(const std::vector<NameAttribute>& attributes) {
  std::string text;
  for (const NameAttribute& attribute : attributes) {
    text += "/" + attribute.key + "=" + attribute.value;
  }
  return text;
}

absl::StatusOr<CertificateRequest> Read(std::string_view body,
                                        std::string_view authority = kAuthoritySubject) {
  return ReadPostedRequest(body, RequiredPrefix(Name(authority)));
}

TEST(RequiredPrefixTest, HoldsWhatTheAuthorityHasInTheOrderOfThePrefix) {
  EXPECT_EQ(TextOf(RequiredPrefix(Name("/C=SE/ST=S/L=L/O=O/OU=U/CN=x"))), "/C=SE/ST=S/L=L/O=O");
  EXPECT_EQ(TextOf(RequiredPrefix(Name("/O=O/CN=x/ST=S"))), "/ST=S/O=O");
  EXPECT_EQ(TextOf(RequiredPrefix(Name("/CN=x/OU=U"))), "");
  EXPECT_EQ(TextOf(RequiredPrefix(Name("/O=first/O=last/CN=x"))), "/O=last");
}

TEST(PostedRequestTest, TakesARequestOfEveryUsualKey) {
  for (const KeyType type : {KeyType::kP256, KeyType::kP384, KeyType::kEd25519, KeyType::kRsa2048,
                             KeyType::kRsa3072, KeyType::kRsa4096}) {
    const std::string body = BodyOf("client", testing::MakeKey(type));
    const auto request = Read(body);
    ASSERT_TRUE(request.ok()) << NameOf(type) << ": " << request.status();
    EXPECT_EQ(request->ToPem(), body);
    EXPECT_EQ(request->subject().common_name(), "client");
  }
}

TEST(PostedRequestTest, TakesAnyCommonName) {
  for (const std::string_view name :
       {"client", "b8:27:eb:00:11:22", "Alice Example", "5e0cd9de-6a2b-4ba5-9f8e-9b9e0d4ad3b5",
        "*.example.org", "Åsa"}) {
    EXPECT_TRUE(Read(BodyOf(name)).ok()) << name;
  }
}

TEST(PostedRequestTest, RefusesABodyThatIsNotWhatItsRequestIsWrittenAs) {
  for (const auto& [what, body] : caramel_testing::UnreadableBodies()) {
    const auto request = Read(body);
    ASSERT_FALSE(request.ok()) << what;
    EXPECT_EQ(ReasonOf(request.status()), Reason::kRequestMalformed) << what;
    EXPECT_EQ(ToStd(request.status().message()), "crypto error: invalid PEM reqtext") << what;
  }
}

TEST(PostedRequestTest, RefusesASignatureOfAnotherKey) {
  // Whatever else is wrong with the body.
  for (const std::string& body :
       {caramel_testing::BodyWithBadSignature(), caramel_testing::BodyWithBadSignature() + "\n"}) {
    const auto request = Read(body);
    EXPECT_EQ(ReasonOf(request.status()), Reason::kSignatureInvalid);
    EXPECT_EQ(ToStd(request.status().message()), "crypto error: Invalid Request");
  }
}

struct SubjectRow {
  std::string_view authority, client, message;  // empty: taken
};

TEST(PostedRequestTest, ComparesTheSubjectsBeginning) {
  const std::vector<SubjectRow> rows = {
      {"/C=SE/O=O/CN=ca", "/C=SE/O=O/CN=x", ""},
      {"/C=SE/O=O/OU=U/CN=ca", "/C=SE/O=O/CN=x", ""},
      {"/C=SE/O=O/CN=ca", "/C=SE/O=O/OU=other/CN=x/emailAddress=a@b", ""},
      {"/CN=ca", "/O=any/CN=x", ""},
      {"/C=SE/O=O/CN=ca", "/CN=x", "Bad subject: Too few subject components"},
      {"/C=SE/O=O/CN=ca", "/", "Bad subject: Too few subject components"},
      {"/C=SE/O=O/CN=ca", "/C=NO/O=O/CN=x",
       "Bad subject: (('C', 'NO'),) do not match (('C', 'SE'),)"},
      {"/C=SE/O=O/CN=ca", "/O=O/C=SE/CN=x",
       "Bad subject: (('O', 'O'), ('C', 'SE')) do not match (('C', 'SE'), ('O', 'O'))"},
      {"/C=SE/O=O/CN=ca", "/C=SE/O=o/CN=x",
       "Bad subject: (('O', 'o'),) do not match (('O', 'O'),)"},
      {kAuthoritySubject, "/C=SE/ST=Östergötland/L=Linköping/O=Other/CN=x",
       R"(Bad subject: (('O', 'Other'),) do not match (('O', "Modio's AB"),))"},
      // Where the original takes a request that it cannot sign, or that two programs would call by
      // two names.
      {"/C=SE/O=O/CN=ca", "/C=SE/O=O", "Bad subject: expected one common name (CN), got 0"},
      {"/C=SE/O=O/CN=ca", "/C=SE/O=O/CN=a/CN=b",
       "Bad subject: expected one common name (CN), got 2"},
  };
  for (const SubjectRow& row : rows) {
    const auto request = Read(RequestOf(row.client).ToPem(), row.authority);
    EXPECT_EQ(ToStd(request.status().message()), row.message) << row.client;
    if (row.message.empty()) continue;
    const Reason reason = ReasonOf(request.status()).value_or(Reason::kInternal);
    EXPECT_EQ(reason, row.message.find("common name") != std::string_view::npos
                          ? Reason::kNameNotPermitted
                          : Reason::kNameMismatch)
        << row.client;
  }
}

}  // namespace
}  // namespace troth::caramel
