#include "troth/server/metrics/endpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "troth/base/log.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/ca/memory_store_testing.h"
#include "troth/identity/identity_testing.h"
#include "troth/pki/issue_testing.h"
#include "troth/server/metrics/page_text_testing.h"

namespace troth::metrics {
namespace {

using testing::Value;

class MetricsEndpointTest : public ::testing::Test {
 protected:
  MetricsEndpointTest() {
    SetLogSink([](const LogEntry&) {}, LogLevel::kError);  // the tests read answers, not logs
    const AuthorityFolder folder(folder_.path());
    const AuthoritySettings settings{.trust_domain = "example.org",
                                     .dns_names = {"ca.example.org"}};
    const absl::Status made = CreateAuthority(folder, {.settings = settings}, clock_);
    EXPECT_TRUE(made.ok()) << made;
    auto store = std::make_unique<ca_testing::MemoryStore>(clock_);
    store_ = store.get();
    authority_ = Value(Authority::Open({.folder = folder, .settings = settings, .clock = &clock_},
                                       std::move(store)));
    endpoint_ = MakeEndpoint(
        *authority_, [] { return HttpServerStatistics{.requests = 42}; }, clock_);
  }

  ~MetricsEndpointTest() override {
    endpoint_ = nullptr;
    authority_ = nullptr;
    SetLogSink(nullptr);
  }

  std::optional<HttpResponse> TryGet(const std::string& path, const std::string& method = "GET") {
    std::optional<HttpResponse> answer;
    const auto request =
        std::make_shared<HttpRequest>(HttpRequest{.method = method, .target = path, .path = path});
    const bool handled = endpoint_->Handle(
        request, [&answer](HttpResponse response) { answer = std::move(response); });
    EXPECT_EQ(handled, answer.has_value()) << path;
    return answer;
  }
  HttpResponse Get(const std::string& path, const std::string& method = "GET") {
    return TryGet(path, method).value_or(HttpResponse{.status = 0});
  }
  static std::string FieldOf(const HttpResponse& response, std::string_view name) {
    for (const auto& [key, value] : response.fields) {
      if (key == name) return value;
    }
    return "";
  }

  // One of the members of /v1/trust, which are all texts.
  std::string Trust(std::string_view member) {
    const HttpResponse response = Get("/v1/trust");
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(FieldOf(response, "Content-Type"), "application/json");
    const boost::json::value value = boost::json::parse(response.body);
    EXPECT_EQ(value.as_object().size(), 3U);
    const auto& text =
        value.as_object().at(boost::json::string_view(member.data(), member.size())).as_string();
    return {text.data(), text.size()};
  }

