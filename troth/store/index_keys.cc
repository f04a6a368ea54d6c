#include <algorithm>
#include <bit>

#include "troth/store/index_keys_internal.h"
#include "troth/store/text_list_internal.h"

namespace troth {
namespace {

constexpr size_t kOwnSerialBytes = 20;
constexpr size_t kTimeBytes = 5;
// A serial whose time is further from the certificate's was made elsewhere, and only looks like
// ours. In the index of serials it would stretch a segment over all times.
constexpr std::int64_t kTimeTolerance = std::int64_t{24} * 60 * 60;

std::uint64_t BigEndian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char byte : bytes) value = value << 8 | static_cast<std::uint8_t>(byte);
  return value;
}

std::int64_t TimeOf(std::string_view serial) {
  constexpr std::uint64_t kMask = (std::uint64_t{1} << 38) - 1;
  return static_cast<std::int64_t>(BigEndian(serial.substr(0, kTimeBytes)) & kMask);
}

struct SipState {
  std::uint64_t a, b, c, d;
  void Round() {
    a += b;
    b = std::rotl(b, 13) ^ a;
    a = std::rotl(a, 32);
    c += d;
    d = std::rotl(d, 16) ^ c;
    a += d;
    d = std::rotl(d, 21) ^ a;
    c += b;
    b = std::rotl(b, 17) ^ c;
    c = std::rotl(c, 32);
  }
  void Absorb(std::uint64_t word) {
    d ^= word;
    Round();
    Round();
    a ^= word;
  }
};

std::uint64_t LittleEndian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (size_t i = 0; i < bytes.size(); ++i) {
    value |= std::uint64_t{static_cast<std::uint8_t>(bytes[i])} << (8 * i);
  }
  return value;
}

}  // namespace

std::uint64_t SipHash(std::string_view bytes, const std::array<std::uint64_t, 2>& key) {
  SipState state{key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d,
                 key[0] ^ 0x6c7967656e657261, key[1] ^ 0x7465646279746573};
  const std::uint64_t length = std::uint64_t{bytes.size() & 0xff} << 56;
  for (; bytes.size() >= 8; bytes.remove_prefix(8)) state.Absorb(LittleEndian(bytes.substr(0, 8)));
  state.Absorb(length | LittleEndian(bytes));
  state.c ^= 0xff;
  for (int i = 0; i < 4; ++i) state.Round();
  return state.a ^ state.b ^ state.c ^ state.d;
}

std::uint64_t IndexKeys::Hash(std::string_view bytes, std::uint64_t kind) const {
  return SipHash(bytes, {hash_key_[0], hash_key_[1] ^ kind});
}

std::optional<std::uint64_t> IndexKeys::OfOwnSerial(std::string_view serial) {
  if (serial.size() != kOwnSerialBytes) return std::nullopt;
  if ((static_cast<std::uint8_t>(serial[0]) & 0xc0) != 0x40) return std::nullopt;
  return BigEndian(serial.substr(0, 8));
}

void IndexKeys::Of(const KeySource& source, CertificateKeys& keys) const {
  keys.terms.clear();
  keys.serial = OfOwnSerial(source.serial);
  if (keys.serial && std::abs(TimeOf(source.serial) - source.issued_at) > kTimeTolerance) {
    keys.serial.reset();
  }
  if (!keys.serial) keys.terms.push_back(OfForeignSerial(source.serial));
  keys.expiry = OfTime(source.not_after);
  keys.terms.push_back(OfRequest(source.request));
  std::string_view names = source.names;
  while (const std::optional<std::string_view> name = TakeText(names)) {
    keys.terms.push_back(OfName(*name));
  }
  std::sort(keys.terms.begin(), keys.terms.end());
  keys.terms.erase(std::unique(keys.terms.begin(), keys.terms.end()), keys.terms.end());
}

}  // namespace troth
