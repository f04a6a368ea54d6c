#include "troth/nginx/server_block.h"

#include <gtest/gtest.h>

#include <string_view>

#include "troth/base/reason.h"

namespace troth {
namespace {

NginxServer Server() {
  return {.listen = "127.0.0.1:443",
          .server_names = {"db.example", "127.0.0.1"},
          .certificate = "/etc/troth/db.pem",
          .private_key = "/etc/troth/db.key",
          .trust_bundle = "/etc/troth/ca.pem",
          .crl = "/etc/troth/crls.pem",
          .upstream = "unix:/run/db.sock",
          .policy_socket = "unix:/run/troth/policy.sock"};
}

size_t CountOf(std::string_view text, std::string_view part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1)) {
    ++count;
  }
  return count;
}

constexpr std::string_view kIdentityFields[] = {"Troth-Client-Subject", "Troth-Client-Common-Name",
                                                "Troth-Client-Names", "Troth-Client-Spiffe-Id",
                                                "Troth-Client-Sha256"};

TEST(NginxServerBlock, SetsEveryIdentityFieldForEveryLocationThatSetsNone) {
  const std::string text = *NginxServerBlock(Server());
  for (const std::string_view field : kIdentityFields) {
    EXPECT_EQ(CountOf(text, "\n    proxy_set_header " + std::string(field) + " $"), 1) << field;
  }
  // One field more there, and none of the server's would be in force.
  const size_t location = text.find("location / {");
  ASSERT_NE(location, std::string::npos);
  EXPECT_EQ(text.substr(location, text.find('}', location) - location).find("proxy_set_header"),
            std::string::npos);
}

TEST(NginxServerBlock, ClearsWhatNobodyVouchesForWithoutAPolicy) {
  NginxServer server = Server();
  server.policy_socket.clear();
  const std::string text = *NginxServerBlock(server);
  EXPECT_EQ(CountOf(text, "proxy_set_header Troth-Client-Subject $ssl_client_s_dn;"), 1);
  for (const std::string_view field : kIdentityFields) {
    if (field == "Troth-Client-Subject") continue;
    EXPECT_EQ(CountOf(text, "proxy_set_header " + std::string(field) + " \"\";"), 1) << field;
  }
  EXPECT_EQ(text.find("auth_request"), std::string::npos);
  EXPECT_EQ(text.find("$troth_"), std::string::npos);
}

TEST(NginxServerBlock, VerifiesEveryConnectionAnew) {
  const std::string text = *NginxServerBlock(Server());
  for (const std::string_view line :
       {"ssl_verify_client on;", "ssl_session_cache off;", "ssl_session_tickets off;",
        "ssl_protocols TLSv1.2 TLSv1.3;", "ssl_crl /etc/troth/crls.pem;",
        "underscores_in_headers off;", "proxy_pass_request_headers off;",
        "proxy_pass http://unix:/run/troth/policy.sock:/authorize;",
        "proxy_pass http://unix:/run/db.sock;", "server_name db.example 127.0.0.1;"}) {
    EXPECT_EQ(CountOf(text, line), 1) << line;
  }
}

TEST(NginxServerBlock, BelievesNoOtherAuthoritiesOfNginxConf) {
  const std::string text = *NginxServerBlock(Server());
  EXPECT_EQ(CountOf(text, "ssl_client_certificate /etc/troth/ca.pem;"), 1);
  EXPECT_EQ(CountOf(text, "ssl_trusted_certificate /etc/troth/ca.pem;"), 1);
}

TEST(NginxServerBlock, RefusesHandshakesOfAnotherServer) {
  NginxServer server = Server();
  server.server_names = {"db.example", "*.db.example"};
  EXPECT_EQ(CountOf(*NginxServerBlock(server),
                    "    if ($ssl_server_name !~* \"^(?:db\\.example|.+\\.db\\.example)$\") {\n"
                    "        return 421;\n"
                    "    }\n"),
            1);
  // For these clients send no name.
  for (const char* name : {"127.0.0.1", "[::1]", "_"}) {
    server.server_names = {"db.example", name};
    EXPECT_EQ(CountOf(*NginxServerBlock(server), "$ssl_server_name"), 0) << name;
  }
}

