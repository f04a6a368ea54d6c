// Troth's reader against OpenSSL's: what both read must mean the same, and what Troth reads OpenSSL
// reads too.
#include <gtest/gtest.h>
#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/x509v3.h>

#include <array>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "troth/base/encoding.h"
#include "troth/base/strings.h"
#include "troth/pki/certificate.h"
#include "troth/pki/der_testing.h"
#include "troth/pki/openssl_testing.h"

namespace troth {
namespace {

using testing::ReadWithOpenssl;
using testing::X509Ptr;

std::string OidOf(const ASN1_OBJECT* object) {
  std::array<char, 512> text{};
  OBJ_obj2txt(text.data(), text.size(), object, 1);
  return text.data();
}

std::string BytesOf(const ASN1_STRING* text) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
          static_cast<size_t>(ASN1_STRING_length(text))};
}

// "oid=value, ..." of a name, as each side sees it.
std::string View(const X509_NAME* name) {
  std::string view;
  for (int i = 0; i < X509_NAME_entry_count(name); ++i) {
    const X509_NAME_ENTRY* entry = X509_NAME_get_entry(name, i);
    const ASN1_STRING* data = X509_NAME_ENTRY_get_data(entry);
    view += OidOf(X509_NAME_ENTRY_get_object(entry)) + "=";
    unsigned char* utf8 = nullptr;
    const int length = ASN1_STRING_to_UTF8(&utf8, data);
    if (ASN1_STRING_type(data) == V_ASN1_BIT_STRING || length < 0) {
      view += "#";
    } else {
      view.append(reinterpret_cast<const char*>(utf8), static_cast<size_t>(length));
    }
    OPENSSL_free(utf8);
    view += ", ";
  }
  return view;
}

std::string View(const DistinguishedName& name) {
  std::string view;
  for (const NameAttribute& attribute : name.attributes()) {
    const bool bits = attribute.value.starts_with("#03");
    view += attribute.oid + "=" + (bits ? "#" : attribute.value) + ", ";
  }
  return view;
}

std::string View(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return "no time";
  return FormatTime(Time(Seconds(timegm(&parts))));
}

std::string View(const STACK_OF(GENERAL_NAME) * names) {
  std::string view;
  for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
    int type = 0;
    const void* value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, i), &type);
    const auto* text = static_cast<const ASN1_STRING*>(value);
    if (type == GEN_DNS) {
      view += "DNS:" + BytesOf(text);
    } else if (type == GEN_URI) {
      view += "URI:" + BytesOf(text);
    } else if (type == GEN_EMAIL) {
      view += "email:" + BytesOf(text);
    } else if (type == GEN_IPADD) {
      view += "IP:" + ToHex(BytesOf(text));
    } else if (type == GEN_DIRNAME) {
      view += "directory:" + View(static_cast<const X509_NAME*>(value));
    } else {
      view += "other";
    }
    view += ", ";
  }
  return view;
}

std::string View(const std::vector<AlternativeName>& names) {
  using Kind = AlternativeName::Kind;
  std::string view;
  for (const AlternativeName& name : names) {
    switch (name.kind) {
      case Kind::kDns:
        view += "DNS:" + name.value;
        break;
      case Kind::kUri:
        view += "URI:" + name.value;
        break;
      case Kind::kEmail:
        view += "email:" + name.value;
        break;
      case Kind::kIp:
        view += "IP:" + ToHex(name.value);
        break;
      case Kind::kDirectory:
        view += "directory:" + View(*DistinguishedName::FromDer(name.value));
        break;
      case Kind::kOther:
        view += "other";
    }
    view += ", ";
  }
  return view;
}

template <typename T>
std::shared_ptr<T> Decoded(const X509* certificate, int nid, void (*free)(T*)) {
  return {static_cast<T*>(X509_get_ext_d2i(certificate, nid, nullptr, nullptr)), [free](T* value) {
            if (value != nullptr) free(value);
          }};
}

std::string View(const std::optional<std::string>& bytes) { return bytes ? ToHex(*bytes) : "none"; }

