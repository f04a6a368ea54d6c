#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <string>
#include <utility>
#include <vector>

#include "troth/base/encoding.h"
#include "troth/base/reason.h"
#include "troth/pki/der_testing.h"
#include "troth/pki/issue.h"
#include "troth/pki/issue_testing.h"
#include "troth/pki/openssl_testing.h"

namespace troth {
namespace {

using testing::At;
using testing::Bytes;
using testing::CaTemplate;
using testing::LeafTemplate;
using testing::MakeKey;
using testing::MakeRoot;
using testing::MakeSigner;
using testing::Value;
using testing::Workshop;

SerialNumber Serial(std::string_view hex) {
  return Value(SerialNumber::FromDerContent(FromHex(hex).value()));
}

CrlTemplate ListOf(std::vector<RevokedEntry> entries) {
  return {.this_update = At("2026-11-21"),
          .next_update = At("2026-11-28"),
          .number = 7,
          .entries = std::move(entries)};
}

TEST(IssueCrlTest, HoldsWhatWasAskedForSortedBySerial) {
  const Signer root = MakeRoot();
  const auto list = IssueCrl(ListOf({{Serial("7a"), At("2026-11-20"), 4},
                                     {Serial("11"), At("2055-01-01"), 0},
                                     {Serial("4f"), At("2026-11-19"), 1}}),
                             root);
  ASSERT_TRUE(list.ok()) << list.status();
  ASSERT_EQ(list->entries().size(), 3U);
  const std::vector<std::pair<std::string, int>> expected = {{"11", 0}, {"4f", 1}, {"7a", 4}};
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(list->entries()[i].serial.ToHex(), expected[i].first);
    EXPECT_EQ(list->entries()[i].reason, expected[i].second);
  }
  EXPECT_EQ(list->entries()[0].revoked_at, At("2055-01-01"));
  EXPECT_EQ(list->issuer(), root.certificate().subject());
  EXPECT_EQ(list->authority_key_id(), root.certificate().subject_key_id());
  EXPECT_EQ(list->number(), "\x07");
  EXPECT_EQ(list->this_update(), At("2026-11-21"));
  EXPECT_EQ(list->next_update(), At("2026-11-28"));
  EXPECT_NE(list->Find(Serial("4f")), nullptr);
  EXPECT_EQ(list->Find(Serial("50")), nullptr);
  EXPECT_TRUE(root.certificate()
                  .public_key()
                  .Verify(list->signature_algorithm(), list->tbs_der(), list->signature())
                  .ok());
}

// The same list built by OpenSSL's own API. Ed25519 signs deterministically.
std::string BuiltByOpenssl(const Signer& signer, const CrlTemplate& what) {
  const std::string pem(signer.key().ToPem().Reveal());
  BIO* bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  EVP_PKEY* key = PEM_read_bio_PrivateKey(bio, nullptr, nullptr, nullptr);
  BIO_free(bio);
  const testing::X509Ptr issuer = testing::ReadWithOpenssl(signer.certificate().der());
  X509_CRL* list = X509_CRL_new();
  X509_CRL_set_version(list, X509_CRL_VERSION_2);
  X509_CRL_set_issuer_name(list, X509_get_subject_name(issuer.get()));
  ASN1_TIME* time = ASN1_TIME_new();
  X509_CRL_set1_lastUpdate(list, ASN1_TIME_set(time, what.this_update.time_since_epoch().count()));
  X509_CRL_set1_nextUpdate(list, ASN1_TIME_set(time, what.next_update.time_since_epoch().count()));
  for (const RevokedEntry& entry : what.entries) {
    X509_REVOKED* revoked = X509_REVOKED_new();
    BIGNUM* number =
        BN_bin2bn(reinterpret_cast<const unsigned char*>(entry.serial.der_content().data()),
                  static_cast<int>(entry.serial.der_content().size()), nullptr);
    ASN1_INTEGER* serial = BN_to_ASN1_INTEGER(number, nullptr);
    X509_REVOKED_set_serialNumber(revoked, serial);
    X509_REVOKED_set_revocationDate(
        revoked, ASN1_TIME_set(time, entry.revoked_at.time_since_epoch().count()));
    if (entry.reason != 0) {
      ASN1_ENUMERATED* reason = ASN1_ENUMERATED_new();
      ASN1_ENUMERATED_set(reason, entry.reason);
      X509_REVOKED_add1_ext_i2d(revoked, NID_crl_reason, reason, 0, 0);
      ASN1_ENUMERATED_free(reason);
    }
    X509_CRL_add0_revoked(list, revoked);
    ASN1_INTEGER_free(serial);
    BN_free(number);
  }
  ASN1_TIME_free(time);
  X509_CRL_sort(list);
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer.get(), nullptr, nullptr, list, 0);
  X509_EXTENSION* key_id =
      X509V3_EXT_conf_nid(nullptr, &context, NID_authority_key_identifier, "keyid:always");
  EXPECT_NE(key_id, nullptr);
  X509_CRL_add_ext(list, key_id, -1);
  X509_EXTENSION_free(key_id);
  ASN1_INTEGER* number = ASN1_INTEGER_new();
  ASN1_INTEGER_set_uint64(number, what.number);
  X509_CRL_add1_ext_i2d(list, NID_crl_number, number, 0, 0);
  ASN1_INTEGER_free(number);
  EXPECT_GT(X509_CRL_sign(list, key, nullptr), 0);
  EVP_PKEY_free(key);
  unsigned char* der = nullptr;
  const int length = i2d_X509_CRL(list, &der);
  std::string out(reinterpret_cast<const char*>(der), static_cast<size_t>(length));
  OPENSSL_free(der);
  X509_CRL_free(list);
  return out;
}

