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

Mask mask_of(const CausalMask& mask, const Tensor& queries) {
  const Tensor& drop = mask.drop;
  if (drop.dtype() != DType::boolean && drop.dtype() != queries.dtype()) {
    throw Error("fused attention: mask is " + to_string(drop.dtype()) + " but the queries are " +
                to_string(queries.dtype()) +
                ": they must match; convert the mask with to(), or register it as a buffer");
  }
  const std::int64_t length = queries.size(-2);
  if (drop.rank() != 2 || drop.size(0) < length || drop.size(1) < length) {
    throw Error("fused attention: mask has shape " + to_string(drop.shape()) + " but there are " +
                std::to_string(length) + " tokens: it must have a row and a column for each");
  }
  return mask.look.mask_of(drop, length);
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
                     const CausalMask* mask, const Dropout* dropout) {
  AttentionOptions options;
  if (mask != nullptr) options.mask = mask_of(*mask, queries);
  if (dropout != nullptr) add_dropout(*dropout, queries, options);
  Shape shape = queries.shape();
  shape.back() = values.size(-1);
  return attention(four_axes(queries), four_axes(keys), four_axes(values), options)
      .output.reshape(shape);
}

}  // namespace foveal::nn
