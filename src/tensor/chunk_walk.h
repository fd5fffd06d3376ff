#pragma once
// The one walk through strided tensors that elementwise operations share. It knows no types: loops
// see chunks of numbers that lie one after the other.

#include <array>
#include <cstdint>
#include <functional>
#include <span>

#include "foveal/tensor.h"

namespace foveal {

/// A tensor on the walk.
struct Operand {
  const void* data = nullptr;  ///< the first element
  DType dtype = DType::float32;
  const Strides* strides = nullptr;   ///< of the walk's shape; null: one number for all places
  bool may_hold_other_bytes = false;  ///< a bool whose true bytes need not be 1
};

/// `tensor` expanded to out's shape. A large one that lies transposed to `out` is copied. `kept`
/// holds memory and strides.
Operand operand_of(const Tensor& tensor, const Tensor& out, Tensor* kept);
/// What is written.
Operand operand_to(Tensor& out);

constexpr std::size_t kMostOperands = 3;

/// What a loop sees: `count` numbers of each operand, one after the other, or one for all.
struct Chunk {
  std::int64_t count = 0;
  void* to = nullptr;
  std::array<const void*, kMostOperands> from = {};
  std::array<bool, kMostOperands> repeated = {};
};

using Loop = std::function<void(const Chunk&)>;

struct ChunkWalk {
  const Shape& shape;
  Operand to;  ///< what is written; without data nothing is, and chunk.to is room
  std::span<const Operand> from;
  /// Whether loops see half types as float32, and write float32 where `to` is one.
  bool widens = true;
};

/// Calls loop(chunk) on any thread until every element was visited once, in no order. Without a
/// loop the numbers of the one operand go on as they are, from one half type to the other.
void walk_chunks(const ChunkWalk& walk, const Loop& loop);

}  // namespace foveal
