#pragma once
// Calls whose queries and keys stand at places of their own, so that they can be cut into shards.

#include <functional>

#include "attention/backward_cases.h"

namespace foveal {

using Numbers = std::vector<std::int64_t>;

/// The rows from first to before last.
struct Rows {
  std::int64_t first = 0, last = 0;
  std::int64_t count() const { return last - first; }
};

/// A call, and what becomes of its mask for some of its queries and keys.
struct PlacedCase {
  BackwardCase whole;
  std::function<Mask(const Rows& queries, const Rows& keys)> mask;
};

/// A mask by places, made of one or two atoms; ids for `places` places.
inline std::function<Mask(const Rows&, const Rows&)> placed_mask(Cases& cases, const Shape& scores,
                                                                 std::int64_t places) {
  const std::int64_t batch = scores[0];
  switch (cases.number(0, 8)) {
    case 0:
      return [](const Rows&, const Rows&) { return causal(Corner::bottom_right); };
    case 1:
      return [](const Rows&, const Rows&) { return causal(); };
    case 2: {
      const Mask mask = window(cases.number(0, 60), cases.number(-1, 20));
      return [mask](const Rows&, const Rows&) { return mask; };
    }
    case 3: {
      Numbers ids;
      for (std::int64_t n = 0; n < places + 3; ++n) ids.push_back(n / 19 % 3);
      const Mask mask = document(ids) & causal(Corner::top_left);
      return [mask](const Rows&, const Rows&) { return mask; };
    }
    case 4: {
      const Mask mask = prefix(cases.number(0, places)) | window(9, 0);
      return [mask](const Rows&, const Rows&) { return mask; };
    }
    case 5: {
      Numbers lengths;
      for (std::int64_t b = 0; b < batch; ++b) lengths.push_back(cases.number(0, places));
      const Mask mask = padding(lengths);
      return [mask](const Rows&, const Rows&) { return mask; };
    }
    case 6:
    case 7: {
      const Tensor seen = gt(cases.normal({cases.chance(50) ? batch : 1,
                                           cases.chance(50) ? scores[1] : 1, scores[2], scores[3]}),
                             -0.7);
      const bool causal_too = cases.chance(50);
      return [seen, causal_too](const Rows& queries, const Rows& keys) {
        const Mask part =
            dense(seen.slice(2, queries.first, queries.last).slice(3, keys.first, keys.last));
        return causal_too ? part & causal() : part;
      };
    }
    default:
      return [](const Rows&, const Rows&) { return none(); };
  }
}

inline PlacedCase make_placed_case(unsigned seed, DType dtype) {
  Cases cases(seed);
  const std::int64_t batch = cases.number(1, 3), kv = cases.pick({1, 2}),
                     heads = kv * cases.pick({1, 2, 4});
  const std::int64_t queries = cases.pick({1, 2, 3, 17, 64, 70, 130}),
                     keys = cases.pick({1, 5, 63, 64, 65, 130, 200});
  const std::int64_t d = cases.pick({3, 16, 20}), dv = cases.pick({5, 16});
  PlacedCase placed;
  BackwardCase& one = placed.whole;
  one.forward = {cases.normal({batch, heads, queries, d}).to(dtype),
                 cases.normal({batch, kv, keys, d}).to(dtype),
                 cases.normal({batch, kv, keys, dv}).to(dtype),
                 {}};
  one.grad_output = cases.normal({batch, heads, queries, dv}).to(dtype);
  AttentionOptions& options = one.forward.options;
  options.return_lse = true;
  options.key_offset = cases.chance(50) ? 0 : cases.number(1, 90);
  const std::int64_t furthest = options.key_offset + keys;
  if (cases.chance(50)) {
    options.query_offset = cases.number(0, furthest);
  } else {
    for (std::int64_t b = 0; b < batch; ++b) {
      options.query_offsets.push_back(cases.number(0, furthest));
    }
  }
  if (cases.chance(50)) {
    for (std::int64_t b = 0; b < batch; ++b) {
      options.key_lengths.push_back(cases.number(0, keys));
    }
  }
  if (cases.chance(30)) {
    options.bias = cases.normal({cases.chance(50) ? batch : 1, 1, queries, keys}).to(dtype);
  }
  if (cases.chance(30)) options.alibi_slopes = abs(cases.normal({heads}, 0.1)).to(dtype);
  if (cases.chance(30)) options.sinks = cases.normal({heads}).to(dtype);
  if (cases.chance(20)) options.softcap = 3;
  if (cases.chance(40)) {
    options.dropout = 0.3;
    options.seed = 17;
    if (cases.chance(30)) {
      options.dropout_mask = gt(cases.normal({batch, heads, queries, keys}), 0.0);
    }
  }
  placed.mask = placed_mask(cases, {batch, heads, queries, keys}, furthest + queries);
  options.mask = placed.mask({0, queries}, {0, keys});
  return placed;
}

inline Tensor rows_of(const Tensor& tensor, const Rows& rows) {
  return tensor.slice(2, rows.first, rows.last);
}

/// A tensor of (B, H, L_q, L_k), broadcast or not, for a shard's queries and keys.
inline Tensor cells_of(const Tensor& tensor, const Rows& queries, const Rows& keys) {
  if (!tensor.defined()) return tensor;
  return tensor.slice(2, queries.first, queries.last).slice(3, keys.first, keys.last);
}

/// What the shard of these queries and keys is asked for: it stands where it stood.
inline AttentionOptions shard_options(const PlacedCase& placed, const Rows& queries,
                                      const Rows& keys) {
  AttentionOptions options = placed.whole.forward.options;
  options.mask = placed.mask(queries, keys);
  options.key_offset += keys.first;
  if (options.query_offset) *options.query_offset += queries.first;
  for (std::int64_t& offset : options.query_offsets) offset += queries.first;
  for (std::int64_t& length : options.key_lengths) {
    length = std::clamp<std::int64_t>(length - keys.first, 0, keys.count());
  }
  options.bias = cells_of(options.bias, queries, keys);
  options.dropout_mask = cells_of(options.dropout_mask, queries, keys);
  if (keys.first > 0) options.sinks = {};
  options.gradients = {options.bias.defined(), options.sinks.defined(),
                       options.alibi_slopes.defined()};
  return options;
}

/// 0 .. length in up to four parts, unequal ones and empty ones too; key parts begin with one that
/// has row 0.
inline std::vector<Rows> cut(Cases& cases, std::int64_t length) {
  Numbers ends{0, length};
  for (std::int64_t n = cases.number(0, 3); n > 0; --n) ends.push_back(cases.number(1, length));
  std::sort(ends.begin(), ends.end());
  std::vector<Rows> parts;
  for (std::size_t n = 0; n + 1 < ends.size(); ++n) parts.push_back({ends[n], ends[n + 1]});
  return parts;
}

}  // namespace foveal
