#include "troth/server/caramel/endpoint.h"

#include <gtest/gtest.h>

#include <cctype>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "troth/base/log.h"
#include "troth/base/reason.h"
#include "troth/server/caramel/caramel_testing.h"

namespace troth::caramel {
namespace {

using caramel_testing::BodyOf;
using caramel_testing::kAuthoritySubject;
using testing::At;
using testing::CaTemplate;
using testing::LeafTemplate;
using testing::MakeKey;
using testing::MakeSigner;
using testing::Value;

// An authority that keeps what was posted, in whatever state a test sets.
class PostedOnly final : public Authority {
 public:
  PostedOnly()
      : signer_([] {
          PrivateKey key = MakeKey();
          CertificateTemplate what = CaTemplate(key.public_key(), kAuthoritySubject);
          return MakeSigner(what, std::move(key));
        }()) {}

  std::map<Sha256Digest, FetchedRequest> requests;
  absl::Status refuse_with = {}, fail_with = {};
  std::map<Reason, int> refused;
  Caller last_caller;
  std::string last_profile = "none";

  IssuedCertificate Issue(std::string_view name) const {
    CertificateTemplate what = LeafTemplate(caramel_testing::SharedKey().public_key());
    what.alternative_names = {{AlternativeName::Kind::kDns, std::string(name)}};
    return {.certificate = Value(troth::Issue(what, signer_))};
  }

  void Submit(std::string_view profile, std::string_view request, const Caller& caller,
              std::function<void(absl::StatusOr<FetchedRequest>)> done) override {
    last_caller = caller;
    last_profile = profile;
    if (!refuse_with.ok()) return done(refuse_with);
    FetchedRequest& kept = requests[Sha256(request)];
    kept.record.id = Sha256(request);
    kept.record.body = request;
    kept.record.state = RequestState::kPending;
    done(kept);
  }
  absl::StatusOr<FetchedRequest> Fetch(const Sha256Digest& id) override {
    if (!fail_with.ok()) return fail_with;
    const auto found = requests.find(id);
    if (found == requests.end()) return MakeError(Reason::kRequestUnknown, "no such request");
    return found->second;
  }
  const Certificate& root() const override { return signer_.certificate(); }
  const Certificate& issuer() const override { return signer_.certificate(); }
  void CountRefusal(Reason reason) override { ++refused[reason]; }

  // What no front end of Caramel asks for.
  void EnrolWithToken(std::string_view, std::string_view, std::optional<Seconds>, const Caller&,
                      IssueDone) override {
    std::abort();
  }
  void Renew(const Certificate&, std::string_view, std::optional<Seconds>, const Caller&,
             IssueDone) override {
    std::abort();
  }
  absl::StatusOr<IssuedCertificate> IssueOwn(const PublicKey&, const std::vector<AlternativeName>&,
                                             Seconds) override {
    std::abort();
  }
  absl::Status CheckIssued(const Certificate&) override { std::abort(); }
  std::unique_ptr<Operations> AsOperator(std::string) override { std::abort(); }
  const AuthoritySettings& settings() const override { std::abort(); }
  const Profiles& profiles() const override { std::abort(); }
  absl::StatusOr<std::shared_ptr<const Crl>> CurrentCrl(std::uint32_t) override { std::abort(); }
  std::vector<std::uint32_t> IssuerNumbers() const override { std::abort(); }
  absl::StatusOr<Certificate> IssuerOf(std::uint32_t) override { std::abort(); }
  std::shared_ptr<void> Subscribe(std::function<void(const AuthorityEvent&)>) override {
    std::abort();
  }
  AuthorityStatistics Statistics() const override { std::abort(); }
  absl::Status Health() const override { std::abort(); }

 private:
  Signer signer_;
};

std::string PathOf(std::string_view body) { return "/" + FormatFingerprint(Sha256(body)); }

std::string Problem400(std::string_view detail) {
  return "{\"status\":400,\"title\":\"Bad Request\",\"detail\":\"" + std::string(detail) + "\"}";
}

std::string FieldOf(const HttpResponse& response, std::string_view name) {
  for (const auto& [key, value] : response.fields) {
    if (key == name) return value;
  }
  return "";
}

class CaramelEndpointTest : public ::testing::Test {
 protected:
  CaramelEndpointTest() {
    SetLogSink([this](const LogEntry& entry) { log_.push_back(entry); });
  }
  ~CaramelEndpointTest() override { SetLogSink({}); }

