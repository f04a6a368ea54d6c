#include "troth/pki/key.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

#include "troth/base/encoding.h"
#include "troth/base/reason.h"
#include "troth/pki/der_testing.h"
#include "troth/pki/openssl_testing.h"
#include "troth/pki/pem.h"

namespace troth {
namespace {

using testing::Bytes;
using testing::Oid;
using testing::Sequence;
using testing::Tlv;
using testing::Workshop;
using Kind = PublicKey::Kind;

constexpr std::string_view kEc = "1.2.840.10045.2.1";
constexpr std::string_view kP256 = "1.2.840.10045.3.1.7";
constexpr std::string_view kRsa = "1.2.840.113549.1.1.1";
constexpr std::string_view kPss = "1.2.840.113549.1.1.10";
constexpr std::string_view kEd25519 = "1.3.101.112";
const std::string kNull = Bytes("\x05\x00");

std::string Key(const std::string& algorithm, const std::string& bits) {
  return Sequence({algorithm, Tlv(der::kBitString, Bytes("\x00") + bits)});
}

std::string Integer(std::string_view magnitude) {
  const bool high = (static_cast<unsigned char>(magnitude[0]) & 0x80) != 0;
  return Tlv(der::kInteger, (high ? Bytes("\x00") : "") + std::string(magnitude));
}

std::string RsaKey(const std::string& modulus, const std::string& exponent) {
  return Key(Sequence({Oid(kRsa), kNull}), Sequence({Integer(modulus), Integer(exponent)}));
}

// An odd modulus of `bits` bits; that it is no product of primes is not looked at.
std::string Modulus(size_t bits) {
  std::string modulus((bits + 7) / 8, '\x5b');
  modulus[0] = static_cast<char>(1 << (bits - 1) % 8);
  return modulus;
}
const std::string kUsualExponent = Bytes("\x01\x00\x01");

// The public key that an openssl command writes to "key" as PEM.
PublicKey MadeBy(const Workshop& shop, const std::string& command) {
  shop.Run(command);
  const auto blocks = ParsePem(shop.Read("key"));
  EXPECT_TRUE(blocks.ok()) << command << blocks.status();
  auto key = PublicKey::FromDer(blocks->front().content.Reveal());
  EXPECT_TRUE(key.ok()) << command << key.status();
  if (key.ok()) {
    EXPECT_EQ(key->der(), blocks->front().content.Reveal());
  }
  return *std::move(key);
}

TEST(KeyTypeTest, HasNamesThatAreReadBack) {
  for (const KeyType type : {KeyType::kP256, KeyType::kP384, KeyType::kEd25519, KeyType::kRsa2048,
                             KeyType::kRsa3072, KeyType::kRsa4096}) {
    EXPECT_EQ(KeyTypeFromName(NameOf(type)), type);
  }
  EXPECT_EQ(NameOf(KeyType::kRsa2048), "rsa2048");
  for (const char* name : {"", "P256", "rsa", "rsa1024", "p256 "}) {
    EXPECT_EQ(KeyTypeFromName(name), std::nullopt) << name;
  }
}

TEST(PublicKeyTest, ReadsWhatOpensslMakes) {
  const Workshop shop;
  const std::string pub = " | openssl pkey -pubout -out key";
  const struct {
    std::string command;
    Kind kind;
    int bits;
    const char* description;
    std::optional<Reason> weakness;
  } kCases[] = {
      {"openssl ecparam -genkey -name prime256v1 -noout" + pub, Kind::kEc, 256, "P-256", {}},
      {"openssl ecparam -genkey -name secp384r1 -noout" + pub, Kind::kEc, 384, "P-384", {}},
      {"openssl ecparam -genkey -name secp521r1 -noout" + pub, Kind::kEc, 521, "P-521", {}},
      {"openssl genpkey -algorithm ed25519" + pub, Kind::kEd25519, 256, "Ed25519", {}},
      {"openssl genrsa 2048" + pub, Kind::kRsa, 2048, "RSA 2048", {}},
      {"openssl genpkey -algorithm rsa-pss -pkeyopt rsa_keygen_bits:2048" + pub,
       Kind::kRsa,
       2048,
       "RSA-PSS 2048",
       {}},
      {"openssl genpkey -algorithm rsa-pss -pkeyopt rsa_keygen_bits:2048 -pkeyopt "
       "rsa_pss_keygen_md:sha256 -pkeyopt rsa_pss_keygen_mgf1_md:sha256 -pkeyopt "
       "rsa_pss_keygen_saltlen:32" +
           pub,
       Kind::kRsa,
       2048,
       "RSA-PSS 2048",
       {}},
      {"openssl genrsa 1024" + pub, Kind::kRsa, 1024, "RSA 1024", Reason::kKeyTooWeak},
      {"openssl genrsa -3 2048" + pub, Kind::kRsa, 2048, "RSA 2048", Reason::kKeyMalformed},
      {"openssl ecparam -genkey -name secp256k1 -noout" + pub, Kind::kOther, 0,
       "EC key on curve 1.3.132.0.10", Reason::kAlgorithmNotAllowed},
      {"openssl ecparam -genkey -name secp224r1 -noout" + pub, Kind::kOther, 0,
       "EC key on curve 1.3.132.0.33", Reason::kAlgorithmNotAllowed},
      {"openssl ecparam -genkey -name prime256v1 -param_enc explicit -noout" + pub, Kind::kOther, 0,
       "EC key with explicit parameters", Reason::kAlgorithmNotAllowed},
      {"openssl ecparam -genkey -name prime256v1 -noout | openssl ec -pubout -conv_form compressed "
       "-out key",
       Kind::kOther, 0, "P-256 key in compressed form", Reason::kAlgorithmNotAllowed},
      {"openssl genpkey -algorithm ed448" + pub, Kind::kOther, 0, "key of algorithm 1.3.101.113",
       Reason::kAlgorithmNotAllowed},
      {"openssl genpkey -algorithm x25519" + pub, Kind::kOther, 0, "key of algorithm 1.3.101.110",
       Reason::kAlgorithmNotAllowed},
      {"openssl genpkey -algorithm rsa-pss -pkeyopt rsa_keygen_bits:2048 -pkeyopt "
       "rsa_pss_keygen_md:sha1" +
           pub,
       Kind::kOther, 0, "RSA-PSS key with parameters that are not supported",
       Reason::kAlgorithmNotAllowed},
  };
  for (const auto& test : kCases) {
    const PublicKey key = MadeBy(shop, test.command);
    EXPECT_EQ(key.kind(), test.kind) << test.command;
    EXPECT_EQ(key.bits(), test.bits) << test.command;
    EXPECT_EQ(key.Describe(), test.description);
    EXPECT_FALSE(key.key_bits().empty());
    EXPECT_TRUE(key.der().ends_with(key.key_bits()));
    EXPECT_EQ(ReasonOf(key.CheckStrength()), test.weakness) << key.CheckStrength();
  }
}

TEST(PublicKeyTest, RefusesWhatIsNotCanonical) {
  const std::string ec = Sequence({Oid(kEc), Oid(kP256)});
  const std::string rsa = Sequence({Oid(kRsa), kNull});
  const std::string n = Integer(Modulus(2048));
  const std::string e = Integer(kUsualExponent);
  const std::string point = "\x04" + std::string(64, 'p');
  const struct {
    const char* what;
    std::string der;
  } kCases[] = {
      {"nothing", ""},
      {"no SEQUENCE", kNull},
      {"something after it", Key(ec, point) + "x"},
      {"something in it", Sequence({ec, Tlv(der::kBitString, Bytes("\x00") + point), kNull})},
      {"no key", Sequence({ec})},
      {"unused bits",
       Sequence({ec, Tlv(der::kBitString, Bytes("\x01\x04") + std::string(63, 'p') + "\x70")})},
      {"no algorithm", Sequence({Sequence({}), Tlv(der::kBitString, Bytes("\x00") + point)})},
      {"something after the curve", Key(Sequence({Oid(kEc), Oid(kP256), kNull}), point)},
      {"short point", Key(ec, point.substr(0, 64))},
      {"long point", Key(ec, point + "p")},
      {"no point", Key(ec, "")},
      {"the point at infinity", Key(ec, Bytes("\x00"))},
      {"a hybrid point", Key(ec, "\x06" + std::string(64, 'p'))},
      {"a point of another form", Key(ec, "\x05" + std::string(64, 'p'))},
      {"Ed25519 with parameters", Key(Sequence({Oid(kEd25519), kNull}), std::string(32, 'k'))},
      {"Ed25519 too short", Key(Sequence({Oid(kEd25519)}), std::string(31, 'k'))},
      {"Ed25519 too long", Key(Sequence({Oid(kEd25519)}), std::string(33, 'k'))},
      {"RSA without NULL", Key(Sequence({Oid(kRsa)}), Sequence({n, e}))},
      {"RSA with other parameters", Key(Sequence({Oid(kRsa), Oid(kP256)}), Sequence({n, e}))},
      {"RSA with a NULL that is none",
       Key(Sequence({Oid(kRsa), Bytes("\x05\x01x")}), Sequence({n, e}))},
      {"RSA that is no SEQUENCE", Key(rsa, "x")},
      {"RSA without exponent", Key(rsa, Sequence({n}))},
      {"RSA with more", Key(rsa, Sequence({n, e, e}))},
      {"RSA with something after it", Key(rsa, Sequence({n, e}) + kNull)},
      {"negative modulus", Key(rsa, Sequence({Tlv(der::kInteger, "\xff" + Modulus(2048)), e}))},
      {"modulus zero", Key(rsa, Sequence({Tlv(der::kInteger, Bytes("\x00")), e}))},
      {"modulus with leading zeros",
       Key(rsa, Sequence({Tlv(der::kInteger, Bytes("\x00\x00") + Modulus(2048)), e}))},
      {"modulus with a needless zero",
       Key(rsa, Sequence({Tlv(der::kInteger, Bytes("\x00\x7f") + Modulus(2048)), e}))},
      {"negative exponent", Key(rsa, Sequence({n, Tlv(der::kInteger, "\x80")}))},
      {"empty exponent", Key(rsa, Sequence({n, Tlv(der::kInteger, "")}))},
      {"RSA-PSS with NULL", Key(Sequence({Oid(kPss), kNull}), Sequence({n, e}))},
  };
  for (const auto& test : kCases) {
    const auto key = PublicKey::FromDer(test.der);
    ASSERT_FALSE(key.ok()) << test.what;
    EXPECT_EQ(ReasonOf(key.status()), Reason::kCertificateMalformed) << test.what;
  }
}

TEST(PublicKeyTest, RsaKeysAreOfBoundedSizeWithAnOddModulusAndAUsualExponent) {
  std::string even = Modulus(2048);
  even.back() = '\x5a';
  const struct {
    std::string der;
    int bits;
    std::optional<Reason> expected;
  } kCases[] = {
      {RsaKey(Modulus(2048), kUsualExponent), 2048, {}},
      {RsaKey(Modulus(2047), kUsualExponent), 2047, Reason::kKeyTooWeak},
      {RsaKey(Modulus(512), kUsualExponent), 512, Reason::kKeyTooWeak},
      {RsaKey("\x03", "\x03"), 2, Reason::kKeyTooWeak},
      {RsaKey(Modulus(8192), kUsualExponent), 8192, {}},
      {RsaKey(Modulus(8193), kUsualExponent), 8193, Reason::kAlgorithmNotAllowed},
      {RsaKey(even, kUsualExponent), 2048, Reason::kKeyMalformed},
      {RsaKey(Modulus(2048), "\x03"), 2048, Reason::kKeyMalformed},
      {RsaKey(Modulus(2048), "\xff\xff"), 2048, Reason::kKeyMalformed},
      {RsaKey(Modulus(2048), Bytes("\x01\x00\x00")), 2048, Reason::kKeyMalformed},
      {RsaKey(Modulus(2048), std::string(8, '\x7f')), 2048, {}},
      {RsaKey(Modulus(2048), std::string(9, '\x7f')), 2048, Reason::kKeyMalformed},
  };
  for (const auto& test : kCases) {
    const auto key = PublicKey::FromDer(test.der);
    ASSERT_TRUE(key.ok()) << key.status();
    EXPECT_EQ(key->bits(), test.bits);
    EXPECT_EQ(ReasonOf(key->CheckStrength()), test.expected) << key->CheckStrength();
  }
}

TEST(PublicKeyTest, APointOffItsCurveIsFoundWhenTheKeyIsUsed) {
  const auto key =
      PublicKey::FromDer(Key(Sequence({Oid(kEc), Oid(kP256)}), "\x04" + std::string(64, '\x11')));
  ASSERT_TRUE(key.ok()) << key.status();
  EXPECT_EQ(key->kind(), Kind::kEc);
  EXPECT_EQ(ReasonOf(key->CheckStrength()), Reason::kKeyMalformed);
  EXPECT_EQ(ReasonOf(key->Verify(SignatureAlgorithm::kEcdsaSha256, "m", "s")),
            Reason::kSignatureInvalid);
}

TEST(PublicKeyTest, RefusesEd25519PointsOfSmallOrder) {
  // y = 0, 1, -1, the two of order 8, and the encodings of 0 and 1 that are not reduced.
  for (const char* hex : {"0000000000000000000000000000000000000000000000000000000000000000",
                          "0100000000000000000000000000000000000000000000000000000000000000",
                          "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                          "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
                          "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
                          "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                          "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                          "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"}) {
    for (const int sign : {0, 0x80}) {
      std::string point = *FromHex(hex);
      point.back() = static_cast<char>(point.back() | sign);
      const auto key = PublicKey::FromDer(Key(Sequence({Oid(kEd25519)}), point));
      ASSERT_TRUE(key.ok());
      EXPECT_EQ(ReasonOf(key->CheckStrength()), Reason::kKeyMalformed) << hex;
    }
  }
}

// For these points a signature can be made without any private key; that is what the check is for.
TEST(PublicKeyTest, ASmallOrderPointWouldVerifyAForgery) {
  const std::string identity = "\x01" + std::string(31, '\0');
  const auto key = PublicKey::FromDer(Key(Sequence({Oid(kEd25519)}), identity));
  ASSERT_TRUE(key.ok());
  // R = the identity, S = 0: [S]B = R + [k]A holds for every message.
  EXPECT_TRUE(
      key->Verify(SignatureAlgorithm::kEd25519, "any message", identity + std::string(32, '\0'))
          .ok());
  EXPECT_FALSE(key->CheckStrength().ok());
}

struct Signed {
  PublicKey key;
  std::string signature;
};

const std::string kMessage = "a message";

// Signs kMessage with the openssl command, which shares no line with PublicKey::Verify.
Signed SignedByOpenssl(const Workshop& shop, const std::string& make_key,
                       const std::string& options) {
  shop.Write("message", kMessage);
  shop.Run(make_key + " -out private");
  PublicKey key = MadeBy(shop, "openssl pkey -in private -pubout -out key");
  shop.Run("openssl pkeyutl -sign -rawin -inkey private -in message -out signature " + options);
  return {std::move(key), shop.Read("signature")};
}

TEST(PublicKeyTest, VerifiesWhatOpensslSigned) {
  const Workshop shop;
  const std::string p256 = "openssl ecparam -genkey -noout -name prime256v1";
  const std::string p384 = "openssl ecparam -genkey -noout -name secp384r1";
  const std::string p521 = "openssl ecparam -genkey -noout -name secp521r1";
  const std::string rsa = "openssl genrsa 2048 2>/dev/null | openssl pkey";
  const std::string pss_key = "openssl genpkey -algorithm rsa-pss -pkeyopt rsa_keygen_bits:2048";
  const std::string pss = " -pkeyopt rsa_padding_mode:pss -pkeyopt rsa_pss_saltlen:digest";
  const struct {
    std::string make_key, options;
    SignatureAlgorithm algorithm;
  } kCases[] = {
      {p256, "-digest sha256", SignatureAlgorithm::kEcdsaSha256},
      {p256, "-digest sha512", SignatureAlgorithm::kEcdsaSha512},
      {p384, "-digest sha384", SignatureAlgorithm::kEcdsaSha384},
      {p521, "-digest sha512", SignatureAlgorithm::kEcdsaSha512},
      {"openssl genpkey -algorithm ed25519", "", SignatureAlgorithm::kEd25519},
      {rsa, "-digest sha256", SignatureAlgorithm::kRsaSha256},
      {rsa, "-digest sha384", SignatureAlgorithm::kRsaSha384},
      {rsa, "-digest sha512", SignatureAlgorithm::kRsaSha512},
      {rsa, "-digest sha256" + pss, SignatureAlgorithm::kRsaPssSha256},
      {rsa, "-digest sha384" + pss, SignatureAlgorithm::kRsaPssSha384},
      {rsa, "-digest sha512" + pss, SignatureAlgorithm::kRsaPssSha512},
      {pss_key, "-digest sha256" + pss, SignatureAlgorithm::kRsaPssSha256},
  };
  for (const auto& test : kCases) {
    const Signed made = SignedByOpenssl(shop, test.make_key, test.options);
    const auto verify = [&](std::string_view message, std::string_view signature) {
      return ReasonOf(made.key.Verify(test.algorithm, message, signature));
    };
    EXPECT_EQ(verify(kMessage, made.signature), std::nullopt)
        << NameOf(test.algorithm) << made.key.Describe();
    EXPECT_EQ(verify("another", made.signature), Reason::kSignatureInvalid);
    EXPECT_EQ(verify("", made.signature), Reason::kSignatureInvalid);
    EXPECT_EQ(verify(kMessage, ""), Reason::kSignatureInvalid);
    EXPECT_EQ(verify(kMessage, made.signature + "x"), Reason::kSignatureInvalid);
    EXPECT_EQ(verify(kMessage, made.signature.substr(1)), Reason::kSignatureInvalid);
    for (const size_t at : {size_t{4}, made.signature.size() / 2, made.signature.size() - 1}) {
      std::string flipped = made.signature;
      flipped[at] = static_cast<char>(flipped[at] ^ 1);
      EXPECT_EQ(verify(kMessage, flipped), Reason::kSignatureInvalid) << at;
    }
  }
}

// A thread remembers the point that it decoded last.
TEST(PublicKeyTest, KeysOfOneCurveTakeTurns) {
  const PrivateKey keys[] = {*PrivateKey::Generate(KeyType::kP256),
                             *PrivateKey::Generate(KeyType::kP256)};
  const std::string signatures[] = {*keys[0].Sign(kMessage), *keys[1].Sign(kMessage)};
  // A point that is not on the curve: the first key's with another y.
  std::string bent = keys[0].public_key().der();
  bent.back() = static_cast<char>(bent.back() ^ 1);
  const PublicKey off = *PublicKey::FromDer(bent);
  for (const size_t own : {0, 0, 1, 0, 1, 1}) {
    const auto verify = [&](const PublicKey& key, size_t signature) {
      return ReasonOf(
          key.Verify(SignatureAlgorithm::kEcdsaSha256, kMessage, signatures[signature]));
    };
    EXPECT_EQ(verify(keys[own].public_key(), own), std::nullopt);
    EXPECT_EQ(verify(keys[own].public_key(), 1 - own), Reason::kSignatureInvalid);
    EXPECT_FALSE(PublicKey::FromDer(bent)->CheckStrength().ok());
    EXPECT_NE(verify(off, own), std::nullopt);
    EXPECT_NE(verify(off, 0), std::nullopt);
  }
}

TEST(PublicKeyTest, OnlyTheKeysOwnAlgorithmsAreTried) {
  const Workshop shop;
  const struct {
    std::string command;
    std::vector<SignatureAlgorithm> fitting;
  } kCases[] = {
      {"openssl ecparam -genkey -noout -name prime256v1",
       {SignatureAlgorithm::kEcdsaSha256, SignatureAlgorithm::kEcdsaSha384,
        SignatureAlgorithm::kEcdsaSha512}},
      {"openssl genpkey -algorithm ed25519", {SignatureAlgorithm::kEd25519}},
      {"openssl genrsa 2048",
       {SignatureAlgorithm::kRsaSha256, SignatureAlgorithm::kRsaSha384,
        SignatureAlgorithm::kRsaSha512, SignatureAlgorithm::kRsaPssSha256,
        SignatureAlgorithm::kRsaPssSha384, SignatureAlgorithm::kRsaPssSha512}},
      {"openssl genpkey -algorithm rsa-pss -pkeyopt rsa_keygen_bits:2048",
       {SignatureAlgorithm::kRsaPssSha256, SignatureAlgorithm::kRsaPssSha384,
        SignatureAlgorithm::kRsaPssSha512}},
      // The key itself says that it is for one hash only.
      {"openssl genpkey -algorithm rsa-pss -pkeyopt rsa_keygen_bits:2048 -pkeyopt "
       "rsa_pss_keygen_md:sha384 -pkeyopt rsa_pss_keygen_mgf1_md:sha384 -pkeyopt "
       "rsa_pss_keygen_saltlen:48",
       {SignatureAlgorithm::kRsaPssSha384}},
      {"openssl genpkey -algorithm ed448", {}},
      {"openssl ecparam -genkey -noout -name secp256k1", {}},
  };
  for (const auto& test : kCases) {
    const PublicKey key = MadeBy(shop, test.command + " | openssl pkey -pubout -out key");
    for (int i = 0; i <= static_cast<int>(SignatureAlgorithm::kOther); ++i) {
      const auto algorithm = static_cast<SignatureAlgorithm>(i);
      const bool fits = std::ranges::find(test.fitting, algorithm) != test.fitting.end();
      EXPECT_EQ(ReasonOf(key.Verify(algorithm, "message", "signature")),
                fits ? Reason::kSignatureInvalid : Reason::kAlgorithmNotAllowed)
          << key.Describe() << " " << NameOf(algorithm);
    }
  }
}

TEST(PublicKeyTest, RefusesAPssSaltOfAnotherLength) {
  const Workshop shop;
  const Signed made =
      SignedByOpenssl(shop, "openssl genrsa 2048 2>/dev/null | openssl pkey",
                      "-digest sha256 -pkeyopt rsa_padding_mode:pss -pkeyopt rsa_pss_saltlen:20");
  EXPECT_EQ(ReasonOf(made.key.Verify(SignatureAlgorithm::kRsaPssSha256, kMessage, made.signature)),
            Reason::kSignatureInvalid);
}

TEST(PublicKeyTest, ManyThreadsMayUseAKeyForTheFirstTimeAtOnce) {
  const auto made = PrivateKey::Generate(KeyType::kP256);
  ASSERT_TRUE(made.ok());
  const auto signature = made->Sign("m");
  ASSERT_TRUE(signature.ok());
  for (int round = 0; round < 20; ++round) {
    const auto key = PublicKey::FromDer(made->public_key().der());
    ASSERT_TRUE(key.ok());
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([copy = *key, &made, &signature] {
        EXPECT_TRUE(copy.Verify(made->signature_algorithm(), "m", *signature).ok());
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
}

TEST(PublicKeyTest, EqualWhenTheDerIs) {
  const auto a = PublicKey::FromDer(RsaKey(Modulus(2048), kUsualExponent));
  const auto b = PublicKey::FromDer(RsaKey(Modulus(2048), kUsualExponent));
  const auto c = PublicKey::FromDer(RsaKey(Modulus(2049), kUsualExponent));
  ASSERT_TRUE(a.ok() && b.ok() && c.ok());
  EXPECT_EQ(*a, *b);
  EXPECT_FALSE(*a == *c);
}

TEST(PublicKeyTest, SurvivesMutations) {
  const auto key = PrivateKey::Generate(KeyType::kP256);
  ASSERT_TRUE(key.ok());
  testing::DerMutator mutator(1);
  for (int i = 0; i < 2000; ++i) {
    const auto mutated = PublicKey::FromDer(mutator.Mutate(
        i % 2 == 0 ? key->public_key().der() : RsaKey(Modulus(2048), kUsualExponent)));
    if (!mutated.ok()) {
      EXPECT_EQ(ReasonOf(mutated.status()), Reason::kCertificateMalformed);
      continue;
    }
    (void)mutated->CheckStrength();
    (void)mutated->Verify(SignatureAlgorithm::kEcdsaSha256, "m", "s");
  }
}

}  // namespace
}  // namespace troth
