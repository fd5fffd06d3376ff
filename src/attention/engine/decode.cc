#include "attention/engine/decode.h"

#include <cmath>
#include <tuple>

#include "attention/engine/decode_few.h"
#include "attention/engine/decode_tile.h"
#include "core/thread_memory.h"
#include "core/thread_pool.h"

namespace foveal {
namespace {

/// Multiplies a row. Whether all of it is finite then. In steps, which become vectors.
template <class T>
bool multiply_row(T* row, std::int64_t size, T factor) {
  constexpr std::int64_t kStep = 16;
  T zeros[kStep] = {};
  std::int64_t d = 0;
  for (; d + kStep <= size; d += kStep) {
    for (std::int64_t n = 0; n < kStep; ++n) {
      row[d + n] *= factor;
      zeros[n] += row[d + n] * 0;
    }
  }
  for (; d < size; ++d) {
    row[d] *= factor;
    zeros[0] += row[d] * 0;
  }
  for (std::int64_t half = kStep / 2; half > 0; half /= 2) {
    for (std::int64_t n = 0; n < half; ++n) zeros[n] += zeros[n + half];
  }
  return zeros[0] == 0;
}

/// A row of a decode, its splits merged: `factor` times `output` is the sum of exp(S - maximum) V,
/// and `sum` that of exp(S - maximum).
template <class T>
struct MergedRow {
  std::int64_t b, h, i;  ///< i counted through a packed batch
  double maximum, sum, factor;
  T* output;

  /// Divides; whether the row is as it should be: all of it finite.
  bool divide(std::int64_t size) {
    const T by = static_cast<T>(sum == 0 ? 0 : factor / sum);
    return multiply_row(output, size, by) && std::isfinite(sum);
  }
};

template <class T>
class Decode {
 public:
  /// `slack` as a ForwardTask's.
  Decode(const PlanData& plan, const Tensor& query, const Tensor& key, const Tensor& value, T slack)
      : call_(plan, query, key, value), list_(plan.decoded), slack_(slack) {
    const auto numbers = static_cast<std::size_t>(list_.parts() * call_.part_width);
    if (numbers > 0) parts_ = static_cast<T*>(thread_block(Kept::parts, numbers * sizeof(T)).data);
  }

  /// write(row) for each row of each head, from any thread; it says whether the row is good.
  template <class Write>
  void run(const TileTasks& tiles, DoubtfulRows& doubtful, const Write& write) {
    const std::int64_t tasks = list_.tasks(), share = list_.tasks_at_a_time();
    parallel_for(tiles.count + (tasks + share - 1) / share, [&](std::int64_t index) {
      if (index < tiles.count) return tiles.task(index);
      const std::int64_t first = (index - tiles.count) * share;
      const std::int64_t last = std::min(first + share, tasks);
      for (std::int64_t task = first; task < last; ++task) {
        run_task(task, doubtful, write);
      }
    });
    parallel_for(list_.finishes(), [&](std::int64_t finish) {
      const DecodeSequence& sequence = list_.of_finish(finish);
      const std::int64_t index = finish - sequence.first_finish;
      const std::int64_t chunks = sequence.finishes_of_group();
      const DecodeGroup group = call_.group(sequence, index / chunks);
      const std::int64_t first = index % chunks * kDecodeFinish;
      write_rows(group, first, std::min(kDecodeFinish, sequence.rows - first),
                 parts_of(group, 0, first), doubtful, write);
    });
  }

