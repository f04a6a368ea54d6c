// troth trust: the CAs of an authority and their revocation lists, kept fresh in files.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "troth/base/file.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/ca/folder_lock.h"
#include "troth/cli/command.h"
#include "troth/cli/operations_text.h"
#include "troth/enroll/authority_address.h"
#include "troth/enroll/trust_update.h"
#include "troth/http/client.h"
#include "troth/pki/trust_bundle.h"

namespace troth {
namespace {

constexpr const char* kExamples = R"(Examples:
  troth trust fetch ca.example.org:8443 --trust-bundle root.pem --out-dir /var/lib/troth/nginx)";

constexpr const char* kFetchExamples = R"(Examples:
  troth trust fetch ca.example.org:8443 --trust-bundle root.pem --out-dir /var/lib/troth/nginx
  troth policy serve ... --trust-bundle /var/lib/troth/nginx/ca.pem --require-crl --crl /var/lib/troth/nginx/crls.pem

Writes ca.pem, the authority's issuers and its root, and crls.pem, the revocation list of each: what nginx and `troth policy serve` verify
clients with. Run it from time to time: a file is replaced only when it changes, whole, and by what the root vouches for. An answer that
the root does not vouch for changes nothing. An issuer that the authority has no more, and a list that is newer than the authority's, stay
as long as they are valid, with a warning.

Exit codes: 0 both files are as the authority says; 65 an issuer has no current list, or the answer cannot be believed; 69 the authority
is away; others: docs/troubleshooting.md. Described in docs/nginx.md.)";

constexpr const char* kAuthorities = "ca.pem";
constexpr const char* kLists = "crls.pem";
constexpr std::chrono::seconds kTimeout{60};

struct Arguments {
  std::string server;
  std::string root;
  std::string folder;
};

absl::StatusOr<Certificate> ReadRoot(const std::string& path) {
  const absl::StatusOr<std::string> pem = ReadFile(path);
  if (!pem.ok()) return pem.status();
  const auto certificates = Certificate::ListFromPem(*pem);
  const std::string shown = Printable(path, 400);
  if (!certificates.ok()) return WithContext(certificates.status(), shown);
  if (certificates->size() != 1) {
    return WithFix(MakeError(Reason::kFileWrongFormat,
                             shown + ": expected the authority's root alone, got " +
                                 std::to_string(certificates->size()) + " certificates"),
                   "take the authority's own file, DATA/root.pem");
  }
  if (!certificates->front().is_ca()) {
    return MakeError(Reason::kNotACertificateAuthority,
                     shown + ": expected the authority's root, got " +
                         certificates->front().Describe() + ", which is no CA");
  }
  return certificates->front();
}

absl::StatusOr<TrustMaterial> Fetch(const AuthorityAddress& address, const Certificate& root) {
  // In steps: of a braced temporary GCC 12 thinks at -O2 that it may be uninitialised.
  HttpClientOptions options;
  options.trust.bundle = TrustBundle::FromCertificates({root});
  options.timeout = kTimeout;
  options.max_body_bytes = kMaxCrlBytes;
  const auto client = HttpClient::Create(std::move(options));
  if (!client.ok()) return client.status();
  const auto response = (*client)->Send({.url = address.UrlOf("/v1/trust")});
  if (!response.ok()) return response.status();
  if (response->status != 200) {
    return MakeError(
        response->status >= 500 ? Reason::kConnectionFailed : Reason::kResponseMalformed,
        address.name() + ": GET /v1/trust: expected 200, got " + std::to_string(response->status) +
            "; is it the HTTPS address of a Troth authority?");
  }
  auto offered = ReadTrustAnswer(response->body);
  if (!offered.ok()) return WithContext(offered.status(), address.name());
  return offered;
}

// One of the two files: what it says, and what it is to say.
struct KeptFile {
  std::string path;
  std::string text;  // empty: there is none that can be read

  void Read(const Session& session) {
    auto read = ReadFile(path, kMaxCrlBytes);
    if (read.ok()) {
      text = *std::move(read);
    } else if (ReasonOf(read.status()) != Reason::kFileNotFound) {
      Distrust(read.status(), session);
    }
  }
  static void Distrust(const absl::Status& status, const Session& session) {
    session.Warn(std::string(ToStd(status.message())) + "; it is written anew");
  }
  absl::StatusOr<bool> Replace(const std::string& next) const {
    if (next == text) return false;
    absl::Status written = WriteFile(path, next, {.overwrite = Overwrite::kReplace});
    if (!written.ok()) return written;
    return true;
  }
};

