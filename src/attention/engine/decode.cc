#include "attention/engine/decode.h"

#include <algorithm>
#include <cmath>

#include "attention/engine/call.h"
#include "attention/engine/workspace.h"
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

/// Where one head's rows of keys or values begin, in memory of any dtype.
const void* head_rows(const Tensor& tensor, std::int64_t b, std::int64_t h, std::int64_t row) {
  const auto& strides = tensor.strides();
  const std::int64_t elements = b * strides[0] + h * strides[1] + row * strides[2];
  return static_cast<const char*>(tensor.raw_data()) +
         elements * static_cast<std::int64_t>(size_of(tensor.dtype()));
}

/// One sequence's share of the call: its tasks, and where their parts lie.
struct DecodeSequence {
  const SequencePlan* plan = nullptr;
  std::int64_t rows = 0;         ///< of a KV head: query heads in its group times queries
  std::int64_t splits = 0;       ///< of its keys
  std::int64_t first_task = 0;   ///< of those that run splits
  std::int64_t first_group = 0;  ///< of those that merge them
  std::int64_t first_part = 0;   ///< rows of splits before its own

  const Sequence& lengths() const { return plan->sequence; }
};

/// A KV head of a batch entry of one sequence.
struct DecodeGroup {
  const DecodeSequence& sequence;
  std::int64_t number, b, kv;
};

/// One call in the type that is computed in: tensors are converted once, whatever the number of
/// sequences.
template <class T>
class Decode {
 public:
  Decode(const PlanData& plan, const Tensor& query, const Tensor& key, const Tensor& value)
      : plan_(plan),
        problem_(plan.problem),
        terms_(plan),
        query_rows_(rows_as<T>(query)),
        key_rows_(unit_rows(key)),
        value_rows_(unit_rows(value)),
        query_(heads_of<T>(query_rows_)),
        kernel_(kernel_for<T>(*plan.target, key.dtype())),
        part_width_(decode_width(plan.problem.value_size) + 2) {
    add_sequences();
  }

  void run(Tensor& output, Tensor& lse, DoubtfulRows& doubtful) {
    parallel_for(tasks_, [&](std::int64_t task) {
      const DecodeSequence& sequence = holder_of(task, &DecodeSequence::first_task);
      const std::int64_t index = task - sequence.first_task;
      run_split(group(sequence, index / sequence.splits), index % sequence.splits);
    });
    parallel_for(groups_, [&](std::int64_t index) {
      const DecodeSequence& sequence = holder_of(index, &DecodeSequence::first_group);
      finish(group(sequence, index - sequence.first_group), output, lse, doubtful);
    });
  }

 private:
  void add_sequences() {
    std::int64_t parts = 0;
    for (const SequencePlan& plan : plan_.sequences) {
      if (!plan.decode) continue;
      const std::int64_t groups = plan.sequence.entries * problem_.kv_heads;
      const std::int64_t keys = plan.sequence.key_length;
      const std::int64_t splits =
          std::max<std::int64_t>((keys + kDecodeSplit - 1) / kDecodeSplit, 1);
      const std::int64_t rows = problem_.group() * plan.sequence.query_length;
      sequences_.push_back({&plan, rows, splits, tasks_, groups_, parts});
      tasks_ += groups * splits;
      groups_ += groups;
      parts += groups * splits * rows;
    }
    parts_.resize(static_cast<std::size_t>(parts * part_width_));
  }

  /// The last sequence whose first task (or group) isn't after `index`.
  const DecodeSequence& holder_of(std::int64_t index, std::int64_t DecodeSequence::* first) const {
    const auto after = std::upper_bound(
        sequences_.begin(), sequences_.end(), index,
        [first](std::int64_t at, const DecodeSequence& sequence) { return at < sequence.*first; });
    return *std::prev(after);
  }

  DecodeGroup group(const DecodeSequence& sequence, std::int64_t number) const {
    const std::int64_t b = sequence.lengths().first_entry + number / problem_.kv_heads;
    return {sequence, number, b, number % problem_.kv_heads};
  }

  /// Output, maximum and sum of one row of one split.
  T* part(const DecodeGroup& group, std::int64_t split, std::int64_t row) {
    const auto& [plan, rows, splits, first_task, first_group, first] = group.sequence;
    return parts_.data() + (first + (group.number * splits + split) * rows + row) * part_width_;
  }

  std::int64_t head_of(const DecodeGroup& group, std::int64_t row) const {
    return group.kv * problem_.group() + row / group.sequence.lengths().query_length;
  }

  DecodeTask<T> make_task(const DecodeGroup& group) {
    const Sequence& lengths = group.sequence.lengths();
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
    task.rows = group.sequence.rows;
    task.softcap = softcap_of<T>(plan_);
    task.bias_key_stride = terms_.bias.strides[3];
    task.scale = static_cast<T>(scale_of(plan_));
    for (std::int64_t r = 0; r < task.rows; ++r) {
      const std::int64_t h = head_of(group, r), i = r % lengths.query_length;
      copy_query(query_.row(b, h, lengths.first_query + i), query + r * width,
                 half_query + r * half_width);
      task.row[r] = make_row(lengths, b, h, i);
    }
    return task;
  }

