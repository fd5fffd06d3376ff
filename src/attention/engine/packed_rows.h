#pragma once
// Rows of K and V side by side, where a call's lie apart: those of one of twelve heads in (B, L, H,
// D) fall into few sets of a cache, which then holds a part of them, and tiles of queries read them
// again and again.

#include <algorithm>
#include <cstdint>

#include "attention/plan/key_blocks.h"
#include "core/thread_memory.h"
#include "kernels/backward/task.h"

namespace foveal {

/// How many tiles of queries read a tile of keys, in the mean over tiles first .. last - 1 of a KV
/// head: under a window few, however many there are.
inline std::int64_t readers_of(const PlanData& plan, const SequencePlan& sequence, std::int64_t b,
                               std::int64_t kv, std::int64_t first, std::int64_t last) {
  const std::int64_t group = plan.problem.group();
  std::int64_t read = 0;
  for (std::int64_t h = kv * group; h < (kv + 1) * group; ++h) {
    for (std::int64_t tile = 0; tile < sequence.query_tiles; ++tile) {
      for (const TileRun& run : sequence.runs_of(b, h, tile)) {
        read += std::max<std::int64_t>(0, std::min(run.last, last) - std::max(run.first, first));
      }
    }
  }
  return read / std::max<std::int64_t>(1, last - first);
}

constexpr std::size_t kMostPackedBytes = std::size_t{2} << 20;

/// Whether copying rows pays, for as many tiles of queries as read them.
inline bool pays_to_pack(std::int64_t readers) { return readers >= 4; }

template <class E>
void pack_rows(const E* from, std::int64_t stride, std::int64_t count, std::int64_t size, E* to) {
  for (std::int64_t n = 0; n < count; ++n) std::copy_n(from + n * stride, size, to + n * size);
}

/// K and V of a block of keys of the backward, in the thread's memory.
template <class T>
class PackedBlock {
 public:
  /// Copies the rows of the block's task where that pays.
  PackedBlock(const BackwardTask<T>& task, const PlanData& plan, const KeyBlock& block) {
    if (task.key_stride == task.head_size && task.value_stride == task.value_size) return;
    const std::int64_t readers =
        readers_of(plan, *block.sequence, block.b, block.kv, block.first_tile, block.last_tile);
    if (task.bfloat16_key != nullptr) {
      bfloat16_ = copied(task, task.bfloat16_key, task.bfloat16_value, readers);
    } else {
      wide_ = copied(task, task.key, task.value, readers);
    }
  }

  /// Gives a task of the block the copies.
  void place(BackwardTask<T>& task) const {
    if (wide_.key == nullptr && bfloat16_.key == nullptr) return;
    task.key = wide_.key;
    task.value = wide_.value;
    task.bfloat16_key = bfloat16_.key;
    task.bfloat16_value = bfloat16_.value;
    task.key_stride = task.head_size;
    task.value_stride = task.value_size;
    task.first_row = task.first_key;
  }

 private:
  template <class E>
  struct Rows {
    const E* key = nullptr;
    const E* value = nullptr;
  };

  template <class E>
  Rows<E> copied(const BackwardTask<T>& task, const E* key, const E* value, std::int64_t readers) {
    const std::int64_t count = task.key_count, first = task.first_key;
    const std::int64_t numbers = count * (task.head_size + task.value_size);
    const std::size_t bytes = static_cast<std::size_t>(numbers) * sizeof(E);
    if (bytes == 0 || bytes > kMostPackedBytes || !pays_to_pack(readers)) return {};
    auto* const keys = static_cast<E*>(thread_block(Kept::packed_block, bytes).data);
    E* const values = keys + count * task.head_size;
    pack_rows(key + first * task.key_stride, task.key_stride, count, task.head_size, keys);
    pack_rows(value + first * task.value_stride, task.value_stride, count, task.value_size, values);
    return {keys, values};
  }

  Rows<T> wide_;
  Rows<uint16_t> bfloat16_;
};

}  // namespace foveal
