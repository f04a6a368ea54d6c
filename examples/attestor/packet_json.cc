#include "examples/attestor/packet_json.h"

#include <boost/json.hpp>
#include <exception>
#include <utility>

#include "troth/base/encoding.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"

namespace attestor {
namespace {

namespace json = boost::json;

json::object ToJson(const Packet& packet) {
  return {{"id", PacketId(packet)},
          {"source", packet.source},
          {"destination", packet.destination},
          {"sequence", packet.sequence},
          {"message", packet.message}};
}

json::object ToJson(const PacketSignature& signature) {
  return {{"attestor", signature.attestor}, {"signature", troth::ToBase64(signature.signature)}};
}

// Throws when a member is missing or of another type.
Packet PacketOf(const json::object& object) {
  const auto text = [&](const char* name) {
    const json::string& value = object.at(name).as_string();
    return std::string(value.data(), value.size());
  };
  return {.source = text("source"),
          .destination = text("destination"),
          .sequence = object.at("sequence").to_number<std::uint64_t>(),
          .message = text("message")};
}

absl::Status Malformed(std::string_view what) {
  return troth::MakeError(
      troth::Reason::kResponseMalformed,
      "expected {\"packets\": [...]} as the db-service writes it, got another answer: " +
          troth::Printable(what) + "; is db_service the right address?");
}

}  // namespace

std::string WritePackets(const std::vector<Packet>& packets) {
  json::array list;
  for (const Packet& packet : packets) list.push_back(ToJson(packet));
  return json::serialize(json::object{{"packets", std::move(list)}}) + "\n";
}

absl::StatusOr<std::vector<Packet>> ReadPackets(std::string_view body) {
  try {
    const json::value document = json::parse(json::string_view(body.data(), body.size()));
    std::vector<Packet> packets;
    for (const json::value& entry : document.as_object().at("packets").as_array()) {
      packets.push_back(PacketOf(entry.as_object()));
      if (absl::Status status = CheckPacket(packets.back()); !status.ok()) {
        return Malformed(troth::ToStd(status.message()));
      }
    }
    return packets;
  } catch (const std::exception& error) {
    return Malformed(error.what());
  }
}

std::string WriteStoredPacket(const StoredPacket& stored) {
  json::object out = ToJson(stored.packet);
  out["confirmed"] = stored.confirmed;
  json::array& signatures = out["signatures"].emplace_array();
  for (const PacketSignature& signature : stored.signatures) {
    signatures.push_back(ToJson(signature));
  }
  return json::serialize(out) + "\n";
}

std::string WriteSignature(const PacketSignature& signature) {
  return json::serialize(ToJson(signature)) + "\n";
}

}  // namespace attestor
