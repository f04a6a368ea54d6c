// troth requests: what waits for a decision, and deciding it.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/ca/asked.h"
#include "troth/cli/command.h"
#include "troth/cli/operations_options.h"
#include "troth/cli/operations_text.h"
#include "troth/cli/text_table.h"
#include "troth/pki/certificate.h"

namespace troth {
namespace {

constexpr const char* kExamples = R"(Examples:
  troth requests list                              what waits, oldest first
  troth requests show db.internal                  compare its SHA-256 with what `troth enroll` prints there
  troth requests approve db.internal
  troth requests approve 1a2b3c4d --lifetime 48h   by the first 8 or more digits of its SHA-256
  troth requests reject 1a2b3c4d --why "not one of our machines"

A name that several requests have is refused, and the requests are listed: name one by its digits. Anybody may send a request for
any name; only the SHA-256 tells whose it is.)";

constexpr const char* kListExamples = R"(Examples:
  troth requests list --data /var/lib/troth
  troth requests list --state all --name db.internal
  troth requests list --server ca.example.org:8444 --certificate admin.pem --private-key admin.key --trust-bundle root.pem --json)";

constexpr size_t kPage = 500;
constexpr size_t kDigitsShown = 16;

std::string ShortId(const Sha256Digest& id) {
  return FormatFingerprint(id).substr(0, kDigitsShown);
}

struct ListArguments {
  std::string state = "pending";
  std::string name;
  size_t limit = 100;
};

// Pages through what there is, one more than the limit to know whether there is more.
absl::StatusOr<std::vector<RequestStatus>> ListAll(Operations& operations,
                                                   const ListArguments& arguments) {
  std::vector<RequestStatus> all;
  RequestFilter filter{.state = RequestStateFromName(arguments.state), .name = arguments.name};
  while (all.size() <= arguments.limit) {
    filter.limit = std::min(kPage, arguments.limit + 1 - all.size());
    auto page = operations.ListRequests(filter);
    if (!page.ok()) return page.status();
    const size_t size = page->size();
    std::ranges::move(*page, std::back_inserter(all));
    if (size < filter.limit) break;
    filter.after = all.back().record.id;
  }
  return all;
}

CellStyle StyleOf(RequestState state) {
  switch (state) {
    case RequestState::kApproved:
      return CellStyle::kGood;
    case RequestState::kRejected:
      return CellStyle::kBad;
    case RequestState::kExpired:
      return CellStyle::kFaint;
    case RequestState::kPending:
      break;
  }
  return CellStyle::kPlain;
}

int RunList(Operations& operations, const ListArguments& arguments, const Session& session) {
  auto found = ListAll(operations, arguments);
  if (!found.ok()) return session.Fail(found.status());
  const bool more = found->size() > arguments.limit;
  if (more)
    found->erase(found->begin() + static_cast<std::ptrdiff_t>(arguments.limit), found->end());
  if (session.json) {
    std::vector<JsonObject> objects;
    for (const RequestStatus& request : *found) objects.push_back(JsonOf(request));
    session.Print({{"ok", true}, {"requests", objects}, {"more", more}});
    return kExitDone;
  }
  if (found->empty()) {
    session.out << (arguments.state == "all" ? "No requests\n"
                                             : "No request is " + arguments.state + "\n");
    return kExitDone;
  }
  TextTable table({"SHA-256", "STATE", "SENT", "PROFILE", "FROM", "NAME"});
  bool contested = false;
  for (const RequestStatus& request : *found) {
    const RequestRecord& record = request.record;
    contested = contested || !request.same_name_other_key.empty();
    table.Add({ShortId(record.id),
               TableCell(std::string(NameOf(record.state)), StyleOf(record.state)),
               Ago(record.created_at, session.clock.Now()), Printable(record.profile),
               Printable(record.address),
               request.same_name_other_key.empty()
                   ? TableCell(Printable(record.name))
                   : TableCell(Printable(record.name) + " (also asked for with another key)",
                               CellStyle::kBad)});
  }
  table.Print(session);
  if (contested) {
    session.Warn(
        "a name is asked for with different keys: compare the SHA-256 with the machine's before "
        "you approve");
  }
  if (more) session.err << "There are more; see them with --limit\n";
  return kExitDone;
}

void PrintRequest(const RequestStatus& request, const Session& session) {
  const RequestRecord& record = request.record;
  const Time now = session.clock.Now();
  session.out << RequestDigestLine(record.id) << "\n"
              << "  name         " << session.Bold(Printable(record.name)) << "\n"
              << "  names        " << NamesInWords(record.names) << "\n"
              << "  state        " << NameOf(record.state) << "\n"
              << "  profile      " << Printable(record.profile) << "\n";
  if (const auto read = ReadRequest(record.body); read.ok()) {
    if (!read->subject().empty()) {
      session.out << "  subject      " << Printable(read->subject().ToString()) << "\n";
    }
    session.out << "  key          " << read->public_key().Describe() << ", SHA-256 "
                << FormatFingerprint(record.key) << "\n";
  }
  session.out << "  sent         " << FormatTime(record.created_at) << " ("
              << Ago(record.created_at, now) << ") from " << Printable(record.address) << "\n";
  if (record.decided_at.has_value()) {
    session.out << "  decided      " << FormatTime(*record.decided_at) << " by "
                << Printable(record.decided_by);
    if (!record.decision_note.empty()) session.out << ": " << Printable(record.decision_note);
    session.out << "\n";
  }
  if (record.certificate.has_value()) {
    session.out << "  certificate  " << record.certificate->ToHex();
    if (record.certificate_not_after.has_value()) {
      session.out << ", until " << FormatTime(*record.certificate_not_after);
    }
    session.out << "\n";
  }
  for (const Sha256Digest& other : request.same_name_other_key) {
    session.out << "  " << session.Red("other key")
                << "    asked for the same name: " << ShortId(other) << "\n";
  }
}

