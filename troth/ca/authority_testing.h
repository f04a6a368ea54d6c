// For tests of the authority: one in a temporary folder over a store in memory, whose house is kept
// by hand.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "troth/base/log.h"
#include "troth/ca/authority_internal.h"
#include "troth/ca/ca_testing.h"
#include "troth/ca/memory_store_testing.h"
#include "troth/pki/certificate_request.h"

namespace troth::ca_testing {

// Somebody else's store: what an authority gets, and loses when it closes, while the store goes on.
class SharedStore final : public Store {
 public:
  explicit SharedStore(std::shared_ptr<Store> inner) : inner_(std::move(inner)) {}
  // Closing waits for what was written.
  ~SharedStore() override {
    (void)inner_->WriteAndWait([](StoreTransaction&) { return absl::OkStatus(); });
  }
  void Write(Work work, Done done) override { inner_->Write(std::move(work), std::move(done)); }
  absl::Status Read(const std::function<absl::Status(StoreReader&)>& read) override {
    return inner_->Read(read);
  }
  StoreStatistics Statistics() const override { return inner_->Statistics(); }

 private:
  const std::shared_ptr<Store> inner_;
};

// Writes that come while it holds wait until they are released; later ones overtake them.
class HoldingStore final : public Store {
 public:
  explicit HoldingStore(std::shared_ptr<Store> inner) : inner_(std::move(inner)) {}
  ~HoldingStore() override {
    (void)inner_->WriteAndWait([](StoreTransaction&) { return absl::OkStatus(); });
  }
  void Write(Work work, Done done) override {
    if (hold) {
      held_.emplace_back(std::move(work), std::move(done));
    } else {
      inner_->Write(std::move(work), std::move(done));
    }
  }
  absl::Status Read(const std::function<absl::Status(StoreReader&)>& read) override {
    return inner_->Read(read);
  }
  StoreStatistics Statistics() const override { return inner_->Statistics(); }

  // Of the test's thread only, as are the writes that are held.
  std::atomic<bool> hold = false;
  void Release() {
    hold = false;
    for (auto& [work, done] : held_) inner_->Write(std::move(work), std::move(done));
    held_.clear();
  }

 private:
  const std::shared_ptr<Store> inner_;
  std::vector<std::pair<Work, Done>> held_;
};

// A key with a request for these names; the first is the common name.
struct Applicant {
  explicit Applicant(const std::vector<std::string>& names,
                     PrivateKey given = *PrivateKey::Generate(KeyType::kP256))
      : key(std::move(given)) {
    std::vector<AlternativeName> alternatives;
    for (const std::string& name : names) alternatives.push_back(*AlternativeName::Parse(name));
    const DistinguishedName subject =
        names.empty() ? DistinguishedName() : *DistinguishedName::FromCommonName(names.front());
    request = CertificateRequest::Create(key, subject, alternatives)->ToPem();
  }
  Sha256Digest id() const { return Sha256(request); }

  PrivateKey key;
  std::string request;
};

class AuthorityTest : public testing::Test {
 protected:
  AuthorityTest() {
    // The tests read results, not logs; those that read logs set a sink of their own.
    SetLogSink([](const LogEntry&) {}, LogLevel::kError);
  }
  ~AuthorityTest() override {
    authority_.reset();
    SetLogSink(nullptr);
  }

  // Makes the authority, once, with the settings as they are then.
  void Start() {
    if (!AuthorityExists(folder_)) {
      AuthoritySpec spec;
      spec.settings = settings_;
      const absl::Status created = CreateAuthority(folder_, spec, clock_);
      ASSERT_TRUE(created.ok()) << created;
    }
    const absl::Status opened = Open();
    ASSERT_TRUE(opened.ok()) << opened;
  }
  // Over a store whose writes can be held. The authority owns it.
  HoldingStore& StartHolding() {
    auto store = std::make_unique<HoldingStore>(store_);
    HoldingStore& holding = *store;
    const absl::Status opened = Open(std::move(store));
    EXPECT_TRUE(opened.ok()) << opened;
    return holding;
  }
  absl::Status Open(std::unique_ptr<Store> store = nullptr) {
    admin_.reset();
    authority_.reset();
    if (store == nullptr) store = std::make_unique<SharedStore>(store_);
    auto authority = std::make_unique<AuthorityImpl>(AuthorityOptions{.folder = folder_,
                                                                      .settings = settings_,
                                                                      .profiles = profiles_,
                                                                      .crl_lifetime = crl_lifetime_,
                                                                      .clock = &clock_},
                                                     std::move(store));
    const absl::Status opened = authority->Begin();
    if (opened.ok()) {
      authority_ = std::move(authority);
      admin_ = authority_->AsOperator("admin");
    }
    return opened;
  }
  // As after a kill or a restart.
  void Restart() { ASSERT_NO_FATAL_FAILURE(Start()); }

