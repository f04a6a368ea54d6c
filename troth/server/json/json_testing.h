// For tests of this folder: the front end before an authority in memory, and those who call it.
#pragma once

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "troth/base/log.h"
#include "troth/base/reason.h"
#include "troth/ca/authority.h"
#include "troth/ca/memory_store_testing.h"
#include "troth/identity/identity_testing.h"
#include "troth/pki/certificate_request.h"
#include "troth/pki/issue_testing.h"
#include "troth/server/json/endpoint.h"

namespace troth::json_testing {

using boost::json::object;
using testing::MakeKey;
using testing::Value;

inline std::string Text(const boost::json::value& value) { return std::string(value.as_string()); }

// A PEM request for a common name (where it is one) and the same alternative name.
inline std::string RequestFor(const std::string& name, const PrivateKey& key = MakeKey()) {
  const AlternativeName alternative = Value(AlternativeName::Parse(name));
  const bool named = alternative.kind != AlternativeName::Kind::kUri;
  const DistinguishedName subject =
      named ? Value(DistinguishedName::FromCommonName(name)) : DistinguishedName();
  return Value(CertificateRequest::Create(key, subject, {alternative})).ToPem();
}

inline std::string Quoted(std::string_view text) {
  return boost::json::serialize(boost::json::string_view(text.data(), text.size()));
}

struct Sent {
  std::string method = "GET", path = {}, body = {};
  HttpFields fields = {};
  std::shared_ptr<const Peer> peer = {};
};

class EndpointTest : public ::testing::Test {
 protected:
  EndpointTest() {
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
    endpoint_ = json::MakeEndpoint(*authority_);
  }

  ~EndpointTest() override {
    endpoint_ = nullptr;
    authority_ = nullptr;
    SetLogSink(nullptr);
  }

  // The answer, or nothing when the path is none of the endpoint's.
  std::optional<HttpResponse> TrySend(Sent sent) {
    auto request = std::make_shared<HttpRequest>(HttpRequest{.method = sent.method,
                                                             .target = sent.path,
                                                             .fields = std::move(sent.fields),
                                                             .body = std::move(sent.body),
                                                             .address = "192.0.2.7:4711",
                                                             .tls = true,
                                                             .peer = std::move(sent.peer)});
    const size_t mark = sent.path.find('?');
    request->path = sent.path.substr(0, mark);
    if (mark != std::string::npos) request->query = sent.path.substr(mark + 1);
    if (!request->body.empty() && !request->Field("Content-Type").has_value()) {
      request->fields.emplace_back("Content-Type", "application/json");
    }
    auto answered = std::make_shared<std::promise<HttpResponse>>();
    std::future<HttpResponse> answer = answered->get_future();
    if (!endpoint_->Handle(request, [answered](HttpResponse response) {
          answered->set_value(std::move(response));
        })) {
      return std::nullopt;
    }
    if (answer.wait_for(std::chrono::seconds(20)) != std::future_status::ready) {
      ADD_FAILURE() << "no answer to " << sent.method << " " << sent.path;
      return std::nullopt;
    }
    return answer.get();
  }
  HttpResponse Send(Sent sent) {
    const std::string path = sent.method + " " + sent.path;
    std::optional<HttpResponse> response = TrySend(std::move(sent));
    EXPECT_TRUE(response.has_value()) << path;
    return response.value_or(HttpResponse{.status = 0, .body = "{}"});
  }

  static std::string FieldOf(const HttpResponse& response, std::string_view name) {
    for (const auto& [key, value] : response.fields) {
      if (key == name) return value;
    }
    return "";
  }
  // The answer's JSON, when the status is as expected; else an empty object.
  static object JsonOf(const HttpResponse& response, int status) {
    EXPECT_EQ(response.status, status) << response.body;
    EXPECT_EQ(FieldOf(response, "Content-Type"), "application/json");
    EXPECT_EQ(FieldOf(response, "Cache-Control"), "no-store");
    if (response.status != status) return {};
    return boost::json::parse(response.body).as_object();
  }
  // "401 token_invalid" of a problem, "200" of an answer that is none.
  static std::string ProblemOf(const HttpResponse& response) {
    std::string out = std::to_string(response.status);
    if (FieldOf(response, "Content-Type") != "application/problem+json") return out;
    return out + " " + Text(boost::json::parse(response.body).at("code"));
  }

  std::string NewToken(const TokenSpec& spec) {
    const auto token = authority_->AsOperator("test")->CreateToken(spec);
    EXPECT_TRUE(token.ok()) << token.status();
    return token.ok() ? std::string(token->text.Reveal()) : "";
  }
  HttpResponse Enrol(const std::string& token, const std::string& csr,
                     const std::string& more = "") {
    return Send({.method = "POST",
                 .path = "/v1/certificates",
                 .body = "{\"csr\":" + Quoted(csr) + more + "}",
                 .fields = {{"Authorization", "Bearer " + token}}});
  }
  // Enrols and is, from then on, the peer of a connection.
  std::shared_ptr<const Peer> Enrolled(const std::string& name, const std::string& profile = "") {
    const object issued =
        JsonOf(Enrol(NewToken({.profile = profile, .names = {name}}), RequestFor(name)), 201);
    return PeerOf(Text(issued.at("certificate")));
  }
  static std::shared_ptr<const Peer> PeerOf(const std::string& pem) {
    return std::make_shared<const Peer>(
        Peer{.certificate = Value(Certificate::FromPem(pem)), .verified = true, .address = {}});
  }
  static std::string SerialOf(const std::shared_ptr<const Peer>& peer) {
    return peer->certificate->serial_number().ToHex();
  }
  // An admin; the guard would let it in everywhere.
  const std::shared_ptr<const Peer>& Admin() {
    if (admin_ == nullptr) admin_ = Enrolled("spiffe://example.org/troth/admin/alice", "admin");
    return admin_;
  }

  TestFolder folder_;
  FakeClock clock_;
  std::unique_ptr<Authority> authority_;
  ca_testing::MemoryStore* store_ = nullptr;  // the authority's
  std::shared_ptr<Endpoint> endpoint_;
  std::shared_ptr<const Peer> admin_;
};

}  // namespace troth::json_testing