 private:
  template <class Write>
  void run_task(std::int64_t task, DoubtfulRows& doubtful, const Write& write) {
    const DecodeSequence& sequence = list_.of_task(task);
    const std::int64_t index = task - sequence.first_task, tasks = sequence.tasks_of_group();
    const DecodeGroup group = call_.group(sequence, index / tasks);
    const std::int64_t number = index % tasks / sequence.row_tiles;
    const std::int64_t row = index % sequence.row_tiles * call_.plan.query_tile;
    const std::int64_t first_key = number * kDecodeSplit;
    const DecodeSplit split{
        group, row,
        sequence.row_tiles == 1 ? sequence.rows
                                : std::min(call_.plan.query_tile, sequence.rows - row),
        first_key, std::min(first_key + kDecodeSplit, group.lengths().key_length)};
    if (sequence.splits > 1) return run_split(split, parts_of(group, number, row));
    const auto bytes = static_cast<std::size_t>(split.rows * call_.part_width) * sizeof(T);
    const RowParts<T> parts{static_cast<T*>(thread_block(Kept::rows, bytes).data),
                            call_.part_width};
    run_split(split, parts);
    write_rows(group, row, split.rows, parts, doubtful, write);
  }

  void run_split(const DecodeSplit& split, const RowParts<T>& parts) {
    if (split.group.share.few) {
      FewRows<T>(call_, split).run(parts);
    } else {
      RowTile<T>(call_, split, slack_).run(parts);
    }
  }

  /// The parts of a group's rows from `row` on, of one split.
  RowParts<T> parts_of(const DecodeGroup& group, std::int64_t split, std::int64_t row) const {
    const DecodeSequence& share = group.share;
    const std::int64_t before = (group.number * share.splits + split) * share.rows + row;
    return {parts_ + (share.first_part + before) * call_.part_width, call_.part_width};
  }

  /// The largest maximum of a row's splits, which lie as many rows apart as the group has; -inf
  /// where none saw a key.
  double largest_maximum(const DecodeGroup& group, const RowParts<T>& parts, std::int64_t row) {
    double maximum = -INFINITY;
    for (std::int64_t s = 0; s < group.share.splits; ++s) {
      const std::int64_t at = row + s * group.share.rows;
      if (parts.sum(at) != 0 && !(parts.maximum(at) <= maximum)) maximum = parts.maximum(at);
    }
    return maximum;
  }

  /// Merges the splits of one row, in order, into the first one's place.
  MergedRow<T> merged(const DecodeGroup& group, const RowParts<T>& parts, std::int64_t first,
                      std::int64_t row) {
    const std::int64_t h = group.head_of(first + row);
    MergedRow<T> result{group.b,
                        h,
                        group.lengths().first_query + group.query_of(first + row),
                        largest_maximum(group, parts, row),
                        0,
                        1,
                        parts.of(row)};
    if (call_.terms.heads.sinks != nullptr) {
      const double sink = call_.terms.heads.sinks[h];
      if (!(result.maximum >= sink)) result.maximum = sink;
      if (sink != -INFINITY) result.sum = std::exp(sink - result.maximum);
    }
    if (group.share.splits > 1) {
      add_splits(group, parts, row, result);
    } else if (parts.sum(row) != 0) {
      result.factor = std::exp(parts.maximum(row) - result.maximum);
      result.sum += parts.sum(row) * result.factor;
    }
    return result;
  }

  void add_splits(const DecodeGroup& group, const RowParts<T>& parts, std::int64_t row,
                  MergedRow<T>& result) const {
    for (std::int64_t s = 0; s < group.share.splits; ++s) {
      const std::int64_t at = row + s * group.share.rows;
      const T* const from = parts.of(at);
      const bool sees = parts.sum(at) != 0;
      const double factor = sees ? std::exp(parts.maximum(at) - result.maximum) : 0;
      if (sees) result.sum += parts.sum(at) * factor;
      for (std::int64_t d = 0; d < call_.problem.value_size && (sees || s == 0); ++d) {
        const double before = s == 0 ? 0 : result.output[d];
        result.output[d] = sees ? static_cast<T>(before + from[d] * factor) : T(0);
      }
    }
  }

