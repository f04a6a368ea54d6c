// troth certificates: what was issued, and taking it back.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/cli/certificate_text.h"
#include "troth/cli/command.h"
#include "troth/cli/operations_options.h"
#include "troth/cli/operations_text.h"
#include "troth/cli/text_table.h"
#include "troth/pki/certificate.h"
#include "troth/pki/revocation_reason.h"

namespace troth {
namespace {

constexpr const char* kExamples = R"(Examples:
  troth certificates list                                  what is valid, newest first
  troth certificates list --name '*.web.internal' --all    what expired or was revoked too
  troth certificates list --expires-within 7d --json
  troth certificates show db.internal --pem > db.pem
  troth certificates revoke db.internal --reason keyCompromise
  troth certificates revoke 41ab00cd... --server ca.example.org:8444 --certificate admin.pem --private-key admin.key --trust-bundle root.pem

A revoked identity is revoked with its renewals: its key gets no other certificate, and its requests are refused. A name that has
several valid certificates is refused, and they are listed: name one by its serial, or say --all.)";

constexpr size_t kPage = 500;

struct ListArguments {
  std::string name, profile, expires_within;
  bool revoked = false;
  bool all = false;
  size_t limit = 100;
};

// Pages through what there is, one more than the limit to know whether there is more.
absl::StatusOr<std::vector<CertificateStatus>> ListAll(Operations& operations,
                                                       const ListArguments& arguments, Time now) {
  CertificateFilter filter{
      .name = arguments.name, .profile = arguments.profile, .only_revoked = arguments.revoked};
  const bool only_valid = !arguments.all && !arguments.revoked;
  if (only_valid) filter.expires_after = now;
  if (!arguments.expires_within.empty()) {
    filter.expires_before = now + *ParseDuration(arguments.expires_within);
  }
  std::vector<CertificateStatus> all;
  while (all.size() <= arguments.limit) {
    filter.limit = std::min(kPage, arguments.limit + 1 - all.size());
    auto page = operations.ListCertificates(filter);
    if (!page.ok()) return page.status();
    const size_t size = page->size();
    if (size > 0) filter.before = page->back().record.serial;
    for (CertificateStatus& one : *page) {
      if (!only_valid || !one.revocation.has_value()) all.push_back(std::move(one));
    }
    if (size < filter.limit) break;
  }
  return all;
}

CellStyle StyleOf(std::string_view state) {
  return state == "valid" ? CellStyle::kGood
                          : (state == "revoked" ? CellStyle::kBad : CellStyle::kFaint);
}

int RunList(Operations& operations, const ListArguments& arguments, const Session& session) {
  const Time now = session.clock.Now();
  auto found = ListAll(operations, arguments, now);
  if (!found.ok()) return session.Fail(found.status());
  const bool more = found->size() > arguments.limit;
  if (more)
    found->erase(found->begin() + static_cast<std::ptrdiff_t>(arguments.limit), found->end());
  if (session.json) {
    session.Print({{"ok", true}, {"certificates", JsonOfAll(*found, now)}, {"more", more}});
    return kExitDone;
  }
  if (found->empty()) {
    session.out << (arguments.all || arguments.revoked
                        ? "No such certificates\n"
                        : "No such valid certificates; --all shows the others too\n");
    return kExitDone;
  }
  TextTable table({"SERIAL", "STATE", "UNTIL", "PROFILE", "FOR"});
  for (const CertificateStatus& one : *found) {
    const std::string_view state = StateOf(one, now);
    table.Add({one.record.serial.ToHex(), TableCell(std::string(state), StyleOf(state)),
               DateAndDaysLeft(one.record.not_after, now), Printable(one.record.profile),
               NamesInWords(one.record.names)});
  }
  table.Print(session);
  if (more) session.err << "There are more; see them with --limit\n";
  return kExitDone;
}

void PrintCertificate(const CertificateStatus& status, const Session& session) {
  const CertificateRecord& record = status.record;
  const Time now = session.clock.Now();
  session.out << "Serial " << session.Bold(record.serial.ToHex()) << "\n"
              << "  state     " << StateOf(status, now);
  if (status.revocation.has_value()) {
    session.out << " at " << FormatTime(status.revocation->revoked_at) << ", "
                << NameOfRevocationReason(status.revocation->reason);
  }
  session.out << "\n  names     " << NamesInWords(record.names) << "\n";
  if (const auto certificate = Certificate::FromDer(record.der); certificate.ok()) {
    if (!certificate->subject().empty()) {
      session.out << "  subject   " << Printable(certificate->subject().ToString()) << "\n";
    }
    session.out << "  key       " << certificate->public_key().Describe() << "\n"
                << "  SHA-256   " << FormatFingerprint(certificate->fingerprint()) << "\n";
  }
  session.out << "  profile   " << Printable(record.profile) << "\n"
              << "  issued    " << FormatTime(record.issued_at) << " ("
              << Ago(record.issued_at, now) << "), by issuer " << record.issuer << "\n"
              << "  until     " << FormatTime(record.not_after) << " ("
              << Ago(record.not_after, now) << ")\n";
  if (record.lineage != record.serial) {
    session.out << "  first     " << record.lineage.ToHex() << ", of which it is a renewal\n";
  }
  if (!record.token.empty()) session.out << "  token     " << Printable(record.token) << "\n";
  session.out << "  " << RequestDigestLine(record.request) << "\n";
}

struct ShowArguments {
  std::string which;
  bool pem = false;
};

int RunShow(Operations& operations, const ShowArguments& arguments, const Session& session) {
  const auto found = operations.ShowCertificate(arguments.which);
  if (!found.ok()) return session.Fail(found.status());
  if (!session.json && !arguments.pem) {
    PrintCertificate(*found, session);
    return kExitDone;
  }
  const auto certificate = Certificate::FromDer(found->record.der);
  if (!certificate.ok()) {
    return session.Fail(WithContext(certificate.status(), "what the authority keeps of it"));
  }
  if (session.json) {
    session.Print(JsonObject{{"ok", true}}
                      .Add(JsonOf(*found, session.clock.Now()))
                      .Add({{"fingerprint", FormatFingerprint(certificate->fingerprint())},
                            {"pem", certificate->ToPem()}}));
  } else {
    session.out << certificate->ToPem();
  }
  return kExitDone;
}

struct RevokeArguments {
  RevokeSpec spec;
  std::string reason = "unspecified";
};

int RunRevoke(Operations& operations, RevokeArguments& arguments, const Session& session) {
  arguments.spec.reason = RevocationReasonFromName(arguments.reason).value_or(0);
  const auto revoked = operations.Revoke(arguments.spec);
  if (!revoked.ok()) return session.Fail(revoked.status());
  if (session.json) {
    session.Print({{"ok", true}, {"certificates", JsonOfAll(*revoked, session.clock.Now())}});
    return kExitDone;
  }
  for (const CertificateStatus& one : *revoked) {
    session.out << "Revoked: " << one.record.serial.ToHex() << " for "
                << NamesInWords(one.record.names) << ", which was valid until "
                << FormatTime(one.record.not_after) << "\n";
  }
  // Once for all of an issuer: what is to be done is the same.
  std::set<std::string> said;
  for (const CertificateStatus& one : *revoked) {
    if (one.warning.empty() || !said.insert(one.warning).second) continue;
    session.Warn(one.record.serial.ToHex() + ": " + one.warning);
  }
  return kExitDone;
}

// What ParseDuration reads.
std::string CheckDuration(const std::string& text) {
  if (ParseDuration(text).has_value()) return "";
  return "expected a length of time such as 48h or 7d, got '" + Printable(text) + "'";
}

}  // namespace

