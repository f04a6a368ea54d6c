// What the tests of this folder share: a folder, a clock, and an authority whose certificates may
// have any flaw.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "troth/base/file.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/base/time.h"
#include "troth/pki/issue.h"

namespace troth {

// A folder that goes with the object.
class TestFolder {
 public:
  TestFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "troth-id-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;
  ~TestFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }
  std::string operator/(std::string_view name) const { return JoinPath(path_, name); }

  // Runs a shell command in the folder.
  void Run(const std::string& command) const {
    const std::string line = "cd '" + path_ + "' && ( " + command + " ) >log.txt 2>&1 </dev/null";
    EXPECT_EQ(std::system(line.c_str()), 0) << command << "\n" << *ReadFile(path_ + "/log.txt");
  }

 private:
  std::string path_;
};

// Replaces the content in place, as a careless copy does.
inline void RewriteFile(const std::string& path, std::string_view text) {
  std::ofstream(path, std::ios::trunc | std::ios::binary) << text;
}

inline Time TestTime() { return *ParseTime("2026-06-01T12:00:00Z"); }

// Stands still until told. Thread-safe.
class FakeClock final : public Clock {
 public:
  Time Now() const override {
    ++readings_;
    return Time(Seconds(seconds_.load()));
  }
  void Set(Time now) { seconds_ = now.time_since_epoch().count(); }
  void Advance(Seconds by) { seconds_ += by.count(); }
  // How often it was asked.
  int readings() const { return readings_; }

 private:
  std::atomic<Seconds::rep> seconds_ = TestTime().time_since_epoch().count();
  mutable std::atomic<int> readings_ = 0;
};

inline PrivateKey NewKey(KeyType type = KeyType::kP256) { return *PrivateKey::Generate(type); }

inline std::string PemOf(const PrivateKey& key) { return std::string(key.ToPem().Reveal()); }

struct Leaf {
  Certificate certificate;
  std::string certificate_pem;
  std::string key_pem;
};

struct LeafOptions {
  std::string common_name = "localhost";
  Validity validity = {TestTime() - std::chrono::hours(1),
                       TestTime() + std::chrono::hours(24 * 90)};
  const PrivateKey* key = nullptr;  // a new one unless given
};

class TestAuthority {
 public:
  explicit TestAuthority(const std::string& common_name = "test-ca",
                         std::optional<Validity> validity = std::nullopt)
      : TestAuthority(Root(common_name, validity.value_or(TenYears()))) {}

  // One below this.
  TestAuthority Intermediate(const std::string& common_name,
                             std::optional<Validity> validity = std::nullopt) const {
    PrivateKey key = NewKey();
    CertificateTemplate what =
        Template(common_name, validity.value_or(TenYears()), key.public_key());
    what.basic_constraints = BasicConstraints{.is_ca = true, .path_length = std::nullopt};
    return TestAuthority(*Signer::Create(*Issue(what, signer_), std::move(key)));
  }

  // The same authority, as another certifies it: a cross-certificate for this key.
  Certificate CertifiedBy(const TestAuthority& other,
                          std::optional<Validity> validity = std::nullopt) const {
    CertificateTemplate what =
        Template("", validity.value_or(TenYears()), signer_.key().public_key());
    what.subject = certificate().subject();
    what.basic_constraints = BasicConstraints{.is_ca = true, .path_length = std::nullopt};
    return *Issue(what, other.signer_);
  }

  Leaf IssueLeaf(const LeafOptions& options = {}) const {
    std::optional<PrivateKey> made;
    if (options.key == nullptr) made = NewKey();
    const PrivateKey& key = options.key == nullptr ? *made : *options.key;
    CertificateTemplate what = Template(options.common_name, options.validity, key.public_key());
    what.alternative_names = {*AlternativeName::Parse("dns:" + options.common_name)};
    what.extended_key_usage = {std::string(kServerAuthOid), std::string(kClientAuthOid)};
    const Certificate certificate = *Issue(what, signer_);
    return {certificate, certificate.ToPem(), PemOf(key)};
  }

  const Certificate& certificate() const { return signer_.certificate(); }
  std::string pem() const { return certificate().ToPem(); }
  const PrivateKey& key() const { return signer_.key(); }

 private:
  explicit TestAuthority(Signer signer) : signer_(std::move(signer)) {}

  static Validity TenYears() {
    return {TestTime() - std::chrono::hours(24 * 365), TestTime() + std::chrono::hours(24 * 3650)};
  }

  static CertificateTemplate Template(const std::string& common_name, Validity validity,
                                      const PublicKey& key) {
    return {.serial = SerialNumber::Generate(TestTime()),
            .subject = common_name.empty() ? DistinguishedName()
                                           : *DistinguishedName::FromCommonName(common_name),
            .validity = validity,
            .public_key = key};
  }

  static Signer Root(const std::string& common_name, Validity validity) {
    PrivateKey key = NewKey();
    CertificateTemplate what = Template(common_name, validity, key.public_key());
    what.basic_constraints = BasicConstraints{.is_ca = true, .path_length = std::nullopt};
    Certificate certificate = *IssueSelfSigned(what, key);
    return *Signer::Create(std::move(certificate), std::move(key));
  }

  Signer signer_;
};

}  // namespace troth
