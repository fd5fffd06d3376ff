#pragma once
// The tiles of keys that a tile of queries meets, in order, as the kernels take them.

#include <algorithm>
#include <limits>
#include <type_traits>
#include <utility>

#include "attention/engine/key_bits.h"
#include "attention/plan/plan_data.h"

namespace foveal {

template <class T>
const ForwardKernels<T>& forward_kernels(const Target& target) {
  if constexpr (sizeof(T) == sizeof(double)) {
    return target.forward_float64;
  } else {
    return target.forward_float32;
  }
}

/// Whether any of some numbers is -inf; a vector at a time, as all of a bias passes here.
template <class T>
class MaskSearch {
 public:
  /// `count` numbers, `stride` apart.
  void add(const T* numbers, std::int64_t stride, std::int64_t count) {
    std::int64_t n = 0;
    for (; stride == 1 && n + 4 * kLanes <= count; n += 4 * kLanes) {
#pragma GCC unroll 4
      for (std::int64_t part = 0; part < 4; ++part) {
        Lanes lanes;
        __builtin_memcpy(&lanes, numbers + n + part * kLanes, sizeof lanes);
        masks_ |= lanes == kMasks;
      }
    }
    for (; n < count; ++n) any_ |= numbers[n * stride] == kMasks;
  }

  bool any() const {
    bool any = any_;
    for (std::int64_t lane = 0; lane < kLanes; ++lane) any |= masks_[lane] != 0;
    return any;
  }

 private:
  using Floats = float __attribute__((vector_size(16)));
  using Doubles = double __attribute__((vector_size(16)));
  using Lanes = std::conditional_t<sizeof(T) == sizeof(float), Floats, Doubles>;
  static constexpr std::int64_t kLanes = sizeof(Lanes) / sizeof(T);
  static constexpr T kMasks = -std::numeric_limits<T>::infinity();

  decltype(Lanes{} == Lanes{}) masks_{};
  bool any_ = false;
};

/// Whether the bias of a tile holds -inf, looked at in the order of addresses.
template <class T>
bool any_bias_masks(const ForwardTask<T>& task, const KeyTile& keys) {
  const T* const first = task.bias + keys.first * task.bias_key_stride;
  std::int64_t rows = task.query_count, row_stride = task.bias_query_stride;
  std::int64_t count = keys.count, stride = task.bias_key_stride;
  if (row_stride == 1) {
    std::swap(rows, count);
    std::swap(row_stride, stride);
  }
  if (row_stride == 0) rows = 1;
  MaskSearch<T> search;
  for (std::int64_t n = 0; n < rows; ++n) search.add(first + n * row_stride, stride, count);
  return search.any();
}

/// A bias of -inf masks: takes its bits away, and gives the tile bits where it had none.
template <class T>
void hide_by_bias(const ForwardTask<T>& task, KeyTile& keys, KeyBits& bits) {
  constexpr T kMasks = -std::numeric_limits<T>::infinity();
  if (!any_bias_masks(task, keys)) return;
  for (std::int64_t k = 0; k < keys.count; ++k) {
    const T* const bias = task.bias + (keys.first + k) * task.bias_key_stride;
    std::uint64_t hidden = 0;
    for (std::int64_t q = 0; q < task.query_count; ++q) {
      hidden |= static_cast<std::uint64_t>(bias[q * task.bias_query_stride] == kMasks) << q;
    }
    if (hidden == 0) continue;
    if (keys.bits == nullptr) bits.fill(~std::uint64_t{0} >> (64 - task.query_count));
    keys.bits = bits.data();
    bits[static_cast<std::size_t>(k)] &= ~hidden;
  }
}

/// Where the tile's rows of K and V lie: bfloat16's where the task has those.
template <class Task>
void set_addresses(const Task& task, KeyTile& keys) {
  const std::int64_t row = keys.first - task.first_row;
  if constexpr (std::is_base_of_v<BFloat16Rows, Task>) {
    if (task.bfloat16_key != nullptr) {
      keys.key = task.bfloat16_key + row * task.key_stride;
      keys.value = task.bfloat16_value + row * task.value_stride;
      return;
    }
  }
  keys.key = task.key + row * task.key_stride;
  keys.value = task.value + row * task.value_stride;
}

/// Calls visit(KeyTile) for each of the tiles of keys first_key_tile .. last_key_tile - 1 that
/// the task's queries, those of `tile`, see something of.
template <class Task, class Visit>
void for_each_key_tile(const Task& task, const SequencePlan& sequence, std::int64_t b,
                       std::int64_t h, std::int64_t tile, std::int64_t query_tile,
                       std::int64_t first_key_tile, std::int64_t last_key_tile, Visit visit) {
  const std::int64_t first = tile * query_tile;
  const std::int64_t count = std::min(query_tile, sequence.sequence.query_length - first);
  for (const TileRun& run : sequence.runs_of(b, h, tile)) {
    const std::int64_t last = std::min(run.last, last_key_tile);
    for (std::int64_t key_tile = std::max(run.first, first_key_tile); key_tile < last; ++key_tile) {
      KeyTile keys;
      keys.first = key_tile * kPlanKeyTile;
      keys.count = std::min(kPlanKeyTile, sequence.sequence.key_length - keys.first);
      set_addresses(task, keys);
      KeyBits bits;
      if (run.kind == TileKind::partial) {
        bits = key_bits(*sequence.mask, b, h, first, count, keys.first);
        keys.bits = bits.data();
      }
      if (task.bias != nullptr) hide_by_bias(task, keys, bits);
      visit(keys);
    }
  }
}

/// All the tiles of keys.
template <class Task, class Visit>
void for_each_key_tile(const Task& task, const SequencePlan& sequence, std::int64_t b,
                       std::int64_t h, std::int64_t tile, std::int64_t query_tile, Visit visit) {
  const std::int64_t keys = sequence.sequence.key_length;
  const std::int64_t all = (keys + kPlanKeyTile - 1) / kPlanKeyTile;
  for_each_key_tile(task, sequence, b, h, tile, query_tile, 0, all, visit);
}

/// Of K and V of one head as the task has them.
template <class T>
std::int64_t bytes_of_keys(const ForwardTask<T>& task, const SequencePlan& sequence) {
  const auto size = static_cast<std::int64_t>(sizeof(T));
  return sequence.sequence.key_length * (task.head_size + task.value_size) * size;
}

/// run() takes a task's tile through its keys and says which rows may be wrong; once more with
/// scores and maximum apart where they were too large. Returns the rows that may be wrong still.
template <class T, class Run>
std::uint64_t run_again_apart(ForwardTask<T>& task, const Run& run) {
  const std::uint64_t doubtful = run();
  if (doubtful == 0 || task.apart) return doubtful;
  task.apart = true;
  return run();
}

/// One tile of queries against all its tiles of keys, `before` called with each, and `end` after
/// them. Returns the rows that may be wrong.
template <class T, class Before>
std::uint64_t run_forward_tile(const ForwardKernels<T>& kernels, ForwardTask<T>& task,
                               const SequencePlan& sequence, std::int64_t b, std::int64_t h,
                               std::int64_t tile, std::uint64_t (*end)(const ForwardTask<T>&),
                               const Before& before) {
  return run_again_apart(task, [&] {
    kernels.begin(task);
    for_each_key_tile(task, sequence, b, h, tile, kernels.query_tile, [&](const KeyTile& keys) {
      before(keys);
      kernels.tile(task, keys);
    });
    return end(task);
  });
}

}  // namespace foveal
