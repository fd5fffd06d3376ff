#include "attention/engine/decode.h"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "attention/engine/call.h"
#include "attention/engine/workspace.h"
#include "core/thread_memory.h"
#include "core/thread_pool.h"

namespace foveal {
namespace {

template <class T>
DecodeKernel<T> kernel_for(const Target& target, DType stored) {
  if constexpr (sizeof(T) == sizeof(double)) {
    return target.decode_float64;
  } else {
    if (stored == DType::bfloat16) return target.decode_bfloat16;
    return stored == DType::float16 ? target.decode_float16 : target.decode_float32;
  }
}

/// Of the plan's 16-bit type.
const HalfKernels& half_kernels(const PlanData& plan) {
  const Target& target = *plan.target;
  return plan.problem.dtype == DType::bfloat16 ? target.bfloat16 : target.float16;
}

/// A row of one head, in memory of any dtype.
void* row_of(const Tensor& tensor, std::int64_t b, std::int64_t h, std::int64_t row) {
  const auto& strides = tensor.strides();
  const std::int64_t elements = b * strides[0] + h * strides[1] + row * strides[2];
  const auto* const data = static_cast<const char*>(tensor.raw_data());
  return const_cast<char*>(data) + elements * static_cast<std::int64_t>(size_of(tensor.dtype()));
}

/// A KV head of a batch entry of one sequence.
struct DecodeGroup {
  const DecodeSequence& share;
  const SequencePlan& plan;
  std::int64_t number, b, kv;

  const Sequence& lengths() const { return plan.sequence; }
};

/// A row of a decode, its splits merged: sum of exp(S - maximum) V, and of exp(S - maximum).
template <class T>
struct MergedRow {
  std::int64_t b, h, i;  ///< i counted through a packed batch
  double maximum, sum;
  T* output;

  /// Divides; whether the row is as it should be: all of it finite.
  bool divide(std::int64_t size) {
    bool good = true;
    for (std::int64_t d = 0; d < size && sum != 0; ++d) {
      output[d] = static_cast<T>(output[d] / sum);
      good = good && std::isfinite(output[d]);
    }
    return good;
  }
};

/// One call in the type that is computed in: tensors are converted once, whatever the number of
/// sequences. Made where a ThreadMemoryScope of the call's thread lives.
template <class T>
class Decode {
 public:
  Decode(const PlanData& plan, const Tensor& query, const Tensor& key, const Tensor& value)
      : plan_(plan),
        problem_(plan.problem),
        terms_(plan),
        query_rows_(unit_rows(query)),
        key_rows_(unit_rows(key)),
        value_rows_(unit_rows(value)),
        kernel_(kernel_for<T>(*plan.target, key.dtype())),
        part_width_(decode_width(plan.problem.value_size) + 2) {
    const auto numbers = static_cast<std::size_t>(plan.decoded.parts() * part_width_);
    parts_ = static_cast<T*>(thread_block(Kept::parts, numbers * sizeof(T)).data);
  }

  /// write(row) for each row of each head, from any thread; it says whether the row is good.
  template <class Write>
  void run(DoubtfulRows& doubtful, const Write& write) {
    parallel_for(plan_.decoded.tasks(), [&](std::int64_t task) {
      const DecodeSequence& share = plan_.decoded.of_task(task);
      const std::int64_t index = task - share.first_task;
      run_split(group(share, index / share.splits), index % share.splits);
    });
    parallel_for(plan_.decoded.groups(), [&](std::int64_t index) {
      const DecodeSequence& share = plan_.decoded.of_group(index);
      finish(group(share, index - share.first_group), doubtful, write);
    });
  }

 private:
  DecodeGroup group(const DecodeSequence& share, std::int64_t number) const {
    const SequencePlan& plan = plan_.sequences[share.sequence];
    const std::int64_t b = plan.sequence.first_entry + number / problem_.kv_heads;
    return {share, plan, number, b, number % problem_.kv_heads};
  }

