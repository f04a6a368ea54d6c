#include "troth/cli/ca_arguments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace troth {
namespace {

using ::testing::ElementsAre;

TEST(CaArgumentsTest, OneDashBeforeALongNameOfCertstrapBecomesTwo) {
  EXPECT_THAT(WithDoubleDashes({"ca", "request-cert", "-ip", "192.168.1.18"}),
              ElementsAre("ca", "request-cert", "--ip", "192.168.1.18"));
  EXPECT_THAT(WithDoubleDashes({"--json", "ca", "-depot-path=x", "init", "-common-name=a b"}),
              ElementsAre("--json", "ca", "--depot-path=x", "init", "--common-name=a b"));
  EXPECT_THAT(WithDoubleDashes({"ca", "sign", "x", "-CA", "ca"}),
              ElementsAre("ca", "sign", "x", "--CA", "ca"));
}

TEST(CaArgumentsTest, EverythingElseStaysAsItIs) {
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"ca", "init", "-o", "Example", "-oExample", "-c", "SE", "--ip",
                                 "-"},
        std::vector<std::string>{"ca", "sign", "--", "-ip"},
        std::vector<std::string>{"verify", "-ip"},
        std::vector<std::string>{"ca", "init", "-unknown"}, std::vector<std::string>{}}) {
    EXPECT_EQ(WithDoubleDashes(arguments), arguments);
  }
}

}  // namespace
}  // namespace troth
