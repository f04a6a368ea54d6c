#include <algorithm>
#include <iterator>
#include <utility>

#include "troth/base/encoding.h"
#include "troth/base/file.h"
#include "troth/base/secret.h"
#include "troth/base/strings.h"
#include "troth/doctor/examined_file_internal.h"
#include "troth/doctor/mend_internal.h"
#include "troth/pki/pem.h"

namespace troth {
namespace {

// Of one file so many unreadable blocks are told.
constexpr size_t kMaxBroken = 10;

bool LooksLikeCrl(std::string_view text) {
  return text.starts_with('\x30') ||
         text.substr(0, 4096).find("BEGIN X509 CRL") != std::string_view::npos;
}

// The content within the bounds of what it is: only revocation lists grow beyond kMaxFileBytes.
absl::StatusOr<std::string> Read(const std::string& path) {
  absl::StatusOr<std::string> text = ReadFile(path);
  if (text.ok() || ReasonOf(text.status()) != Reason::kFileTooLarge) return text;
  absl::StatusOr<std::string> list = ReadFile(path, 2 * kMaxCrlBytes);
  return list.ok() && LooksLikeCrl(*list) ? std::move(list) : std::move(text);
}

class FileExamination {
 public:
  FileExamination(const std::string& path, FileAllowance& allowance, Diagnosis& diagnosis)
      : allowance_(allowance), diagnosis_(diagnosis) {
    file_.path = path;
  }

  ExaminedFile Run() {
    absl::StatusOr<std::string> content = Read(file_.path);
    if (!content.ok()) {
      diagnosis_.Add(FaultOf(content.status(), file_.path));
      return std::move(file_);
    }
    const Secret secret(*std::move(content));
    file_.ends_in_line_end = secret.Reveal().ends_with('\n');
    const PemText text = ReadPem(secret.Reveal());
    if (text.blocks.ok()) {
      JudgeText(secret.Reveal(), text);
      TakeAll(*text.blocks);
      file_.only_certificates = file_.certificates.size() == text.blocks->size() &&
                                !text.has_byte_order_mark && !text.has_marks_inside_lines;
    } else {
      JudgeNoPem(secret.Reveal(), text);
    }
    JudgeMode();
    return std::move(file_);
  }

 private:
  void Add(Severity severity, Reason reason, Finding finding) {
    diagnosis_.Add(severity, reason, file_.path, std::move(finding));
  }

  // The file that a command writes, for people.
  std::string Called(std::string_view suffix) const {
    return Printable(file_.path + std::string(suffix), 400);
  }

  void AddFault(const absl::Status& status) { diagnosis_.Add(FaultOf(status, file_.path)); }

  // Text that Troth reads, and that others may not.
  void JudgeText(std::string_view text, const PemText& read) {
    if (read.has_byte_order_mark) {
      Add(Severity::kWarning, Reason::kFileWrongFormat,
          {.title = "the file begins with a byte order mark, which hides its first block from some "
                    "programs",
           .expected = "\"-----BEGIN\" in the first column",
           .got = "the bytes EF BB BF before it",
           .fix = "save it without a byte order mark",
           .command = SedCommand("'1s/^\\xEF\\xBB\\xBF//'", file_.path)});
    }
    if (text.find("\r\n") != std::string_view::npos) {
      Add(Severity::kNote, Reason::kFileWrongFormat,
          {.title = "lines end in CRLF, as Windows writes them; that is fine",
           .fix = "nothing has to be done",
           .command = SedCommand("'s/\\r$//'", file_.path)});
    }
    if (read.has_marks_inside_lines) {
      Add(Severity::kFault, Reason::kFileWrongFormat,
          {.title = "the text is on one line, which OpenSSL, and so nginx and curl, cannot read",
           .expected = "BEGIN and END on lines of their own",
           .got = "other text on the same line",
           .fix = "put the line ends back",
           .command = HasHeaders(text) ? "" : LineEndsCommand(file_.path)});
    }
  }

  // An encrypted key of old, whose headers an empty line ends: the command would lose it.
  static bool HasHeaders(std::string_view text) {
    return text.find("Proc-Type:") != std::string_view::npos;
  }

  void TakeAll(const std::vector<PemBlock>& blocks) {
    for (size_t at = 0; at < blocks.size(); ++at) {
      if (broken_ == kMaxBroken) {
        Add(Severity::kFault, Reason::kFileWrongFormat,
            {.title = "the " + std::to_string(blocks.size() - at) +
                      " blocks that follow were not looked at: too many cannot be read",
             .fix = "mend or remove what cannot be read"});
        return;
      }
      if (!Take(blocks[at], at)) return AddTooMany();
    }
  }

