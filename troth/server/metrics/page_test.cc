#include "troth/server/metrics/page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "troth/base/file.h"
#include "troth/base/reason.h"
#include "troth/server/metrics/page_text_testing.h"

namespace troth::metrics {
namespace {

using metrics_testing::PageText;
using ::testing::IsEmpty;
using ::testing::Not;

AuthorityStatistics Busy() {
  return {.issued = 12'345'678'901,
          .renewed = 23,
          .revoked = 3,
          .refused = {{"token_invalid", 7}, {"name_not_permitted", 2}},
          .pending = 5,
          .issuer_expires = ParseTime("2027-11-21T02:29:09Z"),
          .root_expires = ParseTime("2036-11-21T02:29:09Z"),
          .latency = {.counts = {1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 4}, .sum_seconds = 40.25},
          .store = {.certificates = 10'000'000,
                    .revocations = 4,
                    .pending_requests = 5,
                    .bytes = 7'000'000'000,
                    .groups = 90,
                    .writes = 100,
                    .expiring_day = 11,
                    .expiring_week = 77,
                    .unindexed = 300}};
}

HttpServerStatistics Servers() {
  return {.accepted = 31,
          .refused_connections = 32,
          .handshakes_failed = 33,
          .requests = 34,
          .timed_out = 35,
          .open = 36};
}

TEST(MetricsPageTest, IsWellFormedWhateverTheNumbersAre) {
  for (const auto& page : {MetricsPage({}, {}), MetricsPage(Busy(), Servers())}) {
    EXPECT_THAT(PageText(page).errors(), IsEmpty()) << page;
  }
}

TEST(MetricsPageTest, HasEveryNumber) {
  const PageText page(MetricsPage(Busy(), Servers()));
  const std::vector<std::pair<std::string, double>> kExpected = {
      {"troth_issued_total", 12'345'678'901},
      {"troth_renewed_total", 23},
      {"troth_revoked_total", 3},
      {"troth_requests_pending", 5},
      {"troth_issuer_expiry_seconds", 1826764149},
      {"troth_root_expiry_seconds", 2110847349},
      {"troth_store_certificates", 10'000'000},
      {"troth_store_certificates_expiring_day", 11},
      {"troth_store_certificates_expiring_week", 77},
      {"troth_store_revocations", 4},
      {"troth_store_unindexed", 300},
      {"troth_store_bytes", 7'000'000'000},
      {"troth_store_groups_total", 90},
      {"troth_store_writes_total", 100},
      {"troth_http_connections_total", 31},
      {"troth_http_connections_refused_total", 32},
      {"troth_http_handshakes_failed_total", 33},
      {"troth_http_requests_total", 34},
      {"troth_http_timeouts_total", 35},
      {"troth_http_connections_open", 36},
      {"troth_issue_seconds_sum", 40.25},
      {"troth_issue_seconds_count", 7}};
  for (const auto& [name, value] : kExpected) EXPECT_EQ(page.Value(name), value) << name;
  EXPECT_EQ(page.Value("troth_refused_total", {{"reason", "token_invalid"}}), 7);
  EXPECT_EQ(page.Value("troth_refused_total", {{"reason", "name_not_permitted"}}), 2);
  EXPECT_EQ(page.Value("troth_issue_seconds_bucket", {{"le", "0.0005"}}), 1);
  EXPECT_EQ(page.Value("troth_issue_seconds_bucket", {{"le", "0.001"}}), 3);
  EXPECT_EQ(page.Value("troth_issue_seconds_bucket", {{"le", "2.5"}}), 3);
  EXPECT_EQ(page.Value("troth_issue_seconds_bucket", {{"le", "+Inf"}}), 7);
}

TEST(MetricsPageTest, LabelsAreEscaped) {
  const std::string odd = "a \"quoted\" \\ line\nbreak";
  const PageText page(MetricsPage({.refused = {{odd, 1}, {"\\n", 2}}}, {}));
  EXPECT_THAT(page.errors(), IsEmpty());
  EXPECT_EQ(page.Value("troth_refused_total", {{"reason", odd}}), 1);
  EXPECT_EQ(page.Value("troth_refused_total", {{"reason", "\\n"}}), 2);
}

TEST(MetricsPageTest, AnExpiryThatIsNotKnownIsNoNumber) {
  const auto value = PageText(MetricsPage({}, {})).Value("troth_issuer_expiry_seconds");
  ASSERT_TRUE(value.has_value());
  EXPECT_TRUE(std::isnan(*value));
}

TEST(MetricsPageTest, EveryFamilyIsDocumented) {
  const auto docs = ReadFile(std::string(TROTH_SOURCE_DIR) + "/docs/metrics.md");
  ASSERT_TRUE(docs.ok()) << docs.status();
  const PageText page(MetricsPage({}, {}));
  ASSERT_THAT(page.families(), Not(IsEmpty()));
  for (const auto& [name, family] : page.families()) {
    EXPECT_NE(docs->find("`" + name), std::string::npos) << name << " is not in docs/metrics.md";
  }
}

// The reader of this test sees what is wrong.
TEST(PageTextTest, RefusesWhatPrometheusWould) {
  const std::string kHead = "# HELP a_total Help.\n# TYPE a_total counter\n";
  EXPECT_THAT(PageText(kHead + "a_total{x=\"y\",z=\"\"} 1\na_total 2e3\n").errors(), IsEmpty());
  for (const std::string& page :
       {kHead + "a_total 1", kHead + "a_total\n", kHead + "a_total x\n", kHead + "a_total 1 x\n",
        kHead + "b_total 1\n", kHead + "a_total 1\na_total 1\n", kHead + "a_total{x} 1\n",
        kHead + "a_total{x=\"y} 1\n", kHead + "a_total{x=\"\\y\"} 1\n",
        kHead + "a_total{x=\"y\" z=\"\"} 1\n", kHead + "a_total{x=\"y\",x=\"y\"} 1\n",
        kHead + "1a 1\n", kHead + kHead, std::string("# TYPE a_total counter\na_total 1\n"),
        std::string("a_total 1\n"), std::string("# HELP a Help.\n# TYPE a counter\na 1\n"),
        std::string("# HELP a Help.\n# TYPE a histogram\na_bucket{le=\"1\"} 1\na_sum 1\n"
                    "a_count 1\n"),
        std::string("# HELP a Help.\n# TYPE a histogram\na_bucket{le=\"1\"} 2\n"
                    "a_bucket{le=\"+Inf\"} 1\na_sum 1\na_count 1\n")}) {
    EXPECT_THAT(PageText(page).errors(), Not(IsEmpty())) << page;
  }
}

}  // namespace
}  // namespace troth::metrics