  HttpResponse Send(HttpRequest request) {
    request.path = request.target.substr(0, request.target.find('?'));
    request.tls = true;
    request.address = "192.0.2.1:4711";
    if (!request.Field("Host")) request.fields.emplace_back("Host", "ca.example.org:8443");
    std::optional<HttpResponse> answer;
    EXPECT_TRUE(endpoint_->Handle(std::make_shared<const HttpRequest>(std::move(request)),
                                  [&](HttpResponse response) { answer = std::move(response); }));
    EXPECT_TRUE(answer.has_value());
    return answer.value_or(HttpResponse{.status = 0});
  }
  HttpResponse Get(const std::string& path, HttpFields fields = {}) {
    return Send({.method = "GET", .target = path, .fields = std::move(fields)});
  }
  HttpResponse Post(const std::string& path, std::string body, HttpFields fields = {}) {
    return Send({.method = "POST",
                 .target = path,
                 .fields = std::move(fields),
                 .body = std::move(body),
                 .has_content_length = true});
  }

  std::string AcceptedText(std::string_view path, std::string_view base) {
    return "{\"sha256\": \"" + std::string(path.substr(1)) + "\", \"url\": \"" + std::string(base) +
           std::string(path) + "\"}";
  }

  std::vector<LogEntry> log_;
  PostedOnly authority_;
  std::shared_ptr<Endpoint> endpoint_ = MakeEndpoint(authority_);
  const std::string body_ = BodyOf("client");
  const std::string path_ = PathOf(body_);
};

TEST_F(CaramelEndpointTest, APostedRequestIsKeptAsItWasSentAndWaits) {
  const HttpResponse posted = Post(path_, body_, {{"User-Agent", "curl/8\x01"}});
  EXPECT_EQ(posted.status, 202);
  EXPECT_EQ(FieldOf(posted, "Content-Type"), "application/json");
  EXPECT_EQ(posted.body, AcceptedText(path_, "https://ca.example.org:8443"));
  ASSERT_EQ(authority_.requests.size(), 1u);
  EXPECT_EQ(authority_.requests.begin()->second.record.body, body_);
  EXPECT_EQ(authority_.last_profile, "");
  EXPECT_EQ(authority_.last_caller.address, "192.0.2.1:4711");
  EXPECT_EQ(authority_.last_caller.client, "curl/8\\x01");

  const HttpResponse waits = Get(path_);
  EXPECT_EQ(waits.status, 202);
  EXPECT_EQ(waits.body, posted.body);
}

TEST_F(CaramelEndpointTest, TheUrlIsWhatTheClientCalledTheServer) {
  Post(path_, body_);
  const std::pair<std::string_view, std::string_view> rows[] = {
      {"ca.example.org", "https://ca.example.org"},
      {"ca.example.org:443", "https://ca.example.org"},
      {"ca.example.org:80", "https://ca.example.org:80"},
      {"[::1]:8443", "https://[::1]:8443"},
      {"a\"b", "https://a\\\"b"},
      {"", ""}};
  for (const auto& [host, base] : rows) {
    EXPECT_EQ(Get(path_, {{"Host", std::string(host)}}).body, AcceptedText(path_, base)) << host;
  }
}

TEST_F(CaramelEndpointTest, ARequestIsTakenOnce) {
  EXPECT_EQ(Post(path_, body_).status, 202);
  const HttpResponse again = Post(path_, body_);
  EXPECT_EQ(again.status, 400);
  EXPECT_EQ(again.body, Problem400("duplicate request"));
  EXPECT_EQ(FieldOf(again, "Content-Type"), "application/problem+json");
  // But for one that nobody decided in time: its client is told to post it again.
  authority_.requests.begin()->second.record.state = RequestState::kExpired;
  EXPECT_EQ(Get(path_).status, 404);
  EXPECT_EQ(Post(path_, body_).status, 202);
  EXPECT_EQ(Get(path_).status, 202);
}

TEST_F(CaramelEndpointTest, RefusesABodyBeforeTheAuthoritySeesIt) {
  struct Row {
    std::string what, path, body;
    int status;
    std::string answer;
    Reason reason;
  };
  const std::string too_large =
      R"({"status":413,"title":"Request Entity Too Large","detail":"Max size: 2.0 kB"})";
  std::vector<Row> rows = {
      {"another hash", "/" + std::string(64, '0'), body_, 400,
       Problem400("hash mismatch (" + path_.substr(1) + ")"), Reason::kRequestMalformed},
      {"a byte too many", PathOf(std::string(2049, 'x')), std::string(2049, 'x'), 413, too_large,
       Reason::kBodyTooLarge},
      {"the size goes before the hash", path_, std::string(5000, 'x'), 413, too_large,
       Reason::kBodyTooLarge},
      {"the largest", PathOf(std::string(2048, 'x')), std::string(2048, 'x'), 400,
       Problem400("crypto error: invalid PEM reqtext"), Reason::kRequestMalformed}};
  const std::string bad_signature = caramel_testing::BodyWithBadSignature();
  rows.push_back({"another's signature", PathOf(bad_signature), bad_signature, 400,
                  Problem400("crypto error: Invalid Request"), Reason::kSignatureInvalid});
  const std::string other = caramel_testing::RequestOf(
                                "/C=SE/ST=Östergötland/L=Lund/O=Modio's "
                                "AB/CN=x")
                                .ToPem();
  rows.push_back(
      {"another place", PathOf(other), other, 400,
       Problem400("Bad subject: (('L', 'Lund'),) do not match (('L', 'Link\\u00f6ping'),)"),
       Reason::kNameMismatch});
  for (const auto& [what, body] : caramel_testing::UnreadableBodies()) {
    rows.push_back({what, PathOf(body), body, 400, Problem400("crypto error: invalid PEM reqtext"),
                    Reason::kRequestMalformed});
  }
  for (const Row& row : rows) {
    authority_.refused.clear();
    const HttpResponse answer = Post(row.path, row.body);
    EXPECT_EQ(answer.status, row.status) << row.what;
    EXPECT_EQ(answer.body, row.answer) << row.what;
    EXPECT_EQ(FieldOf(answer, "Content-Type"), "application/problem+json") << row.what;
    EXPECT_EQ(authority_.refused, (std::map<Reason, int>{{row.reason, 1}})) << row.what;
  }
  EXPECT_TRUE(authority_.requests.empty());
}

TEST_F(CaramelEndpointTest, ABodyMustSayItsLength) {
  const HttpResponse answer = Send({.method = "POST", .target = path_, .body = body_});
  EXPECT_EQ(answer.status, 411);
  EXPECT_EQ(answer.body, R"({"status":411,"title":"Length Required","detail":null})");
  EXPECT_EQ(authority_.refused[Reason::kLengthRequired], 1);
}

TEST_F(CaramelEndpointTest, TheLargestBodyIsASetting) {
  endpoint_ = MakeEndpoint(authority_, {.max_request_bytes = 100});
  EXPECT_EQ(
      Post(path_, body_).body,
      R"({"status":413,"title":"Request Entity Too Large","detail":"Max size: 0.09765625 kB"})");
  endpoint_ = MakeEndpoint(authority_, {.max_request_bytes = 8192});
  const std::string large = BodyOf("large", MakeKey(KeyType::kRsa4096)) + std::string(3000, 'x');
  EXPECT_EQ(Post(PathOf(large), large).body, Problem400("crypto error: invalid PEM reqtext"));
}

TEST_F(CaramelEndpointTest, WhatTheAuthorityRefusesIsSaid) {
  authority_.refuse_with = MakeError(Reason::kTooManyRequests, "20 requests wait");
  HttpResponse answer = Post(path_, body_);
  EXPECT_EQ(answer.status, 429);
  EXPECT_EQ(answer.body,
            R"({"status":429,"title":"Too Many Requests","detail":"20 requests wait"})");
  EXPECT_EQ(FieldOf(answer, "Retry-After"), "60");

  authority_.refuse_with = MakeError(Reason::kNameNotPermitted, "the name is the authority's own");
  answer = Post(path_, body_);
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(answer.body, Problem400("the name is the authority's own"));

  authority_.refuse_with = MakeError(Reason::kCertificateRevoked, "the key was revoked");
  EXPECT_EQ(Post(path_, body_).status, 400);

  // What is broken inside is not for those outside.
  authority_.refuse_with = MakeError(Reason::kStoreFailed, "/var/lib/troth: disk full");
  answer = Post(path_, body_);
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.body, R"({"status":503,"title":"Service Unavailable","detail":null})");
  authority_.fail_with = MakeError(Reason::kStoreFailed, "/var/lib/troth: disk full");
  EXPECT_EQ(Get(path_).status, 503);
}

TEST_F(CaramelEndpointTest, EachStateHasItsAnswer) {
  EXPECT_EQ(Get(path_).status, 404);
  EXPECT_EQ(Get(path_).body, R"({"status":404,"title":"Not Found","detail":null})");
  Post(path_, body_);
  FetchedRequest& kept = authority_.requests.begin()->second;

  kept.record.state = RequestState::kRejected;
  EXPECT_EQ(Get(path_).status, 403);
  EXPECT_EQ(Get(path_).body, R"({"status":403,"title":"Forbidden","detail":null})");

  // Approved, but its certificate has expired: a refresh will bring another.
  kept.record.state = RequestState::kApproved;
  EXPECT_EQ(Get(path_).status, 202);

  kept.issued = authority_.Issue("client");
  kept.issued_at = At("2026-11-21T02:29:09Z");
  const HttpResponse signed_one = Get(path_);
  EXPECT_EQ(signed_one.status, 200);
  EXPECT_EQ(signed_one.body, kept.issued->certificate.ToPem());
  EXPECT_EQ(FieldOf(signed_one, "Content-Type"), "application/octet-stream");
  EXPECT_EQ(FieldOf(signed_one, "Last-Modified"), "Sat, 21 Nov 2026 02:29:09 GMT");

  kept.issued.reset();
  kept.revoked = true;
  EXPECT_EQ(Get(path_).status, 403);
}

TEST_F(CaramelEndpointTest, ACertificateThatTheClientHasIsNotSentAgain) {
  Post(path_, body_);
  FetchedRequest& kept = authority_.requests.begin()->second;
  const auto status = [&](std::string since) {
    const HttpResponse answer = Get(path_, {{"If-Modified-Since", std::move(since)}});
    EXPECT_EQ(answer.body.empty(), answer.status == 304);
    return answer.status;
  };
  // Nothing to compare with: it waits.
  EXPECT_EQ(status("Sat, 21 Nov 2026 02:29:09 GMT"), 202);
  kept.record.state = RequestState::kApproved;
  kept.issued = authority_.Issue("client");
  kept.issued_at = At("2026-11-21T02:29:09Z");
  EXPECT_EQ(status("Sat, 21 Nov 2026 02:29:09 GMT"), 304);
  EXPECT_EQ(status("Sat, 21 Nov 2026 02:29:10 GMT"), 304);
  EXPECT_EQ(status("Sat, 21 Nov 2026 02:29:08 GMT"), 200);
  EXPECT_EQ(status("yesterday"), 200);
  kept.record.state = RequestState::kRejected;
  EXPECT_EQ(status("Sat, 21 Nov 2026 02:29:09 GMT"), 403);
}

TEST_F(CaramelEndpointTest, TheAuthoritysCertificateMayBeKeptForAnHour) {
  for (const char* path : {"/root.crt", "/bundle.crt", "/root.crt?now"}) {
    const HttpResponse answer = Get(path);
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body, authority_.root().ToPem());
    EXPECT_EQ(FieldOf(answer, "Content-Type"), "text/plain; charset=UTF-8");
    EXPECT_EQ(FieldOf(answer, "Cache-Control"), "max-age=3600");
  }
}