  TestFolder folder_;
  FakeClock clock_;
  std::unique_ptr<Authority> authority_;
  ca_testing::MemoryStore* store_ = nullptr;  // the authority's
  std::shared_ptr<Endpoint> endpoint_;
};

TEST_F(MetricsEndpointTest, IsHealthyWhileItCanIssue) {
  const HttpResponse response = Get("/healthz");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, "ok\n");
  EXPECT_EQ(FieldOf(response, "Cache-Control"), "no-store");
}

TEST_F(MetricsEndpointTest, IsNotHealthyWhileTheStoreTakesNoWrites) {
  const auto write = [this] {
    return authority_->AsOperator("test")->CreateToken({.any_name = true}).ok();
  };
  store_->FailWrites(true);
  ASSERT_FALSE(write());
  const HttpResponse failing = Get("/healthz");
  EXPECT_EQ(failing.status, 503);
  EXPECT_THAT(failing.body, ::testing::HasSubstr("\"store_failed\""));
  store_->FailWrites(false);
  ASSERT_TRUE(write());
  EXPECT_EQ(Get("/healthz").status, 200);
}

TEST_F(MetricsEndpointTest, IsNotHealthyOnceTheIssuerHasEnded) {
  clock_.Set(authority_->issuer().validity().not_after + Seconds(1));
  const HttpResponse response = Get("/healthz");
  EXPECT_EQ(response.status, 503);
  EXPECT_THAT(response.body, ::testing::HasSubstr("\"certificate_expired\""));
}

TEST_F(MetricsEndpointTest, ThePageCountsWhatTheAuthorityAndItsServersDid) {
  ASSERT_TRUE(authority_
                  ->IssueOwn(testing::MakeKey().public_key(),
                             {Value(AlternativeName::Parse("localhost"))}, std::chrono::hours(1))
                  .ok());
  authority_->CountRefusal(Reason::kBodyTooLarge);
  const HttpResponse response = Get("/metrics");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(FieldOf(response, "Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
  const metrics_testing::PageText page(response.body);
  EXPECT_THAT(page.errors(), ::testing::IsEmpty());
  EXPECT_EQ(page.Value("troth_refused_total", {{"reason", "body_too_large"}}), 1);
  EXPECT_EQ(page.Value("troth_store_certificates"), 1);
  EXPECT_EQ(page.Value("troth_http_requests_total"), 42);
  EXPECT_EQ(
      page.Value("troth_issuer_expiry_seconds"),
      static_cast<double>(authority_->issuer().validity().not_after.time_since_epoch().count()));
}

TEST_F(MetricsEndpointTest, ListsAreThoseOfTheIssuers) {
  for (const auto& [path, issuer] :
       {std::pair("/crl", authority_->issuer()), std::pair("/crl/1", authority_->issuer()),
        std::pair("/crl/0", authority_->root())}) {
    const HttpResponse response = Get(path);
    EXPECT_EQ(response.status, 200) << path;
    EXPECT_EQ(FieldOf(response, "Content-Type"), "application/pkix-crl") << path;
    const Crl list = Value(Crl::FromDer(response.body));
    EXPECT_TRUE(list.VerifySignature(issuer.public_key()).ok()) << path;
    EXPECT_EQ(FieldOf(response, "Last-Modified"), FormatHttpTime(list.this_update())) << path;
  }
}

TEST_F(MetricsEndpointTest, IssuersAreServedInDer) {
  for (const auto& [path, issuer] :
       {std::pair("/issuer/1", authority_->issuer()), std::pair("/issuer/0", authority_->root())}) {
    const HttpResponse response = Get(path);
    EXPECT_EQ(response.status, 200) << path;
    EXPECT_EQ(FieldOf(response, "Content-Type"), "application/pkix-cert") << path;
    EXPECT_EQ(response.body, issuer.der()) << path;
  }
}

TEST_F(MetricsEndpointTest, TrustIsTheRootEveryIssuerAndTheListOfEach) {
  EXPECT_EQ(Trust("trust_bundle"), authority_->root().ToPem());
  EXPECT_EQ(Trust("issuers"), authority_->issuer().ToPem());
  const auto both = [this] {
    return (*authority_->CurrentCrl(1))->ToPem() + (*authority_->CurrentCrl(0))->ToPem();
  };
  EXPECT_EQ(Trust("crls"), both());

  // A list that changes is in the next answer.
  const Certificate own = Value(authority_->IssueOwn(testing::MakeKey().public_key(),
                                                     {Value(AlternativeName::Parse("localhost"))},
                                                     std::chrono::hours(1)))
                              .certificate;
  const std::string before = both();
  ASSERT_TRUE(authority_->AsOperator("test")->Revoke({.which = own.serial_number().ToHex()}).ok());
  EXPECT_NE(both(), before);
  EXPECT_EQ(Trust("crls"), both());
}

TEST_F(MetricsEndpointTest, AnIssuerThatHasEndedIsNotTrusted) {
  clock_.Set(authority_->issuer().validity().not_after);
  EXPECT_EQ(Trust("issuers"), authority_->issuer().ToPem());
  clock_.Advance(Seconds(1));
  EXPECT_EQ(Trust("issuers"), "");
  EXPECT_EQ(Trust("crls"), (*authority_->CurrentCrl(0))->ToPem());
  EXPECT_EQ(Get("/crl/1").status, 404);
}

TEST_F(MetricsEndpointTest, AnIssuerHasOneAddress) {
  for (const std::string path :
       {"/crl/", "/crl/2", "/crl/01", "/crl/+1", "/crl/-1", "/crl/1x", "/crl/1/", "/crl/4294967297",
        "/issuer/", "/issuer/2", "/issuer/00", "/issuer/x"}) {
    const HttpResponse response = Get(path);
    EXPECT_EQ(response.status, 404) << path;
    EXPECT_THAT(response.body, ::testing::HasSubstr("\"path_unknown\"")) << path;
  }
}

TEST_F(MetricsEndpointTest, PathsOfOthersAreLeftToOthers) {
  for (const std::string path :
       {"/", "/health", "/healthz/", "/metrics/", "/crlx", "/issuer", "/v1/certificates"}) {
    EXPECT_FALSE(TryGet(path).has_value()) << path;
  }
}

TEST_F(MetricsEndpointTest, EverythingIsReadAndNothingElse) {
  for (const std::string path :
       {"/healthz", "/metrics", "/crl", "/crl/0", "/issuer/1", "/v1/trust"}) {
    EXPECT_EQ(Get(path, "HEAD").status, 200) << path;
    for (const std::string method : {"POST", "PUT", "DELETE"}) {
      const HttpResponse response = Get(path, method);
      EXPECT_EQ(response.status, 405) << method << " " << path;
      EXPECT_EQ(FieldOf(response, "Allow"), "GET, HEAD") << method << " " << path;
    }
  }
}

}  // namespace
}  // namespace troth::metrics
