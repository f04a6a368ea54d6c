#include "troth/ca/depot_listing.h"

#include <algorithm>
#include <map>
#include <utility>

#include "troth/base/file.h"
#include "troth/base/strings.h"
#include "troth/ca/crl_file.h"
#include "troth/ca/key_pair_files.h"

namespace troth {
namespace {

struct Authority {
  Certificate certificate;
  std::optional<Crl> crl;
};

bool Issued(const Certificate& authority, const Certificate& certificate) {
  return certificate.issuer().Matches(authority.subject()) &&
         authority.public_key()
             .Verify(certificate.signature_algorithm(), certificate.tbs_der(),
                     certificate.signature())
             .ok();
}

DepotState StateAt(const Validity& validity, Time now) {
  if (now > validity.not_after) return DepotState::kExpired;
  if (now < validity.not_before) return DepotState::kNotYetValid;
  return DepotState::kValid;
}

}  // namespace

std::string_view NameOf(DepotState state) {
  switch (state) {
    case DepotState::kRequested:
      return "requested";
    case DepotState::kValid:
      return "valid";
    case DepotState::kNotYetValid:
      return "not yet valid";
    case DepotState::kExpired:
      return "expired";
    case DepotState::kRevoked:
      break;
  }
  return "revoked";
}

DepotListing ListDepot(const Depot& depot, Time now) {
  DepotListing listing;
  std::map<std::string, Certificate> certificates;
  for (const std::string& name : depot.NamesWith(".crt")) {
    const absl::StatusOr<std::vector<Certificate>> read =
        ReadCertificateFile(depot.CertificatePath(name));
    if (read.ok()) {
      certificates.emplace(name, read->front());
    } else {
      listing.problems.emplace_back(ToStd(read.status().message()));
    }
  }

  std::map<std::string, Authority> authorities;
  for (const auto& [name, certificate] : certificates) {
    if (!certificate.is_ca()) continue;
    Authority authority{certificate, std::nullopt};
    if (FileExists(depot.CrlPath(name))) {
      absl::StatusOr<Crl> crl = ReadCrl(depot.CrlPath(name), certificate);
      if (crl.ok()) {
        authority.crl = *std::move(crl);
      } else {
        listing.problems.emplace_back(ToStd(crl.status().message()));
      }
    }
    authorities.emplace(name, std::move(authority));
  }

  for (const auto& named : certificates) {
    const auto& [name, certificate] = named;
    DepotEntry entry{.name = name,
                     .state = StateAt(certificate.validity(), now),
                     .certificate = certificate,
                     .has_key = FileExists(depot.KeyPath(name))};
    const auto issuer = std::ranges::find_if(authorities, [&](const auto& candidate) {
      return Issued(candidate.second.certificate, named.second);
    });
    if (issuer != authorities.end()) {
      entry.authority = issuer->first;
      if (issuer->second.crl.has_value()) {
        if (const RevokedEntry* revoked = issuer->second.crl->Find(certificate.serial_number())) {
          entry.state = DepotState::kRevoked;
          entry.revoked_at = revoked->revoked_at;
        }
      }
    }
    listing.entries.push_back(std::move(entry));
  }
  for (const std::string& name : depot.NamesWith(".csr")) {
    if (FileExists(depot.CertificatePath(name))) continue;
    listing.entries.push_back({.name = name, .has_key = FileExists(depot.KeyPath(name))});
  }
  std::ranges::sort(listing.entries, {}, &DepotEntry::name);
  return listing;
}

}  // namespace troth
