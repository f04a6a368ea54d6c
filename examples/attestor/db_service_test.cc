#include "examples/attestor/db_service.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <memory>
#include <string>

#include "examples/attestor/attestor_testing.h"
#include "examples/attestor/client_names.h"
#include "examples/attestor/packet_json.h"

namespace attestor {
namespace {

namespace json = boost::json;

troth::HttpRequest Request(const std::string& method, const std::string& path,
                           const std::string& body = "", const std::string& client = "") {
  troth::HttpRequest request;
  request.method = method;
  const size_t question = path.find('?');
  request.target = path;
  request.path = path.substr(0, question);
  if (question != std::string::npos) request.query = path.substr(question + 1);
  request.body = body;
  if (!client.empty()) request.fields = {{"Troth-Client-Names", "DNS:" + client}};
  return request;
}

class DbServiceTest : public ::testing::Test {
 protected:
  troth::HttpResponse Ask(const std::string& method, const std::string& path,
                          const std::string& body = "", const std::string& client = "") {
    return service_->Answer(Request(method, path, body, client));
  }
  // "201", or status and reason code: "403 name_not_permitted".
  static std::string Said(const troth::HttpResponse& response) {
    std::string out = std::to_string(response.status);
    const json::value body = json::parse(response.body);
    if (const json::value* const code = body.as_object().if_contains("code")) {
      EXPECT_EQ(response.fields.front().second, "application/problem+json");
      out += " " + std::string(code->as_string().c_str());
    }
    return out;
  }
  std::string Post(const Packet& packet) {
    return Said(Ask("POST", "/packets",
                    json::serialize(json::object{{"source", packet.source},
                                                 {"destination", packet.destination},
                                                 {"sequence", packet.sequence},
                                                 {"message", packet.message}})));
  }
  // `client` posts a signature of `key` on `packet` as `name`.
  std::string Sign(const Packet& packet, const troth::PrivateKey& key, const std::string& name,
                   const std::string& client) {
    return Said(Ask("POST", "/packets/" + PacketId(packet) + "/signatures",
                    WriteSignature({name, Must(SignPacket(packet, key))}), client));
  }

  bool IsConfirmed(const Packet& packet) {
    return json::parse(Ask("GET", "/packets/" + PacketId(packet)).body).at("confirmed").as_bool();
  }

