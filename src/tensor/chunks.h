#pragma once
// Numbers of any dtype in the type that operations compute in, a chunk at a time: the target's
// kernels widen and round the half types.

#include <algorithm>
#include <cstdint>

#include "kernels/targets/registry.h"
#include "tensor/numbers.h"

namespace foveal {

/// What a chunk holds at most: several of them lie in the first cache.
constexpr std::int64_t kChunk = 1024;

/// The target's conversions of a half type.
inline ConversionKernels conversion_kernels(DType dtype) {
  const Target& target = find_target("");
  return dtype == DType::bfloat16 ? target.bfloat16 : target.float16;
}

/// Numbers at from[0], from[step], ...
template <class T>
class Reader {
 public:
  Reader() {
    if constexpr (is_half<T>) widen_ = conversion_kernels(dtype_of<T>()).widen;
  }

  /// `count` numbers: where they lie, or read into `room`, which takes as many.
  const Compute<T>* read(const T* from, std::int64_t step, std::int64_t count,
                         Compute<T>* room) const {
    if (step == 0) {
      std::fill_n(room, count, number_at(from));
    } else if (step != 1) {
      for (std::int64_t i = 0; i < count; ++i) room[i] = number_at(from + i * step);
    } else if constexpr (is_half<T>) {
      widen_(&from->bits, count, room);
    } else if constexpr (std::is_same_v<T, bool>) {
      for (std::int64_t i = 0; i < count; ++i) room[i] = number_at(from + i);
    } else {
      return from;
    }
    return room;
  }

 private:
  void (*widen_)(const std::uint16_t* from, std::int64_t count, float* to) = nullptr;
};

template <class T>
class Writer {
 public:
  Writer() {
    if constexpr (is_half<T>) narrow_ = conversion_kernels(dtype_of<T>()).narrow;
  }

  /// to[0], to[step], ... = numbers, rounded once.
  void write(const Compute<T>* numbers, std::int64_t count, T* to, std::int64_t step) const {
    if (step != 1) {
      for (std::int64_t i = 0; i < count; ++i) to[i * step] = convert<T>(numbers[i]);
    } else if constexpr (is_half<T>) {
      narrow_(numbers, count, &to->bits);
    } else {
      std::copy_n(numbers, count, to);
    }
  }

 private:
  void (*narrow_)(const float* from, std::int64_t count, std::uint16_t* to) = nullptr;
};

}  // namespace foveal
