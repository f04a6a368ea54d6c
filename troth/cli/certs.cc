// troth certs generate: the certificate tree of a small fleet.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "troth/base/file.h"
#include "troth/base/reason.h"
#include "troth/base/shell_word.h"
#include "troth/base/strings.h"
#include "troth/ca/certificate_tree.h"
#include "troth/ca/tree_layout.h"
#include "troth/cli/certificate_text.h"
#include "troth/cli/command.h"
#include "troth/cli/passphrase.h"

namespace troth {
namespace {

constexpr const char* kExamples = R"(Examples:
  troth certs generate                        make the tree in core/certs
  troth certs generate --out certs --key-type p256 --san bridge.example.com
  troth certs generate --renew aggregator     a new key and certificate; peers still accept the old one
  troth certs generate --drop-old             end that overlap, once every peer has the new file
A new CA, without a moment in which anybody is refused:
  troth certs generate --roll-ca              every ca.pem now holds the new CA and the old one
  troth certs generate --renew all            once every service has the new ca.pem
  troth certs generate --drop-old             once every service has its new certificate

The tree: ca/{ca.key,ca.pem}, and in server/, client/ and aggregator/ a ca.pem, NAME.key and NAME.pem. client.pem and
aggregator.pem are what policies pin: after a renewal they hold the new certificate first, then the old one.
Keys are RSA, 4096 bits for the CA and 2048 below, unless --key-type says otherwise; a renewed one keeps its type, names
and subject. A passphrase encrypts ca.key, or opens it.
Nothing is overwritten without --renew, --roll-ca or --drop-old. A run that was interrupted is completed by the next.)";

struct Arguments {
  TreeOptions tree;
  std::string key_type;
  std::vector<std::string> server_names;
  std::vector<std::string> renew;
  bool roll_authority = false;
  bool drop_old = false;
  PassphraseOptions passphrase;
};

enum class Operation { kGenerate, kRenew, kRollAuthority, kDropOld };

Operation OperationOf(const Arguments& arguments) {
  if (!arguments.renew.empty()) return Operation::kRenew;
  if (arguments.roll_authority) return Operation::kRollAuthority;
  return arguments.drop_old ? Operation::kDropOld : Operation::kGenerate;
}

absl::StatusOr<TreeReport> Perform(const Arguments& arguments, const TreeOptions& options,
                                   const Clock& clock) {
  switch (OperationOf(arguments)) {
    case Operation::kGenerate:
      return GenerateTree(options, clock);
    case Operation::kRollAuthority:
      return RollTreeAuthority(options, clock);
    case Operation::kDropOld:
      return DropOldFromTree(options, clock);
    case Operation::kRenew:
      break;
  }
  std::vector<std::string> leaves = arguments.renew;
  if (std::ranges::find(leaves, "all") != leaves.end()) {
    leaves.clear();
    for (const TreeLeaf& leaf : TreeLeaves()) leaves.emplace_back(leaf.name);
  }
  return RenewTree(options, leaves, clock);
}

// What the user can run to see that the result is good.
std::vector<std::string> CheckCommands(const TreeOptions& options, const TreeReport& report) {
  std::string server_name = " --name localhost";
  for (const TreeEntry& entry : report.made) {
    if (entry.name != "server") continue;
    const std::vector<AlternativeName>& names = entry.certificate.alternative_names();
    server_name = names.empty() ? "" : " --name " + ShellWord(names.front().ToPlainString());
  }
  const std::string bundle = ShellWord(AuthorityPaths(options.folder).certificate);
  std::vector<std::string> commands;
  std::string files;
  for (const TreeLeaf& leaf : TreeLeaves()) {
    const std::string file = ShellWord(LeafPaths(options.folder, leaf).certificate);
    const std::string usage =
        leaf.usage == LeafUsage::kServerAndClient ? "server" + server_name : "client";
    std::string command = "troth verify ";
    command.append(file)
        .append(" --trust-bundle ")
        .append(bundle)
        .append(" --usage ")
        .append(usage);
    commands.push_back(std::move(command));
    files.append(" ").append(file);
  }
  commands.push_back("openssl verify -x509_strict -CAfile " + bundle + files);
  return commands;
}

void PrintMade(const TreeReport& report, const Session& session) {
  const Time now = session.clock.Now();
  for (const TreeEntry& entry : report.made) {
    const Certificate& certificate = entry.certificate;
    session.out << "  " << session.Bold(entry.name) << std::string(12 - entry.name.size(), ' ')
                << entry.certificate_file << "\n"
                << "              " << certificate.public_key().Describe() << ", until "
                << DateAndDaysLeft(certificate.validity().not_after, now) << "\n";
    if (!certificate.alternative_names().empty()) {
      session.out << "              " << NamesInWords(certificate) << "\n";
    }
    if (entry.older_certificates > 0) {
      session.out << "              " << session.Dim("before it: ")
                  << session.Dim(entry.name == "ca" ? "the old CA, for leaves issued until now"
                                                    : "the old certificate, for peers that pin it")
                  << "\n";
    }
  }
}

void PrintNotes(const Arguments& arguments, const TreeReport& report, const Session& session) {
  const bool cut = std::ranges::any_of(report.made, &TreeEntry::ends_with_authority);
  // In a first tree CA and leaves are made to end together.
  if (cut && OperationOf(arguments) == Operation::kRenew) {
    session.Warn("the CA ends before the " + std::to_string(arguments.tree.days) +
                 " days asked for, and its certificates with it; a new CA: `troth certs generate "
                 "--roll-ca`");
  }
  const std::string out = arguments.tree.folder == TreeOptions().folder
                              ? ""
                              : " --out " + ShellWord(arguments.tree.folder);
  switch (OperationOf(arguments)) {
    case Operation::kGenerate:
      session.out << "\nKeys (*.key) can be read by you alone; "
                  << JoinPath(arguments.tree.folder, ".gitignore")
                  << " keeps them out of version control.\n";
      break;
    case Operation::kRenew:
      if (std::ranges::any_of(
              report.made, [](const TreeEntry& entry) { return entry.older_certificates > 0; })) {
        session.out
            << "\nOnce every service has these files, end the overlap:\n  troth certs generate"
            << out << " --drop-old\n";
      }
      break;
    case Operation::kRollAuthority:
      session.out
          << "\nOnce every service has the new ca.pem:\n  troth certs generate" << out
          << " --renew all\nOnce every service has its new certificate:\n  troth certs generate"
          << out << " --drop-old\n";
      break;
    case Operation::kDropOld:
      break;
  }
}

void PrintReport(const Arguments& arguments, const TreeReport& report, const Session& session) {
  for (const std::string& file : report.recovered) {
    session.out << "Completed the interrupted replacement of " << file << "\n";
  }
  const std::string& folder = arguments.tree.folder;
  switch (OperationOf(arguments)) {
    case Operation::kGenerate:
      session.out << (report.kept.empty() ? "Made a certificate tree in "
                                          : "Completed the certificate tree in ")
                  << folder << "\n\n";
      break;
    case Operation::kRenew:
      session.out << "Renewed in " << folder << "\n\n";
      break;
    case Operation::kRollAuthority:
      session.out << "Made a new CA in " << folder
                  << "; every ca.pem there holds it and the old one\n\n";
      break;
    case Operation::kDropOld:
      if (report.changed.empty()) {
        session.out << "Nothing old is left in " << folder << "\n";
      } else {
        session.out << "Dropped old certificates from\n";
        for (const std::string& file : report.changed) session.out << "  " << file << "\n";
      }
      break;
  }
  PrintMade(report, session);
  PrintNotes(arguments, report, session);
  session.out << "\nCheck:\n";
  for (const std::string& command : CheckCommands(arguments.tree, report)) {
    session.out << "  " << command << "\n";
  }
}

void PrintJson(const Arguments& arguments, const TreeReport& report, const Session& session) {
  std::vector<JsonObject> made;
  for (const TreeEntry& entry : report.made) {
    made.push_back(JsonObject{{"name", entry.name},
                              {"certificate", entry.certificate_file},
                              {"private_key", entry.key_file}}
                       .Add(JsonOf(entry.certificate))
                       .Add({{"older_certificates", entry.older_certificates},
                             {"ends_with_authority", entry.ends_with_authority}}));
  }
  session.Print({{"ok", true},
                 {"folder", arguments.tree.folder},
                 {"made", made},
                 {"kept", report.kept},
                 {"changed", report.changed},
                 {"recovered", report.recovered},
                 {"check", CheckCommands(arguments.tree, report)}});
}

int Run(const Arguments& arguments, const Session& session) {
  TreeOptions options = arguments.tree;
  if (!arguments.key_type.empty()) options.key_type = KeyTypeFromName(arguments.key_type);
  for (const std::string& text : arguments.server_names) {
    absl::StatusOr<AlternativeName> name = AlternativeName::Parse(text);
    if (!name.ok()) {
      return session.Fail(
          MakeError(Reason::kUsageError, "--san: " + std::string(ToStd(name.status().message()))));
    }
    options.server_names.push_back(*std::move(name));
  }
  absl::StatusOr<std::optional<Secret>> passphrase = arguments.passphrase.Given();
  if (!passphrase.ok()) return session.Fail(passphrase.status());
  if (passphrase->has_value()) options.passphrase = &**passphrase;

  absl::StatusOr<TreeReport> report = Perform(arguments, options, session.clock);
  if (ReasonOf(report.status()) == Reason::kKeyEncrypted && !passphrase->has_value()) {
    absl::StatusOr<Secret> asked =
        PassphraseForKey(arguments.passphrase, session, AuthorityPaths(options.folder).key);
    if (!asked.ok()) return session.Fail(asked.status());
    *passphrase = *std::move(asked);
    options.passphrase = &**passphrase;
    report = Perform(arguments, options, session.clock);
  }
  if (!report.ok()) return session.Fail(report.status());
  if (session.json) {
    PrintJson(arguments, *report, session);
  } else {
    PrintReport(arguments, *report, session);
  }
  return kExitDone;
}

}  // namespace