  void AddTooMany() {
    Add(Severity::kFault, Reason::kFileTooLarge,
        {.title = "there are more certificates or lists than are examined at once",
         .expected = "at most " + std::to_string(FileAllowance().certificates) +
                     " certificates, and as many lists, in all files",
         .got = "more, of which the first were examined",
         .fix = "give fewer files, or smaller ones"});
  }

  void AddBroken(const absl::Status& status) {
    ++broken_;
    AddFault(status);
  }

  // False when the allowance is used up.
  bool Take(const PemBlock& block, size_t at) {
    const std::string_view label = block.label;
    const std::string_view der = block.content.Reveal();
    if (label == "CERTIFICATE" || label == "X509 CERTIFICATE") return TakeCertificate(der, at);
    if (label == "X509 CRL") return TakeCrl(der);
    if (label.ends_with("PRIVATE KEY")) {
      TakeKey(block);
    } else if (label.ends_with("CERTIFICATE REQUEST")) {
      absl::StatusOr<CertificateRequest> request = CertificateRequest::FromDer(der);
      if (request.ok()) {
        file_.requests.push_back(*std::move(request));
      } else {
        AddBroken(request.status());
      }
    } else {
      if (label == "TRUSTED CERTIFICATE" || label == "PKCS7") JudgeOtherForm(block, at);
      file_.others.push_back(DescribePemLabel(label));
    }
    return true;
  }

  bool TakeCertificate(std::string_view der, size_t at) {
    absl::StatusOr<Certificate> certificate = Certificate::FromDer(der);
    if (!certificate.ok()) {
      AddBroken(WithContext(certificate.status(), "block " + std::to_string(at + 1)));
      return true;
    }
    if (allowance_.certificates == 0) return false;
    --allowance_.certificates;
    file_.certificates.push_back(*std::move(certificate));
    file_.blocks.push_back(at);
    return true;
  }

  bool TakeCrl(std::string_view der) {
    absl::StatusOr<Crl> crl = Crl::FromDer(der);
    if (!crl.ok()) {
      AddBroken(crl.status());
      return true;
    }
    if (allowance_.crls == 0) return false;
    --allowance_.crls;
    file_.crls.push_back(*std::move(crl));
    return true;
  }

  // Certificates in a form that only some programs read.
  void JudgeOtherForm(const PemBlock& block, size_t at) {
    ++broken_;
    const std::string pem = FormatPem(block.label, block.content.Reveal());
    Finding finding = FaultOf(Certificate::FromPem(pem).status(), file_.path);
    // Of several blocks the command would read the first.
    if (at == 0) finding.command = ConvertBlockCommand(block.label, file_.path);
    if (!finding.command.empty()) finding.fix = "convert it, and use " + Called(".pem");
    diagnosis_.Add(std::move(finding));
  }

  void TakeKey(const PemBlock& block) {
    if (file_.has_some_key()) {
      Add(Severity::kFault, Reason::kKeyMalformed,
          {.title = "the file holds more than one private key",
           .expected = "one private key",
           .got = "two or more",
           .fix = "keep the one that belongs to the certificate"});
      return;
    }
    std::string text =
        block.headers.empty() ? FormatPem(block.label, block.content.Reveal()) : WithHeaders(block);
    const Secret pem(std::move(text));
    absl::StatusOr<PrivateKey> key = PrivateKey::FromPem(pem.Reveal());
    if (key.ok()) {
      file_.key = *std::move(key);
    } else if (ReasonOf(key.status()) == Reason::kKeyEncrypted) {
      file_.encrypted_key =
          DescribePemLabel(block.label) +
          (block.headers.empty()
               ? ""
               : " with " + Printable(block.headers.substr(0, block.headers.find('\n'))));
    } else {
      AddBroken(key.status());
      file_.others.push_back(DescribePemLabel(block.label));
    }
  }

  static std::string WithHeaders(const PemBlock& block) {
    std::string text = FormatPem(block.label, block.content.Reveal());
    text.insert(text.find('\n') + 1, block.headers + "\n\n");
    return text;
  }

  // Binary files, and text that is none of PEM.
  void JudgeNoPem(std::string_view bytes, const PemText& text) {
    Finding finding = FaultOf(text.blocks.status(), file_.path);
    if (text.kind == TextKind::kBase64) {
      JudgeUnarmoured(bytes, finding);
    } else if (text.kind == TextKind::kEscapedLineEnds) {
      if (!HasHeaders(bytes)) finding.command = LineEndsCommand(file_.path);
      finding.fix = "put real line ends where \"\\n\" is written";
    } else {
      if (const std::string_view what = InfoOf(text.kind).what; !what.empty()) {
        finding.title = "the file is " + std::string(what) + ", and programs expect PEM";
        finding.expected = "PEM";
        finding.got = what;
      }
      Convert({.kind = text.kind, .holds_key = HoldsKey(bytes, text.kind)}, finding);
      if (text.kind == TextKind::kPrivateKeyDer) {
        TakeKeyDer(bytes);
      } else {
        TakeDer(bytes, finding);
      }
    }
    diagnosis_.Add(std::move(finding));
  }