// Every field that both sides know, a line each.
std::string OurView(const Certificate& certificate) {
  std::string view = "version " + std::to_string(certificate.version());
  view += "\nserial " + ToHex(certificate.serial_number().der_content());
  view += "\nsubject " + View(certificate.subject()) + "\nissuer " + View(certificate.issuer());
  view += "\ntimes " + FormatTime(certificate.validity().not_before) + " " +
          FormatTime(certificate.validity().not_after);
  view += "\nnames " + View(certificate.alternative_names());
  std::string usage = "none";
  if (certificate.key_usage().has_value()) usage = std::to_string(*certificate.key_usage());
  view += "\nkeyUsage " + usage;
  view += "\nextKeyUsage ";
  for (const std::string& oid :
       certificate.extended_key_usage().value_or(std::vector<std::string>())) {
    view += oid + " ";
  }
  view += "\nconstraints ";
  if (certificate.basic_constraints().has_value()) {
    view += std::to_string(certificate.basic_constraints()->is_ca) + " " +
            std::to_string(certificate.basic_constraints()->path_length.value_or(-1));
  }
  view += "\nkey ids " + View(certificate.subject_key_id()) + " " +
          View(certificate.authority_key_id());
  view += "\nextensions ";
  for (const Extension& extension : certificate.extensions()) {
    view += extension.oid + (extension.critical ? "!" : "") + "=" + ToHex(extension.value) + " ";
  }
  view += "\nkey " + ToHex(certificate.public_key().key_bits());
  return view + "\nsignature " + ToHex(certificate.signature());
}

std::string OpensslView(X509* certificate) {
  std::string view = "version " + std::to_string(X509_get_version(certificate) + 1);
  unsigned char* serial = nullptr;
  const int serial_size = i2d_ASN1_INTEGER(X509_get_serialNumber(certificate), &serial);
  view += "\nserial " +
          ToHex({reinterpret_cast<const char*>(serial) + 2, static_cast<size_t>(serial_size) - 2});
  OPENSSL_free(serial);
  view += "\nsubject " + View(X509_get_subject_name(certificate)) + "\nissuer " +
          View(X509_get_issuer_name(certificate));
  view += "\ntimes " + View(X509_get0_notBefore(certificate)) + " " +
          View(X509_get0_notAfter(certificate));
  const auto names = Decoded<GENERAL_NAMES>(certificate, NID_subject_alt_name, GENERAL_NAMES_free);
  view += "\nnames " + View(names.get());
  const auto bits = Decoded<ASN1_BIT_STRING>(certificate, NID_key_usage, ASN1_BIT_STRING_free);
  int usage = 0;
  for (int bit = 0; bits != nullptr && bit < 9; ++bit) {
    usage |= ASN1_BIT_STRING_get_bit(bits.get(), bit) << bit;
  }
  view += "\nkeyUsage " + (bits == nullptr ? "none" : std::to_string(usage));
  const auto purposes =
      Decoded<EXTENDED_KEY_USAGE>(certificate, NID_ext_key_usage, EXTENDED_KEY_USAGE_free);
  view += "\nextKeyUsage ";
  for (int i = 0; i < sk_ASN1_OBJECT_num(purposes.get()); ++i) {
    view += OidOf(sk_ASN1_OBJECT_value(purposes.get(), i)) + " ";
  }
  const auto constraints =
      Decoded<BASIC_CONSTRAINTS>(certificate, NID_basic_constraints, BASIC_CONSTRAINTS_free);
  view += "\nconstraints ";
  if (constraints != nullptr) {
    const long length =
        constraints->pathlen == nullptr ? -1 : ASN1_INTEGER_get(constraints->pathlen);
    view += std::to_string(constraints->ca != 0) + " " + std::to_string(length);
  }
  const auto subject_id =
      Decoded<ASN1_OCTET_STRING>(certificate, NID_subject_key_identifier, ASN1_OCTET_STRING_free);
  const auto authority_id =
      Decoded<AUTHORITY_KEYID>(certificate, NID_authority_key_identifier, AUTHORITY_KEYID_free);
  view += "\nkey ids " + (subject_id == nullptr ? "none" : ToHex(BytesOf(subject_id.get())));
  view += " " + (authority_id == nullptr || authority_id->keyid == nullptr
                     ? "none"
                     : ToHex(BytesOf(authority_id->keyid)));
  view += "\nextensions ";
  for (int i = 0; i < X509_get_ext_count(certificate); ++i) {
    X509_EXTENSION* extension = X509_get_ext(certificate, i);
    view += OidOf(X509_EXTENSION_get_object(extension)) +
            (X509_EXTENSION_get_critical(extension) != 0 ? "!" : "") + "=" +
            ToHex(BytesOf(X509_EXTENSION_get_data(extension))) + " ";
  }
  view += "\nkey " + ToHex(BytesOf(X509_get0_pubkey_bitstr(certificate)));
  const ASN1_BIT_STRING* signature = nullptr;
  X509_get0_signature(&signature, nullptr, certificate);
  return view + "\nsignature " + ToHex(BytesOf(signature));
}

