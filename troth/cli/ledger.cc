// troth ledger: what was decided, and that nobody changed it since.
#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "troth/base/file.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/ca/authority_folder.h"
#include "troth/ca/ledger.h"
#include "troth/cli/command.h"
#include "troth/cli/operations_options.h"
#include "troth/cli/operations_text.h"
#include "troth/cli/progress_line.h"
#include "troth/cli/text_table.h"
#include "troth/pki/certificate.h"
#include "troth/pki/path_validation.h"
#include "troth/pki/trust_bundle.h"
#include "troth/store/sqlite_store.h"

namespace troth {
namespace {

constexpr const char* kExamples = R"(Examples:
  troth ledger show                                the last 50 decisions
  troth ledger show --from 1 --limit 1000 --json
  troth ledger verify                              is it whole, and as its issuer signed it?
  troth ledger verify --head /mnt/audit/ledger.head
  troth ledger verify --head ledger.head --server ca.example.org:8444 --certificate admin.pem --private-key admin.key --trust-bundle root.pem

The authority keeps a signed head in DATA/ledger.head: copy it elsewhere from time to time. Whoever can change the store can make up a
new ledger from beginning to end, and only a head that lies where they cannot write shows it. With --data the store is read itself,
whether the authority runs or not.)";

using Visit = std::function<bool(const LedgerEntry&)>;
// Entries from a number on; answers the head.
using ReadEntries = std::function<absl::StatusOr<LedgerHead>(std::uint64_t from, const Visit&)>;

// A ledger, wherever it is, and the root of the authority that it is of.
struct LedgerSource {
  ReadEntries read;
  Certificate root;
};

absl::StatusOr<LedgerSource> OpenFolder(const AuthorityFolder& folder) {
  if (!FileExists(folder.Database())) {
    return MakeError(Reason::kFileNotFound, folder.Database() + " is not there: " + folder.path() +
                                                " holds no authority; give its folder with --data");
  }
  auto pem = ReadFile(folder.RootCertificate());
  if (!pem.ok()) return pem.status();
  auto root = Certificate::FromPem(*pem);
  if (!root.ok()) return WithContext(root.status(), folder.RootCertificate());
  auto opened = OpenSqliteStore({.path = folder.Database(), .read_only = true});
  if (!opened.ok()) return opened.status();
  std::shared_ptr<Store> store = *std::move(opened);
  const auto read = [store](std::uint64_t from, const Visit& visit) -> absl::StatusOr<LedgerHead> {
    LedgerHead head;
    absl::Status status = store->Read([&](StoreReader& reader) {
      auto found = reader.Head();
      if (!found.ok()) return found.status();
      head = *found;
      return reader.VisitLedger(from, visit);
    });
    if (!status.ok()) return status;
    return head;
  };
  return LedgerSource{.read = read, .root = *std::move(root)};
}

absl::StatusOr<LedgerSource> OpenRemote(const OperationsOptions& where, const Session& session) {
  auto connected = ConnectToAuthority(where, session);
  if (!connected.ok()) return connected.status();
  std::shared_ptr<Operations> operations = *std::move(connected);
  const auto summary = operations->Summary();
  if (!summary.ok()) return summary.status();
  auto root = Certificate::FromPem(summary->root_pem);
  if (!root.ok()) return WithContext(root.status(), "the authority's root");
  return LedgerSource{
      .read = [operations](std::uint64_t from,
                           const Visit& visit) { return operations->ReadLedger(from, visit); },
      .root = *std::move(root)};
}

absl::StatusOr<LedgerSource> Open(const OperationsOptions& where, const Session& session) {
  return where.is_remote() ? OpenRemote(where, session) : OpenFolder(AuthorityFolder(where.data));
}

// A signed head that was kept, when its signer is an issuer of `root` or the root itself.
absl::StatusOr<SignedHead> ReadHead(const std::string& path, const Certificate& root) {
  const auto text = ReadFile(path);
  if (!text.ok()) return text.status();
  auto head = SignedHead::FromText(*text);
  if (!head.ok()) return WithContext(head.status(), path);
  if (absl::Status status = head->Verify(); !status.ok()) return WithContext(status, path);
  const auto signer = Certificate::FromDer(head->signer_der);
  if (!signer.ok()) return WithContext(signer.status(), path + ": its signer");
  if (!signer->is_ca()) {
    return MakeError(Reason::kNotACertificateAuthority,
                     path + ": expected a head that an issuer signed, and it is signed by " +
                         signer->Describe());
  }
  const auto trust = TrustBundle::FromPem(root.ToPem());
  if (!trust.ok()) return trust.status();
  const PathResult result = ValidatePath(*signer, {}, *trust, {.now = head->at});
  if (!result.status.ok()) {
    return WithContext(result.status, path + " is not of this authority");
  }
  return head;
}

struct VerifyArguments {
  std::string head;
};

struct VerifiedHead {
  std::string file;
  SignedHead signed_head;
  LedgerVerifier verifier;
};

int PrintVerified(const LedgerHead& head, const std::vector<VerifiedHead>& heads,
                  const Session& session) {
  if (session.json) {
    std::vector<JsonObject> kept;
    kept.reserve(heads.size());
    for (const VerifiedHead& one : heads) {
      kept.push_back({{"file", one.file},
                      {"sequence", one.signed_head.head.sequence},
                      {"signed_at", one.signed_head.at}});
    }
    session.Print({{"ok", true},
                   {"entries", head.sequence},
                   {"head", FormatFingerprint(head.hash)},
                   {"signed_heads", kept}});
    return kExitDone;
  }
  session.out << session.Green("The ledger is whole") << ": "
              << Counted(head.sequence, "entry", "entries") << ", head "
              << FormatFingerprint(head.hash) << "\n";
  for (const VerifiedHead& one : heads) {
    session.out << "  as signed at " << FormatTime(one.signed_head.at) << ", with "
                << Counted(one.signed_head.head.sequence, "entry", "entries") << " (" << one.file
                << ")\n";
  }
  if (heads.empty()) {
    session.Warn(
        "no signed head was compared: a ledger that was made up from beginning to end looks the "
        "same; give one with --head");
  }
  return kExitDone;
}

int RunVerify(const VerifyArguments& arguments, const OperationsOptions& where,
              const Session& session) {
  const auto source = Open(where, session);
  if (!source.ok()) return session.Fail(source.status());
  std::vector<std::string> files;
  if (!arguments.head.empty()) files.push_back(arguments.head);
  const std::string own = AuthorityFolder(where.data).LedgerHead();
  // Read before the ledger, which grows.
  if (!where.is_remote() && FileExists(own)) files.push_back(own);
  std::vector<VerifiedHead> heads;
  for (const std::string& file : files) {
    auto head = ReadHead(file, source->root);
    if (!head.ok()) return session.Fail(head.status());
    LedgerVerifier verifier(head->head);
    heads.push_back({file, *std::move(head), verifier});
  }
  LedgerVerifier chain;
  ProgressLine line(session, "verifying");
  absl::Status broken;
  const auto head = source->read(1, [&](const LedgerEntry& entry) {
    broken = chain.Add(entry);
    for (VerifiedHead& one : heads) {
      if (broken.ok()) broken = WithContext(one.verifier.Add(entry), one.file);
    }
    line.Show(entry.sequence, 0);
    return broken.ok();
  });
  line.Wipe();
  if (!head.ok()) return session.Fail(head.status());
  if (broken.ok()) broken = chain.Finish(*head);
  for (const VerifiedHead& one : heads) {
    if (broken.ok()) broken = WithContext(one.verifier.Finish(*head), one.file);
  }
  if (!broken.ok()) return session.Fail(broken);
  return PrintVerified(*head, heads, session);
}

struct ShowArguments {
  std::optional<std::uint64_t> from;
  std::uint64_t limit = 50;
};

int RunShow(const ShowArguments& arguments, const OperationsOptions& where,
            const Session& session) {
  const auto source = Open(where, session);
  if (!source.ok()) return session.Fail(source.status());
  std::uint64_t from = arguments.from.value_or(1);
  if (!arguments.from.has_value()) {
    const auto head = source->read(1, [](const LedgerEntry& /*entry*/) { return false; });
    if (!head.ok()) return session.Fail(head.status());
    if (head->sequence > arguments.limit) from = head->sequence - arguments.limit + 1;
  }
  std::vector<LedgerEntry> entries;
  const auto head = source->read(from, [&](const LedgerEntry& entry) {
    entries.push_back(entry);
    return entries.size() < arguments.limit;
  });
  if (!head.ok()) return session.Fail(head.status());
  if (session.json) {
    std::vector<JsonObject> objects;
    objects.reserve(entries.size());
    for (const LedgerEntry& entry : entries) objects.push_back(JsonOf(entry));
    session.Print({{"ok", true}, {"entries", objects}, {"last", head->sequence}});
    return kExitDone;
  }
  if (entries.empty()) {
    session.out << "No entries\n";
    return kExitDone;
  }
  TextTable table({"NUMBER", "WHEN", "ACTION", "BY", "SUBJECT", "DETAIL"});
  for (const LedgerEntry& entry : entries) {
    const LedgerNote& note = entry.note;
    table.Add({std::to_string(entry.sequence), FormatTime(note.at),
               TableCell(Printable(note.action),
                         note.action == "refuse" ? CellStyle::kBad : CellStyle::kPlain),
               Printable(note.actor), Printable(note.subject), Printable(note.detail)});
  }
  table.Print(session);
  return kExitDone;
}

}  // namespace

