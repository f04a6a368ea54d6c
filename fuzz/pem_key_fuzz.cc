// Private keys. No key is kept as a seed: keys are made at the start, and the input says how to
// damage one.
//
// Input: a byte that chooses a key in one of its forms (modulo their number), a byte whose lowest
// bit says whether a passphrase is given, then edits of three bytes: an offset (big-endian) and
// what is XORed there. What follows 0xff in the first byte is PEM as it is.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "troth/base/fuzz_testing.h"
#include "troth/base/reason.h"
#include "troth/pki/der.h"
#include "troth/pki/key.h"
#include "troth/pki/pem.h"

namespace {

using troth::PrivateKey;
using troth::Require;

struct Form {
  std::string label;
  std::string headers;
  std::string body;
};

// EncryptedPrivateKeyInfo (RFC 8018) with little work in it, so that many are tried in a second.
// What is encrypted is not a key.
Form Pbes2() {
  namespace der = troth::der;
  der::Writer writer;
  writer.Nested(der::kSequence, [&] {
    writer.Nested(der::kSequence, [&] {
      writer.Oid("1.2.840.113549.1.5.13");
      writer.Nested(der::kSequence, [&] {
        writer.Nested(der::kSequence, [&] {
          writer.Oid("1.2.840.113549.1.5.12");
          writer.Nested(der::kSequence, [&] {
            writer.Element(der::kOctetString, "saltsalt");
            writer.Integer(1);
          });
        });
        writer.Nested(der::kSequence, [&] {
          writer.Oid("2.16.840.1.101.3.4.1.42");
          writer.Element(der::kOctetString, std::string(16, 'i'));
        });
      });
    });
    writer.Element(der::kOctetString, std::string(32, 'x'));
  });
  return {"ENCRYPTED PRIVATE KEY", "", writer.Take()};
}

const troth::Secret& ThePassphrase() {
  static const auto* const passphrase = new troth::Secret(std::string("open sesame"));
  return *passphrase;
}

std::vector<Form> MakeForms() {
  std::vector<Form> forms{Pbes2()};
  const auto add = [&](std::string_view pem) {
    const auto blocks = troth::ParsePem(pem);
    Require(blocks.ok());
    const troth::PemBlock& block = blocks->front();
    forms.push_back({block.label, block.headers, std::string(block.content.Reveal())});
  };
  for (const troth::KeyType type : {troth::KeyType::kP256, troth::KeyType::kP384,
                                    troth::KeyType::kEd25519, troth::KeyType::kRsa2048}) {
    const auto key = PrivateKey::Generate(type);
    Require(key.ok());
    add(key->ToPem(PrivateKey::Format::kPkcs8).Reveal());
    if (type == troth::KeyType::kEd25519) continue;
    add(key->ToPem(PrivateKey::Format::kTraditional).Reveal());
    const auto encrypted = key->ToEncryptedPem(ThePassphrase(), PrivateKey::Format::kTraditional);
    Require(encrypted.ok());
    add(encrypted->Reveal());
  }
  return forms;
}

std::string Compose(const Form& form, std::string_view body) {
  std::string pem = troth::FormatPem(form.label, body);
  if (!form.headers.empty()) pem.insert(pem.find('\n') + 1, form.headers + "\n\n");
  return pem;
}

void Read(std::string_view pem, const troth::Secret* passphrase) {
  const auto key = PrivateKey::FromPem(pem, passphrase);
  if (!key.ok()) {
    const auto reason = troth::ReasonOf(key.status());
    Require(reason == troth::Reason::kKeyMalformed || reason == troth::Reason::kKeyEncrypted ||
            reason == troth::Reason::kPassphraseWrong ||
            reason == troth::Reason::kAlgorithmNotAllowed);
    return;
  }
  const auto again = PrivateKey::FromPem(key->ToPem().Reveal());
  Require(again.ok() && again->public_key() == key->public_key());
  const auto signature = key->Sign("message");
  Require(signature.ok() &&
          key->public_key().Verify(key->signature_algorithm(), "message", *signature).ok());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, size_t size) {
  static const std::vector<Form>& forms = *new std::vector<Form>(MakeForms());
  if (size < 2) return 0;
  const troth::Secret* passphrase = (data[1] & 1) != 0 ? &ThePassphrase() : nullptr;
  if (data[0] == 0xff) {
    Read({reinterpret_cast<const char*>(data) + 2, size - 2}, passphrase);
    return 0;
  }
  const Form& form = forms[data[0] % forms.size()];
  std::string body = form.body;
  for (size_t at = 2; at + 2 < size; at += 3) {
    const size_t offset = (size_t{data[at]} << 8 | data[at + 1]) % body.size();
    body[offset] = static_cast<char>(body[offset] ^ data[at + 2]);
  }
  Read(Compose(form, body), passphrase);
  return 0;
}
