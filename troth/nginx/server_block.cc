#include "troth/nginx/server_block.h"

#include <array>
#include <string_view>
#include <tuple>
#include <utility>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/nginx/auth_request.h"
#include "troth/nginx/config_value.h"
#include "troth/nginx/identity_fields.h"

namespace troth {
namespace {

// Longer than any chain that is meant; OpenSSL counts the CAs between leaf and root.
constexpr int kVerifyDepth = 8;

struct IdentityVariable {
  std::string_view field, variable, answer;  // `answer`: nginx's name of the field in an answer
};
constexpr std::array kFromPolicy = {
    IdentityVariable{kCommonNameField, "$troth_client_common_name",
                     "$upstream_http_troth_client_common_name"},
    IdentityVariable{kNamesField, "$troth_client_names", "$upstream_http_troth_client_names"},
    IdentityVariable{kSpiffeIdField, "$troth_client_spiffe_id",
                     "$upstream_http_troth_client_spiffe_id"},
    IdentityVariable{kSha256Field, "$troth_client_sha256", "$upstream_http_troth_client_sha256"},
};

// By these some frameworks take another method, path or client than those that were judged.
constexpr std::string_view kOverrides[] = {
    "X-HTTP-Method-Override", "X-HTTP-Method",           "X-Method-Override",
    "X-Original-Method",      "X-Original-URL",          "X-Original-URI",
    "X-Rewrite-URL",          "X-Forwarded-Prefix",      "X-Forwarded-Uri",
    "X-Forwarded-Method",     "X-Forwarded-Server",      "Client-Cert",
    "Client-Cert-Chain",      "X-Client-Cert",           "X-SSL-Client-Cert",
    "X-SSL-Client-S-DN",      "X-Forwarded-Client-Cert", "Remote-User",
    "X-Remote-User",          "X-Forwarded-User",        "X-Client-IP",
    "True-Client-IP"};

struct Values {
  std::string listen, names, sni_pattern, certificate, private_key, trust_bundle, crl;
  NginxUpstream upstream, policy;
  bool has_policy = false;
};

absl::StatusOr<std::string> PathValue(const std::string& path, std::string_view what) {
  if (!path.starts_with('/')) {
    return MakeError(
        Reason::kUsageError,
        std::string(what) + ": expected an absolute path, got \"" + Printable(path) + "\"");
  }
  return NginxValue(path, what);
}

absl::StatusOr<Values> ReadValues(const NginxServer& server) {
  Values out;
  auto listen = NginxListen(server.listen);
  if (!listen.ok()) return listen.status();
  out.listen = *std::move(listen);
  if (server.server_names.empty()) {
    return MakeError(Reason::kUsageError, "--server-name: expected at least one name, got none");
  }
  for (const std::string& text : server.server_names) {
    const auto name = NginxServerName(text);
    if (!name.ok()) return name.status();
    out.names += " " + *name;
  }
  out.sni_pattern = NginxSniPattern(server.server_names);
  for (const auto& [path, what, value] :
       {std::tuple(&server.certificate, "--certificate", &out.certificate),
        {&server.private_key, "--private-key", &out.private_key},
        {&server.trust_bundle, "--trust-bundle", &out.trust_bundle},
        {&server.crl, "--crl", &out.crl}}) {
    if (path == &server.crl && path->empty()) continue;
    auto written = PathValue(*path, what);
    if (!written.ok()) return written.status();
    *value = *std::move(written);
  }
  auto upstream = ParseNginxUpstream(server.upstream, "--upstream");
  if (!upstream.ok()) return upstream.status();
  out.upstream = *std::move(upstream);
  out.has_policy = !server.policy_socket.empty();
  if (!out.has_policy) return out;
  auto policy = ParseNginxUpstream(server.policy_socket, "--policy-socket");
  if (!policy.ok()) return policy.status();
  if (!policy->is_unix && !policy->is_loopback) {
    return MakeError(Reason::kUsageError,
                     "--policy-socket: expected unix:/PATH or a loopback address, for whoever "
                     "answers there decides who is let in; got \"" +
                         Printable(server.policy_socket) + "\"");
  }
  out.policy = *std::move(policy);
  return out;
}

class Writer {
 public:
  void Line(std::string_view text = "") {
    if (!text.empty()) out_.append(4 * depth_, ' ').append(text);
    out_ += '\n';
  }
  void Set(std::string_view field, std::string_view value) {
    Line("proxy_set_header " + std::string(field) + " " + std::string(value) + ";");
  }
  void Open(std::string_view what) {
    Line(std::string(what) + " {");
    ++depth_;
  }
  void Close() {
    --depth_;
    Line("}");
  }
  std::string Take() { return std::move(out_); }

