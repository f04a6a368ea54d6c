#include "troth/nginx/auth_request.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "troth/authz/guard_testing.h"
#include "troth/base/encoding.h"
#include "troth/nginx/identity_fields.h"

namespace troth {
namespace {

constexpr std::string_view kPolicy = R"(
[roles]
attestor = { dns = "*.attestors.example" }

[[rules]]
methods = ["GET /packets/*"]
allow   = ["attestor"]
)";

// As nginx does it for $ssl_client_escaped_cert.
std::string EscapedPem(const Certificate& certificate) {
  std::string out;
  for (const char c : certificate.ToPem()) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-') {
      out += c;
    } else {
      out += "%" + ToHex(std::string_view(&c, 1));
    }
  }
  return out;
}

class AuthRequestTest : public GuardTest {
 protected:
  AuthRequestTest() { Start(kPolicy); }

  HttpFields Ask(const std::string& verb, const std::string& target) const {
    return {{"troth-ask-method", verb},
            {"troth-ask-target", target},
            {"troth-ask-verify", "SUCCESS"},
            {"troth-ask-address", "192.0.2.1:4711"},
            {"troth-ask-certificate", EscapedPem(attestor_)}};
  }
  static void Set(HttpFields& fields, std::string_view name, const std::string& value) {
    std::ranges::find(fields, name, &HttpFields::value_type::first)->second = value;
  }
  static void Remove(HttpFields& fields, std::string_view name) {
    std::erase_if(fields, [&](const auto& field) { return field.first == name; });
  }
  HttpResponse Answer(const HttpFields& fields, const std::string& path = "/authorize",
                      const std::string& method = "GET") {
    auto request = std::make_shared<HttpRequest>();
    request->method = method;
    request->path = path;
    request->fields = fields;
    HttpResponse answer{.status = 0};
    AuthRequestHandler(port_, clock_)(request, [&](HttpResponse got) { answer = std::move(got); });
    return answer;
  }
  static std::string Field(const HttpResponse& response, std::string_view name) {
    for (const auto& [key, value] : response.fields) {
      if (key == name) return value;
    }
    return "";
  }
  // "204", "403 role_not_allowed".
  std::string Outcome(const HttpFields& fields) {
    const HttpResponse response = Answer(fields);
    const std::string reason = Field(response, kReasonField);
    EXPECT_EQ(reason.empty(), response.status == 204);
    // A refused client is nobody.
    EXPECT_EQ(Field(response, kSha256Field).empty(), response.status != 204);
    return std::to_string(response.status) + (reason.empty() ? "" : " " + reason);
  }

  const Certificate attestor_ = authority_.Issue(
      {.subject = "/CN=one", .names = {"dns:one.attestors.example", "spiffe://a.example/one"}});
  const Certificate other_ = authority_.Issue({.subject = "/CN=two", .names = {"dns:two.example"}});
};

TEST_F(AuthRequestTest, SaysWhoAnAllowedClientIs) {
  const HttpResponse response = Answer(Ask("GET", "/packets/5?x=/../"));
  EXPECT_EQ(response.status, 204);
  EXPECT_EQ(Field(response, kCommonNameField), "one");
  EXPECT_EQ(Field(response, kNamesField), "DNS:one.attestors.example,URI:spiffe://a.example/one");
  EXPECT_EQ(Field(response, kSpiffeIdField), "spiffe://a.example/one");
  const Sha256Digest& digest = attestor_.fingerprint();
  EXPECT_EQ(Field(response, kSha256Field), ToHex(std::string(digest.begin(), digest.end())));
}

TEST_F(AuthRequestTest, RefusesAsTheGuardDoes) {
  EXPECT_EQ(Outcome(Ask("POST", "/packets/5")), "403 no_rule_matches");
  HttpFields other = Ask("GET", "/packets/5");
  Set(other, "troth-ask-certificate", EscapedPem(other_));
  EXPECT_EQ(Outcome(other), "403 role_not_allowed");
  HttpFields nobody = Ask("GET", "/packets/5");
  Remove(nobody, "troth-ask-certificate");
  EXPECT_EQ(Outcome(nobody), "401 peer_not_authenticated");
}

TEST_F(AuthRequestTest, VerifiesTheCertificateItself) {
  HttpFields foreign = Ask("GET", "/packets/5");
  Set(foreign, "troth-ask-certificate",
      EscapedPem(PeerAuthority("/CN=other").Issue({.names = {"dns:one.attestors.example"}})));
  EXPECT_EQ(Outcome(foreign), "401 issuer_unknown");
  HttpFields garbage = Ask("GET", "/packets/5");
  Set(garbage, "troth-ask-certificate", "abc");
  EXPECT_EQ(Outcome(garbage), "403 file_wrong_format");
}

TEST_F(AuthRequestTest, FollowsThePolicy) {
  EXPECT_EQ(Outcome(Ask("GET", "/packets/5")), "204");
  ASSERT_TRUE(Replace("[[rules]]\nmethods = [\"GET /packets/*\"]\nallow = []\n").ok());
  EXPECT_EQ(Outcome(Ask("GET", "/packets/5")), "403 role_not_allowed");
}

TEST_F(AuthRequestTest, RefusesPathsThatTwoProgramsMayReadInTwoWays) {
  for (const char* const target : {"/packets/../admin", "/packets/a%2fb", "/packets//a", "*"}) {
    EXPECT_EQ(Outcome(Ask("GET", target)), "403 http_malformed") << target;
  }
}

TEST_F(AuthRequestTest, RefusesACertificateThatNginxDidNotVerify) {
  for (const char* const verify : {"NONE", "FAILED:certificate revoked", ""}) {
    HttpFields fields = Ask("GET", "/packets/5");
    Set(fields, "troth-ask-verify", verify);
    EXPECT_EQ(Outcome(fields), "401 peer_not_verified") << verify;
  }
}

TEST_F(AuthRequestTest, RefusesQuestionsThatLackAFieldOrHaveOneTwice) {
  const HttpFields whole = Ask("GET", "/packets/5");
  for (const auto& [name, value] : whole) {
    HttpFields twice = whole;
    twice.emplace_back(name, value);
    EXPECT_EQ(Outcome(twice), "403 http_malformed") << name;
    if (name == "troth-ask-certificate") continue;
    HttpFields without = whole;
    Remove(without, name);
    EXPECT_EQ(Outcome(without), "403 http_malformed") << name;
  }
  HttpFields fields = whole;
  Set(fields, "troth-ask-certificate", "%4");
  EXPECT_EQ(Outcome(fields), "403 http_malformed");
}

TEST_F(AuthRequestTest, AnswersNothingElse) {
  EXPECT_EQ(Answer(Ask("GET", "/packets/5"), "/other").status, 404);
  EXPECT_EQ(Answer(Ask("GET", "/packets/5"), "/authorize", "POST").status, 405);
}

TEST_F(AuthRequestTest, EscapesWhatWouldEndANameOrAField) {
  const Certificate odd = authority_.Issue(
      {.subject = "/CN=a,%b \xc3\xa9", .names = {"uri:https://x.example/a,DNS:root.example"}});
  HttpFields fields;
  fields = IdentityFields(odd);
  const HttpResponse response{.fields = fields};
  EXPECT_EQ(Field(response, kCommonNameField), "a,%25b %C3%A9");
  EXPECT_EQ(Field(response, kNamesField), "URI:https://x.example/a%2CDNS:root.example");
  EXPECT_EQ(Field(response, kSpiffeIdField), "");
}

}  // namespace
}  // namespace troth
