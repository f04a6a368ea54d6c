#include "tests/rotation/key_pairs.h"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <thread>

#include "troth/base/time.h"

namespace rotation {
namespace {

template <typename T>
T ValueOf(absl::StatusOr<T> value) {
  if (!value.ok()) throw std::runtime_error(std::string(value.status().message()));
  return *std::move(value);
}

troth::Validity ValidNow() {
  const troth::Time now = troth::Clock::System().Now();
  return {.not_before = now - std::chrono::minutes(5),
          .not_after = now + std::chrono::hours(24 * 30)};
}

troth::Signer NewSigner() {
  troth::PrivateKey key = ValueOf(troth::PrivateKey::Generate(troth::KeyType::kP256));
  troth::Certificate certificate = ValueOf(troth::IssueSelfSigned(
      {.serial = troth::SerialNumber::Generate(troth::Clock::System().Now()),
       .subject = ValueOf(troth::DistinguishedName::FromCommonName("rotation test CA")),
       .validity = ValidNow(),
       .public_key = key.public_key(),
       .basic_constraints = troth::BasicConstraints{.is_ca = true}},
      key));
  return ValueOf(troth::Signer::Create(std::move(certificate), std::move(key)));
}

using Pause = std::chrono::milliseconds;

void Replace(const std::string& path, const std::string& text, Pause /*halfway*/) {
  const std::string next = path + ".next";
  std::ofstream(next) << text;
  std::filesystem::permissions(next, std::filesystem::perms(0600));
  std::filesystem::rename(next, path);
}

// For a while there is half a file.
void WriteOver(const std::string& path, const std::string& text, Pause halfway) {
  std::ofstream file(path, std::ios::trunc);
  file << text.substr(0, text.size() / 2) << std::flush;
  std::this_thread::sleep_for(halfway);
  file << text.substr(text.size() / 2);
}

}  // namespace

Authority::Authority() : signer_(NewSigner()), certificate_(signer_.certificate().ToPem()) {}

std::vector<KeyPair> Authority::Issue(const std::string& name, std::string_view usage_oid,
                                      int count) const {
  std::vector<KeyPair> pairs;
  for (int i = 0; i < count; ++i) {
    const troth::PrivateKey key = ValueOf(troth::PrivateKey::Generate(troth::KeyType::kP256));
    const troth::Certificate certificate = ValueOf(troth::Issue(
        {.serial = troth::SerialNumber::Generate(troth::Clock::System().Now()),
         .subject = ValueOf(troth::DistinguishedName::FromCommonName(name)),
         .validity = ValidNow(),
         .public_key = key.public_key(),
         .alternative_names = {{.kind = troth::AlternativeName::Kind::kDns, .value = name}},
         .extended_key_usage = {std::string(usage_oid)}},
        signer_));
    pairs.push_back({certificate.ToPem(), std::string(key.ToPem().Reveal())});
  }
  return pairs;
}

Sequence::Sequence(std::vector<KeyPair> pairs, std::string certificate_path, std::string key_path)
    : pairs_(std::move(pairs)),
      certificate_path_(std::move(certificate_path)),
      key_path_(std::move(key_path)) {
  for (int i = 0; i < size(); ++i) index_by_certificate_[pairs_[i].certificate] = i;
  Write(0);
}

void Sequence::Write(int index) const {
  const KeyPair& pair = pairs_.at(index);
  const auto write = index % 4 < 2 ? Replace : WriteOver;
  const Pause halfway = index % kSlowEvery == kSlowEvery - 1 ? Pause(30) : Pause(2);
  if (index % 2 == 0) {
    write(key_path_, pair.private_key, halfway);
    write(certificate_path_, pair.certificate, halfway);
  } else {
    write(certificate_path_, pair.certificate, halfway);
    write(key_path_, pair.private_key, halfway);
  }
}

int Sequence::IndexOf(std::string_view certificate_pem) const {
  const auto found = index_by_certificate_.find(certificate_pem);
  return found == index_by_certificate_.end() ? -1 : found->second;
}

}  // namespace rotation