 private:
  std::string out_;
  size_t depth_ = 0;
};

void WriteTls(Writer& out, const Values& values) {
  out.Line("ssl_certificate " + values.certificate + ";");
  out.Line("ssl_certificate_key " + values.private_key + ";");
  out.Line("ssl_protocols TLSv1.2 TLSv1.3;");
  out.Line("# Every connection is verified anew.");
  out.Line("ssl_session_cache off;");
  out.Line("ssl_session_tickets off;");
  out.Line("ssl_early_data off;");
  out.Line();
  out.Line("ssl_client_certificate " + values.trust_bundle + ";");
  out.Line("# Or one of the http block would be believed about clients as well.");
  out.Line("ssl_trusted_certificate " + values.trust_bundle + ";");
  out.Line("ssl_verify_client on;");
  out.Line("ssl_verify_depth " + std::to_string(kVerifyDepth) + ";");
  if (!values.crl.empty()) {
    out.Line(
        "# A current list of every CA of a client's chain, the root's too, or nobody comes in.");
    out.Line("ssl_crl " + values.crl + ";");
  }
}

// What the service behind is told: once, for the whole server. nginx inherits either all of the
// fields or, where a location sets one itself, none of them.
void WriteFields(Writer& out, const Values& values) {
  out.Set(kSubjectField, "$ssl_client_s_dn");
  for (const IdentityVariable& each : kFromPolicy) {
    out.Set(each.field, values.has_policy ? each.variable : "\"\"");
  }
  for (const std::string_view field :
       {kAskMethodField, kAskTargetField, kAskAddressField, kAskVerifyField, kAskCertificateField,
        kReasonField, kMessageField}) {
    out.Set(field, "\"\"");
  }
  for (const std::string_view field : kOverrides) out.Set(field, "\"\"");
  out.Set("Host", "$host");
  out.Set("X-Real-IP", "$remote_addr");
  out.Set("X-Forwarded-For", "$remote_addr");
  out.Set("X-Forwarded-Proto", "https");
  out.Set("X-Forwarded-Host", "$host");
  out.Set("X-Forwarded-Port", "$server_port");
  out.Set("Forwarded", "\"\"");
  out.Set("Proxy", "\"\"");
  out.Set("Connection", "\"\"");
}

// Directives of the http block that would change what goes on after it was judged, or give what one
// client was answered to the next.
void WriteUnchanged(Writer& out) {
  out.Line("proxy_cache off;");
  out.Line("proxy_store off;");
  out.Line("proxy_method $request_method;");
  out.Line("proxy_pass_request_headers on;");
  out.Line("proxy_pass_request_body on;");
  out.Line("proxy_intercept_errors off;");
}

// Only handshakes that this server block made: the default one of the address makes those without
// a known name, by its own CAs and lists.
void WriteSniCheck(Writer& out, const Values& values) {
  if (values.sni_pattern.empty()) return;
  out.Line("# Who names another server in the handshake was verified by that one.");
  out.Open("if ($ssl_server_name !~* \"" + values.sni_pattern + "\")");
  out.Line("return 421;");
  out.Close();
  out.Line();
}

void WriteAsking(Writer& out) {
  // An `allow` of the http block must not stand in for the answer.
  out.Line("satisfy all;");
  out.Line(
      "# Who may do what: asked of `troth policy serve`, for every request of every location.");
  out.Line("auth_request /.troth/authorize;");
  for (const IdentityVariable& each : kFromPolicy) {
    out.Line("auth_request_set " + std::string(each.variable) + " " + std::string(each.answer) +
             ";");
  }
  out.Line("auth_request_set $troth_reason $upstream_http_troth_reason;");
  out.Line("auth_request_set $troth_message $upstream_http_troth_message;");
  out.Line("add_header Troth-Reason $troth_reason always;");
  out.Line("error_page 401 = @troth_unauthorized;");
  out.Line("error_page 403 = @troth_forbidden;");
}

void WriteRefusal(Writer& out, std::string_view location, std::string_view answer) {
  out.Line();
  out.Open("location " + std::string(location));
  out.Line("default_type text/plain;");
  out.Line("return " + std::string(answer) + ";");
  out.Close();
}

void WritePolicyLocations(Writer& out, const Values& values) {
  out.Line();
  out.Open("location = /.troth/authorize");
  out.Line("internal;");
  out.Line("proxy_pass " + values.policy.url + (values.policy.is_unix ? ":" : "") +
           std::string(kAuthorizePath) + ";");
  out.Line("proxy_method GET;");
  out.Line("proxy_http_version 1.1;");
  out.Line("# Nothing that the client sent, but its request line and its certificate.");
  out.Line("proxy_pass_request_headers off;");
  out.Line("proxy_pass_request_body off;");
  out.Set("Content-Length", "\"\"");
  out.Set("Host", "troth");
  out.Set(kAskMethodField, "$request_method");
  out.Set(kAskTargetField, "$request_uri");
  out.Set(kAskAddressField, "$remote_addr:$remote_port");
  out.Set(kAskVerifyField, "$ssl_client_verify");
  out.Set(kAskCertificateField, "$ssl_client_escaped_cert");
  out.Line("proxy_cache off;");
  out.Line("proxy_intercept_errors off;");
  out.Line("proxy_connect_timeout 5s;");
  out.Line("proxy_read_timeout 5s;");
  out.Line("proxy_buffer_size 32k;");
  out.Line("proxy_buffers 4 32k;");
  out.Line("proxy_busy_buffers_size 64k;");
  out.Close();
  WriteRefusal(out, "@troth_unauthorized", "401 \"$troth_message\\n\"");
  WriteRefusal(out, "@troth_forbidden", "403 \"$troth_message\\n\"");
}

}  // namespace

absl::StatusOr<std::string> NginxServerBlock(const NginxServer& server) {
  const absl::StatusOr<Values> values = ReadValues(server);
  if (!values.ok()) return values.status();
  Writer out;
  out.Line(kNginxServerBlockHead);
  out.Open("server");
  out.Line("listen " + values->listen + " ssl;");
  out.Line("server_name" + values->names + ";");
  out.Line();
  WriteTls(out, *values);
  out.Line();
  WriteSniCheck(out, *values);
  // No line of the http block may lead them past the verification, to the service.
  out.Line("error_page 495 496 =400 @troth_certificate;");
  out.Line();
  out.Line("# Names of fields that a service could take for one of those below are dropped.");
  out.Line("underscores_in_headers off;");
  out.Line("ignore_invalid_headers on;");
  out.Line();
  if (values->has_policy) {
    WriteAsking(out);
    out.Line();
  }
  WriteUnchanged(out);
  out.Line();
  out.Line(
      "# What the service is told. A location with a proxy_set_header of its own has none of "
      "these,");
  out.Line("# and clients could forge them there: it needs all of them again.");
  WriteFields(out, *values);
  out.Line();
  out.Open("location /");
  out.Line("# Without a path here: the service gets the target as the client sent it.");
  out.Line("proxy_pass " + values->upstream.url + ";");
  out.Line("proxy_http_version 1.1;");
  out.Close();
  WriteRefusal(out, "@troth_certificate", "400 \"certificate: $ssl_client_verify\\n\"");
  if (values->has_policy) WritePolicyLocations(out, *values);
  out.Close();
  return out.Take();
}

}  // namespace troth
