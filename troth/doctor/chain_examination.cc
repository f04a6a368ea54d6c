#include "troth/doctor/chain_examination_internal.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "troth/base/file.h"
#include "troth/base/strings.h"
#include "troth/doctor/mend_internal.h"

namespace troth {
namespace {

std::string NamesOf(const Certificate& certificate) {
  std::vector<std::string> names;
  for (const AlternativeName& name : certificate.alternative_names()) {
    if (names.size() == 10) {
      names.emplace_back("...");
      break;
    }
    names.push_back(Printable(name.ToString()));
  }
  return names.empty() ? "no subject alternative name" : Join(names, ", ");
}

// Whether `troth ca sign` writes a certificate of the same kind: it gives both usages, and no other
// extension.
bool IsUsual(const Certificate& leaf) {
  const auto& usages = leaf.extended_key_usage();
  if (!usages.has_value() || usages->size() != 2 ||
      std::ranges::find(*usages, kServerAuthOid) == usages->end() ||
      std::ranges::find(*usages, kClientAuthOid) == usages->end()) {
    return false;
  }
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
  return std::ranges::any_of(set.Crls(), [&](const Crl& crl) {
    return crl.issuer().Matches(certificate.issuer()) &&
           crl.Find(certificate.serial_number()) != nullptr;
  });
}

bool IsOpenToEverybody(const ExaminedFile& key) {
  const std::optional<FileVersion> version = VersionOf(key.path);
  return !version.has_value() || (version->mode & 07) != 0;
}

// Whether openssl's -addext writes the name as it is.
bool IsPlain(const AlternativeName& name) {
  return name.kind != AlternativeName::Kind::kDirectory &&
         name.kind != AlternativeName::Kind::kOther &&
         std::ranges::all_of(name.ToPlainString(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                  std::string_view(".:/_*@%+~-").find(c) != std::string_view::npos;
         });
}

bool IsTimeReason(std::optional<Reason> reason) {
  return reason == Reason::kCertificateExpired || reason == Reason::kCertificateNotYetValid ||
         reason == Reason::kCrlExpired;
}

// Why names that look alike do not match; empty when there is nothing to explain.
std::string ExplainMismatch(const Certificate& leaf, const AlternativeName& name) {
  for (const AlternativeName& has : leaf.alternative_names()) {
    if (has.kind != AlternativeName::Kind::kDns) continue;
    if (name.kind == AlternativeName::Kind::kIp && has.value == name.ToPlainString()) {
      return "the address is written as a DNS name, and an IP address is only matched by an IP "
             "name";
    }
    if (name.kind == AlternativeName::Kind::kDns && has.value.starts_with("*.") &&
        ToLowerAscii(name.value).ends_with(ToLowerAscii(has.value.substr(1)))) {
      return "'" + Printable(has.value) + "' stands for one label, and this name has more";
    }
  }
  return "";
}

bool IsValid(const Certificate& certificate, Time now) {
  return certificate.validity().not_before <= now && now <= certificate.validity().not_after;
}

class ChainExamination {
 public:
  ChainExamination(const Chain& chain, const FileSet& set, const FileDoctorOptions& options,
                   Diagnosis& diagnosis)
      : chain_(chain),
        leaf_(chain.leaf()),
        set_(set),
        options_(options),
        diagnosis_(diagnosis),
        crls_(set.Crls()),
        path_options_{.now = TimeWhenAllIsValid(),
                      .usage = options.purpose,
                      .name = options.server_name,
                      .crls = &crls_} {}

  void Run() {
    JudgeOrder();
    JudgeName();
    JudgeLeaf();
    if (leaf_.subject().Matches(leaf_.issuer())) {
      JudgeSelfIssued();
    } else {
      JudgeChain();
    }
    JudgeRevocation();
  }

 private:
  void Add(Reason reason, Finding finding) {
    finding.reason = reason;
    finding.subject = chain_.file->path;
    diagnosis_.Add(std::move(finding));
  }

  // Times are judged apart: a chain of which a part has expired may have another fault.
  Time TimeWhenAllIsValid() const {
    Time from = leaf_.validity().not_before;
    Time to = leaf_.validity().not_after;
    for (const Certificate& ca : set_.authorities()) {
      if (IsValid(ca, options_.now)) continue;
      from = std::max(from, ca.validity().not_before);
      to = std::min(to, ca.validity().not_after);
    }
    return std::clamp(options_.now, std::min(from, to), std::max(from, to));
  }

  std::string Reissuing() const { return ReissueCommandOf(chain_, set_, options_); }

