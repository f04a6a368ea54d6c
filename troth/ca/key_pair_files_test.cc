#include "troth/ca/key_pair_files.h"

#include <gtest/gtest.h>

#include "troth/base/file.h"
#include "troth/base/reason.h"
#include "troth/ca/ca_testing.h"
#include "troth/ca/templates.h"
#include "troth/pki/issue.h"

namespace troth {
namespace {

using ca_testing::Content;
using ca_testing::FakeClock;
using ca_testing::ModeOf;
using ca_testing::TestFolder;
struct Pair {
  std::string key_pem;
  std::string certificate_pem;
};

Pair MakePair(const char* name) {
  const FakeClock clock;
  const PrivateKey key = *PrivateKey::Generate(KeyType::kP256);
  const Certificate certificate =
      *IssueSelfSigned(AuthorityTemplate(*DistinguishedName::FromCommonName(name), key.public_key(),
                                         0, clock.now, clock.now + std::chrono::hours(24)),
                       key);
  return {std::string(key.ToPem().Reveal()), certificate.ToPem()};
}

class KeyPairFilesTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(WriteFile(paths_.key, old_.key_pem, {.mode = kKeyFileMode}).ok());
    ASSERT_TRUE(WriteFile(paths_.certificate, old_.certificate_pem, {}).ok());
  }
  void ExpectPair(const Pair& pair) {
    EXPECT_EQ(Content(paths_.key), pair.key_pem);
    EXPECT_EQ(Content(paths_.certificate), pair.certificate_pem);
    EXPECT_EQ(ModeOf(paths_.key), 0600U);
    EXPECT_FALSE(FileExists(paths_.key + ".next"));
    EXPECT_FALSE(FileExists(paths_.certificate + ".next"));
  }

  TestFolder folder_;
  KeyPairPaths paths_{.key = folder_ / "a.key",
                      .certificate = folder_ / "a.pem",
                      .certificate_copies = {folder_ / "copy/a.pem"}};
  Pair old_ = MakePair("old"), new_ = MakePair("new");
};

TEST_F(KeyPairFilesTest, ReplacesBothAndEveryCopy) {
  ASSERT_TRUE(ReplaceKeyPair(paths_, Secret(std::string(new_.key_pem)), new_.certificate_pem).ok());
  ExpectPair(new_);
  EXPECT_EQ(Content(folder_ / "copy/a.pem"), new_.certificate_pem);
  EXPECT_EQ(ModeOf(folder_ / "copy/a.pem"), 0644U);
}

// What ReplaceKeyPair writes, step by step, cut off after each.
TEST_F(KeyPairFilesTest, ACrashAtAnyStepEndsInTheOldPairOrTheNew) {
  struct Case {
    const char* after;
    bool next_certificate, next_key, certificate;
    bool ends_new;
  };
  for (const Case& c : {Case{"nothing", false, false, false, false},
                        Case{"the new certificate beside the old", true, false, false, false},
                        Case{"both beside the old", true, true, false, true},
                        Case{"the certificate in place", true, true, true, true}}) {
    SCOPED_TRACE(c.after);
    const WriteOptions replace{.overwrite = Overwrite::kReplace};
    ASSERT_TRUE(WriteFile(paths_.key, old_.key_pem,
                          {.mode = kKeyFileMode, .overwrite = Overwrite::kReplace})
                    .ok());
    ASSERT_TRUE(WriteFile(paths_.certificate, old_.certificate_pem, replace).ok());
    if (c.next_certificate) {
      ASSERT_TRUE(WriteFile(paths_.certificate + ".next", new_.certificate_pem, replace).ok());
    }
    if (c.next_key) {
      ASSERT_TRUE(WriteFile(paths_.key + ".next", new_.key_pem, {.mode = kKeyFileMode}).ok());
    }
    if (c.certificate) {
      ASSERT_TRUE(WriteFile(paths_.certificate, new_.certificate_pem, replace).ok());
    }

    const absl::StatusOr<bool> finished = FinishReplacing(paths_);
    ASSERT_TRUE(finished.ok()) << finished.status();
    EXPECT_EQ(*finished, c.ends_new);
    ExpectPair(c.ends_new ? new_ : old_);
    EXPECT_EQ(*FinishReplacing(paths_), false) << "nothing is left to do";
  }
}

TEST_F(KeyPairFilesTest, ErrorsOfReadingNameTheFile) {
  ASSERT_TRUE(WriteFile(folder_ / "bad.pem", "nothing", {}).ok());
  const absl::Status key = ReadKeyFile(folder_ / "bad.pem", nullptr).status();
  const absl::Status certificate = ReadCertificateFile(folder_ / "bad.pem").status();
  for (const absl::Status& status : {key, certificate}) {
    EXPECT_FALSE(status.ok());
    EXPECT_TRUE(ReasonOf(status).has_value());
    EXPECT_NE(std::string(status.message()).find("bad.pem"), std::string::npos) << status;
  }
}

}  // namespace
}  // namespace troth
