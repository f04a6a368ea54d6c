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

// Every form that sanitizers would otherwise answer themselves, and then miss in the other's
// delete. NOLINTBEGIN(misc-definitions-in-headers): replacements cannot be inline.
void* operator new(std::size_t size) {
  if (void* const memory = troth::CountedAllocation(size)) return memory;
  throw std::bad_alloc();
}
void* operator new[](std::size_t size) { return operator new(size); }
void* operator new(std::size_t size, const std::nothrow_t& /*tag*/) noexcept {
  return troth::CountedAllocation(size);
}
void* operator new[](std::size_t size, const std::nothrow_t& /*tag*/) noexcept {
  return troth::CountedAllocation(size);
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t /*size*/) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t /*size*/) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t& /*tag*/) noexcept { std::free(memory); }
void operator delete[](void* memory, const std::nothrow_t& /*tag*/) noexcept { std::free(memory); }
// NOLINTEND(misc-definitions-in-headers)