  // The file's certificates from the leaf up, each followed by its issuer; what belongs to no such
  // place, and a root, is left out.
  std::vector<size_t> RightOrder() const {
    const std::vector<Certificate>& all = chain_.file->certificates;
    std::vector<size_t> order = {chain_.at};
    for (bool found = true; found;) {
      found = false;
      const Certificate& last = all[order.back()];
      for (size_t i = 0; i < all.size() && !found; ++i) {
        found = all[i].is_ca() && !IsRoot(all[i]) && all[i].subject().Matches(last.issuer()) &&
                std::ranges::find(order, i) == order.end();
        if (found) order.push_back(i);
      }
    }
    return order;
  }

  void JudgeOrder() {
    const std::vector<Certificate>& all = chain_.file->certificates;
    const std::vector<size_t> order = RightOrder();
    bool in_order = true;
    for (size_t i = 0; i < order.size(); ++i) in_order &= order[i] == i;
    if (in_order) {
      if (order.size() < all.size() && IsRoot(all.back())) {
        diagnosis_.Add({.severity = Severity::kNote,
                        .reason = Reason::kIssuerUnknown,
                        .subject = chain_.file->path,
                        .title = "the chain ends with its root, which peers have or do not trust",
                        .fix = "leave it out: it only makes every handshake longer"});
      }
      return;
    }
    std::vector<std::string> expected;
    expected.reserve(order.size());
    for (const size_t at : order) expected.push_back(Called(all[at]));
    std::vector<std::string> got;
    got.reserve(all.size());
    for (const Certificate& certificate : all) got.push_back(Called(certificate));
    Finding finding{.expected = Join(expected, ", then "),
                    .got = Join(got, ", then "),
                    .fix = "put the leaf first, then its issuer, and so on; leave out the root"};
    std::vector<size_t> whole = order;
    for (size_t i = 0; i < all.size(); ++i) {
      if (IsRoot(all[i]) && all[i].subject().Matches(all[order.back()].issuer()))
        whole.push_back(i);
    }
    // Nothing else may get lost or moved: keys lie among the blocks of a combined file.
    if (chain_.file->only_certificates && whole.size() == all.size()) {
      finding.command = ReorderCommand(chain_.file->path, whole);
    }
    if (chain_.at != 0) {
      finding.title = IsRoot(all[0])
                          ? "the root stands where the leaf belongs: servers take the first "
                            "certificate for their own, and find that the key does not match"
                          : "the leaf is not the first certificate of the file, which is the one "
                            "that servers take for their own";
      Add(Reason::kKeyMismatch, std::move(finding));
    } else {
      finding.title = "the certificates of the chain are in the wrong order";
      Add(Reason::kIssuerUnknown, std::move(finding));
    }
  }

  void JudgeName() {
    path_options_.name.reset();
    if (options_.server_name.has_value()) {
      const absl::Status status = CheckName(leaf_, *options_.server_name);
      if (status.ok()) return;
      const std::string why = ExplainMismatch(leaf_, *options_.server_name);
      Add(*ReasonOf(status),
          {.title = "the certificate " + Called(leaf_) + " is not for the name " +
                    Printable(options_.server_name->ToPlainString()) +
                    (why.empty() ? "" : ": " + why),
           .expected = Printable(options_.server_name->ToString()),
           .got = NamesOf(leaf_),
           .command = Reissuing()});
      return;
    }
    if (!leaf_.alternative_names().empty() || options_.purpose == Usage::kClient) return;
    const auto& usages = leaf_.extended_key_usage();
    const auto has = [&](std::string_view usage) {
      return usages.has_value() && std::ranges::find(*usages, usage) != usages->end();
    };
    if (usages.has_value() && !has(kServerAuthOid) && options_.purpose == Usage::kAny) return;
    const bool is_server =
        options_.purpose == Usage::kServer || (has(kServerAuthOid) && !has(kClientAuthOid));
    diagnosis_.Add(
        {.severity = is_server ? Severity::kFault : Severity::kWarning,
         .reason = Reason::kNamesMissing,
         .subject = chain_.file->path,
         .title = "the certificate " + Called(leaf_) + " has no subject alternative name" +
                  (is_server ? "" : ", so it is good for clients only"),
         .expected = "the server's DNS name or IP address as a subject alternative name",
         .got = "only the subject " + Called(leaf_) + ", whose common name does not count",
         .command = Reissuing()});
  }

  // The leaf by itself: as an anchor of its own it is a path without an issuer.
  void JudgeLeaf() {
    PathOptions options{
        .now = std::clamp(options_.now, leaf_.validity().not_before,
                          std::max(leaf_.validity().not_before, leaf_.validity().not_after)),
        .usage = options_.purpose};
    const TrustBundle itself = TrustBundle::FromCertificates({leaf_});
    absl::Status status = ValidatePath(leaf_, {}, itself, options).status;
    if (ReasonOf(status) == Reason::kUsageNotAllowed) {
      AddStatus(status, Reissuing());
      path_options_.usage = options.usage = Usage::kAny;
      status = ValidatePath(leaf_, {}, itself, options).status;
    }
    if (status.ok() || IsTimeReason(ReasonOf(status))) return;
    leaf_is_broken_ = true;
    if (!IsFound(ReasonOf(status))) AddStatus(status, "");
  }

