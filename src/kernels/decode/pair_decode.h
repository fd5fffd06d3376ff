#pragma once
// What decode does otherwise for bfloat16 by pairs: these lie along a row in Q and K as they are;
// those of V and the weights are made along the keys.

#include "kernels/decode/decode.h"
#include "kernels/halves/pairs.h"

namespace foveal {
namespace {

inline QueryRows<uint16_t> query_rows(Pairs, const DecodeTask<float>& task) {
  return {task.bfloat16_query, pair_width(task.head_size)};
}

/// Of all rows, in place: two keys are a pair; 0 after the last.
inline void round_weights(Pairs, const DecodeTask<float>& task, int64_t count) {
  for (int row = 0; row < task.rows; ++row) {
    float* const weights = task.scores + row * kDecodeChunk;
    uint16_t* const rounded = reinterpret_cast<uint16_t*>(weights);
    for (int64_t k = 0; k < count; k += kLanes<float>) {
      const NarrowVector numbers = narrowed(load(weights + k));
      __builtin_memcpy(rounded + k, &numbers, sizeof numbers);
    }
    if (count % 2 != 0) rounded[count] = 0;
  }
}

/// Two keys fill a row of the room for values.
inline void add_values(Pairs, const DecodeTask<float>& task, const BFloat16Bits* rows, int64_t k,
                       int64_t count) {
  const int64_t width = decode_width(task.value_size);
  uint32_t* const pairs = reinterpret_cast<uint32_t*>(task.values);
  pair_rows(&rows->bits, task.value_stride, count, task.value_size, width, pairs);
  const uint16_t* const weights = reinterpret_cast<const uint16_t*>(task.scores) + k;
  add_all_rows<Pairs>(task, {pairs, width, (count + 1) / 2}, weights);
}

}  // namespace
}  // namespace foveal
