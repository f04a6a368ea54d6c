// What a Store must do, whatever its engine. An engine's test makes stores and runs it:
//
//   INSTANTIATE_TEST_SUITE_P(Sqlite, StoreSuite, ::testing::Values(StoreEngine{...}),
//                            StoreEngineName);
//
// One file of a test program includes it.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <ostream>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/ca/ca_testing.h"
#include "troth/ca/ledger.h"
#include "troth/ca/records.h"
#include "troth/ca/store.h"
#include "troth/ca/store_records_testing.h"

namespace troth::ca_testing {

// A store, and the data that outlives it.
class StoreUnderTest {
 public:
  virtual ~StoreUnderTest() = default;
  virtual Store& store() = 0;
  // Closes the store and opens it again; false: this engine keeps nothing.
  virtual bool Reopen() = 0;
};

struct StoreEngine {
  std::string name;
  // The clock is what statistics go by.
  std::function<std::unique_ptr<StoreUnderTest>(const Clock&)> make;
  friend void PrintTo(const StoreEngine& engine, std::ostream* out) { *out << engine.name; }
};
inline std::string StoreEngineName(const ::testing::TestParamInfo<StoreEngine>& info) {
  return info.param.name;
}

class StoreSuite : public ::testing::TestWithParam<StoreEngine> {
 protected:
  StoreSuite() : under_test_(GetParam().make(clock_)) {}

  Store& store() { return under_test_->store(); }
  // False: the engine keeps nothing, and the rest of the test says nothing.
  bool Reopen() { return under_test_->Reopen(); }

  void Write(const Store::Work& work) {
    const absl::Status status = store().WriteAndWait(work);
    ASSERT_TRUE(status.ok()) << status;
  }
  void AddCertificates(std::uint64_t first, std::uint64_t last) {
    for (std::uint64_t number = first; number <= last; ++number) {
      Write([number](StoreTransaction& transaction) {
        return transaction.AddCertificate(TestCertificate(number));
      });
    }
  }
  // What one call of a reader gives.
  template <typename Ask>
  auto Read(Ask ask) {
    using Answer = std::invoke_result_t<Ask, StoreReader&>;
    Answer answer = absl::UnknownError("not read");
    const absl::Status read = store().Read([&](StoreReader& reader) {
      answer = ask(reader);
      return absl::OkStatus();
    });
    EXPECT_TRUE(read.ok()) << read;
    return answer;
  }
  std::optional<CertificateRecord> Find(const SerialNumber& serial) {
    const auto found = Read([&](StoreReader& reader) { return reader.FindCertificate(serial); });
    EXPECT_TRUE(found.ok()) << found.status();
    return found.ok() ? *found : std::nullopt;
  }
  std::vector<CertificateRecord> Find(const CertificateFilter& filter) {
    const auto found = Read([&](StoreReader& reader) { return reader.FindCertificates(filter); });
    EXPECT_TRUE(found.ok()) << found.status();
    return found.ok() ? *found : std::vector<CertificateRecord>();
  }
  std::vector<RequestRecord> Find(const RequestFilter& filter) {
    const auto found = Read([&](StoreReader& reader) { return reader.FindRequests(filter); });
    EXPECT_TRUE(found.ok()) << found.status();
    return found.ok() ? *found : std::vector<RequestRecord>();
  }
  bool IsNameKnown(const std::string& name) {
    const auto known = Read([&](StoreReader& reader) { return reader.IsNameKnown(name); });
    EXPECT_TRUE(known.ok()) << known.status();
    return known.ok() && *known;
  }
  LedgerHead Head() {
    const auto head = Read([](StoreReader& reader) { return reader.Head(); });
    EXPECT_TRUE(head.ok()) << head.status();
    return head.ok() ? *head : LedgerHead();
  }

