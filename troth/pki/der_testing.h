// For tests: DER written piece by piece, certificates whose every field can be made wrong, and
// mutation of DER.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "troth/pki/der.h"

namespace troth::testing {

inline std::string Tlv(int tag, std::string_view content) {
  der::Writer writer;
  writer.Element(static_cast<std::uint8_t>(tag), content);
  return writer.Take();
}

inline std::string Concatenate(std::initializer_list<std::string> parts) {
  std::string out;
  for (const std::string& part : parts) out += part;
  return out;
}

inline std::string Sequence(std::initializer_list<std::string> parts) {
  return Tlv(der::kSequence, Concatenate(parts));
}
inline std::string Set(std::initializer_list<std::string> parts) {
  return Tlv(der::kSet, Concatenate(parts));
}

inline std::string Oid(std::string_view dotted) {
  der::Writer writer;
  writer.Oid(dotted);
  return writer.Take();
}

// A literal with NUL bytes in it: Bytes("\x00\x01").
template <size_t kSize>
std::string Bytes(const char (&literal)[kSize]) {
  return std::string(literal, kSize - 1);
}

inline std::string NameOf(std::string_view common_name) {
  return Sequence({Set({Sequence({Oid("2.5.4.3"), Tlv(der::kUtf8String, common_name)})})});
}

inline std::string ExtensionOf(std::string_view oid, std::string_view value,
                               bool critical = false) {
  return Sequence({Oid(oid), critical ? Bytes("\x01\x01\xff") : "", Tlv(der::kOctetString, value)});
}

// The DER of a certificate, field by field. As it is, it is well-formed, of version 3, without
// extensions; its key and signature are placeholders.
struct RawCertificate {
  std::string version = Bytes("\xa0\x03\x02\x01\x02");
  std::string serial = Bytes("\x02\x02\x12\x34");
  std::string algorithm = Sequence({Oid("1.2.840.10045.4.3.2")});
  std::string issuer = NameOf("issuer");
  std::string validity =
      Sequence({Tlv(der::kUtcTime, "260101000000Z"), Tlv(der::kUtcTime, "270101000000Z")});
  std::string subject = NameOf("subject");
  std::string public_key =
      Sequence({Sequence({Oid("1.2.840.10045.2.1"), Oid("1.2.840.10045.3.1.7")}),
                Tlv(der::kBitString, Bytes("\x00\x04").append(64, 'k'))});
  std::string unique_ids;
  std::vector<std::string> extensions;
  std::string raw_extensions;  // in the place of `extensions` when it is not empty
  std::string outer_algorithm = algorithm;
  std::string signature = Tlv(der::kBitString, Bytes("\x00").append(70, 's'));
  std::string tail_of_tbs, tail_of_certificate, tail;

  std::string Build() const {
    std::string all;
    for (const std::string& extension : extensions) all += extension;
    std::string tagged = raw_extensions;
    if (tagged.empty() && !all.empty()) tagged = Tlv(0xa3, Tlv(der::kSequence, all));
    const std::string tbs = Sequence({version, serial, algorithm, issuer, validity, subject,
                                      public_key, unique_ids, tagged, tail_of_tbs});
    return Sequence({tbs, outer_algorithm, signature, tail_of_certificate}) + tail;
  }
};

// Changes one or a few elements of DER and writes it again with right lengths, so that changes
// reach every depth of it. Deterministic for a seed.
class DerMutator {
 public:
  explicit DerMutator(std::uint32_t seed) : random_(seed) {}

  std::string Mutate(std::string_view der) {
    std::vector<Node> roots = Parse(der);
    const size_t changes = 1 + Pick(2);
    for (size_t i = 0; i < changes && !roots.empty(); ++i) Change(roots);
    std::string out = Write(roots);
    if (Pick(20) == 0 && !out.empty()) out[Pick(out.size())] ^= static_cast<char>(1 << Pick(8));
    return out;
  }

 private:
  struct Node {
    std::uint8_t tag = 0;
    std::string content;  // when there are no children
    std::vector<Node> children;
  };

  // Elements in `der`; nothing when it is not DER to its end.
  static std::vector<Node> Parse(std::string_view der) {
    der::Reader reader(der, "mutation");
    std::vector<Node> nodes;
    while (!reader.AtEnd()) {
      der::Element element;
      if (!reader.ReadAny(element)) return {};
      Node node;
      node.tag = element.tag;
      std::string_view inner = element.content;
      const bool holds_der = (element.tag & 0x20) != 0 || element.tag == der::kOctetString;
      if (holds_der && !inner.empty()) node.children = Parse(inner);
      if (node.children.empty()) node.content = inner;
      nodes.push_back(std::move(node));
    }
    return nodes;
  }

  static std::string Write(const std::vector<Node>& nodes) {
    std::string out;
    for (const Node& node : nodes)
      out += Tlv(node.tag, node.children.empty() ? node.content : Write(node.children));
    return out;
  }

  size_t Pick(size_t below) { return std::uniform_int_distribution<size_t>(0, below - 1)(random_); }

  static void Collect(std::vector<Node>& siblings,
                      std::vector<std::pair<std::vector<Node>*, size_t>>& out) {
    for (size_t i = 0; i < siblings.size(); ++i) {
      out.emplace_back(&siblings, i);
      Collect(siblings[i].children, out);
    }
  }

  void Change(std::vector<Node>& roots) {
    std::vector<std::pair<std::vector<Node>*, size_t>> places;
    Collect(roots, places);
    auto [siblings, at] = places[Pick(places.size())];
    Node& node = (*siblings)[at];
    switch (Pick(node.children.empty() ? 9 : 5)) {
      case 0:
        node.tag = kTags[Pick(kTags.size())];
        break;
      case 1:
        siblings->insert(siblings->begin() + static_cast<std::ptrdiff_t>(at), Node(node));
        break;
      case 2:
        siblings->erase(siblings->begin() + static_cast<std::ptrdiff_t>(at));
        break;
      case 3:
        std::swap((*siblings)[at], (*siblings)[Pick(siblings->size())]);
        break;
      case 4:
        node.children.clear();
        break;
      case 5:
        node.content += static_cast<char>(Pick(256));
        break;
      case 6:
        if (!node.content.empty()) node.content.erase(Pick(node.content.size()), 1);
        break;
      default:
        if (!node.content.empty())
          node.content[Pick(node.content.size())] = static_cast<char>(Pick(256));
    }
  }

  static constexpr std::string_view kTags{
      "\x01\x02\x03\x04\x05\x06\x0a\x0c\x12\x13\x14\x16\x17\x18\x1a\x1c\x1e\x30\x31\x80\x81\x82\x86"
      "\x87"
      "\x88\xa0\xa1\xa2\xa3\xa4"};
  std::mt19937 random_;
};

}  // namespace troth::testing
