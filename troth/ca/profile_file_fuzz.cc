// The file of profiles: whatever it says, it is refused with its line, or every profile that comes
// of it is one that can be used.
#include <cstdint>
#include <string_view>

#include "troth/base/fuzz_testing.h"
#include "troth/base/reason.h"
#include "troth/ca/leaf_template.h"
#include "troth/ca/profile.h"
#include "troth/pki/key.h"

namespace {

using troth::Require;

constexpr troth::Time kNow{troth::Seconds(1'800'000'000)};

const troth::PublicKey& TheKey() {
  static const troth::PrivateKey& key =
      *new troth::PrivateKey(*troth::PrivateKey::Generate(troth::KeyType::kP256));
  return key.public_key();
}

void CheckProfile(const troth::Profile& profile) {
  Require(!profile.name.empty() && !profile.key_types.empty());
  Require(profile.default_lifetime > troth::Seconds(0));
  Require(profile.default_lifetime <= profile.max_lifetime);
  Require(profile.admin == (profile.name == "admin"));
  Require(!profile.whole_subject && !profile.common_name_only);
  Require((profile.approval == troth::Approval::kAutomatic) == !profile.automatic.empty());
  Require(troth::CheckPatterns(profile.names).ok());
  const troth::ReservedNames reserved{.names = {*troth::AlternativeName::Parse("ca.example.org")},
                                      .trust_domain = "example.org"};
  for (const char* text :
       {"dns:db.internal", "dns:*.internal", "ip:10.0.0.1", "ip:::1", "spiffe://example.org/db",
        "email:a@example.org", "dns:ca.example.org", "spiffe://example.org/troth/admin/a"}) {
    const troth::AlternativeName name = *troth::AlternativeName::Parse(text);
    const troth::Asked asked{.key = TheKey(), .names = {name}};
    const auto what = troth::BuildTemplate(asked, profile, reserved, {}, kNow);
    Require(what.ok() == troth::CheckAsked(asked, profile, reserved).ok());
    Require(!what.ok() || !troth::IsReserved(name, reserved) || profile.admin);
    (void)troth::IsDecidedAtOnce({.key = TheKey(), .common_name = name.ToPlainString()}, profile);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto profiles = troth::Profiles::FromToml(text, troth::Profiles::BuiltIn());
  if (!profiles.ok()) {
    Require(troth::ReasonOf(profiles.status()) == troth::Reason::kConfigurationInvalid);
    Require(size > (4U << 20) || profiles.status().message().find("line ") == 0);
    return 0;
  }
  Require(profiles->Find("default") != nullptr && profiles->Find("admin") != nullptr);
  for (const troth::Profile& profile : profiles->all()) CheckProfile(profile);
  return 0;
}
