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
  bool has_encrypted_key = false;
  std::vector<CertificateRequest> requests;
  std::vector<Crl> crls;
  std::vector<std::string> others;  // other PEM blocks, in words

  bool holds_nothing() const {
    return certificates.empty() && !key.has_value() && !has_encrypted_key && requests.empty() &&
           crls.empty() && others.empty();
  }
};

// Reads `path`, as far as it can be read, and adds what is wrong with it to `diagnosis`.
ExaminedFile ExamineFile(const std::string& path, Diagnosis& diagnosis);

}  // namespace troth
