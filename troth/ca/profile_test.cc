#include "troth/ca/profile.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "troth/base/file.h"
#include "troth/base/reason.h"

namespace troth {
namespace {

using std::chrono::hours;

TEST(BuiltInProfilesTest, AreThoseOfATwoTierAuthority) {
  const Profiles profiles = Profiles::BuiltIn();
  EXPECT_EQ(profiles.standard().name, "default");
  const Profile& standard = *profiles.Find("default");
  EXPECT_EQ(standard.approval, Approval::kManual);
  EXPECT_TRUE(standard.names.any);
  EXPECT_EQ(standard.default_lifetime, hours(24 * 30));
  EXPECT_EQ(profiles.Find("server")->usages, LeafUsages::kServer);
  EXPECT_EQ(profiles.Find("client")->usages, LeafUsages::kClient);
  EXPECT_EQ(profiles.Find("nothing"), nullptr);
  for (const Profile& profile : profiles.all()) {
    EXPECT_EQ(profile.admin, profile.name == "admin");
    EXPECT_FALSE(profile.whole_subject) << profile.name;
    EXPECT_TRUE(profile.automatic.empty()) << profile.name;
  }
  EXPECT_EQ(profiles.Find("admin")->approval, Approval::kNone);
}

TEST(BuiltInProfilesTest, CaramelsSignsUnseenUuidsOnlyWhenTold) {
  for (const bool sign : {false, true}) {
    const Profiles profiles = Profiles::CaramelBuiltIn(sign);
    ASSERT_EQ(profiles.all().size(), 1U);
    const Profile& caramel = profiles.standard();
    EXPECT_EQ(caramel.name, "caramel");
    EXPECT_EQ(caramel.default_lifetime, hours(48));
    EXPECT_EQ(caramel.max_lifetime, hours(24 * 7));
    EXPECT_TRUE(caramel.usages_critical);
    EXPECT_EQ(caramel.usages, LeafUsages::kServerAndClient);
    EXPECT_TRUE(caramel.whole_subject);
    EXPECT_EQ(caramel.approval, sign ? Approval::kAutomatic : Approval::kManual);
    EXPECT_EQ(caramel.automatic, sign ? "uuid" : "");
  }
}

Profiles Read(std::string_view text) {
  const absl::StatusOr<Profiles> read = Profiles::FromToml(text, Profiles::BuiltIn());
  EXPECT_TRUE(read.ok()) << read.status();
  return read.ok() ? *read : Profiles::BuiltIn();
}

TEST(ProfileFileTest, SaysEverythingThatAProfileCanBe) {
  const Profiles profiles = Read(R"(
default_profile = "web"

[profiles.web]
default_lifetime = "12h"
max_lifetime = "7d"
key_types = ["p256", "rsa3072"]
usages = "server"
usages_critical = true
approval = "automatic"
automatic = "node-*"
max_pending = 50
max_pending_per_address = 3
pending_lifetime = "1d"

[profiles.web.names]
dns = ["*.web.internal", "**.example.org"]
ip = "10.0.0.0/8"
spiffe = ["spiffe://example.org/web/*"]
email = ["*@example.org"]
common_name = "node-*"
)");
  EXPECT_EQ(profiles.standard().name, "web");
  EXPECT_EQ(profiles.all().size(), 5U);
  const Profile& web = profiles.standard();
  EXPECT_EQ(web.default_lifetime, hours(12));
  EXPECT_EQ(web.max_lifetime, hours(24 * 7));
  EXPECT_EQ(web.key_types, (std::vector<KeyType>{KeyType::kP256, KeyType::kRsa3072}));
  EXPECT_EQ(web.usages, LeafUsages::kServer);
  EXPECT_TRUE(web.usages_critical);
  EXPECT_EQ(web.approval, Approval::kAutomatic);
  EXPECT_EQ(web.automatic, "node-*");
  EXPECT_EQ(web.max_pending, 50U);
  EXPECT_EQ(web.max_pending_per_address, 3U);
  EXPECT_EQ(web.pending_lifetime, hours(24));
  EXPECT_FALSE(web.names.any);
  EXPECT_EQ(web.names.dns, (std::vector<std::string>{"*.web.internal", "**.example.org"}));
  EXPECT_EQ(web.names.ip, std::vector<std::string>{"10.0.0.0/8"});
  EXPECT_EQ(web.names.spiffe, std::vector<std::string>{"spiffe://example.org/web/*"});
  EXPECT_EQ(web.names.email, std::vector<std::string>{"*@example.org"});
  EXPECT_EQ(web.names.common_name, "node-*");
  EXPECT_FALSE(web.admin);
}

TEST(ProfileFileTest, AnEmptyFileChangesNothing) {
  EXPECT_EQ(Read("").all().size(), 4U);
  EXPECT_EQ(Read("# nothing\n").standard().name, "default");
}

TEST(ProfileFileTest, ABuiltInProfileKeepsWhatTheFileDoesNotSay) {
  const Profiles profiles = Read(R"(
[profiles.client]
max_lifetime = "40d"
[profiles.admin]
default_lifetime = "1d"
max_lifetime = "2d"
key_types = ["ed25519"]
)");
  const Profile& client = *profiles.Find("client");
  EXPECT_EQ(client.max_lifetime, hours(24 * 40));
  EXPECT_EQ(client.usages, LeafUsages::kClient);
  EXPECT_TRUE(client.names.any);
  const Profile& admin = *profiles.Find("admin");
  EXPECT_TRUE(admin.admin);
  EXPECT_EQ(admin.approval, Approval::kNone);
  EXPECT_EQ(admin.default_lifetime, hours(24));
  EXPECT_EQ(profiles.standard().name, "default");
}

TEST(ProfileFileTest, NamesInAFileReplaceTheBuiltInOnes) {
  const Profiles profiles = Read(R"(
[profiles]
default = { names = { dns = "*.internal" } }
)");
  const AllowedNames& names = profiles.standard().names;
  EXPECT_FALSE(names.any);
  EXPECT_EQ(names.dns, std::vector<std::string>{"*.internal"});
}

TEST(ProfileFileTest, AnAutomaticProfileCanBeMadeManual) {
  const absl::StatusOr<Profiles> profiles = Profiles::FromToml(
      "[profiles.caramel]\napproval = \"manual\"\n", Profiles::CaramelBuiltIn(true));
  ASSERT_TRUE(profiles.ok()) << profiles.status();
  EXPECT_EQ(profiles->standard().approval, Approval::kManual);
  EXPECT_EQ(profiles->standard().automatic, "");
  EXPECT_TRUE(profiles->standard().whole_subject);
}

TEST(ProfileFileTest, EveryExampleOfTheDocumentationIsOne) {
  const absl::StatusOr<std::string> page = ReadFile(TROTH_SOURCE_DIR "/docs/profiles.md");
  ASSERT_TRUE(page.ok()) << page.status();
  constexpr std::string_view kBegin = "```toml\n";
  int examples = 0;
  for (size_t at = page->find(kBegin); at != page->npos; at = page->find(kBegin, at)) {
    at += kBegin.size();
    const std::string example = page->substr(at, page->find("```", at) - at);
    EXPECT_TRUE(Profiles::FromToml(example, Profiles::BuiltIn()).ok()) << example;
    ++examples;
  }
  EXPECT_EQ(examples, 4);
}

// Each names the line, and the word that was meant.
TEST(ProfileFileTest, ErrorsNameLineKeyAndTheNearestRightWord) {
  const std::string names = "names = { any = true }\n";
  const struct {
    std::string text;
    int line;
    std::string_view hint;
  } cases[] = {
      {"[profiles.web", 1, "not TOML"},
      {"\nprofile = 1\n", 2, "did you mean \"profiles\""},
      {"profiles = 1\n", 1, "[profiles.web]"},
      {"[profiles]\nweb = 1\n", 2, "[profiles.NAME]"},
      {"[profiles.\"a b\"]\n" + names, 1, "a b"},
      {"[profiles.web]\n" + names + "max_lifetim = \"1d\"\n", 3, "did you mean \"max_lifetime\""},
      {"[profiles.web]\n" + names + "max_lifetime = \"soon\"\n", 3, "max_lifetime of profile"},
      {"[profiles.web]\n" + names + "max_lifetime = 30\n", 3, "\"30d\""},
      {"[profiles.web]\n" + names + "max_lifetime = \"0s\"\n", 3, "more than 0"},
      {"[profiles.web]\n" + names + "max_lifetime = \"9999d\"\n", 3, "at most"},
      {"[profiles.web]\n" + names + "max_lifetime = \"1d\"\n", 1, "default_lifetime"},
      {"[profiles.web]\n" + names + "usages = \"servr\"\n", 3, "did you mean \"server\""},
      {"[profiles.web]\n" + names + "usages = true\n", 3, "\"client\""},
      {"[profiles.web]\n" + names + "usages_critical = \"yes\"\n", 3, "true or false"},
      {"[profiles.web]\n" + names + "key_types = \"p256\"\n", 3, "a list"},
      {"[profiles.web]\n" + names + "key_types = []\n", 3, "no key"},
      {"[profiles.web]\n" + names + "key_types = [\"p265\"]\n", 3, "did you mean \"p256\""},
      {"[profiles.web]\n" + names + "key_types = [\"p256\",\n\"p256\"]\n", 4, "twice"},
      {"[profiles.web]\n" + names + "approval = \"auto\"\n", 3, "\"automatic\""},
      {"[profiles.web]\n" + names + "approval = \"automatic\"\n", 1, "automatic = \"uuid\""},
      {"[profiles.web]\n" + names + "automatic = \"uuid\"\n", 1, "no effect"},
      {"[profiles.web]\n" + names + "automatic = \"\"\n", 3, "empty"},
      {"[profiles.web]\n" + names + "max_pending = 0\n", 3, "1 to"},
      {"[profiles.web]\n" + names + "max_pending = 99999999999\n", 3, "1 to"},
      {"[profiles.web]\n" + names + "max_pending = 1.5\n", 3, "a number"},
      {"[profiles.web]\n" + names + "max_pending = 5\n", 1, "max_pending_per_address"},
      {"[profiles.web]\n" + names + "admin = true\n", 3, "unknown key \"admin\""},
      {"[profiles.web]\n" + names + "whole_subject = true\n", 3, "unknown key"},
      {"[profiles.web]\nusages = \"server\"\n", 1, "has no names"},
      {"[profiles.web]\nnames = \"*\"\n", 2, "a table"},
      {"[profiles.web]\nnames = {}\n", 2, "allows no name"},
      {"[profiles.web]\nnames = { any = false }\n", 2, "allows no name"},
      {"[profiles.web]\nnames = { any = true, dns = \"a\" }\n", 2, "any = true"},
      {"[profiles.web]\nnames = { dsn = \"a\" }\n", 2, "did you mean \"dns\""},
      {"[profiles.web]\nnames = { dns = [] }\n", 2, "empty list"},
      {"[profiles.web]\nnames = { dns = [1] }\n", 2, "a text"},
      {"[profiles.web]\nnames = { dns = \"a.*\" }\n", 2, "a.*"},
      {"[profiles.web]\nnames = { ip = \"10.0.0.1/8\" }\n", 2, "10.0.0.1/8"},
      {"[profiles.web]\nnames = { spiffe = \"db\" }\n", 2, "SPIFFE"},
      {"[profiles.admin]\napproval = \"manual\"\n", 2, "unknown key \"approval\""},
      {"[profiles.admin]\n" + names, 2, "unknown key \"names\""},
      {"default_profile = \"defualt\"\n", 1, "did you mean \"default\""},
      {"default_profile = \"admin\"\n", 1, "expected \"default\""},
  };
  for (const auto& test : cases) {
    const absl::Status status = Profiles::FromToml(test.text, Profiles::BuiltIn()).status();
    EXPECT_EQ(ReasonOf(status), Reason::kConfigurationInvalid) << test.text;
    EXPECT_EQ(status.message().find("line " + std::to_string(test.line) + ": "), 0U)
        << test.text << status;
    EXPECT_NE(status.message().find(std::string(test.hint)), status.message().npos)
        << test.text << status;
  }
}

TEST(ProfileFileTest, AFileBeyondAllBoundsIsRefused) {
  const auto reason = [](const std::string& text) {
    return ReasonOf(Profiles::FromToml(text, Profiles::BuiltIn()).status());
  };
  EXPECT_EQ(reason(std::string(5 << 20, '#')), Reason::kConfigurationInvalid);
  std::string many = "[profiles]\n";
  for (int i = 0; i < 1000; ++i) {
    many += "p" + std::to_string(i) + " = { names = { any = true } }\n";
  }
  EXPECT_EQ(reason(many), Reason::kConfigurationInvalid);
  std::string patterns = "[profiles.web]\nnames = { dns = [";
  for (int i = 0; i < 1001; ++i) patterns += "\"a\",";
  EXPECT_EQ(reason(patterns + "] }\n"), Reason::kConfigurationInvalid);
}

}  // namespace
}  // namespace troth
