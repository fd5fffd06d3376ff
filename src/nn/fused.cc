#include "nn/fused.h"

#include "foveal/attention.h"
#include "foveal/error.h"
#include "foveal/operations.h"

namespace foveal::nn {
namespace {

/// (L, D) -> (1, 1, L, D), (B, L, D) -> (B, 1, L, D).
Tensor four_axes(const Tensor& tensor) {
  if (tensor.rank() == 4) return tensor;
  return tensor.rank() == 3 ? tensor.unsqueeze(1) : tensor.unsqueeze(0).unsqueeze(0);
}

/// Whether exactly what lies above the diagonal is dropped.
bool drops_later_keys(const Tensor& visible) {
  const std::int64_t length = visible.size(0);
  const bool* const rows = visible.data<bool>();
  for (std::int64_t i = 0; i < length; ++i) {
    for (std::int64_t j = 0; j < length; ++j) {
      if (rows[i * length + j] != (j <= i)) return false;
    }
  }
  return true;
}

Mask mask_of(const Tensor& drop, const Tensor& queries) {
  if (drop.dtype() != DType::boolean && drop.dtype() != queries.dtype()) {
    throw Error("fused attention: mask is " + to_string(drop.dtype()) + " but the queries are " +
                to_string(queries.dtype()) +
                ": they must match; convert the mask with to(), or register it as a buffer");
  }
  const std::int64_t length = queries.size(-2);
  const Tensor visible = eq(drop.slice(0, 0, length).slice(1, 0, length), 0.0);
  return drops_later_keys(visible) ? causal() : dense(visible);
}

void add_dropout(const Dropout& dropout, const Tensor& queries, AttentionOptions& options) {
  if (!dropout.is_training()) return;
  Shape scores = queries.shape();
  scores.back() = queries.size(-2);
  options.dropout = dropout.p();
  const Tensor kept = dropout.draw_mask(scores);
  if (kept.defined()) options.dropout_mask = four_axes(kept);
}

}  // namespace

Tensor fused_context(const Tensor& queries, const Tensor& keys, const Tensor& values,
                     const Tensor* mask, const Dropout* dropout) {
  AttentionOptions options;
  if (mask != nullptr) options.mask = mask_of(*mask, queries);
  if (dropout != nullptr) add_dropout(*dropout, queries, options);
  Shape shape = queries.shape();
  shape.back() = values.size(-1);
  return attention(four_axes(queries), four_axes(keys), four_axes(values), options)
      .output.reshape(shape);
}

}  // namespace foveal::nn
