#pragma once
// Loops over chunks of numbers, made from a function of one, two or three of them.

#include <algorithm>
#include <cstdint>

#include "tensor/chunk_walk.h"

namespace foveal {

/// to[i] = function(a[i]).
template <class To, class A, class Function>
void unary_loop(const Chunk& chunk, Function function) {
  auto* const to = static_cast<To*>(chunk.to);
  const auto* const a = static_cast<const A*>(chunk.from[0]);
  if (chunk.repeated[0]) {
    std::fill_n(to, chunk.count, static_cast<To>(function(*a)));
  } else {
    for (std::int64_t i = 0; i < chunk.count; ++i) to[i] = static_cast<To>(function(a[i]));
  }
}

/// to[i] = function(a[i], b[i]).
template <class To, class A, class B, class Function>
void binary_loop(const Chunk& chunk, Function function) {
  auto* const to = static_cast<To*>(chunk.to);
  const auto* const a = static_cast<const A*>(chunk.from[0]);
  const auto* const b = static_cast<const B*>(chunk.from[1]);
  if (chunk.repeated[0] && chunk.repeated[1]) {
    std::fill_n(to, chunk.count, static_cast<To>(function(*a, *b)));
  } else if (chunk.repeated[1]) {
    const B right = *b;
    for (std::int64_t i = 0; i < chunk.count; ++i) to[i] = static_cast<To>(function(a[i], right));
  } else if (chunk.repeated[0]) {
    const A left = *a;
    for (std::int64_t i = 0; i < chunk.count; ++i) to[i] = static_cast<To>(function(left, b[i]));
  } else {
    for (std::int64_t i = 0; i < chunk.count; ++i) to[i] = static_cast<To>(function(a[i], b[i]));
  }
}

/// One loop for each type that operations compute in (the 16-bit types in float32; a bool is a byte
/// of 0 or 1); null where there is none.
using PlainLoop = void (*)(const Chunk&);

struct Loops {
  PlainLoop float32 = nullptr, float64 = nullptr, int64 = nullptr, boolean = nullptr;

  PlainLoop of(DType dtype) const {
    switch (dtype) {
      case DType::float64:
        return float64;
      case DType::int64:
        return int64;
      case DType::boolean:
        return boolean;
      default:
        return float32;
    }
  }
};

/// Loops whose numbers all have one type, by a Function that is made for each chunk.
template <class T, class Function>
void map_one(const Chunk& chunk) {
  unary_loop<T, T>(chunk, Function());
}

template <class T, class Function>
void map_two(const Chunk& chunk) {
  binary_loop<T, T, T>(chunk, Function());
}

template <class Function>
constexpr Loops kOfOne = {map_one<float, Function>, map_one<double, Function>};
template <class Function>
constexpr Loops kOfTwo = {map_two<float, Function>, map_two<double, Function>};

}  // namespace foveal
