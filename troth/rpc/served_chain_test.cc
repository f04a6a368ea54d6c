#include "troth/rpc/served_chain.h"

#include <gtest/gtest.h>

#include "troth/rpc/rpc_testing.h"

namespace troth {
namespace {

using testing::KeyPair;
using testing::Must;
using testing::TestAuthority;

class ServedChain : public ::testing::Test {
 protected:
  static std::vector<Certificate> Of(const KeyPair& pair, const std::string& bundle,
                                     Seconds later = Seconds(0)) {
    return Must(Certificate::ListFromPem(
        ServedChainPem(*testing::IdentityOf(pair, bundle), Clock::System().Now() + later)));
  }
  const TestAuthority root_{"root"};
  const TestAuthority issuer_{"issuer", root_};
  const TestAuthority other_{"other"};
  const Certificate& root_certificate_ = root_.signer().certificate();
  const Certificate& issuer_certificate_ = issuer_.signer().certificate();
  const KeyPair leaf_ = root_.Issue({.common_name = "leaf", .names = {"leaf"}});
  const KeyPair deep_ = issuer_.Issue({.common_name = "deep", .names = {"deep"}});
};

using Chain = std::vector<Certificate>;

TEST_F(ServedChain, OfALeafAloneEndsWithTheCaThatIssuedIt) {
  EXPECT_EQ(Of(leaf_, root_.Pem()), (Chain{leaf_.certificate, root_certificate_}));
  EXPECT_EQ(Of(leaf_, other_.Pem() + root_.Pem()), (Chain{leaf_.certificate, root_certificate_}));
}

TEST_F(ServedChain, WithAnIntermediateIsAsTheIdentityHasIt) {
  EXPECT_EQ(Of(deep_, root_.Pem()), (Chain{deep_.certificate, issuer_certificate_}));
}

TEST_F(ServedChain, OfALeafWhoseIntermediateIsTrustedEndsWithThat) {
  KeyPair alone = deep_;
  alone.chain_pem = deep_.certificate.ToPem();
  EXPECT_EQ(Of(alone, issuer_.Pem()), (Chain{deep_.certificate, issuer_certificate_}));
}

TEST_F(ServedChain, OfALeafThatNobodyHereIssuedIsTheLeaf) {
  // Of the same name, but not the issuer.
  const TestAuthority twin("root");
  const KeyPair self = testing::SelfSigned({.common_name = "self", .names = {"self"}});
  EXPECT_EQ(Of(leaf_, ""), (Chain{leaf_.certificate}));
  EXPECT_EQ(Of(leaf_, other_.Pem()), (Chain{leaf_.certificate}));
  EXPECT_EQ(Of(leaf_, twin.Pem()), (Chain{leaf_.certificate}));
  EXPECT_EQ(Of(self, root_.Pem()), (Chain{self.certificate}));
}

TEST_F(ServedChain, IsTheLeafWhenTheCaNoLongerHolds) {
  EXPECT_EQ(Of(leaf_, root_.Pem(), testing::hours(24 * 400)), (Chain{leaf_.certificate}));
}

}  // namespace
}  // namespace troth
