#pragma once
// A target: one build of the kernels for a class of CPUs, as a table of functions.

#include <stdint.h>

#include "kernels/backward/task.h"
#include "kernels/decode/task.h"
#include "kernels/forward/pair_task.h"
#include "kernels/products/dots_task.h"
#include "kernels/products/gemm_task.h"

namespace foveal {

template <class T>
struct ForwardKernels {
  int64_t query_tile;  ///< queries of one task, at most 64
  int64_t
      kept_bytes;  ///< of a head's K and V: where there are more, each tile of queries asks ahead
  /// How many numbers a task's workspace takes.
  int64_t (*workspace)(int64_t head_size, int64_t value_size);
  void (*begin)(const ForwardTask<T>& task);
  void (*tile)(const ForwardTask<T>& task, const KeyTile& tile);
  /// The rows, a bit each, that may be wrong: there something overflowed, or a NaN or infinity was
  /// seen. They are to be computed again from their scores.
  uint64_t (*end)(const ForwardTask<T>& task);
  /// Instead of end: the state before the division, into output, maximum and sum.
  uint64_t (*end_state)(const ForwardTask<T>& task);
  /// A second pass: task.lse is read, and each tile gives its weights, [key][query_tile], once to
  /// find each row's factor, and once times that factor.
  void (*weights_begin)(const ForwardTask<T>& task);
  const T* (*weights_tile)(const ForwardTask<T>& task, const KeyTile& tile, const T* factors);
  void (*weights_factors)(const ForwardTask<T>& task, T* factors);
  /// The scores themselves, [key][query_tile]: begin, then each tile.
  void (*scores_begin)(const ForwardTask<T>& task);
  const T* (*scores_tile)(const ForwardTask<T>& task, const KeyTile& tile);
};

/// Attention of bfloat16 by products of bfloat16. All null where the target has none: then
/// bfloat16 is widened to float32. Called as the first of ForwardKernels; tiles of queries are
/// those of float32.
struct PairForwardKernels {
  int64_t (*workspace)(int64_t head_size, int64_t value_size);
  void (*begin)(PairTask& task);
  void (*tile)(PairTask& task, const KeyTile& tile);
  uint64_t (*end)(PairTask& task);
};

/// T is what is summed, N what A and B hold, P a lane of a panel of B: a number, or a pair.
template <class T, class N = T, class P = T>
struct GemmKernels {
  using Sum = T;
  using Number = N;
  using Lane = P;
  int64_t panel_columns;
  int64_t lane_numbers;  ///< of a column of B that a lane holds: 1, or 2
  /// Copies `rows` rows of `inner` numbers, element (i, k) at a[i + k * step], to where they are
  /// read in the order of memory. `to` takes rows * inner numbers, inner rounded up to whole lanes.
  MatrixRows<N> (*turn)(const N* a, int64_t step, int64_t inner, int64_t rows, N* to);
  /// Copies `columns` columns (at most a panel's) of `inner` rows of B, element (k, j) at
  /// b[k * row + j * step], into a panel whose rows follow each other.
  void (*pack)(const N* b, int64_t row, int64_t step, int64_t inner, int64_t columns, P* panel);
  void (*multiply)(const GemmTask<T, N, P>& task);
};

/// Of bfloat16 tensors, multiplied as pairs.
using PairGemmKernels = GemmKernels<float, uint16_t, uint32_t>;

/// One row times the rows of a matrix; by what the matrix holds.
template <class T>
using DotsKernel = void (*)(const DotsTask<T>& task);

/// Called in this order: block_begin, then begin, tile ..., end for each tile of queries, then
/// block_end.
template <class T>
struct BackwardKernels {
  /// How many numbers the workspace of a block of keys takes.
  int64_t (*workspace)(int64_t head_size, int64_t value_size, int64_t key_count);
  void (*block_begin)(const BackwardTask<T>& task);
  void (*begin)(BackwardTask<T>& task);
  void (*tile)(const BackwardTask<T>& task, const KeyTile& tile);
  void (*end)(const BackwardTask<T>& task);
  void (*block_end)(const BackwardTask<T>& task);
};

/// One chunk of keys of a decode; keys and values stored as the name says.
template <class T>
using DecodeKernel = void (*)(DecodeTask<T>& task, const DecodeChunk& chunk);

/// Multiply-adds that touch no memory: what a target's products can reach at most.
struct PeakKernel {
  double operations;             ///< of one round; a multiply-add counts as two
  float (*run)(int64_t rounds);  ///< returns a number, so that nothing is left out
};

/// A 16-bit type to float32 and back, to nearest even.
struct ConversionKernels {
  void (*widen)(const uint16_t* from, int64_t count, float* to);
  void (*narrow)(const float* from, int64_t count, uint16_t* to);
};

/// In float64, rounded once.
template <class T>
struct ExponentialKernels {
  void (*exp)(const T* from, int64_t count, T* to);
  /// exp(from - maximum) / sum over a line; `room` takes `count` numbers and 8 more.
  void (*softmax)(const T* from, int64_t count, double* room, T* to);
};

struct Target {
  const char* name;
  ConversionKernels bfloat16, float16;
  ExponentialKernels<float> exponentials_float32;
  ExponentialKernels<double> exponentials_float64;
  /// softmax whose results round to 16 bits as the float64 ones do.
  void (*softmax_for_halves)(const float* from, int64_t count, double* room, float* to);
  GemmKernels<float> gemm_float32;
  GemmKernels<double> gemm_float64;
  /// All null where the target has none: then bfloat16 is widened to float32.
  PairGemmKernels gemm_bfloat16;
  DotsKernel<float> dots_float32, dots_bfloat16, dots_float16;
  DotsKernel<double> dots_float64;
  ForwardKernels<float> forward_float32;
  ForwardKernels<double> forward_float64;
  BackwardKernels<float> backward_float32;
  BackwardKernels<double> backward_float64;
  DecodeKernel<float> decode_float32, decode_bfloat16, decode_float16;
  DecodeKernel<double> decode_float64;
  /// Of the instructions that products of the dtype use.
  PeakKernel peak_float32, peak_bfloat16;
  /// Reads `count` numbers, a multiple of 128, and returns their sum.
  float (*read)(const float* numbers, int64_t count);
  PairForwardKernels forward_bfloat16;
  /// Of bfloat16 tensors, which the task has as bits too; null where the target has none.
  BackwardKernels<float> backward_bfloat16;
};

const Target& portable_target() noexcept;
#if defined(__x86_64__)
const Target& avx2_target() noexcept;
const Target& avx512_target() noexcept;
const Target& avx512_bf16_target() noexcept;
#elif defined(__aarch64__)
const Target& neon_target() noexcept;
#endif

}  // namespace foveal