  TestService test_;
  std::unique_ptr<DbService> service_ = test_.Make();
};

TEST_F(DbServiceTest, TwoAttestorsConfirmAPacket) {
  const Packet packet = PacketNumber(1);
  EXPECT_EQ(Post(packet), "201");
  EXPECT_EQ(Must(ReadPackets(Ask("GET", "/packets/unconfirmed").body)), std::vector{packet});
  EXPECT_EQ(Sign(packet, test_.one, kOne, kOne), "201");
  EXPECT_TRUE(
      Must(ReadPackets(Ask("GET", "/packets/unconfirmed?not_signed_by=One.attestors.example").body))
          .empty());
  EXPECT_EQ(Sign(packet, test_.two, kTwo, kTwo), "201");
  EXPECT_TRUE(Must(ReadPackets(Ask("GET", "/packets/unconfirmed").body)).empty());
  EXPECT_EQ(Must(ReadPackets(Ask("GET", "/packets/confirmed").body)), std::vector{packet});
  const json::value shown = json::parse(Ask("GET", "/packets/" + PacketId(packet)).body);
  EXPECT_TRUE(shown.at("confirmed").as_bool());
  EXPECT_EQ(shown.at("signatures").as_array().size(), 2U);
}

TEST_F(DbServiceTest, WhatIsThereAlreadyIsAnswered200) {
  const Packet packet = PacketNumber(1);
  EXPECT_EQ(Post(packet), "201");
  EXPECT_EQ(Post(packet), "200");
  EXPECT_EQ(Post(PacketNumber(1, "another")), "409 request_state");
  EXPECT_EQ(Sign(packet, test_.two, kTwo, kTwo), "201");
  EXPECT_EQ(Sign(packet, test_.two, kTwo, kTwo), "200");
}

TEST_F(DbServiceTest, AnAttestorSignsOnlyAsItself) {
  const Packet packet = PacketNumber(1);
  Post(packet);
  EXPECT_EQ(Sign(packet, test_.one, kTwo, kOne), "403 name_not_permitted");
  // With the other's key too: what counts is who sends it.
  EXPECT_EQ(Sign(packet, test_.two, kTwo, kOne), "403 name_not_permitted");
  EXPECT_EQ(Sign(packet, test_.one, kOne, "attestors.example"), "403 name_not_permitted");
  EXPECT_EQ(Sign(packet, test_.one, kOne, "*.attestors.example"), "403 name_not_permitted");
  EXPECT_EQ(Sign(packet, test_.one, kOne, ""), "401 peer_not_authenticated");
  EXPECT_EQ(Sign(packet, test_.one, "ONE.attestors.example", kOne), "201");
}

TEST_F(DbServiceTest, ASignatureMustVerifyWithTheKeyOfItsAttestor) {
  const Packet packet = PacketNumber(1);
  Post(packet);
  EXPECT_EQ(Sign(packet, test_.two, kOne, kOne), "400 parameter_invalid");
  EXPECT_EQ(Sign(packet, test_.one, "three.attestors.example", "three.attestors.example"),
            "403 role_not_allowed");
  const std::string path = "/packets/" + PacketId(packet) + "/signatures";
  const std::string of_another =
      WriteSignature({kOne, Must(SignPacket(PacketNumber(2), test_.one))});
  EXPECT_EQ(Said(Ask("POST", path, of_another, kOne)), "400 parameter_invalid");
  EXPECT_EQ(
      Said(Ask("POST", path, R"({"attestor": "one.attestors.example", "signature": "?"})", kOne)),
      "400 parameter_invalid");
  EXPECT_EQ(
      Must(ReadPackets(Ask("GET", "/packets/unconfirmed?not_signed_by=" + std::string(kOne)).body)),
      std::vector{packet});
}

TEST_F(DbServiceTest, AnAttestorThatWasRemovedDoesNotCount) {
  const Packet packet = PacketNumber(1);
  Post(packet);
  Sign(packet, test_.two, kTwo, kTwo);
  const auto three = Must(troth::PrivateKey::Generate(troth::KeyType::kEd25519));
  const std::string name = "three.attestors.example";
  service_ = test_.Open({{kOne, test_.one.public_key()}, {name, three.public_key()}});
  EXPECT_EQ(Sign(packet, test_.one, kOne, kOne), "201");
  EXPECT_FALSE(IsConfirmed(packet));
  EXPECT_EQ(Sign(packet, three, name, name), "201");
  EXPECT_TRUE(IsConfirmed(packet));
}

TEST_F(DbServiceTest, AnAttestorWhoseKeyWasReplacedSignsAgain) {
  const Packet packet = PacketNumber(1);
  const Packet done = PacketNumber(2);
  for (const Packet& each : {packet, done}) {
    Post(each);
    Sign(each, test_.two, kTwo, kTwo);
  }
  Sign(done, test_.one, kOne, kOne);
  const auto fresh = Must(troth::PrivateKey::Generate(troth::KeyType::kEd25519));
  service_ = test_.Open({{kOne, test_.one.public_key()}, {kTwo, fresh.public_key()}});
  EXPECT_EQ(
      Must(ReadPackets(Ask("GET", "/packets/unconfirmed?not_signed_by=" + std::string(kTwo)).body)),
      std::vector{packet});
  EXPECT_EQ(Sign(packet, test_.one, kOne, kOne), "201");
  EXPECT_FALSE(IsConfirmed(packet));
  EXPECT_EQ(Sign(packet, test_.two, kTwo, kTwo), "400 parameter_invalid");
  EXPECT_EQ(Sign(packet, fresh, kTwo, kTwo), "201");
  EXPECT_TRUE(IsConfirmed(packet));
  EXPECT_TRUE(IsConfirmed(done));
}

TEST_F(DbServiceTest, AListGoesOnAfterAPacket) {
  for (int i = 1; i <= 101; ++i) Post(PacketNumber(i));
  const std::vector<Packet> first = Must(ReadPackets(Ask("GET", "/packets/unconfirmed").body));
  ASSERT_EQ(first.size(), 100U);
  EXPECT_EQ(
      Must(ReadPackets(Ask("GET", "/packets/unconfirmed?after=" + PacketId(first.back())).body)),
      std::vector{PacketNumber(101)});
}

TEST_F(DbServiceTest, WhatItDoesNotUnderstandItRefusesWithAReason) {
  const struct {
    std::string method, path, body, said;
  } rows[] = {
      {"POST", "/packets", "", "400 parameter_invalid"},
      {"POST", "/packets", "{", "400 json_malformed"},
      {"POST", "/packets", R"({"sauce": "x"})", "400 parameter_invalid"},
      {"POST", "/packets", R"({"source": "A", "destination": "b", "sequence": 1, "message": "m"})",
       "400 parameter_invalid"},
      {"GET", "/packets", "", "405 method_not_allowed"},
      {"DELETE", "/packets/unconfirmed", "", "405 method_not_allowed"},
      {"PUT", "/packets/x", "", "405 method_not_allowed"},
      {"GET", "/packets/x/signatures", "", "405 method_not_allowed"},
      {"GET", "/packets/x", "", "404 path_unknown"},
      {"GET", "/packets/", "", "404 path_unknown"},
      {"GET", "/", "", "404 path_unknown"},
      {"GET", "/packets/unconfirmed?not_signed_by=a&not_signed_by=b", "", "400 parameter_invalid"},
      {"GET", "/packets/confirmed?after=a&after=b", "", "400 parameter_invalid"},
      {"GET", "/packets/confirmed?after=a", "", "404 path_unknown"},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(Said(Ask(row.method, row.path, row.body, kOne)), row.said)
        << row.method << " " << row.path << " " << row.body;
  }
  EXPECT_EQ(Sign(PacketNumber(9), test_.one, kOne, kOne), "404 path_unknown");
}

TEST(ClientDnsNames, AreThoseThatNginxSets) {
  const auto names = [](const troth::HttpFields& fields) -> std::string {
    troth::HttpRequest request;
    request.fields = fields;
    const auto result = ClientDnsNames(request);
    return result.ok() ? troth::Join(*result, "|") : CodeOfResult(result);
  };
  EXPECT_EQ(names({{"troth-client-names", "DNS:One.example,URI:spiffe://a/b,DNS:two.example"}}),
            "one.example|two.example");
  // A name with a comma in it is one name.
  EXPECT_EQ(names({{"Troth-Client-Names", "URI:x://a%2CDNS:one.example"}}), "");
  EXPECT_EQ(names({{"Troth-Client-Names", "DNS:a%2CDNS:b"}}), "a,dns:b");
  for (const troth::HttpFields& fields :
       {troth::HttpFields{}, troth::HttpFields{{"Troth-Client-Subject", "CN=one.example"}},
        troth::HttpFields{{"Troth-Client-Names", "DNS:%4"}},
        troth::HttpFields{{"Troth-Client-Names", "DNS:a"}, {"Troth-Client-Names", "DNS:b"}}}) {
    EXPECT_EQ(names(fields), "peer_not_authenticated");
  }
}

}  // namespace
}  // namespace attestor
