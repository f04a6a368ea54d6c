#include "examples/attestor/packet_store.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "examples/attestor/attestor_testing.h"

namespace attestor {
namespace {

class PacketStoreTest : public ::testing::Test {
 protected:
  void Open(int threshold = 2, const SignatureCounts& counts = AllCount) {
    store_ = nullptr;
    store_ = Must(PacketStore::Open(folder_ / "packets.db", threshold, counts));
  }
  void SetUp() override { Open(); }

  Added Sign(const Packet& packet, const std::string& attestor,
             const std::string& signature = "s") {
    return Must(store_->AddSignature(PacketId(packet), {attestor, signature}));
  }
  StoredPacket Find(const Packet& packet) { return Must(store_->Find(PacketId(packet))).value(); }
  std::vector<Packet> Unconfirmed(const std::string& not_signed_by = "", int limit = 100) {
    return Must(store_->List({.not_signed_by = not_signed_by, .after = {}, .limit = limit}));
  }

  troth::TestFolder folder_;
  std::unique_ptr<PacketStore> store_;
};

TEST_F(PacketStoreTest, APacketIsConfirmedOnceEnoughHaveSigned) {
  const Packet packet = PacketNumber(1);
  EXPECT_EQ(Must(store_->AddPacket(packet)), Added::kNew);
  EXPECT_EQ(Sign(packet, kOne), Added::kNew);
  EXPECT_FALSE(Find(packet).confirmed);
  EXPECT_EQ(Sign(packet, kTwo), Added::kNew);
  EXPECT_TRUE(Find(packet).confirmed);
  EXPECT_TRUE(Unconfirmed().empty());
  EXPECT_EQ(Must(store_->List({.confirmed = true, .not_signed_by = {}, .after = {}})),
            std::vector{packet});
}

TEST_F(PacketStoreTest, OneAttestorCountsOnceHoweverOftenItSigns) {
  const Packet packet = PacketNumber(1);
  Must(store_->AddPacket(packet));
  EXPECT_EQ(Sign(packet, kOne, "first"), Added::kNew);
  EXPECT_EQ(Sign(packet, kOne, "second"), Added::kThereAlready);
  EXPECT_FALSE(Find(packet).confirmed);
  EXPECT_EQ(Find(packet).signatures, (std::vector<PacketSignature>{{kOne, "first"}}));
}

TEST_F(PacketStoreTest, ASignatureMayComeLate) {
  const Packet packet = PacketNumber(1);
  Must(store_->AddPacket(packet));
  for (const char* attestor : {kOne, kTwo, "three"}) Sign(packet, attestor);
  EXPECT_EQ(Find(packet).signatures.size(), 3U);
}

TEST_F(PacketStoreTest, TheSamePacketAgainChangesNothingAndAnotherInItsPlaceIsRefused) {
  EXPECT_EQ(Must(store_->AddPacket(PacketNumber(1))), Added::kNew);
  EXPECT_EQ(Must(store_->AddPacket(PacketNumber(1))), Added::kThereAlready);
  EXPECT_EQ(CodeOfResult(store_->AddPacket(PacketNumber(1, "transfer 6"))), "request_state");
  EXPECT_EQ(Unconfirmed(), std::vector{PacketNumber(1)});
}

TEST_F(PacketStoreTest, ListsTheOldestOfThoseThatAnAttestorHasNotSigned) {
  for (int i = 3; i > 0; --i) Must(store_->AddPacket(PacketNumber(i)));
  Sign(PacketNumber(3), kOne);
  EXPECT_EQ(Unconfirmed(kOne), (std::vector{PacketNumber(2), PacketNumber(1)}));
  EXPECT_EQ(Unconfirmed(kTwo, 2), (std::vector{PacketNumber(3), PacketNumber(2)}));
  EXPECT_EQ(Unconfirmed().size(), 3U);
}

TEST_F(PacketStoreTest, KeepsWhatItHasAndTakesAThresholdThatWasLowered) {
  for (int i = 1; i <= 2; ++i) Must(store_->AddPacket(PacketNumber(i)));
  Sign(PacketNumber(1), kOne, std::string("\0\xff", 2));
  Open();
  EXPECT_FALSE(Find(PacketNumber(1)).confirmed);
  EXPECT_EQ(Find(PacketNumber(1)).signatures.front().signature, std::string("\0\xff", 2));
  Open(1);
  EXPECT_TRUE(Find(PacketNumber(1)).confirmed);
  EXPECT_FALSE(Find(PacketNumber(2)).confirmed);
  Open(2);
  EXPECT_TRUE(Find(PacketNumber(1)).confirmed);
}

TEST_F(PacketStoreTest, SignaturesThatDoNotCountAnyMoreAreDroppedBeforeCounting) {
  for (int i = 1; i <= 3; ++i) Must(store_->AddPacket(PacketNumber(i)));
  Sign(PacketNumber(1), kOne);
  Sign(PacketNumber(1), kTwo);
  Sign(PacketNumber(2), kOne, "kept");
  Sign(PacketNumber(3), kOne, "of an old key");
  Open(2, [](const Packet&, const PacketSignature& signature) {
    return signature.attestor == kOne && signature.signature == "kept";
  });
  // What is confirmed stays so, and shows by whom.
  EXPECT_TRUE(Find(PacketNumber(1)).confirmed);
  EXPECT_EQ(Find(PacketNumber(1)).signatures.size(), 2U);
  EXPECT_EQ(Find(PacketNumber(2)).signatures, (std::vector<PacketSignature>{{kOne, "kept"}}));
  EXPECT_EQ(Unconfirmed(kOne), std::vector{PacketNumber(3)});
  EXPECT_EQ(Sign(PacketNumber(3), kOne, "of the new key"), Added::kNew);
}

TEST_F(PacketStoreTest, ALowerThresholdCountsOnlyWhatCounts) {
  for (int i = 1; i <= 2; ++i) Must(store_->AddPacket(PacketNumber(i)));
  Sign(PacketNumber(1), "gone");
  Sign(PacketNumber(2), kOne);
  Open(1,
       [](const Packet&, const PacketSignature& signature) { return signature.attestor == kOne; });
  EXPECT_FALSE(Find(PacketNumber(1)).confirmed);
  EXPECT_TRUE(Find(PacketNumber(2)).confirmed);
}

TEST_F(PacketStoreTest, ListsWhatCameAfterAPacket) {
  for (int i = 3; i > 0; --i) Must(store_->AddPacket(PacketNumber(i)));
  const auto after = [&](const std::string& id) {
    return Must(store_->List({.not_signed_by = {}, .after = id}));
  };
  EXPECT_EQ(after(PacketId(PacketNumber(3))), (std::vector{PacketNumber(2), PacketNumber(1)}));
  EXPECT_TRUE(after(PacketId(PacketNumber(1))).empty());
  EXPECT_TRUE(after(PacketId(PacketNumber(9))).empty());
}

TEST_F(PacketStoreTest, WhatIsNotThereIsNotFound) {
  EXPECT_FALSE(Must(store_->Find(PacketId(PacketNumber(1)))).has_value());
  EXPECT_FALSE(Must(store_->Find("")).has_value());
}

TEST_F(PacketStoreTest, AFolderThatIsNotThereIsAnError) {
  EXPECT_EQ(CodeOfResult(PacketStore::Open(folder_ / "none/packets.db", 1, AllCount)),
            "store_failed");
}

}  // namespace
}  // namespace attestor
