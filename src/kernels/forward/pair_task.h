#pragma once
// What a forward kernel for bfloat16 is asked to do.

#include "kernels/forward/task.h"
#include "kernels/products/key_runs.h"

namespace foveal {

/// V of one KV head in pairs along the keys, tile by tile as they are first needed, for tasks that
/// follow one another on one thread. Without it each task makes its own.
struct PairValues {
  uint32_t* pairs = nullptr;       ///< [tiles of 64 keys][32][D_v]
  uint64_t* not_finite = nullptr;  ///< a bit for each key of each tile
  bool* made = nullptr;            ///< of each tile
};

/// A forward task whose Q, K, V and O are bfloat16. Everything else, lse too, is float32.
struct PairTask : ForwardTask<float>, BFloat16Rows {
  PairValues values;

  // Between two tiles of keys:
  KeyRuns<uint32_t> runs;  ///< of V and the weights that wait to meet it
  int64_t waiting = 0;     ///< tiles of keys
  uint64_t seen = 0;       ///< queries that have seen a key, a bit each
};

}  // namespace foveal
