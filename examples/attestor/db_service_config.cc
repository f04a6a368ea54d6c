#include "examples/attestor/db_service_config.h"

#include <set>
#include <utility>
#include <vector>

#include "examples/attestor/config_file.h"
#include "troth/base/file.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/pki/name.h"
#include "troth/pki/pem.h"

namespace attestor {
namespace {

constexpr std::string_view kLabel = "PUBLIC KEY";

absl::StatusOr<troth::PublicKey> ReadPublicKey(const std::string& path) {
  const absl::StatusOr<std::string> text = troth::ReadFile(path);
  if (!text.ok()) return text.status();
  const absl::StatusOr<std::vector<troth::PemBlock>> blocks = troth::ParsePem(*text);
  if (!blocks.ok()) return blocks.status();
  if (blocks->size() != 1 || blocks->front().label != kLabel) {
    return troth::WithFix(
        troth::MakeError(troth::Reason::kKeyMalformed,
                         "expected one public key (BEGIN PUBLIC KEY), got " +
                             (blocks->size() == 1 ? troth::DescribePemLabel(blocks->front().label)
                                                  : std::to_string(blocks->size()) + " blocks")),
        "make it of the attestor's signing key: openssl pkey -in KEY -pubout");
  }
  absl::StatusOr<troth::PublicKey> key =
      troth::PublicKey::FromDer(blocks->front().content.Reveal());
  if (!key.ok()) return key.status();
  if (absl::Status strong = key->CheckStrength(); !strong.ok()) return strong;
  return key;
}

}  // namespace

absl::StatusOr<DbServiceConfig> LoadDbServiceConfig(const std::string& path) {
  absl::StatusOr<ConfigFile> file = ConfigFile::Load(path);
  if (!file.ok()) return file.status();
  DbServiceConfig config;
  config.listen = file->NeededText("listen");
  config.database = file->NeededText("database");
  const std::int64_t threshold = file->Number("threshold").value_or(config.threshold);
  const std::map<std::string, std::string> attestors = file->NeededTable("attestors");
  if (!config.listen.empty() && !config.listen.starts_with("unix:")) {
    file->Refuse("listen", "\"unix:/PATH\", which only nginx's user can open");
  }
  if (threshold < 1 || threshold > static_cast<std::int64_t>(attestors.size())) {
    file->Refuse("threshold",
                 "a number from 1 to that of the [attestors], " + std::to_string(attestors.size()));
  }
  std::set<std::string> known_names;
  for (const auto& [name, key_file] : attestors) {
    if (!known_names.insert(troth::ToLowerAscii(name)).second) {
      file->Refuse("attestors", "each name once, however it is spelled, got \"" +
                                    troth::Printable(name, 64) + "\" twice");
    }
    if (troth::IsDnsName(name, false)) continue;
    file->Refuse("attestors", "DNS names, as in the attestors' certificates, got \"" +
                                  troth::Printable(name, 64) + "\"");
  }
  if (absl::Status status = file->Finish(); !status.ok()) return status;
  config.threshold = static_cast<int>(threshold);
  for (const auto& [name, key_file] : attestors) {
    absl::StatusOr<troth::PublicKey> key = ReadPublicKey(key_file);
    if (!key.ok()) {
      return troth::WithContext(key.status(), "signing key of " + troth::Printable(name) + " in " +
                                                  troth::Printable(key_file, 400));
    }
    // One who has two names must not confirm a packet alone.
    for (const auto& [other, known] : config.attestors) {
      if (!(known == *key)) continue;
      return troth::MakeError(troth::Reason::kConfigurationInvalid,
                              troth::Printable(path, 400) +
                                  ": expected a signing key of its own "
                                  "for each attestor, got one for " +
                                  troth::Printable(other) + " and " + troth::Printable(name));
    }
    config.attestors.emplace(troth::ToLowerAscii(name), *std::move(key));
  }
  return config;
}

}  // namespace attestor
