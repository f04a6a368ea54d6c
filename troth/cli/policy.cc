// troth policy: whether a policy can be used, why it answers as it does, and what in it is probably
// not meant. `serve` is in policy_serve.cc.
#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "troth/authz/crl_store.h"
#include "troth/authz/peer.h"
#include "troth/authz/peer_assessment.h"
#include "troth/authz/policy.h"
#include "troth/authz/policy_explain.h"
#include "troth/authz/policy_lint.h"
#include "troth/base/file.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/cli/certificate_text.h"
#include "troth/cli/command.h"
#include "troth/cli/policy_internal.h"

namespace troth {
namespace {

constexpr const char* kExamples = R"(Examples:
  troth policy check policy.toml
  troth policy lint policy.toml --methods methods.txt
  troth policy serve --policy policy.toml --trust-bundle ca.pem --listen unix:/run/troth/policy.sock         for nginx
  troth policy explain policy.toml --certificate client.pem --trust-bundle ca.pem --method /clementine.ClementineOperator/Withdraw

The language is described in docs/policy.md.)";

constexpr const char* kCheckExamples = R"(Examples:
  troth policy check policy.toml
  troth policy check policy.toml --json

Reads the policy and every file that it names, as a server does when it starts. Exit code 0: it can be used; 78: it cannot, and the file and
line are printed.)";

constexpr const char* kExplainExamples = R"(Examples:
  troth policy explain policy.toml --certificate core/certs/aggregator/aggregator.pem --trust-bundle core/certs/ca/ca.pem --method /a.B/C
  troth policy explain policy.toml --certificate self-signed.pem --unverified --method /a.B/C
  troth policy explain policy.toml --method /grpc.health.v1.Health/Check            a caller without a certificate

Answers as a server with this policy would, and shows each role, each rule that matches, and the one that decides. Further certificates in
the file, as a caller sends them, may lead from the first to the trust bundle. Exit code 0: allowed; 77: refused.)";

constexpr const char* kLintExamples = R"(Examples:
  troth policy lint policy.toml
  grpcurl -cacert ca.pem -cert client.pem -key client.key localhost:50051 list clementine.ClementineOperator >methods.txt
  troth policy lint policy.toml --methods methods.txt

The list of methods has one a line, "/package.Service/Method" or "GET /path", or is what `grpcurl list SERVICE` or `grpcurl describe SERVICE`
prints. Exit code 0: nothing found; 1: something found; 78: the policy cannot be used.)";

constexpr int kExitFindings = 1;
constexpr int kExitRefused = 77;

struct Arguments {
  std::string policy;
  std::string certificate;
  std::string method;
  std::string trust_bundle;
  std::vector<std::string> crls;
  bool require_crl = false;
  bool unverified = false;
  std::string at;
  std::string methods;
};

// ---- check

struct Summary {
  size_t patterns = 0;
  size_t pins = 0;
  std::optional<Time> first_pin_expires;
};

Summary Summarize(const Policy& policy) {
  Summary summary;
  for (const RuleText& rule : policy.rules()) summary.patterns += rule.methods.size();
  for (const Role& role : policy.roles()) {
    for (const RoleTable& table : role.tables) {
      for (const RoleCondition& condition : table.conditions) {
        if (condition.text().key == RoleKey::kFingerprint) {
          summary.pins += condition.text().values.size();
        }
        for (const Certificate& pin : condition.pinned()) {
          ++summary.pins;
          const Time end = pin.validity().not_after;
          if (!summary.first_pin_expires.has_value() || end < *summary.first_pin_expires) {
            summary.first_pin_expires = end;
          }
        }
      }
    }
  }
  return summary;
}

std::string_view NameOf(PolicyMode mode) {
  return mode == PolicyMode::kShadow ? "shadow" : "enforce";
}

