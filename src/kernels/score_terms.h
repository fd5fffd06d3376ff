#pragma once
// What is done to scores besides scaling, a lane a query.

#include "kernels/products/transpose.h"
#include "kernels/softcap.h"
#include "kernels/tile_bits.h"

namespace foveal {
namespace {

/// Whether scores need nothing but their product and the mask: then Q holds the scale.
template <class T>
inline bool is_simple(const ForwardTask<T>& task) {
  return task.softcap == 0 && task.bias == nullptr && task.alibi_slope == 0 && !task.apart;
}

/// The bias of some keys and queries, a row a key.
template <class T>
struct BiasRows {
  T* data;
  int64_t stride;
};

/// lay_out_bias of rows that each have their own.
template <class T>
void lay_out_mixed_bias(const ForwardTask<T>& task, int lane, int lanes, int64_t j, int64_t count,
                        const BiasRows<T>& rows) {
  for (int q = 0; q < lanes; ++q) {
    const bool is_row = lane + q < task.query_count;
    const T* const from =
        is_row ? task.mixed->row[lane + q].bias + j * task.bias_key_stride : nullptr;
    for (int64_t k = 0; k < count; ++k) {
      rows.data[k * rows.stride + q] = is_row ? from[k * task.bias_key_stride] : 0;
    }
  }
}

/// The bias of the tile's queries from `lane` on, `lanes` of them, for keys j .. j + count - 1; 0
/// past the last query.
template <class T>
void lay_out_bias(const ForwardTask<T>& task, int lane, int lanes, int64_t j, int64_t count,
                  const BiasRows<T>& rows) {
  if (task.mixed != nullptr) return lay_out_mixed_bias(task, lane, lanes, j, count, rows);
  const int64_t left = task.query_count - lane, queries = left < lanes ? left : lanes;
  const int64_t query_stride = task.bias_query_stride, key_stride = task.bias_key_stride;
  const T* const from = task.bias + lane * query_stride + j * key_stride;
  if (query_stride != 0 && key_stride == 1) {
    transpose(from, query_stride, queries, count, T(1), rows.data, rows.stride);
  }
  for (int64_t k = 0; k < count; ++k) {
    T* const row = rows.data + k * rows.stride;
    const T* const column = from + k * key_stride;
    int64_t q = 0;
    if (query_stride == 0) {
      for (; q < lanes; q += kLanes<T>) store(row + q, broadcast(*column));
    } else if (key_stride == 1) {
      q = queries;
    } else if (query_stride == 1) {
      for (; q + kLanes<T> <= queries; q += kLanes<T>) store(row + q, load(column + q));
    }
    for (; q < queries; ++q) row[q] = column[q * query_stride];
    for (; q < lanes; ++q) row[q] = 0;
  }
}

/// act(r, v) for each vector of a block.
template <int R, int C, class Act>
inline __attribute__((always_inline)) void for_block(const Act& act) {
#pragma GCC unroll 16
  for (int v = 0; v < C; ++v) {
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) act(r, v);
  }
}

/// |i' - j| for a vector of queries and the keys that follow one, `first` being i' - j of the first
/// query and that key.
template <class T>
struct Distances;

/// Whole numbers until they are asked for: float32 holds places below 2^24 alone.
template <>
struct Distances<float> {
  FloatBits places;

  explicit Distances(int64_t first) : places(lane_numbers<float>() + static_cast<int32_t>(first)) {}
  Distances(FloatVector queries, int64_t first)
      : places(__builtin_convertvector(queries, FloatBits) + static_cast<int32_t>(first)) {}

  inline __attribute__((always_inline)) FloatVector after(int64_t keys) const {
    const FloatVector distance =
        __builtin_convertvector(places - static_cast<int32_t>(keys), FloatVector);
    return (FloatVector)((FloatBits)distance & INT32_MAX);
  }
};

/// float64 holds all places, and few CPUs have an instruction that converts to it.
template <>
struct Distances<double> {
  DoubleVector places;

  explicit Distances(int64_t first)
      : places(__builtin_convertvector(lane_numbers<double>(), DoubleVector) +
               static_cast<double>(first)) {}
  Distances(DoubleVector queries, int64_t first) : places(queries + static_cast<double>(first)) {}

  inline __attribute__((always_inline)) DoubleVector after(int64_t keys) const {
    const DoubleVector distance = places - static_cast<double>(keys);
    return (DoubleVector)((DoubleBits)distance & INT64_MAX);
  }
};

/// From the tile's rows that begin at `lane` to the keys from j on.
template <class T>
inline Distances<T> distances_of(const ForwardTask<T>& task, int lane, int64_t j) {
  const int64_t first = task.first_query + task.offset - j;
  return task.mixed == nullptr ? Distances<T>(first + lane)
                               : Distances<T>(load(task.mixed->query + lane), first);
}

/// The ALiBi slopes of these rows.
template <class T>
inline Vector<T> slopes_of(const ForwardTask<T>& task, int lane) {
  return task.mixed == nullptr ? broadcast(task.alibi_slope) : load(task.mixed->slope + lane);
}

/// From Q K^T, not scaled, to scores of keys j .. for a block of the tile: scale, softcap, bias and
/// ALiBi, rounded after each. keep_slope(r, v, slope) is given the softcap's derivative where there
/// is one.
template <class T, int R, int C, class KeepSlope>
inline __attribute__((always_inline)) void add_terms(const ForwardTask<T>& task, int lane,
                                                     int64_t j, const BiasRows<T>& bias,
                                                     Block<T, R, C>& block,
                                                     const KeepSlope& keep_slope) {
  Block<T, R, C> scores = block;
  for_block<R, C>([&](int r, int v) __attribute__((always_inline)) {
    scores.at[r][v] = in_register(scores.at[r][v] * task.scale);
  });
  if (task.softcap > 0) {
    const Softcap<T> cap(task.softcap);
    for_block<R, C>([&](int r, int v) __attribute__((always_inline)) {
      const Capped<T> capped = cap(scores.at[r][v]);
      scores.at[r][v] = in_register(capped.score);
      keep_slope(r, v, capped.slope);
    });
  }
  if (task.bias != nullptr) {
    for_block<R, C>([&](int r, int v) __attribute__((always_inline)) {
      const T* const at = bias.data + r * bias.stride + v * kLanes<T>;
      scores.at[r][v] = in_register(scores.at[r][v] + load(at));
    });
  }
  if (task.alibi_slope != 0) {
#pragma GCC unroll 16
    for (int v = 0; v < C; ++v) {
      const Distances<T> distances = distances_of(task, lane + v * kLanes<T>, j);
      const Vector<T> slope = slopes_of(task, lane + v * kLanes<T>);
#pragma GCC unroll 16
      for (int r = 0; r < R; ++r) scores.at[r][v] -= distances.after(r) * slope;
    }
  }
  block = scores;
}

}  // namespace
}  // namespace foveal
