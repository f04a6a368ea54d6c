#include "troth/identity/service_config.h"

#include <unistd.h>

#include <filesystem>
#include <functional>
#include <map>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "troth/base/file.h"
#include "troth/base/log.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"

namespace troth {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Environment Variables(std::map<std::string, std::string> variables) {
  return [variables = std::move(variables)](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end()) return std::nullopt;
    return found->second;
  };
}

absl::StatusOr<ServiceConfig> Parse(std::string_view text,
                                    const std::map<std::string, std::string>& variables = {}) {
  return ServiceConfig::FromToml(text, "bridge.toml", Variables(variables));
}

std::string MessageOf(const absl::Status& status) { return std::string(ToStd(status.message())); }

// The document's configuration of a verifier, word for word.
constexpr std::string_view kVerifier = R"(# Server TLS configuration
server_cert_path = "core/certs/server/server.pem"
server_key_path = "core/certs/server/server.key"
ca_cert_path = "core/certs/ca/ca.pem"

# Client certificate for internal methods
client_cert_path = "core/certs/client/client.pem"
client_key_path = "core/certs/client/client.key"

# Aggregator certificate for verification
aggregator_cert_path = "core/certs/aggregator/aggregator.pem"
)";

TEST(ServiceConfigTest, ReadsTheVerifiersFile) {
  const absl::StatusOr<ServiceConfig> config = Parse(kVerifier);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_THAT(config->warnings, IsEmpty());
  EXPECT_EQ(config->aggregator_cert_path, "core/certs/aggregator/aggregator.pem");
  EXPECT_EQ(config->origins.at("ca_cert_path"), "bridge.toml:4");
  EXPECT_FALSE(config->origins.contains("aggregator_key_path"));

  const absl::StatusOr<FileIdentityOptions> server = config->ServerIdentity();
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_EQ(server->certificate, "core/certs/server/server.pem");
  EXPECT_EQ(server->private_key, "core/certs/server/server.key");
  EXPECT_EQ(server->trust_bundle, "core/certs/ca/ca.pem");

  const absl::StatusOr<FileIdentityOptions> client = config->ClientIdentity();
  ASSERT_TRUE(client.ok()) << client.status();
  EXPECT_EQ(client->certificate, "core/certs/client/client.pem");
  EXPECT_EQ(client->private_key, "core/certs/client/client.key");
  EXPECT_EQ(client->trust_bundle, "core/certs/ca/ca.pem");

  const absl::StatusOr<FileIdentityOptions> trust = config->TrustOnly();
  ASSERT_TRUE(trust.ok()) << trust.status();
  EXPECT_EQ(trust->certificate + trust->private_key, "");
  EXPECT_EQ(trust->trust_bundle, "core/certs/ca/ca.pem");
}

TEST(ServiceConfigTest, EveryKeyHasItsVariableWhichOutweighsTheFile) {
  struct Case {
    std::string key;
    std::string variable;
    std::string ServiceConfig::*value;
  };
  for (const Case& c : std::initializer_list<Case>{
           {"server_cert_path", "SERVER_CERT_PATH", &ServiceConfig::server_cert_path},
           {"server_key_path", "SERVER_KEY_PATH", &ServiceConfig::server_key_path},
           {"ca_cert_path", "CA_CERT_PATH", &ServiceConfig::ca_cert_path},
           {"client_cert_path", "CLIENT_CERT_PATH", &ServiceConfig::client_cert_path},
           {"client_key_path", "CLIENT_KEY_PATH", &ServiceConfig::client_key_path},
           {"aggregator_cert_path", "AGGREGATOR_CERT_PATH", &ServiceConfig::aggregator_cert_path},
           {"aggregator_key_path", "AGGREGATOR_KEY_PATH", &ServiceConfig::aggregator_key_path}}) {
    SCOPED_TRACE(c.key);
    const std::string text = c.key + " = \"from/file.pem\"";
    EXPECT_EQ((*Parse(text)).*c.value, "from/file.pem");
    EXPECT_EQ((*Parse("", {{c.variable, "/from/env.pem"}})).*c.value, "/from/env.pem");
    const absl::StatusOr<ServiceConfig> both = Parse(text, {{c.variable, "/from/env.pem"}});
    EXPECT_EQ((*both).*c.value, "/from/env.pem");
    EXPECT_EQ(both->origins.at(c.key), c.variable);
    // Set to nothing is not set.
    EXPECT_EQ((*Parse(text, {{c.variable, ""}})).*c.value, "from/file.pem");
  }
}

