// The database of a Caramel server, version 1 of its package: tables csr, certificate and accesslog
// in SQLite.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "troth/ca/record_import.h"

namespace troth {

// Calls `visit` with each request and its certificates, in the order in which they came, until it
// answers an error, which is answered. Sees one state of the database, also while its server runs,
// and changes nothing. A request whose body does not have the hash that it is filed under goes to
// `damaged`, by name. Errors: file_not_found, file_unreadable, file_wrong_format (not SQLite, or
// not Caramel's), store_failed.
absl::Status ReadCaramelDatabase(const std::string& path,
                                 const std::function<absl::Status(const ForeignRequest&)>& visit,
                                 const std::function<void(const std::string&)>& damaged);

}  // namespace troth
