#include "troth/pki/crl.h"

#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/x509.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "troth/base/file.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/pki/der_testing.h"
#include "troth/pki/pem.h"

namespace troth {
namespace {

using testing::Bytes;
using testing::ExtensionOf;
using testing::NameOf;
using testing::Oid;
using testing::Sequence;
using testing::Tlv;

const std::string kNull = Bytes("\x05\x00");
const std::string kTime = Tlv(der::kUtcTime, "260101000000Z");

std::string ReasonExtension(int reason) {
  return ExtensionOf("2.5.29.21", Tlv(der::kEnumerated, std::string(1, static_cast<char>(reason))));
}

// An entry; `extensions` is what its list of extensions holds.
std::string Entry(std::string_view serial, const std::string& extensions = "") {
  return Sequence({Tlv(der::kInteger, serial), kTime,
                   extensions.empty() ? "" : Tlv(der::kSequence, extensions)});
}

// The DER of a list, field by field. As it is, it is well-formed, of version 2, and empty.
struct RawCrl {
  std::string version = Bytes("\x02\x01\x01");
  std::string algorithm = Sequence({Oid("1.2.840.10045.4.3.2")});
  std::string issuer = NameOf("issuer");
  std::string this_update = kTime;
  std::string next_update = Tlv(der::kUtcTime, "260201000000Z");
  std::string entries;      // what the list of entries holds
  std::string raw_entries;  // in its place
  std::string extensions = ExtensionOf("2.5.29.20", Bytes("\x02\x01\x07")) +
                           ExtensionOf("2.5.29.35", Sequence({Tlv(0x80, "key id")}));
  std::string outer_algorithm = algorithm;
  std::string signature = Tlv(der::kBitString, Bytes("\x00").append(70, 's'));
  std::string tail_of_tbs, tail_of_list, tail;

