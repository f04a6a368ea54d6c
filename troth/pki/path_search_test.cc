// Paths through graphs of certificates: a good one is found whatever else is there, and a hostile
// graph costs no more than the budget.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/x509_vfy.h>

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "troth/pki/openssl_testing.h"
#include "troth/pki/path_search_internal.h"
#include "troth/pki/path_testing.h"
#include "troth/pki/path_validation.h"

namespace troth {
namespace {

using testing::Bundle;
using testing::CodeFor;
using testing::Intermediate;
using testing::kDay;
using testing::kNow;
using testing::Leaf;
using testing::Make;
using testing::Root;
using testing::Wanted;

std::vector<std::string> NamesOf(const std::vector<Certificate>& path) {
  std::vector<std::string> names;
  names.reserve(path.size());
  for (const Certificate& certificate : path) {
    names.push_back(certificate.subject().common_name().value_or(""));
  }
  return names;
}

void Shuffle(std::vector<Certificate>& certificates, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::shuffle(certificates.begin(), certificates.end(), random);
}

TEST(PathSearch, FollowsALongChainInAnyOrder) {
  constexpr int kLength = 300;
  std::vector<Certificate> chain;
  std::string above = "root";
  for (int i = 0; i < kLength; ++i) {
    const std::string name = "ca" + std::to_string(i);
    chain.push_back(Make(Intermediate(name, above)));
    above = name;
  }
  Shuffle(chain, 1);
  const PathResult result =
      ValidatePath(Make(Leaf(above)), chain, Bundle({Make(Root("root"))}), {.now = kNow});
  EXPECT_EQ(CodeFor(result.status), "ok") << result.status;
  EXPECT_EQ(result.path.size(), kLength + 2U);
  EXPECT_EQ(result.signature_checks, kLength + 1U);
}

// `count` CAs named "middle" below root, each with a key of its own, after the real one.
std::vector<Certificate> Namesakes(int count, bool key_ids) {
  std::vector<Certificate> out;
  for (int i = 0; i < count; ++i) {
    Wanted wanted = Intermediate("middle", "root");
    wanted.key = "namesake" + std::to_string(i);
    wanted.with_subject_key_id = key_ids;
    out.push_back(Make(wanted));
  }
  return out;
}

TEST(PathSearch, FollowsKeyIdentifiersAmongNamesakes) {
  std::vector<Certificate> intermediates = Namesakes(30, true);
  intermediates.push_back(Make(Intermediate("middle", "root")));
  const PathResult result = ValidatePath(Make(Leaf("middle")), intermediates,
                                         Bundle({Make(Root("root"))}), {.now = kNow});
  EXPECT_EQ(CodeFor(result.status), "ok") << result.status;
  EXPECT_EQ(result.signature_checks, 2U);
}

TEST(PathSearch, TriesAThousandNamesakesWithoutKeyIdentifiers) {
  std::vector<Certificate> intermediates = Namesakes(999, false);
  Wanted real = Intermediate("middle", "root");
  real.with_subject_key_id = false;
  intermediates.push_back(Make(real));
  const PathResult result = ValidatePath(Make(Leaf("middle")), intermediates,
                                         Bundle({Make(Root("root"))}), {.now = kNow});
  EXPECT_EQ(CodeFor(result.status), "ok") << result.status;
  EXPECT_LE(result.signature_checks, 1001U);
}

TEST(PathSearch, TriesAllWhenKeyIdentifiersMislead) {
  std::vector<Certificate> intermediates;
  for (int i = 0; i < 30; ++i) {
    Wanted wanted = Intermediate("middle", "root");
    wanted.key = "namesake" + std::to_string(i);
    wanted.subject_key_id = testing::KeyIdOf(testing::KeyOf("middle"));
    intermediates.push_back(Make(wanted));
  }
  Wanted real = Intermediate("middle", "root");
  real.subject_key_id = "something else";
  intermediates.push_back(Make(real));
  const PathResult result = ValidatePath(Make(Leaf("middle")), intermediates,
                                         Bundle({Make(Root("root"))}), {.now = kNow});
  EXPECT_EQ(CodeFor(result.status), "ok") << result.status;
}

TEST(PathSearch, FindsItsAnchorAmongNamesakes) {
  std::vector<Certificate> anchors;
  for (int i = 0; i < 20; ++i) {
    Wanted wanted = Root("root");
    wanted.key = wanted.issuer_key = "root namesake" + std::to_string(i);
    wanted.with_subject_key_id = false;
    anchors.push_back(Make(wanted));
  }
  Wanted real = Root("root");
  real.with_subject_key_id = false;
  const Certificate anchor = Make(real);
  anchors.push_back(anchor);
  const PathResult result = ValidatePath(
      Make(Leaf("middle")), {Make(Intermediate("middle", "root"))}, Bundle(anchors), {.now = kNow});
  EXPECT_EQ(CodeFor(result.status), "ok") << result.status;
  EXPECT_EQ(result.path.back(), anchor);
}

TEST(PathSearch, LeavesARingOfCrossSignedCas) {
  const std::vector<std::string> ring = {"a", "b", "c"};
  std::vector<Certificate> intermediates;
  for (const std::string& subject : ring) {
    for (const std::string& issuer : ring) {
      if (subject != issuer) intermediates.push_back(Make(Intermediate(subject, issuer)));
    }
  }
  intermediates.push_back(Make(Intermediate("issuing", "a")));
  for (std::uint32_t seed = 0; seed < 20; ++seed) {
    Shuffle(intermediates, seed);
    for (const std::string& root : ring) {
      const PathResult result = ValidatePath(Make(Leaf("issuing")), intermediates,
                                             Bundle({Make(Root(root))}), {.now = kNow});
      EXPECT_EQ(CodeFor(result.status), "ok") << result.status;
    }
    const PathResult nowhere = ValidatePath(Make(Leaf("issuing")), intermediates,
                                            Bundle({Make(Root("z"))}), {.now = kNow});
    EXPECT_EQ(CodeFor(nowhere.status), "issuer_unknown");
    EXPECT_LT(nowhere.signature_checks, 12U);
  }
}

struct Detour {
  std::string name;
  void (*spoil)(Wanted&);  // what is wrong with the short way
};

TEST(PathSearch, TakesTheGoodPathWhateverIsWrongWithTheShortOne) {
  const std::vector<Detour> detours = {
      {"expired", [](Wanted& w) { w.to = kNow - kDay; }},
      {"not yet valid", [](Wanted& w) { w.from = kNow + kDay; }},
      {"no CA", [](Wanted& w) { w.ca = false; }},
      {"no keyCertSign", [](Wanted& w) { w.key_usage = kCrlSign; }},
      {"path length", [](Wanted& w) { w.path_length = 0; }},
      {"usage", [](Wanted& w) { w.extended_key_usage = {std::string(kClientAuthOid)}; }},
      {"constraint on the leaf",
       [](Wanted& w) {
         w.constraints = NameConstraints{
             .permitted = {{AlternativeName::Kind::kDns, "example.net"}}, .excluded = {}};
       }},
      {"constraint on the CA below",
       [](Wanted& w) {
         w.constraints = NameConstraints{
             .permitted = {},
             .excluded = {{AlternativeName::Kind::kDirectory, testing::NameFrom("issuing").der()}}};
       }},
      {"malformed constraint",
       [](Wanted& w) {
         w.constraints =
             NameConstraints{.permitted = {{AlternativeName::Kind::kDns, "*.com"}}, .excluded = {}};
       }},
      {"signature", [](Wanted& w) { w.broken_signature = true; }},
      {"unknown critical extension",
       [](Wanted& w) {
         w.extensions = {testing::ExtensionOf("1.2.3.4", std::string("\x05\x00", 2), true)};
       }},
  };
  for (const Detour& detour : detours) {
    // The short way: issuing <- middle <- root. The long one: issuing <- middle <- far <- farther
    // <- root.
    Wanted spoiled = Intermediate("middle", "root");
    detour.spoil(spoiled);
    std::vector<Certificate> intermediates = {
        Make(spoiled), Make(Intermediate("issuing", "middle")), Make(Intermediate("middle", "far")),
        Make(Intermediate("far", "farther")), Make(Intermediate("farther", "root"))};
    for (std::uint32_t seed = 0; seed < 5; ++seed) {
      Shuffle(intermediates, seed);
      const PathResult result =
          ValidatePath(Make(Leaf("issuing")), intermediates, Bundle({Make(Root("root"))}),
                       {.now = kNow, .usage = Usage::kServer});
      EXPECT_EQ(CodeFor(result.status), "ok") << detour.name << ": " << result.status;
      EXPECT_EQ(result.path.size(), 6U);
    }
  }
}

TEST(PathSearch, ReachesACaAgainWithFewerCertificatesBelowWhenItMust) {
  // Key identifiers lead to "top" over two CAs first, which is one too many for the anchor.
  Wanted root = Root("root");
  root.path_length = 2;
  Wanted direct = Intermediate("issuing", "top");
  direct.authority_key_id = "misleading";
  const std::vector<Certificate> intermediates = {Make(Intermediate("top", "root")), Make(direct),
                                                  Make(Intermediate("issuing", "side")),
                                                  Make(Intermediate("side", "top"))};
  const PathResult result =
      ValidatePath(Make(Leaf("issuing")), intermediates, Bundle({Make(root)}), {.now = kNow});
  EXPECT_EQ(CodeFor(result.status), "ok") << result.status;
  EXPECT_THAT(NamesOf(result.path), ::testing::ElementsAre("leaf", "issuing", "top", "root"));
}

TEST(PathSearch, ReachesACaAgainOverAnotherNameWhenItMust) {
  // Key identifiers lead to "top" over "left" first, which the anchor's constraints exclude.
  Wanted root = Root("root");
  root.constraints = NameConstraints{
      .permitted = {},
      .excluded = {{AlternativeName::Kind::kDirectory, testing::NameFrom("left").der()}}};
  Wanted right = Intermediate("issuing", "right");
  right.authority_key_id = "misleading";
  const std::vector<Certificate> intermediates = {
      Make(Intermediate("top", "root")), Make(Intermediate("left", "top")),
      Make(Intermediate("right", "top")), Make(Intermediate("issuing", "left")), Make(right)};
  const PathResult result =
      ValidatePath(Make(Leaf("issuing")), intermediates, Bundle({Make(root)}), {.now = kNow});
  EXPECT_EQ(CodeFor(result.status), "ok") << result.status;
  EXPECT_THAT(NamesOf(result.path),
              ::testing::ElementsAre("leaf", "issuing", "right", "top", "root"));
}

TEST(PathSearch, TellsTheRuleThatTheBestPathBreaks) {
  // One way breaks two rules, the other one.
  Wanted bad = Intermediate("middle", "root");
  bad.to = kNow - kDay;
  bad.key_usage = kCrlSign;
  Wanted better = Intermediate("middle", "other");
  better.to = kNow - kDay;
  const PathResult result =
      ValidatePath(Make(Leaf("middle")), {Make(bad), Make(better)},
                   Bundle({Make(Root("root")), Make(Root("other"))}), {.now = kNow});
  EXPECT_EQ(CodeFor(result.status), "certificate_expired");
  EXPECT_EQ(result.path.back().subject().common_name(), "other");
}

// CAs of one name that certify each other in every pair, below an anchor of that name that signed
// none of them.
std::vector<Certificate> Clique(int keys, bool one_key) {
  std::vector<Certificate> out;
  for (int subject = 0; subject < keys; ++subject) {
    for (int issuer = 0; issuer < keys; ++issuer) {
      if (subject == issuer) continue;
      Wanted wanted = Intermediate("evil", "evil");
      wanted.key = one_key ? "evil" : "evil" + std::to_string(subject);
      wanted.issuer_key = one_key ? "evil" : "evil" + std::to_string(issuer);
      out.push_back(Make(wanted));
    }
  }
  return out;
}

Certificate EvilAnchor() {
  Wanted anchor = Root("evil");
  anchor.key = anchor.issuer_key = "good";
  return Make(anchor);
}

TEST(PathSearch, SpendsNoMoreSignatureChecksThanItMay) {
  Wanted leaf = Leaf("evil");
  leaf.issuer_key = "evil0";
  for (const size_t budget : {size_t{0}, size_t{1}, size_t{50}, kDefaultSignatureChecks}) {
    const PathResult result = ValidatePath(Make(leaf), Clique(32, false), Bundle({EvilAnchor()}),
                                           {.now = kNow, .max_signature_checks = budget});
    EXPECT_THAT(CodeFor(result.status),
                ::testing::AnyOf("path_too_complex", "signature_invalid", "issuer_unknown"));
    EXPECT_LE(result.signature_checks, budget + 64);  // 64: for the explanation
    if (budget < 1000) {
      EXPECT_EQ(CodeFor(result.status), "path_too_complex");
    }
  }
}

TEST(PathSearch, ChecksEachPairOfCertificateAndKeyOnce) {
  // 992 certificates of one name and one key: exponentially many paths, as many checks as
  // certificates.
  Wanted leaf = Leaf("evil");
  const std::vector<Certificate> clique = Clique(32, true);
  const PathResult result = ValidatePath(Make(leaf), clique, Bundle({EvilAnchor()}), {.now = kNow});
  EXPECT_NE(CodeFor(result.status), "ok");
  EXPECT_LE(result.signature_checks, 2 * clique.size() + 66);
}

TEST(PathSearch, DoesNotSearchAmongNamesThatLeadToNoAnchor) {
  Wanted leaf = Leaf("evil");
  leaf.issuer_key = "evil0";
  const PathResult result =
      ValidatePath(Make(leaf), Clique(32, false), Bundle({Make(Root("root"))}), {.now = kNow});
  EXPECT_EQ(CodeFor(result.status), "issuer_unknown");
  EXPECT_LE(result.signature_checks, 64U);  // for the explanation
}

TEST(PathSearch, FindsTheGoodPathInsideAHostileGraph) {
  std::vector<Certificate> intermediates = Clique(32, false);
  Wanted leaf = Leaf("evil");
  leaf.issuer_key = "evil7";
  Wanted way_out = Intermediate("evil", "root");
  way_out.key = "evil7";
  intermediates.push_back(Make(way_out));
  const PathResult result = ValidatePath(Make(leaf), intermediates,
                                         Bundle({EvilAnchor(), Make(Root("root"))}), {.now = kNow});
  EXPECT_EQ(CodeFor(result.status), "ok") << result.status;
  EXPECT_LE(result.signature_checks, 100U);
}

TEST(PathSearch, EndsOnConstraintsThatMultiply) {
  Wanted leaf = Leaf("ca0");
  leaf.names.assign(1000, {AlternativeName::Kind::kDns, "a.example.com"});
  std::vector<Certificate> intermediates;
  for (int i = 0; i < 50; ++i) {
    Wanted wanted = Intermediate("ca" + std::to_string(i), "ca" + std::to_string(i + 1));
    wanted.constraints.emplace().permitted.assign(1000,
                                                  {AlternativeName::Kind::kDns, "b.example.com"});
    intermediates.push_back(Make(wanted));
  }
  const PathResult result =
      ValidatePath(Make(leaf), intermediates, Bundle({Make(Root("ca50"))}), {.now = kNow});
  EXPECT_THAT(CodeFor(result.status), ::testing::AnyOf("path_too_complex", "name_not_permitted"));
}

// A random graph of CAs, cross-certificates and self-issued ones, with things wrong here and there.
struct Graph {
  Certificate leaf;
  std::vector<Certificate> intermediates, anchors;
};

class GraphMaker {
 public:
  // With `misleading`, key identifiers are missing or wrong here and there, which OpenSSL does not
  // forgive.
  GraphMaker(std::uint32_t seed, bool misleading) : random_(seed), misleading_(misleading) {}

