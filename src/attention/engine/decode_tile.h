#pragma once
// A decode of more rows than a few: the rows are lanes of the forward's kernels, which find
// the tile's keys and values where it says they lie.

#include <optional>
#include <utility>

#include "attention/engine/decode_call.h"
#include "attention/engine/key_tiles.h"
#include "attention/engine/workspace.h"

namespace foveal {

/// One task in the making: its queries gathered, keys and values of 16 bits widened tile by tile.
template <class T>
class RowTile {
 public:
  RowTile(const DecodeCall<T>& call, const DecodeSplit& split, T slack)
      : call_(call), split_(split), kernels_(forward_kernels<T>(*call.plan.target)) {
    make_task(slack);
  }

  void run(const RowParts<T>& parts) {
    // What is wrong still isn't finite, which is noticed where rows are merged.
    run_again_apart(task_, [this] { return walk(); });
    for (std::int64_t r = 0; r < split_.rows; ++r) {
      std::copy_n(task_.output + r * task_.output_stride, task_.value_size, parts.of(r));
      parts.maximum(r) = task_.maximum[r];
      parts.sum(r) = task_.sum[r];
    }
  }

 private:
  void make_task(T slack) {
    const Problem& p = call_.problem;
    const std::int64_t numbers = kernels_.workspace(p.head_size, p.value_size);
    const std::int64_t tile = kernels_.query_tile, sizes = p.head_size + p.value_size;
    T* next = workspace<T>(numbers + tile * (sizes + 2) + kPlanKeyTile * sizes);
    const auto take = [&next](std::int64_t count) { return std::exchange(next, next + count); };
    task_.workspace = take(numbers);
    T* const query = take(tile * p.head_size);
    task_.query = query;
    task_.output = take(tile * p.value_size);
    task_.maximum = take(tile);
    task_.sum = take(tile);
    key_ = take(kPlanKeyTile * p.head_size);
    value_ = take(kPlanKeyTile * p.value_size);
    task_.query_count = split_.rows;
    task_.head_size = task_.query_stride = p.head_size;
    task_.value_size = task_.output_stride = p.value_size;
    const bool widens = size_of(p.dtype) != sizeof(T);
    task_.key_stride = widens ? p.head_size : call_.key_rows.strides()[2];
    task_.value_stride = widens ? p.value_size : call_.value_rows.strides()[2];
    task_.keys_are_new = !widens && split_.first_row == 0;
    task_.scale = call_.scale;
    task_.softcap = call_.softcap;
    task_.slack = slack;
    add_terms();
    for (std::int64_t r = 0; r < split_.rows; ++r) {
      call_.copy_row(call_.query_of(split_.group, split_.first_row + r), p.head_size,
                     query + r * p.head_size);
    }
    task_.apart = !keeps_digits(task_, task_.query);
  }

  /// Bias, ALiBi and dropout: each row's own where the tile's rows are of several heads.
  void add_terms() {
    const Terms<T>& terms = call_.terms;
    const DecodeGroup& group = split_.group;
    const std::int64_t row = split_.first_row;
    task_.offset = group.lengths().offset();
    task_.first_query = group.query_of(row);
    task_.dropout = terms.head_dropout(group.lengths(), group.b, group.head_of(row), dropout_);
    task_.bias_key_stride = terms.bias.strides[3];
    const HeadRow<T> first = call_.head_row(group, row);
    task_.alibi_slope = first.alibi_slope;
    task_.bias = first.bias;
    task_.bias_query_stride = terms.bias.strides[2];
    if (group.head_of(row + split_.rows - 1) != group.head_of(row)) mix_terms();
  }

  void mix_terms() {
    const bool has_terms =
        task_.dropout != nullptr || task_.bias != nullptr || call_.terms.heads.slopes != nullptr;
    if (!has_terms) return;
    task_.first_query = 0;
    task_.bias_query_stride = 0;
    task_.alibi_slope = 0;
    MixedRows<T>& rows = rows_.emplace();
    for (std::int64_t r = 0; r < split_.rows; ++r) {
      const HeadRow<T> row = call_.head_row(split_.group, split_.first_row + r);
      rows.row[r] = row;
      rows.query[r] = static_cast<T>(row.query);
      rows.slope[r] = row.alibi_slope;
      if (row.alibi_slope > 0) task_.alibi_slope = 1;
      if (row.alibi_slope != 0 && task_.alibi_slope == 0) task_.alibi_slope = -1;
    }
    task_.mixed = &rows;
  }

  std::uint64_t walk() {
    kernels_.begin(task_);
    for_each_run(split_, [&](std::int64_t begin, std::int64_t end, bool full) {
      for (std::int64_t key = begin; key < end; key += kPlanKeyTile) {
        run_keys(key, std::min(kPlanKeyTile, end - key), full);
      }
    });
    return kernels_.end_state(task_);
  }

  void run_keys(std::int64_t first, std::int64_t count, bool full) {
    KeyTile keys;
    keys.first = first;
    keys.count = count;
    KeyBits bits;
    if (!full) {
      bits = rows_bits(first);
      keys.bits = bits.data();
    }
    set_rows(keys);
    kernels_.tile(task_, keys);
  }

  /// Where the tile's keys and values lie, once they are numbers that are computed with.
  void set_rows(KeyTile& keys) {
    const DecodeGroup& group = split_.group;
    const std::int64_t row = group.lengths().first_key + keys.first;
    keys.key = row_of(call_.key_rows, group.b, group.kv, row);
    keys.value = row_of(call_.value_rows, group.b, group.kv, row);
    if (size_of(call_.problem.dtype) == sizeof(T)) return;
    keys.key = widen(keys.key, call_.key_rows.strides()[2], keys.count, task_.head_size, key_);
    keys.value =
        widen(keys.value, call_.value_rows.strides()[2], keys.count, task_.value_size, value_);
  }

  /// Rows of 16-bit numbers, one after another.
  const T* widen(const void* from, std::int64_t stride, std::int64_t rows, std::int64_t size,
                 T* to) const {
    const auto* const first = static_cast<const std::uint16_t*>(from);
    for (std::int64_t k = 0; k < rows; ++k) {
      call_.copy_row(first + k * stride, size, to + k * size);
    }
    return to;
  }

  /// Bit r of word k is set where the tile's row r sees key first + k.
  KeyBits rows_bits(std::int64_t first) const {
    const DecodeGroup& group = split_.group;
    const std::int64_t length = group.lengths().query_length;
    KeyBits bits{};
    for (std::int64_t r = 0; r < split_.rows;) {
      const std::int64_t row = split_.first_row + r, i = group.query_of(row);
      const std::int64_t count = std::min(length - i, split_.rows - r);  // of one head
      group.plan.mask->words(group.b, group.head_of(row), i, i + count, first, bits.data() + r);
      r += count;
    }
    turn_bits(bits);
    return bits;
  }

  const DecodeCall<T>& call_;
  const DecodeSplit& split_;
  const ForwardKernels<T>& kernels_;
  DropoutCounter dropout_;            // of the first row's head
  std::optional<MixedRows<T>> rows_;  // where the rows are of several heads and have terms
  ForwardTask<T> task_;
  T *key_ = nullptr, *value_ = nullptr;
};

}  // namespace foveal
