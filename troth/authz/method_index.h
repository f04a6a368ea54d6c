// Finds what is said about a method among thousands of patterns.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace troth {

// A frozen radix tree over patterns. Looking up walks the method's name once, allocates nothing and
// cannot fail. Thread-safe.
class MethodIndex {
 public:
  static constexpr std::int32_t kNone = -1;

  struct Entry {
    std::string literal;          // unique among the entries
    std::int32_t exact = kNone;   // for the method that is `literal`
    std::int32_t prefix = kNone;  // for methods that begin with `literal`
  };

  MethodIndex() = default;  // knows nothing
  explicit MethodIndex(std::vector<Entry> entries);

  // `exact` of the entry that is `method`, or else `prefix` of the longest that begins it, or
  // kNone.
  std::int32_t Find(std::string_view method) const;

 private:
  // The children of a node lie side by side from `first_child`, and first_bytes_[i] is the first
  // byte of node i's label.
  struct Node {
    std::uint32_t label = 0;  // in labels_
    std::uint16_t label_size = 0;
    std::uint16_t child_count = 0;
    std::uint32_t first_child = 0;
    std::int32_t exact = kNone;
    std::int32_t prefix = kNone;
  };
  std::vector<Node> nodes_;
  std::string first_bytes_;
  std::string labels_;
};

// A frozen hash table of whole method names, for those a server has. Thread-safe.
class MethodTable {
 public:
  MethodTable() = default;
  struct Entry {
    std::string method;
    std::int32_t value;
  };
  // Of entries with the same method the first counts. Names of more than 64 KiB are left out.
  explicit MethodTable(const std::vector<Entry>& entries);

  // The value of `method`, or null. Allocates nothing.
  const std::int32_t* Find(std::string_view method) const;

 private:
  // Small, so that the table of a large server fits into the processor's caches.
  struct Slot {
    std::uint32_t hash = 0;
    std::uint32_t offset = 0;  // in names_
    std::int32_t value = 0;
    std::uint16_t size = 0;  // 0: free
  };
  std::vector<Slot> slots_;  // a power of two, at most half full
  std::string names_;
};

}  // namespace troth