// What cannot be read counts as what is not there, for a file that is damaged must mend itself.
TrustMaterial MaterialOf(const KeptFile& authorities, const KeptFile& lists,
                         const Session& session) {
  TrustMaterial out;
  if (!authorities.text.empty()) {
    auto read = Certificate::ListFromPem(authorities.text);
    if (read.ok()) {
      out.authorities = *std::move(read);
    } else {
      KeptFile::Distrust(WithContext(read.status(), Printable(authorities.path, 400)), session);
    }
  }
  if (!lists.text.empty()) {
    auto read = Crl::ListFromBytes(lists.text);
    if (read.ok()) {
      out.lists = *std::move(read);
    } else {
      KeptFile::Distrust(WithContext(read.status(), Printable(lists.path, 400)), session);
    }
  }
  return out;
}

void Print(const TrustUpdate& update, const std::vector<std::string>& changed,
           const Session& session) {
  std::optional<Time> until;
  size_t revoked = 0;
  for (const Crl& list : update.material.lists) {
    revoked += list.entries().size();
    if (list.next_update().has_value() && list.next_update() < until.value_or(Time::max())) {
      until = list.next_update();
    }
  }
  const size_t authorities = update.material.authorities.size();
  if (session.json) {
    std::vector<std::string> names;
    for (const Certificate& authority : update.material.authorities) {
      names.push_back(authority.subject().ToString());
    }
    session.Print({{"ok", true},
                   {"changed", changed},
                   {"authorities", names},
                   {"revoked", revoked},
                   {"next_update", until},
                   {"warnings", update.warnings}});
    return;
  }
  if (changed.empty()) {
    session.out << "unchanged";
  } else {
    session.out << "wrote";
    for (const std::string& path : changed) session.out << " " << Printable(path, 400);
  }
  session.out << ": " << Counted(authorities, "CA", "CAs") << ", " << revoked << " revoked";
  if (until.has_value()) session.out << ", lists until " << FormatTime(*until);
  session.out << "\n";
}

int RunFetch(const Arguments& arguments, const Session& session) {
  const auto address = AuthorityAddress::Parse(arguments.server);
  if (!address.ok()) return session.Fail(address.status());
  const auto root = ReadRoot(arguments.root);
  if (!root.ok()) return session.Fail(root.status());
  if (absl::Status made = MakeFolder(arguments.folder); !made.ok()) return session.Fail(made);
  const auto lock = FolderLock::Acquire(arguments.folder, 2 * kTimeout);
  if (!lock.ok()) return session.Fail(lock.status());
  KeptFile authorities{.path = JoinPath(arguments.folder, kAuthorities), .text = {}};
  KeptFile lists{.path = JoinPath(arguments.folder, kLists), .text = {}};
  authorities.Read(session);
  lists.Read(session);
  const TrustMaterial present = MaterialOf(authorities, lists, session);

  const auto offered = Fetch(*address, *root);
  if (!offered.ok()) return session.Fail(offered.status());
  const auto update = UpdateTrust(*root, present, *offered, session.clock.Now());
  if (!update.ok()) return session.Fail(WithContext(update.status(), address->name()));
  for (const std::string& warning : update->warnings) session.Warn(warning);

  std::vector<std::string> changed;
  // The lists first: who follows the files sees no CA without its list.
  for (const auto& [file, text] : {std::pair(&lists, update->material.ListsPem()),
                                   std::pair(&authorities, update->material.AuthoritiesPem())}) {
    const auto replaced = file->Replace(text);
    if (!replaced.ok()) return session.Fail(replaced.status());
    if (*replaced) changed.push_back(file->path);
  }
  if (update->incomplete.ok() || !session.json) Print(*update, changed, session);
  return update->incomplete.ok() ? kExitDone
                                 : session.Fail(WithContext(update->incomplete, address->name()));
}

}  // namespace

void AddTrustCommand(CLI::App& app, Session& session) {
  CLI::App* trust = app.add_subcommand("trust", "keep an authority's CAs and revocation lists");
  trust->require_subcommand(1);
  trust->footer(kExamples);
  CLI::App* fetch = trust->add_subcommand(
      "fetch", "fetch issuers and revocation lists, check them, and put them into files");
  fetch->footer(kFetchExamples);
  auto arguments = std::make_shared<Arguments>();
  fetch->add_option("server", arguments->server, "the authority: ca.example.org:8443")
      ->type_name("SERVER")
      ->required();
  fetch->add_option("--trust-bundle", arguments->root, "PEM file with the authority's root")
      ->type_name("FILE")
      ->required();
  fetch->add_option("--out-dir", arguments->folder, "folder for ca.pem and crls.pem")
      ->type_name("FOLDER")
      ->required();
  fetch->callback([arguments, &session] {
    session.run = [arguments, &session] { return RunFetch(*arguments, session); };
  });
}

}  // namespace troth