std::string ErrorText() {
  std::array<char, 256> text{};
  ERR_error_string_n(ERR_peek_error(), text.data(), text.size());
  return text.data();
}

void ExpectSameView(const Certificate& certificate) {
  const X509Ptr theirs = ReadWithOpenssl(certificate.der());
  ASSERT_NE(theirs, nullptr) << ErrorText() << "\n" << certificate.ToPem();
  EXPECT_EQ(OurView(certificate), OpensslView(theirs.get())) << certificate.ToPem();
}

// Name and content of every file of `folder`, in the order of their names.
std::map<std::string, std::string> FilesOf(const std::string& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    std::ifstream file(entry.path(), std::ios::binary);
    files[entry.path().filename().string()] = {std::istreambuf_iterator<char>(file), {}};
  }
  return files;
}

constexpr std::string_view kCorpus = TROTH_SOURCE_DIR "/fuzz/corpus/certificate_fuzz";

void ExpectSameViewOfFile(const std::string& name, const std::string& der) {
  SCOPED_TRACE(name);
  const absl::StatusOr<Certificate> certificate = Certificate::FromDer(der);
  ASSERT_TRUE(certificate.ok()) << certificate.status();
  ExpectSameView(*certificate);
}

TEST(CertificateAgainstOpensslTest, ReadsWhatTheInstalledOpensslMakes) {
  const testing::Workshop workshop;
  workshop.Run(TROTH_SOURCE_DIR "/fuzz/make_corpus.sh .");
  const auto files = FilesOf(workshop.PathOf("certificate_fuzz"));
  EXPECT_GT(files.size(), 25u);
  for (const auto& [name, der] : files) ExpectSameViewOfFile(name, der);
}

TEST(CertificateAgainstOpensslTest, ReadsTheSeedsOfTheFuzzer) {
  const auto files = FilesOf(std::string(kCorpus));
  EXPECT_GT(files.size(), 25u);
  for (const auto& [name, der] : files) ExpectSameViewOfFile(name, der);
}

// The seeds and the mutator are the same in every run, so this never fails by chance.
// TROTH_MUTANTS=100000 looks further.
TEST(CertificateAgainstOpensslTest, MutantsThatAreReadMeanTheSameToOpenssl) {
  const char* wanted = std::getenv("TROTH_MUTANTS");
  const int mutants = wanted != nullptr ? std::atoi(wanted) : 400;
  std::uint32_t seed = 1;
  int read = 0;
  int refused = 0;
  for (const auto& [name, der] : FilesOf(std::string(kCorpus))) {
    SCOPED_TRACE(name);
    testing::DerMutator mutator(seed++);
    for (int i = 0; i < mutants && !HasFailure(); ++i) {
      const absl::StatusOr<Certificate> mutant = Certificate::FromDer(mutator.Mutate(der));
      if (!mutant.ok()) {
        ++refused;
        continue;
      }
      ++read;
      ERR_clear_error();
      ExpectSameView(*mutant);
    }
  }
  EXPECT_GT(read, refused / 50);
  EXPECT_GT(refused, read);
}

}  // namespace
}  // namespace troth