TEST(ServiceConfigTest, AMissingKeyIsNamedWithItsVariable) {
  const absl::StatusOr<ServiceConfig> config = Parse(kVerifier);
  ASSERT_TRUE(config.ok());
  const absl::Status status = config->AggregatorIdentity().status();
  EXPECT_EQ(ReasonOf(status), Reason::kConfigurationInvalid);
  EXPECT_THAT(MessageOf(status),
              AllOf(HasSubstr("aggregator_key_path"), HasSubstr("AGGREGATOR_KEY_PATH"),
                    ::testing::Not(HasSubstr("aggregator_cert_path"))));
}

TEST(ServiceConfigTest, EveryRoleNeedsItsThreeFiles) {
  const ServiceConfig nothing;
  for (const auto& status : {nothing.ServerIdentity().status(), nothing.ClientIdentity().status(),
                             nothing.AggregatorIdentity().status(), nothing.TrustOnly().status()}) {
    EXPECT_EQ(ReasonOf(status), Reason::kConfigurationInvalid);
    EXPECT_THAT(MessageOf(status), HasSubstr("CA_CERT_PATH"));
  }
  ServiceConfig aggregator{
      .ca_cert_path = "ca.pem", .aggregator_cert_path = "a.pem", .aggregator_key_path = "a.key"};
  const absl::StatusOr<FileIdentityOptions> options = aggregator.AggregatorIdentity();
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->certificate, "a.pem");
  EXPECT_EQ(options->private_key, "a.key");
  EXPECT_EQ(options->trust_bundle, "ca.pem");
}

TEST(ServiceConfigTest, WhatIsNoTomlOrNoPathIsRefusedWithItsLine) {
  for (const auto& [text, place] : std::initializer_list<std::pair<std::string, std::string>>{
           {"server_cert_path = \"a\"\nserver_key_path = core/server.key\n", "bridge.toml:2: "},
           {"\n\nca_cert_path = \"unfinished\n", "bridge.toml:3: "},
           {"ca_cert_path = \"a\"\nca_cert_path = \"b\"\n", "bridge.toml:2: "},
           {"# x\nserver_cert_path = 5\n", "bridge.toml:2: "},
           {"server_cert_path = [\"a.pem\"]\n", "bridge.toml:1: "},
           {"server_cert_path = \"a\\u0000b\"\n", "bridge.toml:1: "},
           {"\xff\xfe", "bridge.toml:1: "},
       }) {
    const absl::Status status = Parse(text).status();
    EXPECT_EQ(ReasonOf(status), Reason::kConfigurationInvalid) << text;
    EXPECT_THAT(MessageOf(status), ::testing::StartsWith(place)) << text;
  }
}

TEST(ServiceConfigTest, TheServicesOwnKeysAreNobodysBusiness) {
  const absl::StatusOr<ServiceConfig> config = Parse(R"(
host = "0.0.0.0"
port = 50051
policy_path = "policy.toml"
server_log_path = "server.log"
server_data_path = "data"
db_key = "x"
[bitcoin]
rpc_url = "http://127.0.0.1"
cert_path = "x"
)");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_THAT(config->warnings, IsEmpty());
}

