#include "attention/engine/decode.h"

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

/// One call's sequence in the type that is computed in.
template <class T>
class Decode {
 public:
  Decode(const PlanData& plan, const SequencePlan& sequence, const Tensor& query, const Tensor& key,
         const Tensor& value)
      : plan_(plan),
        sequence_(sequence),
        problem_(plan.problem),
        query_rows_(unit_rows(query.to(dtype_of<T>()))),
        key_rows_(unit_rows(key)),
        value_rows_(unit_rows(value)),
        query_(heads_of<T>(query_rows_)),
        slopes_(numbers_of<T>(plan.options.alibi_slopes)),
        sinks_(numbers_of<T>(plan.options.sinks)),
        dropout_(plan),
        counter_(dropout_.of(0, 0)),
        kernel_(kernel_for<T>(*plan.target, key.dtype())) {
    if (plan.options.bias.defined()) {
      bias_rows_ = plan.options.bias.to(dtype_of<T>());
      bias_ = broadcast_heads<T>(bias_rows_);
    }
    const std::int64_t keys = sequence.sequence.key_length;
    splits_ = std::max<std::int64_t>((keys + kDecodeSplit - 1) / kDecodeSplit, 1);
    rows_ = problem_.group() * sequence.sequence.query_length;
  }

  void run(Tensor& output, Tensor& lse, DoubtfulRows& doubtful) {
    const std::int64_t groups = problem_.batch * problem_.kv_heads;
    part_width_ = decode_width(problem_.value_size) + 2;
    parts_.resize(static_cast<std::size_t>(groups * splits_ * rows_ * part_width_));
    parallel_for(groups * splits_,
                 [&](std::int64_t task) { run_split(task / splits_, task % splits_); });
    parallel_for(groups, [&](std::int64_t group) { finish(group, output, lse, doubtful); });
  }

 private:
  /// Output, maximum and sum of one row of one split.
  T* part(std::int64_t group, std::int64_t split, std::int64_t row) {
    return parts_.data() + ((group * splits_ + split) * rows_ + row) * part_width_;
  }

  std::int64_t head_of(std::int64_t group, std::int64_t row) const {
    const std::int64_t share = problem_.group();
    return group % problem_.kv_heads * share + row / sequence_.sequence.query_length;
  }

  DecodeTask<T> make_task(std::int64_t group) {
    const Sequence& lengths = sequence_.sequence;
    const std::int64_t b = group / problem_.kv_heads, kv = group % problem_.kv_heads;
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
    task.key = head_rows(key_rows_, b, kv, lengths.first_key);
    task.value = head_rows(value_rows_, b, kv, lengths.first_key);
    task.key_stride = key_rows_.strides()[2];
    task.value_stride = value_rows_.strides()[2];
    task.head_size = problem_.head_size;
    task.value_size = problem_.value_size;
    task.rows = rows_;
    task.softcap = softcap_of<T>(plan_);
    task.bias_key_stride = bias_.strides[3];
    task.dropout = dropout_.drops() ? &counter_ : nullptr;
    task.scale = static_cast<T>(scale_of(plan_));
    for (std::int64_t r = 0; r < rows_; ++r) {
      const std::int64_t h = head_of(group, r), i = r % lengths.query_length;
      const T* const from = query_.row(b, h, lengths.first_query + i);
      for (std::int64_t d = 0; d < width; ++d) {
        query[r * width + d] = d < problem_.head_size ? from[d] : 0;
      }
      if (problem_.dtype == DType::bfloat16) {
        for (std::int64_t d = 0; d < half_width; ++d) {
          half_query[r * half_width + d] = d < problem_.head_size ? BFloat16(from[d]).bits : 0;
        }
      }
      DecodeRow<T>& row = task.row[r];
      row.query = i;
      row.place = i + lengths.key_length - lengths.query_length;
      const DropoutCounter dropout = dropout_.of(b, h);
      row.head = dropout.head;
      row.kept = dropout.kept;
      if (!slopes_.empty()) row.alibi_slope = slopes_[static_cast<std::size_t>(h)];
      if (bias_.data != nullptr) row.bias = bias_.row(b, h, i);
    }
    return task;
  }

  void run_split(std::int64_t group, std::int64_t split) {
    DecodeTask<T> task = make_task(group);
    const std::int64_t width = decode_width(problem_.value_size);
    for (std::int64_t n = 0; n < rows_ * width; ++n) task.output[n] = 0;
    const std::int64_t first = split * kDecodeSplit;
    const std::int64_t last = std::min(first + kDecodeSplit, sequence_.sequence.key_length);
    for_each_run(group, first, last, [&](std::int64_t begin, std::int64_t end, bool full) {
      for (std::int64_t key = begin; key < end; key += kDecodeChunk) {
        run_chunk(task, group, {key, std::min(kDecodeChunk, end - key), nullptr}, full);
      }
    });
    for (std::int64_t r = 0; r < rows_; ++r) {
      T* const to = part(group, split, r);
      std::copy_n(task.output + r * width, problem_.value_size, to);
      to[width] = task.row[r].maximum;
      to[width + 1] = task.row[r].sum;
    }
  }