  Graph Make() {
    Wanted leaf = Leaf(Name(Pick(kNames)));
    leaf.issuer_key = leaf.issuer + Generation();
    Graph graph{.leaf = testing::Make(leaf), .intermediates = {}, .anchors = {}};
    const int certificates = 5 + Pick(9);
    for (int i = 0; i < certificates; ++i) {
      const std::string subject = Name(Pick(kNames));
      Wanted wanted = Intermediate(subject, Name(Pick(kNames)));
      wanted.key = subject + Generation();
      wanted.issuer_key = wanted.issuer + Generation();
      Spoil(wanted);
      graph.intermediates.push_back(testing::Make(wanted));
    }
    const int anchors = 1 + Pick(2);
    for (int i = 0; i < anchors; ++i) {
      Wanted root = Root(Name(Pick(kNames)));
      root.key = root.issuer_key = root.subject + Generation();
      Spoil(root);
      graph.anchors.push_back(testing::Make(root));
    }
    return graph;
  }

 private:
  static constexpr int kNames = 4;
  int Pick(int below) { return std::uniform_int_distribution<int>(0, below - 1)(random_); }
  bool Once(int in) { return Pick(in) == 0; }
  static std::string Name(int i) { return "ca" + std::to_string(i); }
  // Each CA has two keys, as after a rollover.
  std::string Generation() { return Once(4) ? "-new" : ""; }