  std::string Build() const {
    const std::string list = entries.empty() ? raw_entries : Tlv(der::kSequence, entries);
    const std::string tagged = extensions.empty() ? "" : Tlv(0xa0, Tlv(der::kSequence, extensions));
    return Sequence({Sequence({version, algorithm, issuer, this_update, next_update, list, tagged,
                               tail_of_tbs}),
                     outer_algorithm, signature, tail_of_list}) +
           tail;
  }
};

Crl Read(const RawCrl& raw) {
  absl::StatusOr<Crl> list = Crl::FromDer(raw.Build());
  if (!list.ok()) {
    ADD_FAILURE() << list.status();
    return *Crl::FromDer(RawCrl{}.Build());
  }
  return *std::move(list);
}

SerialNumber Serial(std::string_view octets) { return *SerialNumber::FromDerContent(octets); }

TEST(CrlTest, ReadsEveryField) {
  RawCrl raw;
  raw.entries = Entry("\x05", ReasonExtension(1)) + Entry("\x03");
  const Crl list = Read(raw);
  EXPECT_EQ(list.der(), raw.Build());
  EXPECT_EQ(list.issuer().ToString(), "CN=issuer");
  EXPECT_EQ(FormatTime(list.this_update()), "2026-01-01T00:00:00Z");
  ASSERT_TRUE(list.next_update().has_value());
  EXPECT_EQ(FormatTime(*list.next_update()), "2026-02-01T00:00:00Z");
  EXPECT_EQ(list.number(), "\x07");
  EXPECT_EQ(list.authority_key_id(), "key id");
  EXPECT_EQ(list.signature_algorithm(), SignatureAlgorithm::kEcdsaSha256);
  EXPECT_EQ(list.signature(), std::string(70, 's'));
  EXPECT_NE(list.der().find(list.tbs_der()), std::string::npos);
  ASSERT_EQ(list.entries().size(), 2u);
  EXPECT_EQ(list.entries()[0].serial, Serial("\x03"));
  EXPECT_EQ(list.entries()[0].reason, 0);
  EXPECT_EQ(list.entries()[1].serial, Serial("\x05"));
  EXPECT_EQ(list.entries()[1].reason, 1);
  EXPECT_EQ(FormatTime(list.entries()[1].revoked_at), "2026-01-01T00:00:00Z");
}

TEST(CrlTest, ReadsListsThatSayLittle) {
  RawCrl raw;
  raw.extensions = "";
  raw.next_update = "";
  const Crl list = Read(raw);
  EXPECT_EQ(list.number(), std::nullopt);
  EXPECT_EQ(list.authority_key_id(), std::nullopt);
  EXPECT_EQ(list.next_update(), std::nullopt);
  EXPECT_TRUE(list.entries().empty());
  raw.version = "";
  EXPECT_TRUE(Read(raw).entries().empty());
  raw.raw_entries = Sequence({});
  EXPECT_TRUE(Read(raw).entries().empty());
}

TEST(CrlTest, FindsEntriesInWhateverOrderTheyCome) {
  RawCrl raw;
  for (int i = 0; i < 100; ++i) {
    raw.entries += Entry(std::string(1, static_cast<char>(i * 37 % 100 + 1)));
  }
  // The same serial again: the first of the list is the one that is found.
  raw.entries += Entry("\x05", ReasonExtension(4));
  const Crl list = Read(raw);
  EXPECT_EQ(list.entries().size(), 101u);
  for (int i = 1; i <= 100; ++i) {
    const SerialNumber serial = Serial(std::string(1, static_cast<char>(i)));
    const RevokedEntry* entry = list.Find(serial);
    ASSERT_NE(entry, nullptr) << i;
    EXPECT_EQ(entry->serial, serial);
    EXPECT_EQ(entry->reason, 0);
  }
  EXPECT_EQ(list.Find(Serial("\x65")), nullptr);
  EXPECT_EQ(list.Find(Serial(Bytes("\x00\x85"))), nullptr);
  EXPECT_EQ(list.Find(Serial(Bytes("\x01\x05"))), nullptr);
}

TEST(CrlTest, ReadsEntryExtensions) {
  const std::string date = ExtensionOf("2.5.29.24", Tlv(der::kGeneralizedTime, "20251201000000Z"));
  RawCrl raw;
  raw.entries = Entry("\x01", ReasonExtension(10)) + Entry("\x02", date + ReasonExtension(5)) +
                Entry("\x03", date) + Entry("\x04", ExtensionOf("1.2.3", "x")) +
                Entry("\x05", ReasonExtension(0));
  const Crl list = Read(raw);
  ASSERT_EQ(list.entries().size(), 5u);
  const int expected[] = {10, 5, 0, 0, 0};
  for (size_t i = 0; i < 5; ++i) EXPECT_EQ(list.entries()[i].reason, expected[i]) << i;
}

TEST(CrlTest, RefusesWhatIsMalformedOrCoversLessThanItSeems) {
  const std::string points = "2.5.29.28";
  const std::string full_name = Tlv(0xa0, Tlv(0xa0, Tlv(0x86, "http://a")));
  const struct {
    std::string_view what;
    std::function<void(RawCrl&)> change;
  } kCases[] = {
      {"version 3", [](auto& c) { c.version = Bytes("\x02\x01\x02"); }},
      {"version 1 written out", [](auto& c) { c.version = Bytes("\x02\x01\x00"); }},
      {"version 1 with extensions", [](auto& c) { c.version = ""; }},
      {"version 1 with entry extensions",
       [](auto& c) {
         c.version = c.extensions = "";
         c.entries = Entry("\x01", ReasonExtension(1));
       }},
      {"another algorithm outside",
       [](auto& c) { c.outer_algorithm = Sequence({Oid("1.2.840.10045.4.3.3")}); }},
      {"an algorithm that is none",
       [](auto& c) {
         c.algorithm = c.outer_algorithm = Sequence({Oid("1.2.3"), kNull, kNull});
       }},
      {"a malformed issuer", [](auto& c) { c.issuer = Sequence({kNull}); }},
      {"no thisUpdate", [](auto& c) { c.this_update = c.next_update = ""; }},
      {"a thisUpdate of no day",
       [](auto& c) { c.this_update = Tlv(der::kUtcTime, "260230000000Z"); }},
      {"three times", [](auto& c) { c.next_update = kTime + kTime; }},
      {"an entry without date",
       [](auto& c) { c.entries = Sequence({Tlv(der::kInteger, "\x01")}); }},
      {"an entry without serial", [](auto& c) { c.entries = Sequence({kTime}); }},
      {"an empty serial", [](auto& c) { c.entries = Entry(""); }},
      {"a serial not in its shortest form", [](auto& c) { c.entries = Entry(Bytes("\x00\x01")); }},
      {"a serial of 22 bytes", [](auto& c) { c.entries = Entry(std::string(22, 'x')); }},
      {"an entry with a tail",
       [](auto& c) {
         c.entries = Sequence({Tlv(2, "\x01"), kTime, kNull});
       }},
      {"an entry with an empty list of extensions",
       [](auto& c) {
         c.entries = Sequence({Tlv(2, "\x01"), kTime, Sequence({})});
       }},
      {"something after an entry's extensions",
       [](auto& c) {
         c.entries = Sequence({Tlv(2, "\x01"), kTime, Sequence({ReasonExtension(1)}), kNull});
       }},
      {"reason 7", [](auto& c) { c.entries = Entry("\x01", ReasonExtension(7)); }},
      {"reason removeFromCRL", [](auto& c) { c.entries = Entry("\x01", ReasonExtension(8)); }},
      {"reason 11", [](auto& c) { c.entries = Entry("\x01", ReasonExtension(11)); }},
      {"reason -1", [](auto& c) { c.entries = Entry("\x01", ReasonExtension(255)); }},
      {"a reason of no bytes",
       [](auto& c) { c.entries = Entry("\x01", ExtensionOf("2.5.29.21", Bytes("\x0a\x00"))); }},
      {"a reason that is an INTEGER",
       [](auto& c) { c.entries = Entry("\x01", ExtensionOf("2.5.29.21", Bytes("\x02\x01\x01"))); }},
      {"a reason twice",
       [](auto& c) { c.entries = Entry("\x01", ReasonExtension(1) + ReasonExtension(1)); }},
      {"an invalidity date in UTCTime",
       [](auto& c) { c.entries = Entry("\x01", ExtensionOf("2.5.29.24", kTime)); }},
      {"an entry of another issuer",
       [](auto& c) {
         c.entries =
             Entry("\x01", ExtensionOf("2.5.29.29", Sequence({Tlv(0xa4, NameOf("other"))}), true));
       }},
      {"an unknown critical entry extension",
       [](auto& c) { c.entries = Entry("\x01", ExtensionOf("1.2.3", "x", true)); }},
      {"an unknown critical extension",
       [](auto& c) { c.extensions += ExtensionOf("1.2.3", "x", true); }},
      {"an extension twice", [](auto& c) { c.extensions += c.extensions; }},
      {"a negative number",
       [](auto& c) { c.extensions = ExtensionOf("2.5.29.20", Bytes("\x02\x01\xff")); }},
      {"a number of 21 bytes",
       [](auto& c) { c.extensions = ExtensionOf("2.5.29.20", Tlv(2, std::string(21, 'x'))); }},
      {"a malformed authority key id",
       [](auto& c) { c.extensions = ExtensionOf("2.5.29.35", kNull); }},
      {"a delta list",
       [](auto& c) { c.extensions += ExtensionOf("2.5.29.27", Bytes("\x02\x01\x01"), true); }},
      {"a delta list that is not critical",
       [](auto& c) { c.extensions += ExtensionOf("2.5.29.27", Bytes("\x02\x01\x01")); }},
      {"only users",
       [&](auto& c) {
         c.extensions += ExtensionOf(points, Sequence({full_name, Bytes("\x81\x01\xff")}), true);
       }},
      {"only CAs",
       [&](auto& c) { c.extensions += ExtensionOf(points, Sequence({Bytes("\x82\x01\xff")})); }},
      {"only some reasons",
       [&](auto& c) {
         c.extensions += ExtensionOf(points, Sequence({Bytes("\x83\x02\x00\x01")}));
       }},
      {"indirect",
       [&](auto& c) { c.extensions += ExtensionOf(points, Sequence({Bytes("\x84\x01\xff")})); }},
      {"only attribute certificates",
       [&](auto& c) { c.extensions += ExtensionOf(points, Sequence({Bytes("\x85\x01\xff")})); }},
      {"a distribution point that is none",
       [&](auto& c) { c.extensions += ExtensionOf(points, Sequence({Tlv(0xa0, kNull)})); }},
      {"something after the extensions", [](auto& c) { c.tail_of_tbs = kNull; }},
      {"something after the signature", [](auto& c) { c.tail_of_list = kNull; }},
      {"something after the list", [](auto& c) { c.tail = "\n"; }},
      {"a signature with unused bits", [](auto& c) { c.signature = Bytes("\x03\x02\x01\x02"); }},
  };
  for (const auto& test : kCases) {
    RawCrl raw;
    test.change(raw);
    EXPECT_EQ(ReasonOf(Crl::FromDer(raw.Build()).status()), Reason::kCrlMalformed) << test.what;
  }
}

TEST(CrlTest, ReadsAnIssuingDistributionPointThatOnlySaysWhere) {
  RawCrl raw;
  raw.extensions +=
      ExtensionOf("2.5.29.28", Sequence({Tlv(0xa0, Tlv(0xa0, Tlv(0x86, "http://a")))}), true);
  EXPECT_EQ(Read(raw).number(), "\x07");
}

TEST(CrlTest, RefusesEveryTruncation) {
  RawCrl raw;
  raw.entries = Entry("\x01", ReasonExtension(1)) + Entry("\x02");
  const std::string whole = raw.Build();
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_EQ(ReasonOf(Crl::FromDer(whole.substr(0, size)).status()), Reason::kCrlMalformed)
        << size;
  }
}

TEST(CrlTest, ListsComeAsPemOrDer) {
  RawCrl raw;
  const std::string first = raw.Build();
  raw.issuer = NameOf("second");
  const Crl second = Read(raw);
  const auto from_der = Crl::ListFromBytes(first);
  ASSERT_TRUE(from_der.ok()) << from_der.status();
  ASSERT_EQ(from_der->size(), 1u);
  EXPECT_EQ(from_der->front().der(), first);
  const auto from_pem = Crl::ListFromBytes(FormatPem("CERTIFICATE", "x") +
                                           FormatPem("X509 CRL", first) + second.ToPem());
  ASSERT_TRUE(from_pem.ok()) << from_pem.status();
  ASSERT_EQ(from_pem->size(), 2u);
  EXPECT_EQ((*from_pem)[0].der(), first);
  EXPECT_EQ((*from_pem)[1].der(), second.der());
}

TEST(CrlTest, SaysWhatTheFileHoldsInstead) {
  const struct {
    std::string bytes;
    Reason reason;
    std::string_view mention;
  } kCases[] = {
      {FormatPem("CERTIFICATE", "x"), Reason::kFileWrongFormat, "a certificate"},
      {"hello", Reason::kFileWrongFormat, "got other text"},
      {RawCrl{}.Build() + FormatPem("X509 CRL", "x"), Reason::kCrlMalformed, "follow"},
      {FormatPem("X509 CRL", RawCrl{}.Build()) + FormatPem("X509 CRL", "x"), Reason::kCrlMalformed,
       "list 2"},
  };
  for (const auto& test : kCases) {
    const absl::Status status = Crl::ListFromBytes(test.bytes).status();
    EXPECT_EQ(ReasonOf(status), test.reason) << status;
    EXPECT_NE(ToStd(status.message()).find(test.mention), std::string_view::npos) << status;
  }
}

// OpenSSL's view of a list, and ours: what mutants that both read must agree on.
std::string OurView(const Crl& list) {
  std::string view;
  for (const RevokedEntry& entry : list.entries()) view += entry.serial.ToHex() + "\n";
  return view;
}

std::string OpensslView(X509_CRL* list) {
  std::vector<SerialNumber> serials;
  STACK_OF(X509_REVOKED)* entries = X509_CRL_get_REVOKED(list);
  for (int i = 0; i < sk_X509_REVOKED_num(entries); ++i) {
    unsigned char* der = nullptr;
    const int size =
        i2d_ASN1_INTEGER(X509_REVOKED_get0_serialNumber(sk_X509_REVOKED_value(entries, i)), &der);
    serials.push_back(
        Serial({reinterpret_cast<const char*>(der) + 2, static_cast<size_t>(size) - 2}));
    OPENSSL_free(der);
  }
  std::ranges::sort(serials);
  std::string view;
  for (const SerialNumber& serial : serials) view += serial.ToHex() + "\n";
  return view;
}

// Null when OpenSSL does not read it to its end.
std::unique_ptr<X509_CRL, void (*)(X509_CRL*)> ReadWithOpenssl(const std::string& der) {
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  const unsigned char* end = at + der.size();
  std::unique_ptr<X509_CRL, void (*)(X509_CRL*)> list(
      d2i_X509_CRL(nullptr, &at, static_cast<long>(der.size())), X509_CRL_free);
  if (at != end) list.reset();
  return list;
}

TEST(CrlAgainstOpensslTest, MutantsThatAreReadMeanTheSameToOpenssl) {
  const char* wanted = std::getenv("TROTH_MUTANTS");
  const int mutants = wanted != nullptr ? std::atoi(wanted) : 2000;
  std::uint32_t seed = 1;
  for (const std::string name : {"empty", "entries", "version_1"}) {
    const auto der = ReadFile(TROTH_SOURCE_DIR "/fuzz/corpus/crl_fuzz/" + name + ".der");
    ASSERT_TRUE(der.ok()) << der.status();
    ASSERT_TRUE(Crl::FromDer(*der).ok()) << name;
    testing::DerMutator mutator(seed++);
    int read = 0;
    for (int i = 0; i < mutants; ++i) {
      const absl::StatusOr<Crl> mutant = Crl::FromDer(mutator.Mutate(*der));
      if (!mutant.ok()) continue;
      ++read;
      const auto theirs = ReadWithOpenssl(mutant->der());
      ASSERT_NE(theirs, nullptr) << mutant->ToPem();
      ASSERT_EQ(OurView(*mutant), OpensslView(theirs.get())) << mutant->ToPem();
    }
    EXPECT_GT(read, mutants / 50) << name;
    EXPECT_LT(read, mutants * 9 / 10) << name;
  }
  ERR_clear_error();
}

TEST(CrlAgainstOpensslTest, ReadsItsListsAndRefusesAPartialOne) {
  const std::string folder = TROTH_SOURCE_DIR "/fuzz/corpus/crl_fuzz/";
  const auto entries = Crl::FromDer(*ReadFile(folder + "entries.der"));
  ASSERT_TRUE(entries.ok()) << entries.status();
  EXPECT_EQ(OurView(*entries), "ff\n0102030405060708090a0b0c0d0e0f1011121314\n0a\n77\n78\n79\n");
  EXPECT_EQ(entries->Find(Serial("\x0a"))->reason, 1);
  EXPECT_EQ(entries->Find(Serial("\x77"))->reason, 0);
  EXPECT_EQ(entries->Find(Serial("\x78"))->reason, 6);
  EXPECT_TRUE(entries->authority_key_id().has_value());
  const auto version_1 = Crl::FromDer(*ReadFile(folder + "version_1.der"));
  ASSERT_TRUE(version_1.ok()) << version_1.status();
  EXPECT_EQ(OurView(*version_1), "77\n");
  EXPECT_EQ(ReasonOf(Crl::FromDer(*ReadFile(folder + "partial.der")).status()),
            Reason::kCrlMalformed);
}

// Two million entries fill the 64 MiB that a list may have, and shall take about a second; here a
// tenth of that, with room for sanitizers and busy machines.
TEST(CrlTest, ReadsManyEntriesInLittleTime) {
  RawCrl raw;
  constexpr int kEntries = 200000;
  for (int i = 0; i < kEntries; ++i) {
    std::string serial = "\x41" + std::to_string(kEntries * 2 - i) + "0123456789abc";
    raw.entries += Entry(serial, i % 2 == 0 ? ReasonExtension(1) : "");
  }
  const std::string der = raw.Build();
  const auto start = std::chrono::steady_clock::now();
  const absl::StatusOr<Crl> list = Crl::FromDer(der);
  const auto took = std::chrono::steady_clock::now() - start;
  ASSERT_TRUE(list.ok()) << list.status();
  EXPECT_EQ(list->entries().size(), static_cast<size_t>(kEntries));
  EXPECT_LT(took, std::chrono::seconds(2));
  RecordProperty(
      "milliseconds",
      static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(took).count()));
}

TEST(CrlTest, SizeIsBounded) {
  EXPECT_EQ(ReasonOf(Crl::FromDer(std::string(kMaxCrlBytes + 1, '0')).status()),
            Reason::kCrlMalformed);
}

}  // namespace
}  // namespace troth
