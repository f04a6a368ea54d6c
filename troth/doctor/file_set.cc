#include <algorithm>
#include <utility>

#include "troth/doctor/file_set_internal.h"

namespace troth {
namespace {

bool Holds(const ExaminedFile& file, const Certificate& certificate) {
  return std::ranges::find(file.certificates, certificate) != file.certificates.end();
}

}  // namespace

std::vector<Certificate> Chain::others() const {
  std::vector<Certificate> others = file->certificates;
  others.erase(others.begin() + static_cast<std::ptrdiff_t>(at));
  return others;
}

FileSet::FileSet(std::vector<ExaminedFile> files) : files_(std::move(files)) {
  for (const ExaminedFile& file : files_) {
    crls_.insert(crls_.end(), file.crls.begin(), file.crls.end());
    for (const Certificate& certificate : file.certificates) {
      const auto [at, is_new] = roles_.try_emplace(certificate.fingerprint(), Role::kLeaf);
      if (!is_new) continue;
      at->second = FindRole(certificate);
      if (at->second != Role::kLeaf) authorities_.push_back(certificate);
    }
  }
  std::vector<const ExaminedFile*> without_leaf;
  for (const ExaminedFile& file : files_) {
    const std::optional<size_t> leaf = LeafOf(file);
    if (leaf.has_value() && !IsPinning(file, *leaf)) {
      chains_.push_back({&file, *leaf});
    } else if (!file.certificates.empty()) {
      without_leaf.push_back(&file);
    }
  }
  for (const ExaminedFile* file : without_leaf) {
    if (!OnlyRepeatsChains(*file)) bundles_.push_back(file);
  }
  Trust();
}

// Of several the one that is served: that with a key.
std::optional<size_t> FileSet::LeafOf(const ExaminedFile& file) const {
  std::optional<size_t> first;
  for (size_t i = 0; i < file.certificates.size(); ++i) {
    if (!IsLeaf(file.certificates[i])) continue;
    if (KeyOf(file.certificates[i].public_key()) != nullptr) return i;
    if (!first.has_value()) first = i;
  }
  return first;
}

// Whether the file's leaves, of which nobody here has the key, are there to be trusted: behind a
// CA, while another file has the leaf that is served, or among CAs that have nothing to do with
// them.
bool FileSet::IsPinning(const ExaminedFile& file, size_t leaf) const {
  const std::vector<Certificate>& all = file.certificates;
  if (file.has_some_key() || IsLeaf(all.front()) || KeyOf(all[leaf].public_key()) != nullptr ||
      std::ranges::none_of(all, [this](const Certificate& c) { return IsRoot(c); })) {
    return false;
  }
  const auto is_served = [this](const Certificate& certificate) {
    return IsLeaf(certificate) && KeyOf(certificate.public_key()) != nullptr;
  };
  if (std::ranges::any_of(files_, [&](const ExaminedFile& other) {
        return std::ranges::any_of(other.certificates, is_served);
      })) {
    return true;
  }
  // The CAs on the way up from the leaf, by name.
  std::vector<bool> above(all.size());
  std::vector<const Certificate*> below = {&all[leaf]};
  while (!below.empty()) {
    const Certificate& last = *below.back();
    below.pop_back();
    for (size_t i = 0; i < all.size(); ++i) {
      if (above[i] || IsLeaf(all[i]) || !all[i].subject().Matches(last.issuer())) continue;
      above[i] = true;
      below.push_back(&all[i]);
    }
  }
  for (size_t i = 0; i < all.size(); ++i) {
    if (!above[i] && !IsLeaf(all[i])) return true;
  }
  return false;
}

bool FileSet::OnlyRepeatsChains(const ExaminedFile& file) const {
  return std::ranges::all_of(file.certificates, [this](const Certificate& certificate) {
    return !IsRoot(certificate) && std::ranges::any_of(chains_, [&](const Chain& chain) {
      return Holds(*chain.file, certificate);
    });
  });
}

void FileSet::Trust() {
  std::vector<Certificate> trusted;
  std::vector<Certificate> intermediates;
  for (const ExaminedFile* file : bundles_) {
    for (const Certificate& certificate : file->certificates) {
      (RoleOf(certificate) == Role::kIntermediate ? intermediates : trusted).push_back(certificate);
    }
  }
  trusts_roots_ = !trusted.empty();
  trust_ = TrustBundle::FromCertificates(std::move(trusts_roots_ ? trusted : intermediates));
}

const Chain* FileSet::ChainOf(const ExaminedFile& file) const {
  const auto chain = std::ranges::find(chains_, &file, &Chain::file);
  return chain == chains_.end() ? nullptr : &*chain;
}

Role FileSet::RoleOf(const Certificate& certificate) const {
  return roles_.at(certificate.fingerprint());
}

bool FileSet::Issued(const Certificate& ca, const Certificate& certificate) const {
  if (!certificate.issuer().Matches(ca.subject())) return false;
  if (IsRefused(certificate.signature_algorithm()) || signatures_left_ == 0) return true;
  --signatures_left_;
  return ca.public_key()
      .Verify(certificate.signature_algorithm(), certificate.tbs_der(), certificate.signature())
      .ok();
}

bool FileSet::Issued(const Certificate& ca, const Crl& crl) const {
  if (!crl.issuer().Matches(ca.subject())) return false;
  if (signatures_left_ == 0) return true;
  --signatures_left_;
  return crl.VerifySignature(ca.public_key()).ok();
}

const ExaminedFile* FileSet::KeyOf(const PublicKey& key) const {
  const auto found = std::ranges::find_if(files_, [&](const ExaminedFile& file) {
    return file.key.has_value() && file.key->public_key() == key;
  });
  return found == files_.end() ? nullptr : &*found;
}

const ExaminedFile& FileSet::FileOf(const Certificate& certificate) const {
  const auto bundle = std::ranges::find_if(
      bundles_, [&](const ExaminedFile* file) { return Holds(*file, certificate); });
  if (bundle != bundles_.end()) return **bundle;
  return *std::ranges::find_if(files_,
                               [&](const ExaminedFile& file) { return Holds(file, certificate); });
}

}  // namespace troth
