#pragma once
// What a backward kernel is asked to do: one block of keys of one head against tiles of queries.

#include "kernels/forward/task.h"

namespace foveal {

/// The forward's task, whose output and lse are read here, and where the gradients go. A block of
/// keys is begun once, then meets tiles of queries (of any heads that share its keys), then ends.
/// The last axis of every array has stride 1.
template <class T>
struct BackwardTask : ForwardTask<T>, BFloat16Rows {
  /// query_count numbers that belong to lse where that is too large to hold them; or null.
  const T* lse_rest = nullptr;
  const T* output_gradient = nullptr;  ///< of the tile's first query
  int64_t output_gradient_stride = 0;
  int64_t first_key = 0, key_count = 0;  ///< the block; first_key is a multiple of 64
  T* query_gradient = nullptr;           ///< written: what the block's keys add
  int64_t query_gradient_stride = 0;
  T* key_gradient = nullptr;    ///< of the block's first key; written when the block ends
  T* value_gradient = nullptr;  ///< likewise
  int64_t key_gradient_stride = 0, value_gradient_stride = 0;
  T* bias_gradient = nullptr;  ///< of the tile's first query and key 0: added to; or null
  int64_t bias_gradient_query_stride = 0, bias_gradient_key_stride = 0;
  double* slope_gradient = nullptr;  ///< one number, added to; or null
  /// As BFloat16Rows. dQ is written in float32 where `query_gradient` isn't null.
  const uint16_t* bfloat16_output_gradient = nullptr;
  uint16_t* bfloat16_query_gradient = nullptr;
  uint16_t* bfloat16_key_gradient = nullptr;
  uint16_t* bfloat16_value_gradient = nullptr;
  /// Bit q is set where Q or dO of the tile's query q holds a NaN or infinity. Set as a tile
  /// begins.
  uint64_t queries_not_finite = 0;
  bool rows_in_place = false;  ///< Q and dO are read where they lie. Set as a tile begins.
};

}  // namespace foveal
