// Masks that look like a mistake.

#include "attention/mask/lint.h"

#include <algorithm>

#include "attention/mask/tiles.h"
#include "core/door.h"
#include "foveal/error.h"
#include "foveal/mask.h"

namespace foveal {
namespace {

constexpr std::int64_t kBlock = 64;

/// As a plan does: rows and pairs are looked at one by one, and no plan of more could be made.
void check_lint_lengths(const MaskShape& shape) {
  constexpr std::int64_t kLeast = 1024;  // tiles are rounded up
  std::int64_t pairs = 2;                // D + D_v is at least that
  bool overflows = false;
  for (const std::int64_t factor :
       {std::max<std::int64_t>(shape.batch, 1), std::max<std::int64_t>(shape.heads, 1),
        std::max(shape.query_length, kLeast), std::max(shape.key_length, kLeast)}) {
    overflows = overflows || __builtin_mul_overflow(pairs, factor, &pairs);
  }
  if (!overflows) return;
  throw Error("lint: batch is " + std::to_string(shape.batch) + ", query_length " +
              std::to_string(shape.query_length) + " and key_length " +
              std::to_string(shape.key_length) +
              ": B H L_q L_k pairs are more than 63 bits can count; ask for less");
}

/// Calls visit(b, h) for each plane of the mask that may differ from the others.
template <class Visit>
void for_each_plane(const BoundMask& mask, Visit visit) {
  const auto [batch, heads] = mask.planes();
  for (std::int64_t b = 0; b < batch; ++b) {
    for (std::int64_t h = 0; h < heads; ++h) visit(b, h);
  }
}

bool row_sees_nothing(const BoundMask& mask, std::int64_t b, std::int64_t h, std::int64_t i,
                      const std::vector<TileRun>& runs) {
  for (const TileRun& run : runs) {
    if (run.kind == TileKind::full) return false;
    for (std::int64_t tile = run.first; tile < run.last; ++tile) {
      if (mask.word(b, h, i, tile * kBlock) != 0) return false;
    }
  }
  return true;
}

void warn_of_masked_rows(const BoundMask& mask, std::vector<MaskWarning>& warnings) {
  const std::int64_t queries = mask.shape().query_length;
  std::int64_t count = 0, first = -1;
  for_each_plane(mask, [&](std::int64_t b, std::int64_t h) {
    for (std::int64_t i0 = 0; i0 < queries; i0 += kBlock) {
      const std::int64_t stop = std::min(i0 + kBlock, queries);
      const std::vector<TileRun> runs = tile_runs(mask, b, h, i0, stop, kBlock);
      for (std::int64_t i = i0; i < stop; ++i) {
        if (!row_sees_nothing(mask, b, h, i, runs)) continue;
        if (count++ == 0) first = i;
      }
    }
  });
  if (count == 0) return;
  warnings.push_back({std::to_string(count) + (count == 1 ? " row has" : " rows have") +
                      " every key masked, the first at query " + std::to_string(first) +
                      ": the output there is 0"});
}

/// Corners and windows count from L_k, which padding leaves as it is: where there are fewer queries
/// than keys, those of a shorter entry stand among its padding.
void warn_of_padded_places(const MaskNode& node, const MaskShape& shape,
                           std::vector<MaskWarning>& warnings) {
  if (!node.pads() || !node.counts_from_end()) return;
  if (shape.query_place || shape.query_length == shape.key_length) return;
  warnings.push_back(
      {"padding leaves L_k as it is, and bottom_right and window count from the last of all " +
       std::to_string(shape.key_length) +
       " keys: give key_lengths instead, and they count from each entry's own last key"});
}

/// Some later key is visible and no earlier one, in any row: the picture of a causal mask upside
/// down.
void warn_of_polarity(const BoundMask& mask, std::vector<MaskWarning>& warnings) {
  const std::int64_t queries = mask.shape().query_length, offset = mask.shape().offset();
  bool later = false, earlier = false;
  for_each_plane(mask, [&](std::int64_t b, std::int64_t h) {
    for (std::int64_t i = 0; i < queries && !earlier; ++i) {
      const VisibleKeys keys = mask.keys(b, h, i, i + 1);
      for (const Interval& seen : keys.any.intervals()) {
        earlier = earlier || seen.begin < i + offset;
        later = later || seen.end > i + offset + 1;
      }
    }
  });
  if (later && !earlier && queries > 1) {
    warnings.push_back(
        {"queries see later keys only: is the mask upside down? true means \"may attend\"; "
         "negate a mask whose true means \"drop\""});
  }
}

}  // namespace

std::vector<MaskWarning> lint_shape(const Mask& mask, const MaskShape& shape) {
  check_lint_lengths(shape);
  std::vector<std::string> texts;
  mask.node().lint(shape, texts);
  std::vector<MaskWarning> warnings;
  warnings.reserve(texts.size());
  for (std::string& text : texts) warnings.push_back({std::move(text)});
  const std::unique_ptr<BoundMask> bound = mask.node().bind(shape);
  warn_of_masked_rows(*bound, warnings);
  warn_of_polarity(*bound, warnings);
  warn_of_padded_places(mask.node(), shape, warnings);
  return warnings;
}

std::vector<MaskWarning> lint(const Mask& mask, std::int64_t batch, std::int64_t query_length,
                              std::int64_t key_length) try {
  return lint_shape(mask, {batch, mask.node().heads(), query_length, key_length});
} catch (...) {
  rethrow_as_error("lint");
}

}  // namespace foveal
