#include "troth/store/caramel_database.h"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <filesystem>
#include <string>
#include <vector>

#include "troth/base/file.h"
#include "troth/base/reason.h"
#include "troth/ca/ca_testing.h"
#include "troth/pki/digest.h"

namespace troth {
namespace {

// As the package's own caramel_initialize_db makes it. tests/interop reads databases that the
// original server wrote.
constexpr const char* kSchema = R"(
CREATE TABLE csr (id INTEGER NOT NULL, sha256sum CHAR(64) NOT NULL, pem BLOB NOT NULL,
  orgunit VARCHAR(64), commonname VARCHAR(64), rejected BOOLEAN, PRIMARY KEY (id),
  UNIQUE (sha256sum), CHECK (rejected IN (0, 1)));
CREATE TABLE accesslog (id INTEGER NOT NULL, "when" DATETIME, addr TEXT, csr_id INTEGER NOT NULL,
  PRIMARY KEY (id), FOREIGN KEY(csr_id) REFERENCES csr (id));
CREATE TABLE certificate (id INTEGER NOT NULL, pem BLOB NOT NULL, not_before DATETIME NOT NULL,
  not_after DATETIME NOT NULL, csr_id INTEGER NOT NULL, PRIMARY KEY (id),
  FOREIGN KEY(csr_id) REFERENCES csr (id));)";

class CaramelDatabaseTest : public ::testing::Test {
 protected:
  void Run(const std::string& sql) {
    sqlite3* handle = nullptr;
    ASSERT_EQ(sqlite3_open(path_.c_str(), &handle), SQLITE_OK);
    char* error = nullptr;
    EXPECT_EQ(sqlite3_exec(handle, sql.c_str(), nullptr, nullptr, &error), SQLITE_OK)
        << (error != nullptr ? error : "");
    sqlite3_free(error);
    sqlite3_close(handle);
  }
  static std::string Csr(int id, const std::string& body, const std::string& name,
                         const std::string& rejected) {
    return "INSERT INTO csr VALUES (" + std::to_string(id) + ", '" +
           FormatFingerprint(Sha256(body)) + "', CAST('" + body + "' AS BLOB), 'Caramel', " + name +
           ", " + rejected + ");";
  }
  static std::string Certificate(int id, int csr, const std::string& pem) {
    return "INSERT INTO certificate VALUES (" + std::to_string(id) + ", CAST('" + pem +
           "' AS BLOB), '2026-11-21 06:48:05.000000', '2026-11-23 06:48:05.000000', " +
           std::to_string(csr) + ");";
  }
  absl::Status Read() {
    requests_.clear();
    damaged_.clear();
    return ReadCaramelDatabase(
        path_,
        [&](const ForeignRequest& request) {
          requests_.push_back(request);
          return visit_answers_;
        },
        [&](const std::string& name) { damaged_.push_back(name); });
  }