  FakeClock clock_;
  std::unique_ptr<StoreUnderTest> under_test_;
};

inline std::vector<std::string> FirstNames(const std::vector<CertificateRecord>& records) {
  std::vector<std::string> names;
  for (const CertificateRecord& record : records) names.push_back(record.names.front());
  return names;
}
inline std::vector<std::string> FirstNames(const std::vector<RequestRecord>& records) {
  std::vector<std::string> names;
  for (const RequestRecord& record : records) names.push_back(record.name);
  return names;
}
using Names = std::vector<std::string>;

// Serials that SerialNumber::Generate did not make: of an imported authority.
inline std::vector<SerialNumber> ForeignSerials() {
  std::vector<SerialNumber> serials;
  for (const std::string& octets :
       {std::string("\x01", 1), std::string(20, '\x7f'), std::string(20, '\x41'),
        std::string("\x00\xf0", 2) + std::string(15, '\x11'), std::string(16, '\x33')}) {
    serials.push_back(*SerialNumber::FromDerContent(octets));
  }
  return serials;
}

TEST_P(StoreSuite, ACertificateIsFoundAsItWasAdded) {
  std::vector<CertificateRecord> all;
  for (std::uint64_t number = 1; number <= 30; ++number) all.push_back(TestCertificate(number));
  all[4].lineage = all[2].serial;
  all[5].names = {};
  all[6].names = {"", "a name that is\nodd", std::string(300, 'n'), std::string("nul\0nul", 7)};
  all[7].profile = "";
  all[8].der = std::string(20'000, '\xff');
  for (const SerialNumber& serial : ForeignSerials()) {
    CertificateRecord record = TestCertificate(all.size() + 1);
    record.serial = serial;
    all.push_back(record);
  }
  EXPECT_EQ(Find(all[0].serial), std::nullopt);
  for (const CertificateRecord& record : all) {
    Write([&](StoreTransaction& transaction) { return transaction.AddCertificate(record); });
    EXPECT_EQ(Find(record.serial), record);
  }
  for (const CertificateRecord& record : all) EXPECT_EQ(Find(record.serial), record);
  EXPECT_EQ(Find(TestSerial(1000)), std::nullopt);
  if (!Reopen()) return;
  for (const CertificateRecord& record : all) EXPECT_EQ(Find(record.serial), record);
  EXPECT_EQ(Find(TestSerial(1000)), std::nullopt);
}

TEST_P(StoreSuite, ASerialIsAddedOnce) {
  std::vector<SerialNumber> serials = ForeignSerials();
  for (std::uint64_t number = 1; number <= 20; ++number) serials.push_back(TestSerial(number));
  const auto add = [](const SerialNumber& serial, const std::string& name) {
    return [serial, name](StoreTransaction& transaction) {
      CertificateRecord record = TestCertificate(7);
      record.serial = serial;
      record.names = {name};
      return transaction.AddCertificate(record);
    };
  };
  for (const SerialNumber& serial : serials) {
    const std::vector<absl::Status> results =
        WriteAsGroup(store(), {add(serial, "first"), add(serial, "second")});
    EXPECT_TRUE(results[0].ok()) << results[0];
    EXPECT_EQ(ReasonOf(results[1]), Reason::kSerialExists);
  }
  for (int opened = 0; opened < 2; ++opened) {
    for (const SerialNumber& serial : serials) {
      EXPECT_EQ(ReasonOf(store().WriteAndWait(add(serial, "third"))), Reason::kSerialExists);
      EXPECT_EQ(Find(serial)->names, Names{"first"});
    }
    EXPECT_EQ(store().Statistics().certificates, serials.size());
    if (!Reopen()) return;
  }
}

TEST_P(StoreSuite, CertificatesAreListedInTheReverseOfTheOrderInWhichTheyWereAdded) {
  // Serials say something else: of one second the later have the smaller, and foreign ones are
  // anywhere.
  Names added;
  std::uint64_t number = 0;
  const auto add = [&](const SerialNumber& serial) {
    CertificateRecord record = TestCertificate(number);
    record.serial = serial;
    Write([&](StoreTransaction& transaction) { return transaction.AddCertificate(record); });
    added.insert(added.begin(), record.names.front());
    ++number;
  };
  for (const SerialNumber& serial : ForeignSerials()) {
    for (int i = 0; i < 5; ++i) add(TestSerial(number));
    add(serial);
  }
  EXPECT_EQ(FirstNames(Find(CertificateFilter{})), added);

  Names paged;
  CertificateFilter page{.limit = 4};
  for (;;) {
    const std::vector<CertificateRecord> found = Find(page);
    if (found.empty()) break;
    EXPECT_LE(found.size(), 4U);
    for (const std::string& name : FirstNames(found)) paged.push_back(name);
    page.before = found.back().serial;
  }
  EXPECT_EQ(paged, added);
  EXPECT_TRUE(Find(CertificateFilter{.limit = 0}).empty());

  Names visited;
  const auto collect = [&](const CertificateRecord& record) {
    visited.insert(visited.begin(), record.names.front());
    return true;
  };
  ASSERT_TRUE(store()
                  .Read([&](StoreReader& reader) {
                    return reader.VisitCertificates(std::nullopt, collect);
                  })
                  .ok());
  EXPECT_EQ(visited, added);
  visited.clear();
  ASSERT_TRUE(store()
                  .Read([&](StoreReader& reader) {
                    return reader.VisitCertificates(TestSerial(20), collect);
                  })
                  .ok());
  EXPECT_EQ(visited, Names(added.begin(), std::find(added.begin(), added.end(), "host-19")));
}

TEST_P(StoreSuite, AVisitEndsWhenTheVisitorSaysSo) {
  AddCertificates(1, 20);
  int visited = 0;
  ASSERT_TRUE(store()
                  .Read([&](StoreReader& reader) {
                    return reader.VisitCertificates(
                        std::nullopt, [&](const CertificateRecord&) { return ++visited < 3; });
                  })
                  .ok());
  EXPECT_EQ(visited, 3);
}

TEST_P(StoreSuite, APageBeginsOnlyAfterACertificateThatIsThere) {
  AddCertificates(1, 3);
  const auto found = Read(
      [](StoreReader& reader) { return reader.FindCertificates({.before = TestSerial(1000)}); });
  EXPECT_EQ(ReasonOf(found.status()), Reason::kCertificateUnknown);
  const absl::Status visited = store().Read([](StoreReader& reader) {
    return reader.VisitCertificates(TestSerial(1000), [](const auto&) { return true; });
  });
  EXPECT_EQ(ReasonOf(visited), Reason::kCertificateUnknown);
}

TEST_P(StoreSuite, AFilterFindsWhatLookingAtEachWouldFind) {
  constexpr std::uint64_t kCertificates = 120;
  std::set<SerialNumber> revoked;
  for (std::uint64_t number = 0; number < kCertificates; ++number) {
    Write([&](StoreTransaction& transaction) {
      CertificateRecord record = TestCertificate(number);
      // Some names come again and again.
      if (number % 7 == 0) record.names.push_back("often.web.internal");
      if (absl::Status added = transaction.AddCertificate(record); !added.ok()) return added;
      return number % 5 == 0 ? transaction.AddRevocation(TestRevocation(number)) : absl::OkStatus();
    });
    if (number % 5 == 0) revoked.insert(TestSerial(number));
  }
  std::vector<CertificateRecord> all = Find(CertificateFilter{.limit = kCertificates});
  ASSERT_EQ(all.size(), kCertificates);

  const auto check = [&](const CertificateFilter& filter) {
    std::vector<std::string> expected;
    bool before = filter.before.has_value();
    for (const CertificateRecord& record : all) {
      if (before) {
        before = record.serial != *filter.before;
        continue;
      }
      if (expected.size() == filter.limit) break;
      const bool named = std::any_of(record.names.begin(), record.names.end(),
                                     [&](const auto& n) { return GlobMatches(filter.name, n); });
      if ((filter.name.empty() || named) &&
          (filter.profile.empty() || record.profile == filter.profile) &&
          (!filter.expires_before || record.not_after < *filter.expires_before) &&
          (!filter.expires_after || record.not_after > *filter.expires_after) &&
          (!filter.only_revoked || revoked.contains(record.serial))) {
        expected.push_back(record.names.front());
      }
    }
    EXPECT_EQ(FirstNames(Find(filter)), expected)
        << "name " << filter.name << " profile " << filter.profile << " revoked "
        << filter.only_revoked << " before "
        << (filter.expires_before ? FormatTime(*filter.expires_before) : "-") << " after "
        << (filter.expires_after ? FormatTime(*filter.expires_after) : "-") << " limit "
        << filter.limit;
  };
  using MaybeTime = std::optional<Time>;
  const Time exactly = all[50].not_after;
  for (const std::string name : {"", "host-12", "host-12.web.internal", "often.web.internal",
                                 "host-1*", "*.web.internal", "*1*7*", "HOST-12", "host-"}) {
    for (const std::string profile : {"", "server", "none"}) {
      for (const bool only_revoked : {false, true}) {
        for (const MaybeTime after : {MaybeTime(), MaybeTime(exactly), MaybeTime(Time())}) {
          for (const MaybeTime before : {MaybeTime(), MaybeTime(exactly + Seconds(1)),
                                         MaybeTime(exactly), MaybeTime(Time::max())}) {
            CertificateFilter filter{.name = name,
                                     .profile = profile,
                                     .expires_before = before,
                                     .expires_after = after,
                                     .only_revoked = only_revoked};
            check(filter);
            filter.limit = 2;
            filter.before = TestSerial(77);
            check(filter);
          }
        }
      }
    }
  }
}

TEST_P(StoreSuite, ARequestLeadsToItsNewestCertificate) {
  const auto of = [&](std::uint64_t request, std::string_view token = "") {
    const auto found = Read([&](StoreReader& reader) {
      return reader.FindCertificateOfRequest(DigestOf(request), token);
    });
    return found.ok() ? *found : std::nullopt;
  };
  for (std::uint64_t number = 1; number <= 12; ++number) {
    Write([&](StoreTransaction& transaction) {
      CertificateRecord record = TestCertificate(number);
      record.request = DigestOf(number % 4);
      record.token = "";
      return transaction.AddCertificate(record);
    });
    EXPECT_EQ(of(number % 4)->serial, TestSerial(number));
  }
  EXPECT_EQ(of(1)->serial, TestSerial(9));
  EXPECT_EQ(of(4), std::nullopt);
}

TEST_P(StoreSuite, TheNewestCertificateOfARequestIsThatOfOneToken) {
  const std::vector<std::string> tokens = {"one", "two", "", "one", "", "two", ""};
  for (std::uint64_t number = 0; number < tokens.size(); ++number) {
    Write([&](StoreTransaction& transaction) {
      CertificateRecord record = TestCertificate(number);
      record.request = DigestOf(7);
      record.token = tokens[number];
      return transaction.AddCertificate(record);
    });
  }
  const auto of = [&](std::string_view token) {
    const auto found = Read(
        [&](StoreReader& reader) { return reader.FindCertificateOfRequest(DigestOf(7), token); });
    return found.ok() && found->has_value() ? std::optional((*found)->serial) : std::nullopt;
  };
  EXPECT_EQ(of("one"), TestSerial(3));
  EXPECT_EQ(of("two"), TestSerial(5));
  EXPECT_EQ(of(""), TestSerial(6));
  EXPECT_EQ(of("three"), std::nullopt);
}

TEST_P(StoreSuite, ANameIsKnownOnceAnythingHasHadIt) {
  AddCertificates(1, 12);
  Write([](StoreTransaction& transaction) {
    RequestRecord request = TestRequest(1);
    request.names.emplace_back("only.asked.for");
    request.state = RequestState::kRejected;
    return transaction.PutRequest(request);
  });
  for (int opened = 0; opened < 2; ++opened) {
    for (const std::string name :
         {"host-1", "host-12", "host-7.web.internal", "waiting-1", "only.asked.for"}) {
      EXPECT_TRUE(IsNameKnown(name)) << name;
    }
    for (const std::string name : {"host-13", "host", "host-", "HOST-1", "host-1 ", "",
                                   "web.internal", "waiting-2", "*", "host-*"}) {
      EXPECT_FALSE(IsNameKnown(name)) << name;
    }
    if (!Reopen()) return;
  }
}

TEST_P(StoreSuite, TheFirstRevocationOfASerialStays) {
  AddCertificates(1, 2);
  RevocationRecord second = TestRevocation(1);
  second.reason = 4;
  second.revoked_at += Seconds(60);
  for (const RevocationRecord& revocation : {TestRevocation(1), second}) {
    Write([&](StoreTransaction& transaction) { return transaction.AddRevocation(revocation); });
  }
  const auto find = [&](std::uint64_t number) {
    return *Read([&](StoreReader& reader) { return reader.FindRevocation(TestSerial(number)); });
  };
  EXPECT_EQ(find(1), TestRevocation(1));
  EXPECT_EQ(find(2), std::nullopt);
  EXPECT_EQ(store().Statistics().revocations, 1U);
}

TEST_P(StoreSuite, RevocationsAreThoseOfAnIssuerThatHaveNotExpired) {
  std::vector<RevocationRecord> all;
  for (std::uint64_t number = 1; number <= 6; ++number) {
    all.push_back(TestRevocation(number));  // expires after `number` + 1 days
    all.back().issuer = number % 2;
    // Of a certificate that is not in the store, too.
    Write([&](StoreTransaction& transaction) { return transaction.AddRevocation(all.back()); });
  }
  const auto serials = [&](std::optional<std::uint32_t> issuer, Time now) {
    std::set<SerialNumber> found;
    const auto answer = Read([&](StoreReader& reader) { return reader.Revocations(issuer, now); });
    for (const RevocationRecord& record : *answer) found.insert(record.serial);
    return found;
  };
  const auto numbers = [](std::initializer_list<std::uint64_t> list) {
    std::set<SerialNumber> set;
    for (const std::uint64_t number : list) set.insert(TestSerial(number));
    return set;
  };
  EXPECT_EQ(serials({}, kStoreTestTime), numbers({1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(serials(1, kStoreTestTime), numbers({1, 3, 5}));
  // The last second is still within.
  EXPECT_EQ(serials({}, all[2].not_after), numbers({3, 4, 5, 6}));
  EXPECT_EQ(serials(0, all[2].not_after + Seconds(1)), numbers({4, 6}));
  EXPECT_EQ(serials(9, kStoreTestTime), numbers({}));
}

TEST_P(StoreSuite, ARequestIsKeptAndReplaced) {
  RequestRecord request = TestRequest(1);
  const auto put = [&] {
    Write([&](StoreTransaction& transaction) { return transaction.PutRequest(request); });
    const auto found = Read([&](StoreReader& reader) { return reader.FindRequest(request.id); });
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_EQ(**found, request);
  };
  put();
  request.state = RequestState::kApproved;
  request.decided_at = kStoreTestTime + Seconds(5);
  request.decided_by = "local admin (uid 0)";
  request.decision_note = "known";
  request.certificate = TestSerial(1);
  request.certificate_not_after = kStoreTestTime + Seconds(500);
  put();
  request.state = RequestState::kRejected;
  request.certificate.reset();
  request.certificate_not_after.reset();
  put();
  const auto other = Read([](StoreReader& reader) { return reader.FindRequest(DigestOf(2)); });
  EXPECT_EQ(*other, std::nullopt);
}

TEST_P(StoreSuite, RequestsAreListedInTheOrderInWhichTheyFirstCame) {
  constexpr std::array kStates = {RequestState::kPending, RequestState::kApproved,
                                  RequestState::kRejected, RequestState::kExpired};
  for (std::uint64_t number = 0; number < 12; ++number) {
    Write(
        [&](StoreTransaction& transaction) { return transaction.PutRequest(TestRequest(number)); });
  }
  for (std::uint64_t number = 11; number != UINT64_MAX; --number) {
    Write([&](StoreTransaction& transaction) {
      RequestRecord request = TestRequest(number);
      request.state = kStates[number % 4];
      if (number % 3 == 0) request.profile = "server";
      return transaction.PutRequest(request);
    });
  }
  const auto names = [](std::initializer_list<int> numbers) {
    Names all;
    for (const int number : numbers) all.push_back("waiting-" + std::to_string(number));
    return all;
  };
  struct Case {
    RequestFilter filter;
    Names expected;
    std::uint64_t count;
  };
  const std::vector<Case> cases = {
      {{}, names({0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}), 12},
      {{.state = RequestState::kPending}, names({0, 4, 8}), 3},
      {{.state = RequestState::kExpired}, names({3, 7, 11}), 3},
      {{.profile = "server"}, names({0, 3, 6, 9}), 4},
      {{.profile = "serv"}, {}, 0},
      {{.state = RequestState::kPending, .profile = "server"}, names({0}), 1},
      {{.state = RequestState::kPending, .profile = "default", .address = "192.0.2.1"},
       names({4, 8}),
       2},
      {{.profile = "server", .name = "waiting-3", .key = DigestOf(1'000'001)}, names({3}), 1},
      {{.profile = "server", .after = DigestOf(3), .limit = 1}, names({6}), 4},
      {{.name = "waiting-5"}, names({5}), 1},
      {{.name = "waiting-5.web.internal"}, {}, 0},
      {{.name = "waiting-*"}, {}, 0},
      {{.key = DigestOf(1'000'003)}, names({6, 7}), 2},
      {{.address = "192.0.2.2"}, names({1, 3, 5, 7, 9, 11}), 6},
      {{.state = RequestState::kPending, .address = "192.0.2.1"}, names({0, 4, 8}), 3},
      {{.state = RequestState::kPending, .address = "192.0.2.2"}, {}, 0},
      {{.state = RequestState::kRejected, .key = DigestOf(1'000'003)}, names({6}), 1},
      {{.state = RequestState::kPending, .name = "waiting-4", .address = "192.0.2.1"},
       names({4}),
       1},
      {{.limit = 3}, names({0, 1, 2}), 12},
      {{.after = DigestOf(2), .limit = 3}, names({3, 4, 5}), 12},
      {{.state = RequestState::kPending, .after = DigestOf(4)}, names({8}), 3},
      {{.after = DigestOf(11)}, {}, 12},
  };
  for (size_t i = 0; i < cases.size(); ++i) {
    EXPECT_EQ(FirstNames(Find(cases[i].filter)), cases[i].expected) << "case " << i;
    const auto count =
        Read([&](StoreReader& reader) { return reader.CountRequests(cases[i].filter); });
    EXPECT_EQ(*count, cases[i].count) << "case " << i;
  }
  const auto unknown =
      Read([](StoreReader& reader) { return reader.FindRequests({.after = DigestOf(99)}); });
  EXPECT_EQ(ReasonOf(unknown.status()), Reason::kRequestUnknown);
}

TEST_P(StoreSuite, TokensAreKeptReplacedAndListedNewestFirst) {
  for (std::uint64_t number = 1; number <= 3; ++number) {
    Write([&](StoreTransaction& transaction) { return transaction.PutToken(TestToken(number)); });
  }
  TokenRecord used = TestToken(1);
  used.uses = 1;
  used.any_name = true;
  used.max_uses = UINT64_MAX;
  used.names = {};
  used.revoked_at = kStoreTestTime + Seconds(1);
  Write([&](StoreTransaction& transaction) {
    const auto before = transaction.FindToken(used.id);
    EXPECT_EQ(**before, TestToken(1));
    return transaction.PutToken(used);
  });
  const auto all = Read([](StoreReader& reader) { return reader.Tokens(); });
  EXPECT_EQ(*all, (std::vector<TokenRecord>{TestToken(3), TestToken(2), used}));
  const auto find = [&](std::string_view id) {
    return *Read([&](StoreReader& reader) { return reader.FindToken(id); });
  };
  EXPECT_EQ(find(used.id), used);
  EXPECT_EQ(find("none"), std::nullopt);
}

TEST_P(StoreSuite, IssuersAreListedByNumber) {
  const IssuerRecord root{.number = 0, .der = "root", .added_at = kStoreTestTime};
  IssuerRecord issuer{.number = 1, .der = "issuer", .added_at = kStoreTestTime};
  for (const IssuerRecord& record : {issuer, root}) {
    Write([&](StoreTransaction& transaction) { return transaction.PutIssuer(record); });
  }
  issuer.crl_number = 7;
  Write([&](StoreTransaction& transaction) { return transaction.PutIssuer(issuer); });
  const auto all = Read([](StoreReader& reader) { return reader.Issuers(); });
  EXPECT_EQ(*all, (std::vector<IssuerRecord>{root, issuer}));
}

TEST_P(StoreSuite, TheLedgerIsChained) {
  EXPECT_EQ(Head().sequence, 0U);
  std::vector<LedgerEntry> expected;
  LedgerHead head;
  for (std::uint64_t number = 1; number <= 10; ++number) {
    expected.push_back(NextEntry(head, TestNote(number)));
    head = {.sequence = expected.back().sequence, .hash = expected.back().hash};
  }
  // Several of a piece and several pieces of a group, too.
  const auto append = [](std::uint64_t first, std::uint64_t last) {
    return [first, last](StoreTransaction& transaction) {
      for (std::uint64_t number = first; number <= last; ++number) {
        if (absl::Status done = transaction.AppendLedger(TestNote(number)); !done.ok()) return done;
      }
      return absl::OkStatus();
    };
  };
  Write(append(1, 1));
  WriteAsGroup(store(), {append(2, 4), append(5, 5), append(6, 9)});
  Reopen();
  Write(append(Head().sequence + 1, 10));

  std::vector<LedgerEntry> entries;
  ASSERT_TRUE(store()
                  .Read([&](StoreReader& reader) {
                    return reader.VisitLedger(1, [&](const LedgerEntry& entry) {
                      entries.push_back(entry);
                      return true;
                    });
                  })
                  .ok());
  if (entries.size() == expected.size()) {  // the engine kept them
    for (size_t i = 0; i < entries.size(); ++i) {
      EXPECT_EQ(entries[i].sequence, expected[i].sequence);
      EXPECT_EQ(entries[i].note.subject, expected[i].note.subject);
      EXPECT_EQ(entries[i].hash, expected[i].hash);
    }
  }
  LedgerVerifier verifier;
  for (const LedgerEntry& entry : entries) EXPECT_TRUE(verifier.Add(entry).ok());
  EXPECT_TRUE(verifier.Finish(Head()).ok());
  EXPECT_EQ(Head().sequence, 10U);

  std::vector<std::uint64_t> visited;
  ASSERT_TRUE(store()
                  .Read([&](StoreReader& reader) {
                    return reader.VisitLedger(8, [&](const LedgerEntry& entry) {
                      visited.push_back(entry.sequence);
                      return entry.sequence < 9;
                    });
                  })
                  .ok());
  EXPECT_EQ(visited, (std::vector<std::uint64_t>{8, 9}));
}

// Changes one thing of each kind.
inline absl::Status ChangeEverything(StoreTransaction& transaction, std::uint64_t number) {
  absl::Status done = transaction.AddCertificate(TestCertificate(number));
  if (done.ok()) done = transaction.AddRevocation(TestRevocation(number));
  if (done.ok()) done = transaction.PutRequest(TestRequest(number));
  if (done.ok()) done = transaction.PutToken(TestToken(number));
  if (done.ok()) {
    done = transaction.PutIssuer({.number = static_cast<std::uint32_t>(number), .der = "issuer"});
  }
  if (done.ok()) done = transaction.AppendLedger(TestNote(number));
  return done;
}

// How many of the things that ChangeEverything makes are there: 0 to 7.
inline int CountChanges(StoreReader& reader, std::uint64_t number) {
  int there = 0;
  there += (*reader.FindCertificate(TestSerial(number))).has_value() ? 1 : 0;
  there += (*reader.FindRevocation(TestSerial(number))).has_value() ? 1 : 0;
  there += (*reader.FindRequest(DigestOf(number))).has_value() ? 1 : 0;
  there += (*reader.FindToken(TestToken(number).id)).has_value() ? 1 : 0;
  there += *reader.IsNameKnown("host-" + std::to_string(number)) ? 1 : 0;
  const auto issuers = reader.Issuers();
  for (const IssuerRecord& issuer : *issuers) there += issuer.number == number ? 1 : 0;
  EXPECT_TRUE(reader
                  .VisitLedger(0,
                               [&](const LedgerEntry& entry) {
                                 there += entry.note.subject == std::to_string(number) ? 1 : 0;
                                 return true;
                               })
                  .ok());
  return there;
}

TEST_P(StoreSuite, NothingIsKeptOfAPieceThatFails) {
  const auto change = [](std::uint64_t number, absl::Status end) {
    return [number, end](StoreTransaction& transaction) {
      if (absl::Status done = ChangeEverything(transaction, number); !done.ok()) return done;
      EXPECT_EQ(CountChanges(transaction, number), 7);
      return end;
    };
  };
  const absl::Status refused = MakeError(Reason::kTokenInvalid, "no");
  const std::vector<absl::Status> results = WriteAsGroup(
      store(), {change(1, absl::OkStatus()), change(2, refused), change(3, absl::OkStatus()),
                [](StoreTransaction& transaction) {
                  EXPECT_EQ(CountChanges(transaction, 1), 7);
                  EXPECT_EQ(CountChanges(transaction, 2), 0);
                  EXPECT_EQ(CountChanges(transaction, 3), 7);
                  return absl::OkStatus();
                },
                change(3, absl::OkStatus()), change(4, refused), change(5, absl::OkStatus())});
  const std::vector<std::optional<Reason>> expected = {
      {}, Reason::kTokenInvalid, {}, {}, Reason::kSerialExists, Reason::kTokenInvalid, {}};
  for (size_t i = 0; i < results.size(); ++i) EXPECT_EQ(ReasonOf(results[i]), expected[i]) << i;
  for (int opened = 0; opened < 2; ++opened) {
    ASSERT_TRUE(store()
                    .Read([](StoreReader& reader) {
                      for (const std::uint64_t number : {1, 3, 5})
                        EXPECT_EQ(CountChanges(reader, number), 7);
                      for (const std::uint64_t number : {2, 4})
                        EXPECT_EQ(CountChanges(reader, number), 0);
                      EXPECT_EQ(reader.Head()->sequence, 3U);
                      return absl::OkStatus();
                    })
                    .ok());
    const StoreStatistics statistics = store().Statistics();
    EXPECT_EQ(statistics.certificates, 3U);
    EXPECT_EQ(statistics.revocations, 3U);
    EXPECT_EQ(statistics.pending_requests, 3U);
    if (!Reopen()) break;
  }
  // What was taken back can be done later.
  if (Head().sequence == 0) return;
  Write(change(2, absl::OkStatus()));
  EXPECT_EQ(Head().sequence, 4U);
}

TEST_P(StoreSuite, AChangeThatIsTakenBackLeavesTheOldValue) {
  Write([](StoreTransaction& transaction) {
    if (absl::Status put = transaction.PutToken(TestToken(1)); !put.ok()) return put;
    return transaction.PutRequest(TestRequest(1));
  });
  const absl::Status result = store().WriteAndWait([](StoreTransaction& transaction) {
    TokenRecord token = TestToken(1);
    token.uses = 1;
    RequestRecord request = TestRequest(1);
    request.state = RequestState::kApproved;
    EXPECT_TRUE(transaction.PutToken(token).ok());
    EXPECT_TRUE(transaction.PutRequest(request).ok());
    return MakeError(Reason::kNameNotPermitted, "no");
  });
  EXPECT_EQ(ReasonOf(result), Reason::kNameNotPermitted);
  ASSERT_TRUE(store()
                  .Read([](StoreReader& reader) {
                    EXPECT_EQ(**reader.FindToken(TestToken(1).id), TestToken(1));
                    EXPECT_EQ(**reader.FindRequest(DigestOf(1)), TestRequest(1));
                    return absl::OkStatus();
                  })
                  .ok());
  EXPECT_EQ(store().Statistics().pending_requests, 1U);
}

TEST_P(StoreSuite, ReadersSeeAGroupOnlyWhenItIsDone) {
  std::promise<void> changed, looked;
  std::future<absl::Status> written = std::async(std::launch::async, [&] {
    return store().WriteAndWait([&](StoreTransaction& transaction) {
      absl::Status done = ChangeEverything(transaction, 1);
      changed.set_value();
      looked.get_future().wait();
      return done;
    });
  });
  changed.get_future().wait();
  ASSERT_TRUE(store()
                  .Read([](StoreReader& reader) {
                    EXPECT_EQ(CountChanges(reader, 1), 0);
                    return absl::OkStatus();
                  })
                  .ok());
  looked.set_value();
  ASSERT_TRUE(written.get().ok());
  ASSERT_TRUE(store()
                  .Read([](StoreReader& reader) {
                    EXPECT_EQ(CountChanges(reader, 1), 7);
                    return absl::OkStatus();
                  })
                  .ok());
}

TEST_P(StoreSuite, AReaderSeesOneMomentHoweverMuchIsWritten) {
  AddCertificates(1, 5);
  ASSERT_TRUE(
      store()
          .Read([&](StoreReader& reader) {
            EXPECT_EQ(reader.FindCertificates({})->size(), 5U);
            for (std::uint64_t number = 6; number <= 60; ++number) {
              Write([&](StoreTransaction& transaction) {
                return ChangeEverything(transaction, number);
              });
            }
            EXPECT_EQ(reader.FindCertificates({})->size(), 5U);
            EXPECT_EQ(reader.FindCertificates({.expires_after = Time()})->size(), 5U);
            EXPECT_EQ(reader.FindCertificates({.name = "host-*"})->size(), 5U);
            for (std::uint64_t number = 1; number <= 60; ++number) {
              const bool there = number <= 5;
              EXPECT_EQ((*reader.FindCertificate(TestSerial(number))).has_value(), there) << number;
              EXPECT_EQ(*reader.IsNameKnown("host-" + std::to_string(number)), there) << number;
              const CertificateRecord certificate = TestCertificate(number);
              EXPECT_EQ((*reader.FindCertificateOfRequest(certificate.request, certificate.token))
                            .has_value(),
                        there);
              if (!there) {
                EXPECT_EQ(CountChanges(reader, number), 0);
              }
            }
            EXPECT_EQ(reader.Head()->sequence, 0U);
            return absl::OkStatus();
          })
          .ok());
  EXPECT_EQ(Find(CertificateFilter{}).size(), 60U);
}

TEST_P(StoreSuite, AVisitorMayAsk) {
  AddCertificates(1, 12);
  int asked = 0;
  ASSERT_TRUE(
      store()
          .Read([&](StoreReader& reader) {
            return reader.VisitCertificates(std::nullopt, [&](const CertificateRecord& record) {
              EXPECT_EQ(**reader.FindCertificate(record.serial), record);
              EXPECT_EQ(reader.FindCertificates({.name = record.names[0]})->size(), 1U);
              int inner = 0;
              EXPECT_TRUE(
                  reader.VisitCertificates(record.serial, [&](const auto&) { return ++inner < 2; })
                      .ok());
              ++asked;
              return true;
            });
          })
          .ok());
  EXPECT_EQ(asked, 12);
}

TEST_P(StoreSuite, AReadersErrorIsItsCallers) {
  const absl::Status status =
      store().Read([](StoreReader&) { return MakeError(Reason::kTokenExpired, "no"); });
  EXPECT_EQ(ReasonOf(status), Reason::kTokenExpired);
}

TEST_P(StoreSuite, StatisticsCountWhatIsThere) {
  for (int opened = 0; opened < 2; ++opened) {
    const StoreStatistics empty = store().Statistics();
    EXPECT_EQ(empty.certificates + empty.revocations + empty.pending_requests, 0U);
    if (!Reopen()) break;
  }
  clock_.now = kStoreTestTime + std::chrono::hours(2);
  // Those of number n expire n % 40 + 1 days after they were issued.
  for (std::uint64_t number = 0; number < 80; ++number) {
    Write([&](StoreTransaction& transaction) {
      return transaction.AddCertificate(TestCertificate(number));
    });
  }
  for (const std::uint64_t number : {0, 4, 50}) {
    Write([&](StoreTransaction& transaction) {
      return transaction.AddRevocation(TestRevocation(number));
    });
  }
  for (std::uint64_t number = 0; number < 4; ++number) {
    Write([&](StoreTransaction& transaction) {
      RequestRecord request = TestRequest(number);
      if (number == 2) request.state = RequestState::kApproved;
      return transaction.PutRequest(request);
    });
  }
  // Counted at most a minute ago.
  clock_.now += Seconds(60);
  const auto expect = [&] {
    const StoreStatistics statistics = store().Statistics();
    EXPECT_EQ(statistics.certificates, 80U);
    EXPECT_EQ(statistics.revocations, 3U);
    EXPECT_EQ(statistics.pending_requests, 3U);
    EXPECT_EQ(statistics.expiring_day, 1U);    // 40; 0 is revoked
    EXPECT_EQ(statistics.expiring_week, 12U);  // 1, 2, 3, 5, 6; 40 to 46
  };
  expect();
  EXPECT_GE(store().Statistics().writes, 87U);
  EXPECT_GE(store().Statistics().groups, 1U);
  if (Reopen()) expect();
}

TEST_P(StoreSuite, ClosingWaitsForWhatWasWritten) {
  constexpr std::uint64_t kPieces = 600;
  std::atomic<std::uint64_t> done = 0;
  for (std::uint64_t number = 1; number <= kPieces; ++number) {
    store().Write(
        [number](StoreTransaction& transaction) {
          return transaction.AddCertificate(TestCertificate(number));
        },
        [&done](const absl::Status& status) { done += status.ok() ? 1 : 0; });
  }
  if (!Reopen()) {
    under_test_.reset();
    EXPECT_EQ(done, kPieces);
    return;
  }
  EXPECT_EQ(done, kPieces);
  EXPECT_EQ(store().Statistics().certificates, kPieces);
  for (std::uint64_t number = 1; number <= kPieces; ++number) {
    ASSERT_TRUE(Find(TestSerial(number)).has_value()) << number;
  }
}

TEST_P(StoreSuite, ThreadsWriteAndReadAtOnce) {
  constexpr std::uint64_t kWriters = 3, kEach = 150;
  std::atomic<std::uint64_t> acknowledged[kWriters] = {};
  std::atomic<bool> writing = true;
  std::vector<std::thread> threads;
  for (std::uint64_t writer = 0; writer < kWriters; ++writer) {
    threads.emplace_back([&, writer] {
      for (std::uint64_t i = 0; i < kEach; ++i) {
        const absl::Status status =
            store().WriteAndWait([&](StoreTransaction& transaction) -> absl::Status {
              const std::uint64_t number = writer * kEach + i;
              const CertificateRecord record = TestCertificate(number);
              const absl::StatusOr<bool> known = transaction.IsNameKnown(record.names[0]);
              if (!known.ok()) return known.status();
              EXPECT_FALSE(*known);
              if (absl::Status added = transaction.AddCertificate(record); !added.ok()) {
                return added;
              }
              return transaction.AppendLedger(TestNote(number));
            });
        EXPECT_TRUE(status.ok()) << status;
        acknowledged[writer] = i + 1;
      }
    });
  }
  std::vector<std::thread> readers;
  for (int reader_number = 0; reader_number < 2; ++reader_number) {
    readers.emplace_back([&] {
      while (writing) {
        std::uint64_t least[kWriters];
        for (std::uint64_t writer = 0; writer < kWriters; ++writer) {
          least[writer] = acknowledged[writer];
        }
        const absl::Status status = store().Read([&](StoreReader& reader) {
          // What was acknowledged before the read is in it, and pieces are whole.
          std::uint64_t certificates = 0;
          const absl::Status visited =
              reader.VisitCertificates(std::nullopt, [&](const CertificateRecord&) {
                ++certificates;
                return true;
              });
          EXPECT_EQ(reader.Head()->sequence, certificates);
          for (std::uint64_t writer = 0; writer < kWriters; ++writer) {
            if (least[writer] == 0) continue;
            const std::uint64_t number = writer * kEach + least[writer] - 1;
            EXPECT_TRUE((*reader.FindCertificate(TestSerial(number))).has_value()) << number;
            EXPECT_TRUE(*reader.IsNameKnown("host-" + std::to_string(number))) << number;
          }
          EXPECT_FALSE(*reader.IsNameKnown("nobody"));
          return visited;
        });
        EXPECT_TRUE(status.ok()) << status;
        EXPECT_LE(store().Statistics().certificates, kWriters * kEach);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  writing = false;
  for (std::thread& thread : readers) thread.join();
  EXPECT_EQ(store().Statistics().certificates, kWriters * kEach);
  EXPECT_EQ(Head().sequence, kWriters * kEach);
}

}  // namespace troth::ca_testing
