#include "troth/ca/ledger.h"

#include <array>
#include <charconv>
#include <cstddef>
#include <utility>
#include <vector>

#include "troth/base/encoding.h"
#include "troth/base/reason.h"
#include "troth/pki/certificate.h"

namespace troth {
namespace {

// The first line of the text, and what a head's signature begins with: nothing else that an issuer
// signs does, for certificates and lists are DER.
constexpr std::string_view kFormatLine = "troth-ledger-head: 1\n";
constexpr size_t kMaxHeadText = size_t{128} << 10;  // a certificate of 64 KiB in base64 fits

void AppendNumber(std::string& out, std::uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 0xff);
}

void AppendText(std::string& out, std::string_view text) {
  AppendNumber(out, text.size());
  out += text;
}

std::string_view BytesOf(const Sha256Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

Sha256Digest HashOf(const Sha256Digest& previous, const LedgerEntry& entry) {
  const LedgerNote& note = entry.note;
  std::string bytes;
  bytes.reserve(previous.size() + 6 * sizeof(std::uint64_t) + note.actor.size() +
                note.action.size() + note.subject.size() + note.detail.size());
  bytes += BytesOf(previous);
  AppendNumber(bytes, entry.sequence);
  AppendNumber(bytes, static_cast<std::uint64_t>(note.at.time_since_epoch().count()));
  for (const std::string* text : {&note.actor, &note.action, &note.subject, &note.detail}) {
    AppendText(bytes, *text);
  }
  return Sha256(bytes);
}

std::string Describe(const LedgerHead& head) {
  return "entry " + std::to_string(head.sequence) + " with hash " + FormatFingerprint(head.hash);
}

absl::Status Broken(const std::string& message) {
  return MakeError(Reason::kLedgerBroken, message);
}

// What is signed: the text's lines before the signer's.
std::string StatementOf(const SignedHead& head) {
  return std::string(kFormatLine) + "sequence: " + std::to_string(head.head.sequence) +
         "\nhash: " + FormatFingerprint(head.head.hash) + "\nat: " + FormatTime(head.at) + "\n";
}

// The algorithm that PrivateKey::Sign uses for such a key.
SignatureAlgorithm AlgorithmOf(const PublicKey& key) {
  switch (key.kind()) {
    case PublicKey::Kind::kEc:
      return key.bits() == 256   ? SignatureAlgorithm::kEcdsaSha256
             : key.bits() == 384 ? SignatureAlgorithm::kEcdsaSha384
                                 : SignatureAlgorithm::kEcdsaSha512;
    case PublicKey::Kind::kEd25519:
      return SignatureAlgorithm::kEd25519;
    case PublicKey::Kind::kRsa:
      return SignatureAlgorithm::kRsaSha256;
    case PublicKey::Kind::kOther:
      break;
  }
  return SignatureAlgorithm::kOther;
}

absl::Status NotAHead(const std::string& what) {
  return MakeError(Reason::kFileWrongFormat,
                   "expected a ledger head as `troth serve` writes it, got " + what);
}

// Takes the line "key: value" off the front of `text`.
bool TakeLine(std::string_view& text, std::string_view key, std::string_view& value) {
  const size_t end = text.find('\n');
  if (end == std::string_view::npos) return false;
  std::string_view line = text.substr(0, end);
  if (!line.starts_with(key) || !line.substr(key.size()).starts_with(": ")) return false;
  text.remove_prefix(end + 1);
  value = line.substr(key.size() + 2);
  return true;
}

bool ReadNumber(std::string_view digits, std::uint64_t& out) {
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out);
  return error == std::errc() && end == digits.data() + digits.size();
}

}  // namespace

LedgerEntry NextEntry(const LedgerHead& head, LedgerNote note) {
  LedgerEntry entry{.sequence = head.sequence + 1, .note = std::move(note)};
  entry.hash = HashOf(head.hash, entry);
  return entry;
}

std::string SignedHead::ToText() const {
  return StatementOf(*this) + "signer: " + ToBase64(signer_der) +
         "\nsignature: " + ToBase64(signature) + "\n";
}