  /// Rows first .. first + count - 1 of a group, whose first split's parts are `parts`.
  template <class Write>
  void write_rows(const DecodeGroup& group, std::int64_t first, std::int64_t count,
                  const RowParts<T>& parts, DoubtfulRows& doubtful, const Write& write) {
    for (std::int64_t r = 0; r < count; ++r) {
      MergedRow<T> row = merged(group, parts, first, r);
      const auto bad = static_cast<std::uint64_t>(!write(row));
      doubtful.add({&group.plan, row.b, row.h, 0, bad << group.query_of(first + r)});
    }
  }

  DecodeCall<T> call_;
  const DecodeList& list_;
  T slack_;
  T* parts_ = nullptr;  // in memory of the calling thread
};

template <class T>
void decode_as(const TileTasks& tiles, const PlanData& plan, const Tensor& query, const Tensor& key,
               const Tensor& value, AttentionResult& result, DoubtfulRows& doubtful) {
  const std::int64_t size = plan.problem.value_size;
  Tensor& output = result.output;
  RowNumbers<T> lse;
  if (result.lse.defined()) lse = row_numbers_of<T>(result.lse);
  const bool narrows = output.dtype() != dtype_of<T>();
  Decode<T> decode(plan, query, key, value, ForwardTask<T>().slack);
  decode.run(tiles, doubtful, [&](MergedRow<T>& row) {
    const bool good = row.divide(size);
    void* const to = row_of(output, row.b, row.h, row.i);
    if constexpr (sizeof(T) == sizeof(float)) {
      if (narrows) {
        conversion_kernels(plan).narrow(row.output, size, static_cast<std::uint16_t*>(to));
      }
    }
    if (!narrows) std::copy_n(row.output, size, static_cast<T*>(to));
    if (lse.data != nullptr) {
      *lse.row(row.b, row.h, row.i) = static_cast<T>(row.maximum + std::log(row.sum));
    }
    return good;
  });
}

template <class T>
void decode_state_as(const TileTasks& tiles, const PlanData& plan, const Tensor& query,
                     const Tensor& key, const Tensor& value, AttentionState& state,
                     DoubtfulRows& doubtful) {
  const std::int64_t size = plan.problem.value_size;
  const Heads<T> output = heads_of<T>(state.output);
  const RowNumbers<T> maxima = row_numbers_of<T>(state.maximum);
  const RowNumbers<T> sums = row_numbers_of<T>(state.sum);
  // m is to be the row's maximum itself.
  Decode<T>(plan, query, key, value, 0).run(tiles, doubtful, [&](MergedRow<T>& row) {
    const auto [b, h, i] = std::tuple(row.b, row.h, row.i);
    const bool good =
        multiply_row(row.output, size, static_cast<T>(row.factor)) && std::isfinite(row.sum);
    std::copy_n(row.output, size, output.row(b, h, i));
    *maxima.row(b, h, i) = static_cast<T>(row.maximum);
    *sums.row(b, h, i) = static_cast<T>(row.sum);
    return good;
  });
}

}  // namespace

void run_with_decodes(const TileTasks& tiles, const PlanData& plan, const Tensor& query,
                      const Tensor& key, const Tensor& value, AttentionResult& result,
                      DoubtfulRows& doubtful) {
  if (!plan.decodes_any()) return parallel_for(tiles.count, tiles.task);
  if (plan.problem.dtype == DType::float64) {
    decode_as<double>(tiles, plan, query, key, value, result, doubtful);
  } else {
    decode_as<float>(tiles, plan, query, key, value, result, doubtful);
  }
}

void run_with_decodes(const TileTasks& tiles, const PlanData& plan, const Tensor& query,
                      const Tensor& key, const Tensor& value, AttentionState& state,
                      DoubtfulRows& doubtful) {
  if (!plan.decodes_any()) return parallel_for(tiles.count, tiles.task);
  if (plan.problem.dtype == DType::float64) {
    decode_state_as<double>(tiles, plan, query, key, value, state, doubtful);
  } else {
    decode_state_as<float>(tiles, plan, query, key, value, state, doubtful);
  }
}

}  // namespace foveal
