#include <algorithm>
#include <utility>

#include "troth/base/strings.h"
#include "troth/doctor/file_set_internal.h"

namespace troth {

bool IsLeaf(const Certificate& certificate) {
  if (!certificate.is_ca()) return true;
  return !certificate.basic_constraints().has_value() && !certificate.IsSelfSigned();
}

bool IsRoot(const Certificate& certificate) {
  return certificate.is_ca() && certificate.IsSelfSigned();
}

std::string Called(const Certificate& certificate) {
  if (!certificate.subject().empty())
    return "'" + Printable(certificate.subject().ToString()) + "'";
  if (!certificate.alternative_names().empty()) {
    return "'" + Printable(certificate.alternative_names()[0].ToPlainString()) + "'";
  }
  return "with serial number " + certificate.serial_number().ToHex();
}

std::vector<Certificate> Chain::others() const {
  std::vector<Certificate> others = file->certificates;
  others.erase(others.begin() + static_cast<std::ptrdiff_t>(at));
  return others;
}

FileSet::FileSet(std::vector<ExaminedFile> files) : files_(std::move(files)) {
  std::vector<Certificate> roots;
  std::vector<Certificate> others;
  for (const ExaminedFile& file : files_) {
    // Of several the one that is served: that with a key.
    auto leaf = std::ranges::find_if(file.certificates, [&](const Certificate& certificate) {
      return IsLeaf(certificate) && KeyOf(certificate.public_key()) != nullptr;
    });
    if (leaf == file.certificates.end()) leaf = std::ranges::find_if(file.certificates, IsLeaf);
    const bool has_leaf = leaf != file.certificates.end();
    if (has_leaf) {
      chains_.push_back({&file, static_cast<size_t>(leaf - file.certificates.begin())});
    } else if (!file.certificates.empty()) {
      bundles_.push_back(&file);
    }
    for (const Certificate& certificate : file.certificates) {
      if (IsLeaf(certificate)) continue;
      if (std::ranges::find(authorities_, certificate) == authorities_.end()) {
        authorities_.push_back(certificate);
      }
      if (!has_leaf) (IsRoot(certificate) ? roots : others).push_back(certificate);
    }
  }
  has_root_ = !roots.empty();
  trust_ = TrustBundle::FromCertificates(has_root_ ? std::move(roots) : std::move(others));
}

std::vector<Crl> FileSet::Crls() const {
  std::vector<Crl> all;
  for (const ExaminedFile& file : files_) all.insert(all.end(), file.crls.begin(), file.crls.end());
  return all;
}

const ExaminedFile* FileSet::KeyOf(const PublicKey& key) const {
  const auto found = std::ranges::find_if(files_, [&](const ExaminedFile& file) {
    return file.key.has_value() && file.key->public_key() == key;
  });
  return found == files_.end() ? nullptr : &*found;
}

const ExaminedFile& FileSet::FileOf(const Certificate& certificate) const {
  return *std::ranges::find_if(files_, [&](const ExaminedFile& file) {
    return std::ranges::find(file.certificates, certificate) != file.certificates.end();
  });
}

}  // namespace troth