TEST_F(CaramelEndpointTest, WhatIsNotThereIsNamed) {
  Post(path_, body_);
  std::string upper = path_;
  for (char& c : upper) c = static_cast<char>(std::toupper(c));
  struct Row {
    std::string method, target, detail;
  };
  for (const Row& row : std::vector<Row>{{"GET", "/", "/"},
                                         {"GET", upper, upper},
                                         {"GET", path_ + "/", path_ + "/"},
                                         {"GET", path_ + "0", path_ + "0"},
                                         {"GET", path_.substr(0, 64), path_.substr(0, 64)},
                                         {"PUT", path_, path_},
                                         {"DELETE", path_, path_},
                                         {"POST", "/root.crt", "/root.crt"},
                                         {"POST", "/nothash", "/nothash"},
                                         {"GET", "/a%20b%c3%b6?x", "/a b\\u00f6"},
                                         {"GET", "/%zz", "/%zz"},
                                         {"GET", "/%ff", "/\\ufffd"}}) {
    const HttpResponse answer =
        Send({.method = row.method, .target = row.target, .has_content_length = true});
    EXPECT_EQ(answer.status, 404) << row.target;
    EXPECT_EQ(answer.body,
              "{\"status\":404,\"title\":\"Not Found\",\"detail\":\"" + row.detail + "\"}");
  }
  EXPECT_EQ(Send({.method = "HEAD", .target = path_}).status, 202);
  EXPECT_EQ(Get(path_ + "?a=b").status, 202);
}

TEST_F(CaramelEndpointTest, EveryFetchIsLoggedWithTheAddress) {
  Post(path_, body_);
  log_.clear();
  Get(path_, {{"User-Agent", "client-7"}});
  ASSERT_EQ(log_.size(), 1u);
  const std::string line = FormatLogEntry(log_[0]);
  for (const std::string& part : {path_.substr(1), std::string("status=202"),
                                  std::string("192.0.2.1:4711"), std::string("client-7")}) {
    EXPECT_NE(line.find(part), std::string::npos) << line;
  }
  // Unknown ones are in the server's own log.
  Get("/" + std::string(64, '0'));
  EXPECT_EQ(log_.size(), 1u);
}

}  // namespace
}  // namespace troth::caramel