absl::StatusOr<SignedHead> SignedHead::FromText(std::string_view text) {
  if (text.size() > kMaxHeadText) return NotAHead(std::to_string(text.size()) + " bytes");
  const std::string_view whole = text;
  if (!text.starts_with(kFormatLine)) {
    // The text is not shown: it may be a passphrase.
    return NotAHead("other text");
  }
  text.remove_prefix(kFormatLine.size());
  static constexpr std::array<std::string_view, 5> kKeys = {"sequence", "hash", "at", "signer",
                                                            "signature"};
  std::array<std::string_view, kKeys.size()> values;
  for (size_t i = 0; i < kKeys.size(); ++i) {
    if (!TakeLine(text, kKeys[i], values[i])) {
      return NotAHead("no \"" + std::string(kKeys[i]) + ": ...\" in line " + std::to_string(i + 2));
    }
  }
  if (!text.empty()) return NotAHead("something after the signature");
  SignedHead head;
  const std::optional<Sha256Digest> hash = ParseFingerprint(values[1]);
  const std::optional<Time> at = ParseTime(values[2]);
  const std::optional<std::string> signer = FromBase64(values[3]);
  const std::optional<std::string> signature = FromBase64(values[4]);
  if (!ReadNumber(values[0], head.head.sequence)) return NotAHead("a sequence that is no number");
  if (!hash.has_value()) return NotAHead("a hash that is not 64 hexadecimal digits");
  if (!at.has_value()) return NotAHead("a time that is not like 2026-11-21T02:29:09Z");
  if (!signer.has_value() || !signature.has_value()) {
    return NotAHead("a signer or signature that is not base64");
  }
  head.head.hash = *hash;
  head.at = *at;
  head.signer_der = *signer;
  head.signature = *signature;
  // One text for one head: what is not written this way was not written here.
  if (head.ToText() != whole) return NotAHead("values that are not in their usual form");
  return head;
}

absl::Status SignedHead::Verify() const {
  const absl::StatusOr<Certificate> signer = Certificate::FromDer(signer_der);
  if (!signer.ok()) return WithContext(signer.status(), "signer of the ledger's head");
  const PublicKey& key = signer->public_key();
  if (absl::Status strength = key.CheckStrength(); !strength.ok()) {
    return WithContext(strength, "signer of the ledger's head");
  }
  return WithContext(key.Verify(AlgorithmOf(key), StatementOf(*this), signature), "ledger's head");
}

absl::StatusOr<SignedHead> SignHead(const LedgerHead& head, const Signer& signer, Time now) {
  SignedHead signed_head{.head = head, .at = now, .signer_der = signer.certificate().der()};
  absl::StatusOr<std::string> signature = signer.key().Sign(StatementOf(signed_head));
  if (!signature.ok()) return signature.status();
  signed_head.signature = *std::move(signature);
  return signed_head;
}

LedgerVerifier::LedgerVerifier(std::optional<LedgerHead> kept) : kept_(kept) {}

absl::Status LedgerVerifier::Add(const LedgerEntry& entry) {
  if (entry.sequence != head_.sequence + 1) {
    return Broken("expected entry " + std::to_string(head_.sequence + 1) + ", got entry " +
                  std::to_string(entry.sequence) + ": entries are missing or out of order");
  }
  const Sha256Digest expected = HashOf(head_.hash, entry);
  if (entry.hash != expected) {
    return Broken("entry " + std::to_string(entry.sequence) +
                  " was changed, or one before it: expected hash " + FormatFingerprint(expected) +
                  ", got " + FormatFingerprint(entry.hash));
  }
  head_ = {.sequence = entry.sequence, .hash = entry.hash};
  if (kept_.has_value() && kept_->sequence == head_.sequence && kept_->hash != head_.hash) {
    return Broken("the ledger was written anew: expected " + Describe(*kept_) +
                  ", as it was kept, got " + Describe(head_));
  }
  return absl::OkStatus();
}

absl::Status LedgerVerifier::Finish(const LedgerHead& recorded) const {
  if (kept_.has_value() && kept_->sequence > head_.sequence) {
    return Broken("the ledger was cut short: expected " + Describe(*kept_) +
                  ", as it was kept, got no more than " + Describe(head_));
  }
  if (recorded.sequence != head_.sequence || recorded.hash != head_.hash) {
    return Broken("expected the recorded head " + Describe(recorded) + ", got " + Describe(head_));
  }
  return absl::OkStatus();
}

}  // namespace troth
