#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <map>
#include <string>
#include <thread>
#include <vector>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/pki/der_testing.h"
#include "troth/pki/key.h"
#include "troth/pki/openssl_testing.h"
#include "troth/pki/pem.h"

namespace troth {
namespace {

using testing::Bytes;
using testing::Oid;
using testing::Sequence;
using testing::Tlv;
using testing::Workshop;
using Format = PrivateKey::Format;

constexpr KeyType kAllTypes[] = {KeyType::kP256,    KeyType::kP384,    KeyType::kEd25519,
                                 KeyType::kRsa2048, KeyType::kRsa3072, KeyType::kRsa4096};

PrivateKey Generated(KeyType type) {
  auto key = PrivateKey::Generate(type);
  EXPECT_TRUE(key.ok()) << key.status();
  return *std::move(key);
}

// One key of each type for the tests that do not mind which: making an RSA key takes a second.
const PrivateKey& KeyOf(KeyType type) {
  static auto* const keys = new std::map<KeyType, PrivateKey>;
  const auto found = keys->find(type);
  return found != keys->end() ? found->second : keys->emplace(type, Generated(type)).first->second;
}

Secret Passphrase(std::string text = "open sesame") { return Secret(std::move(text)); }

std::optional<Reason> ReasonOfReading(std::string_view pem, const Secret* passphrase = nullptr) {
  return ReasonOf(PrivateKey::FromPem(pem, passphrase).status());
}

std::string MessageOfReading(std::string_view pem, const Secret* passphrase = nullptr) {
  const auto key = PrivateKey::FromPem(pem, passphrase);
  EXPECT_FALSE(key.ok());
  return std::string(ToStd(key.status().message()));
}

TEST(PrivateKeyTest, GeneratesKeysThatAreStrongAndSignWithTheirAlgorithm) {
  const struct {
    KeyType type;
    const char* description;
    SignatureAlgorithm algorithm;
  } kCases[] = {
      {KeyType::kP256, "P-256", SignatureAlgorithm::kEcdsaSha256},
      {KeyType::kP384, "P-384", SignatureAlgorithm::kEcdsaSha384},
      {KeyType::kEd25519, "Ed25519", SignatureAlgorithm::kEd25519},
      {KeyType::kRsa2048, "RSA 2048", SignatureAlgorithm::kRsaSha256},
      {KeyType::kRsa3072, "RSA 3072", SignatureAlgorithm::kRsaSha256},
      {KeyType::kRsa4096, "RSA 4096", SignatureAlgorithm::kRsaSha256},
  };
  for (const auto& test : kCases) {
    const PrivateKey& key = KeyOf(test.type);
    EXPECT_EQ(key.public_key().Describe(), test.description);
    EXPECT_EQ(key.signature_algorithm(), test.algorithm);
    EXPECT_TRUE(key.public_key().CheckStrength().ok());
    for (const std::string& message :
         {std::string(), std::string("m"), std::string(100'000, 'm')}) {
      const auto signature = key.Sign(message);
      ASSERT_TRUE(signature.ok()) << signature.status();
      EXPECT_TRUE(key.public_key().Verify(test.algorithm, message, *signature).ok());
    }
  }
}

TEST(PrivateKeyTest, TwoGeneratedKeysDiffer) {
  EXPECT_FALSE(Generated(KeyType::kP256).public_key() == Generated(KeyType::kP256).public_key());
}

TEST(PrivateKeyTest, IsReadBackFromEveryFormItIsWrittenIn) {
  const Secret passphrase = Passphrase();
  for (const KeyType type : kAllTypes) {
    const PrivateKey& key = KeyOf(type);
    for (const Format format : {Format::kPkcs8, Format::kTraditional}) {
      const Secret plain = key.ToPem(format);
      const auto read = PrivateKey::FromPem(plain.Reveal());
      ASSERT_TRUE(read.ok()) << NameOf(type) << read.status();
      EXPECT_EQ(read->public_key(), key.public_key());
      EXPECT_EQ(read->ToPem(format).Reveal(), plain.Reveal());

      if (type != KeyType::kP256 && type != KeyType::kEd25519 && type != KeyType::kRsa2048)
        continue;
      const auto encrypted = key.ToEncryptedPem(passphrase, format);
      ASSERT_TRUE(encrypted.ok()) << encrypted.status();
      const auto opened = PrivateKey::FromPem(encrypted->Reveal(), &passphrase);
      ASSERT_TRUE(opened.ok()) << NameOf(type) << opened.status();
      EXPECT_EQ(opened->public_key(), key.public_key());
      EXPECT_EQ(ReasonOfReading(encrypted->Reveal()), Reason::kKeyEncrypted);
      const Secret wrong = Passphrase("open barley");
      EXPECT_EQ(ReasonOfReading(encrypted->Reveal(), &wrong), Reason::kPassphraseWrong);
      const Secret empty;
      EXPECT_EQ(ReasonOfReading(encrypted->Reveal(), &empty), Reason::kPassphraseWrong);
    }
  }
}

TEST(PrivateKeyTest, IsWrittenInTheFormThatWasAskedFor) {
  const struct {
    KeyType type;
    Format format;
    const char* plain;
    const char* encrypted;
  } kCases[] = {
      {KeyType::kP256, Format::kPkcs8, "-----BEGIN PRIVATE KEY-----\n",
       "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"},
      {KeyType::kP256, Format::kTraditional, "-----BEGIN EC PRIVATE KEY-----\n",
       "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: DES-EDE3-CBC,"},
      {KeyType::kRsa2048, Format::kTraditional, "-----BEGIN RSA PRIVATE KEY-----\n",
       "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: DES-EDE3-CBC,"},
      {KeyType::kEd25519, Format::kTraditional, "-----BEGIN PRIVATE KEY-----\n",
       "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"},
  };
  const Secret passphrase = Passphrase();
  for (const auto& test : kCases) {
    const PrivateKey& key = KeyOf(test.type);
    EXPECT_TRUE(key.ToPem(test.format).Reveal().starts_with(test.plain));
    const auto encrypted = key.ToEncryptedPem(passphrase, test.format);
    ASSERT_TRUE(encrypted.ok());
    EXPECT_TRUE(encrypted->Reveal().starts_with(test.encrypted)) << encrypted->Reveal();
  }
}

TEST(PrivateKeyTest, OpensslReadsWhatIsWritten) {
  const Workshop shop;
  const Secret passphrase = Passphrase();
  for (const KeyType type : {KeyType::kP256, KeyType::kEd25519, KeyType::kRsa2048}) {
    const PrivateKey& key = KeyOf(type);
    for (const Format format : {Format::kPkcs8, Format::kTraditional}) {
      shop.Write("plain", key.ToPem(format).Reveal());
      const auto encrypted = key.ToEncryptedPem(passphrase, format);
      ASSERT_TRUE(encrypted.ok());
      shop.Write("encrypted", encrypted->Reveal());
      for (const std::string file : {"plain", "encrypted"}) {
        shop.Run("openssl pkey -in " + file + " -passin 'pass:open sesame' -check -noout");
        shop.Run("openssl pkey -in " + file +
                 " -passin 'pass:open sesame' -pubout -outform DER -out public");
        EXPECT_EQ(shop.Read("public"), key.public_key().der()) << NameOf(type) << file;
      }
    }
  }
}

TEST(PrivateKeyTest, ReadsWhatToolsWrite) {
  const Workshop shop;
  const std::string ec = "openssl ecparam -genkey -name prime256v1 ";
  const struct {
    std::string command;  // writes "key"
    const char* description;
  } kCases[] = {
      {"openssl genrsa -traditional -out key 2048", "RSA 2048"},
      {"openssl genrsa -out key 2048", "RSA 2048"},
      {"openssl genrsa -out key 1024", "RSA 1024"},  // weak, which CheckStrength says
      {"openssl genrsa -traditional -des3 -passout pass:secret -out key 2048", "RSA 2048"},
      {"openssl genrsa -traditional -aes256 -passout pass:secret -out key 2048", "RSA 2048"},
      {"openssl genrsa -aes256 -passout pass:secret -out key 2048", "RSA 2048"},
      {ec + "-noout -out key", "P-256"},
      {ec + "-out key", "P-256"},  // with EC PARAMETERS before it
      {ec + "-noout -conv_form compressed -out key", "P-256"},
      {ec + "-noout -param_enc explicit -out key", "P-256"},
      {ec + "-noout | openssl ec -no_public -out key", "P-256"},
      {ec + "-noout | openssl ec -aes128 -passout pass:secret -out key", "P-256"},
      {ec + "-noout | openssl pkcs8 -topk8 -nocrypt -out key", "P-256"},
      {ec + "-noout | openssl pkcs8 -topk8 -passout pass:secret -out key", "P-256"},
      {ec + "-noout | openssl pkcs8 -topk8 -v2 des3 -passout pass:secret -out key", "P-256"},
      {ec + "-noout | openssl pkcs8 -topk8 -v2 aes128 -v2prf hmacWithSHA1 -passout pass:secret "
            "-out key",
       "P-256"},
      {ec + "-noout | openssl pkcs8 -topk8 -scrypt -passout pass:secret -out key", "P-256"},
      {ec + "-noout | openssl pkcs8 -topk8 -v1 PBE-SHA1-3DES -passout pass:secret -out key",
       "P-256"},
      {"openssl ecparam -genkey -name secp384r1 -noout -out key", "P-384"},
      {"openssl ecparam -genkey -name secp521r1 -noout -out key", "P-521"},
      {"openssl genpkey -algorithm ed25519 -out key", "Ed25519"},
      {"openssl req -x509 -newkey rsa:2048 -noenc -subj /CN=x -keyout a -out b && cat b a >key",
       "RSA 2048"},  // a certificate before it
      {"openssl req -x509 -newkey rsa:2048 -noenc -subj /CN=x -keyout a -out b && openssl pkcs12 "
       "-export "
       "-inkey a -in b -passout pass:x -out c && openssl pkcs12 -in c -passin pass:x -noenc -out "
       "key",
       "RSA 2048"},  // bag attributes around it
      {ec + "-noout | sed 's/$/\\r/' >key", "P-256"},
      {"(printf '\\357\\273\\277'; openssl genpkey -algorithm ed25519) >key", "Ed25519"},
  };
  const Secret passphrase = Passphrase("secret");
  for (const auto& test : kCases) {
    shop.Run(test.command);
    const auto key = PrivateKey::FromPem(shop.Read("key"), &passphrase);
    ASSERT_TRUE(key.ok()) << test.command << key.status();
    EXPECT_EQ(key->public_key().Describe(), test.description) << test.command;
    // In the canonical form, which a certificate for the key has: named curve, uncompressed point.
    EXPECT_NE(key->public_key().kind(), PublicKey::Kind::kOther) << test.command;
    shop.Write("again", key->ToPem().Reveal());
    shop.Run("openssl pkey -in again -pubout -outform DER -out public");
    EXPECT_EQ(shop.Read("public"), key->public_key().der()) << test.command;
  }
}

TEST(PrivateKeyTest, RefusesKeysOfOtherKinds) {
  const Workshop shop;
  for (const char* command : {
           "openssl ecparam -genkey -name secp256k1 -noout -out key",
           "openssl ecparam -genkey -name secp224r1 -noout -out key",
           "openssl ecparam -genkey -name secp256k1 -param_enc explicit -noout -out key",
           "openssl genpkey -algorithm ed448 -out key",
           "openssl genpkey -algorithm x25519 -out key",
           "openssl dsaparam -genkey -noout -out key 1024",
           "openssl dsaparam -genkey -noout 1024 | openssl dsa -out key",
           "openssl genpkey -algorithm rsa-pss -pkeyopt rsa_keygen_bits:2048 -out key",
       }) {
    shop.Run(command);
    EXPECT_EQ(ReasonOfReading(shop.Read("key")), Reason::kAlgorithmNotAllowed) << command;
  }
}

TEST(PrivateKeyTest, SaysWhatTheTextHoldsInsteadOfAKey) {
  const Workshop shop;
  shop.Run(
      "openssl req -x509 -newkey rsa:2048 -noenc -subj /CN=x -keyout key -out certificate && "
      "openssl req -new -key key -subj /CN=x -out request && "
      "openssl x509 -in certificate -trustout -out trusted && "
      "openssl pkey -in key -pubout -out public && "
      "openssl pkey -in key -outform DER -out der && "
      "openssl pkcs12 -export -inkey key -in certificate -passout pass:x -out pkcs12 && "
      "(echo '-----BEGIN OPENSSH PRIVATE KEY-----'; echo b3BlbnNzaC1rZXk=; "
      "echo '-----END OPENSSH PRIVATE KEY-----') >ssh && "
      "cat key key >two && cat key certificate key >around && "
      "iconv -f ASCII -t UTF-16 key >utf16 && "
      "head -c 900 key >cut && tail -n +2 key >headless && "
      "sed 's/^MI/\\!I/' key >garbled && tr -d '\\n' <key >flat && : >empty");
  const struct {
    const char* file;
    const char* expected;  // part of the message
  } kCases[] = {
      {"certificate", "a certificate (BEGIN CERTIFICATE)"},
      {"request", "a certificate request"},
      {"trusted", "an OpenSSL trusted certificate"},
      {"public", "a public key"},
      {"der", "openssl pkey -inform DER"},
      {"pkcs12", "a PKCS#12 file"},
      {"ssh", "ssh-keygen -p -m PKCS8"},
      {"two", "got 2"},
      {"around", "got 2"},
      {"utf16", "UTF-16"},
      {"cut", "begins and does not end"},
      {"headless", "BEGIN or END line"},
      {"garbled", "not base64"},
      {"empty", "nothing but white space"},
  };
  for (const auto& test : kCases) {
    const std::string text = shop.Read(test.file);
    EXPECT_EQ(ReasonOfReading(text), Reason::kKeyMalformed) << test.file;
    const std::string message = MessageOfReading(text);
    EXPECT_NE(message.find(test.expected), std::string::npos) << test.file << ": " << message;
  }
  EXPECT_EQ(ReasonOfReading(shop.Read("flat")), std::nullopt) << "one line is fine";
}

TEST(PrivateKeyTest, RefusesABodyThatIsNoKey) {
  const PrivateKey ec = Generated(KeyType::kP256);
  const auto blocks = ParsePem(ec.ToPem().Reveal());
  ASSERT_TRUE(blocks.ok());
  const std::string der((*blocks)[0].content.Reveal());
  const struct {
    const char* label;
    std::string body;
  } kCases[] = {
      {"PRIVATE KEY", "x"},           {"PRIVATE KEY", der.substr(0, der.size() - 1)},
      {"PRIVATE KEY", der + "x"},     {"PRIVATE KEY", ec.public_key().der()},
      {"RSA PRIVATE KEY", "x"},       {"EC PRIVATE KEY", "x"},
      {"ENCRYPTED PRIVATE KEY", "x"}, {"ENCRYPTED PRIVATE KEY", der},
      {"MY PRIVATE KEY", der},
  };
  for (const auto& test : kCases) {
    const Secret passphrase = Passphrase();
    const std::string pem = FormatPem(test.label, test.body);
    EXPECT_EQ(ReasonOfReading(pem, &passphrase), Reason::kKeyMalformed) << test.label;
    EXPECT_EQ(ReasonOfReading(pem), Reason::kKeyMalformed) << test.label;
  }
}

// RFC 5915: a private number and a public point, which OpenSSL takes to belong together.
std::string Sec1(std::string_view private_number, std::string_view point) {
  return Sequence({Bytes("\x02\x01\x01"), Tlv(der::kOctetString, private_number),
                   Tlv(0xa0, Oid("1.2.840.10045.3.1.7")),
                   Tlv(0xa1, Tlv(der::kBitString, Bytes("\x00") + std::string(point)))});
}

TEST(PrivateKeyTest, RefusesAKeyWhoseHalvesDoNotBelongTogether) {
  const PrivateKey one = Generated(KeyType::kP256);
  const PrivateKey two = Generated(KeyType::kP256);
  // The private number of `one`: the OCTET STRING within its SEC1 form.
  const auto blocks = ParsePem(one.ToPem(Format::kTraditional).Reveal());
  ASSERT_TRUE(blocks.ok());
  der::Reader outer((*blocks)[0].content.Reveal(), "test");
  der::Reader sec1 = outer.Enter(der::kSequence, "key");
  int version = 0;
  der::Element number;
  ASSERT_TRUE(sec1.ReadSmallInteger("version", version) &&
              sec1.Read(der::kOctetString, "number", number));
  const auto pem = [&](std::string_view point) {
    return FormatPem("EC PRIVATE KEY", Sec1(number.content, point));
  };
  EXPECT_EQ(ReasonOfReading(pem(one.public_key().key_bits())), std::nullopt);
  EXPECT_EQ(ReasonOfReading(pem(two.public_key().key_bits())), Reason::kKeyMalformed);
}

std::string Encrypted(std::initializer_list<std::string> algorithm) {
  der::Writer writer;
  writer.Element(der::kSequence, testing::Concatenate(algorithm));
  return FormatPem("ENCRYPTED PRIVATE KEY",
                   Sequence({writer.Take(), Tlv(der::kOctetString, std::string(48, 'x'))}));
}

std::string Number(std::uint64_t value) {
  der::Writer writer;
  writer.Integer(value);
  return writer.Take();
}

TEST(PrivateKeyTest, AHostileFileCannotAskForHoursOfWork) {
  const std::string pbes2 = Oid("1.2.840.113549.1.5.13");
  const std::string cipher =
      Sequence({Oid("2.16.840.1.101.3.4.1.42"), Tlv(der::kOctetString, std::string(16, 'i'))});
  const std::string salt = Tlv(der::kOctetString, "salt");
  const auto pbkdf2 = [&](std::uint64_t iterations) {
    return Sequence({Oid("1.2.840.113549.1.5.12"), Sequence({salt, Number(iterations)})});
  };
  const auto scrypt = [&](std::uint64_t n, std::uint64_t r, std::uint64_t p) {
    return Sequence(
        {Oid("1.3.6.1.4.1.11591.4.11"), Sequence({salt, Number(n), Number(r), Number(p)})});
  };
  const Secret passphrase = Passphrase();
  for (const std::string& pem : {
           Encrypted({pbes2, Sequence({pbkdf2(2'000'000'000), cipher})}),
           Encrypted({pbes2, Sequence({pbkdf2(std::uint64_t{1} << 40), cipher})}),
           Encrypted({pbes2, Sequence({scrypt(1 << 20, 8, 1000), cipher})}),
           Encrypted({pbes2, Sequence({scrypt(2, 1 << 30, 1 << 30), cipher})}),
           Encrypted({Oid("1.2.840.113549.1.12.1.3"), Sequence({salt, Number(2'000'000'000)})}),
           Encrypted({Oid("1.2.840.113549.1.5.3"), Sequence({salt, Number(1)})}),  // MD5 and DES
           Encrypted({pbes2, Sequence({Sequence({Oid("1.2.3"), Sequence({salt})}), cipher})}),
           Encrypted({pbes2}),
           Encrypted({}),
       }) {
    EXPECT_EQ(ReasonOfReading(pem, &passphrase), Reason::kKeyMalformed) << pem;
  }
  // The same shape with little work is opened, and only its passphrase is wrong.
  EXPECT_EQ(ReasonOfReading(Encrypted({pbes2, Sequence({pbkdf2(1000), cipher})}), &passphrase),
            Reason::kPassphraseWrong);
}

TEST(PrivateKeyTest, RefusesLegacyEncryptionThatItDoesNotKnow) {
  const Secret passphrase = Passphrase();
  for (const char* info :
       {"NO-SUCH-CIPHER,0011", "DES-EDE3-CBC", "DES-EDE3-CBC,00", "", "AES-256-CBC,zz"}) {
    const std::string pem =
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: " + std::string(info) +
        "\n\naGVsbG8sIHdvcmxk\n-----END RSA PRIVATE KEY-----\n";
    EXPECT_EQ(ReasonOfReading(pem, &passphrase), Reason::kKeyMalformed) << info;
  }
}

TEST(PrivateKeyTest, TheLegacyFormTellsAWrongPassphraseEvenWhereThePaddingLooksRight) {
  const PrivateKey& key = KeyOf(KeyType::kP256);
  const Secret passphrase = Passphrase();
  const auto pem = key.ToEncryptedPem(passphrase, Format::kTraditional);
  ASSERT_TRUE(pem.ok());
  for (int i = 0; i < 2000; ++i) {  // some eight of them by chance
    const Secret wrong = Passphrase("wrong " + std::to_string(i));
    ASSERT_EQ(ReasonOfReading(pem->Reveal(), &wrong), Reason::kPassphraseWrong) << i;
  }
}

TEST(PrivateKeyTest, PassphrasesToEncryptWithAreNotEmptyNorTooLongForTheirForm) {
  const PrivateKey& key = KeyOf(KeyType::kP256);
  const Secret empty;
  const Secret longest = Passphrase(std::string(1023, 'p'));
  const Secret longer = Passphrase(std::string(1024, 'p'));
  EXPECT_EQ(ReasonOf(key.ToEncryptedPem(empty).status()), Reason::kUsageError);
  EXPECT_EQ(ReasonOf(key.ToEncryptedPem(longer, Format::kTraditional).status()),
            Reason::kUsageError);
  for (const auto& [passphrase, format] :
       {std::pair{&longest, Format::kTraditional}, std::pair{&longer, Format::kPkcs8}}) {
    const auto pem = key.ToEncryptedPem(*passphrase, format);
    ASSERT_TRUE(pem.ok()) << pem.status();
    EXPECT_EQ(ReasonOfReading(pem->Reveal(), passphrase), std::nullopt);
  }
}

TEST(PrivateKeyTest, APassphraseForAKeyInTheClearDoesNotMatter) {
  const Secret passphrase = Passphrase();
  EXPECT_EQ(ReasonOfReading(Generated(KeyType::kEd25519).ToPem().Reveal(), &passphrase),
            std::nullopt);
}

TEST(PrivateKeyTest, NeverAsksOnTheTerminal) {
  // Were it to ask, it would read the answer here: from a standard input that has the right one.
  const PrivateKey& key = KeyOf(KeyType::kP256);
  const Secret passphrase = Passphrase("secret");
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  ASSERT_EQ(write(ends[1], "secret\n", 7), 7);
  close(ends[1]);
  const int saved = dup(STDIN_FILENO);
  ASSERT_GE(dup2(ends[0], STDIN_FILENO), 0);
  for (const Format format : {Format::kPkcs8, Format::kTraditional}) {
    const auto pem = key.ToEncryptedPem(passphrase, format);
    ASSERT_TRUE(pem.ok());
    EXPECT_EQ(ReasonOfReading(pem->Reveal()), Reason::kKeyEncrypted);
  }
  char byte = 0;
  EXPECT_EQ(read(STDIN_FILENO, &byte, 1), 1) << "the answer was taken";
  if (saved >= 0) dup2(saved, STDIN_FILENO);
  close(saved);
  close(ends[0]);
}

TEST(PrivateKeyTest, ManyThreadsMaySignAtOnce) {
  for (const KeyType type : {KeyType::kP256, KeyType::kEd25519, KeyType::kRsa2048}) {
    const PrivateKey& key = KeyOf(type);
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&key, i] {
        for (int j = 0; j < 20; ++j) {
          const std::string message = std::to_string(i * 100 + j);
          const auto signature = key.Sign(message);
          ASSERT_TRUE(signature.ok());
          EXPECT_TRUE(key.public_key().Verify(key.signature_algorithm(), message, *signature).ok());
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
}

TEST(PrivateKeyTest, MovesAndKeepsItsKey) {
  PrivateKey one = Generated(KeyType::kP256);
  const PublicKey public_key = one.public_key();
  PrivateKey two = std::move(one);
  EXPECT_EQ(two.public_key(), public_key);
  PrivateKey three = Generated(KeyType::kP256);
  three = std::move(two);
  EXPECT_EQ(three.public_key(), public_key);
  EXPECT_TRUE(three.Sign("m").ok());
}

TEST(PrivateKeyTest, SurvivesMutations) {
  const PrivateKey& key = KeyOf(KeyType::kP256);
  testing::DerMutator mutator(2);
  for (const Format format : {Format::kPkcs8, Format::kTraditional}) {
    const auto blocks = ParsePem(key.ToPem(format).Reveal());
    ASSERT_TRUE(blocks.ok());
    for (int i = 0; i < 1000; ++i) {
      const std::string mutated = mutator.Mutate((*blocks)[0].content.Reveal());
      if (mutated.empty()) continue;
      const auto read = PrivateKey::FromPem(FormatPem((*blocks)[0].label, mutated));
      if (read.ok()) continue;
      const auto reason = ReasonOf(read.status());
      EXPECT_TRUE(reason == Reason::kKeyMalformed || reason == Reason::kAlgorithmNotAllowed)
          << read.status();
    }
  }
}

}  // namespace
}  // namespace troth
