#pragma once
// The ladder of kernels: attention of one head, each rung a faster way to compute the same. The
// fused kernel (src/kernels/forward/forward.h), which is what attention() runs, is the top.
//
// All compute O = softmax(Q K^T * scale, masked) V in float32.

#include <cstdint>

namespace foveal::measure {

/// Rows are contiguous: element d of query i lies at query[i * D + d].
struct Head {
  const float *query, *key, *value;    ///< (L_q, D), (L_k, D), (L_k, D_v)
  const bool* visible;                 ///< (L_q, L_k), true = may attend; null: all are visible
  float* output;                       ///< (L_q, D_v); 0 in rows that see no key
  std::int64_t queries, keys;          ///< L_q, L_k
  std::int64_t head_size, value_size;  ///< D, D_v
  float scale;

  bool sees(std::int64_t i, std::int64_t j) const {
    return visible == nullptr || visible[i * keys + j];
  }
};

/// As the formula says: a row of scores, its softmax, its product with V.
void naive(const Head& head);

/// One pass over the keys: a running maximum and sum instead of a row of scores.
void online(const Head& head);

/// The same for 64 queries and 64 keys at a time, in loops that a compiler turns into vectors.
void tiled(const Head& head);

}  // namespace foveal::measure
