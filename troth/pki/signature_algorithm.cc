#include "troth/pki/signature_algorithm.h"

#include <algorithm>
#include <array>
#include <optional>

#include "troth/base/reason.h"
#include "troth/pki/der.h"

namespace troth {
namespace {

constexpr std::string_view kRsaPssOid = "1.2.840.113549.1.1.10";
constexpr std::string_view kMgf1Oid = "1.2.840.113549.1.1.8";

enum class Parameters { kNull, kAbsent };

struct Row {
  SignatureAlgorithm algorithm;
  std::string_view oid;
  Parameters parameters;
};

constexpr std::array kRows = {
    Row{SignatureAlgorithm::kEcdsaSha256, "1.2.840.10045.4.3.2", Parameters::kAbsent},
    Row{SignatureAlgorithm::kEcdsaSha384, "1.2.840.10045.4.3.3", Parameters::kAbsent},
    Row{SignatureAlgorithm::kEcdsaSha512, "1.2.840.10045.4.3.4", Parameters::kAbsent},
    Row{SignatureAlgorithm::kEd25519, "1.3.101.112", Parameters::kAbsent},
    Row{SignatureAlgorithm::kRsaSha256, "1.2.840.113549.1.1.11", Parameters::kNull},
    Row{SignatureAlgorithm::kRsaSha384, "1.2.840.113549.1.1.12", Parameters::kNull},
    Row{SignatureAlgorithm::kRsaSha512, "1.2.840.113549.1.1.13", Parameters::kNull},
    Row{SignatureAlgorithm::kRsaSha1, "1.2.840.113549.1.1.5", Parameters::kNull},
    Row{SignatureAlgorithm::kEcdsaSha1, "1.2.840.10045.4.1", Parameters::kAbsent},
};

struct PssRow {
  SignatureAlgorithm algorithm;
  std::string_view hash_oid;
  int hash_bytes;
};

constexpr std::array kPssRows = {
    PssRow{SignatureAlgorithm::kRsaPssSha256, "2.16.840.1.101.3.4.2.1", 32},
    PssRow{SignatureAlgorithm::kRsaPssSha384, "2.16.840.1.101.3.4.2.2", 48},
    PssRow{SignatureAlgorithm::kRsaPssSha512, "2.16.840.1.101.3.4.2.3", 64},
};

constexpr std::string_view kField = "signature algorithm";

absl::Status NotAllowed(std::string_view what) {
  return MakeError(Reason::kAlgorithmNotAllowed,
                   "expected an ECDSA, Ed25519 or RSA signature with SHA-256 or better, got " +
                       std::string(what));
}

// The hash of an AlgorithmIdentifier whose parameters are NULL or absent (RFC 4055 section 2.1).
bool ReadHash(der::Reader& reader, std::string& oid) {
  der::Reader hash = reader.Enter(der::kSequence, "hash algorithm");
  der::Element null;
  bool present = false;
  if (!hash.ReadOid("hash algorithm", oid) ||
      !hash.ReadOptional(der::kNull, "hash parameters", null, present) ||
      !hash.End("hash algorithm")) {
    return reader.status().ok() ? reader.Fail("hash algorithm", "not well-formed") : false;
  }
  return null.content.empty() || reader.Fail("hash parameters", "a NULL has no content");
}

// RSASSA-PSS-params (RFC 4055 section 3.1).
absl::StatusOr<SignatureAlgorithm> ReadPss(der::Reader parameters) {
  std::string hash = "SHA-1";
  std::string mask = "MGF1 with SHA-1";
  std::string mask_hash;
  int salt_bytes = 20;
  int trailer = 1;
  der::Element field;
  bool present = false;
  if (parameters.ReadOptional(der::ContextConstructed(0), "PSS hash", field, present) && present) {
    der::Reader inner = parameters.Into(field);
    if (!ReadHash(inner, hash) || !inner.End("PSS hash")) return inner.status();
  }
  if (parameters.ReadOptional(der::ContextConstructed(1), "PSS mask", field, present) && present) {
    der::Reader inner = parameters.Into(field);
    der::Reader sequence = inner.Enter(der::kSequence, "PSS mask");
    if (!sequence.ReadOid("PSS mask", mask)) return sequence.status();
    if (mask != kMgf1Oid) return NotAllowed("RSASSA-PSS with mask generation " + mask);
    if (!ReadHash(sequence, mask_hash) || !sequence.End("PSS mask")) return sequence.status();
    if (!inner.End("PSS mask")) return inner.status();
  }
  if (parameters.ReadOptional(der::ContextConstructed(2), "PSS salt", field, present) && present) {
    der::Reader inner = parameters.Into(field);
    if (!inner.ReadSmallInteger("PSS salt", salt_bytes) || !inner.End("PSS salt")) {
      return inner.status();
    }
  }
  if (parameters.ReadOptional(der::ContextConstructed(3), "PSS trailer", field, present) &&
      present) {
    der::Reader inner = parameters.Into(field);
    if (!inner.ReadSmallInteger("PSS trailer", trailer) || !inner.End("PSS trailer")) {
      return inner.status();
    }
  }
  if (!parameters.End("PSS parameters")) return parameters.status();
  const auto row = std::ranges::find(kPssRows, hash, &PssRow::hash_oid);
  if (row == kPssRows.end()) return NotAllowed("RSASSA-PSS with hash " + hash);
  if (mask_hash != hash || salt_bytes != row->hash_bytes || trailer != 1) {
    return NotAllowed("RSASSA-PSS whose mask hash, salt length or trailer does not fit its hash");
  }
  return row->algorithm;
}

}  // namespace

absl::StatusOr<SignatureAlgorithm> ReadSignatureAlgorithm(std::string_view algorithm_identifier) {
  der::Reader outer(algorithm_identifier, kField);
  der::Reader reader = outer.Enter(der::kSequence, kField);
  std::string oid;
  if (!reader.ReadOid(kField, oid)) return reader.status();
  if (!outer.End(kField)) return outer.status();
  if (oid == kRsaPssOid) {
    if (reader.AtEnd()) return NotAllowed("RSASSA-PSS without parameters");
    der::Reader parameters = reader.Enter(der::kSequence, "PSS parameters");
    if (!parameters.status().ok()) return parameters.status();
    if (!reader.End("PSS parameters")) return reader.status();
    return ReadPss(std::move(parameters));
  }
  const auto row = std::ranges::find(kRows, oid, &Row::oid);
  if (row == kRows.end()) return NotAllowed("algorithm " + oid);
  if (row->parameters == Parameters::kNull && !reader.AtEnd()) {
    der::Element null;
    if (!reader.Read(der::kNull, "parameters", null)) return reader.status();
    if (!null.content.empty()) {
      reader.Fail("parameters", "a NULL has no content");
      return reader.status();
    }
  }
  if (!reader.End("parameters")) return reader.status();
  return row->algorithm;
}

std::string SignatureAlgorithmToDer(SignatureAlgorithm algorithm) {
  der::Writer writer;
  const auto row = std::ranges::find(kRows, algorithm, &Row::algorithm);
  if (row != kRows.end()) {
    writer.Nested(der::kSequence, [&] {
      writer.Oid(row->oid);
      if (row->parameters == Parameters::kNull) writer.Null();
    });
    return writer.Take();
  }
  const auto pss = std::ranges::find(kPssRows, algorithm, &PssRow::algorithm);
  if (pss == kPssRows.end()) return {};
  const auto write_hash = [&] {
    writer.Nested(der::kSequence, [&] {
      writer.Oid(pss->hash_oid);
      writer.Null();
    });
  };
  writer.Nested(der::kSequence, [&] {
    writer.Oid(kRsaPssOid);
    writer.Nested(der::kSequence, [&] {
      writer.Nested(der::ContextConstructed(0), write_hash);
      writer.Nested(der::ContextConstructed(1), [&] {
        writer.Nested(der::kSequence, [&] {
          writer.Oid(kMgf1Oid);
          write_hash();
        });
      });
      writer.Nested(der::ContextConstructed(2),
                    [&] { writer.Integer(static_cast<std::uint64_t>(pss->hash_bytes)); });
    });
  });
  return writer.Take();
}

}  // namespace troth