TEST(IssueCrlTest, IsByteForByteWhatOpensslMakes) {
  const Signer root = MakeRoot(KeyType::kEd25519);
  for (const CrlTemplate& what : {
           ListOf({}),
           ListOf({{Serial("7a01"), At("2026-11-20"), 4},
                   {Serial("00fa"), At("2060-01-01"), 0},
                   {Serial("7b00"), At("2026-11-19"), 10}}),
           CrlTemplate{
               .this_update = At("2049-12-31"),
   .next_update = At("2050-01-01"),
   .number = 128,
   .entries = {{Serial("4102"), At("2026-11-20"), 1}, {Serial("4101"), At("2026-11-20"), 6}}},
       }) {
    const auto list = IssueCrl(what, root);
    ASSERT_TRUE(list.ok()) << list.status();
    EXPECT_EQ(ToHex(list->der()), ToHex(BuiltByOpenssl(root, what)));
  }
}

TEST(IssueCrlTest, OpensslAndGnutlsAcceptItAndSeeWhoIsRevoked) {
  const Workshop shop;
  const Time now = Clock::System().Now();
  for (const KeyType type :
       {KeyType::kP256, KeyType::kP384, KeyType::kEd25519, KeyType::kRsa2048}) {
    PrivateKey key = MakeKey(type);
    CertificateTemplate ca = CaTemplate(key.public_key());
    ca.validity = {now - Seconds(300), now + Seconds(86400)};
    const Signer root = MakeSigner(ca, std::move(key));
    const auto leaf = [&](std::string_view serial) {
      CertificateTemplate what = LeafTemplate(MakeKey().public_key());
      what.serial = Serial(serial);
      what.validity = {now - Seconds(300), now + Seconds(3600)};
      return Value(Issue(what, root)).ToPem();
    };
    const auto list = IssueCrl({.this_update = now - Seconds(10),
                                .next_update = now + Seconds(3600),
                                .number = 1,
                                .entries = {{Serial("22"), now - Seconds(20), 1}}},
                               root);
    ASSERT_TRUE(list.ok()) << list.status();
    shop.Write("ca", root.certificate().ToPem());
    shop.Write("list", list->ToPem());
    shop.Write("good", leaf("21"));
    shop.Write("revoked", leaf("22"));
    shop.Run("openssl crl -in list -CAfile ca -noout 2>&1 | grep -q 'verify OK'");
    shop.Run("openssl verify -x509_strict -crl_check -CAfile ca -CRLfile list good");
    shop.Run(
        "openssl verify -x509_strict -crl_check -CAfile ca -CRLfile list revoked 2>&1 | "
        "grep -q 'certificate revoked'");
    shop.Run(
        "certtool --verify-crl --load-ca-certificate ca --infile list 2>&1 | grep -q 'Verified'");
    shop.Run(
        "cat good ca >chain && certtool --verify --load-ca-certificate ca --load-crl list "
        "--infile chain");
    shop.Run(
        "cat revoked ca >chain && (! certtool --verify --load-ca-certificate ca --load-crl list "
        "--infile chain)");
  }
}

