// Puts certificates into the store of an authority that is not running, much faster than they are
// issued: what bench/issue.py measures a large authority with.
#include <CLI/CLI.hpp>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <string>

#include "bench/store_filling.h"
#include "troth/ca/authority_folder.h"
#include "troth/ca/folder_lock.h"
#include "troth/store/sqlite_store.h"

namespace bench {
namespace {

absl::Status Fill(const std::string& data, std::uint64_t count) {
  const auto lock = troth::FolderLock::Acquire(data, troth::Seconds(0));
  if (!lock.ok()) return lock.status();
  const std::string path = troth::AuthorityFolder(data).Database();
  {
    const auto store = troth::OpenSqliteStore({.path = path,
                                               .cache_bytes = size_t{256} << 20,
                                               .index_batch = 200'000,
                                               .check_point_pages = 20'000});
    if (!store.ok()) return store.status();
    if (absl::Status filled = FillStore(**store, 0, count); !filled.ok()) return filled;
  }
  // What the large batches left over goes into the indexes now, as the small ones of an authority
  // would have done, and not when the first one is started.
  return troth::OpenSqliteStore({.path = path}).status();
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  CLI::App app{"Fills the store of an authority that is not running with certificates."};
  std::string data;
  std::uint64_t count = 0;
  app.add_option("--data", data, "the authority's folder")->required();
  app.add_option("--count", count)->required();
  CLI11_PARSE(app, argc, argv);
  const absl::Status status = bench::Fill(data, count);
  if (status.ok()) return EXIT_SUCCESS;
  std::cerr << "issue_fill: " << status << "\n";
  return EXIT_FAILURE;
}
