#include <algorithm>
#include <optional>

#include "troth/base/file.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/ca/ledger.h"
#include "troth/ca/ledger_head_internal.h"

namespace troth {
namespace {

constexpr mode_t kHeadMode = 0644;

absl::Status CheckAgainstStore(StoreReader& reader, const SignedHead& kept) {
  if (kept.head.sequence == 0) return absl::OkStatus();
  std::optional<Sha256Digest> there;
  absl::Status visited = reader.VisitLedger(kept.head.sequence, [&](const LedgerEntry& entry) {
    if (entry.sequence == kept.head.sequence) there = entry.hash;
    return false;
  });
  if (!visited.ok()) return visited;
  if (there == kept.head.hash) return absl::OkStatus();
  return MakeError(Reason::kLedgerBroken,
                   "the head that was signed on " + FormatTime(kept.at) + " has entry " +
                       std::to_string(kept.head.sequence) + "; the store's ledger has " +
                       (there.has_value() ? "another one there" : "fewer entries"));
}

}  // namespace

absl::Status CheckLedgerHead(AuthorityContext& context) {
  const std::string path = context.options.folder.LedgerHead();
  if (!FileExists(path)) return absl::OkStatus();
  const absl::StatusOr<std::string> text = ReadFile(path);
  if (!text.ok()) return text.status();
  const absl::StatusOr<SignedHead> kept = SignedHead::FromText(*text);
  const auto broken = [&](std::string_view what) {
    return MakeError(Reason::kLedgerBroken, "'" + Printable(path, 400) + "': " + std::string(what));
  };
  if (!kept.ok()) return broken(ToStd(kept.status().message()));
  const std::vector<NumberedIssuer>& issuers = context.issuers.current().all;
  const bool is_ours = std::ranges::any_of(issuers, [&](const NumberedIssuer& issuer) {
    return issuer.certificate.der() == kept->signer_der;
  });
  if (!is_ours) return broken("expected a head that an issuer of this authority signed");
  if (absl::Status status = kept->Verify(); !status.ok()) return broken(ToStd(status.message()));
  return WithContext(
      context.store.Read([&](StoreReader& reader) { return CheckAgainstStore(reader, *kept); }),
      path);
}

absl::Status WriteLedgerHead(AuthorityContext& context, std::uint64_t& written) {
  LedgerHead head;
  absl::Status read = context.store.Read([&](StoreReader& reader) {
    const absl::StatusOr<LedgerHead> found = reader.Head();
    if (found.ok()) head = *found;
    return found.status();
  });
  if (!read.ok()) return read;
  if (head.sequence == written) return absl::OkStatus();
  const absl::StatusOr<SignedHead> signed_head =
      SignHead(head, *context.issuers.current().current().signer, context.clock.Now());
  if (!signed_head.ok()) return signed_head.status();
  absl::Status status = WriteFile(context.options.folder.LedgerHead(), signed_head->ToText(),
                                  {.mode = kHeadMode, .overwrite = Overwrite::kReplace});
  if (status.ok()) written = head.sequence;
  return status;
}

}  // namespace troth
