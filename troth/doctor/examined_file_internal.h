// One file: what it holds, and what is wrong with its form.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "troth/doctor/diagnosis.h"
#include "troth/pki/certificate.h"
#include "troth/pki/certificate_request.h"
#include "troth/pki/crl.h"
#include "troth/pki/key.h"

namespace troth {

struct ExaminedFile {
  std::string path;
  std::vector<Certificate> certificates;  // in the file's order
  // Where each lies among the PEM blocks of the file; empty for DER.
  std::vector<size_t> blocks;
  // Nothing but certificates, in PEM that every program reads; there may be text around them.
  bool only_certificates = false;
  bool ends_in_line_end = true;  // so that something can be appended
  std::optional<PrivateKey> key;
  std::optional<std::string> encrypted_key;  // its form: "an encrypted private key (BEGIN ...)"
  std::vector<CertificateRequest> requests;
  std::vector<Crl> crls;
  std::vector<std::string> others;  // other PEM blocks, in words

  bool has_some_key() const { return key.has_value() || encrypted_key.has_value(); }
};

// How much more is taken from files, so that the work stays bounded.
struct FileAllowance {
  size_t certificates = 1000;
  size_t crls = 1000;
};

// Reads `path`, as far as it can be read and `allowance` goes, and adds what is wrong with it to
// `diagnosis`. Whether an encrypted key is wrong depends on the other files, and is left open.
ExaminedFile ExamineFile(const std::string& path, FileAllowance& allowance, Diagnosis& diagnosis);

}  // namespace troth
