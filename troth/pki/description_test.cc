#include "troth/pki/description.h"

#include <gtest/gtest.h>

#include "troth/pki/path_testing.h"

namespace troth::testing {
namespace {

TEST(Description, QuotesANameSoThatATerminalShowsIt) {
  EXPECT_EQ(Quoted(NameFrom("/O=Clementine/CN=ca")), "'O=Clementine, CN=ca'");
  EXPECT_EQ(Quoted(NameFrom("")), "'(empty)'");
  EXPECT_EQ(Quoted(NameFrom("\xc3\xa9")), "'CN=\\xc3\\xa9'");
}

TEST(Description, CallsACertificateByTheBestThatItHas) {
  Wanted leaf = Leaf("root");
  EXPECT_EQ(Called(Make(leaf)), "'CN=leaf'");
  leaf.subject = "";
  leaf.key = "leaf";
  leaf.names_critical = true;
  EXPECT_EQ(Called(Make(leaf)), "'leaf.example.com'");
  leaf.names.clear();
  leaf.serial = 31;
  EXPECT_EQ(Called(Make(leaf)), "with serial number 1f");
}

}  // namespace
}  // namespace troth::testing
