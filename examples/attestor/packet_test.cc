#include "examples/attestor/packet.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "examples/attestor/attestor_testing.h"
#include "examples/attestor/packet_json.h"

namespace attestor {
namespace {

TEST(Packet, TwoThatDifferAreNeverSignedAlike) {
  const std::vector<Packet> packets = {
      {"a", "b", 1, "m"},   {"ab", "b", 1, "m"},  {"a", "bb", 1, "m"},
      {"a", "b", 11, "m"},  {"a", "b", 1, "1:m"}, {"a", "b", 1, "m\n1:m"},
      {"a", "b", 1, "m\n"}, {"a", "b-1", 1, "m"}, {"a-b", "1", 1, "m"},
  };
  std::set<std::string> texts;
  std::set<std::string> ids;
  for (const Packet& packet : packets) {
    texts.insert(SignedText(packet));
    ids.insert(PacketId(packet));
    EXPECT_EQ(PacketId(packet).size(), 64U);
  }
  EXPECT_EQ(texts.size(), packets.size());
  EXPECT_EQ(ids.size(), packets.size());
}

TEST(Packet, WhatIsSignedStaysWhatItWas) {
  // Signatures that are stored verify for ever.
  EXPECT_EQ(SignedText({"aleo", "ethereum", 7, "x"}),
            "troth example packet 1\n4:aleo\n8:ethereum\n1:7\n1:x\n");
}

TEST(Packet, PartsThatCannotBeAreRefused) {
  const struct {
    Packet packet;
    std::string code;
  } rows[] = {
      {{"aleo", "ethereum", 0, "m"}, "ok"},
      {{"aleo-2", "ethereum", 1, std::string(kMaxMessageBytes, 'm')}, "ok"},
      {{"", "ethereum", 1, "m"}, "parameter_invalid"},
      {{"Aleo", "ethereum", 1, "m"}, "parameter_invalid"},
      {{"aleo", "a/b", 1, "m"}, "parameter_invalid"},
      {{"aleo", std::string(33, 'a'), 1, "m"}, "parameter_invalid"},
      {{"aleo", "ethereum", std::uint64_t{1} << 63, "m"}, "parameter_invalid"},
      {{"aleo", "ethereum", 1, ""}, "parameter_invalid"},
      {{"aleo", "ethereum", 1, std::string(kMaxMessageBytes + 1, 'm')}, "parameter_invalid"},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(CodeOfStatus(CheckPacket(row.packet)), row.code)
        << row.packet.source << " " << row.packet.destination;
  }
}

TEST(PacketSignature, IsOfOneKeyAndOnePacket) {
  for (const troth::KeyType type : {troth::KeyType::kEd25519, troth::KeyType::kP256,
                                    troth::KeyType::kP384, troth::KeyType::kRsa2048}) {
    const troth::PrivateKey key = Must(troth::PrivateKey::Generate(type));
    const troth::PrivateKey other = Must(troth::PrivateKey::Generate(type));
    const std::string signature = Must(SignPacket(PacketNumber(1), key));
    EXPECT_TRUE(VerifyPacket(PacketNumber(1), signature, key.public_key()).ok());
    EXPECT_FALSE(VerifyPacket(PacketNumber(2), signature, key.public_key()).ok());
    EXPECT_FALSE(VerifyPacket(PacketNumber(1), signature, other.public_key()).ok());
    EXPECT_FALSE(VerifyPacket(PacketNumber(1), "", key.public_key()).ok());
  }
}

TEST(PacketJson, PacketsComeBackAsTheyWere) {
  const std::vector<Packet> packets = {PacketNumber(1), PacketNumber(INT64_MAX, "\"\xc3\xa9\\ \t")};
  EXPECT_EQ(Must(ReadPackets(WritePackets(packets))), packets);
  EXPECT_TRUE(Must(ReadPackets(WritePackets({}))).empty());
}

TEST(PacketJson, AnAnswerThatIsNoneIsRefused) {
  const std::string chains = R"("source": "a", "destination": "b")";
  for (
      const std::string& body :
      {std::string(), std::string("<html>"), std::string("[]"), std::string("{}"),
       std::string(R"({"packets": {}})"), std::string(R"({"packets": [1]})"),
       R"({"packets": [{)" + chains + R"(, "message": "m"}]})",
       R"({"packets": [{)" + chains + R"(, "sequence": -1, "message": "m"}]})",
       R"({"packets": [{)" + chains + R"(, "sequence": 1.5, "message": "m"}]})",
       R"({"packets": [{)" + chains + R"(, "sequence": 1, "message": 5}]})",
       std::string(
           R"({"packets": [{"source": "A", "destination": "b", "sequence": 1, "message": "m"}]})")}) {
    EXPECT_EQ(CodeOfResult(ReadPackets(body)), "response_malformed") << body;
  }
}

}  // namespace
}  // namespace attestor