  /// visit(begin, end, full) for the keys first .. last - 1 that some row may see.
  template <class Visit>
  void for_each_run(std::int64_t group, std::int64_t first, std::int64_t last, Visit visit) const {
    if (sequence_.mask->varies_by_head()) return visit(first, last, false);
    for (const TileRun& run : sequence_.runs_of(group / problem_.kv_heads, 0, 0)) {
      const std::int64_t begin = std::max(first, run.first * kPlanKeyTile);
      const std::int64_t end = std::min(last, run.last * kPlanKeyTile);
      if (begin < end) visit(begin, end, run.kind == TileKind::full);
    }
  }

  void run_chunk(DecodeTask<T>& task, std::int64_t group, DecodeChunk chunk, bool full) const {
    if (full) return kernel_(task, chunk);
    std::uint64_t bits[kDecodeRows][kDecodeChunk / 64] = {};
    std::uint64_t any = 0;
    const std::int64_t b = group / problem_.kv_heads;
    for (std::int64_t r = 0; r < rows_; ++r) {
      for (std::int64_t k = 0; k < chunk.count; k += 64) {
        const std::uint64_t word =
            sequence_.mask->word(b, head_of(group, r), task.row[r].query, chunk.first + k);
        bits[r][k / 64] = word;
        any |= word;
      }
    }
    if (any == 0) return;
    chunk.bits = bits;
    kernel_(task, chunk);
  }

  /// The largest maximum of a row's splits; -inf where none saw a key.
  double largest_maximum(std::int64_t group, std::int64_t row, std::int64_t width) {
    double maximum = -INFINITY;
    for (std::int64_t s = 0; s < splits_; ++s) {
      const T* const from = part(group, s, row);
      if (from[width + 1] != 0 && !(from[width] <= maximum)) maximum = from[width];
    }
    return maximum;
  }

  /// Merges the splits of one row, in order, and divides. Whether the row is as it should be: all
  /// of it finite.
  bool finish_row(std::int64_t group, std::int64_t row, T* output, T* lse) {
    const std::int64_t width = decode_width(problem_.value_size);
    double maximum = largest_maximum(group, row, width), sum = 0;
    if (!sinks_.empty()) {
      const double sink = sinks_[static_cast<std::size_t>(head_of(group, row))];
      if (!(maximum >= sink)) maximum = sink;
      if (sink != -INFINITY) sum = std::exp(sink - maximum);
    }
    std::fill_n(output, problem_.value_size, T(0));
    for (std::int64_t s = 0; s < splits_; ++s) {
      const T* const from = part(group, s, row);
      if (from[width + 1] == 0) continue;
      const double factor = std::exp(from[width] - maximum);
      sum += from[width + 1] * factor;
      for (std::int64_t d = 0; d < problem_.value_size; ++d) {
        output[d] = static_cast<T>(output[d] + from[d] * factor);
      }
    }
    bool good = std::isfinite(sum);
    for (std::int64_t d = 0; d < problem_.value_size && sum != 0; ++d) {
      output[d] = static_cast<T>(output[d] / sum);
      good = good && std::isfinite(output[d]);
    }
    if (lse != nullptr) *lse = static_cast<T>(maximum + std::log(sum));
    return good;
  }

  void finish(std::int64_t group, Tensor& output, Tensor& lse, DoubtfulRows& doubtful) {
    const Sequence& lengths = sequence_.sequence;
    const std::int64_t b = group / problem_.kv_heads;
    for (std::int64_t r = 0; r < rows_; ++r) {
      const std::int64_t h = head_of(group, r), i = r % lengths.query_length;
      const std::int64_t row =
          (b * problem_.heads + h) * problem_.query_length + lengths.first_query + i;
      const bool good = finish_row(group, r, output.data<T>() + row * problem_.value_size,
                                   lse.defined() ? lse.data<T>() + row : nullptr);
      doubtful.add({&sequence_, b, h, 0, static_cast<std::uint64_t>(!good) << i});
    }
  }

  const PlanData& plan_;
  const SequencePlan& sequence_;
  const Problem& problem_;
  Tensor query_rows_, key_rows_, value_rows_, bias_rows_;
  Heads<T> query_, bias_;
  std::vector<T> slopes_, sinks_;
  HeadDropout dropout_;
  DropoutCounter counter_;
  DecodeKernel<T> kernel_;
  std::int64_t splits_ = 0, rows_ = 0, part_width_ = 0;
  std::vector<T> parts_;
};

}  // namespace

void run_decode(const PlanData& plan, const SequencePlan& sequence, const Tensor& query,
                const Tensor& key, const Tensor& value, Tensor& output, Tensor& lse,
                DoubtfulRows& doubtful) {
  if (plan.problem.dtype == DType::float64) {
    Decode<double>(plan, sequence, query, key, value).run(output, lse, doubtful);
  } else {
    Decode<float>(plan, sequence, query, key, value).run(output, lse, doubtful);
  }
}

}  // namespace foveal
