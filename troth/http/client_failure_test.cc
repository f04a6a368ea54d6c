#include <curl/curl.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/http/client_failure_internal.h"

namespace troth {
namespace {

const ClientAttempt kAttempt = {.server = "https://ca.example:8443"};

TEST(ClientFailureTest, SaysTheReasonThatFits) {
  const auto with = [](auto change) {
    ClientAttempt attempt = kAttempt;
    change(attempt);
    return attempt;
  };
  const auto alert = [&](int number) { return with([=](auto& a) { a.alert = number; }); };
  using Stage = ClientAttempt::Stage;
  const CurlFailure in_handshake = {.code = CURLE_SSL_CONNECT_ERROR};
  const CurlFailure in_answer = {.code = CURLE_RECV_ERROR};
  struct Row {
    ClientAttempt attempt;
    CurlFailure failure;
    std::string_view code;
  };
  for (const auto& [attempt, failure, code] : {
           Row{kAttempt, {.code = CURLE_COULDNT_RESOLVE_HOST}, "connection_failed"},
           Row{kAttempt,
               {.code = CURLE_COULDNT_CONNECT, .system_error = ECONNREFUSED},
               "connection_failed"},
           Row{kAttempt, {.code = CURLE_COULDNT_CONNECT}, "connection_failed"},
           Row{kAttempt, {.code = CURLE_OPERATION_TIMEDOUT}, "connection_failed"},
           Row{kAttempt, {.code = CURLE_SSL_CACERT_BADFILE}, "issuer_unknown"},
           Row{kAttempt, {.code = CURLE_URL_MALFORMAT}, "usage_error"},
           Row{kAttempt, {.code = CURLE_WEIRD_SERVER_REPLY}, "response_malformed"},
           Row{kAttempt, {.code = CURLE_OUT_OF_MEMORY}, "internal"},
           Row{with([](auto& a) { a.stage = Stage::kHandshake; }), in_handshake,
               "handshake_failed"},
           Row{kAttempt, in_answer, "connection_failed"},
           Row{kAttempt, {.code = CURLE_GOT_NOTHING}, "connection_failed"},
           Row{with([](auto& a) { a.too_large = true; }), in_answer, "response_too_large"},
           Row{with([](auto& a) { a.answered_in_plain_http = true; }), in_handshake,
               "protocol_mismatch"},
           Row{with([](auto& a) { a.answered_without_tls = true; }), in_handshake,
               "protocol_mismatch"},
           Row{with([](auto& a) { a.verdict = MakeError(Reason::kCertificateExpired, "old"); }),
               in_handshake, "certificate_expired"},
           // TLS 1.3 servers refuse a certificate after the handshake.
           Row{alert(116), in_answer, "client_certificate_missing"},
           Row{alert(48), in_answer, "peer_rejected_certificate"},
           Row{alert(48), in_handshake, "peer_rejected_certificate"},
           Row{alert(45), in_answer, "peer_rejected_certificate"},
           Row{alert(42), in_handshake, "client_certificate_missing"},
           Row{with([](auto& a) {
                 a.alert = 42;
                 a.shows_certificate = true;
               }),
               in_handshake, "peer_rejected_certificate"},
           Row{alert(40), in_handshake, "handshake_failed"},
           Row{alert(70), in_handshake, "protocol_mismatch"},
           Row{alert(112), in_handshake, "name_mismatch"},
           Row{alert(199), in_handshake, "handshake_failed"},
       }) {
    const absl::Status status = ExplainClientFailure(attempt, failure);
    EXPECT_EQ(CodeOf(status), code) << status;
    EXPECT_TRUE(ToStd(status.message()).starts_with("https://ca.example:8443: ")) << status;
  }
}

TEST(ClientFailureTest, SaysHowFarItCame) {
  std::set<std::string> texts;
  for (const auto stage : {ClientAttempt::Stage::kConnecting, ClientAttempt::Stage::kHandshake,
                           ClientAttempt::Stage::kAnswer}) {
    ClientAttempt attempt = kAttempt;
    attempt.stage = stage;
    texts.emplace(
        ToStd(ExplainClientFailure(attempt, {.code = CURLE_OPERATION_TIMEDOUT}).message()));
  }
  EXPECT_EQ(texts.size(), 3U);
}

TEST(ClientFailureTest, WhatOthersSayIsPrintable) {
  const absl::Status status =
      ExplainClientFailure(kAttempt, {.code = CURLE_RECV_ERROR, .text = "evil\x1b[2Jline\n"});
  EXPECT_EQ(ToStd(status.message()).find('\x1b'), std::string_view::npos);
}

}  // namespace
}  // namespace troth