void AddCertificatesCommand(CLI::App& app, Session& session) {
  CLI::App* certificates = app.add_subcommand("certificates", "see what was issued, and revoke it");
  certificates->require_subcommand(1);
  certificates->footer(kExamples);
  const OperationsContext context(session);

  CLI::App* list = certificates->add_subcommand("list", "list certificates, newest first");
  auto list_arguments = std::make_shared<ListArguments>();
  list->add_option("--name", list_arguments->name,
                   "only those with this name; * stands for anything")
      ->type_name("NAME");
  list->add_option("--profile", list_arguments->profile, "only those of this profile")
      ->type_name("P");
  list->add_option("--expires-within", list_arguments->expires_within,
                   "only those that end within this, such as 7d")
      ->type_name("TIME")
      ->check(CheckDuration);
  CLI::Option* revoked =
      list->add_flag("--revoked", list_arguments->revoked, "only those that were revoked");
  list->add_flag("--all", list_arguments->all, "also those that have expired or were revoked")
      ->excludes(revoked);
  list->add_option("--limit", list_arguments->limit, "no more than this many")
      ->check(CLI::Range(1, 10'000'000).description(""))
      ->type_name("N")
      ->capture_default_str();
  list->footer(kExamples);
  context.OnChosen(list, [list_arguments](Operations& operations, const Session& chosen) {
    return RunList(operations, *list_arguments, chosen);
  });

  CLI::App* show = certificates->add_subcommand("show", "show a certificate and what became of it");
  auto show_arguments = std::make_shared<ShowArguments>();
  show->add_option("SERIAL-or-name", show_arguments->which, "its serial, or a name that it has")
      ->required()
      ->type_name("");
  show->add_flag("--pem", show_arguments->pem, "the certificate itself");
  context.OnChosen(show, [show_arguments](Operations& operations, const Session& chosen) {
    return RunShow(operations, *show_arguments, chosen);
  });

  CLI::App* revoke =
      certificates->add_subcommand("revoke", "take back a certificate and its renewals");
  auto revoke_arguments = std::make_shared<RevokeArguments>();
  revoke
      ->add_option("SERIAL-or-name", revoke_arguments->spec.which,
                   "its serial, or a name that one valid certificate has")
      ->required()
      ->type_name("");
  std::vector<std::string> reasons;
  for (const std::string_view name : RevocationReasonNames()) reasons.emplace_back(name);
  revoke->add_option("--reason", revoke_arguments->reason, "why: " + Join(reasons, ", "))
      ->type_name("REASON")
      ->check(CLI::IsMember(reasons, CLI::ignore_case).description(""))
      ->capture_default_str();
  revoke->add_flag("--all", revoke_arguments->spec.all, "every valid certificate with this name");
  revoke->footer(kExamples);
  context.OnChosen(revoke, [revoke_arguments](Operations& operations, const Session& chosen) {
    return RunRevoke(operations, *revoke_arguments, chosen);
  });
}

}  // namespace troth