TEST(NginxServerBlock, LetsNothingOfNginxConfChangeWhatGoesOn) {
  const std::string text = *NginxServerBlock(Server());
  for (const std::string_view line :
       {"\n    proxy_cache off;\n", "\n    proxy_store off;\n",
        "\n    proxy_method $request_method;\n", "\n    proxy_pass_request_headers on;\n",
        "\n    proxy_pass_request_body on;\n", "\n    proxy_intercept_errors off;\n"}) {
    EXPECT_EQ(CountOf(text, line), 1) << line;
  }
}

TEST(NginxServerBlock, AnswersWhoHasNoGoodCertificateItselfWithAndWithoutAPolicy) {
  NginxServer server = Server();
  for (const char* policy : {"unix:/run/troth/policy.sock", ""}) {
    server.policy_socket = policy;
    const std::string text = *NginxServerBlock(server);
    EXPECT_EQ(CountOf(text, "\n    error_page 495 496 =400 @troth_certificate;\n"), 1);
    EXPECT_EQ(CountOf(text,
                      "\n    location @troth_certificate {\n"
                      "        default_type text/plain;\n"
                      "        return 400 \"certificate: $ssl_client_verify\\n\";\n"),
              1);
  }
}

TEST(NginxServerBlock, ClearsFieldsByWhichOthersNameClientsAndPaths) {
  const std::string text = *NginxServerBlock(Server());
  for (const std::string_view field :
       {"Client-Cert",        "Client-Cert-Chain",     "X-Forwarded-Client-Cert",
        "X-SSL-Client-Cert",  "X-SSL-Client-S-DN",     "X-Client-Cert",
        "Remote-User",        "X-Remote-User",         "X-Forwarded-User",
        "X-Forwarded-Prefix", "X-Forwarded-Uri",       "X-Forwarded-Method",
        "X-Forwarded-Server", "X-Original-Method",     "X-Original-URI",
        "X-Original-URL",     "X-Rewrite-URL",         "X-Client-IP",
        "True-Client-IP",     "X-HTTP-Method-Override"}) {
    EXPECT_EQ(CountOf(text, " " + std::string(field) + " \"\";"), 1) << field;
  }
  EXPECT_EQ(CountOf(text, "proxy_set_header X-Forwarded-Port $server_port;"), 1);
}

TEST(NginxServerBlock, QuotesPaths) {
  NginxServer server = Server();
  server.private_key = "/etc/my keys/a;b.key";
  EXPECT_NE(NginxServerBlock(server)->find("ssl_certificate_key \"/etc/my keys/a;b.key\";"),
            std::string::npos);
}

TEST(NginxServerBlock, RefusesValuesThatWouldSayMore) {
  using Change = void (*)(NginxServer&);
  const std::initializer_list<Change> changes = {
      [](NginxServer& s) { s.listen = "443 ssl; }"; },
      [](NginxServer& s) { s.server_names = {}; },
      [](NginxServer& s) { s.server_names = {"a;b"}; },
      [](NginxServer& s) { s.certificate = "db.pem"; },
      [](NginxServer& s) { s.certificate = "/a\nb"; },
      [](NginxServer& s) { s.private_key = "/$ssl_server_name.key"; },
      [](NginxServer& s) { s.trust_bundle = ""; },
      [](NginxServer& s) { s.crl = "/a$b"; },
      [](NginxServer& s) { s.upstream = "https://a:1"; },
      [](NginxServer& s) { s.policy_socket = "192.0.2.1:80"; },
  };
  for (const Change& change : changes) {
    NginxServer server = Server();
    change(server);
    EXPECT_EQ(CodeOf(NginxServerBlock(server).status()), "usage_error");
  }
}

}  // namespace
}  // namespace troth