void AddLedgerCommand(CLI::App& app, Session& session) {
  CLI::App* ledger = app.add_subcommand("ledger", "see what was decided, and that it is unchanged");
  ledger->require_subcommand(1);
  ledger->footer(kExamples);
  const OperationsContext context(session);

  CLI::App* verify = ledger->add_subcommand("verify", "check that nothing was changed or cut off");
  auto verify_arguments = std::make_shared<VerifyArguments>();
  verify
      ->add_option("--head", verify_arguments->head,
                   "a signed head that was kept elsewhere; DATA/ledger.head is compared anyway")
      ->type_name("F");
  verify->footer(kExamples);
  context.OnChosen(verify,
                   [verify_arguments](const OperationsOptions& where, const Session& chosen) {
                     return RunVerify(*verify_arguments, where, chosen);
                   });

  CLI::App* show = ledger->add_subcommand("show", "show decisions, oldest first");
  auto show_arguments = std::make_shared<ShowArguments>();
  show->add_option("--from", show_arguments->from, "from this number on (default: the last ones)")
      ->type_name("N");
  show->add_option("--limit", show_arguments->limit, "no more than this many")
      ->check(CLI::Range(1, 10'000'000).description(""))
      ->type_name("N")
      ->capture_default_str();
  context.OnChosen(show, [show_arguments](const OperationsOptions& where, const Session& chosen) {
    return RunShow(*show_arguments, where, chosen);
  });
}

}  // namespace troth