  /// Output, maximum and sum of one row of one split.
  T* part(const DecodeGroup& group, std::int64_t split, std::int64_t row) {
    const DecodeSequence& share = group.share;
    const std::int64_t before = (group.number * share.splits + split) * share.rows + row;
    return parts_ + (share.first_part + before) * part_width_;
  }

  std::int64_t head_of(const DecodeGroup& group, std::int64_t row) const {
    return group.kv * problem_.group() + row / group.lengths().query_length;
  }

  DecodeTask<T> make_task(const DecodeGroup& group) {
    const Sequence& lengths = group.lengths();
    const std::int64_t b = group.b;
    const std::int64_t width = decode_width(problem_.head_size);
    const std::int64_t value_width = decode_width(problem_.value_size);
    DecodeTask<T> task;
    const std::int64_t half_width = pair_width(problem_.head_size);
    T* const query = workspace<T>(kDecodeRows * (width + half_width + kDecodeChunk + value_width) +
                                  kDecodeGroup * value_width);
    task.query = query;
    task.scores = query + kDecodeRows * width;
    task.output = task.scores + kDecodeRows * kDecodeChunk;
    task.values = task.output + kDecodeRows * value_width;
    auto* const half_query =
        reinterpret_cast<std::uint16_t*>(task.values + kDecodeGroup * value_width);
    task.half_query = half_query;
    task.key_stride = key_rows_.strides()[2];
    task.value_stride = value_rows_.strides()[2];
    task.head_size = problem_.head_size;
    task.value_size = problem_.value_size;
    task.rows = group.share.rows;
    task.softcap = softcap_of<T>(plan_);
    task.bias_key_stride = terms_.bias.strides[3];
    task.scale = static_cast<T>(scale_of(plan_));
    for (std::int64_t r = 0; r < task.rows; ++r) {
      const std::int64_t h = head_of(group, r), i = r % lengths.query_length;
      copy_query(row_of(query_rows_, b, h, lengths.first_query + i), query + r * width,
                 half_query + r * half_width);
      task.row[r] = make_row(lengths, b, h, i);
    }
    return task;
  }

  /// One query, filled up with zeros; as bfloat16 too where it came so.
  void copy_query(const void* from, T* query, std::uint16_t* half_query) const {
    const std::int64_t size = problem_.head_size;
    const auto* const bits = static_cast<const std::uint16_t*>(from);
    if (size_of(problem_.dtype) == sizeof(T)) {
      std::copy_n(static_cast<const T*>(from), size, query);
    } else if constexpr (sizeof(T) == sizeof(float)) {
      half_kernels(plan_).widen(bits, size, query);
    }
    std::fill(query + size, query + decode_width(size), T(0));
    if (problem_.dtype != DType::bfloat16) return;
    std::copy_n(bits, size, half_query);
    std::fill(half_query + size, half_query + pair_width(size), std::uint16_t{0});
  }

  /// What query i of head h has besides its numbers.
  DecodeRow<T> make_row(const Sequence& lengths, std::int64_t b, std::int64_t h,
                        std::int64_t i) const {
    DecodeRow<T> row;
    row.query = i;
    row.place = i + lengths.offset();
    const DropoutCounter dropout = terms_.dropout.of(lengths, b, h);
    row.head = dropout.head;
    row.kept = dropout.kept;
    if (terms_.heads.slopes != nullptr) row.alibi_slope = terms_.heads.slopes[h];
    if (terms_.bias.data != nullptr) row.bias = terms_.bias.row(b, h, i);
    return row;
  }

