#include "troth/enroll/enroll_files.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "troth/identity/identity_testing.h"

namespace troth {
namespace {

TEST(EnrollFiles, AreNamedAsCaramelsClientsNameThem) {
  const EnrollPaths paths = PathsInFolder("/tls", "ca.example.com", "pump-7");
  EXPECT_EQ(paths.private_key, "/tls/pump-7.key");
  EXPECT_EQ(paths.request, "/tls/pump-7.csr");
  EXPECT_EQ(paths.certificate, "/tls/pump-7.crt");
  EXPECT_EQ(paths.trust_bundle, "/tls/ca.example.com.cacert");
  EXPECT_FALSE(paths.one_file());
}

TEST(EnrollFiles, OneFileHoldsKeyAndCertificate) {
  const EnrollPaths paths = PathsOfOneFile("/tls/device.pem", "ca");
  EXPECT_TRUE(paths.one_file());
  EXPECT_EQ(paths.private_key, "/tls/device.pem");
  EXPECT_EQ(paths.request, "/tls/device.pem.csr");
  EXPECT_EQ(paths.trust_bundle, "/tls/ca.cacert");
  EXPECT_EQ(PathsOfOneFile("device.pem", "ca").trust_bundle, "./ca.cacert");
}

TEST(EnrollFiles, AClientIdNeverLeadsOutOfTheFolder) {
  EXPECT_EQ(PathsInFolder("/tls", "ca", "spiffe://a/b").private_key, "/tls/spiffe:__a_b.key");
  EXPECT_EQ(PathsInFolder("/tls", "ca", "../../etc/x").private_key, "/tls/_._.._etc_x.key");
  EXPECT_EQ(PathsInFolder("/tls", "ca", "..").private_key, "/tls/_..key");
}

TEST(EnrollFiles, TheCaIsFoundWhereAnyOfTheThreeClientsKeepsIt) {
  for (const std::string name :
       {"ca:8443.cacert", "ca.cacert", "certs/ca:8443.cacert", "certs/ca.cacert"}) {
    const TestFolder folder;
    std::filesystem::create_directory(folder / "certs");
    RewriteFile(folder / name, "x");
    EXPECT_EQ(PathsInFolder(folder.path(), "ca:8443", "c").trust_bundle, folder / name);
  }
  const TestFolder empty;
  EXPECT_EQ(PathsInFolder(empty.path(), "ca:8443", "c").trust_bundle, empty / "ca:8443.cacert");
  EXPECT_EQ(PathsInFolder(empty.path(), "[::1]:8443", "c").trust_bundle,
            empty / "[::1]:8443.cacert");
}

}  // namespace
}  // namespace troth