  /// One query, filled up with zeros; as bfloat16 too where it came so.
  void copy_query(const T* from, T* query, std::uint16_t* half_query) const {
    const std::int64_t size = problem_.head_size, width = decode_width(size);
    for (std::int64_t d = 0; d < width; ++d) query[d] = d < size ? from[d] : 0;
    if (problem_.dtype != DType::bfloat16) return;
    for (std::int64_t d = 0; d < pair_width(size); ++d) {
      half_query[d] = d < size ? BFloat16(from[d]).bits : 0;
    }
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
    if (!terms_.slopes.empty()) row.alibi_slope = terms_.slopes[static_cast<std::size_t>(h)];
    if (terms_.bias.data != nullptr) row.bias = terms_.bias.row(b, h, i);
    return row;
  }

  void run_split(const DecodeGroup& group, std::int64_t split) {
    DecodeTask<T> task = make_task(group);
    DropoutCounter dropout;  // but for what each row has of its own
    task.dropout = terms_.head_dropout(group.sequence.lengths(), group.b, 0, dropout);
    const std::int64_t width = decode_width(problem_.value_size);
    for (std::int64_t n = 0; n < task.rows * width; ++n) task.output[n] = 0;
    const std::int64_t first = split * kDecodeSplit;
    const std::int64_t last = std::min(first + kDecodeSplit, group.sequence.lengths().key_length);
    for_each_run(group, first, last, [&](std::int64_t begin, std::int64_t end, bool full) {
      for (std::int64_t key = begin; key < end; key += kDecodeChunk) {
        DecodeChunk chunk;
        chunk.first = key;
        chunk.count = std::min(kDecodeChunk, end - key);
        const std::int64_t row = group.sequence.lengths().first_key + key;
        chunk.key = head_rows(key_rows_, group.b, group.kv, row);
        chunk.value = head_rows(value_rows_, group.b, group.kv, row);
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
    const SequencePlan& plan = *group.sequence.plan;
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
    const BoundMask& mask = *group.sequence.plan->mask;
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
    for (std::int64_t s = 0; s < group.sequence.splits; ++s) {
      const T* const from = part(group, s, row);
      if (from[width + 1] != 0 && !(from[width] <= maximum)) maximum = from[width];
    }
    return maximum;
  }

  /// Merges the splits of one row, in order, and divides. Whether the row is as it should be: all
  /// of it finite.
  bool finish_row(const DecodeGroup& group, std::int64_t row, T* output, T* lse) {
    const std::int64_t width = decode_width(problem_.value_size);
    double maximum = largest_maximum(group, row, width), sum = 0;
    if (!terms_.sinks.empty()) {
      const double sink = terms_.sinks[static_cast<std::size_t>(head_of(group, row))];
      if (!(maximum >= sink)) maximum = sink;
      if (sink != -INFINITY) sum = std::exp(sink - maximum);
    }
    std::fill_n(output, problem_.value_size, T(0));
    for (std::int64_t s = 0; s < group.sequence.splits; ++s) {
      const T* const from = part(group, s, row);
      if (from[width + 1] == 0) continue;
      const double factor = std::exp(from[width] - maximum);
      sum += from[width + 1] * factor;
      for (std::int64_t d = 0; d < problem_.value_size; ++d) {
        output[d] = static_cast<T>(output[d] + from[d] * factor);
      }
    }
    bool good = true;
    for (std::int64_t d = 0; d < problem_.value_size && sum != 0; ++d) {
      output[d] = static_cast<T>(output[d] / sum);
      good = good && std::isfinite(output[d]);
    }
    if (lse != nullptr) *lse = static_cast<T>(maximum + std::log(sum));
    return good;
  }

  void finish(const DecodeGroup& group, Tensor& output, Tensor& lse, DoubtfulRows& doubtful) {
    const Sequence& lengths = group.sequence.lengths();
    for (std::int64_t r = 0; r < group.sequence.rows; ++r) {
      const std::int64_t h = head_of(group, r), i = r % lengths.query_length;
      const std::int64_t row =
          (group.b * problem_.heads + h) * problem_.query_length + lengths.first_query + i;
      const bool good = finish_row(group, r, output.data<T>() + row * problem_.value_size,
                                   lse.defined() ? lse.data<T>() + row : nullptr);
      doubtful.add({group.sequence.plan, group.b, h, 0, static_cast<std::uint64_t>(!good) << i});
    }
  }

  const PlanData& plan_;
  const Problem& problem_;
  Terms<T> terms_;
  Tensor query_rows_, key_rows_, value_rows_;
  Heads<T> query_;
  DecodeKernel<T> kernel_;
  std::vector<DecodeSequence> sequences_;
  std::int64_t tasks_ = 0, groups_ = 0, part_width_;
  std::vector<T> parts_;
};

}  // namespace

void run_decodes(const PlanData& plan, const Tensor& query, const Tensor& key, const Tensor& value,
                 Tensor& output, Tensor& lse, DoubtfulRows& doubtful) {
  if (plan.problem.dtype == DType::float64) {
    Decode<double>(plan, query, key, value).run(output, lse, doubtful);
  } else {
    Decode<float>(plan, query, key, value).run(output, lse, doubtful);
  }
}

}  // namespace foveal
