#include "troth/rpc/call_status.h"

#include <gtest/gtest.h>

#include "troth/base/reason.h"
#include "troth/base/strings.h"

namespace troth {
namespace {

using grpc::StatusCode;

TEST(StatusOfCall, OkStaysOk) { EXPECT_TRUE(StatusOfCall(grpc::Status::OK).ok()); }

TEST(StatusOfCall, ReadsTheReasonOfAGuard) {
  const absl::Status status =
      StatusOfCall({StatusCode::PERMISSION_DENIED,
                    "Invalid client certificate: a may not call /b.C/D [troth:role_not_allowed]"});
  EXPECT_EQ(CodeOf(status), "role_not_allowed");
  EXPECT_EQ(ToStd(status.message()), "Invalid client certificate: a may not call /b.C/D");
}

TEST(StatusOfCall, ReadsTheReasonOfAChannelOutOfGrpcsWords) {
  const absl::Status status = StatusOfCall(
      {StatusCode::UNAVAILABLE,
       "failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:33575: Custom "
       "verification check failed with error: UNAUTHENTICATED: the server's certificate is for "
       "DNS:localhost, expected DNS:db [troth:name_mismatch]"});
  EXPECT_EQ(CodeOf(status), "name_mismatch");
  EXPECT_EQ(ToStd(status.message()),
            "the server's certificate is for DNS:localhost, expected DNS:db");
}

TEST(StatusOfCall, ReadsWhatAConnectionFailedOf) {
  const absl::Status status =
      StatusOfCall({StatusCode::UNAVAILABLE,
                    "failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:1: "
                    "Failed to connect to remote host: Connection refused"});
  EXPECT_EQ(CodeOf(status), "connection_failed");
}

TEST(StatusOfCall, InventsNoReason) {
  const struct {
    StatusCode code;
    const char* message;
  } rows[] = {
      {StatusCode::NOT_FOUND, "no such row"},
      {StatusCode::INTERNAL, "Socket closed"},
      {StatusCode::PERMISSION_DENIED, "not you [troth:no_such_reason]"},
      {StatusCode::PERMISSION_DENIED, "not you [troth:"},
      {StatusCode::UNAVAILABLE, "try later"},
  };
  for (const auto& row : rows) {
    const absl::Status status = StatusOfCall({row.code, row.message});
    EXPECT_FALSE(ReasonOf(status).has_value()) << row.message;
    EXPECT_EQ(static_cast<int>(status.code()), static_cast<int>(row.code));
    EXPECT_EQ(ToStd(status.message()), row.message);
  }
}

}  // namespace
}  // namespace troth
