// troth ca import: an online authority from a CA that was kept elsewhere.
#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "troth/base/file.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/ca/folder_lock.h"
#include "troth/ca/import.h"
#include "troth/ca/key_pair_files.h"
#include "troth/ca/profile.h"
#include "troth/ca/record_import.h"
#include "troth/cli/ca_internal.h"
#include "troth/store/caramel_database.h"
#include "troth/store/sqlite_store.h"

namespace troth {
namespace {

constexpr const char* kImportExamples = R"(Examples:
  troth ca import --data caramel --certificate ca.crt --private-key ca.key --one-tier --caramel-database caramel.sqlite
      what Caramel's server knew; then: troth serve --data caramel --one-tier --listen 0.0.0.0:8443
  troth ca import --data authority --certificate out/ca.crt --private-key out/ca.key --issued out --crl out/ca.crl
      a CA of certstrap's, or openssl's; it becomes the root, and signs an issuer
The CA's own files are only read. The command may be run again: what is there stays, and what came since is added.)";

struct ImportArguments {
  std::string data = "authority";
  ImportSpec spec;
  std::string caramel_database, crl;
  std::vector<std::string> issued;
  PassphraseOptions passphrase;
};

// The certificate files that a path of --issued means: itself, or those in the folder.
std::vector<std::string> CertificateFilesOf(const std::string& path) {
  std::vector<std::string> files;
  for (const std::string_view extension : {".crt", ".pem", ".cer"}) {
    for (const std::string& name : Depot(path).NamesWith(extension)) {
      files.push_back(JoinPath(path, name + std::string(extension)));
    }
  }
  if (files.empty()) files.push_back(path);
  return files;
}

absl::Status ImportIssued(const std::string& path, RecordImport& records) {
  for (const std::string& file : CertificateFilesOf(path)) {
    const absl::StatusOr<std::vector<Certificate>> certificates = ReadCertificateFile(file);
    if (!certificates.ok()) {
      records.LeaveOut(file, certificates.status());
      continue;
    }
    for (const Certificate& certificate : *certificates) {
      if (absl::Status status = records.AddCertificate(certificate.ToPem(), file); !status.ok())
        return status;
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Crl>> ReadLists(const std::string& path) {
  if (path.empty()) return std::vector<Crl>();
  const absl::StatusOr<std::string> bytes = ReadFile(path, kMaxCrlBytes);
  if (!bytes.ok()) return bytes.status();
  absl::StatusOr<std::vector<Crl>> lists = Crl::ListFromBytes(*bytes);
  if (!lists.ok()) return WithContext(lists.status(), path);
  return lists;
}

absl::Status ImportDatabase(const std::string& path, RecordImport& records) {
  return ReadCaramelDatabase(
      path, [&](const ForeignRequest& request) { return records.Add(request); },
      [&](const std::string& name) {
        records.LeaveOut(name, MakeError(Reason::kRequestMalformed,
                                         "its body does not have the hash that it is filed under"));
      });
}

absl::StatusOr<ImportSummary> ImportRecords(const AuthorityFolder& folder,
                                            const ImportArguments& arguments, Time now) {
  const absl::StatusOr<std::vector<Certificate>> roots =
      ReadCertificateFile(folder.RootCertificate());
  if (!roots.ok()) return roots.status();
  const absl::StatusOr<std::unique_ptr<Store>> store = OpenSqliteStore({.path = folder.Database()});
  if (!store.ok()) return store.status();
  const Profiles profiles = arguments.spec.settings.one_tier
                                ? Profiles::CaramelBuiltIn(/*sign_unseen_uuids=*/false)
                                : Profiles::BuiltIn();
  RecordImport records(**store, roots->front(), profiles.standard().name, now);
  absl::Status status = absl::OkStatus();
  if (!arguments.caramel_database.empty()) {
    status = ImportDatabase(arguments.caramel_database, records);
  }
  for (const std::string& path : arguments.issued) {
    if (status.ok()) status = ImportIssued(path, records);
  }
  // Behind the certificates, so that what is revoked is known by name.
  for (const Crl& list : arguments.spec.lists) {
    if (status.ok()) status = records.AddList(list);
  }
  if (!status.ok()) return status;
  return records.Finish();
}

void Print(const ImportSummary& summary, const ImportArguments& arguments, const Session& session) {
  if (session.json) {
    session.Print(JsonObject({{"ok", true},
                              {"data", arguments.data},
                              {"one_tier", arguments.spec.settings.one_tier},
                              {"requests", summary.requests},
                              {"pending", summary.pending},
                              {"approved", summary.approved},
                              {"rejected", summary.rejected},
                              {"certificates", summary.certificates},
                              {"revocations", summary.revocations},
                              {"changed", summary.changed},
                              {"known", summary.known},
                              {"expired", summary.expired},
                              {"left_out", summary.left_out},
                              {"left_out_why", summary.left_out_why}}));
    return;
  }
  session.out << "The CA of " << arguments.spec.certificate << " is the authority in "
              << session.Bold(arguments.data) << ", with "
              << (arguments.spec.settings.one_tier ? "one tier" : "an issuer below it") << "\n"
              << "  requests:     " << summary.requests << " (" << summary.approved << " approved, "
              << summary.pending << " pending, " << summary.rejected << " rejected)\n"
              << "  certificates: " << summary.certificates << "\n";
  const auto line = [&](const char* label, std::uint64_t count) {
    if (count > 0) session.out << label << count << "\n";
  };
  line("  revoked:      ", summary.revocations);
  line("  brought up to date: ", summary.changed);
  line("  there already: ", summary.known);
  line("  ended, and not needed: ", summary.expired);
  line("  left out:     ", summary.left_out);
  for (const std::string& why : summary.left_out_why) session.Warn(why);
  if (summary.left_out > summary.left_out_why.size()) session.Warn("and others");
  session.out << "\nNext:\n  troth serve --data " << arguments.data
              << (arguments.spec.settings.one_tier ? " --one-tier" : "") << "\n";
}

int RunImport(ImportArguments& arguments, const Session& session) {
  ImportSpec& spec = arguments.spec;
  spec.ask = AskFor(arguments.passphrase, session);
  auto given = arguments.passphrase.Given();
  if (!given.ok()) return session.Fail(given.status());
  if (given->has_value()) spec.issuer_passphrase = &**given;
  if (auto domain = SpiffeId::Parse("spiffe://" + spec.settings.trust_domain); !domain.ok()) {
    return session.Fail(MakeError(
        Reason::kUsageError, "--trust-domain: " + std::string(ToStd(domain.status().message()))));
  }
  if (!arguments.caramel_database.empty() && !spec.settings.one_tier) {
    return session.Fail(MakeError(Reason::kUsageError,
                                  "Caramel's clients take certificates of the CA itself, not of "
                                  "an issuer below it; give --one-tier"));
  }
  auto lists = ReadLists(arguments.crl);
  if (!lists.ok()) return session.Fail(lists.status());
  spec.lists = *std::move(lists);
  const AuthorityFolder folder(arguments.data);
  constexpr mode_t kFolderMode = 0700;
  if (absl::Status status = MakeFolder(folder.path(), kFolderMode); !status.ok())
    return session.Fail(status);
  const absl::StatusOr<FolderLock> lock = FolderLock::Acquire(folder.path(), Seconds(0));
  if (!lock.ok()) {
    return session.Fail(WithContext(lock.status(),
                                    "the authority runs, or another command works "
                                    "on it; stop it first"));
  }
  if (absl::Status status = ImportAuthority(folder, spec, session.clock); !status.ok())
    return session.Fail(status);
  const absl::StatusOr<ImportSummary> summary =
      ImportRecords(folder, arguments, session.clock.Now());
  if (!summary.ok()) return session.Fail(summary.status());
  Print(*summary, arguments, session);
  return kExitDone;
}

}  // namespace

void AddCaImportCommand(CLI::App& ca, const CaContext& context) {
  CLI::App* import =
      ca.add_subcommand("import", "make a CA that was kept elsewhere an online authority");
  auto arguments = std::make_shared<ImportArguments>();
  AuthoritySettings& settings = arguments->spec.settings;
  settings.trust_domain = "troth.internal";
  import->add_option("--data", arguments->data, "folder of the authority; made when not there")
      ->type_name("FOLDER")
      ->capture_default_str();
  import->add_option("--certificate", arguments->spec.certificate, "the CA's certificate file")
      ->type_name("FILE")
      ->required();
  import->add_option("--private-key", arguments->spec.private_key, "the CA's key file")
      ->type_name("FILE")
      ->required();
  import->add_flag("--one-tier", settings.one_tier,
                   "the CA itself signs, as Caramel's does; default: an issuer below it");
  import
      ->add_option("--caramel-database", arguments->caramel_database,
                   "SQLite database of a Caramel server: requests and certificates")
      ->type_name("FILE");
  import
      ->add_option("--issued", arguments->issued,
                   "certificates that the CA issued: a file or a folder; may be repeated")
      ->type_name("PATH");
  import->add_option("--crl", arguments->crl, "the CA's revocation list: what stays revoked")
      ->type_name("FILE");
  import->add_option("--trust-domain", settings.trust_domain, "of SPIFFE IDs")
      ->type_name("NAME")
      ->capture_default_str();
  import
      ->add_option("--public-url", settings.public_url,
                   "http://HOST:PORT of revocation lists, written into certificates")
      ->type_name("URL");
  arguments->passphrase.AddTo(*import);
  import->footer(kImportExamples);
  context.OnChosen(import, [arguments](const Depot&, const Session& session) {
    return RunImport(*arguments, session);
  });
}

}  // namespace troth
