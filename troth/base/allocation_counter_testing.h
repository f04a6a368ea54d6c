// For tests and benchmarks: counts what the calling thread allocates. It replaces the program's
// operator new, so include it in one .cc file of a program only.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <new>

namespace troth {

struct AllocationCounter {
  std::size_t allocations = 0;
  std::size_t bytes = 0;  // asked for, whatever was given back since
};
inline thread_local AllocationCounter allocated_by_this_thread;

inline void* CountedAllocation(std::size_t size) noexcept {
  ++allocated_by_this_thread.allocations;
  allocated_by_this_thread.bytes += size;
  return std::malloc(size == 0 ? 1 : size);
}

}  // namespace troth

// Every form: a sanitizer answers those that are missing, and its memory must not get to our
// delete. Not inlined, for GCC would see free() on what it takes for memory of another operator
// new. NOLINTBEGIN(misc-definitions-in-headers): replacements cannot be inline.
#define TROTH_REPLACEMENT [[gnu::noinline]]
TROTH_REPLACEMENT void* operator new(std::size_t size) {
  if (void* const memory = troth::CountedAllocation(size)) return memory;
  throw std::bad_alloc();
}
TROTH_REPLACEMENT void* operator new[](std::size_t size) { return operator new(size); }
TROTH_REPLACEMENT void* operator new(std::size_t size, const std::nothrow_t& /*tag*/) noexcept {
  return troth::CountedAllocation(size);
}
TROTH_REPLACEMENT void* operator new[](std::size_t size, const std::nothrow_t& /*tag*/) noexcept {
  return troth::CountedAllocation(size);
}
TROTH_REPLACEMENT void operator delete(void* memory) noexcept { std::free(memory); }
TROTH_REPLACEMENT void operator delete[](void* memory) noexcept { std::free(memory); }
TROTH_REPLACEMENT void operator delete(void* memory, std::size_t /*size*/) noexcept {
  std::free(memory);
}
TROTH_REPLACEMENT void operator delete[](void* memory, std::size_t /*size*/) noexcept {
  std::free(memory);
}
TROTH_REPLACEMENT void operator delete(void* memory, const std::nothrow_t& /*tag*/) noexcept {
  std::free(memory);
}
TROTH_REPLACEMENT void operator delete[](void* memory, const std::nothrow_t& /*tag*/) noexcept {
  std::free(memory);
}
#undef TROTH_REPLACEMENT
// NOLINTEND(misc-definitions-in-headers)
