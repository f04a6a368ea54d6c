#include "troth/ca/record_import.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "troth/base/reason.h"
#include "troth/ca/memory_store_testing.h"
#include "troth/pki/certificate_request.h"
#include "troth/pki/issue_testing.h"

namespace troth {
namespace {

using testing::At;
using testing::CaTemplate;
using testing::LeafTemplate;
using testing::MakeKey;
using testing::MakeSigner;
using testing::Value;

constexpr std::string_view kProfile = "caramel";

Signer MakeAuthority(std::string_view subject = "/C=SE/O=Example/CN=CA") {
  PrivateKey key = MakeKey();
  const CertificateTemplate what = CaTemplate(key.public_key(), subject);
  return MakeSigner(what, std::move(key));
}

class RecordImportTest : public ::testing::Test {
 protected:
  // A request for `name` with a new key.
  ForeignRequest Request(std::string_view name) {
    const PrivateKey key = MakeKey();
    const auto request = Value(CertificateRequest::Create(
        key, Value(DistinguishedName::FromSlashes("/C=SE/O=Example/CN=" + std::string(name))), {}));
    keys_.emplace(request.ToPem(), request.public_key());
    return {.name = std::string(name), .body = request.ToPem()};
  }

  // A certificate for a request, as the other authority made it.
  std::string Certify(const ForeignRequest& request, std::string_view from, std::string_view to,
                      const Signer* signer = nullptr) {
    CertificateTemplate what = LeafTemplate(keys_.at(request.body));
    what.serial = SerialNumber::Generate(now_);
    what.subject = Value(DistinguishedName::FromSlashes("/C=SE/O=Example/CN=" + request.name));
    what.alternative_names = {{AlternativeName::Kind::kDns, request.name}};
    what.validity = {At(from), At(to)};
    return Value(Issue(what, signer != nullptr ? *signer : authority_)).ToPem();
  }

  ImportSummary Import(const std::vector<ForeignRequest>& requests) {
    RecordImport import(store_, authority_.certificate(), std::string(kProfile), now_);
    for (const ForeignRequest& request : requests) EXPECT_TRUE(import.Add(request).ok());
    return Value(import.Finish());
  }

  auto Read(auto find) {
    decltype(find(std::declval<StoreReader&>())) found(absl::UnknownError("not read"));
    EXPECT_TRUE(store_
                    .Read([&](StoreReader& reader) {
                      found = find(reader);
                      return found.status();
                    })
                    .ok());
    return Value(std::move(found));
  }

  std::optional<RequestRecord> Stored(const ForeignRequest& request) {
    return Read([&](StoreReader& reader) { return reader.FindRequest(Sha256(request.body)); });
  }
  std::optional<CertificateRecord> StoredCertificate(std::string_view pem) {
    const SerialNumber serial = Value(Certificate::FromPem(pem)).serial_number();
    return Read([&](StoreReader& reader) { return reader.FindCertificate(serial); });
  }
  size_t LedgerSize() {
    size_t size = 0;
    EXPECT_TRUE(store_
                    .Read([&](StoreReader& reader) {
                      return reader.VisitLedger(1, [&](const LedgerEntry& entry) {
                        EXPECT_EQ(entry.note.actor, "import");
                        ++size;
                        return true;
                      });
                    })
                    .ok());
    return size;
  }

