#include "troth/pki/pem.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "troth/base/encoding.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/pki/der.h"
#include "troth/pki/directory_string_internal.h"

namespace troth {
namespace {

constexpr std::string_view kBegin = "-----BEGIN ";
constexpr std::string_view kEnd = "-----END ";
constexpr std::string_view kDashes = "-----";
constexpr std::string_view kUtf8Mark = "\xef\xbb\xbf";
constexpr size_t kMaxLabel = 64;
constexpr size_t kLineLength = 64;

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

absl::Status WrongFormat(std::string_view message) {
  return MakeError(Reason::kFileWrongFormat, message);
}

bool IsUtf16(std::string_view text) {
  if (text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff")) return true;
  // Without its mark: every other byte of ASCII text is zero.
  const bool second_zero = text.size() >= 4 && text[1] == 0 && text[3] == 0;
  const bool first_zero = text.size() >= 4 && text[0] == 0 && text[2] == 0;
  return (second_zero && text[0] != 0 && text[2] != 0) ||
         (first_zero && text[1] != 0 && text[3] != 0);
}

// A text that has no blocks. A DER SEQUENCE that begins like none of its kinds is kOther.
TextKind KindOfDer(std::string_view text) {
  der::Reader outer(text, "file");
  der::Reader reader = outer.Enter(der::kSequence, "file");
  der::Element first;
  if (!reader.ReadAny(first)) return TextKind::kOther;
  const std::optional<std::uint8_t> second = reader.PeekTag();
  std::string oid;
  if (first.tag == der::kInteger && first.content == "\x03" && second == der::kSequence &&
      reader.Enter(der::kSequence, "content").ReadOid("type", oid)) {
    return TextKind::kPkcs12;
  }
  if (first.tag == der::kInteger || (first.tag == der::kSequence && second == der::kOctetString)) {
    return TextKind::kPrivateKeyDer;
  }
  if (first.tag == der::kOid) return TextKind::kPkcs7Der;
  if (first.tag == der::kSequence && second == der::kBitString) return TextKind::kPublicKeyDer;
  if (first.tag != der::kSequence) return TextKind::kOther;
  // A certificate, request or list: its signed part begins with [0] or the serial, with the
  // version, or with an algorithm.
  der::Reader body = reader.Into(first);
  der::Element element;
  if (!body.ReadAny(element)) return TextKind::kOther;
  if (element.tag == der::kInteger && body.ReadAny(element) && element.tag == der::kSequence &&
      body.ReadAny(element) && element.tag == der::kSequence &&
      body.PeekTag() == der::ContextConstructed(0)) {
    return TextKind::kCertificateRequestDer;
  }
  der::Reader list = reader.Into(first);
  std::string_view version;
  if (list.PeekTag() == der::kInteger) list.ReadInteger("version", version);
  if (list.ReadAny(element) && element.tag == der::kSequence && list.ReadAny(element) &&
      element.tag == der::kSequence &&
      (list.PeekTag() == der::kUtcTime || list.PeekTag() == der::kGeneralizedTime)) {
    return TextKind::kCrlDer;
  }
  return TextKind::kCertificateDer;
}

// What DER that is no PEM holds, and the command that converts it.
std::string DescribeDer(TextKind kind) {
  const BinaryKind info = InfoOf(kind);
  if (info.what.empty()) return "binary data, expected PEM";
  return std::string(info.what) + ", expected PEM; convert it with `openssl " +
         std::string(info.openssl) + " -in FILE -out FILE.pem`";
}

bool LooksLikeDer(std::string_view text) {
  return text.starts_with('\x30') && text.size() > 1 &&
         (static_cast<unsigned char>(text[1]) >= 0x80 || text.find('\0') != std::string_view::npos);
}

// Whether `text` is what stands between a BEGIN and an END line; it may be damaged when it begins
// as most certificates and keys do.
bool IsBase64OfDer(std::string_view text) {
  const std::string_view trimmed = TrimWhitespace(text);
  if (trimmed.starts_with("MII")) return true;
  if (!trimmed.starts_with('M')) return false;
  std::string digits;
  std::ranges::copy_if(trimmed, std::back_inserter(digits), [](char c) { return !IsSpace(c); });
  std::optional<std::string> bytes = FromBase64(digits);
  Wipe(digits);
  if (!bytes.has_value()) return false;
  const Secret der(*std::move(bytes));
  return LooksLikeDer(der.Reveal()) && KindOfDer(der.Reveal()) != TextKind::kOther;
}

// What `text` is, in which ParsePem found no block.
TextKind KindOfOther(std::string_view text) {
  if (IsUtf16(text)) return TextKind::kUtf16;
  if (LooksLikeDer(text)) return KindOfDer(text);
  if (text.find(kBegin) != std::string_view::npos) {
    return text.find("\\n") == std::string_view::npos ? TextKind::kOther
                                                      : TextKind::kEscapedLineEnds;
  }
  return IsBase64OfDer(text) ? TextKind::kBase64 : TextKind::kOther;
}

// Why there is no block in `text`.
absl::Status ExplainNoBlock(std::string_view text) {
  const std::string_view trimmed = TrimWhitespace(text);
  if (trimmed.empty()) return WrongFormat("expected PEM, got nothing but white space");
  if (LooksLikeDer(text)) return WrongFormat("the text is " + DescribeDer(KindOfDer(text)));
  if (text.starts_with("\xfe\xed\xfe\xed") || text.starts_with("\xce\xce\xce\xce")) {
    return WrongFormat(
        "the text is a Java key store, expected PEM; convert it with `keytool -importkeystore "
        "-srckeystore FILE -destkeystore FILE.p12 -deststoretype PKCS12`, then with `openssl "
        "pkcs12 -in FILE.p12 -out FILE.pem -noenc`");
  }
  if (text.find('\0') != std::string_view::npos || !IsMostlyPrintable(text)) {
    return WrongFormat("the text is binary data, expected PEM");
  }
  if (trimmed.starts_with("ssh-") || trimmed.starts_with("ecdsa-sha2-")) {
    return WrongFormat("the text is an SSH public key, expected PEM");
  }
  if (KindOfOther(text) == TextKind::kBase64) {
    return WrongFormat(
        "the text is base64 without BEGIN and END lines, expected PEM; put \"-----BEGIN "
        "CERTIFICATE-----\" before it and \"-----END CERTIFICATE-----\" after it");
  }
  // The text is not shown: it may be a passphrase.
  return WrongFormat("expected PEM (\"-----BEGIN ...\"), got other text");
}

// Text between blocks must not hold the remains of one.
absl::Status CheckOutside(std::string_view text) {
  for (const std::string_view mark : {"--BEGIN ", "--END "}) {
    const size_t at = text.find(mark);
    if (at == std::string_view::npos) continue;
    return WrongFormat(
        "a BEGIN or END line without its other half or without its five hyphens: \"" +
        Printable(text.substr(at, 40)) + "\"");
  }
  return absl::OkStatus();
}

// Cuts RFC 1421 headers off the front of `body`; they end at the first empty line.
absl::Status TakeHeaders(std::string_view& body, std::string& headers) {
  const std::string_view first_line = body.substr(0, body.find('\n'));
  if (first_line.find(':') == std::string_view::npos) return absl::OkStatus();
  while (!body.empty()) {
    const size_t end = std::min(body.find('\n'), body.size());
    const std::string_view line = body.substr(0, end);
    body.remove_prefix(std::min(end + 1, body.size()));
    const std::string_view content = TrimWhitespace(line);
    if (content.empty()) return absl::OkStatus();
    if (!headers.empty()) headers += '\n';
    headers += line.ends_with('\r') ? line.substr(0, line.size() - 1) : line;
  }
  return WrongFormat("expected an empty line after the headers of a PEM block, got none");
}

absl::StatusOr<Secret> DecodeBody(std::string_view label, std::string_view body) {
  std::string digits;
  digits.reserve(body.size());
  std::ranges::copy_if(body, std::back_inserter(digits), [](char c) { return !IsSpace(c); });
  std::optional<std::string> bytes = FromBase64(digits);
  Wipe(digits);
  if (bytes.has_value() && !bytes->empty()) return Secret(*std::move(bytes));
  std::string problem = "the body of " + DescribePemLabel(label);
  if (bytes.has_value()) {
    problem += " is empty";
  } else if (body.find("\\n") != std::string_view::npos) {
    problem += " has \"\\n\" written out where lines should end; put real line ends there";
  } else {
    problem += " is not base64; the text is cut or damaged, copy it again";
  }
  return WrongFormat(problem);
}

// Takes the block at the front of `text`, which begins with kBegin.
absl::StatusOr<PemBlock> TakeBlock(std::string_view& text) {
  text.remove_prefix(kBegin.size());
  const size_t label_end = text.find(kDashes);
  const std::string_view label = text.substr(0, label_end);
  if (label_end == std::string_view::npos || label.empty() || label.size() > kMaxLabel ||
      std::ranges::any_of(label, [](char c) { return c < ' ' || c > '~'; })) {
    return WrongFormat("a BEGIN line does not end in five hyphens: \"" +
                       Printable(text.substr(0, 40)) + "\"");
  }
  text.remove_prefix(label_end + kDashes.size());
  const size_t body_end = text.find(kDashes);
  if (body_end == std::string_view::npos || !text.substr(body_end).starts_with(kEnd)) {
    return WrongFormat(DescribePemLabel(label) +
                       " begins and does not end; the text is cut, copy it again");
  }
  std::string_view body = text.substr(0, body_end);
  text.remove_prefix(body_end + kEnd.size());
  const size_t end_label_end = text.find(kDashes);
  const std::string_view end_label = text.substr(0, end_label_end);
  if (end_label_end == std::string_view::npos || end_label != label) {
    return WrongFormat(DescribePemLabel(label) + " ends as \"" +
                       Printable(end_label.substr(0, end_label.find('\n')), 40) +
                       "\"; the text is cut or mixed up, copy it again");
  }
  text.remove_prefix(end_label_end + kDashes.size());

  while (!body.empty() && IsSpace(body.front())) body.remove_prefix(1);
  PemBlock block{.label = std::string(label), .headers = {}, .content = {}};
  if (absl::Status taken = TakeHeaders(body, block.headers); !taken.ok()) return taken;
  absl::StatusOr<Secret> content = DecodeBody(label, body);
  if (!content.ok()) return content.status();
  block.content = *std::move(content);
  return block;
}

// Whether a BEGIN or END stands on a line with something else than white space after it.
bool HasMarksInsideLines(std::string_view text) {
  return std::ranges::any_of(Split(text, '\n'), [](std::string_view line) {
    while (!line.empty() && IsSpace(line.back())) line.remove_suffix(1);
    const size_t at = std::min(line.find(kBegin), line.find(kEnd));
    if (at == std::string_view::npos) return false;
    const size_t dashes = line.find(kDashes, at + kDashes.size());
    return at > 0 || dashes == std::string_view::npos || dashes + kDashes.size() != line.size();
  });
}

}  // namespace

BinaryKind InfoOf(TextKind kind) {
  switch (kind) {
    case TextKind::kCertificateDer:
      return {"a certificate in binary DER", "x509 -inform DER"};
    case TextKind::kCertificateRequestDer:
      return {"a certificate request in binary DER", "req -inform DER"};
    case TextKind::kCrlDer:
      return {"a revocation list in binary DER", "crl -inform DER"};
    case TextKind::kPkcs7Der:
      return {"PKCS#7 in binary DER", "pkcs7 -inform DER -print_certs"};
    case TextKind::kPublicKeyDer:
      return {"a public key in binary DER", "pkey -pubin -inform DER"};
    case TextKind::kPrivateKeyDer:
      return {"a private key in binary DER", "pkey -inform DER"};
    case TextKind::kPkcs12:
      return {"a PKCS#12 file", "pkcs12 -noenc"};
    case TextKind::kPem:
    case TextKind::kUtf16:
    case TextKind::kEscapedLineEnds:
    case TextKind::kBase64:
    case TextKind::kOther:
      break;
  }
  return {};
}

PemText ReadPem(std::string_view text) {
  PemText read{.blocks = ParsePem(text)};
  read.kind = read.blocks.ok() ? TextKind::kPem : KindOfOther(text);
  read.has_byte_order_mark = text.starts_with(kUtf8Mark);
  if (read.has_byte_order_mark) text.remove_prefix(kUtf8Mark.size());
  read.has_marks_inside_lines = HasMarksInsideLines(text);
  return read;
}

absl::StatusOr<std::vector<PemBlock>> ParsePem(std::string_view text) {
  if (IsUtf16(text)) {
    return WrongFormat(
        "the text is UTF-16, expected ASCII or UTF-8; convert it with `iconv -f UTF-16 -t UTF-8`");
  }
  if (text.starts_with(kUtf8Mark)) text.remove_prefix(kUtf8Mark.size());
  const std::string_view whole = text;
  std::vector<PemBlock> blocks;
  while (true) {
    const size_t begin = text.find(kBegin);
    if (absl::Status outside = CheckOutside(text.substr(0, begin)); !outside.ok()) return outside;
    if (begin == std::string_view::npos) break;
    text.remove_prefix(begin);
    absl::StatusOr<PemBlock> block = TakeBlock(text);
    if (!block.ok()) return block.status();
    blocks.push_back(*std::move(block));
  }
  if (blocks.empty()) return ExplainNoBlock(whole);
  return blocks;
}

std::string DescribePemLabel(std::string_view label) {
  struct Meaning {
    std::string_view label;
    std::string_view what;
  };
  static constexpr std::array kMeanings = {
      Meaning{"CERTIFICATE", "a certificate"},
      Meaning{"X509 CERTIFICATE", "a certificate"},
      Meaning{"TRUSTED CERTIFICATE", "an OpenSSL trusted certificate"},
      Meaning{"CERTIFICATE REQUEST", "a certificate request"},
      Meaning{"NEW CERTIFICATE REQUEST", "a certificate request"},
      Meaning{"X509 CRL", "a revocation list"},
      Meaning{"PRIVATE KEY", "a private key"},
      Meaning{"RSA PRIVATE KEY", "an RSA private key"},
      Meaning{"EC PRIVATE KEY", "an EC private key"},
      Meaning{"DSA PRIVATE KEY", "a DSA private key"},
      Meaning{"ENCRYPTED PRIVATE KEY", "an encrypted private key"},
      Meaning{"OPENSSH PRIVATE KEY", "an OpenSSH private key"},
      Meaning{"PUBLIC KEY", "a public key"},
      Meaning{"RSA PUBLIC KEY", "an RSA public key"},
      Meaning{"EC PARAMETERS", "EC parameters"},
      Meaning{"DH PARAMETERS", "DH parameters"},
      Meaning{"PKCS7", "PKCS#7"},
      Meaning{"CMS", "a CMS message"},
  };
  const auto found = std::ranges::find(kMeanings, label, &Meaning::label);
  const std::string_view what = found == kMeanings.end() ? "a block" : found->what;
  return std::string(what) + " (BEGIN " + Printable(label, kMaxLabel) + ")";
}

std::string FormatPem(std::string_view label, std::string_view content) {
  std::string digits = ToBase64(content);
  std::string out;
  out.reserve(digits.size() + digits.size() / kLineLength + 2 * label.size() + 40);
  out.append(kBegin).append(label).append(kDashes).append("\n");
  for (size_t at = 0; at < digits.size(); at += kLineLength) {
    out.append(digits, at, kLineLength).append("\n");
  }
  out.append(kEnd).append(label).append(kDashes).append("\n");
  Wipe(digits);
  return out;
}

}  // namespace troth
