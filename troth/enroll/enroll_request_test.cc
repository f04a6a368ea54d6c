#include "troth/enroll/enroll_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "troth/base/reason.h"

namespace troth {
namespace {

using ::testing::ElementsAreArray;

struct NamedCase {
  std::string client_id, common_name;
  std::vector<std::string> names;
};

// Longer than a common name may be.
constexpr const char* kLongName =
    "a-host-whose-name-is-as-long-as-a-label-of-the-dns-can-be-0.internal.example";

class NamedRequest : public testing::TestWithParam<NamedCase> {};

TEST_P(NamedRequest, NamesTheClientAsWhatItIs) {
  const auto key = PrivateKey::Generate(KeyType::kP256);
  ASSERT_TRUE(key.ok());
  const auto request = MakeNamedRequest(*key, GetParam().client_id, {});
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->subject().common_name().value_or(""), GetParam().common_name);
  std::vector<std::string> names;
  for (const AlternativeName& name : request->alternative_names()) {
    names.push_back(name.ToPlainString());
  }
  EXPECT_THAT(names, ElementsAreArray(GetParam().names));
}

INSTANTIATE_TEST_SUITE_P(
    ClientIds, NamedRequest,
    testing::Values(NamedCase{"db1.internal", "db1.internal", {"db1.internal"}},
                    NamedCase{"10.0.0.7", "10.0.0.7", {"10.0.0.7"}},
                    NamedCase{"serial 4711", "serial 4711", {}},
                    // A URI is no common name, however short.
                    NamedCase{"spiffe://a.example/db", "", {"spiffe://a.example/db"}},
                    NamedCase{kLongName, "", {kLongName}}));

TEST(ClientId, LeavesRoomForAUriOnly) {
  EXPECT_EQ(ReasonOf(CheckClientId(std::string(65, 'a'))), Reason::kUsageError);
  EXPECT_TRUE(CheckClientId("spiffe://a.example/" + std::string(100, 'a')).ok());
}

}  // namespace
}  // namespace troth