TEST(ServiceConfigTest, AKeyThatIsNearlyOneOfOursIsWarnedOf) {
  for (const auto& [written, meant] : std::initializer_list<std::pair<std::string, std::string>>{
           {"server_cert_pth", "server_cert_path"},
           {"sever_key_path", "server_key_path"},
           {"server-key-path", "server_key_path"},
           {"serverKeyPath", "server_key_path"},
           {"CA_CERT_PATH", "ca_cert_path"},
           {"client_certificate_path", "client_cert_path"},
           {"client_private_key_file", "client_key_path"},
           {"agregator_cert_path", "aggregator_cert_path"},
       }) {
    const absl::StatusOr<ServiceConfig> config = Parse("\n" + written + " = \"x.pem\"\n");
    ASSERT_TRUE(config.ok()) << config.status();
    EXPECT_THAT(config->warnings, ElementsAre(AllOf(HasSubstr("bridge.toml:2: '" + written + "'"),
                                                    HasSubstr("'" + meant + "'"))));
  }
}

TEST(ServiceConfigTest, WhatIsMissingIsExplainedByWhatIsMistyped) {
  const absl::StatusOr<ServiceConfig> config = Parse("ca_crt_path = \"ca.pem\"");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_THAT(MessageOf(config->TrustOnly().status()), HasSubstr("bridge.toml:1: 'ca_crt_path'"));
}

TEST(ServiceConfigTest, AKeyThatFellIntoATableIsWarnedOf) {
  const absl::StatusOr<ServiceConfig> config = Parse("[log]\nlevel = 1\nca_cert_path = \"ca.pem\"");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->ca_cert_path, "");
  EXPECT_THAT(config->warnings,
              ElementsAre(AllOf(HasSubstr("bridge.toml:3: 'ca_cert_path'"), HasSubstr("'log'"))));
}

class ServiceConfigFileTest : public ::testing::Test {
 protected:
  ServiceConfigFileTest() {
    std::string name = ::testing::TempDir() + "troth_config_XXXXXX";
    folder_ = mkdtemp(name.data());
    SetLogSink([this](const LogEntry& entry) { logged_.push_back(FormatLogEntry(entry)); });
  }
  ~ServiceConfigFileTest() override {
    SetLogSink(nullptr);
    std::filesystem::remove_all(folder_);
  }

  std::string folder_;
  std::vector<std::string> logged_;
};

TEST_F(ServiceConfigFileTest, LoadsAFileAndLogsItsWarnings) {
  const std::string path = folder_ + "/bridge.toml";
  ASSERT_TRUE(WriteFile(path, "ca_cert_path = \"ca.pem\"\nserver_crt_path = \"x\"\n", {}).ok());
  const absl::StatusOr<ServiceConfig> config = ServiceConfig::Load(path, Variables({}));
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->ca_cert_path, "ca.pem");
  EXPECT_EQ(config->origins.at("ca_cert_path"), path + ":1");
  EXPECT_THAT(logged_, ElementsAre(HasSubstr("server_crt_path")));
}

TEST_F(ServiceConfigFileTest, AMissingFileIsAnErrorAndNoFileIsNot) {
  EXPECT_EQ(ReasonOf(ServiceConfig::Load(folder_ + "/none.toml", Variables({})).status()),
            Reason::kFileNotFound);
  const absl::StatusOr<ServiceConfig> config =
      ServiceConfig::Load("", Variables({{"CA_CERT_PATH", "/etc/ca.pem"}}));
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->ca_cert_path, "/etc/ca.pem");
}

TEST_F(ServiceConfigFileTest, TheProcessEnvironmentIsTheDefault) {
  ASSERT_EQ(setenv("CA_CERT_PATH", "/set/for/this/test.pem", 1), 0);
  EXPECT_EQ(ServiceConfig::Load("")->ca_cert_path, "/set/for/this/test.pem");
  ASSERT_EQ(unsetenv("CA_CERT_PATH"), 0);
  EXPECT_EQ(ServiceConfig::Load("")->ca_cert_path, "");
}

}  // namespace
}  // namespace troth