  void Convert(const Unarmoured& what, Finding& finding) {
    holds_unread_key_ = what.holds_key;
    finding.command = ConvertCommand(what, file_.path);
    if (finding.command.empty()) return;
    finding.fix = "convert it, and use " + Called(".pem") +
                  (what.holds_key ? ", which only its owner can read" : "");
  }

  // Whether there is a private key in `bytes`, a text in UTF-16 perhaps.
  static bool HoldsKey(std::string_view bytes, TextKind kind) {
    if (kind != TextKind::kUtf16) {
      return kind == TextKind::kPrivateKeyDer || kind == TextKind::kPkcs12;
    }
    std::string text(bytes);
    std::erase(text, '\0');
    const Secret secret(std::move(text));
    return secret.Reveal().find("PRIVATE KEY") != std::string_view::npos;
  }

  // Base64 alone may be anything, a key too.
  void JudgeUnarmoured(std::string_view text, Finding& finding) {
    std::string digits;
    digits.reserve(text.size());
    std::ranges::copy_if(text, std::back_inserter(digits),
                         [](char c) { return c != ' ' && (c < '\t' || c > '\r'); });
    const Secret base64(std::move(digits));
    std::optional<std::string> bytes = FromBase64(base64.Reveal());
    const Secret der(bytes.has_value() ? *std::move(bytes) : std::string());
    const TextKind kind = ReadPem(der.Reveal()).kind;
    finding.title = "the text is base64 without BEGIN and END lines";
    finding.expected = "PEM";
    finding.got = "base64 alone";
    finding.fix =
        "put the BEGIN and END lines of what it is around it, such as \"-----BEGIN "
        "CERTIFICATE-----\"; let only its owner read it when it is a key";
    Convert({.kind = kind, .is_base64 = true, .holds_key = HoldsKey(der.Reveal(), kind)}, finding);
    if (kind == TextKind::kPrivateKeyDer) return TakeKeyDer(der.Reveal());
    absl::StatusOr<Certificate> certificate = Certificate::FromDer(der.Reveal());
    if (!certificate.ok()) return;
    finding.got = "the base64 of a certificate";
    file_.certificates.push_back(*std::move(certificate));
  }

  // What is read all the same, so that the rest is found too.
  void TakeDer(std::string_view der, Finding& finding) {
    if (absl::StatusOr<Certificate> certificate = Certificate::FromDer(der); certificate.ok()) {
      file_.certificates.push_back(*std::move(certificate));
    } else if (absl::StatusOr<Crl> crl = Crl::FromDer(der); crl.ok()) {
      finding.severity = Severity::kWarning;
      finding.title = "the revocation list is binary DER, which Troth reads and nginx does not";
      file_.crls.push_back(*std::move(crl));
    } else if (!finding.got.empty()) {
      file_.others.push_back(finding.got);
    }
  }

  void TakeKeyDer(std::string_view der) {
    for (const char* label : {"PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY"}) {
      const Secret pem(FormatPem(label, der));
      absl::StatusOr<PrivateKey> key = PrivateKey::FromPem(pem.Reveal());
      if (!key.ok()) continue;
      file_.key = *std::move(key);
      return;
    }
    file_.others.emplace_back("a private key in binary DER");
  }

  void JudgeMode() {
    if (!file_.has_some_key() && !holds_unread_key_) return;
    const std::optional<FileVersion> version = VersionOf(file_.path);
    if (!version.has_value() || !IsOpenToOthers(version->mode)) return;
    // The key's group is often on purpose that of the server; and an encrypted key, which PKCS#12
    // and DER may hold, has a lock of its own.
    const bool everybody = (version->mode & 07) != 0 && file_.key.has_value();
    std::string mode = "mode 0";
    for (const int shift : {6, 3, 0}) {
      mode += static_cast<char>('0' + (version->mode >> shift & 7));
    }
    Add(everybody ? Severity::kFault : Severity::kWarning, Reason::kKeyFileTooOpen,
        {.title = everybody ? "everybody on this machine can use the private key"
                            : "others than its owner can read or write the private key",
         .expected = "mode 0600",
         .got = mode,
         .fix =
             "let only its owner read it; if strangers have been on this machine, make a new key",
         .command = "chmod 600 " + PathWord(file_.path)});
  }

  FileAllowance& allowance_;
  Diagnosis& diagnosis_;
  ExaminedFile file_;
  size_t broken_ = 0;  // blocks
  bool holds_unread_key_ = false;
};

}  // namespace

ExaminedFile ExamineFile(const std::string& path, FileAllowance& allowance, Diagnosis& diagnosis) {
  return FileExamination(path, allowance, diagnosis).Run();
}

}  // namespace troth