int RunCheck(const Arguments& arguments, const Session& session) {
  const auto policy = Policy::FromFile(arguments.policy);
  if (!policy.ok()) return session.Fail(policy.status());
  const Summary summary = Summarize(**policy);
  const size_t roles = (*policy)->roles().size();
  const size_t rules = (*policy)->rules().size();
  const auto& limits = (*policy)->limits();
  if (session.json) {
    session.Print({{"ok", true},
                   {"mode", NameOf((*policy)->mode())},
                   {"roles", roles},
                   {"rules", rules},
                   {"patterns", summary.patterns},
                   {"pins", summary.pins},
                   {"first_pin_expires", summary.first_pin_expires},
                   {"calls_per_second",
                    limits.has_value() ? JsonValue(limits->calls_per_second) : JsonValue()},
                   {"files", (*policy)->files()}});
    return kExitDone;
  }
  session.out << session.Green("usable") << ": " << Printable(arguments.policy, 400) << ", "
              << roles << (roles == 1 ? " role, " : " roles, ") << rules
              << (rules == 1 ? " rule for " : " rules for ") << summary.patterns
              << (summary.patterns == 1 ? " method pattern" : " method patterns") << ", mode "
              << NameOf((*policy)->mode()) << "\n";
  if (limits.has_value()) {
    session.out << "limit: " << limits->calls_per_second << " calls per second a peer\n";
  }
  if (summary.pins > 0) {
    session.out << "pins: " << summary.pins;
    if (summary.first_pin_expires.has_value()) {
      session.out << ", the first expires "
                  << DateAndDaysLeft(*summary.first_pin_expires, session.clock.Now());
    }
    session.out << "\n";
  }
  for (const std::string& file : (*policy)->files()) {
    session.out << "reads: " << Printable(file, 400) << "\n";
  }
  return kExitDone;
}

// ---- explain

struct Question {
  std::shared_ptr<const Policy> policy;
  ClientCertificate mode = ClientCertificate::kVerifyIfGiven;
  PeerAssessment peer;
  bool assumed_verified = false;
};

absl::StatusOr<Question> ReadQuestion(const Arguments& arguments, const Clock& clock) {
  Question question;
  auto policy = Policy::FromFile(arguments.policy);
  if (!policy.ok()) return policy.status();
  question.policy = *std::move(policy);

  AssessmentOptions options{.now = clock.Now()};
  if (!arguments.at.empty()) {
    const std::optional<Time> at = ParseTime(arguments.at);
    if (!at.has_value()) {
      return MakeError(Reason::kUsageError,
                       "--at: expected a time such as 2027-01-31 or 2027-01-31T12:00:00Z, got " +
                           Printable(arguments.at));
    }
    options.now = *at;
  }
  if (!arguments.trust_bundle.empty()) {
    auto trust = TrustBundle::FromFile(arguments.trust_bundle);
    if (!trust.ok()) return trust.status();
    options.trust = *std::move(trust);
  }
  CrlStore crls(arguments.crls);
  if (absl::Status ok = crls.Load(); !ok.ok()) return ok;
  options.crls = crls.lists().get();
  if (arguments.require_crl) options.revocation = RevocationCheck::kRequired;

  std::string leaf_pem;
  std::string chain_pem;
  if (!arguments.certificate.empty()) {
    const absl::StatusOr<std::string> pem = ReadFile(arguments.certificate);
    if (!pem.ok()) return pem.status();
    absl::StatusOr<std::vector<Certificate>> certificates = std::vector<Certificate>();
    if (pem->front() == '\x30') {
      auto der = Certificate::FromDer(*pem);
      if (!der.ok()) return WithContext(der.status(), arguments.certificate);
      certificates->push_back(*std::move(der));
    } else {
      certificates = Certificate::ListFromPem(*pem);
    }
    if (!certificates.ok()) return WithContext(certificates.status(), arguments.certificate);
    leaf_pem = certificates->front().ToPem();
    for (size_t i = 1; i < certificates->size(); ++i) chain_pem += (*certificates)[i].ToPem();
  }
  // Without a trust bundle there is nothing to verify against: the answer is then that for a peer
  // which was.
  question.assumed_verified =
      !leaf_pem.empty() && arguments.trust_bundle.empty() && !arguments.unverified;
  options.mode = arguments.unverified || question.assumed_verified
                     ? ClientCertificate::kRequestUnverified
                     : ClientCertificate::kVerifyIfGiven;
  question.mode = arguments.unverified ? ClientCertificate::kRequestUnverified
                                       : ClientCertificate::kVerifyIfGiven;
  question.peer = AssessPeer(leaf_pem, chain_pem, options);
  if (question.assumed_verified && question.peer.status.ok()) {
    question.peer.evidence.verified = true;
    question.peer.evidence.path = {*question.peer.evidence.leaf};
  }
  return question;
}

