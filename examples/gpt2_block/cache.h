#pragma once
// Keys and values of the tokens so far, in memory that is allocated once, and attention over them.

#include <foveal/foveal.h>

#include <vector>

/// Sizes of one attention: the batch, its heads, and the width of a head.
struct HeadSizes {
  std::int64_t batch = 1, heads = 1, head_size = 1;
};

/// Zeros (B, H, length, D) that lie in memory as (B, length, H, D), which is what a linear layer
/// writes and reads: attention takes them as they are.
inline foveal::Tensor heads_of(const HeadSizes& sizes, std::int64_t length, foveal::DType dtype) {
  return foveal::Tensor::zeros({sizes.batch, length, sizes.heads, sizes.head_size}, dtype)
      .transpose(1, 2);
}

class Cache {
 public:
  Cache(const HeadSizes& sizes, std::int64_t capacity, foveal::DType dtype)
      : sizes_(sizes),
        keys_(heads_of(sizes, capacity, dtype)),
        values_(heads_of(sizes, capacity, dtype)),
        step_(foveal::plan_attention({sizes.batch, sizes.heads, 1, sizes.head_size}, keys_.shape(),
                                     values_.shape(), dtype, {.mask = mask_})) {
    seen_by_step_.output = heads_of(sizes, 1, dtype);
  }

  /// How many tokens there are.
  std::int64_t used() const { return used_; }

  /// Writes the keys and values of new tokens, (B, H, L, D), behind those that are there.
  void append(const foveal::Tensor& keys, const foveal::Tensor& values) {
    keys_.narrow(2, used_, keys.size(2)).copy_(keys);
    values_.narrow(2, used_, values.size(2)).copy_(values);
    used_ += keys.size(2);
  }

  /// What the newest tokens' queries, (B, H, L, D), see of all tokens. The result of one query is
  /// written over by that of the next.
  foveal::Tensor attend(const foveal::Tensor& queries) {
    return queries.size(2) == 1 ? attend_step(queries) : attend_many(queries);
  }

 private:
  /// The keys may be all of the cache: rows past key_lengths are nobody's. No query offset is
  /// needed, since the last query stands at the last key.
  foveal::Tensor attend_many(const foveal::Tensor& queries) const {
    foveal::AttentionResult seen;
    seen.output = heads_of(sizes_, queries.size(2), queries.dtype());
    attention_into(seen, queries, keys_, values_, {.mask = mask_, .key_lengths = lengths()});
    return seen.output;
  }

  /// The plan of the steps is kept. It learns the new lengths, and writes where it wrote before.
  foveal::Tensor attend_step(const foveal::Tensor& query) {
    step_.set_lengths(keys_.size(2), lengths());
    step_.run_into(seen_by_step_, query, keys_, values_);
    return seen_by_step_.output;
  }

  /// Each sequence's tokens so far.
  std::vector<std::int64_t> lengths() const {
    return std::vector<std::int64_t>(static_cast<std::size_t>(sizes_.batch), used_);
  }

  const foveal::Mask mask_ = foveal::causal(foveal::Corner::bottom_right);
  HeadSizes sizes_;
  foveal::Tensor keys_, values_;
  std::int64_t used_ = 0;
  foveal::Plan step_;
  foveal::AttentionResult seen_by_step_;
};
