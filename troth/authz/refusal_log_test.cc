#include "troth/authz/refusal_log.h"

#include <gtest/gtest.h>

#include "troth/authz/authz_testing.h"

namespace troth {
namespace {

RefusedCall Call(Reason reason = Reason::kRoleNotAllowed, bool shadow = false) {
  return {.peer = "client", .method = "/a.B/C", .reason = reason, .shadow = shadow};
}

std::string FieldOf(const LogEntry& entry, std::string_view key) {
  for (const auto& [name, value] : entry.fields) {
    if (name == key) return value;
  }
  return "(none)";
}

TEST(RefusalLog, WritesTheSameRefusalOnceASecondAndCountsTheRest) {
  LogCapture capture;
  RefusalLog log;
  for (int i = 0; i < 10; ++i) log.Write("peer", Call(), TestTime());
  ASSERT_EQ(capture.entries().size(), 1U);
  EXPECT_EQ(FieldOf(capture.entries()[0], "left_out"), "0");
  EXPECT_EQ(FieldOf(capture.entries()[0], "reason"), "role_not_allowed");
  log.Write("peer", Call(), TestTime() + Seconds(1));
  ASSERT_EQ(capture.entries().size(), 2U);
  EXPECT_EQ(FieldOf(capture.entries()[1], "left_out"), "9");
}

TEST(RefusalLog, TellsPeersReasonsAndShadowApart) {
  LogCapture capture;
  RefusalLog log;
  log.Write("peer", Call(), TestTime());
  log.Write("other", Call(), TestTime());
  log.Write("peer", Call(Reason::kRuleDenied), TestTime());
  log.Write("peer", Call(Reason::kRoleNotAllowed, true), TestTime());
  EXPECT_EQ(capture.entries().size(), 4U);
}

TEST(RefusalLog, CannotBeFloodedByManyPeers) {
  LogCapture capture;
  RefusalLog log;
  for (int i = 0; i < 10'000; ++i) log.Write(std::to_string(i), Call(), TestTime());
  EXPECT_EQ(capture.entries().size(), static_cast<size_t>(RefusalLog::kLinesPerSecond));
  std::uint64_t left_out = 0;
  for (int i = 0; i < 200; ++i) {
    log.Write("later" + std::to_string(i), Call(), TestTime() + Seconds(1));
  }
  for (size_t i = RefusalLog::kLinesPerSecond; i < capture.entries().size(); ++i) {
    left_out += std::stoull(FieldOf(capture.entries()[i], "left_out"));
  }
  EXPECT_EQ(left_out, 10'000U - RefusalLog::kLinesPerSecond) << "none is forgotten";
}

}  // namespace
}  // namespace troth
