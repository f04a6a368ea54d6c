#include "troth/pki/ip_network.h"

#include <gtest/gtest.h>

#include <string>

#include "troth/base/reason.h"
#include "troth/pki/name.h"

namespace troth {
namespace {

TEST(IpNetworkTest, HoldsItsAddressesAndNoOthers) {
  const struct {
    const char* network;
    const char* address;
    bool holds;
  } kCases[] = {{"10.0.0.0/8", "10.255.255.255", true},
                {"10.0.0.0/8", "11.0.0.0", false},
                {"10.0.0.0/9", "10.127.255.255", true},
                {"10.0.0.0/9", "10.128.0.0", false},
                {"192.0.2.4/31", "192.0.2.5", true},
                {"192.0.2.4/31", "192.0.2.6", false},
                {"192.0.2.4", "192.0.2.4", true},
                {"192.0.2.4", "192.0.2.5", false},
                {"0.0.0.0/0", "203.0.113.9", true},
                {"0.0.0.0/0", "::1", false},
                {"::/0", "2001:db8::1", true},
                {"::/0", "10.0.0.1", false},
                {"2001:db8::/33", "2001:db8:7fff::1", true},
                {"2001:db8::/33", "2001:db8:8000::1", false},
                {"::1", "::1", true},
                {"::1", "::2", false}};
  for (const auto& test : kCases) {
    const absl::StatusOr<IpNetwork> network = IpNetwork::Parse(test.network);
    ASSERT_TRUE(network.ok()) << network.status();
    EXPECT_EQ(network->Holds(*ParseIpAddress(test.address)), test.holds)
        << test.network << " " << test.address;
  }
  EXPECT_FALSE(IpNetwork::Parse("0.0.0.0/0")->Holds("abc"));
}

TEST(IpNetworkTest, NothingElseIsRead) {
  for (const char* text :
       {"", "10.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8 ", "10.0.0.0/8/8",
        "10.0.0.1/8", "10.0.0.0/08x", "::1/127", "::/129", "*", "10.0.0.*", "example.org"}) {
    EXPECT_EQ(ReasonOf(IpNetwork::Parse(text).status()), Reason::kRequestMalformed) << text;
  }
}

}  // namespace
}  // namespace troth
