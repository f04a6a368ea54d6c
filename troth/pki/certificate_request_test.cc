#include "troth/pki/certificate_request.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/pki/der_testing.h"
#include "troth/pki/openssl_testing.h"
#include "troth/pki/pem.h"
#include "troth/pki/signature_algorithm.h"

namespace troth {
namespace {

using testing::Bytes;
using testing::ExtensionOf;
using testing::Oid;
using testing::Sequence;
using testing::Set;
using testing::Tlv;
using testing::Workshop;
using Kind = AlternativeName::Kind;

constexpr std::string_view kExtensionRequest = "1.2.840.113549.1.9.14";
constexpr std::string_view kSubjectAltName = "2.5.29.17";

const PrivateKey& Key() {
  static const auto* const key = new PrivateKey(*PrivateKey::Generate(KeyType::kP256));
  return *key;
}

DistinguishedName Name(std::string_view slashes) {
  return *DistinguishedName::FromSlashes(slashes);
}

std::string Names(std::initializer_list<std::string> names) {
  return Tlv(der::kSequence, testing::Concatenate(names));
}
std::string Dns(std::string_view name) { return Tlv(0x82, name); }

std::string ExtensionRequest(std::initializer_list<std::string> extensions,
                             std::string_view oid = kExtensionRequest) {
  return Sequence({Oid(oid), Set({Tlv(der::kSequence, testing::Concatenate(extensions))})});
}

// A request, field by field, signed by Key() unless told otherwise.
struct RawRequest {
  std::string version = Bytes("\x02\x01\x00");
  std::string subject = testing::NameOf("device");
  std::string public_key = Key().public_key().der();
  std::string attributes = Tlv(0xa0, "");
  std::string tail_of_info;
  std::string algorithm = SignatureAlgorithmToDer(SignatureAlgorithm::kEcdsaSha256);
  std::string tail_of_request, tail;

