#include "troth/server/json/record.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <initializer_list>
#include <optional>

#include "troth/base/encoding.h"
#include "troth/pki/revocation_reason.h"

namespace troth::json {
namespace {

using boost::json::array;
using boost::json::object;

boost::json::string_view View(std::string_view text) { return {text.data(), text.size()}; }

std::string HexOf(const Sha256Digest& digest) { return FormatFingerprint(digest); }

void Add(object& out, std::string_view name, std::string_view text) {
  out.emplace(View(name), View(text));
}
void AddIfSet(object& out, std::string_view name, std::string_view text) {
  if (!text.empty()) Add(out, name, text);
}
void AddIfSet(object& out, std::string_view name, const std::optional<Time>& time) {
  if (time.has_value()) Add(out, name, FormatTime(*time));
}
void Add(object& out, std::string_view name, const std::vector<std::string>& texts) {
  array list;
  for (const std::string& text : texts) list.emplace_back(View(text));
  out.emplace(View(name), std::move(list));
}

std::string Text(const object& out) { return boost::json::serialize(out) + "\n"; }

object CertificateObject(const CertificateStatus& certificate) {
  const CertificateRecord& record = certificate.record;
  object out;
  Add(out, "serial", record.serial.ToHex());
  Add(out, "lineage", record.lineage.ToHex());
  out.emplace("issuer", record.issuer);
  Add(out, "profile", record.profile);
  Add(out, "names", record.names);
  Add(out, "request", HexOf(record.request));
  AddIfSet(out, "token", record.token);
  Add(out, "issued_at", FormatTime(record.issued_at));
  Add(out, "not_after", FormatTime(record.not_after));
  if (certificate.revocation.has_value()) {
    Add(out, "revoked_at", FormatTime(certificate.revocation->revoked_at));
    Add(out, "revocation_reason", NameOfRevocationReason(certificate.revocation->reason));
  }
  return out;
}

enum class Reader { kAnyone, kOperator };

object RequestObject(const RequestRecord& record, Reader reader) {
  object out;
  Add(out, "id", HexOf(record.id));
  Add(out, "state", NameOf(record.state));
  Add(out, "profile", record.profile);
  Add(out, "name", record.name);
  Add(out, "names", record.names);
  Add(out, "key", HexOf(record.key));
  Add(out, "created_at", FormatTime(record.created_at));
  if (reader == Reader::kOperator) {
    AddIfSet(out, "address", record.address);
    AddIfSet(out, "decided_by", record.decided_by);
  }
  AddIfSet(out, "decided_at", record.decided_at);
  AddIfSet(out, "decision_note", record.decision_note);
  if (record.certificate.has_value()) {
    Add(out, "certificate_serial", record.certificate->ToHex());
  }
  AddIfSet(out, "certificate_not_after", record.certificate_not_after);
  return out;
}

object RequestObject(const RequestStatus& request) {
  object out = RequestObject(request.record, Reader::kOperator);
  if (!request.same_name_other_key.empty()) {
    array others;
    for (const Sha256Digest& id : request.same_name_other_key) {
      others.emplace_back(View(HexOf(id)));
    }
    out.emplace("same_name_other_key", std::move(others));
  }
  return out;
}

object TokenObject(const TokenRecord& record) {
  object out;
  Add(out, "id", record.id);
  Add(out, "profile", record.profile);
  Add(out, "names", record.names);
  out.emplace("any_name", record.any_name);
  out.emplace("max_uses", record.max_uses);
  out.emplace("uses", record.uses);
  Add(out, "created_at", FormatTime(record.created_at));
  Add(out, "expires_at", FormatTime(record.expires_at));
  Add(out, "created_by", record.created_by);
  AddIfSet(out, "revoked_at", record.revoked_at);
  return out;
}

// Appends a PEM text that the authority has written, in quotes: of all its characters only the line
// ends need an escape.
void AppendPem(std::string_view pem, std::string& out) {
  out += '"';
  for (size_t at = 0; at < pem.size();) {
    const size_t end = std::min(pem.find('\n', at), pem.size());
    out += pem.substr(at, end - at);
    if (end < pem.size()) out += "\\n";
    at = end + 1;
  }
  out += '"';
}

// {`name`: [...], "next"}.
template <typename Record, typename Write>
std::string List(std::string_view name, const std::vector<Record>& records, Write write,
                 std::string_view next) {
  array list;
  list.reserve(records.size());
  for (const Record& record : records) list.emplace_back(write(record));
  object out;
  out.emplace(View(name), std::move(list));
  AddIfSet(out, "next", next);
  return Text(out);
}

}  // namespace

std::string WriteCertificate(const CertificateStatus& certificate) {
  object out = CertificateObject(certificate);
  // What the authority issued can be read; a record without PEM is better than no answer.
  if (const auto read = Certificate::FromDer(certificate.record.der); read.ok()) {
    Add(out, "certificate", read->ToPem());
  }
  return Text(out);
}

std::string WriteCertificates(const std::vector<CertificateStatus>& certificates,
                              std::string_view next) {
  return List("certificates", certificates, CertificateObject, next);
}

std::string WriteRequest(const RequestStatus& request) { return Text(RequestObject(request)); }

std::string WriteRequests(const std::vector<RequestStatus>& requests, std::string_view next) {
  return List(
      "requests", requests, [](const RequestStatus& request) { return RequestObject(request); },
      next);
}

std::string WriteToken(const TokenRecord& token) { return Text(TokenObject(token)); }

std::string WriteNewToken(const NewToken& token) {
  object out = TokenObject(token.record);
  Add(out, "token", token.text.Reveal());
  return Text(out);
}

std::string WriteTokens(const std::vector<TokenRecord>& tokens) {
  return List("tokens", tokens, TokenObject, "");
}

std::shared_ptr<const IssuedWriter::Tail> IssuedWriter::TailOf(const IssuedCertificate& issued) {
  const std::lock_guard lock(mutex_);
  // The texts are shared by all certificates of an issuer, and kept here, so that an address
  // stands for one text.
  if (tail_ == nullptr || tail_->chain_pem != issued.chain_pem ||
      tail_->root_pem != issued.root_pem) {
    const auto quoted = [](const std::shared_ptr<const std::string>& pem) {
      return boost::json::serialize(View(pem == nullptr ? std::string_view() : *pem));
    };
    tail_ = std::make_shared<const Tail>(Tail{.chain_pem = issued.chain_pem,
                                              .root_pem = issued.root_pem,
                                              .text = R"(,"chain":)" + quoted(issued.chain_pem) +
                                                      R"(,"trust_bundle":)" +
                                                      quoted(issued.root_pem) + "}\n"});
  }
  return tail_;
}

void IssuedWriter::Append(const IssuedCertificate& issued, std::string& out) {
  const std::shared_ptr<const Tail> tail = TailOf(issued);
  const std::string leaf = issued.certificate.ToPem();
  constexpr std::string_view kName = R"("certificate":)";
  out.reserve(out.size() + kName.size() + leaf.size() + leaf.size() / 32 + tail->text.size());
  out += kName;
  AppendPem(leaf, out);
  out += tail->text;
}

std::string IssuedWriter::Write(const IssuedCertificate& issued) {
  std::string out = "{";
  Append(issued, out);
  return out;
}

std::string IssuedWriter::Write(const FetchedRequest& fetched) {
  std::string out = boost::json::serialize(RequestObject(fetched.record, Reader::kAnyone));
  if (!fetched.issued.has_value()) return out + "\n";
  out.back() = ',';  // the object goes on
  Append(*fetched.issued, out);
  return out;
}

}  // namespace troth::json
