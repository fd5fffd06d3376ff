#pragma once
// What a forward may gather of each row's weights while their scores pass.

#include <stdint.h>

namespace foveal {

/// For one tile of queries, at most 64. Given: k, the arrays for its results. The rest is kept by
/// the kernel between begin and end.
template <class T>
struct Observation {
  int64_t k = 0;            ///< how many of the largest weights
  int64_t first_key = 0;    ///< added to the tiles' keys
  int64_t* keys = nullptr;  ///< [query][k], largest weight first, ties to the lower key; -1 before
  T* weights = nullptr;     ///< [query][k], likewise; 0 before
  T* scores = nullptr;      ///< [query][k], the kernel's own
  T* entropy = nullptr;     ///< -sum of P ln P, a query each; or null
  T* maximum = nullptr;     ///< the largest P, a query each; or null
  T weighted[64] = {};      ///< sums of weight times score above the row's running maximum
  T top[64] = {};           ///< the largest score
  T threshold[64] = {};     ///< what a score must pass to be among the k largest
  int64_t count[64] = {};   ///< of the k, those found
};

}  // namespace foveal