  // Weak keys and signatures are judged for every certificate, whether in a chain or not.
  bool IsFound(std::optional<Reason> reason) const {
    return (reason == Reason::kAlgorithmNotAllowed || reason == Reason::kKeyTooWeak) &&
           std::ranges::find(diagnosis_.findings, *reason, &Finding::reason) !=
               diagnosis_.findings.end();
  }

  void AddStatus(const absl::Status& status, std::string command) {
    Finding finding = FaultOf(status, chain_.file->path);
    finding.command = std::move(command);
    diagnosis_.Add(std::move(finding));
  }

  void JudgeSelfIssued() {
    if (leaf_.IsSelfSigned()) {
      Add(Reason::kCertificateSelfSigned,
          {.title = "the certificate " + Called(leaf_) +
                    " is signed with its own key, so that nobody vouches for it",
           .expected = "a certificate that a CA issued",
           .got = "subject and issuer " + Called(leaf_)});
      return;
    }
    Add(Reason::kCertificateSelfSigned,
        {.title = "the certificate has the same name as its CA, so that TLS takes it for "
                  "self-signed and looks no further",
         .expected = "a subject other than that of the CA",
         .got = "subject and issuer " + Called(leaf_),
         .fix = "make a request with another subject (openssl req -new -key KEY -subj "
                "/CN=NAME), and have the CA sign it"});
  }

  std::vector<Certificate> Loose() const {
    std::vector<Certificate> all = chain_.others();
    for (const Certificate& ca : set_.authorities()) {
      if (!IsRoot(ca)) all.push_back(ca);
    }
    return all;
  }

  void JudgeChain() {
    if (leaf_is_broken_) return;
    if (set_.trust().empty()) return JudgeWithoutTrust();
    const PathResult sent = ValidatePath(leaf_, chain_.others(), set_.trust(), path_options_);
    if (sent.status.ok()) {
      for (const std::string& warning : sent.warnings) AddNote(warning);
      if (!set_.has_root_in_bundles()) JudgeRootlessTrust(sent.path.back());
      return;
    }
    const std::optional<Reason> reason = ReasonOf(sent.status);
    if (IsTimeReason(reason) || IsFound(reason)) return;
    // At another time than now a list says nothing.
    if (reason == Reason::kRevocationUnknown && path_options_.now != options_.now) return;
    if (reason == Reason::kIssuerUnknown) {
      const PathResult all = ValidatePath(leaf_, Loose(), set_.trust(), path_options_);
      if (all.path.size() > 2 && (all.status.ok() || IsTimeReason(ReasonOf(all.status)))) {
        return AddIncomplete(all.path);
      }
    }
    Finding finding = FaultOf(sent.status, chain_.file->path);
    if (reason == Reason::kSignatureInvalid) finding.command = Reissuing();
    diagnosis_.Add(std::move(finding));
  }

  void AddNote(const std::string& text) {
    diagnosis_.Add({.severity = Severity::kNote,
                    .reason = Reason::kCertificateMalformed,
                    .subject = chain_.file->path,
                    .title = text,
                    .fix = "nothing has to be done now; have it issued better the next time"});
  }

  // The intermediates of `path` are among the files, and not in that of the leaf.
  void AddIncomplete(const std::vector<Certificate>& path) {
    const std::string file = PathWord(chain_.file->path);
    std::vector<std::string> missing;
    std::vector<std::string> commands;
    bool can_append = !chain_.file->blocks.empty();
    const std::string end = chain_.file->ends_in_line_end ? "" : "echo >> " + file + " && ";
    for (size_t i = 1; i + 1 < path.size(); ++i) {
      const std::vector<Certificate>& sent = chain_.file->certificates;
      if (std::ranges::find(sent, path[i]) != sent.end()) {
        // What is missing belongs before it.
        if (!missing.empty()) can_append = false;
        continue;
      }
      missing.push_back(Called(path[i]));
      const ExaminedFile& source = set_.FileOf(path[i]);
      // Other certificates of that file have no business in the chain.
      can_append = can_append && source.certificates.size() == 1 && source.only_certificates;
      commands.push_back("openssl x509 -in " + PathWord(source.path) + " >> " + file);
    }
    Add(Reason::kIssuerUnknown,
        {.title = "the chain is incomplete: the file has no intermediate that leads to the root",
         .expected = "after " + Called(leaf_) + ": " + Join(missing, ", then "),
         .got = std::to_string(chain_.file->certificates.size()) + " certificate(s), without it",
         .fix = "append the intermediates to the file, each after the certificate that it issued",
         .command = can_append ? end + Join(commands, " && ") : ""});
  }