  const Time now_ = At("2026-11-21");
  const Signer authority_ = MakeAuthority();
  ca_testing::MemoryStore store_;
  std::map<std::string, PublicKey> keys_;
};

TEST_F(RecordImportTest, ARequestWithoutACertificateWaits) {
  ForeignRequest waits = Request("waits");
  waits.seen_at = At("2020-01-01");
  waits.address = "192.0.2.1";
  const ImportSummary summary = Import({waits});
  EXPECT_EQ(summary.requests, 1u);
  EXPECT_EQ(summary.pending, 1u);
  const auto stored = Stored(waits);
  ASSERT_TRUE(stored.has_value());
  EXPECT_EQ(stored->state, RequestState::kPending);
  EXPECT_EQ(stored->name, "waits");
  EXPECT_EQ(stored->body, waits.body);
  EXPECT_EQ(stored->profile, kProfile);
  EXPECT_EQ(stored->address, "192.0.2.1");
  EXPECT_EQ(stored->key, Sha256(keys_.at(waits.body).der()));
  // It does not expire at once for having waited elsewhere.
  EXPECT_EQ(stored->created_at, now_);
  EXPECT_FALSE(stored->decided_at.has_value());
  EXPECT_EQ(LedgerSize(), 1u);
}

TEST_F(RecordImportTest, ARejectedRequestStaysRejected) {
  ForeignRequest rejected = Request("rejected");
  rejected.certificates = {Certify(rejected, "2026-11-20", "2026-11-22")};
  rejected.rejected = true;
  EXPECT_EQ(Import({rejected}).rejected, 1u);
  EXPECT_EQ(Stored(rejected)->state, RequestState::kRejected);
  // What it was given before is known, and can be revoked.
  EXPECT_TRUE(StoredCertificate(rejected.certificates[0]).has_value());
}

TEST_F(RecordImportTest, CertificatesThatAreValidAndTheNewestAreTakenAsTheyAre) {
  ForeignRequest request = Request("client");
  const std::string ended = Certify(request, "2026-11-01", "2026-11-03");
  const std::string valid = Certify(request, "2026-11-18", "2026-11-25");
  const std::string newest = Certify(request, "2026-11-20", "2026-11-27");
  request.certificates = {newest, ended, valid};
  const ImportSummary summary = Import({request});
  EXPECT_EQ(summary.approved, 1u);
  EXPECT_EQ(summary.certificates, 2u);
  EXPECT_EQ(summary.expired, 1u);
  EXPECT_FALSE(StoredCertificate(ended).has_value());

  const auto stored = StoredCertificate(newest);
  ASSERT_TRUE(stored.has_value());
  const Certificate certificate = Value(Certificate::FromPem(newest));
  EXPECT_EQ(stored->der, certificate.der());
  EXPECT_EQ(stored->request, Sha256(request.body));
  EXPECT_EQ(stored->issued_at, At("2026-11-20"));
  EXPECT_EQ(stored->not_after, At("2026-11-27"));
  EXPECT_EQ(stored->issuer, 0u);
  EXPECT_EQ(stored->names, std::vector<std::string>{"client"});
  // All are of one identity: the first one's.
  const SerialNumber first = Value(Certificate::FromPem(ended)).serial_number();
  EXPECT_EQ(stored->lineage, first);
  EXPECT_EQ(StoredCertificate(valid)->lineage, first);

  const auto record = Stored(request);
  EXPECT_EQ(record->state, RequestState::kApproved);
  EXPECT_EQ(record->certificate, certificate.serial_number());
  EXPECT_EQ(record->certificate_not_after, At("2026-11-27"));
  // The newest is what the same request gets.
  EXPECT_EQ(Read([&](StoreReader& reader) {
              return reader.FindCertificateOfRequest(Sha256(request.body), "");
            })->serial,
            certificate.serial_number());
}

TEST_F(RecordImportTest, OfSeveralValidOnesTheLastToEndIsFetched) {
  ForeignRequest request = Request("client");
  const std::string longer = Certify(request, "2026-11-01", "2026-11-30");
  request.certificates = {longer, Certify(request, "2026-11-20", "2026-11-22")};
  Import({request});
  EXPECT_EQ(Stored(request)->certificate, Value(Certificate::FromPem(longer)).serial_number());
  EXPECT_EQ(Stored(request)->certificate_not_after, At("2026-11-30"));
}

TEST_F(RecordImportTest, AnIdentityWhoseCertificatesHaveAllEndedCanBeRefreshed) {
  ForeignRequest request = Request("asleep");
  request.certificates = {Certify(request, "2026-10-01", "2026-10-03"),
                          Certify(request, "2026-11-01", "2026-11-03")};
  const ImportSummary summary = Import({request});
  EXPECT_EQ(summary.certificates, 1u);
  EXPECT_EQ(summary.expired, 1u);
  EXPECT_EQ(Stored(request)->state, RequestState::kApproved);
  EXPECT_TRUE(StoredCertificate(request.certificates[1]).has_value());
}

TEST_F(RecordImportTest, ASecondRunChangesNothing) {
  ForeignRequest signed_one = Request("signed");
  signed_one.certificates = {Certify(signed_one, "2026-11-20", "2026-11-22")};
  ForeignRequest rejected = Request("rejected");
  rejected.rejected = true;
  const std::vector<ForeignRequest> all = {signed_one, rejected, Request("waits")};
  EXPECT_EQ(Import(all).requests, 3u);
  const size_t entries = LedgerSize();
  const ImportSummary again = Import(all);
  EXPECT_EQ(again.requests + again.certificates + again.changed, 0u);
  EXPECT_EQ(again.known, 4u);
  EXPECT_EQ(LedgerSize(), entries);
}

TEST_F(RecordImportTest, ALaterRunFollowsTheSourceOnwards) {
  ForeignRequest request = Request("client");
  Import({request});
  const std::string first = Certify(request, "2026-11-20", "2026-11-22");
  request.certificates = {first};
  EXPECT_EQ(Import({request}).changed, 1u);
  EXPECT_EQ(Stored(request)->state, RequestState::kApproved);

  const std::string second = Certify(request, "2026-11-21", "2026-11-23");
  request.certificates = {second};  // the source has dropped the first
  EXPECT_EQ(Import({request}).changed, 1u);
  EXPECT_EQ(Stored(request)->certificate, Value(Certificate::FromPem(second)).serial_number());
  EXPECT_EQ(StoredCertificate(second)->lineage, Value(Certificate::FromPem(first)).serial_number());

  request.rejected = true;
  EXPECT_EQ(Import({request}).changed, 1u);
  EXPECT_EQ(Stored(request)->state, RequestState::kRejected);
  // And never back: whoever was rejected here stays so.
  request.rejected = false;
  EXPECT_EQ(Import({request}).changed, 0u);
  EXPECT_EQ(Stored(request)->state, RequestState::kRejected);
}

TEST_F(RecordImportTest, WhatCannotBeTakenIsNamedWithWhy) {
  const Signer stranger = MakeAuthority("/CN=stranger");
  const Signer impostor = MakeAuthority();  // the same name, another key
  ForeignRequest of_stranger = Request("of-stranger");
  of_stranger.certificates = {Certify(of_stranger, "2026-11-20", "2026-11-22", &stranger)};
  ForeignRequest of_impostor = Request("of-impostor");
  of_impostor.certificates = {Certify(of_impostor, "2026-11-20", "2026-11-22", &impostor)};
  ForeignRequest garbage = Request("garbage");
  garbage.certificates = {"no certificate"};
  ForeignRequest unreadable{.name = "unreadable", .body = "no request"};
  ForeignRequest nameless{.name = "nameless"};
  nameless.body =
      Value(CertificateRequest::Create(
                MakeKey(), Value(DistinguishedName::FromSlashes("/C=SE/O=Example")), {}))
          .ToPem();
  const ImportSummary summary = Import({of_stranger, of_impostor, garbage, unreadable, nameless});
  EXPECT_EQ(summary.left_out, 5u);
  ASSERT_EQ(summary.left_out_why.size(), 5u);
  const std::pair<std::string_view, Reason> expected[] = {
      {"of-stranger", Reason::kIssuerUnknown},
      {"of-impostor", Reason::kSignatureInvalid},
      {"garbage", Reason::kFileWrongFormat},
      {"unreadable", Reason::kRequestMalformed},
      {"nameless", Reason::kNamesMissing}};
  for (size_t i = 0; i < std::size(expected); ++i) {
    EXPECT_NE(summary.left_out_why[i].find(expected[i].first), std::string::npos);
    EXPECT_NE(summary.left_out_why[i].find(CodeOf(expected[i].second)), std::string::npos)
        << summary.left_out_why[i];
  }
  // Their certificates are not ours; they ask like anybody who has none.
  EXPECT_EQ(summary.pending, 3u);
  EXPECT_EQ(summary.certificates, 0u);
}

TEST_F(RecordImportTest, ARequestThatTrothWouldRefuseIsKnownByItsCertificate) {
  ForeignRequest request = Request("old-device");
  request.certificates = {Certify(request, "2026-11-20", "2026-11-22")};
  const PublicKey key = keys_.at(request.body);
  request.body = "-----BEGIN CERTIFICATE REQUEST-----\nMAA=\n-----END CERTIFICATE REQUEST-----\n";
  EXPECT_EQ(Import({request}).approved, 1u);
  EXPECT_EQ(Stored(request)->name, "old-device");
  EXPECT_EQ(Stored(request)->key, Sha256(key.der()));
}

TEST_F(RecordImportTest, ManyAreTakenInGroups) {
  std::vector<ForeignRequest> requests;
  for (int i = 0; i < 600; ++i) requests.push_back(Request("client-" + std::to_string(i)));
  EXPECT_EQ(Import(requests).requests, 600u);
  EXPECT_LE(store_.Statistics().groups, 4u);
  for (const ForeignRequest& request : requests) EXPECT_TRUE(Stored(request).has_value());
}

TEST_F(RecordImportTest, NothingIsCountedThatIsNotKept) {
  RecordImport import(store_, authority_.certificate(), std::string(kProfile), now_);
  const ForeignRequest request = Request("client");
  ASSERT_TRUE(import.Add(request).ok());
  store_.FailWrites(true);
  EXPECT_EQ(ReasonOf(import.Finish().status()), Reason::kStoreFailed);
  store_.FailWrites(false);
  EXPECT_EQ(Value(import.Finish()).requests, 1u);
  EXPECT_TRUE(Stored(request).has_value());
}

TEST_F(RecordImportTest, WhatTheOtherAuthorityRevokedStaysRevoked) {
  ForeignRequest request = Request("client");
  request.certificates = {Certify(request, "2026-11-20", "2026-11-25")};
  const Certificate revoked = Value(Certificate::FromPem(request.certificates[0]));
  const SerialNumber unknown = SerialNumber::Generate(now_);
  const Crl list = Value(IssueCrl(
      {.this_update = now_,
       .next_update = now_ + std::chrono::hours(24),
       .entries = {{revoked.serial_number(), At("2026-11-20"), 1}, {unknown, At("2026-11-19"), 0}}},
      authority_));
  const auto run = [&] {
    RecordImport import(store_, authority_.certificate(), std::string(kProfile), now_);
    EXPECT_TRUE(import.Add(request).ok());
    EXPECT_TRUE(import.AddList(list).ok());
    return Value(import.Finish());
  };
  EXPECT_EQ(run().revocations, 2u);
  EXPECT_EQ(run().revocations, 0u);
  const auto find = [&](const SerialNumber& serial) {
    return Read([&](StoreReader& reader) { return reader.FindRevocation(serial); });
  };
  const auto record = find(revoked.serial_number());
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(record->reason, 1);
  EXPECT_EQ(record->revoked_at, At("2026-11-20"));
  EXPECT_EQ(record->not_after, At("2026-11-25"));
  EXPECT_EQ(record->lineage, revoked.serial_number());
  EXPECT_EQ(record->key, Sha256(revoked.public_key().der()));
  // Of one that nobody kept, only the list knows.
  ASSERT_TRUE(find(unknown).has_value());
  EXPECT_EQ(find(unknown)->not_after, authority_.certificate().validity().not_after);

  const Crl forged = Value(IssueCrl(
      {.this_update = now_, .next_update = now_ + std::chrono::hours(24)}, MakeAuthority()));
  RecordImport import(store_, authority_.certificate(), std::string(kProfile), now_);
  EXPECT_EQ(ReasonOf(import.AddList(forged)), Reason::kSignatureInvalid);
}

TEST_F(RecordImportTest, CertificatesWithoutRequestsAreTakenOnce) {
  const ForeignRequest of = Request("Server.Example.org");
  const std::string valid = Certify(of, "2026-11-20", "2026-11-25");
  const std::string ended = Certify(of, "2026-11-01", "2026-11-03");
  const auto run = [&] {
    RecordImport import(store_, authority_.certificate(), std::string(kProfile), now_);
    for (const std::string& pem : {valid, ended, authority_.certificate().ToPem()}) {
      EXPECT_TRUE(import.AddCertificate(pem, "a file").ok());
    }
    EXPECT_TRUE(import.AddCertificate("nothing", "another file").ok());
    return Value(import.Finish());
  };
  const ImportSummary first = run();
  EXPECT_EQ(first.certificates, 1u);
  EXPECT_EQ(first.expired, 1u);
  EXPECT_EQ(first.left_out, 1u);
  const auto stored = StoredCertificate(valid);
  EXPECT_EQ(stored->lineage, stored->serial);
  EXPECT_EQ(stored->names, (std::vector<std::string>{"Server.Example.org", "server.example.org"}));
  EXPECT_EQ(run().certificates, 0u);
}

}  // namespace
}  // namespace troth