  void Spoil(Wanted& wanted) {
    if (misleading_ && Once(2)) wanted.authority_key_id = "misleading";
    if (misleading_ && Once(4)) wanted.with_subject_key_id = false;
    if (Once(12)) wanted.to = kNow - kDay;
    if (Once(25)) wanted.key_usage = kCrlSign;
    if (Once(3)) wanted.path_length = Pick(3);
    if (Once(5)) {
      NameConstraints& constraints = wanted.constraints.emplace();
      if (Once(3)) {
        constraints.permitted.push_back(
            {AlternativeName::Kind::kDns, Once(2) ? "example.com" : "example.net"});
      } else {
        constraints.excluded.push_back(
            {AlternativeName::Kind::kDirectory, testing::NameFrom(Name(Pick(kNames))).der()});
      }
    }
  }

  std::mt19937 random_;
  const bool misleading_;
};

// Whether some simple path is good when it is all that there is.
bool HasGoodPath(const Graph& graph, const PathOptions& options, std::vector<Certificate>& path) {
  const Certificate last = path.empty() ? graph.leaf : path.back();  // `path` moves
  for (const Certificate& anchor : graph.anchors) {
    if (!last.issuer().Matches(anchor.subject())) continue;
    if (ValidatePath(graph.leaf, path, Bundle({anchor}), options).status.ok()) return true;
  }
  for (const Certificate& next : graph.intermediates) {
    if (!last.issuer().Matches(next.subject())) continue;
    if (std::find(path.begin(), path.end(), next) != path.end()) continue;
    // Only paths that signatures connect, or there are too many.
    if (!next.public_key()
             .Verify(last.signature_algorithm(), last.tbs_der(), last.signature())
             .ok()) {
      continue;
    }
    path.push_back(next);
    const bool good = HasGoodPath(graph, options, path);
    path.pop_back();
    if (good) return true;
  }
  return false;
}

TEST(PathSearch, FindsAPathExactlyWhenThereIsOne) {
  const PathOptions options{.now = kNow};
  int good = 0;
  int total = 0;
  for (std::uint32_t seed = 0; seed < 700; ++seed) {
    const Graph graph = GraphMaker(seed, true).Make();
    std::vector<Certificate> path;
    const bool expected = HasGoodPath(graph, options, path);
    const PathResult result =
        ValidatePath(graph.leaf, graph.intermediates, Bundle(graph.anchors), options);
    ASSERT_EQ(result.status.ok(), expected) << "seed " << seed << ": " << result.status;
    good += expected ? 1 : 0;
    ++total;
  }
  // The graphs are neither all good nor all bad.
  EXPECT_GT(good, total / 10);
  EXPECT_LT(good, total * 9 / 10);
}

// OpenSSL's answer in strict mode, X509_V_OK or an error.
int OpensslVerdict(const Certificate& leaf, const std::vector<Certificate>& intermediates,
                   const std::vector<Certificate>& anchors) {
  std::vector<testing::X509Ptr> held;
  const auto read = [&](const Certificate& certificate) {
    held.push_back(testing::ReadWithOpenssl(certificate.der()));
    return held.back().get();
  };
  const std::unique_ptr<X509_STORE, decltype(&X509_STORE_free)> store(X509_STORE_new(),
                                                                      X509_STORE_free);
  for (const Certificate& anchor : anchors) X509_STORE_add_cert(store.get(), read(anchor));
  STACK_OF(X509)* untrusted = sk_X509_new_null();
  for (const Certificate& certificate : intermediates) sk_X509_push(untrusted, read(certificate));
  const std::unique_ptr<X509_STORE_CTX, decltype(&X509_STORE_CTX_free)> context(
      X509_STORE_CTX_new(), X509_STORE_CTX_free);
  X509_STORE_CTX_init(context.get(), store.get(), read(leaf), untrusted);
  X509_VERIFY_PARAM* parameters = X509_STORE_CTX_get0_param(context.get());
  X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_X509_STRICT);
  X509_VERIFY_PARAM_set_time(parameters, kNow.time_since_epoch().count());
  const int verdict =
      X509_verify_cert(context.get()) == 1 ? X509_V_OK : X509_STORE_CTX_get_error(context.get());
  sk_X509_free(untrusted);
  return verdict;
}

TEST(PathSearch, AgreesWithOpensslOnGoodChains) {
  int both = 0;
  int only_here = 0;
  for (std::uint32_t seed = 10'000; seed < 10'700; ++seed) {
    const Graph graph = GraphMaker(seed, false).Make();
    const int verdict = OpensslVerdict(graph.leaf, graph.intermediates, graph.anchors);
    const PathResult result =
        ValidatePath(graph.leaf, graph.intermediates, Bundle(graph.anchors), {.now = kNow});
    if (verdict == X509_V_OK) {
      ASSERT_EQ(CodeFor(result.status), "ok") << "seed " << seed << ": " << result.status;
      ++both;
      continue;
    }
    if (!result.status.ok()) continue;
    // OpenSSL tries few of the paths. The one found here it must accept when it has no choice.
    const std::vector<Certificate> middle(result.path.begin() + 1, result.path.end() - 1);
    const int alone = OpensslVerdict(graph.leaf, middle, {result.path.back()});
    ASSERT_EQ(alone, X509_V_OK) << "seed " << seed << ": " << X509_verify_cert_error_string(alone);
    ++only_here;
  }
  EXPECT_GT(both, 50);
  EXPECT_GT(only_here, 0);
}

}  // namespace
}  // namespace troth
