// docs/troubleshooting.md is made from the table of reasons: this test fails when it is not what
// the table gives. To write it anew:
//   TROTH_UPDATE_DOCS=1 ctest --preset dev -R Troubleshooting
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "troth/base/file.h"
#include "troth/base/reason.h"

namespace troth {
namespace {

constexpr std::string_view kIntroduction =
    R"(# Troubleshooting: every reason, with its fix

Every refusal and failure of Troth has a *reason*: a stable code such as `certificate_expired`. It stands at the end of
the message that a caller sees (`[troth:certificate_expired]`), in the log (`reason=certificate_expired`), in the
counters, and in `--json` output. Look it up here.

**First of all run the doctor.** It finds what is wrong and prints cause, evidence, and the command that mends it:

```sh
troth doctor server.pem server.key ca.pem      # the files of one server or client, in any order
troth doctor db.example:443 --certificate client.pem --private-key client.key --trust-bundle ca.pem   # a server that runs
```

A healthy one is called healthy. [doctor.md](doctor.md) has more. When a call is refused that should not be, `troth policy explain
POLICY --certificate CERT --method /package.Service/Method` shows which rule decides and why; `troth verify CERT --trust-bundle CA`
checks a certificate and its chain alone.

If you come from an error of another program:

| what you see | look at |
| --- | --- |
| `certificate verify failed: unable to get local issuer certificate` | [issuer_unknown](#issuer_unknown) |
| `tlsv1 alert unknown ca`, `alert bad certificate`, `remote error: tls: ...` | [peer_rejected_certificate](#peer_rejected_certificate) |
| `PermissionDenied: Invalid client certificate` | [role_not_allowed](#role_not_allowed), [no_rule_matches](#no_rule_matches) |
| `certificate has expired` | [certificate_expired](#certificate_expired) |
| `certificate is not yet valid` | [certificate_not_yet_valid](#certificate_not_yet_valid) |
| `Hostname verification failed`, `Hostname mismatch` | [name_mismatch](#name_mismatch), [names_missing](#names_missing) |
| `PEER_DID_NOT_RETURN_A_CERTIFICATE`, `alert certificate required` | [client_certificate_missing](#client_certificate_missing) |
| nginx: `No required SSL certificate was sent`, `certificate: NONE` | [client_certificate_missing](#client_certificate_missing) |
| nginx: `The SSL certificate error`, `certificate: FAILED:...` | [peer_rejected_certificate](#peer_rejected_certificate) |
| `unsuitable certificate purpose` | [usage_not_allowed](#usage_not_allowed) |
| `self signed certificate`, `self-signed certificate` | [certificate_self_signed](#certificate_self_signed) |
| `certificate signature failure` | [signature_invalid](#signature_invalid) |
| `CRL has expired`, `unable to get certificate CRL` | [crl_expired](#crl_expired), [revocation_unknown](#revocation_unknown) |
| `key values mismatch` | [key_mismatch](#key_mismatch) |
| `no start line`, `bad base64 decode` | [file_wrong_format](#file_wrong_format) |
| `WRONG_VERSION_NUMBER`, `http request`, `http2 error`, `no application protocol` | [protocol_mismatch](#protocol_mismatch) |
| `SSL_ERROR_SSL`, `Socket closed`, `handshake failure` | [handshake_failed](#handshake_failed), and the doctor |
| `Connection refused`, `failed to connect to all addresses` | [connection_failed](#connection_failed) |

This page is made from the table in `troth/base/reason.cc`.
)";

std::string StatusName(absl::StatusCode code) { return absl::StatusCodeToString(code); }

std::string MakePage() {
  std::string page(kIntroduction);
  for (const ReasonInfo& info : AllReasons()) {
    page += "\n## " + std::string(info.code) + "\n\n";
    page += "**What happened:** " + std::string(info.text) + ".\n\n";
    page += "**What to do:** " + std::string(info.fix) + ".\n\n";
    page += "gRPC " + StatusName(info.status) + ", HTTP " + std::to_string(info.http_status) +
            ", exit code " + std::to_string(info.exit_code) + ".\n";
  }
  return page;
}

TEST(Troubleshooting, PageIsWhatTheTableOfReasonsGives) {
  const std::string path = std::string(TROTH_SOURCE_DIR) + "/docs/troubleshooting.md";
  const std::string page = MakePage();
  if (std::getenv("TROTH_UPDATE_DOCS") != nullptr) {
    ASSERT_TRUE(WriteFile(path, page, {.overwrite = Overwrite::kReplace}).ok());
  }
  const absl::StatusOr<std::string> written = ReadFile(path);
  ASSERT_TRUE(written.ok()) << written.status();
  EXPECT_EQ(*written, page) << "run the test once with TROTH_UPDATE_DOCS=1, then commit the page";
}

TEST(Troubleshooting, EveryReasonHasItsAnchor) {
  const absl::StatusOr<std::string> page =
      ReadFile(std::string(TROTH_SOURCE_DIR) + "/docs/troubleshooting.md");
  ASSERT_TRUE(page.ok()) << page.status();
  for (const ReasonInfo& info : AllReasons()) {
    const std::string anchor = DocAnchorOf(info.reason);
    const std::string heading = "\n## " + anchor.substr(anchor.find('#') + 1) + "\n";
    EXPECT_NE(page->find(heading), std::string::npos) << heading;
  }
}

}  // namespace
}  // namespace troth
