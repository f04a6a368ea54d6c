// The tables of a store file, and the steps by which an older file becomes one of this version.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "troth/base/time.h"
#include "troth/store/sqlite_internal.h"

namespace troth {

// "Trth", in the header of every store file: file(1) and this program know it by that.
inline constexpr std::uint32_t kStoreApplicationId = 0x54727468;
// The newest schema that this program knows.
extern const std::int64_t kStoreSchemaVersion;

// A connection that writes: makes the file when there is none, and brings its schema to this
// version, each step in a transaction of its own. Errors: store_failed (not a store of ours ...),
// store_newer.
absl::StatusOr<std::unique_ptr<SqliteConnection>> OpenForWriting(const std::string& path,
                                                                 const std::string& vfs,
                                                                 size_t cache_bytes, Time now);
// A connection that only reads. Errors: as above, and store_failed for an older schema.
absl::StatusOr<std::unique_ptr<SqliteConnection>> OpenForReading(const std::string& path,
                                                                 const std::string& vfs,
                                                                 size_t cache_bytes);

}  // namespace troth
