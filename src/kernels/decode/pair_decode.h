#pragma once
// Decode for bfloat16: products of pairs with float32 sums. Pairs lie along a row in Q and K as
// they are; those of V and the weights are made along the keys.

#include "kernels/decode/decode.h"
#include "kernels/halves/pairs.h"

namespace foveal {
namespace {

/// 32 numbers of a row, those from `count` on as zeros.
inline PairVector load_row(const uint16_t* from, int64_t count) {
  constexpr int64_t kNumbers = 2 * kLanes<float>;
  if (count >= kNumbers) return load_pairs(from);
  uint16_t numbers[kNumbers] = {};
  for (int64_t n = 0; n < count; ++n) numbers[n] = from[n];
  return load_pairs(numbers);
}

template <int R>
void score_pair_keys(const DecodeTask<float>& task, const uint16_t* key, int row, int64_t first,
                     int64_t count) {
  const int64_t size = task.head_size, width = pair_width(size), stride = task.key_stride;
  const uint16_t* const query = task.bfloat16_query + row * width;
  key += first * stride;
  const auto product = [=](int64_t k, FloatVector(&sum)[1][R]) __attribute__((always_inline)) {
    const uint16_t* const from = key + k * stride;
    for (int64_t d = 0; d < width; d += 2 * kLanes<float>) {
      // Past the last key too: a prefetch of what isn't there does nothing.
      __builtin_prefetch(from + kKeysAhead * stride + d, 0, 2);
      const PairVector part = in_register(load_row(from + d, size - d));
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) {
        sum[0][r] = add_pairs(sum[0][r], part, load_pairs(query + r * width + d));
      }
    }
  };
  score_vector<float, R, 1>(count, task.scale, task.scores + row * kDecodeChunk + first, product);
}

void score_pair_chunk(const DecodeTask<float>& task, const DecodeChunk& chunk) {
  const uint16_t* const key = static_cast<const uint16_t*>(chunk.key);
  for (int64_t k = 0; k < chunk.count; k += kLanes<float>) {
    const int64_t left = chunk.count - k, count = left < kLanes<float> ? left : kLanes<float>;
    int row = 0;
    for (; row + 4 <= task.rows; row += 4) score_pair_keys<4>(task, key, row, k, count);
    for (; row < task.rows; ++row) score_pair_keys<1>(task, key, row, k, count);
  }
}

/// A row's weights, rounded, in place: two keys are a pair; 0 after the last.
inline void round_weights(float* weights, int64_t count) {
  uint16_t* const rounded = reinterpret_cast<uint16_t*>(weights);
  for (int64_t k = 0; k < count; k += kLanes<float>) {
    const NarrowVector numbers = narrowed(load(weights + k));
    __builtin_memcpy(rounded + k, &numbers, sizeof numbers);
  }
  if (count % 2 != 0) rounded[count] = 0;
}

/// C vectors of the outputs of R rows, from element d on: weights times `count` pairs of rows of V.
template <int R, int C>
inline void add_pair_columns(const DecodeTask<float>& task, int row, int64_t first, int64_t count,
                             int64_t d) {
  const int64_t width = decode_width(task.value_size);
  float* const output = task.output + row * width + d;
  Block<float, R, C> sum;
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 16
    for (int c = 0; c < C; ++c) sum.at[r][c] = load(output + r * width + c * kLanes<float>);
  }
  const uint16_t* const weights =
      reinterpret_cast<const uint16_t*>(task.scores + row * kDecodeChunk) + first;
  add_pair_products<0>(sum, {weights, 2 * kDecodeChunk, 2},
                       reinterpret_cast<const uint32_t*>(task.values) + d, count, width);
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 16
    for (int c = 0; c < C; ++c) store(output + r * width + c * kLanes<float>, sum.at[r][c]);
  }
}

template <int R>
void add_pair_rows(const DecodeTask<float>& task, int row, int64_t first, int64_t count) {
  constexpr int C = 8;
  const int64_t width = decode_width(task.value_size);
  int64_t d = 0;
  for (; d + C * kLanes<float> <= width; d += C * kLanes<float>) {
    add_pair_columns<R, C>(task, row, first, count, d);
  }
  for (; d < width; d += kLanes<float>) add_pair_columns<R, 1>(task, row, first, count, d);
}

/// A few rows of V in pairs along the keys; zeros beside a last one without a partner.
inline void pair_rows_of_value(const DecodeTask<float>& task, const uint16_t* value,
                               int64_t count) {
  const int64_t width = decode_width(task.value_size);
  uint32_t* pairs = reinterpret_cast<uint32_t*>(task.values);
  for (int64_t k = 0; k < count; k += 2, pairs += width) {
    const uint16_t* const row = value + k * task.value_stride;
    interleave(row, k + 1 < count ? row + task.value_stride : nullptr, task.value_size, pairs);
    for (int64_t d = task.value_size; d < width; ++d) pairs[d] = 0;
  }
}

void add_pair_chunk(const DecodeTask<float>& task, const DecodeChunk& chunk) {
  const uint16_t* const value = static_cast<const uint16_t*>(chunk.value);
  for (int row = 0; row < task.rows; ++row) {
    round_weights(task.scores + row * kDecodeChunk, chunk.count);
  }
  constexpr int64_t kGroup = 2 * kDecodeGroup;  // two keys fill a row of the room for values
  for (int64_t k = 0; k < chunk.count; k += kGroup) {
    const int64_t left = chunk.count - k, count = left < kGroup ? left : kGroup;
    prefetch_rows(value + (k + kValuesAhead) * task.value_stride, task.value_stride, kGroup,
                  task.value_size);
    pair_rows_of_value(task, value + k * task.value_stride, count);
    const int64_t pairs = (count + 1) / 2;
    int row = 0;
    for (; row + 2 <= task.rows; row += 2) add_pair_rows<2>(task, row, k, pairs);
    if (row < task.rows) add_pair_rows<1>(task, row, k, pairs);
  }
}

/// One chunk of keys, as decode.
void pair_decode(DecodeTask<float>& task, const DecodeChunk& chunk) {
  score_pair_chunk(task, chunk);
  if (weigh_chunk<float, BFloat16Bits>(task, chunk)) add_pair_chunk(task, chunk);
}

}  // namespace
}  // namespace foveal
