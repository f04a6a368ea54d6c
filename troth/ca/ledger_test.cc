#include "troth/ca/ledger.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "troth/base/encoding.h"
#include "troth/base/reason.h"
#include "troth/pki/issue_testing.h"

namespace troth {
namespace {

using testing::At;
using testing::MakeRoot;
using testing::Value;

LedgerNote Note(std::string_view subject, std::string_view detail = "CN=db.internal") {
  return {.at = At("2026-11-21T02:29:09Z"),
          .actor = "token 5f2c81a09d3e6b77",
          .action = "issue",
          .subject = std::string(subject),
          .detail = std::string(detail)};
}

LedgerHead HeadOf(const LedgerEntry& entry) {
  return {.sequence = entry.sequence, .hash = entry.hash};
}

std::vector<LedgerEntry> Entries(size_t count) {
  std::vector<LedgerEntry> entries;
  LedgerHead head;
  for (size_t i = 0; i < count; ++i) {
    entries.push_back(NextEntry(head, Note("serial " + std::to_string(i))));
    head = HeadOf(entries.back());
  }
  return entries;
}

// What a verifier says of all of them.
absl::Status Verify(const std::vector<LedgerEntry>& entries, std::optional<LedgerHead> kept,
                    const LedgerHead& recorded) {
  LedgerVerifier verifier(kept);
  for (const LedgerEntry& entry : entries) {
    if (absl::Status added = verifier.Add(entry); !added.ok()) return added;
  }
  return verifier.Finish(recorded);
}

std::string HexOf(const Sha256Digest& digest) {
  return ToHex({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

// The encoding is for ever: an older ledger is verified by a newer program.
TEST(LedgerTest, HashesAreThoseOfTheWrittenForm) {
  const LedgerEntry entry = NextEntry(
      {}, {.at = Time(Seconds(1)), .actor = "a", .action = "bc", .subject = "", .detail = "d"});
  const std::string bytes = std::string(32, '\0') +         // no entry before
                            *FromHex("0000000000000001") +  // sequence
                            *FromHex("0000000000000001") +  // time
                            *FromHex("0000000000000001") + "a" + *FromHex("0000000000000002") +
                            "bc" + *FromHex("0000000000000000") + *FromHex("0000000000000001") +
                            "d";
  EXPECT_EQ(entry.sequence, 1U);
  EXPECT_EQ(HexOf(entry.hash), HexOf(Sha256(bytes)));
}

TEST(LedgerTest, AWholeLedgerVerifies) {
  const std::vector<LedgerEntry> entries = Entries(5);
  EXPECT_TRUE(Verify({}, {}, {}).ok());
  EXPECT_TRUE(Verify(entries, {}, HeadOf(entries.back())).ok());
  for (const LedgerEntry& kept : entries) {
    EXPECT_TRUE(Verify(entries, HeadOf(kept), HeadOf(entries.back())).ok()) << kept.sequence;
  }
  EXPECT_TRUE(Verify(entries, LedgerHead{}, HeadOf(entries.back())).ok());
}

TEST(LedgerTest, EveryChangeIsSeen) {
  const std::vector<LedgerEntry> whole = Entries(5);
  struct Case {
    const char* what;
    std::function<void(std::vector<LedgerEntry>&)> change;
  };
  const Case cases[] = {
      {"actor", [](auto& all) { all[2].note.actor += "x"; }},
      {"action", [](auto& all) { all[2].note.action = "revoke"; }},
      {"subject", [](auto& all) { all[2].note.subject += "0"; }},
      {"detail", [](auto& all) { all[2].note.detail.clear(); }},
      {"time", [](auto& all) { all[2].note.at += Seconds(1); }},
      {"hash", [](auto& all) { all[2].hash[31] ^= 1; }},
      {"first", [](auto& all) { all[0].note.actor += "x"; }},
      {"last", [](auto& all) { all[4].note.actor += "x"; }},
      {"a character moves to the next text",
       [](auto& all) {
         all[2].note.action = "issues";
         all[2].note.subject = "erial 2";
       }},
      {"an entry is taken out", [](auto& all) { all.erase(all.begin() + 2); }},
      {"an entry is taken out and the others renumbered",
       [](auto& all) {
         all.erase(all.begin() + 2);
         for (size_t i = 0; i < all.size(); ++i) all[i].sequence = i + 1;
       }},
      {"two change places", [](auto& all) { std::swap(all[1], all[2]); }},
      {"an entry twice", [](auto& all) { all.insert(all.begin() + 2, all[2]); }},
      {"the first is missing", [](auto& all) { all.erase(all.begin()); }},
      {"the last is missing", [](auto& all) { all.pop_back(); }},
      {"all are missing", [](auto& all) { all.clear(); }},
      {"one more", [](auto& all) { all.push_back(NextEntry(HeadOf(all.back()), Note("x"))); }},
  };
  for (const Case& test : cases) {
    std::vector<LedgerEntry> entries = whole;
    test.change(entries);
    EXPECT_EQ(ReasonOf(Verify(entries, {}, HeadOf(whole.back()))), Reason::kLedgerBroken)
        << test.what;
  }
}

// Whoever can write the store can also make its hashes fit; the head that lies elsewhere shows it.
TEST(LedgerTest, AKeptHeadSeesWhatWasWrittenAnewOrCutShort) {
  const std::vector<LedgerEntry> whole = Entries(5);
  std::vector<LedgerEntry> anew;
  LedgerHead head;
  for (const LedgerEntry& entry : whole) {
    LedgerNote note = entry.note;
    if (entry.sequence == 2) note.actor = "nobody";
    anew.push_back(NextEntry(head, note));
    head = HeadOf(anew.back());
  }
  EXPECT_TRUE(Verify(anew, {}, head).ok());
  EXPECT_TRUE(Verify(anew, HeadOf(whole[0]), head).ok());
  for (size_t i = 1; i < 5; ++i) {
    EXPECT_EQ(ReasonOf(Verify(anew, HeadOf(whole[i]), head)), Reason::kLedgerBroken) << i;
  }
  const std::vector<LedgerEntry> cut(whole.begin(), whole.begin() + 3);
  EXPECT_TRUE(Verify(cut, HeadOf(whole[2]), HeadOf(cut.back())).ok());
  EXPECT_EQ(ReasonOf(Verify(cut, HeadOf(whole[3]), HeadOf(cut.back()))), Reason::kLedgerBroken);
  EXPECT_EQ(ReasonOf(Verify({}, HeadOf(whole[0]), {})), Reason::kLedgerBroken);
}

TEST(LedgerTest, ErrorNamesTheEntry) {
  std::vector<LedgerEntry> entries = Entries(5);
  entries[2].note.actor = "mallory";
  const absl::Status status = Verify(entries, {}, HeadOf(entries.back()));
  EXPECT_NE(status.message().find("entry 3"), status.message().npos) << status;
}

TEST(LedgerHeadTest, IsSignedByKeysOfEveryKindAndReadBack) {
  for (const KeyType type :
       {KeyType::kP256, KeyType::kP384, KeyType::kEd25519, KeyType::kRsa2048}) {
    const Signer signer = MakeRoot(type);
    const LedgerHead head = HeadOf(Entries(3).back());
    const SignedHead made = Value(SignHead(head, signer, At("2026-11-21T02:29:09Z")));
    EXPECT_TRUE(made.Verify().ok()) << made.Verify();
    const SignedHead read = Value(SignedHead::FromText(made.ToText()));
    EXPECT_EQ(read.head.sequence, 3U);
    EXPECT_EQ(read.head.hash, head.hash);
    EXPECT_EQ(read.at, At("2026-11-21T02:29:09Z"));
    EXPECT_EQ(read.signer_der, signer.certificate().der());
    EXPECT_TRUE(read.Verify().ok()) << NameOf(type) << read.Verify();
  }
}

TEST(LedgerHeadTest, WhatWasNotSignedDoesNotVerify) {
  const Signer signer = MakeRoot();
  const SignedHead good =
      Value(SignHead(HeadOf(Entries(3).back()), signer, At("2026-11-21T02:29:09Z")));
  const Signer other = MakeRoot();
  struct Case {
    const char* what;
    std::function<void(SignedHead&)> change;
  };
  const Case cases[] = {
      {"sequence", [](SignedHead& head) { head.head.sequence = 2; }},
      {"hash", [](SignedHead& head) { head.head.hash[0] ^= 1; }},
      {"time", [](SignedHead& head) { head.at += Seconds(1); }},
      {"signature", [](SignedHead& head) { head.signature.clear(); }},
      {"signer", [&](SignedHead& head) { head.signer_der = other.certificate().der(); }},
  };
  for (const Case& test : cases) {
    SignedHead head = good;
    test.change(head);
    EXPECT_EQ(ReasonOf(head.Verify()), Reason::kSignatureInvalid) << test.what;
  }
  SignedHead head = good;
  head.signer_der = "no certificate";
  EXPECT_EQ(ReasonOf(head.Verify()), Reason::kCertificateMalformed);
}

TEST(LedgerHeadTest, NothingElseIsRead) {
  const std::string good =
      Value(SignHead(HeadOf(Entries(3).back()), MakeRoot(), At("2026-11-21"))).ToText();
  const auto with = [&](std::string_view from, std::string_view to) {
    std::string text = good;
    const size_t at = text.find(from);
    EXPECT_NE(at, text.npos) << from;
    return text.replace(at, from.size(), to);
  };
  const std::string cases[] = {"",
                               "hello",
                               good.substr(0, good.size() - 1),
                               good + "\n",
                               good + good,
                               " " + good,
                               with("head: 1", "head: 2"),
                               with("sequence: 3", "sequence: "),
                               with("sequence: 3", "sequence: -3"),
                               with("sequence: 3", "sequence: 03"),
                               with("sequence: 3", "sequence: 99999999999999999999"),
                               with("sequence: 3\n", ""),
                               with("hash: ", "hash: sha256:"),
                               with("hash: ", "hash: 0"),
                               with("T00:00:00Z", ""),
                               with("T00:00:00Z", " 00:00:00"),
                               with("at: ", "at:"),
                               with("signer: ", "signer: *"),
                               with("signature: ", "signature:  "),
                               with("signer: ", "signers: "),
                               std::string(200000, 'x')};
  for (const std::string& text : cases) {
    const absl::StatusOr<SignedHead> read = SignedHead::FromText(text);
    ASSERT_FALSE(read.ok()) << text;
    EXPECT_EQ(ReasonOf(read.status()), Reason::kFileWrongFormat) << text;
  }
}

TEST(LedgerHeadTest, ShowsNothingOfAnotherText) {
  const absl::StatusOr<SignedHead> read = SignedHead::FromText("correct horse battery staple\n");
  EXPECT_EQ(ReasonOf(read.status()), Reason::kFileWrongFormat);
  EXPECT_EQ(read.status().ToString().find("correct"), std::string::npos)
      << "what may be a passphrase: " << read.status();
}

}  // namespace
}  // namespace troth
