#pragma once
// A decode of few rows, at most kDecodeRows: bound by the reading of K and V.

#include "attention/engine/decode_call.h"
#include "attention/engine/workspace.h"

namespace foveal {

template <class T>
DecodeKernel<T> decode_kernel(const Target& target, DType stored) {
  if constexpr (sizeof(T) == sizeof(double)) {
    return target.decode_float64;
  } else {
    if (stored == DType::bfloat16) return target.decode_bfloat16;
    return stored == DType::float16 ? target.decode_float16 : target.decode_float32;
  }
}

/// One task in the making.
template <class T>
class FewRows {
 public:
  FewRows(const DecodeCall<T>& call, const DecodeSplit& split)
      : call_(call),
        split_(split),
        kernel_(decode_kernel<T>(*call.plan.target, call.problem.dtype)) {
    make_task();
  }

  void run(const RowParts<T>& parts) {
    const std::int64_t width = decode_width(call_.problem.value_size);
    std::fill_n(task_.output, task_.rows * width, T(0));
    for_each_run(split_, [&](std::int64_t begin, std::int64_t end, bool full) {
      for (std::int64_t key = begin; key < end; key += kDecodeChunk) {
        run_chunk(key, std::min(kDecodeChunk, end - key), full);
      }
    });
    for (std::int64_t r = 0; r < task_.rows; ++r) {
      std::copy_n(task_.output + r * width, call_.problem.value_size, parts.of(r));
      parts.maximum(r) = task_.row[r].maximum;
      parts.sum(r) = task_.row[r].sum;
    }
  }

 private:
  void make_task() {
    const Problem& problem = call_.problem;
    const DecodeGroup& group = split_.group;
    const std::int64_t width = decode_width(problem.head_size);
    const std::int64_t value_width = decode_width(problem.value_size);
    const std::int64_t bfloat16_width = pair_width(problem.head_size);
    const std::int64_t rows = split_.rows;
    T* const query = workspace<T>(rows * (width + bfloat16_width + kDecodeChunk + value_width) +
                                  kDecodeGroup * value_width);
    task_.query = query;
    task_.scores = query + rows * width;
    task_.output = task_.scores + rows * kDecodeChunk;
    task_.values = task_.output + rows * value_width;
    auto* const bfloat16_query =
        reinterpret_cast<std::uint16_t*>(task_.values + kDecodeGroup * value_width);
    task_.bfloat16_query = bfloat16_query;
    task_.key_stride = call_.key_rows.strides()[2];
    task_.value_stride = call_.value_rows.strides()[2];
    task_.head_size = problem.head_size;
    task_.value_size = problem.value_size;
    task_.rows = rows;
    task_.softcap = call_.softcap;
    task_.bias_key_stride = call_.terms.bias.strides[3];
    task_.dropout = call_.terms.head_dropout(group.lengths(), group.b, 0, dropout_);
    task_.scale = call_.scale;
    for (std::int64_t r = 0; r < task_.rows; ++r) {
      copy_query(call_.query_of(group, r), query + r * width, bfloat16_query + r * bfloat16_width);
      task_.row[r] = {call_.head_row(group, r), group.query_of(r) + group.lengths().offset()};
    }
  }

  /// One query, filled up with zeros; as bfloat16 too where it came so.
  void copy_query(const void* from, T* query, std::uint16_t* bfloat16_query) const {
    const std::int64_t size = call_.problem.head_size;
    call_.copy_row(from, size, query);
    std::fill(query + size, query + decode_width(size), T(0));
    if (call_.problem.dtype != DType::bfloat16) return;
    std::copy_n(static_cast<const std::uint16_t*>(from), size, bfloat16_query);
    std::fill(bfloat16_query + size, bfloat16_query + pair_width(size), std::uint16_t{0});
  }

  void run_chunk(std::int64_t first, std::int64_t count, bool full) {
    const DecodeGroup& group = split_.group;
    DecodeChunk chunk;
    chunk.first = first;
    chunk.count = count;
    const std::int64_t row = group.lengths().first_key + first;
    chunk.key = row_of(call_.key_rows, group.b, group.kv, row);
    chunk.value = row_of(call_.value_rows, group.b, group.kv, row);
    if (full) return kernel_(task_, chunk);
    std::uint64_t bits[kDecodeRows][kDecodeChunk / 64] = {};
    std::uint64_t any = 0;
    for (std::int64_t r = 0; r < task_.rows; ++r) {
      for (std::int64_t k = 0; k < count; k += 64) {
        const std::uint64_t word =
            group.plan.mask->word(group.b, group.head_of(r), group.query_of(r), first + k);
        bits[r][k / 64] = word;
        any |= word;
      }
    }
    if (any == 0) return;
    chunk.bits = bits;
    kernel_(task_, chunk);
  }

  const DecodeCall<T>& call_;
  const DecodeSplit& split_;
  DecodeKernel<T> kernel_;
  DropoutCounter dropout_;  // but for what each row has of its own
  DecodeTask<T> task_;
};

}  // namespace foveal
