// troth tokens: rights to enrol without waiting for an operator.
#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/ca/lifetime.h"
#include "troth/cli/command.h"
#include "troth/cli/operations_options.h"
#include "troth/cli/operations_text.h"
#include "troth/cli/text_table.h"

namespace troth {
namespace {

constexpr const char* kExamples = R"(Examples:
  TOKEN=$(troth tokens create --name db.internal)                     once, within an hour
  troth tokens create --name '*.web.internal' --max-uses 20 --expires "2 days" > token
  troth tokens create --profile admin --name spiffe://example.org/troth/admin/alice > token
  troth tokens create --any-name                                      whoever has it may have any name
  troth enroll --token-file token https://ca.example.org:8443 db.internal    on the machine
  troth tokens list
  troth tokens revoke 5f2c81a09d3e6b77

The token goes to standard output, what it is good for to standard error. It is shown this once; the authority keeps only its hash.)";

struct CreateArguments {
  TokenSpec spec;
  std::string expires = "1h";
};

std::string ForWhom(const TokenRecord& token) {
  return token.any_name ? "any name" : NamesInWords(token.names);
}

int RunCreate(Operations& operations, CreateArguments& arguments, const Session& session) {
  const Time now = session.clock.Now();
  const auto expires = TimeAfter(now, arguments.expires);
  if (!expires.ok()) return session.Fail(WithContext(expires.status(), "--expires"));
  arguments.spec.lifetime = *expires - now;
  if (arguments.spec.names.empty() && !arguments.spec.any_name) {
    return session.Fail(MakeError(Reason::kUsageError,
                                  "a token says which names it is good for: give --name NAME, once "
                                  "or more often, or --any-name"));
  }
  const auto made = operations.CreateToken(arguments.spec);
  if (!made.ok()) return session.Fail(made.status());
  const TokenRecord& token = made->record;
  if (session.json) {
    session.Print(JsonObject{{"ok", true}, {"token", made->text.Reveal()}}.Add(JsonOf(token, now)));
    return kExitDone;
  }
  session.err << "Token " << token.id << " for " << ForWhom(token) << ", profile "
              << Printable(token.profile) << ", "
              << (token.max_uses == 1 ? "once" : std::to_string(token.max_uses) + " times")
              << ", until " << FormatTime(token.expires_at) << " ("
              << FormatDuration(token.expires_at - now) << ")\n";
  if (token.any_name) {
    session.Warn(
        "whoever has this token may have a certificate for any name, also one that is in use");
  }
  session.out << made->text.Reveal() << std::endl;
  return kExitDone;
}

int RunList(Operations& operations, bool all, const Session& session) {
  auto tokens = operations.ListTokens();
  if (!tokens.ok()) return session.Fail(tokens.status());
  const Time now = session.clock.Now();
  if (!all) {
    std::erase_if(*tokens,
                  [&](const TokenRecord& token) { return StateOf(token, now) != "usable"; });
  }
  if (session.json) {
    session.Print({{"ok", true}, {"tokens", JsonOfAll(*tokens, now)}});
    return kExitDone;
  }
  if (tokens->empty()) {
    session.out << (all ? "No tokens\n" : "No usable tokens; --all shows the others too\n");
    return kExitDone;
  }
  TextTable table({"ID", "STATE", "USES", "EXPIRES", "PROFILE", "BY", "FOR"});
  for (const TokenRecord& token : *tokens) {
    const std::string_view state = StateOf(token, now);
    table.Add({token.id,
               TableCell(std::string(state), state == "usable"    ? CellStyle::kGood
                                             : state == "revoked" ? CellStyle::kBad
                                                                  : CellStyle::kFaint),
               std::to_string(token.uses) + " of " + std::to_string(token.max_uses),
               Ago(token.expires_at, now), Printable(token.profile), Printable(token.created_by),
               ForWhom(token)});
  }
  table.Print(session);
  return kExitDone;
}

int RunRevoke(Operations& operations, const std::string& id, const Session& session) {
  const auto token = operations.RevokeToken(id);
  if (!token.ok()) return session.Fail(token.status());
  if (session.json) {
    session.Print(JsonObject{{"ok", true}}.Add(JsonOf(*token, session.clock.Now())));
  } else {
    session.out << "Revoked: token " << token->id << " for " << ForWhom(*token) << "; it was used "
                << token->uses << " of " << token->max_uses << " times\n";
    if (token->uses > 0) {
      session.out << "The certificates that it was used for stay valid; see them with `troth "
                     "certificates list`\n";
    }
  }
  return kExitDone;
}

}  // namespace

void AddTokensCommand(CLI::App& app, Session& session) {
  CLI::App* tokens = app.add_subcommand("tokens", "make, list and revoke enrolment tokens");
  tokens->require_subcommand(1);
  tokens->footer(kExamples);
  const OperationsContext context(session);

  CLI::App* create = tokens->add_subcommand("create", "make a token");
  auto arguments = std::make_shared<CreateArguments>();
  create
      ->add_option("--profile", arguments->spec.profile, "of its certificates (default: the first)")
      ->type_name("P");
  CLI::Option* names =
      create
          ->add_option("--name", arguments->spec.names,
                       "a name, or a pattern such as '*.web.internal', that it is good for; may "
                       "be given more than once")
          ->type_name("N")
          ->take_all()
          ->expected(1, 100);
  create
      ->add_flag("--any-name", arguments->spec.any_name,
                 "good for every name, also one that has a certificate")
      ->excludes(names);
  create->add_option("--max-uses", arguments->spec.max_uses, "how often it may be used")
      ->type_name("N")
      ->check(CLI::Range(1, 1'000'000).description(""))
      ->capture_default_str();
  create->add_option("--expires", arguments->expires, "until then, such as 30m or \"2 days\"")
      ->type_name("T")
      ->capture_default_str();
  create->footer(kExamples);
  context.OnChosen(create, [arguments](Operations& operations, const Session& chosen) {
    return RunCreate(operations, *arguments, chosen);
  });

  CLI::App* list = tokens->add_subcommand("list", "list the tokens that can be used, newest first");
  auto all = std::make_shared<bool>(false);
  list->add_flag("--all", *all, "also those that were used up, have expired or were revoked");
  context.OnChosen(list, [all](Operations& operations, const Session& chosen) {
    return RunList(operations, *all, chosen);
  });

  CLI::App* revoke = tokens->add_subcommand("revoke", "take a token back");
  auto id = std::make_shared<std::string>();
  revoke->add_option("ID", *id, "the token's id, as `list` shows it")->required()->type_name("");
  context.OnChosen(revoke, [id](Operations& operations, const Session& chosen) {
    return RunRevoke(operations, *id, chosen);
  });
}

}  // namespace troth
