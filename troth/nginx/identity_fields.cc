#include "troth/nginx/identity_fields.h"

#include <string>
#include <vector>

#include "troth/base/encoding.h"
#include "troth/base/strings.h"

namespace troth {
namespace {

std::string Escaped(std::string_view text, std::string_view also) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    // HTTP takes spaces away at the ends of a field.
    const bool is_outer_space = c == ' ' && (i == 0 || i + 1 == text.size());
    if (c >= 0x20 && c < 0x7f && c != '%' && !is_outer_space &&
        also.find(text[i]) == std::string_view::npos) {
      out += text[i];
    } else {
      out += {'%', kDigits[c >> 4], kDigits[c & 15]};
    }
  }
  return out;
}

}  // namespace

HttpFields IdentityFields(const Certificate& leaf) {
  HttpFields out;
  if (const auto common_name = leaf.subject().common_name()) {
    out.emplace_back(kCommonNameField, Escaped(*common_name, ""));
  }
  std::vector<std::string> names;
  for (const AlternativeName& name : leaf.alternative_names()) {
    if (name.kind == AlternativeName::Kind::kDirectory ||
        name.kind == AlternativeName::Kind::kOther) {
      continue;
    }
    names.push_back(Escaped(name.ToString(), ", "));
  }
  if (!names.empty()) out.emplace_back(kNamesField, Join(names, ","));
  if (const auto id = leaf.spiffe_id()) {
    out.emplace_back(kSpiffeIdField, Escaped(id->ToString(), ""));
  }
  const Sha256Digest& digest = leaf.fingerprint();
  out.emplace_back(kSha256Field, ToHex(std::string(digest.begin(), digest.end())));
  return out;
}

}  // namespace troth
