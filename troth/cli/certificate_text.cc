#include "troth/cli/certificate_text.h"

#include <chrono>

#include "troth/base/strings.h"
#include "troth/pki/digest.h"

namespace troth {
namespace {

std::vector<std::string> PlainNames(const Certificate& certificate) {
  std::vector<std::string> names;
  for (const AlternativeName& name : certificate.alternative_names()) {
    names.push_back(name.ToPlainString());
  }
  return names;
}

std::string Days(long long count) { return std::to_string(count) + " days"; }

}  // namespace

std::string DateAndDaysLeft(Time end, Time now) {
  const std::string date = FormatTime(end).substr(0, 10);
  const Seconds left = end - now;
  const std::string length =
      std::chrono::abs(left) < std::chrono::days(2)
          ? FormatDuration(std::chrono::abs(left))
          : Days(std::chrono::round<std::chrono::days>(std::chrono::abs(left)).count());
  return date + (left >= Seconds(0) ? " (" + length + ")" : " (ended " + length + " ago)");
}

std::string NamesInWords(const Certificate& certificate) {
  return Join(PlainNames(certificate), ", ");
}

JsonObject JsonOf(const Certificate& certificate) {
  return {{"subject", certificate.subject().ToString()},
          {"issuer", certificate.issuer().ToString()},
          {"names", PlainNames(certificate)},
          {"key", certificate.public_key().Describe()},
          {"serial", certificate.serial_number().ToHex()},
          {"fingerprint", FormatFingerprint(certificate.fingerprint())},
          {"not_before", certificate.validity().not_before},
          {"not_after", certificate.validity().not_after}};
}

}  // namespace troth
