#pragma once
// A tensor whose memory ends, or begins, at a page that must not be touched.

#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

#include "foveal/tensor.h"

namespace foveal {

enum class Guard { before, after };

/// A dense copy of `tensor` with a guard page right before its first byte or right after its last.
inline Tensor guarded(const Tensor& tensor, Guard guard) {
  const Tensor dense = tensor.contiguous();
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  const auto bytes = static_cast<std::size_t>(dense.element_count()) * size_of(dense.dtype());
  const std::size_t inner = (bytes + page - 1) / page * page, whole = inner + 2 * page;
  void* mapped = mmap(nullptr, whole, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) throw std::bad_alloc();
  char* const begin = static_cast<char*>(mapped) + page;
  if (inner > 0) mprotect(begin, inner, PROT_READ | PROT_WRITE);
  char* const data = guard == Guard::before ? begin : begin + inner - bytes;
  if (bytes > 0) std::memcpy(data, dense.raw_data(), bytes);
  return Tensor::from_blob(static_cast<void*>(data), dense.shape(), {}, dense.dtype(),
                           [mapped, whole](void*) { munmap(mapped, whole); });
}

}  // namespace foveal
