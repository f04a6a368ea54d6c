#include "examples/attestor/attestor_config.h"

#include "examples/attestor/config_file.h"
#include "troth/pki/name.h"

namespace attestor {

absl::StatusOr<AttestorConfig> LoadAttestorConfig(const std::string& path) {
  absl::StatusOr<ConfigFile> file = ConfigFile::Load(path);
  if (!file.ok()) return file.status();
  AttestorConfig config;
  config.ca_certificate = file->NeededText("ca_certificate");
  config.attestor_certificate = file->NeededText("attestor_certificate");
  config.attestor_key = file->NeededText("attestor_key");
  config.signing_key = file->NeededText("signing_key");
  config.db_service = file->NeededText("db_service");
  config.server_name = file->Text("server_name").value_or("");
  config.attestor = file->Text("attestor").value_or("");
  config.poll_interval = file->Duration("poll_interval").value_or(config.poll_interval);
  if (!config.db_service.empty() && !config.db_service.starts_with("https://")) {
    file->Refuse("db_service", "an address such as \"https://db.example:8443\"");
  }
  if (!config.attestor.empty() && !troth::IsDnsName(config.attestor, false)) {
    file->Refuse("attestor", "a DNS name such as \"one.attestors.example\"");
  }
  while (config.db_service.ends_with('/')) config.db_service.pop_back();
  if (absl::Status status = file->Finish(); !status.ok()) return status;
  return config;
}

}  // namespace attestor
