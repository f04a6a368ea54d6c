#include "troth/server/metrics/trust.h"

#include <string_view>
#include <utility>

namespace troth::metrics {
namespace {

// PEM has line ends, and nothing else that JSON escapes.
void AppendPem(std::string_view pem, std::string& out) {
  for (const char c : pem) {
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
}

std::string TextOf(const Certificate& root, const std::vector<Certificate>& issuers,
                   const std::vector<std::shared_ptr<const Crl>>& lists) {
  std::string out = R"({"trust_bundle":")";
  AppendPem(root.ToPem(), out);
  out += R"(","issuers":")";
  for (const Certificate& issuer : issuers) AppendPem(issuer.ToPem(), out);
  out += R"(","crls":")";
  for (const auto& list : lists) AppendPem(list->ToPem(), out);
  out += "\"}\n";
  return out;
}

}  // namespace

std::shared_ptr<const std::string> TrustWriter::Write() {
  const Time now = clock_.Now();
  std::vector<Certificate> issuers;
  std::vector<std::shared_ptr<const Crl>> lists;
  // The numbers are those of one moment. An issuer that is taken over meanwhile is in the next
  // answer, with its list.
  for (const std::uint32_t number : authority_.IssuerNumbers()) {
    const auto issuer = authority_.IssuerOf(number);
    if (!issuer.ok() || issuer->validity().not_after < now) continue;
    auto list = authority_.CurrentCrl(number);
    if (number != 0) issuers.push_back(*issuer);
    if (list.ok()) lists.push_back(*std::move(list));
  }
  {
    const std::lock_guard lock(mutex_);
    if (text_ != nullptr && issuers == issuers_ && lists == lists_) return text_;
  }
  auto text = std::make_shared<const std::string>(TextOf(authority_.root(), issuers, lists));
  const std::lock_guard lock(mutex_);
  issuers_ = std::move(issuers);
  lists_ = std::move(lists);
  text_ = text;
  return text;
}

}  // namespace troth::metrics
