#include "foveal/text/loader.h"

#include <algorithm>
#include <string>

#include "core/door.h"
#include "foveal/error.h"
#include "foveal/random.h"

namespace foveal::text {
namespace {

void check_positive(const std::string& name, std::int64_t value) {
  if (value < 1) {
    throw Error("DataLoader: " + name + " is " + std::to_string(value) + ": it must be 1 or more");
  }
}

}  // namespace

DataLoader::DataLoader(std::vector<std::int64_t> token_ids, const LoaderOptions& options)
    : token_ids_(std::move(token_ids)), options_(options) {
  check_positive("batch_size", options.batch_size);
  check_positive("length", options.length);
  check_positive("stride", options.stride);
  const auto count = static_cast<std::int64_t>(token_ids_.size());
  if (count <= options.length) {
    throw Error("DataLoader: token_ids has " + std::to_string(count) + " tokens, but windows of " +
                std::to_string(options.length) +
                " need one token more than that: give a longer text or a smaller length");
  }
}

std::int64_t DataLoader::window_count() const {
  const std::int64_t starts = static_cast<std::int64_t>(token_ids_.size()) - options_.length;
  return (starts - 1) / options_.stride + 1;
}

std::vector<std::vector<std::int64_t>> DataLoader::epoch_order(Generator& generator) const {
  const std::int64_t count = window_count();
  // PyTorch's loader draws a seed for its workers first, whether or not it has any or shuffles.
  generator.next_u64();
  Tensor order = Tensor::arange(count);
  if (options_.shuffle) {
    Generator shuffler(generator.next_u64());
    order = randperm(count, shuffler);
  }
  const std::int64_t* const windows = order.data<std::int64_t>();
  std::vector<std::vector<std::int64_t>> batches;
  for (std::int64_t begin = 0; begin < count;) {
    const std::int64_t size = std::min(options_.batch_size, count - begin);
    if (size < options_.batch_size && options_.drop_last) break;
    batches.emplace_back(windows + begin, windows + begin + size);
    begin += size;
  }
  return batches;
}

Batch DataLoader::batch(const std::vector<std::int64_t>& window_indices) const try {
  const Shape shape{static_cast<std::int64_t>(window_indices.size()), options_.length};
  std::vector<std::int64_t> inputs, targets;
  for (std::size_t row = 0; row < window_indices.size(); ++row) {
    const std::int64_t window = window_indices[row];
    if (window < 0 || window >= window_count()) {
      throw Error("batch: window_indices[" + std::to_string(row) + "] is " +
                  std::to_string(window) + ", but windows are numbered 0 .. " +
                  std::to_string(window_count() - 1));
    }
    const std::int64_t* const start = token_ids_.data() + window * options_.stride;
    inputs.insert(inputs.end(), start, start + options_.length);
    targets.insert(targets.end(), start + 1, start + 1 + options_.length);
  }
  return {Tensor::from_vector(inputs, shape), Tensor::from_vector(targets, shape)};
} catch (...) {
  rethrow_as_error("DataLoader::batch");
}

}  // namespace foveal::text