  void run_split(const DecodeGroup& group, std::int64_t split) {
    DecodeTask<T> task = make_task(group);
    DropoutCounter dropout;  // but for what each row has of its own
    task.dropout = terms_.head_dropout(group.lengths(), group.b, 0, dropout);
    const std::int64_t width = decode_width(problem_.value_size);
    for (std::int64_t n = 0; n < task.rows * width; ++n) task.output[n] = 0;
    const std::int64_t first = split * kDecodeSplit;
    const std::int64_t last = std::min(first + kDecodeSplit, group.lengths().key_length);
    for_each_run(group, first, last, [&](std::int64_t begin, std::int64_t end, bool full) {
      for (std::int64_t key = begin; key < end; key += kDecodeChunk) {
        DecodeChunk chunk;
        chunk.first = key;
        chunk.count = std::min(kDecodeChunk, end - key);
        const std::int64_t row = group.lengths().first_key + key;
        chunk.key = row_of(key_rows_, group.b, group.kv, row);
        chunk.value = row_of(value_rows_, group.b, group.kv, row);
        run_chunk(task, group, chunk, full);
      }
    });
    for (std::int64_t r = 0; r < task.rows; ++r) {
      T* const to = part(group, split, r);
      std::copy_n(task.output + r * width, problem_.value_size, to);
      to[width] = task.row[r].maximum;
      to[width + 1] = task.row[r].sum;
    }
  }

  /// visit(begin, end, full) for the keys first .. last - 1 that some row may see.
  template <class Visit>
  void for_each_run(const DecodeGroup& group, std::int64_t first, std::int64_t last,
                    Visit visit) const {
    const SequencePlan& plan = group.plan;
    if (plan.mask->varies_by_head()) return visit(first, last, false);
    for (const TileRun& run : plan.runs_of(group.b, 0, 0)) {
      const std::int64_t begin = std::max(first, run.first * kPlanKeyTile);
      const std::int64_t end = std::min(last, run.last * kPlanKeyTile);
      if (begin < end) visit(begin, end, run.kind == TileKind::full);
    }
  }

  void run_chunk(DecodeTask<T>& task, const DecodeGroup& group, DecodeChunk chunk,
                 bool full) const {
    if (full) return kernel_(task, chunk);
    std::uint64_t bits[kDecodeRows][kDecodeChunk / 64] = {};
    std::uint64_t any = 0;
    const BoundMask& mask = *group.plan.mask;
    for (std::int64_t r = 0; r < task.rows; ++r) {
      for (std::int64_t k = 0; k < chunk.count; k += 64) {
        const std::uint64_t word =
            mask.word(group.b, head_of(group, r), task.row[r].query, chunk.first + k);
        bits[r][k / 64] = word;
        any |= word;
      }
    }
    if (any == 0) return;
    chunk.bits = bits;
    kernel_(task, chunk);
  }

  /// The largest maximum of a row's splits; -inf where none saw a key.
  double largest_maximum(const DecodeGroup& group, std::int64_t row, std::int64_t width) {
    double maximum = -INFINITY;
    for (std::int64_t s = 0; s < group.share.splits; ++s) {
      const T* const from = part(group, s, row);
      if (from[width + 1] != 0 && !(from[width] <= maximum)) maximum = from[width];
    }
    return maximum;
  }

  /// Merges the splits of one row, in order, into `output`.
  MergedRow<T> merged(const DecodeGroup& group, std::int64_t row, T* output) {
    const std::int64_t width = decode_width(problem_.value_size);
    const std::int64_t length = group.lengths().query_length;
    MergedRow<T> result{group.b,
                        head_of(group, row),
                        group.lengths().first_query + row % length,
                        largest_maximum(group, row, width),
                        0,
                        output};
    if (terms_.heads.sinks != nullptr) {
      const double sink = terms_.heads.sinks[result.h];
      if (!(result.maximum >= sink)) result.maximum = sink;
      if (sink != -INFINITY) result.sum = std::exp(sink - result.maximum);
    }
    std::fill_n(output, problem_.value_size, T(0));
    for (std::int64_t s = 0; s < group.share.splits; ++s) {
      const T* const from = part(group, s, row);
      if (from[width + 1] == 0) continue;
      const double factor = std::exp(from[width] - result.maximum);
      result.sum += from[width + 1] * factor;
      for (std::int64_t d = 0; d < problem_.value_size; ++d) {
        output[d] = static_cast<T>(output[d] + from[d] * factor);
      }
    }
    return result;
  }