TEST(IssueCrlTest, RefusesWhatNoListCanHold) {
  const Signer root = MakeRoot();
  const RevokedEntry good{Serial("11"), At("2026-11-20"), 1};
  CrlTemplate backwards = ListOf({});
  std::swap(backwards.this_update, backwards.next_update);
  CrlTemplate at_once = ListOf({});
  at_once.next_update = at_once.this_update;
  CrlTemplate too_late = ListOf({});
  too_late.next_update = At("9999-12-31T23:59:59Z") + Seconds(1);
  const std::pair<const char*, CrlTemplate> kCases[] = {
      {"nextUpdate before thisUpdate", backwards},
      {"nextUpdate at thisUpdate", at_once},
      {"nextUpdate in the year 10000", too_late},
      {"a serial twice", ListOf({good, {Serial("12"), At("2026-11-20"), 0}, good})},
      {"reason 7", ListOf({{Serial("11"), At("2026-11-20"), 7}})},
      {"reason 8, of delta lists", ListOf({{Serial("11"), At("2026-11-20"), 8}})},
      {"reason 11", ListOf({{Serial("11"), At("2026-11-20"), 11}})},
      {"reason -1", ListOf({{Serial("11"), At("2026-11-20"), -1}})},
      {"revoked in 1949", ListOf({{Serial("11"), At("1949-12-31"), 1}})},
  };
  ASSERT_TRUE(IssueCrl(ListOf({good}), root).ok());
  for (const auto& [what, list] : kCases) {
    EXPECT_EQ(ReasonOf(IssueCrl(list, root).status()), Reason::kRequestMalformed) << what;
  }
}

TEST(IssueCrlTest, ACaThatMayNotSignListsDoesNot) {
  PrivateKey key = MakeKey();
  CertificateTemplate what = CaTemplate(key.public_key());
  what.key_usage = kKeyCertSign;
  const Signer signer = MakeSigner(what, std::move(key));
  EXPECT_EQ(ReasonOf(IssueCrl(ListOf({}), signer).status()), Reason::kUsageNotAllowed);
}

TEST(IssueCrlTest, AHundredThousandEntriesAreMadeAndFound) {
  const Signer root = MakeRoot();
  std::vector<RevokedEntry> entries;
  for (int i = 0; i < 100'000; ++i) {
    entries.push_back(
        {SerialNumber::Generate(At("2026-11-21") - Seconds(i)), At("2026-11-21"), i % 2});
  }
  const auto list = IssueCrl(ListOf(entries), root);
  ASSERT_TRUE(list.ok()) << list.status();
  ASSERT_EQ(list->entries().size(), entries.size());
  for (const size_t i : {0, 1, 50'000, 99'999}) {
    const RevokedEntry* found = list->Find(entries[i].serial);
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(found->reason, entries[i].reason);
  }
}

}  // namespace
}  // namespace troth
