#include "tests/rotation/footprint.h"

#include <malloc.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

namespace rotation {

Footprint Footprint::Now() {
  Footprint now;
  const std::filesystem::directory_iterator descriptors("/proc/self/fd");
  now.descriptors = static_cast<int>(std::distance(begin(descriptors), end(descriptors)));
  std::int64_t total_pages = 0, resident_pages = 0;
  std::ifstream("/proc/self/statm") >> total_pages >> resident_pages;
  now.resident_bytes = resident_pages * sysconf(_SC_PAGESIZE);
  const struct mallinfo2 heap = mallinfo2();
  now.allocated_bytes = static_cast<std::int64_t>(heap.uordblks + heap.hblkhd);
  return now;
}

std::string Footprint::ToString() const {
  return std::to_string(descriptors) + " descriptors, " + std::to_string(resident_bytes >> 10) +
         " KiB resident, " + std::to_string(allocated_bytes >> 10) + " KiB allocated";
}

}  // namespace rotation
