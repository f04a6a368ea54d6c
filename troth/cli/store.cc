// troth store: the file that the authority keeps its state in.
#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "troth/base/file.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/ca/authority_folder.h"
#include "troth/ca/folder_lock.h"
#include "troth/cli/command.h"
#include "troth/cli/operations_text.h"
#include "troth/cli/progress_line.h"
#include "troth/store/sqlite_store.h"

namespace troth {
namespace {

constexpr const char* kExamples = R"(Examples:
  troth store check --data /var/lib/troth
  troth store backup /mnt/backup/authority.db
  troth store prune --older-than 90d

Check and backup work while the authority runs; prune wants it stopped. A backup holds certificates, requests, tokens and the ledger:
keys lie beside the store, in files of their own. To restore one, put it in the place of DATA/authority.db while the authority is
stopped; what was issued after it was made is then unknown, and its holders have to enrol again.)";

// The store in --data. Errors: file_not_found.
absl::StatusOr<std::string> FindStore(const std::string& data) {
  std::string path = AuthorityFolder(data).Database();
  if (FileExists(path)) return path;
  return MakeError(Reason::kFileNotFound, path + " is not there: " + data +
                                              " holds no authority; give its folder with --data");
}

int RunCheck(const std::string& data, const Session& session) {
  const auto path = FindStore(data);
  if (!path.ok()) return session.Fail(path.status());
  ProgressLine line(session, "checking");
  const auto check = CheckSqliteStore(
      *path, [&](std::uint64_t done, std::uint64_t total) { line.Show(done, total); });
  line.Wipe();
  if (!check.ok()) return session.Fail(check.status());
  const bool ok = check->faults.empty();
  if (session.json) {
    session.Print({{"ok", ok},
                   {"certificates", check->certificates},
                   {"revocations", check->revocations},
                   {"requests", check->requests},
                   {"tokens", check->tokens},
                   {"ledger_entries", check->ledger_entries},
                   {"faults", check->faults}});
    return ok ? kExitDone : InfoOf(Reason::kStoreFailed).exit_code;
  }
  for (const std::string& fault : check->faults) {
    session.out << session.Red("fault: ") << Printable(fault, 1000) << "\n";
  }
  session.out << *path << ": " << Counted(check->certificates, "certificate", "certificates")
              << ", " << Counted(check->revocations, "revocation", "revocations") << ", "
              << Counted(check->requests, "request", "requests") << ", "
              << Counted(check->tokens, "token", "tokens") << ", "
              << Counted(check->ledger_entries, "ledger entry", "ledger entries") << "\n";
  if (ok) {
    session.out << session.Green("The store is whole") << "\n";
    return kExitDone;
  }
  return session.Fail(MakeError(Reason::kStoreFailed,
                                *path + " has " + Counted(check->faults.size(), "fault", "faults") +
                                    "; stop the authority and restore a backup"));
}

int RunBackup(const std::string& data, const std::string& to, const Session& session) {
  const auto path = FindStore(data);
  if (!path.ok()) return session.Fail(path.status());
  if (absl::Status status = BackupSqliteStore(*path, to); !status.ok()) {
    return session.Fail(status);
  }
  if (session.json) {
    session.Print({{"ok", true}, {"store", *path}, {"backup", to}});
  } else {
    session.out << "Copied " << *path << " to " << to << "\n";
    session.err << "The keys are not in it: keep copies of " << data
                << "/*.key where only you can read them\n";
  }
  return kExitDone;
}

int RunPrune(const std::string& data, const std::string& older_than, const Session& session) {
  const auto path = FindStore(data);
  if (!path.ok()) return session.Fail(path.status());
  const auto lock = FolderLock::Acquire(data, Seconds(0));
  if (!lock.ok()) {
    return session.Fail(
        WithContext(lock.status(), "an authority serves " + data + ": stop it first"));
  }
  const Time before = session.clock.Now() - *ParseDuration(older_than);
  const auto pruned = PruneSqliteStore(*path, before);
  if (!pruned.ok()) return session.Fail(pruned.status());
  if (session.json) {
    session.Print({{"ok", true},
                   {"before", before},
                   {"certificates", pruned->certificates},
                   {"requests", pruned->requests},
                   {"tokens", pruned->tokens}});
  } else {
    session.out << "Removed what ended before " << FormatTime(before) << ": "
                << Counted(pruned->certificates, "certificate", "certificates") << ", "
                << Counted(pruned->requests, "request", "requests") << ", "
                << Counted(pruned->tokens, "token", "tokens") << ". The ledger is as it was\n";
  }
  return kExitDone;
}

}  // namespace

void AddStoreCommand(CLI::App& app, Session& session) {
  CLI::App* store = app.add_subcommand("store", "check, copy and tidy the authority's store");
  store->require_subcommand(1);
  store->footer(kExamples);
  auto data = std::make_shared<std::string>("authority");
  const auto add = [&](const char* name, const char* description) {
    CLI::App* command = store->add_subcommand(name, description);
    command->add_option("--data", *data, "the authority's folder")
        ->type_name("DIR")
        ->capture_default_str();
    command->footer(kExamples);
    return command;
  };

  CLI::App* check = add("check", "read everything, and say what is wrong with it");
  check->callback(
      [&session, data] { session.run = [&session, data] { return RunCheck(*data, session); }; });

  CLI::App* backup = add("backup", "copy the store to a new file");
  auto to = std::make_shared<std::string>();
  backup->add_option("FILE", *to, "where to; it must not exist")->required()->type_name("");
  backup->callback([&session, data, to] {
    session.run = [&session, data, to] { return RunBackup(*data, *to, session); };
  });

  CLI::App* prune = add("prune", "remove what ended long ago");
  auto older_than = std::make_shared<std::string>("90d");
  prune->add_option("--older-than", *older_than, "what has ended for longer than this")
      ->type_name("TIME")
      ->check([](const std::string& text) {
        return ParseDuration(text).has_value()
                   ? std::string()
                   : "expected a length of time such as 90d, got '" + Printable(text) + "'";
      })
      ->capture_default_str();
  prune->callback([&session, data, older_than] {
    session.run = [&session, data, older_than] { return RunPrune(*data, *older_than, session); };
  });
}

}  // namespace troth