void AddCertsCommand(CLI::App& app, Session& session) {
  CLI::App* certs = app.add_subcommand("certs", "make and renew the certificates of a small fleet");
  certs->require_subcommand(1);
  CLI::App* generate = certs->add_subcommand(
      "generate", "make a CA and the certificates of server, client and aggregator, or renew them");
  auto arguments = std::make_shared<Arguments>();

  generate->add_option("--out", arguments->tree.folder, "folder of the tree")
      ->type_name("FOLDER")
      ->capture_default_str();
  generate
      ->add_option("--key-type", arguments->key_type,
                   "p256, p384, ed25519, rsa2048, rsa3072 or rsa4096 for every key")
      ->type_name("TYPE")
      ->check(CLI::IsMember({"p256", "p384", "ed25519", "rsa2048", "rsa3072", "rsa4096"})
                  .description(""));
  generate
      ->add_option("--days", arguments->tree.days, "lifetime of certificates; none outlives the CA")
      ->type_name("N")
      ->check(CLI::Range(1, 36500).description(""))
      ->capture_default_str();
  generate->add_option("--ca-days", arguments->tree.authority_days, "lifetime of a CA that is made")
      ->type_name("N")
      ->check(CLI::Range(1, 36500).description(""))
      ->capture_default_str();
  generate
      ->add_option("--san", arguments->server_names,
                   "one more DNS name, IP address or URI for the server")
      ->type_name("NAME")
      ->allow_extra_args(false)
      ->delimiter(',');
  CLI::Option* renew =
      generate
          ->add_option("--renew", arguments->renew,
                       "new key and certificate for server, client, aggregator or all")
          ->type_name("NAME")
          ->allow_extra_args(false)
          ->delimiter(',');
  CLI::Option* roll = generate->add_flag("--roll-ca", arguments->roll_authority,
                                         "make a new CA and keep the old one in every ca.pem");
  generate
      ->add_flag("--drop-old", arguments->drop_old,
                 "remove the certificates that renewals and --roll-ca kept")
      ->excludes(renew)
      ->excludes(roll);
  roll->excludes(renew);
  arguments->passphrase.AddTo(*generate);
  generate->footer(kExamples);
  generate->callback([arguments, &session] {
    session.run = [arguments, &session] { return Run(*arguments, session); };
  });
}

}  // namespace troth
