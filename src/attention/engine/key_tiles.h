#pragma once
// The tiles of keys that a tile of queries meets, in order, as the kernels take them.

#include <algorithm>
#include <limits>
#include <type_traits>

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

/// Whether any of `count` numbers, `stride` apart, is -inf. In steps, which become vectors.
template <class T>
bool any_masks(const T* numbers, std::int64_t stride, std::int64_t count) {
  constexpr std::int64_t kStep = 16;
  constexpr T kMasks = -std::numeric_limits<T>::infinity();
  bool any = false;
  std::int64_t n = 0;
  for (; stride == 1 && n + kStep <= count; n += kStep) {
    int masks = 0;
    for (std::int64_t s = 0; s < kStep; ++s) masks |= static_cast<int>(numbers[n + s] == kMasks);
    any |= masks != 0;
  }
  for (; n < count; ++n) any |= numbers[n * stride] == kMasks;
  return any;
}

/// A bias of -inf masks: takes its bits away, and gives the tile bits where it had none.
template <class T>
void hide_by_bias(const ForwardTask<T>& task, KeyTile& keys, KeyBits& bits) {
  constexpr T kMasks = -std::numeric_limits<T>::infinity();
  bool any = false;
  for (std::int64_t q = 0; q < task.query_count && !any; ++q) {
    const T* const row = task.bias + q * task.bias_query_stride;
    any = any_masks(row + keys.first * task.bias_key_stride, task.bias_key_stride, keys.count);
  }
  if (!any) return;
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
  if constexpr (std::is_base_of_v<HalfRows, Task>) {
    if (task.half_key != nullptr) {
      keys.key = task.half_key + keys.first * task.key_stride;
      keys.value = task.half_value + keys.first * task.value_stride;
      return;
    }
  }
  keys.key = task.key + keys.first * task.key_stride;
  keys.value = task.value + keys.first * task.value_stride;
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

/// One tile of queries against all its tiles of keys, `before` called with each, and `end` after
/// them; once more with scores and maximum apart where they were too large. Returns the rows that
/// may be wrong still.
template <class T, class Before>
std::uint64_t run_forward_tile(const ForwardKernels<T>& kernels, ForwardTask<T>& task,
                               const SequencePlan& sequence, std::int64_t b, std::int64_t h,
                               std::int64_t tile, std::uint64_t (*end)(const ForwardTask<T>&),
                               const Before& before) {
  const auto run = [&] {
    kernels.begin(task);
    for_each_key_tile(task, sequence, b, h, tile, kernels.query_tile, [&](const KeyTile& keys) {
      before(keys);
      kernels.tile(task, keys);
    });
    return end(task);
  };
  const std::uint64_t doubtful = run();
  if (doubtful == 0 || task.apart) return doubtful;
  task.apart = true;
  return run();
}

}  // namespace foveal
