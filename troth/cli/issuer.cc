// troth issuer: a new issuer for the online authority, with its root at hand or elsewhere.
#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "troth/base/file.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/ca/authority_folder.h"
#include "troth/ca/crl_file.h"
#include "troth/ca/key_pair_files.h"
#include "troth/ca/lifetime.h"
#include "troth/ca/revoked_list.h"
#include "troth/cli/certificate_text.h"
#include "troth/cli/command.h"
#include "troth/cli/json.h"
#include "troth/cli/operations_text.h"
#include "troth/cli/passphrase.h"
#include "troth/pki/crl.h"
#include "troth/store/sqlite_store.h"

namespace troth {
namespace {

constexpr const char* kExamples = R"(Examples:
  troth issuer renew --data /var/lib/troth                  where root.key lies in the folder
      The new issuer's key is kept as the present one is: in the clear, or under the same passphrase. A passphrase that is given is
      for every key that has one; where root and issuer have two, run it in a terminal, which asks for each.
  With the root elsewhere:
    troth issuer request --data /var/lib/troth              says which files to take to the root
    troth issuer sign issuer.next.csr --root-certificate root.pem --root-key root.key --out issuer.new.pem \
        --crl 0.crl --trust-domain ca.example.org           (`request` prints this line, with what it needs)
    troth issuer activate issuer.new.pem --data /var/lib/troth

An authority that runs takes the new issuer over by itself. The old one's certificate is kept for what it signed.)";

struct Arguments {
  std::string data = "authority";
  std::string lifetime = "1 year";
  std::string request, root_certificate, root_key, trust_domain, public_url, out, file;
  std::string crl, revoked_file;
  std::vector<std::string> revoked;  // certificate files
  PassphraseOptions passphrase;
};

absl::StatusOr<Seconds> LifetimeOf(const Arguments& arguments, const Session& session) {
  const Time now = session.clock.Now();
  const absl::StatusOr<Time> until = TimeAfter(now, arguments.lifetime);
  if (!until.ok()) return WithContext(until.status(), "--lifetime");
  return *until - now;
}

AskPassphrase Ask(const Arguments& arguments, const Session& session) {
  return [&](const std::string& path) {
    return PassphraseForKey(arguments.passphrase, session, path);
  };
}

// Reads the folder's issuers back, so that what is said is what is there.
int PrintIssuer(const Session& session, const AuthorityFolder& folder) {
  const auto issuers = ReadCertificateFile(folder.IssuerCertificate());
  if (!issuers.ok()) return session.Fail(issuers.status());
  const Certificate& issuer = issuers->front();
  if (session.json) {
    session.Print(JsonObject({{"issuer", issuer.subject().ToString()},
                              {"serial", issuer.serial_number().ToHex()},
                              {"not_after", issuer.validity().not_after},
                              {"file", folder.IssuerCertificate()}}));
    return kExitDone;
  }
  session.out << "The issuer is now " << session.Bold(issuer.subject().ToString()) << ", "
              << "until " + DateAndDaysLeft(issuer.validity().not_after, session.clock.Now())
              << "\n"
              << "  in " << folder.IssuerCertificate()
              << "; an authority that runs takes it over within seconds\n";
  return kExitDone;
}

// What the root itself has signed, before it was imported, and was revoked since: only its list can
// say so. An authority that was never started has no store.
absl::StatusOr<std::vector<RevokedEntry>> RevokedBelowRoot(const AuthorityFolder& folder,
                                                           Time now) {
  if (!FileExists(folder.Database())) return std::vector<RevokedEntry>();
  const auto store = OpenSqliteStore({.path = folder.Database(), .read_only = true});
  if (!store.ok()) return store.status();
  return RevokedOf(**store, /*issuer=*/0, now);
}

int RunRenew(const Session& session, const Arguments& arguments) {
  const AuthorityFolder folder(arguments.data);
  const auto lifetime = LifetimeOf(arguments, session);
  if (!lifetime.ok()) return session.Fail(lifetime.status());
  const auto revoked = RevokedBelowRoot(folder, session.clock.Now());
  if (!revoked.ok()) return session.Fail(revoked.status());
  const absl::Status status =
      RenewIssuer(folder, *lifetime, Ask(arguments, session), *revoked, session.clock);
  if (!status.ok()) return session.Fail(status);
  return PrintIssuer(session, folder);
}

std::string NameOf(const std::string& path) { return path.substr(path.rfind('/') + 1); }

// The root's machine knows nothing of the authority: the line says what the issuer must hold.
std::string SignCommand(const AuthoritySettings& settings, const PreparedIssuer& prepared) {
  std::string line =
      "troth issuer sign issuer.next.csr --root-certificate root.pem --root-key root.key --out "
      "issuer.new.pem";
  if (!prepared.root_list.empty()) line += " --crl " + NameOf(prepared.root_list);
  if (!prepared.revoked.empty()) line += " --revoked " + NameOf(prepared.revoked);
  if (!settings.trust_domain.empty()) line += " --trust-domain " + settings.trust_domain;
  if (!settings.public_url.empty()) line += " --public-url " + settings.public_url;
  return line;
}

int RunRequest(const Session& session, const Arguments& arguments) {
  const AuthorityFolder folder(arguments.data);
  const auto revoked = RevokedBelowRoot(folder, session.clock.Now());
  if (!revoked.ok()) return session.Fail(revoked.status());
  const auto prepared = PrepareIssuer(folder, Ask(arguments, session), *revoked);
  if (!prepared.ok()) return session.Fail(prepared.status());
  const auto settings = ReadSettings(folder);
  if (!settings.ok()) return session.Fail(settings.status());
  const std::string next = SignCommand(*settings, *prepared);
  std::vector<std::string> files = {prepared->request};
  if (!prepared->root_list.empty()) files.push_back(prepared->root_list);
  if (!prepared->revoked.empty()) files.push_back(prepared->revoked);
  if (session.json) {
    session.Print(JsonObject({{"request", prepared->request}, {"files", files}, {"next", next}}));
    return kExitDone;
  }
  session.out << "Take to where the root is: " << Join(files, ", ") << "; and run there\n"
              << "  " << next << "\n"
              << "and then here\n"
              << "  troth issuer activate issuer.new.pem --data " << folder.path() << "\n";
  return kExitDone;
}

int RunSign(const Session& session, const Arguments& arguments) {
  const auto lifetime = LifetimeOf(arguments, session);
  if (!lifetime.ok()) return session.Fail(lifetime.status());
  const auto request = ReadFile(arguments.request);
  if (!request.ok()) return session.Fail(request.status());
  const auto root = ReadAuthority(
      {.certificate = arguments.root_certificate, .key = arguments.root_key, .crl = ""},
      Ask(arguments, session), session.clock.Now());
  if (!root.ok()) return session.Fail(root.status());
  const auto issuer = SignIssuer(
      *root, *request, *lifetime,
      {.trust_domain = arguments.trust_domain, .public_url = arguments.public_url}, session.clock);
  if (!issuer.ok()) return session.Fail(issuer.status());

  std::optional<Crl> present;
  if (!arguments.crl.empty()) {
    auto list = ReadCrl(arguments.crl, root->certificate());
    if (!list.ok()) return session.Fail(list.status());
    present = *std::move(list);
  }
  std::vector<RevokedEntry> revoked;
  if (!arguments.revoked_file.empty()) {
    const auto text = ReadFile(arguments.revoked_file, kMaxCrlBytes);
    if (!text.ok()) return session.Fail(text.status());
    auto entries = ReadRevoked(*text);
    if (!entries.ok()) return session.Fail(WithContext(entries.status(), arguments.revoked_file));
    revoked = *std::move(entries);
  }
  for (const std::string& file : arguments.revoked) {
    const auto certificates = ReadCertificateFile(file);
    if (!certificates.ok()) return session.Fail(certificates.status());
    for (const Certificate& certificate : *certificates) {
      revoked.push_back({.serial = certificate.serial_number(), .revoked_at = session.clock.Now()});
    }
  }
  const auto list = SignRootList(*root, *issuer, present, revoked, session.clock);
  if (!list.ok()) return session.Fail(list.status());
  const absl::Status written =
      WriteFile(arguments.out, issuer->ToPem() + list->ToPem(), {.mode = kCertificateFileMode});
  if (!written.ok()) return session.Fail(written);
  if (session.json) {
    session.Print(JsonObject({{"issuer", issuer->subject().ToString()},
                              {"not_after", issuer->validity().not_after},
                              {"revoked", list->entries().size()},
                              {"file", arguments.out}}));
    return kExitDone;
  }
  session.out << "Wrote " << arguments.out << ": "
              << "an issuer until " +
                     DateAndDaysLeft(issuer->validity().not_after, session.clock.Now())
              << ", with the root's revocation list of "
              << Counted(list->entries().size(), "certificate", "certificates")
              << "; on the authority's machine run\n"
              << "  troth issuer activate " << arguments.out << " --data DIR\n";
  return kExitDone;
}

int RunActivate(const Session& session, const Arguments& arguments) {
  const AuthorityFolder folder(arguments.data);
  const auto pem = ReadFile(arguments.file);
  if (!pem.ok()) return session.Fail(pem.status());
  const absl::Status status = ActivateIssuer(folder, *pem, Ask(arguments, session), session.clock);
  if (!status.ok()) return session.Fail(status);
  return PrintIssuer(session, folder);
}

}  // namespace

void AddIssuerCommand(CLI::App& app, Session& session) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("issuer", "Give an online authority a new issuer");
  command->footer(kExamples);
  command->require_subcommand(1);
  const auto add = [&](const char* name, const char* text,
                       int (*run)(const Session&, const Arguments&)) {
    CLI::App* sub = command->add_subcommand(name, text);
    arguments->passphrase.AddTo(*sub);
    sub->callback([arguments, &session, run] {
      session.run = [arguments, &session, run] { return run(session, *arguments); };
    });
    return sub;
  };
  const auto add_data = [&](CLI::App* sub) {
    sub->add_option("--data", arguments->data, "Folder of the authority")->capture_default_str();
  };
  const auto add_lifetime = [&](CLI::App* sub) {
    sub->add_option("--lifetime", arguments->lifetime, "Of the issuer; never beyond the root's")
        ->capture_default_str();
  };