  ca_testing::TestFolder folder_;
  const std::string path_ = folder_ / "caramel.sqlite";
  absl::Status visit_answers_ = absl::OkStatus();
  std::vector<ForeignRequest> requests_;
  std::vector<std::string> damaged_;
};

TEST_F(CaramelDatabaseTest, RequestsComeInOrderWithTheirCertificatesAndFirstFetch) {
  Run(kSchema);
  Run(Csr(1, "waits", "'waits'", "0") + Csr(2, "signed", "'signed'", "0") +
      Csr(5, "rejected", "'rejected'", "1") + Csr(7, "odd", "NULL", "NULL"));
  // In another order than the requests', and of one that is there no more.
  Run(Certificate(1, 5, "c1") + Certificate(2, 2, "c2") + Certificate(3, 6, "gone") +
      Certificate(4, 2, "c4"));
  Run("INSERT INTO accesslog VALUES (1, '2026-11-21 06:45:22.000001', '192.0.2.2', 2),"
      "(2, '2026-11-21 06:45:21.016826', '192.0.2.1', 2), (3, NULL, NULL, 5),"
      "(4, '2026-11-21 06:45:21.016826', '192.0.2.3', 6), (5, 'soon', '192.0.2.4', 7);");
  ASSERT_TRUE(Read().ok()) << Read();
  ASSERT_EQ(requests_.size(), 4u);
  EXPECT_EQ(requests_[0].body, "waits");
  EXPECT_TRUE(requests_[0].certificates.empty());
  EXPECT_FALSE(requests_[0].rejected);
  EXPECT_FALSE(requests_[0].seen_at.has_value());
  EXPECT_EQ(requests_[1].certificates, (std::vector<std::string>{"c2", "c4"}));
  EXPECT_EQ(requests_[1].seen_at, ParseTime("2026-11-21T06:45:21Z"));
  EXPECT_EQ(requests_[1].address, "192.0.2.1");
  EXPECT_TRUE(requests_[2].rejected);
  EXPECT_EQ(requests_[2].certificates, std::vector<std::string>{"c1"});
  EXPECT_FALSE(requests_[2].seen_at.has_value());
  EXPECT_FALSE(requests_[3].rejected);
  EXPECT_FALSE(requests_[3].seen_at.has_value());
  EXPECT_NE(requests_[1].name.find("signed"), std::string::npos);
  EXPECT_TRUE(damaged_.empty());
}

TEST_F(CaramelDatabaseTest, NothingIsChanged) {
  Run(kSchema);
  Run(Csr(1, "waits", "'waits'", "0"));
  const std::string before = ca_testing::Content(path_);
  ASSERT_EQ(chmod(path_.c_str(), 0400), 0);
  ASSERT_TRUE(Read().ok()) << Read();
  EXPECT_EQ(ca_testing::Content(path_), before);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_.path()), {}), 1);
}

TEST_F(CaramelDatabaseTest, ADamagedRequestIsNamed) {
  Run(kSchema);
  Run(Csr(1, "one", "'one'", "0") + Csr(2, "two", "'two'", "0") +
      "UPDATE csr SET pem = CAST('other' AS BLOB) WHERE id = 1;");
  ASSERT_TRUE(Read().ok());
  EXPECT_EQ(damaged_, std::vector<std::string>{"request 1 (one)"});
  ASSERT_EQ(requests_.size(), 1u);
  EXPECT_EQ(requests_[0].body, "two");
}

TEST_F(CaramelDatabaseTest, TheVisitorCanEndIt) {
  Run(kSchema);
  Run(Csr(1, "one", "'one'", "0") + Csr(2, "two", "'two'", "0"));
  visit_answers_ = MakeError(Reason::kStoreFailed, "full");
  EXPECT_EQ(ReasonOf(Read()), Reason::kStoreFailed);
  EXPECT_EQ(requests_.size(), 1u);
}

TEST_F(CaramelDatabaseTest, OtherFilesAreRefused) {
  EXPECT_EQ(ReasonOf(Read()), Reason::kFileNotFound);
  ASSERT_TRUE(WriteFile(path_, "not a database", {}).ok());
  EXPECT_EQ(ReasonOf(Read()), Reason::kFileWrongFormat);
  ASSERT_TRUE(WriteFile(path_, "", {.overwrite = Overwrite::kReplace}).ok());
  EXPECT_EQ(ReasonOf(Read()), Reason::kFileWrongFormat);
  std::filesystem::remove(path_);
  Run("CREATE TABLE other (id INTEGER)");
  EXPECT_EQ(ReasonOf(Read()), Reason::kFileWrongFormat);
  Run("CREATE TABLE csr (id, sha256sum, pem, commonname, rejected);"
      "CREATE TABLE accesslog (csr_id, \"when\", addr);");
  EXPECT_EQ(ReasonOf(Read()), Reason::kFileWrongFormat);
}

}  // namespace
}  // namespace troth
