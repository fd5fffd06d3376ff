#pragma once
// What a caller of foveal/c.h writes, made from tensors.

#include <algorithm>
#include <deque>
#include <string>

#include "foveal/attention.h"
#include "foveal/c.h"

namespace foveal {

inline std::int32_t code_of(DType dtype) {
  switch (dtype) {
    case DType::float32:
      return FOVEAL_FLOAT32;
    case DType::float64:
      return FOVEAL_FLOAT64;
    case DType::bfloat16:
      return FOVEAL_BFLOAT16;
    case DType::float16:
      return FOVEAL_FLOAT16;
    case DType::int64:
      return FOVEAL_INT64;
    default:
      return FOVEAL_BOOL;
  }
}

inline foveal_tensor described(const Tensor& tensor) {
  foveal_tensor result = {};
  result.data = const_cast<void*>(tensor.raw_data());
  result.dtype = code_of(tensor.dtype());
  result.rank = static_cast<std::int32_t>(tensor.rank());
  std::copy(tensor.shape().begin(), tensor.shape().end(), result.shape);
  std::copy(tensor.strides().begin(), tensor.strides().end(), result.strides);
  return result;
}

/// Keeps descriptions where they are, and the numbers of lists.
class Descriptions {
 public:
  /// NULL where the tensor is undefined.
  foveal_tensor* of(const Tensor& tensor) {
    if (!tensor.defined()) return nullptr;
    tensors_.push_back(tensor);
    return &descriptions_.emplace_back(described(tensor));
  }
  foveal_tensor* of(const std::vector<std::int64_t>& numbers) {
    if (numbers.empty()) return nullptr;
    return of(Tensor::from_vector(numbers, {static_cast<std::int64_t>(numbers.size())}));
  }

  /// `mask` is the options' mask as text, and `mask_tensors` what it names.
  foveal_options options(const AttentionOptions& from, const char* mask,
                         const std::vector<Tensor>& mask_tensors) {
    foveal_options to;
    foveal_options_init(&to, sizeof to);
    masks_.clear();
    for (const Tensor& tensor : mask_tensors) masks_.push_back(*of(tensor));
    to.mask = mask;
    to.mask_tensors = masks_.data();
    to.mask_tensor_count = static_cast<std::int32_t>(masks_.size());
    to.has_scale = from.scale.has_value();
    to.scale = from.scale.value_or(0);
    to.softcap = from.softcap;
    to.bias = of(from.bias);
    to.alibi_slopes = of(from.alibi_slopes);
    to.sinks = of(from.sinks);
    to.dropout = from.dropout;
    to.seed = from.seed;
    to.offset = from.offset;
    to.dropout_mask = of(from.dropout_mask);
    to.query_starts = of(from.query_starts);
    to.key_starts = of(from.key_starts);
    to.key_lengths = of(from.key_lengths);
    to.query_offsets = of(from.query_offsets);
    to.has_query_offset = from.query_offset.has_value();
    to.query_offset = from.query_offset.value_or(0);
    to.strict = from.strict;
    to.key_offset = from.key_offset;
    to.rows = of(from.statistics.rows);
    target_ = from.target;
    to.target = target_.c_str();
    to.threads = from.threads;
    return to;
  }

  foveal_result result(const AttentionResult& from) {
    const Statistics& s = from.statistics;
    return {of(from.output),
            of(from.lse),
            of(from.weights),
            of(s.top_k_keys),
            of(s.top_k_weights),
            of(s.entropy),
            of(s.maximum),
            of(s.column_mass),
            of(s.rows),
            {from.plan.mask, from.plan.places, from.plan.terms, from.plan.dropout}};
  }

  foveal_gradients gradients(const AttentionGradients& from, bool add) {
    return {
        of(from.q), of(from.k), of(from.v), of(from.bias), of(from.sinks), of(from.alibi_slopes),
        add,        0};
  }

  foveal_partial partial(const AttentionState& from) {
    return {of(from.output), of(from.maximum), of(from.sum)};
  }

 private:
  std::deque<foveal_tensor> descriptions_;
  std::vector<foveal_tensor> masks_;
  std::vector<Tensor> tensors_;
  std::string target_;
};

}  // namespace foveal
