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

constexpr std::string_view kUtf8Mark = "\xef\xbb\xbf";

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
  FileExamination(const std::string& path, Diagnosis& diagnosis) : diagnosis_(diagnosis) {
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
    const absl::StatusOr<std::vector<PemBlock>> blocks = ParsePem(secret.Reveal());
    if (blocks.ok()) {
      JudgeText(secret.Reveal());
      for (const PemBlock& block : *blocks) Take(block, at_++);
      file_.only_certificates = file_.certificates.size() == blocks->size() &&
                                !secret.Reveal().starts_with(kUtf8Mark) &&
                                !HasMarksInsideLines(secret.Reveal());
    } else {
      JudgeNoPem(secret.Reveal(), blocks.status());
    }
    JudgeMode();
    return std::move(file_);
  }

 private:
  void Add(Severity severity, Reason reason, Finding finding) {
    finding.severity = severity;
    finding.reason = reason;
    finding.subject = file_.path;
    diagnosis_.Add(std::move(finding));
  }

  // The file that a command writes, for people.
  std::string Called(std::string_view suffix) const {
    return Printable(file_.path + std::string(suffix), 400);
  }

  void AddFault(const absl::Status& status) { diagnosis_.Add(FaultOf(status, file_.path)); }

  // Text that Troth reads, and that others may not.
  void JudgeText(std::string_view text) {
    if (text.starts_with(kUtf8Mark)) {
      Add(Severity::kWarning, Reason::kFileWrongFormat,
          {.title = "the file begins with a byte order mark, which hides its first block from some "
                    "programs",
           .expected = "\"-----BEGIN\" in the first column",
           .got = "the bytes EF BB BF before it",
           .fix = "save it without a byte order mark",
           .command = SedCommand("'1s/^\\xEF\\xBB\\xBF//'", file_.path)});
    }
    if (text.find('\r') != std::string_view::npos) {
      Add(Severity::kNote, Reason::kFileWrongFormat,
          {.title = "lines end in CRLF, as Windows writes them; that is fine",
           .fix = "nothing has to be done",
           .command = SedCommand("'s/\\r$//'", file_.path)});
    }
    if (HasMarksInsideLines(text)) {
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

  // Whether a BEGIN or END stands on a line with something else.
  static bool HasMarksInsideLines(std::string_view text) {
    if (text.starts_with(kUtf8Mark)) text.remove_prefix(kUtf8Mark.size());
    return std::ranges::any_of(Split(text, '\n'), [](std::string_view line) {
      while (!line.empty() && (line.back() == '\r' || line.back() == ' ' || line.back() == '\t')) {
        line.remove_suffix(1);
      }
      const size_t at = std::min(line.find("-----BEGIN "), line.find("-----END "));
      if (at == std::string_view::npos) return false;
      return at > 0 || !line.ends_with("-----") ||
             line.find("-----", line.find(' ')) + 5 != line.size();
    });
  }

  void Take(const PemBlock& block, size_t at) {
    const std::string_view label = block.label;
    const std::string_view der = block.content.Reveal();
    if (label == "CERTIFICATE" || label == "X509 CERTIFICATE") {
      absl::StatusOr<Certificate> certificate = Certificate::FromDer(der);
      if (!certificate.ok()) {
        AddFault(WithContext(certificate.status(), "block " + std::to_string(at + 1)));
        return;
      }
      file_.certificates.push_back(*std::move(certificate));
      file_.blocks.push_back(at);
    } else if (label.ends_with("PRIVATE KEY")) {
      TakeKey(block);
    } else if (label.ends_with("CERTIFICATE REQUEST")) {
      absl::StatusOr<CertificateRequest> request = CertificateRequest::FromDer(der);
      if (!request.ok()) return AddFault(request.status());
      file_.requests.push_back(*std::move(request));
    } else if (label == "X509 CRL") {
      absl::StatusOr<Crl> crl = Crl::FromDer(der);
      if (!crl.ok()) return AddFault(crl.status());
      file_.crls.push_back(*std::move(crl));
    } else if (label == "TRUSTED CERTIFICATE" || label == "PKCS7") {
      const absl::Status status = Certificate::FromPem(FormatPem(label, der)).status();
      Finding finding = FaultOf(status, file_.path);
      finding.command = ConvertCommand(ToStd(status.message()), file_.path);
      if (!finding.command.empty()) finding.fix = "convert it, and use " + Called(".pem");
      diagnosis_.Add(std::move(finding));
      file_.others.push_back(DescribePemLabel(label));
    } else {
      file_.others.push_back(DescribePemLabel(label));
    }
  }

  void TakeKey(const PemBlock& block) {
    if (file_.key.has_value() || file_.has_encrypted_key) {
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
      file_.has_encrypted_key = true;
      Add(Severity::kFault, Reason::kKeyEncrypted,
          {.title = "the private key is encrypted, so a server without its passphrase cannot start",
           .expected = "a private key in the clear, readable to its owner only",
           .got = DescribePemLabel(block.label) +
                  (block.headers.empty()
                       ? ""
                       : " with " + Printable(block.headers.substr(0, block.headers.find('\n')))),
           .fix = "give the program the passphrase (nginx: ssl_password_file), or decrypt the key "
                  "with openssl pkey into a file that only its owner can read (umask 077)"});
    } else {
      AddFault(key.status());
      file_.others.push_back(DescribePemLabel(block.label));
    }
  }

  static std::string WithHeaders(const PemBlock& block) {
    std::string text = FormatPem(block.label, block.content.Reveal());
    text.insert(text.find('\n') + 1, block.headers + "\n\n");
    return text;
  }

  // Binary files, and text that is none of PEM.
  void JudgeNoPem(std::string_view bytes, const absl::Status& why) {
    Finding finding = FaultOf(why, file_.path);
    if (!HoldsKey(bytes)) finding.command = ConvertCommand(finding.title, file_.path);
    if (!finding.command.empty()) {
      finding.fix = "convert it, and use " + Called(".pem");
    } else if (finding.title.find("without BEGIN") != std::string::npos) {
      JudgeUnarmoured(bytes, finding);
    } else if (finding.title.find("written out") != std::string::npos) {
      if (!HasHeaders(bytes)) finding.command = LineEndsCommand(file_.path);
      finding.fix = "put real line ends where \"\\n\" is written";
    }
    if (bytes.starts_with('\x30')) TakeDer(bytes, finding);
    diagnosis_.Add(std::move(finding));
  }

  // Whether `bytes`, UTF-16 perhaps, name a private key.
  static bool HoldsKey(std::string_view bytes) {
    std::string text(bytes);
    std::erase(text, '\0');
    const Secret secret(std::move(text));
    return secret.Reveal().find("PRIVATE KEY") != std::string_view::npos;
  }

  // Base64 alone may be anything, a key too.
  void JudgeUnarmoured(std::string_view text, Finding& finding) {
    std::string digits;
    std::ranges::copy_if(text, std::back_inserter(digits),
                         [](char c) { return c != ' ' && (c < '\t' || c > '\r'); });
    const Secret base64(std::move(digits));
    std::optional<std::string> bytes = FromBase64(base64.Reveal());
    const Secret der(bytes.has_value() ? *std::move(bytes) : std::string());
    finding.title = "the text is base64 without BEGIN and END lines";
    finding.expected = "PEM";
    if (!Certificate::FromDer(der.Reveal()).ok()) {
      finding.got = "base64 that is no certificate";
      finding.fix =
          "put the BEGIN and END lines of what it is around it, such as \"-----BEGIN PRIVATE "
          "KEY-----\"; let only its owner read it when it is a key";
      return;
    }
    finding.got = "the base64 of a certificate";
    finding.command = ArmourCommand(file_.path);
    finding.fix =
        "put \"-----BEGIN CERTIFICATE-----\" before it and \"-----END "
        "CERTIFICATE-----\" after it";
  }

  // What is read all the same, so that the rest is found too.
  void TakeDer(std::string_view der, Finding& finding) {
    finding.expected = "PEM";
    if (absl::StatusOr<Certificate> certificate = Certificate::FromDer(der); certificate.ok()) {
      finding.got = "binary DER";
      file_.certificates.push_back(*std::move(certificate));
      return;
    }
    if (absl::StatusOr<Crl> crl = Crl::FromDer(der); crl.ok()) {
      finding.severity = Severity::kWarning;
      finding.title = "the revocation list is binary DER, which Troth reads and nginx does not";
      finding.got = "binary DER";
      file_.crls.push_back(*std::move(crl));
      return;
    }
    finding.got = "binary data";
    file_.others.emplace_back("binary DER");
  }

  void JudgeMode() {
    if (!file_.key.has_value() && !file_.has_encrypted_key) return;
    const std::optional<FileVersion> version = VersionOf(file_.path);
    if (!version.has_value() || !IsOpenToOthers(version->mode)) return;
    // The key's group is often on purpose that of the server; and an encrypted key has a lock of
    // its own.
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

  Diagnosis& diagnosis_;
  ExaminedFile file_;
  size_t at_ = 0;
};

}  // namespace

ExaminedFile ExamineFile(const std::string& path, Diagnosis& diagnosis) {
  return FileExamination(path, diagnosis).Run();
}

}  // namespace troth
