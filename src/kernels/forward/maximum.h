#pragma once
// The maximum that weights are made against: where scores pass it by too much it is raised, and
// what was made against the old one is rescaled.

#include "kernels/forward/observe.h"
#include "kernels/score_terms.h"

namespace foveal {
namespace {

/// Rows of keys of a tile, and the vectors of queries from `lane` on that they concern.
struct Segment {
  Range rows;
  int lane = 0, vectors = 0;
};

/// Whether weights are made by exp_above; else from differences that were rounded.
template <class T>
inline bool is_weighed_plainly(const ForwardTask<T>& task) {
  return !task.apart && task.observation == nullptr;
}

/// The largest score of each lane. NaN is passed over, unless it comes first.
template <class T, int R, int C>
inline __attribute__((always_inline)) Vector<T> top_of(const Block<T, R, C>& scores, int vector) {
  Vector<T> top = scores.at[0][vector];
#pragma GCC unroll 16
  for (int r = 1; r < R; ++r) top = larger(scores.at[r][vector], top);
  return top;
}

/// Rows of a segment that came before a block: weights that are still to be multiplied with V, and
/// scores that are still to become weights.
struct Before {
  int64_t weights = 0;  ///< the first row of them
  int64_t scores = 0;   ///< likewise; the block's own row where none wait
};

/// A new maximum for the lanes of a vector that `raised` tells; what was made against the old one
/// is rescaled: sum, output, and the weights of rows first .. last - 1, which wait for V.
template <class T>
inline void set_maximum(const ForwardTask<T>& task, const ForwardState<T>& state, int lane,
                        const Range& waiting, Bits<T> raised, Vector<T> maximum) {
  const auto multiply = [](T* at, Vector<T> factor) { store(at, load(at) * factor); };
  const Vector<T> limit = load(state.limit + lane), old = load(state.maximum + lane);
  maximum = raised ? maximum : old;
  const Vector<T> old_shift = load(state.shift + lane), shift = maximum * kLog2E<T>;
  store(state.maximum + lane, maximum);
  store(state.shift + lane, shift);
  store(state.limit + lane, raised ? maximum + task.slack : limit);
  // What a row without a maximum holds is zeros: it needs no factor.
  const Bits<T> rescaled = raised & (limit != kMasked<T>);
  if (!any(rescaled)) return;
  const Vector<T> rise = rescaled ? maximum - old : Vector<T>{};
  // By what the weights were taken against.
  const bool by_shift = kFusesProducts && is_weighed_plainly(task);
  const Vector<T> power = by_shift ? old_shift - shift : -rise * kLog2E<T>;
  const Vector<T> factor = rescaled ? exp2(rescaled ? power : Vector<T>{}) : broadcast(T(1));
  raise_observation(task, lane, rise, factor, load(state.sum + lane));
  multiply(state.sum + lane, factor);
  for (int64_t k = waiting.first; k < waiting.last; ++k) {
    multiply(state.weights + place<T>(kKeyTile, k, lane), factor);
  }
  for (int64_t d = 0; d < task.value_size; ++d) {
    multiply(state.output + place<T>(task.value_size, d, lane), factor);
  }
}

/// By how much ALiBi lifts scores from key j to the key `keys` later, as it comes nearer: the
/// maximum is set as much higher at once, or it would be raised again and again. Bounded, as these
/// keys may be masked. 0 where the maximum has to be the row's own.
template <class T>
inline Vector<T> lift_of(const ForwardTask<T>& task, int lane, int64_t j, int64_t keys) {
  constexpr T kMost = 32;
  if (!(task.alibi_slope > 0) || task.slack == 0) return Vector<T>{};
  const Distances<T> distances = distances_of(task, lane, j);
  const Vector<T> lift = (distances.after(0) - distances.after(keys)) * slopes_of(task, lane);
  const Vector<T> bounded = lift > kMost ? broadcast(kMost) : lift;
  return bounded > 0 ? bounded : Vector<T>{};
}

/// A new maximum for the lanes whose scores pass their limit. Rare, so kept out of line.
template <class T, int R, int C>
__attribute__((noinline)) void raise_maximum(const ForwardTask<T>& task,
                                             const ForwardState<T>& state, const KeyTile& tile,
                                             const Corner& corner, const Before& before,
                                             const Block<T, R, C>& scores) {
  for (int v = 0; v < C; ++v) {
    const int lane = corner.lane + v * kLanes<T>;
    const Vector<T> top = top_of(scores, v);
    const Vector<T> lift = lift_of(task, lane, tile.first + corner.row, tile.count - corner.row);
    set_maximum<T>(task, state, lane, {before.weights, before.scores},
                   top > load(state.limit + lane), top + lift);
  }
}

/// Before a segment: lifts the maximum for what ALiBi does to its keys. Not where a row's keys fell
/// short of the last such lift, so that weights don't vanish.
template <class T>
__attribute__((noinline)) void lift_maximum(const ForwardTask<T>& task,
                                            const ForwardState<T>& state, const KeyTile& tile,
                                            const Segment& segment) {
  constexpr T kLeast = T(0.25), kLeastSum = T(0x1p-16);
  const auto& [rows, first_lane, vectors] = segment;
  for (int lane = first_lane; lane < first_lane + vectors * kLanes<T>; lane += kLanes<T>) {
    const Vector<T> lift = lift_of(task, lane, tile.first + rows.first, rows.last - rows.first);
    const Vector<T> limit = load(state.limit + lane);
    const Bits<T> lifted =
        (lift >= kLeast) & (load(state.sum + lane) > kLeastSum) & (limit < T(__builtin_inf()));
    if (!any(lifted)) continue;
    set_maximum<T>(task, state, lane, {}, lifted, load(state.maximum + lane) + lift);
  }
}

}  // namespace
}  // namespace foveal