  std::string Build() const {
    const std::string info = Sequence({version, subject, public_key, attributes, tail_of_info});
    return Sequence({info, algorithm, Tlv(der::kBitString, Bytes("\x00") + *Key().Sign(info)),
                     tail_of_request}) +
           tail;
  }
};

std::optional<Reason> ReasonOfReading(std::string_view der) {
  return ReasonOf(CertificateRequest::FromDer(der).status());
}

TEST(CertificateRequestTest, IsReadBackAsItWasMade) {
  const std::vector<AlternativeName> names = {
      {Kind::kDns, "localhost"},
      {Kind::kDns, "*.docker.internal"},
      {Kind::kIp, Bytes("\x7f\x00\x00\x01")},
      {Kind::kIp, std::string(15, '\0') + "\x01"},
      {Kind::kUri, "spiffe://bridge.example/operator/1"},
      {Kind::kEmail, "ops@example.com"},
  };
  for (const KeyType type :
       {KeyType::kP256, KeyType::kP384, KeyType::kEd25519, KeyType::kRsa2048}) {
    const auto key = PrivateKey::Generate(type);
    ASSERT_TRUE(key.ok());
    const auto made =
        CertificateRequest::Create(*key, Name("/C=US/O=Clementine/CN=localhost"), names);
    ASSERT_TRUE(made.ok()) << made.status();
    const auto read = CertificateRequest::FromPem(made->ToPem());
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(read->der(), made->der());
    EXPECT_EQ(read->subject(), Name("/C=US/O=Clementine/CN=localhost"));
    EXPECT_EQ(read->public_key(), key->public_key());
    EXPECT_EQ(read->alternative_names(), names);
  }
}

TEST(CertificateRequestTest, IsByteForByteWhatOpensslMakes) {
  const Workshop shop;
  const auto key = PrivateKey::Generate(KeyType::kEd25519);  // its signatures are deterministic
  ASSERT_TRUE(key.ok());
  shop.Write("key", key->ToPem().Reveal());
  shop.Run(
      "openssl req -new -key key -utf8 -subj /C=US/O=Clementine/CN=localhost -outform DER -out "
      "plain");
  shop.Run(
      "openssl req -new -key key -utf8 -subj /C=US/O=Clementine/CN=localhost -outform DER -out "
      "names "
      "-addext subjectAltName=DNS:localhost,IP:172.17.0.1,URI:spiffe://a/b");
  const auto plain = CertificateRequest::Create(*key, Name("/C=US/O=Clementine/CN=localhost"), {});
  const auto names = CertificateRequest::Create(*key, Name("/C=US/O=Clementine/CN=localhost"),
                                                {{Kind::kDns, "localhost"},
                                                 {Kind::kIp, Bytes("\xac\x11\x00\x01")},
                                                 {Kind::kUri, "spiffe://a/b"}});
  ASSERT_TRUE(plain.ok() && names.ok());
  EXPECT_EQ(plain->der(), shop.Read("plain"));
  EXPECT_EQ(names->der(), shop.Read("names"));
}

TEST(CertificateRequestTest, OpensslAndGnutlsAcceptWhatIsMade) {
  const Workshop shop;
  for (const KeyType type :
       {KeyType::kP256, KeyType::kP384, KeyType::kEd25519, KeyType::kRsa2048}) {
    const auto key = PrivateKey::Generate(type);
    ASSERT_TRUE(key.ok());
    const auto made = CertificateRequest::Create(*key, Name("/CN=x"), {{Kind::kDns, "x"}});
    ASSERT_TRUE(made.ok());
    shop.Write("request", made->ToPem());
    shop.Run("openssl req -in request -verify -noout");
    shop.Run("certtool --crq-info --infile request | grep -q 'Self signature: verified'");
  }
}

TEST(CertificateRequestTest, ReadsWhatToolsMake) {
  const Workshop shop;
  const std::string key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -keyout key ";
  const struct {
    std::string command;  // writes "request"
    std::vector<AlternativeName> names;
  } kCases[] = {
      {"openssl req -new " + key + "-subj /CN=x -out request", {}},
      {"openssl req -new -newkey rsa:2048 -noenc -keyout key -subj / -addext subjectAltName=DNS:x "
       "-out request",
       {{Kind::kDns, "x"}}},
      {"openssl req -new " + key +
           "-subj /CN=x -addext basicConstraints=CA:TRUE -addext keyUsage=keyCertSign -addext "
           "subjectAltName=critical,DNS:y,DNS:x -out request",
       {{Kind::kDns, "y"}, {Kind::kDns, "x"}}},
      {"openssl req -new -newkey rsa:2048 -sigopt rsa_padding_mode:pss -sigopt "
       "rsa_pss_saltlen:digest "
       "-noenc -keyout key -subj /CN=x -out request",
       {}},
      {"openssl req -new -newhdr " + key + "-subj /CN=x -out request", {}},
      {"openssl req -new " + key + "-subj /CN=x -text -out request", {}},
      {"openssl req -new " + key + "-subj /CN=x -out r && cat key r >request", {}},
      {"printf "
       "'[req]\\ndistinguished_name=d\\nattributes=a\\n[d]\\n[a]\\nchallengePassword=secret\\n' >c "
       "&& "
       "openssl req -new -config c " +
           key + "-subj /CN=x -out request",
       {}},
      {"printf 'cn = x\\ndns_name = y\\n' >c && certtool --generate-privkey --key-type ecdsa "
       "--outfile key "
       "&& certtool --generate-request --load-privkey key --template c --outfile request",
       {{Kind::kDns, "y"}}},
  };
  for (const auto& test : kCases) {
    shop.Run(test.command);
    const auto request = CertificateRequest::FromPem(shop.Read("request"));
    ASSERT_TRUE(request.ok()) << test.command << request.status();
    EXPECT_EQ(request->alternative_names(), test.names) << test.command;
  }
}

TEST(CertificateRequestTest, TheSignatureProvesPossessionOfTheKey) {
  const auto request = CertificateRequest::Create(Key(), Name("/CN=x"), {{Kind::kDns, "x"}});
  ASSERT_TRUE(request.ok());
  std::string other_name = request->der();
  other_name[other_name.find("x")] = 'y';
  EXPECT_EQ(ReasonOfReading(other_name), Reason::kSignatureInvalid);
  RawRequest other_key;
  other_key.public_key = PrivateKey::Generate(KeyType::kP256)->public_key().der();
  EXPECT_EQ(ReasonOfReading(other_key.Build()), Reason::kSignatureInvalid);
}

TEST(CertificateRequestTest, RefusesWeakKeysAndAlgorithms) {
  const Workshop shop;
  const struct {
    const char* options;
    Reason expected;
  } kCases[] = {
      {"-newkey rsa:1024", Reason::kKeyTooWeak},
      {"-newkey rsa:2048 -pkeyopt rsa_keygen_pubexp:3", Reason::kRequestMalformed},
      {"-newkey rsa:2048 -sha1", Reason::kAlgorithmNotAllowed},
      {"-newkey rsa:2048 -sha224", Reason::kAlgorithmNotAllowed},
      {"-newkey rsa:2048 -md5", Reason::kAlgorithmNotAllowed},
      {"-newkey ec -pkeyopt ec_paramgen_curve:P-256 -sha1", Reason::kAlgorithmNotAllowed},
      {"-newkey ec -pkeyopt ec_paramgen_curve:secp256k1", Reason::kAlgorithmNotAllowed},
      {"-newkey ec -pkeyopt ec_paramgen_curve:P-256 -pkeyopt ec_param_enc:explicit",
       Reason::kAlgorithmNotAllowed},
      {"-newkey ed448", Reason::kAlgorithmNotAllowed},
  };
  for (const auto& test : kCases) {
    shop.Run("openssl req -new -noenc -keyout key -subj /CN=x -out request " +
             std::string(test.options));
    const auto request = CertificateRequest::FromPem(shop.Read("request"));
    EXPECT_EQ(ReasonOf(request.status()), test.expected) << test.options << request.status();
  }
}

TEST(CertificateRequestTest, RefusesWhatIsMalformed) {
  const std::string san = ExtensionOf(kSubjectAltName, Names({Dns("x")}));
  struct Case {
    const char* what;
    RawRequest request;
  };
  std::vector<Case> cases;
  const auto with = [&](const char* what, std::string RawRequest::*field, std::string value) {
    RawRequest request;
    request.*field = std::move(value);
    cases.push_back({what, std::move(request)});
  };
  with("version 2", &RawRequest::version, Bytes("\x02\x01\x01"));
  with("no version", &RawRequest::version, "");
  with("no subject", &RawRequest::subject, "");
  with("a subject that is no name", &RawRequest::subject, Sequence({Bytes("\x05\x00")}));
  with("no key", &RawRequest::public_key, "");
  with("a key that is none", &RawRequest::public_key, Sequence({}));
  with("an algorithm that is none", &RawRequest::algorithm, Sequence({}));
  with("ECDSA with NULL", &RawRequest::algorithm,
       Sequence({Oid("1.2.840.10045.4.3.2"), Bytes("\x05\x00")}));
  with("something after it", &RawRequest::tail, "x");
  with("something in it", &RawRequest::tail_of_request, Bytes("\x05\x00"));
  with("something in its signed part", &RawRequest::tail_of_info, Bytes("\x05\x00"));
  const auto with_attributes = [&](const char* what, const std::string& attributes) {
    with(what, &RawRequest::attributes, Tlv(0xa0, attributes));
  };
  with_attributes("attributes that are none", "x");
  with_attributes("an attribute without values", Sequence({Oid(kExtensionRequest)}));
  with_attributes("an attribute with more", Sequence({Oid("1.2.3"), Set({}), Set({})}));
  with_attributes("an empty extension request", Sequence({Oid(kExtensionRequest), Set({})}));
  with_attributes("no extension in it", ExtensionRequest({}));
  with_attributes("two values",
                  Sequence({Oid(kExtensionRequest), Set({Sequence({san}), Sequence({san})})}));
  with_attributes("two extension requests", ExtensionRequest({san}) + ExtensionRequest({san}));
  with_attributes("two extension requests of two makers",
                  ExtensionRequest({san}) + ExtensionRequest({san}, "1.3.6.1.4.1.311.2.1.14"));
  with_attributes("an extension twice", ExtensionRequest({san, san}));
  with_attributes("no names", ExtensionRequest({ExtensionOf(kSubjectAltName, Names({}))}));
  with_attributes("an address of three bytes",
                  ExtensionRequest({ExtensionOf(kSubjectAltName, Names({Tlv(0x87, "abc")}))}));
  with_attributes("a name with NUL",
                  ExtensionRequest({ExtensionOf(kSubjectAltName, Names({Dns(Bytes("x\0y"))}))}));
  for (const Case& test : cases) {
    EXPECT_EQ(ReasonOfReading(test.request.Build()), Reason::kRequestMalformed) << test.what;
  }
  EXPECT_EQ(ReasonOfReading(""), Reason::kRequestMalformed);
  EXPECT_EQ(ReasonOfReading(std::string(kMaxRequestBytes + 1, '\x30')), Reason::kRequestMalformed);
}

TEST(CertificateRequestTest, ReadsWhatIsOddAndMeansOneThing) {
  const std::string san = ExtensionOf(kSubjectAltName, Names({Dns("x")}));
  const struct {
    const char* what;
    std::string attributes;
    size_t names;
  } kCases[] = {
      {"the usual", Tlv(0xa0, ExtensionRequest({san})), 1},
      {"no attributes at all", "", 0},
      {"empty attributes", Tlv(0xa0, ""), 0},
      {"Microsoft's attribute", Tlv(0xa0, ExtensionRequest({san}, "1.3.6.1.4.1.311.2.1.14")), 1},
      {"attributes that are not known",
       Tlv(0xa0, Sequence({Oid("1.2.3.4"), Set({Bytes("\x05\x00")})}) + ExtensionRequest({san})),
       1},
      {"extensions without names", Tlv(0xa0, ExtensionRequest({ExtensionOf("2.5.29.15", "x")})), 0},
  };
  for (const auto& test : kCases) {
    RawRequest raw;
    raw.attributes = test.attributes;
    const auto request = CertificateRequest::FromDer(raw.Build());
    ASSERT_TRUE(request.ok()) << test.what << request.status();
    EXPECT_EQ(request->alternative_names().size(), test.names) << test.what;
  }
}

TEST(CertificateRequestTest, SaysWhatTheTextHoldsInstead) {
  const auto request = CertificateRequest::Create(Key(), Name("/CN=x"), {});
  ASSERT_TRUE(request.ok());
  const std::string pem = request->ToPem();
  const struct {
    std::string text;
    const char* expected;
  } kCases[] = {
      {"", "nothing but white space"},
      {request->der(), "openssl req -inform DER"},
      {FormatPem("CERTIFICATE", "x"), "got a certificate (BEGIN CERTIFICATE)"},
      {std::string(Key().ToPem().Reveal()), "got a private key"},
      {pem + pem, "several"},
      {pem.substr(0, pem.size() / 2), "does not end"},
      {FormatPem("CERTIFICATE REQUEST", request->der() + "x"), "should end"},
  };
  for (const auto& test : kCases) {
    const auto read = CertificateRequest::FromPem(test.text);
    ASSERT_FALSE(read.ok()) << test.expected;
    EXPECT_EQ(ReasonOf(read.status()), Reason::kRequestMalformed);
    const std::string message(ToStd(read.status().message()));
    EXPECT_NE(message.find(test.expected), std::string::npos) << message;
  }
}

TEST(CertificateRequestTest, DoesNotAskForNamesThatNoCertificateCanHave) {
  const struct {
    Kind kind;
    std::string value;
  } kCases[] = {
      {Kind::kDns, ""},           {Kind::kDns, "a b"},
      {Kind::kDns, "a.*.b"},      {Kind::kDns, "a..b"},
      {Kind::kDns, Bytes("a\0")}, {Kind::kDns, std::string(64, 'a')},
      {Kind::kIp, "abc"},         {Kind::kIp, ""},
      {Kind::kUri, ""},           {Kind::kUri, "no-scheme"},
      {Kind::kUri, ":x"},         {Kind::kUri, "http:"},
      {Kind::kUri, "1http://x"},  {Kind::kUri, "http://a b"},
      {Kind::kEmail, "x"},        {Kind::kEmail, "@x"},
      {Kind::kEmail, "x@"},       {Kind::kEmail, "x y@z"},
      {Kind::kDirectory, "x"},    {Kind::kOther, "x"},
      {Kind::kOther, Dns("x")},  // a DNS name in disguise
  };
  for (const auto& test : kCases) {
    const auto made = CertificateRequest::Create(Key(), Name("/CN=x"), {{test.kind, test.value}});
    EXPECT_EQ(ReasonOf(made.status()), Reason::kRequestMalformed) << test.value;
  }
}

TEST(CertificateRequestTest, SurvivesMutations) {
  const auto request = CertificateRequest::Create(Key(), Name("/C=US/CN=x"),
                                                  {{Kind::kDns, "x"}, {Kind::kUri, "a:b"}});
  ASSERT_TRUE(request.ok());
  testing::DerMutator mutator(3);
  int read = 0;
  for (int i = 0; i < 3000; ++i) {
    const std::string mutated = mutator.Mutate(request->der());
    const auto again = CertificateRequest::FromDer(mutated);
    if (again.ok()) {
      // What is read and differs would be a second form of the same signed bytes.
      EXPECT_EQ(mutated, request->der());
      ++read;
    } else {
      EXPECT_TRUE(ReasonOf(again.status()).has_value());
    }
  }
  EXPECT_LT(read, 300);
}

}  // namespace
}  // namespace troth
