#include <algorithm>
#include <optional>
#include <set>
#include <vector>

#include "troth/base/file.h"
#include "troth/base/shell_word.h"
#include "troth/base/strings.h"
#include "troth/doctor/mend_internal.h"
#include "troth/doctor/reissue_internal.h"

namespace troth {
namespace {

struct Reissue {
  std::string certificate, private_key;  // paths; the certificate's file is replaced
  std::string ca_certificate, ca_key;    // paths
  std::string subject;                   // "/CN=server"
  std::string lifetime;                  // "90 days"
  std::vector<AlternativeName> names;    // each IsPlain
};

std::string CommandOf(const Reissue& what) {
  if (!CanReplace(what.certificate)) return "";
  std::vector<std::string> names;
  for (const AlternativeName& name : what.names) names.push_back(name.ToString());
  const std::string file = PathWord(what.certificate);
  const std::string csr = PathWord(what.certificate + ".csr");
  const std::string fresh = PathWord(what.certificate + ".new");
  return Making(
      {what.certificate + ".csr", what.certificate + ".new"},
      "openssl req -new -utf8 -key " + PathWord(what.private_key) + " -subj " +
          ShellWord(what.subject) +
          (names.empty() ? "" : " -addext " + ShellWord("subjectAltName=" + Join(names, ","))) +
          " -out " + csr + " && troth ca sign renewed --csr " + csr + " --ca-certificate " +
          PathWord(what.ca_certificate) + " --ca-key " + PathWord(what.ca_key) + " --expires " +
          ShellWord(what.lifetime) + " --out " + fresh +
          " && cp --attributes-only --preserve=mode,ownership " + file + " " + fresh + " && mv " +
          fresh + " " + file + " && rm " + csr);
}

// "/C=US/CN=server", as openssl's -subj takes it.
std::string SlashesOf(const DistinguishedName& name) {
  std::string out;
  for (const NameAttribute& attribute : name.attributes()) {
    out += "/" + attribute.key + "=";
    for (const char c : attribute.value) {
      if (c == '/' || c == '\\' || c == '+' || c == '=') out += '\\';
      out += c;
    }
  }
  return out.empty() ? "/" : out;
}

// Whether openssl's -subj gives this subject: not one with two attributes in a place.
bool CanBeAskedFor(const DistinguishedName& subject) {
  const absl::StatusOr<DistinguishedName> asked =
      DistinguishedName::FromSlashes(SlashesOf(subject));
  return asked.ok() && asked->Matches(subject);
}

// Whether openssl's -addext writes the name as it is.
bool CanBeAskedFor(const AlternativeName& name) {
  return name.kind != AlternativeName::Kind::kDirectory &&
         name.kind != AlternativeName::Kind::kOther &&
         std::ranges::all_of(name.ToPlainString(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                  std::string_view(".:/_*@%+~-").find(c) != std::string_view::npos;
         });
}

// Whether `troth ca sign` writes a certificate of the same kind, and for `purpose`: it gives both
// usages, and no other extension.
bool IsUsual(const Certificate& leaf, Usage purpose) {
  if (!leaf.extended_key_usage().has_value()) return false;
  std::set<std::string_view> usages(leaf.extended_key_usage()->begin(),
                                    leaf.extended_key_usage()->end());
  if (purpose == Usage::kServer) usages.insert(kServerAuthOid);
  if (purpose == Usage::kClient) usages.insert(kClientAuthOid);
  if (usages != std::set<std::string_view>{kServerAuthOid, kClientAuthOid}) return false;
  return std::ranges::all_of(leaf.extensions(), [](const Extension& extension) {
    for (const std::string_view usual :
         {"2.5.29.14", "2.5.29.15", "2.5.29.17", "2.5.29.19", "2.5.29.35", "2.5.29.37"}) {
      if (extension.oid == usual) return true;
    }
    return false;
  });
}

// Whether a list among the files names it, signed by whomever.
bool IsListed(const Certificate& certificate, const FileSet& set) {
  return std::ranges::any_of(set.crls(), [&](const Crl& crl) {
    return crl.issuer().Matches(certificate.issuer()) &&
           crl.Find(certificate.serial_number()) != nullptr;
  });
}

bool IsOpenToEverybody(const ExaminedFile& key) {
  const std::optional<FileVersion> version = VersionOf(key.path);
  return !version.has_value() || (version->mode & 07) != 0;
}

}  // namespace

std::string ReissueCommandOf(const Chain& chain, const FileSet& set,
                             const FileDoctorOptions& options) {
  const Certificate& leaf = chain.leaf();
  const ExaminedFile* key = set.KeyOf(leaf.public_key());
  if (key == nullptr || key == chain.file || chain.file->certificates.size() != 1 ||
      !chain.file->only_certificates) {
    return "";
  }
  if (!IsUsual(leaf, options.purpose) || IsListed(leaf, set) || IsOpenToEverybody(*key)) return "";
  const Seconds lifetime = leaf.validity().not_after - leaf.validity().not_before + Seconds(1);
  const auto days = std::chrono::floor<std::chrono::days>(lifetime).count();
  if (days < 1) return "";
  std::vector<AlternativeName> names = leaf.alternative_names();
  if (names.empty() && leaf.subject().common_name().has_value() &&
      IsDnsName(*leaf.subject().common_name(), true)) {
    names.push_back({AlternativeName::Kind::kDns, *leaf.subject().common_name()});
  }
  if (options.server_name.has_value() &&
      std::ranges::find(names, *options.server_name) == names.end()) {
    names.push_back(*options.server_name);
  }
  if (!CanBeAskedFor(leaf.subject()) ||
      !std::ranges::all_of(names,
                           [](const AlternativeName& name) { return CanBeAskedFor(name); })) {
    return "";
  }
  for (const Certificate& ca : set.authorities()) {
    const ExaminedFile* ca_key = set.KeyOf(ca.public_key());
    const ExaminedFile& ca_file = set.FileOf(ca);
    const bool is_valid =
        ca.validity().not_before <= options.now && options.now <= ca.validity().not_after;
    if (ca_key == nullptr || !ca.subject().Matches(leaf.issuer()) || !is_valid ||
        ca_file.certificates.size() != 1) {
      continue;
    }
    return CommandOf({.certificate = chain.file->path,
                      .private_key = key->path,
                      .ca_certificate = ca_file.path,
                      .ca_key = ca_key->path,
                      .subject = SlashesOf(leaf.subject()),
                      .lifetime = std::to_string(days) + " days",
                      .names = names});
  }
  return "";
}

}  // namespace troth
