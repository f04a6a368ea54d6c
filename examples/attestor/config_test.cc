// The files of attestor and db-service.
#include <gtest/gtest.h>

#include <string>

#include "examples/attestor/attestor_config.h"
#include "examples/attestor/attestor_testing.h"
#include "examples/attestor/db_service_config.h"
#include "troth/base/strings.h"
#include "troth/pki/pem.h"

namespace attestor {
namespace {

using ::testing::Test;

constexpr const char* kAttestor = R"(
ca_certificate       = "ca.pem"
attestor_certificate = "one.pem"
attestor_key         = "one.key"
signing_key          = "signing.key"
db_service           = "https://db.example:8443/"
)";

class ConfigTest : public Test {
 protected:
  std::string Write(const std::string& name, const std::string& text) const {
    troth::RewriteFile(folder_ / name, text);
    return folder_ / name;
  }
  absl::StatusOr<AttestorConfig> Attestor(const std::string& text) const {
    return LoadAttestorConfig(Write("attestor.toml", text));
  }
  absl::StatusOr<DbServiceConfig> DbService(const std::string& text) const {
    return LoadDbServiceConfig(Write("db.toml", text));
  }
  std::string PublicKeyFile(const std::string& name, const troth::PrivateKey& key) const {
    return Write(name, troth::FormatPem("PUBLIC KEY", key.public_key().der()));
  }

  troth::TestFolder folder_;
};

TEST_F(ConfigTest, AnAttestorHasTheKeysOfTheSeed) {
  const AttestorConfig config = Must(Attestor(kAttestor));
  EXPECT_EQ(config.ca_certificate, "ca.pem");
  EXPECT_EQ(config.attestor_certificate, "one.pem");
  EXPECT_EQ(config.attestor_key, "one.key");
  EXPECT_EQ(config.signing_key, "signing.key");
  EXPECT_EQ(config.db_service, "https://db.example:8443");
  EXPECT_EQ(config.poll_interval, std::chrono::seconds(5));
}

TEST_F(ConfigTest, ATimeHasAUnit) {
  const struct {
    std::string text;
    int milliseconds;  // 0: refused
  } rows[] = {{"\"500ms\"", 500}, {"\"2s\"", 2000}, {"\"1m\"", 60'000},
              {"\"0s\"", 0},      {"\"0ms\"", 0},   {"\"ms\"", 0},
              {"\"1hms\"", 0},    {"\"soon\"", 0},  {"5", 0}};
  for (const auto& row : rows) {
    const auto config = Attestor(kAttestor + ("poll_interval = " + row.text + "\n"));
    EXPECT_EQ(CodeOfResult(config), row.milliseconds == 0 ? "configuration_invalid" : "ok")
        << row.text;
    if (config.ok()) {
      EXPECT_EQ(config->poll_interval.count(), row.milliseconds);
    }
  }
}

TEST_F(ConfigTest, WhatAnAttestorCannotWorkWithIsSaidWithItsPlace) {
  const struct {
    std::string from, to, said;
  } rows[] = {
      {"ca_certificate ", "ca_certificat", "did you mean"},
      {"attestor_key         = \"one.key\"\n", "", "attestor_key"},
      {"\"one.key\"", "\"\"", "attestor.toml:4"},
      {"\"one.key\"", "7", "attestor.toml:4"},
      {"https:", "http:", "db_service"},
      {"signing_key ", "attestor = \"a&b\"\nsigning_key ", "attestor.toml:5"},
      {"\"one.pem\"", "\"one.pem", "expected TOML"},
  };
  for (const auto& row : rows) {
    std::string text = kAttestor;
    text.replace(text.find(row.from), row.from.size(), row.to);
    const auto config = Attestor(text);
    EXPECT_EQ(CodeOfResult(config), "configuration_invalid") << row.to;
    EXPECT_NE(troth::ToStd(config.status().message()).find(row.said), std::string::npos)
        << config.status();
  }
  EXPECT_EQ(CodeOfResult(LoadAttestorConfig(folder_ / "none.toml")), "file_not_found");
}

TEST_F(ConfigTest, ADbServiceKnowsItsAttestorsBySmallNamesAndKeys) {
  const troth::PrivateKey one = troth::NewKey();
  const std::string key = PublicKeyFile("one.pub", one);
  const auto config =
      Must(DbService("listen = \"unix:/x\"\ndatabase = \"p.db\"\nthreshold = 1\n"
                     "[attestors]\n\"One.attestors.example\" = \"" +
                     key + "\"\n"));
  EXPECT_EQ(config.listen, "unix:/x");
  EXPECT_EQ(config.threshold, 1);
  ASSERT_EQ(config.attestors.count(kOne), 1U);
  EXPECT_EQ(config.attestors.at(kOne), one.public_key());
}

TEST_F(ConfigTest, WhatADbServiceCannotWorkWithIsRefused) {
  const troth::PrivateKey one = troth::NewKey();
  const std::string key = PublicKeyFile("one.pub", one);
  const std::string again = PublicKeyFile("again.pub", one);
  const std::string other = PublicKeyFile("other.pub", troth::NewKey());
  const std::string secret = Write("one.key", troth::PemOf(one));
  const std::string key_text = troth::PemOf(one).substr(28, 40);
  const auto text = [](const std::string& listen, const std::string& threshold,
                       const std::string& attestors) {
    return "listen = \"" + listen + "\"\ndatabase = \"p.db\"\nthreshold = " + threshold +
           "\n[attestors]\n" + attestors;
  };
  const std::string good = "one = \"" + key + "\"\n";
  const struct {
    std::string text, code;
  } rows[] = {
      {text("unix:/x", "1", good), "ok"},
      // Whoever reached it there could call himself whom he likes.
      {text("127.0.0.1:8080", "1", good), "configuration_invalid"},
      {text("unix:/x", "0", good), "configuration_invalid"},
      {text("unix:/x", "2", good), "configuration_invalid"},
      {text("unix:/x", "\"1\"", good), "configuration_invalid"},
      {text("unix:/x", "1", ""), "configuration_invalid"},
      {text("unix:/x", "1", "one = 1\n"), "configuration_invalid"},
      {text("unix:/x", "1", "\"*.example\" = \"" + key + "\"\n"), "configuration_invalid"},
      // One who has two names would confirm packets alone.
      {text("unix:/x", "2", good + "two = \"" + again + "\"\n"), "configuration_invalid"},
      // The second would never count.
      {text("unix:/x", "1", good + "One = \"" + other + "\"\n"), "configuration_invalid"},
      {text("unix:/x", "2", good + "two = \"" + other + "\"\n"), "ok"},
      {text("unix:/x", "1", "one = \"" + secret + "\"\n"), "key_malformed"},
      {text("unix:/x", "1", "one = \"" + folder_ / "none" + "\"\n"), "file_not_found"},
  };
  for (const auto& row : rows) {
    const auto config = DbService(row.text);
    EXPECT_EQ(CodeOfResult(config), row.code) << row.text << config.status();
    // What the file of a key holds is never shown.
    EXPECT_EQ(troth::ToStd(config.status().message()).find(key_text), std::string::npos);
  }
}

}  // namespace
}  // namespace attestor