  // All that the bundles hold is an intermediate.
  void JudgeRootlessTrust(const Certificate& anchor) {
    diagnosis_.Add(
        {.severity = Severity::kFault,
         .reason = Reason::kIssuerUnknown,
         .subject = set_.FileOf(anchor).path,
         .title = "the trust bundle holds an intermediate without its root: nginx, curl and most "
                  "TLS libraries do not trust an intermediate alone",
         .expected = "the root " + ("'" + Printable(anchor.issuer().ToString()) + "'"),
         .got = "only " + Called(anchor) + ", which the root issued",
         .fix = "add the root's certificate to the trust bundle"});
  }

  // Apart from the path, which may have been judged at another time than now, or not at all.
  void JudgeRevocation() {
    for (const size_t at : RightOrder()) {
      const Certificate& certificate = chain_.file->certificates[at];
      for (const Crl& crl : crls_) {
        if (!crl.issuer().Matches(certificate.issuer()) ||
            crl.Find(certificate.serial_number()) == nullptr) {
          continue;
        }
        bool named = false;
        bool verified = false;
        for (const Certificate& ca : set_.authorities()) {
          if (!ca.subject().Matches(crl.issuer())) continue;
          named = true;
          verified = verified || crl.VerifySignature(ca.public_key()).ok();
        }
        if (verified || !named) AddRevoked(certificate, verified);
      }
    }
  }

  void AddRevoked(const Certificate& certificate, bool verified) {
    const bool known = std::ranges::any_of(diagnosis_.findings, [&](const Finding& finding) {
      return finding.reason == Reason::kCertificateRevoked && finding.subject == chain_.file->path;
    });
    if (known) return;
    Add(Reason::kCertificateRevoked,
        {.title = "the certificate " + Called(certificate) +
                  " is on the revocation list of its CA" +
                  (verified ? "" : ", whose signature could not be checked without that CA"),
         .expected = "a certificate that is not revoked",
         .got = "serial number " + certificate.serial_number().ToHex() + " on the list"});
  }

  // Without a trust bundle the chain must at least hold together.
  void JudgeWithoutTrust() {
    const std::vector<Certificate> others = chain_.others();
    diagnosis_.Add({.severity = Severity::kNote,
                    .reason = Reason::kIssuerUnknown,
                    .subject = chain_.file->path,
                    .title = "no trust bundle was given, so whether " + Called(leaf_) +
                             " is trusted was not examined",
                    .fix = "give the CA's certificate too"});
    if (others.empty()) return;
    const PathResult result = ValidatePath(
        leaf_, others, TrustBundle::FromCertificates(set_.authorities()), path_options_);
    if (!result.status.ok() && !IsTimeReason(ReasonOf(result.status))) {
      AddStatus(result.status, "");
    }
  }

  const Chain& chain_;
  const Certificate leaf_;
  const FileSet& set_;
  const FileDoctorOptions& options_;
  Diagnosis& diagnosis_;
  const std::vector<Crl> crls_;
  PathOptions path_options_;
  bool leaf_is_broken_ = false;
};

}  // namespace

std::string ReissueCommandOf(const Chain& chain, const FileSet& set,
                             const FileDoctorOptions& options) {
  const Certificate& leaf = chain.leaf();
  const ExaminedFile* key = set.KeyOf(leaf.public_key());
  if (key == nullptr || chain.file->certificates.size() != 1 || key == chain.file) return "";
  if (!chain.file->only_certificates || !IsUsual(leaf) || IsListed(leaf, set) ||
      IsOpenToEverybody(*key)) {
    return "";
  }
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
  if (!std::ranges::all_of(names, IsPlain)) return "";
  for (const Certificate& ca : set.authorities()) {
    const ExaminedFile* ca_key = set.KeyOf(ca.public_key());
    const ExaminedFile& ca_file = set.FileOf(ca);
    if (ca_key == nullptr || !ca.subject().Matches(leaf.issuer()) || !IsValid(ca, options.now) ||
        ca_file.certificates.size() != 1) {
      continue;
    }
    return ReissueCommand({.certificate = chain.file->path,
                           .private_key = key->path,
                           .ca_certificate = ca_file.path,
                           .ca_key = ca_key->path,
                           .subject = SlashesOf(leaf.subject()),
                           .lifetime = std::to_string(days) + " days",
                           .names = names});
  }
  return "";
}

void ExamineChain(const Chain& chain, const FileSet& set, const FileDoctorOptions& options,
                  Diagnosis& diagnosis) {
  ChainExamination(chain, set, options, diagnosis).Run();
}

}  // namespace troth
