#include "troth/pki/pem.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/pki/der_testing.h"
#include "troth/pki/openssl_testing.h"

namespace troth {
namespace {

using testing::Bytes;
using testing::Workshop;

const char kBlock[] =
    "-----BEGIN CERTIFICATE-----\n"
    "aGVsbG8sIHdvcmxk\n"
    "-----END CERTIFICATE-----\n";

// The one block's content, or the error.
std::string ContentOf(std::string_view text) {
  const absl::StatusOr<std::vector<PemBlock>> blocks = ParsePem(text);
  if (!blocks.ok()) return blocks.status().ToString();
  EXPECT_EQ(blocks->size(), 1U);
  return std::string(blocks->front().content.Reveal());
}

std::string ErrorOf(std::string_view text) {
  const absl::StatusOr<std::vector<PemBlock>> blocks = ParsePem(text);
  EXPECT_FALSE(blocks.ok()) << text;
  EXPECT_EQ(ReasonOf(blocks.status()), Reason::kFileWrongFormat) << text;
  return std::string(ToStd(blocks.status().message()));
}

std::string WithCrlf(std::string text) {
  for (size_t at = 0; (at = text.find('\n', at)) != std::string::npos; at += 2) {
    text.replace(at, 1, "\r\n");
  }
  return text;
}

TEST(PemTest, ReadsWhatItWrites) {
  for (const size_t size : {1, 2, 3, 47, 48, 49, 96, 5000}) {
    std::string content;
    for (size_t i = 0; i < size; ++i) content += static_cast<char>(i * 7);
    const std::string pem = FormatPem("X509 CRL", content);
    const auto blocks = ParsePem(pem);
    ASSERT_TRUE(blocks.ok()) << blocks.status();
    ASSERT_EQ(blocks->size(), 1U);
    EXPECT_EQ((*blocks)[0].label, "X509 CRL");
    EXPECT_EQ((*blocks)[0].headers, "");
    EXPECT_EQ((*blocks)[0].content.Reveal(), content);
    for (const std::string_view line : Split(pem, '\n')) EXPECT_LE(line.size(), 64U);
  }
}

TEST(PemTest, ReadsTheFormsThatFilesHave) {
  const std::string plain = kBlock;
  const struct {
    const char* what;
    std::string text;
  } kCases[] = {
      {"LF", plain},
      {"CRLF", WithCrlf(plain)},
      {"no line end at the end", plain.substr(0, plain.size() - 1)},
      {"UTF-8 byte order mark", "\xef\xbb\xbf" + plain},
      {"text before and after", "Bag Attributes\n  localKeyID: 01\n" + plain + "subject=x\n"},
      {"one line", "-----BEGIN CERTIFICATE-----aGVsbG8sIHdvcmxk-----END CERTIFICATE-----"},
      {"body on one line",
       "-----BEGIN CERTIFICATE-----\naGVsbG8sIHdvcmxk-----END CERTIFICATE-----"},
      {"indented",
       "  -----BEGIN CERTIFICATE-----\n  aGVs\n  bG8sIHdvcmxk\n  -----END CERTIFICATE-----"},
      {"short lines",
       "-----BEGIN CERTIFICATE-----\na\nG\nVsbG8sIHdv\ncmxk\n-----END CERTIFICATE-----\n"},
      {"blank lines",
       "-----BEGIN CERTIFICATE-----\n\naGVsbG8sIHdvcmxk\n\n-----END CERTIFICATE-----\n"},
      {"spaces at line ends",
       "-----BEGIN CERTIFICATE-----  \naGVsbG8sIHdvcmxk \t\n-----END CERTIFICATE-----  \n"},
  };
  for (const auto& test : kCases) EXPECT_EQ(ContentOf(test.text), "hello, world") << test.what;
}

TEST(PemTest, KeepsBlocksInOrderWithTheirLabels) {
  // The second begins right after the first ends: files joined where the first has no line end.
  std::string text = FormatPem("CERTIFICATE", "leaf");
  text.pop_back();
  text += FormatPem("CERTIFICATE", "ca") + FormatPem("PRIVATE KEY", "key");
  const auto blocks = ParsePem(text);
  ASSERT_TRUE(blocks.ok()) << blocks.status();
  ASSERT_EQ(blocks->size(), 3U);
  EXPECT_EQ((*blocks)[0].content.Reveal(), "leaf");
  EXPECT_EQ((*blocks)[1].content.Reveal(), "ca");
  EXPECT_EQ((*blocks)[2].label, "PRIVATE KEY");
}

TEST(PemTest, KeepsHeaders) {
  const std::string text =
      "-----BEGIN RSA PRIVATE KEY-----\n"
      "Proc-Type: 4,ENCRYPTED\n"
      "DEK-Info: DES-EDE3-CBC,0011223344556677\n"
      "\n"
      "aGVsbG8sIHdvcmxk\n"
      "-----END RSA PRIVATE KEY-----\n";
  for (const std::string& form : {text, WithCrlf(text)}) {
    const auto blocks = ParsePem(form);
    ASSERT_TRUE(blocks.ok()) << blocks.status();
    EXPECT_EQ((*blocks)[0].headers,
              "Proc-Type: 4,ENCRYPTED\nDEK-Info: DES-EDE3-CBC,0011223344556677");
    EXPECT_EQ((*blocks)[0].content.Reveal(), "hello, world");
  }
}

TEST(PemTest, DropsNothingInSilence) {
  const std::string good = kBlock;
  const struct {
    const char* what;
    std::string damaged;
  } kCases[] = {
      {"no END line", "-----BEGIN CERTIFICATE-----\naGVsbG8sIHdvcmxk\n"},
      {"cut within its END line", good.substr(0, good.size() - 4)},
      {"no BEGIN line", "aGVsbG8sIHdvcmxk\n-----END CERTIFICATE-----\n"},
      {"ends as another", "-----BEGIN CERTIFICATE-----\naGVs\n-----END PRIVATE KEY-----\n"},
      {"another begins inside", "-----BEGIN CERTIFICATE-----\naGVs\n" + good},
      {"four hyphens before BEGIN", good.substr(1)},
      {"no hyphens after the label", "-----BEGIN CERTIFICATE\naGVs\n-----END CERTIFICATE-----\n"},
      {"no label", "-----BEGIN -----\naGVs\n-----END -----\n"},
      {"empty body", "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"},
      {"not base64", "-----BEGIN CERTIFICATE-----\naGV*\n-----END CERTIFICATE-----\n"},
      {"base64 that is cut", "-----BEGIN CERTIFICATE-----\naGVsb\n-----END CERTIFICATE-----\n"},
      {"padding inside", "-----BEGIN CERTIFICATE-----\naA==aGVs\n-----END CERTIFICATE-----\n"},
      {"line ends written out", "-----BEGIN CERTIFICATE-----\\naGVs\\n-----END CERTIFICATE-----"},
      {"headers without an end", "-----BEGIN X-----\nDEK-Info: x\naGVs\n-----END X-----\n"},
  };
  for (const auto& test : kCases) {
    ErrorOf(test.damaged);
    ErrorOf(good + test.damaged);
    // A block after the damaged one does not hide it.
    ErrorOf(test.damaged + good);
  }
}

TEST(PemTest, SaysWhatTheTextIsInsteadOfPem) {
  std::string utf16_little = "\xff\xfe";
  std::string utf16_big = "\xfe\xff";
  std::string utf16_unmarked;
  for (const char c : std::string(kBlock)) {
    utf16_little += {c, '\0'};
    utf16_big += {'\0', c};
    utf16_unmarked += {c, '\0'};
  }
  const struct {
    std::string text;
    const char*
        expected;  // part of the message: it names the kind and, where there is one, the way out
  } kCases[] = {
      {"", "nothing but white space"},
      {" \r\n\t", "nothing but white space"},
      {utf16_little, "iconv"},
      {utf16_big, "iconv"},
      {utf16_unmarked, "iconv"},
      {"just a note", "got other text"},
      {"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 me@host", "SSH public key"},
      {"MIIBszCCAVmgAwIBAgIU\n", "base64 without BEGIN"},
      {"----BEGIN CERTIFICATE----\naGVs\n----END CERTIFICATE----\n", "hyphens"},
      {Bytes("\xfe\xed\xfe\xed\x00\x00\x00\x02"), "Java key store"},
      {Bytes("\x7f"
             "ELF\x02\x01\x01\x00\x00"),
       "binary data"},
      {"\x8f\x13z\xe2\x91k\x07\xd4\xb8\x1c\xff\x02Q\xa6\x99\x0e", "binary data"},
      {"gr\xc3\xbc\xc3\x9f dich", "got other text"},
      {"\xd0\xbf\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82", "got other text"},
      {"gr\xfc\xdf dich, liebe Welt", "got other text"},  // Latin-1
      {Bytes("\x30\x80\x00\x00"), "binary data"},
      {Bytes("\x30\x82\x10\x00\x02\x01"), "binary data"},
  };
  for (const auto& test : kCases) {
    const std::string error = ErrorOf(test.text);
    EXPECT_NE(error.find(test.expected), std::string::npos) << error;
    EXPECT_EQ(error.find("just a"), std::string::npos) << "what may be a passphrase: " << error;
  }
}

TEST(PemTest, NamesBinaryDerAndTheCommandThatConvertsIt) {
  const Workshop shop;
  shop.Run(
      "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -keyout k.pem -out "
      "c.pem "
      "-subj /CN=x");
  shop.Run("openssl x509 -in c.pem -outform DER -out certificate");
  shop.Run("openssl req -new -key k.pem -subj /CN=x -outform DER -out request");
  shop.Run("openssl pkey -in k.pem -outform DER -out sec1");
  shop.Run("openssl pkcs8 -topk8 -nocrypt -in k.pem -outform DER -out pkcs8");
  shop.Run("openssl pkcs8 -topk8 -passout pass:x -in k.pem -outform DER -out encrypted");
  shop.Run("openssl pkey -in k.pem -pubout -outform DER -out public");
  shop.Run("openssl pkcs12 -export -in c.pem -inkey k.pem -passout pass:x -out pkcs12");
  shop.Run("openssl crl2pkcs7 -nocrl -certfile c.pem -outform DER -out pkcs7");
  shop.Run(
      "touch index.txt && echo 01 >number && printf '[ca]\\ndefault_ca=d\\n[d]\\ndatabase=index.txt"
      "\\ncrlnumber=number\\ndefault_md=sha256\\ndefault_crl_days=1\\n' >ca.conf && openssl ca "
      "-config ca.conf -gencrl -cert c.pem -keyfile k.pem -out l.pem && openssl crl -in l.pem "
      "-outform DER -out list");
  const struct {
    const char* file;
    TextKind kind;
    const char* what;
    const char* command;
  } kCases[] = {
      {"certificate", TextKind::kCertificateDer, "a certificate in binary DER",
       "openssl x509 -inform DER"},
      {"request", TextKind::kCertificateRequestDer, "a certificate request in binary DER",
       "openssl req -inform DER"},
      {"sec1", TextKind::kPrivateKeyDer, "a private key in binary DER", "openssl pkey -inform DER"},
      {"pkcs8", TextKind::kPrivateKeyDer, "a private key in binary DER",
       "openssl pkey -inform DER"},
      {"encrypted", TextKind::kPrivateKeyDer, "a private key in binary DER",
       "openssl pkey -inform DER"},
      {"public", TextKind::kPublicKeyDer, "a public key in binary DER",
       "openssl pkey -pubin -inform DER"},
      {"pkcs12", TextKind::kPkcs12, "a PKCS#12 file", "openssl pkcs12 -noenc"},
      {"pkcs7", TextKind::kPkcs7Der, "PKCS#7 in binary DER", "openssl pkcs7 -inform DER"},
      {"list", TextKind::kCrlDer, "a revocation list in binary DER", "openssl crl -inform DER"},
  };
  for (const auto& test : kCases) {
    const std::string error = ErrorOf(shop.Read(test.file));
    EXPECT_NE(error.find(test.what), std::string::npos) << test.file << ": " << error;
    EXPECT_EQ(ReadPem(shop.Read(test.file)).kind, test.kind) << test.file;
    // The command that the message gives works.
    const size_t begin = error.find('`');
    ASSERT_NE(begin, std::string::npos) << error;
    std::string command = error.substr(begin + 1, error.find('`', begin + 1) - begin - 1);
    EXPECT_TRUE(command.starts_with(test.command)) << command;
    for (size_t at = 0; (at = command.find("FILE", at)) != std::string::npos;) {
      command.replace(at, 4, test.file);
    }
    const bool asks = std::string(test.file) == "pkcs12" || std::string(test.file) == "encrypted";
    shop.Run(command + (asks ? " -passin pass:x" : ""));
    EXPECT_TRUE(ParsePem(shop.Read(std::string(test.file) + ".pem")).ok()) << command;
  }
}

TEST(PemTest, TellsWhatATextIsByItsForm) {
  const std::string block(kBlock);
  const auto read = [](std::string_view text) { return ReadPem(text); };
  EXPECT_EQ(read(block).kind, TextKind::kPem);
  EXPECT_EQ(read("\xff\xfe").kind, TextKind::kUtf16);
  EXPECT_EQ(read("MIIBszCCAVmgAwIBAgIU").kind, TextKind::kBase64);
  // The base64 of a short key, which does not begin with "MII".
  EXPECT_EQ(read("MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n").kind,
            TextKind::kBase64);
  EXPECT_EQ(read("My passphrase").kind, TextKind::kOther);
  EXPECT_EQ(read("MyPassphrase").kind, TextKind::kOther);
  EXPECT_EQ(read("-----BEGIN X-----\\naGVs\\n-----END X-----").kind, TextKind::kEscapedLineEnds);

  EXPECT_FALSE(read(block).has_byte_order_mark);
  EXPECT_FALSE(read(block).has_marks_inside_lines);
  EXPECT_TRUE(read("\xef\xbb\xbf" + block).has_byte_order_mark);
  EXPECT_FALSE(read("\xef\xbb\xbf" + block).has_marks_inside_lines);
  for (const char* inside :
       {"-----BEGIN X----- aGVs\n-----END X-----\n", "-----BEGIN X-----\naGVs -----END X-----\n",
        "note: -----BEGIN X-----\naGVs\n-----END X-----\n",
        "-----BEGIN X-----\naGVs\n-----END X----- -----BEGIN X-----\naGVs\n-----END X-----"}) {
    EXPECT_TRUE(read(inside).blocks.ok()) << inside;
    EXPECT_TRUE(read(inside).has_marks_inside_lines) << inside;
  }
  EXPECT_FALSE(read("-----BEGIN X----- \r\naGVs\r\n-----END X-----\t\r\n").has_marks_inside_lines);
}

TEST(PemTest, SurvivesMutationsOfGoodText) {
  // Whatever it says, it says it without reading beyond the text: for the address sanitizer.
  const std::string good = FormatPem("CERTIFICATE", std::string(100, 'x')) + kBlock;
  for (size_t at = 0; at < good.size(); ++at) {
    for (const char c : {'\0', '-', '\n', '=', ':', '\xff'}) {
      std::string mutated = good;
      mutated[at] = c;
      if (const auto blocks = ParsePem(mutated); blocks.ok()) {
        EXPECT_GE(blocks->size(), 2U) << at << " " << c;
      }
    }
    (void)ReadPem(good.substr(0, at));
  }
}

TEST(PemTest, DescribesLabels) {
  EXPECT_EQ(DescribePemLabel("CERTIFICATE REQUEST"),
            "a certificate request (BEGIN CERTIFICATE REQUEST)");
  EXPECT_EQ(DescribePemLabel("SOMETHING\x1b"), "a block (BEGIN SOMETHING\\x1b)");
}

}  // namespace
}  // namespace troth
