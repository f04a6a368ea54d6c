#include "troth/server/native/call_answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "troth/base/reason.h"
#include "troth/base/strings.h"

namespace troth::native {
namespace {

using ::testing::HasSubstr;

TEST(CallAnswer, EveryReasonComesBackWithItsMessage) {
  for (const ReasonInfo& info : AllReasons()) {
    const absl::Status sent = MakeError(info.reason, "what happened, and what to do");
    const grpc::Status travels = ToAnswer(sent);
    EXPECT_EQ(static_cast<int>(travels.error_code()), static_cast<int>(info.status));
    const absl::Status back = FromAnswer(travels);
    EXPECT_EQ(back, sent) << info.code;
    EXPECT_EQ(ReasonOf(back), info.reason);
  }
  EXPECT_TRUE(ToAnswer(absl::OkStatus()).ok());
  EXPECT_TRUE(FromAnswer(grpc::Status::OK).ok());
}

TEST(CallAnswer, ALongMessageIsCutAndKeepsItsReason) {
  const absl::Status back =
      FromAnswer(ToAnswer(MakeError(Reason::kRequestAmbiguous, std::string(100'000, 'x'))));
  EXPECT_EQ(ReasonOf(back), Reason::kRequestAmbiguous);
  EXPECT_LT(back.message().size(), 6000U);
  EXPECT_THAT(std::string(ToStd(back.message())), HasSubstr("xxx..."));
}

TEST(CallAnswer, WhatSaysNoReasonIsGivenOne) {
  const std::pair<grpc::StatusCode, Reason> kRows[] = {
      {grpc::StatusCode::UNAVAILABLE, Reason::kConnectionFailed},
      {grpc::StatusCode::DEADLINE_EXCEEDED, Reason::kConnectionFailed},
      {grpc::StatusCode::UNIMPLEMENTED, Reason::kProtocolMismatch},
      {grpc::StatusCode::RESOURCE_EXHAUSTED, Reason::kTooManyCalls},
      {grpc::StatusCode::UNKNOWN, Reason::kInternal},
      {grpc::StatusCode::CANCELLED, Reason::kInternal}};
  for (const auto& [code, reason] : kRows) {
    EXPECT_EQ(ReasonOf(FromAnswer(grpc::Status(code, "words of gRPC"))), reason) << code;
  }
}

}  // namespace
}  // namespace troth::native
