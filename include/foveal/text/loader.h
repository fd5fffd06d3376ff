#pragma once
// The sliding-window data loader of chapter 2, which the multi-head notebook feeds on.

#include <cstdint>
#include <optional>
#include <vector>

#include "foveal/generator.h"
#include "foveal/tensor.h"

#pragma GCC visibility push(default)
namespace foveal::text {

struct Batch {
  Tensor inputs = {};   ///< (batch, length), int64
  Tensor targets = {};  ///< the same, one token further
};

struct LoaderOptions {
  std::int64_t batch_size = 4, length = 256, stride = 128;
  bool shuffle = true;
  bool drop_last = true;
};

/// Windows of `length` tokens, `stride` apart, each with the window one token further as target.
class DataLoader {
 public:
  /// Windows start at 0, stride, 2 * stride, ... below token_ids.size() - length. Throws where no
  /// window fits (length + 1 tokens are needed) or an option is below 1.
  DataLoader(std::vector<std::int64_t> token_ids, const LoaderOptions& options);

  std::int64_t window_count() const;
  /// The window indices, batch by batch, of one pass. Draws from `generator` as PyTorch's loader
  /// does from its global one: a seed that nothing uses, and with shuffle one for the order. With
  /// drop_last a batch that isn't full is left out, even if it is the only one.
  std::vector<std::vector<std::int64_t>> epoch_order(Generator& generator) const;
  /// The windows of those indices, stacked. An index outside 0 .. window_count() - 1 throws.
  Batch batch(const std::vector<std::int64_t>& window_indices) const;

 private:
  std::vector<std::int64_t> token_ids_;
  LoaderOptions options_;
};

}  // namespace foveal::text
#pragma GCC visibility pop
