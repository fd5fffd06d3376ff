#pragma once
// Lets allocations fail. Replaces the program's operator new: one file of a test may include it.

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

/// Counts allocations while `last` isn't 0, and lets those from `first` to before `last` fail.
struct Allocations {
  std::atomic<long> count{0}, first{0}, last{0};

  bool fails() {
    if (last == 0) return false;
    const long n = count.fetch_add(1);
    return n >= first && n < last;
  }
} allocations;

void* allocate(std::size_t bytes, std::size_t alignment) {
  if (allocations.fails()) return nullptr;
  return std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
}

void* allocate_or_throw(std::size_t bytes, std::size_t alignment) {
  if (void* const data = allocate(bytes, alignment)) return data;
  throw std::bad_alloc();
}

constexpr std::size_t kUsual = alignof(std::max_align_t);

}  // namespace

void* operator new(std::size_t bytes) { return allocate_or_throw(bytes, kUsual); }
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return allocate_or_throw(bytes, static_cast<std::size_t>(alignment));
}
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  return allocate(bytes, kUsual);
}
void* operator new(std::size_t bytes, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return allocate(bytes, static_cast<std::size_t>(alignment));
}
// Out of line: GCC takes the two sides for a mismatch where it sees only one of them inlined.
[[gnu::noinline]] void operator delete(void* data) noexcept { std::free(data); }
[[gnu::noinline]] void operator delete(void* data, std::size_t) noexcept { std::free(data); }
[[gnu::noinline]] void operator delete(void* data, std::align_val_t) noexcept { std::free(data); }
[[gnu::noinline]] void operator delete(void* data, std::size_t, std::align_val_t) noexcept {
  std::free(data);
}
