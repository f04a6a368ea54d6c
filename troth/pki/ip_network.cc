#include "troth/pki/ip_network.h"

#include <charconv>
#include <optional>
#include <utility>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/pki/name.h"

namespace troth {

absl::StatusOr<IpNetwork> IpNetwork::Parse(std::string_view text) {
  const auto error = [&](const std::string& what) {
    return MakeError(Reason::kRequestMalformed, "\"" + Printable(text) + "\" " + what);
  };
  const size_t slash = text.find('/');
  std::optional<std::string> address = ParseIpAddress(text.substr(0, slash));
  if (!address.has_value()) {
    return error("is not an IP address, expected \"10.0.0.1\", \"::1\" or \"10.0.0.0/8\"");
  }
  const size_t most = address->size() * 8;
  if (slash == std::string_view::npos) return IpNetwork(*std::move(address), most);
  const std::string_view digits = text.substr(slash + 1);
  size_t bits = 0;
  const auto [end, parse_error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), bits);
  if (parse_error != std::errc() || end != digits.data() + digits.size() || bits > most) {
    return error("has no prefix length of 0 to " + std::to_string(most) + " after \"/\"");
  }
  for (size_t bit = bits; bit < most; ++bit) {
    if (((*address)[bit / 8] >> (7 - bit % 8) & 1) != 0) {
      return error("has address bits after its first " + std::to_string(bits) +
                   ", expected zeros there");
    }
  }
  return IpNetwork(*std::move(address), bits);
}

bool IpNetwork::Holds(std::string_view address) const {
  if (address.size() != address_.size()) return false;
  const size_t whole = bits_ / 8;
  if (address.substr(0, whole) != std::string_view(address_).substr(0, whole)) return false;
  if (bits_ % 8 == 0) return true;
  const unsigned mask = 0xffU << (8 - bits_ % 8) & 0xffU;
  const auto differs = static_cast<unsigned>(static_cast<unsigned char>(address[whole]) ^
                                             static_cast<unsigned char>(address_[whole]));
  return (differs & mask) == 0;
}

}  // namespace troth