int RunShow(Operations& operations, const std::string& which, const Session& session) {
  const auto request = operations.ShowRequest(which);
  if (!request.ok()) return session.Fail(request.status());
  if (session.json) {
    session.Print(
        JsonObject{{"ok", true}}.Add(JsonOf(*request)).Add({{"body", request->record.body}}));
  } else {
    PrintRequest(*request, session);
  }
  return kExitDone;
}

struct ApproveArguments {
  std::string which;
  std::string lifetime;
};

int RunApprove(Operations& operations, const ApproveArguments& arguments, const Session& session) {
  std::optional<Seconds> lifetime;
  if (!arguments.lifetime.empty()) lifetime = ParseDuration(arguments.lifetime);
  const auto issued = operations.Approve(arguments.which, lifetime);
  if (!issued.ok()) return session.Fail(issued.status());
  const Time now = session.clock.Now();
  if (session.json) {
    session.Print(JsonObject{{"ok", true}}.Add(JsonOf(*issued, now)));
  } else {
    session.out << "Approved: certificate " << issued->record.serial.ToHex() << " for "
                << NamesInWords(issued->record.names) << ", until "
                << FormatTime(issued->record.not_after) << " ("
                << FormatDuration(issued->record.not_after - now) << ")\n";
  }
  return kExitDone;
}

struct RejectArguments {
  std::string which;
  std::string why;
};

int RunReject(Operations& operations, const RejectArguments& arguments, const Session& session) {
  const auto rejected = operations.Reject(arguments.which, arguments.why);
  if (!rejected.ok()) return session.Fail(rejected.status());
  if (session.json) {
    session.Print(JsonObject{{"ok", true}}.Add(JsonOf(*rejected)));
  } else {
    session.out << "Rejected: " << ShortId(rejected->record.id) << " for "
                << Printable(rejected->record.name) << "\n";
  }
  return kExitDone;
}

CLI::Option* AddWhich(CLI::App* command, std::string& which) {
  return command
      ->add_option("ID-or-name", which, "its name, or the first 8 or more digits of its SHA-256")
      ->required()
      ->type_name("");
}

// What ParseDuration reads, and not nothing.
std::string CheckDuration(const std::string& text) {
  const auto duration = ParseDuration(text);
  if (duration.has_value() && duration->count() > 0) return "";
  return "expected a length of time such as 48h or 7d, got '" + Printable(text) + "'";
}

}  // namespace

void AddRequestsCommand(CLI::App& app, Session& session) {
  CLI::App* requests =
      app.add_subcommand("requests", "see and decide what waits for a certificate");
  requests->require_subcommand(1);
  requests->footer(kExamples);
  const OperationsContext context(session);

  CLI::App* list = requests->add_subcommand("list", "list requests, oldest first");
  auto list_arguments = std::make_shared<ListArguments>();
  list->add_option("--state", list_arguments->state, "only those in this state")
      ->check(CLI::IsMember({"pending", "approved", "rejected", "expired", "all"})
                  .description("{pending,approved,rejected,expired,all}"))
      ->type_name("")
      ->capture_default_str();
  list->add_option("--name", list_arguments->name, "only those for this name")->type_name("NAME");
  list->add_option("--limit", list_arguments->limit, "no more than this many")
      ->check(CLI::Range(1, 1'000'000).description(""))
      ->type_name("N")
      ->capture_default_str();
  list->footer(kListExamples);
  context.OnChosen(list, [list_arguments](Operations& operations, const Session& chosen) {
    return RunList(operations, *list_arguments, chosen);
  });

  CLI::App* show = requests->add_subcommand("show", "show a request, with the SHA-256 to compare");
  auto which = std::make_shared<std::string>();
  AddWhich(show, *which);
  context.OnChosen(show, [which](Operations& operations, const Session& chosen) {
    return RunShow(operations, *which, chosen);
  });

  CLI::App* approve =
      requests->add_subcommand("approve", "issue the certificate that is asked for");
  auto approve_arguments = std::make_shared<ApproveArguments>();
  AddWhich(approve, approve_arguments->which);
  approve
      ->add_option("--lifetime", approve_arguments->lifetime,
                   "of the certificate, such as 48h or 7d (default: the profile's)")
      ->type_name("TIME")
      ->check(CheckDuration);
  approve->footer(kExamples);
  context.OnChosen(approve, [approve_arguments](Operations& operations, const Session& chosen) {
    return RunApprove(operations, *approve_arguments, chosen);
  });

  CLI::App* reject = requests->add_subcommand("reject", "refuse a request for good");
  auto reject_arguments = std::make_shared<RejectArguments>();
  AddWhich(reject, reject_arguments->which);
  reject->add_option("--why", reject_arguments->why, "told to who asks, and kept in the ledger")
      ->type_name("TEXT");
  reject->footer(kExamples);
  context.OnChosen(reject, [reject_arguments](Operations& operations, const Session& chosen) {
    return RunReject(operations, *reject_arguments, chosen);
  });
}

}  // namespace troth