  template <class Write>
  void finish(const DecodeGroup& group, DoubtfulRows& doubtful, const Write& write) {
    T* const output = workspace<T>(decode_width(problem_.value_size));
    for (std::int64_t r = 0; r < group.share.rows; ++r) {
      MergedRow<T> row = merged(group, r, output);
      const auto bad = static_cast<std::uint64_t>(!write(row));
      const std::int64_t i = row.i - group.lengths().first_query;
      doubtful.add({&group.plan, row.b, row.h, 0, bad << i});
    }
  }

  const PlanData& plan_;
  const Problem& problem_;
  Terms<T> terms_;
  Tensor query_rows_, key_rows_, value_rows_;
  DecodeKernel<T> kernel_;
  std::int64_t part_width_;
  T* parts_;  // in memory of the calling thread
};

template <class T>
void decode_as(const PlanData& plan, const Tensor& query, const Tensor& key, const Tensor& value,
               AttentionResult& result, DoubtfulRows& doubtful) {
  const std::int64_t size = plan.problem.value_size;
  Tensor& output = result.output;
  const bool narrows = output.dtype() != dtype_of<T>();
  Decode<T>(plan, query, key, value).run(doubtful, [&](MergedRow<T>& row) {
    const bool good = row.divide(size);
    void* const to = row_of(output, row.b, row.h, row.i);
    if constexpr (sizeof(T) == sizeof(float)) {
      if (narrows) {
        half_kernels(plan).narrow(row.output, size, static_cast<std::uint16_t*>(to));
      }
    }
    if (!narrows) std::copy_n(row.output, size, static_cast<T*>(to));
    if (result.lse.defined()) {
      *row_numbers_of<T>(result.lse).row(row.b, row.h, row.i) =
          static_cast<T>(row.maximum + std::log(row.sum));
    }
    return good;
  });
}

template <class T>
void decode_state_as(const PlanData& plan, const Tensor& query, const Tensor& key,
                     const Tensor& value, AttentionState& state, DoubtfulRows& doubtful) {
  const std::int64_t size = plan.problem.value_size;
  const Heads<T> output = heads_of<T>(state.output);
  const RowNumbers<T> maxima = row_numbers_of<T>(state.maximum);
  const RowNumbers<T> sums = row_numbers_of<T>(state.sum);
  Decode<T>(plan, query, key, value).run(doubtful, [&](MergedRow<T>& row) {
    const auto [b, h, i] = std::tuple(row.b, row.h, row.i);
    bool good = std::isfinite(row.sum);
    for (std::int64_t d = 0; d < size; ++d) good = good && std::isfinite(row.output[d]);
    std::copy_n(row.output, size, output.row(b, h, i));
    *maxima.row(b, h, i) = static_cast<T>(row.maximum);
    *sums.row(b, h, i) = static_cast<T>(row.sum);
    return good;
  });
}

}  // namespace

void run_decodes(const PlanData& plan, const Tensor& query, const Tensor& key, const Tensor& value,
                 AttentionResult& result, DoubtfulRows& doubtful) {
  if (!plan.decodes_any()) return;
  if (plan.problem.dtype == DType::float64) {
    decode_as<double>(plan, query, key, value, result, doubtful);
  } else {
    decode_as<float>(plan, query, key, value, result, doubtful);
  }
}

void run_decodes(const PlanData& plan, const Tensor& query, const Tensor& key, const Tensor& value,
                 AttentionState& state, DoubtfulRows& doubtful) {
  if (!plan.decodes_any()) return;
  if (plan.problem.dtype == DType::float64) {
    decode_state_as<double>(plan, query, key, value, state, doubtful);
  } else {
    decode_state_as<float>(plan, query, key, value, state, doubtful);
  }
}

}  // namespace foveal