  std::string Token(TokenSpec spec) {
    const absl::StatusOr<NewToken> token = admin_->CreateToken(spec);
    EXPECT_TRUE(token.ok()) << token.status();
    return std::string(token->text.Reveal());
  }
  std::string AnyToken(std::uint64_t uses = 1) {
    return Token({.any_name = true, .max_uses = uses});
  }

  absl::StatusOr<IssuedCertificate> Enrol(std::string_view token, std::string_view request,
                                          std::optional<Seconds> lifetime = {}) {
    std::promise<absl::StatusOr<IssuedCertificate>> answer;
    authority_->EnrolWithToken(token, request, lifetime, caller_,
                               [&](auto issued) { answer.set_value(std::move(issued)); });
    return answer.get_future().get();
  }
  IssuedCertificate MustEnrol(const Applicant& applicant) {
    absl::StatusOr<IssuedCertificate> issued = Enrol(AnyToken(), applicant.request);
    EXPECT_TRUE(issued.ok()) << issued.status();
    return *std::move(issued);
  }
  absl::StatusOr<IssuedCertificate> Renew(const Certificate& current, std::string_view request,
                                          std::optional<Seconds> lifetime = {}) {
    std::promise<absl::StatusOr<IssuedCertificate>> answer;
    authority_->Renew(current, request, lifetime, caller_,
                      [&](auto issued) { answer.set_value(std::move(issued)); });
    return answer.get_future().get();
  }
  absl::StatusOr<FetchedRequest> Submit(std::string_view request, std::string_view profile = "") {
    std::promise<absl::StatusOr<FetchedRequest>> answer;
    authority_->Submit(profile, request, caller_,
                       [&](auto fetched) { answer.set_value(std::move(fetched)); });
    return answer.get_future().get();
  }

  std::optional<CertificateRecord> Stored(const Certificate& certificate) {
    std::optional<CertificateRecord> record;
    EXPECT_TRUE(store_
                    ->Read([&](StoreReader& reader) {
                      auto found = reader.FindCertificate(certificate.serial_number());
                      if (found.ok()) record = *std::move(found);
                      return found.status();
                    })
                    .ok());
    return record;
  }
  std::vector<LedgerNote> Ledger() {
    std::vector<LedgerNote> notes;
    EXPECT_TRUE(store_
                    ->Read([&](StoreReader& reader) {
                      return reader.VisitLedger(1, [&](const LedgerEntry& entry) {
                        notes.push_back(entry.note);
                        return true;
                      });
                    })
                    .ok());
    return notes;
  }
  std::vector<LedgerNote> Ledger(std::string_view action) {
    // Refusals are written without being waited for.
    EXPECT_TRUE(store_->WriteAndWait([](StoreTransaction&) { return absl::OkStatus(); }).ok());
    std::vector<LedgerNote> notes = Ledger();
    std::erase_if(notes, [&](const LedgerNote& note) { return note.action != action; });
    return notes;
  }
  void KeepHouse() { authority_->housekeeper().KeepHouse(); }

  TestFolder root_;
  AuthorityFolder folder_{root_ / "data"};
  FakeClock clock_;
  AuthoritySettings settings_{.trust_domain = "ca.example.org",
                              .dns_names = {"ca.example.org"},
                              .public_url = "http://ca.example.org:8080"};
  Profiles profiles_ = Profiles::BuiltIn();
  Seconds crl_lifetime_ = std::chrono::hours(24);
  Caller caller_{.address = "192.0.2.1:4711", .client = "test"};
  std::shared_ptr<MemoryStore> store_ = std::make_shared<MemoryStore>(clock_);
  std::unique_ptr<AuthorityImpl> authority_;
  std::unique_ptr<Operations> admin_;
};

}  // namespace troth::ca_testing