void PrintExplanationInJson(const Question& question, const PolicyExplanation& answer,
                            const Session& session) {
  const auto text_or_null = [](const std::string& text) {
    return text.empty() ? JsonValue() : JsonValue(text);
  };
  std::vector<JsonObject> roles;
  for (const RoleExplanation& role : answer.roles) {
    roles.push_back({{"role", role.role},
                     {"has", role.has},
                     {"line", role.line == 0 ? JsonValue() : JsonValue(role.line)},
                     {"why", role.why}});
  }
  std::vector<JsonObject> patterns;
  for (const PatternExplanation& pattern : answer.patterns) {
    patterns.push_back({{"rule", pattern.rule}, {"decides", pattern.decides}});
  }
  const bool refused = answer.refusal.has_value();
  session.Print({{"allowed", answer.allowed()},
                 {"shadow", answer.let_through},
                 {"verified", question.peer.evidence.verified},
                 {"assumed_verified", question.assumed_verified},
                 {"reason", refused ? JsonValue(CodeOf(answer.refusal->reason)) : JsonValue()},
                 {"message", text_or_null(refused ? answer.refusal->message : "")},
                 {"rule", text_or_null(answer.rule)},
                 {"allowed_roles", text_or_null(refused ? answer.refusal->required : "")},
                 {"roles", roles},
                 {"rules", patterns}});
}

void PrintExplanation(const Arguments& arguments, const Question& question,
                      const PolicyExplanation& answer, const Session& session) {
  const Peer peer{.certificate = question.peer.evidence.leaf};
  if (answer.let_through) {
    session.out << session.Red("allowed by shadow mode only");
  } else {
    session.out << (answer.allowed() ? session.Green("allowed") : session.Red("refused"));
  }
  session.out << ": " << Printable(peer.Describe()) << " calls " << Printable(arguments.method);
  if (answer.refusal.has_value()) session.out << " [" << CodeOf(answer.refusal->reason) << "]";
  session.out << "\n";
  if (answer.refusal.has_value()) {
    session.out << "  the caller is told: " << answer.refusal->message << "\n"
                << "  fix: " << InfoOf(answer.refusal->reason).fix << "\n";
  }
  session.out << "decided by: " << (answer.rule.empty() ? "no rule" : Printable(answer.rule, 2000))
              << "\n";
  if (answer.refusal.has_value() && !answer.refusal->required.empty()) {
    session.out << "roles that may call it: " << answer.refusal->required << "\n";
  }
  session.out << "roles of the caller:\n";
  for (const RoleExplanation& role : answer.roles) {
    session.out << "  " << (role.has ? session.Green("yes") : session.Dim("no ")) << " "
                << role.role;
    if (role.line != 0) session.out << " (line " << role.line << ")";
    session.out << "\n";
    for (const std::string& why : role.why) session.out << "        " << why << "\n";
  }
  session.out << "rules that match the method:" << (answer.patterns.empty() ? " none" : "") << "\n";
  for (const PatternExplanation& pattern : answer.patterns) {
    session.out << "  " << (pattern.decides ? "decides " : "shorter ")
                << Printable(pattern.rule, 2000) << "\n";
  }
}

int RunExplain(const Arguments& arguments, const Session& session) {
  const absl::StatusOr<Question> question = ReadQuestion(arguments, session.clock);
  if (!question.ok()) return session.Fail(question.status());
  const PolicyExplanation answer =
      ExplainPolicy(*question->policy, question->peer, arguments.method, question->mode);
  if (session.json) {
    PrintExplanationInJson(*question, answer, session);
  } else {
    PrintExplanation(arguments, *question, answer, session);
    if (question->assumed_verified) {
      session.Warn(
          "the certificate was not verified, the answer is for a server that did; give "
          "--trust-bundle "
          "to verify it, or --unverified for a server that does not");
    }
  }
  return answer.allowed() ? kExitDone : kExitRefused;
}

// ---- lint