  CLI::App* renew = add("renew", "Make a new issuer with the root's key in the folder", RunRenew);
  add_data(renew);
  add_lifetime(renew);
  add_data(add("request", "Make a new issuer's key, and its request for the root", RunRequest));

  CLI::App* sign = add("sign", "Where the root is: sign an issuer's request", RunSign);
  sign->add_option("REQUEST", arguments->request, "issuer.next.csr")->required();
  sign->add_option("--root-certificate", arguments->root_certificate)->required();
  sign->add_option("--root-key", arguments->root_key)->required();
  sign->add_option("--trust-domain", arguments->trust_domain,
                   "The authority's, as in its authority.toml; becomes part of the issuer's name");
  sign->add_option("--public-url", arguments->public_url,
                   "The authority's, as in its authority.toml, when it has one");
  sign->add_option("--crl", arguments->crl,
                   "The root's present revocation list, crl/0.crl of the authority: what is on it "
                   "stays revoked");
  sign->add_option("--revoked", arguments->revoked_file,
                   "issuer.next.revoked, when `request` has written one: what is revoked besides");
  sign->add_option("--revoke", arguments->revoked,
                   "Certificate of an issuer that is not to be trusted any more; may be repeated");
  sign->add_option("--out", arguments->out, "Where to write certificate and list")->required();
  add_lifetime(sign);

  CLI::App* activate = add("activate", "Let the signed issuer sign from now on", RunActivate);
  activate->add_option("FILE", arguments->file, "What `troth issuer sign` wrote")->required();
  add_data(activate);
}

}  // namespace troth