int RunLint(const Arguments& arguments, const Session& session) {
  const auto policy = Policy::FromFile(arguments.policy);
  if (!policy.ok()) return session.Fail(policy.status());
  LintOptions options{.now = session.clock.Now()};
  if (!arguments.methods.empty()) {
    const absl::StatusOr<std::string> text = ReadFile(arguments.methods);
    if (!text.ok()) return session.Fail(text.status());
    auto methods = ParseMethodList(*text, arguments.methods);
    if (!methods.ok()) return session.Fail(methods.status());
    options.methods = *std::move(methods);
  }
  if (!arguments.trust_bundle.empty()) {
    const auto trust = TrustBundle::FromFile(arguments.trust_bundle);
    if (!trust.ok()) return session.Fail(trust.status());
    options.trusted_authorities = trust->anchors().size();
  }
  const std::vector<LintFinding> findings = LintPolicy(**policy, options);
  if (session.json) {
    std::vector<JsonObject> objects;
    objects.reserve(findings.size());
    for (const LintFinding& finding : findings) {
      objects.push_back({{"code", CodeOf(finding.kind)},
                         {"line", finding.line == 0 ? JsonValue() : JsonValue(finding.line)},
                         {"message", finding.message}});
    }
    session.Print({{"ok", findings.empty()}, {"findings", objects}});
  } else if (findings.empty()) {
    session.out << session.Green("nothing found") << " in " << Printable(arguments.policy, 400)
                << "\n";
  } else {
    for (const LintFinding& finding : findings) {
      session.out << Printable(arguments.policy, 400);
      if (finding.line != 0) session.out << ":" << finding.line;
      session.out << ": " << finding.message << " [" << CodeOf(finding.kind) << "]\n";
    }
  }
  return findings.empty() ? kExitDone : kExitFindings;
}

void AddPolicyFile(CLI::App* command, Arguments& arguments) {
  command->add_option("policy", arguments.policy, "the policy, a TOML file")
      ->type_name("POLICY")
      ->required();
}

void AddTrustBundle(CLI::App* command, Arguments& arguments, const std::string& help) {
  command->add_option("--trust-bundle", arguments.trust_bundle, help)->type_name("FILE");
}

void AddExplain(CLI::App* policy, Arguments& arguments) {
  CLI::App* explain = policy->get_subcommand("explain");
  explain
      ->add_option("--method", arguments.method,
                   "what is called: /package.Service/Method or \"GET /path\"")
      ->type_name("METHOD")
      ->required();
  explain
      ->add_option("--certificate", arguments.certificate,
                   "file with the caller's certificate, PEM or DER; default: a caller without one")
      ->type_name("FILE");
  AddTrustBundle(explain, arguments, "PEM file with the CAs that the server trusts");
  explain
      ->add_option("--crl", arguments.crls,
                   "file or folder of the server's revocation lists; may be repeated")
      ->type_name("PATH")
      ->allow_extra_args(false);
  explain->add_flag("--require-crl", arguments.require_crl,
                    "the server needs a list for every issuer");
  explain->add_flag("--unverified", arguments.unverified,
                    "the server verifies no certificates, so that only pins count");
  explain
      ->add_option(
          "--at", arguments.at,
          "the time to answer for, such as 2027-01-31 or 2027-01-31T12:00:00Z; default: now")
      ->type_name("TIME");
}

}  // namespace

void AddPolicyCommand(CLI::App& app, Session& session) {
  CLI::App* policy = app.add_subcommand("policy", "say who may call what, and why");
  policy->require_subcommand(1);
  policy->footer(kExamples);
  auto arguments = std::make_shared<Arguments>();
  struct Command {
    const char* name;
    const char* help;
    const char* examples;
    int (*run)(const Arguments&, const Session&);
  };
  for (const Command& command :
       {Command{"check", "say whether a policy can be used", kCheckExamples, RunCheck},
        Command{"explain", "say why a caller may call a method or not", kExplainExamples,
                RunExplain},
        Command{"lint", "find what is probably not meant", kLintExamples, RunLint}}) {
    CLI::App* sub = policy->add_subcommand(command.name, command.help);
    AddPolicyFile(sub, *arguments);
    sub->footer(command.examples);
    sub->callback([arguments, &session, run = command.run] {
      session.run = [arguments, &session, run] { return run(*arguments, session); };
    });
  }
  AddExplain(policy, *arguments);
  CLI::App* lint = policy->get_subcommand("lint");
  lint->add_option("--methods", arguments->methods, "file with the methods that the server has")
      ->type_name("FILE");
  AddTrustBundle(lint, *arguments, "PEM file with the CAs that the server trusts");
  AddPolicyServe(*policy, session);
}

}  // namespace troth
