#pragma once
// Checks at the door of the layers.

#include <cstdint>
#include <string>

#include "foveal/tensor.h"

namespace foveal::nn {

void check_at_least_one(const std::string& layer, const std::string& name, std::int64_t size);

/// `x` is (L, d_in).
void check_tokens(const std::string& layer, const Tensor& x, std::int64_t d_in);

/// `x` is (B, L, d_in), and L is no more than context_length.
void check_batch(const std::string& layer, const Tensor& x, std::int64_t d_in,
                 std::int64_t context_length);

}  // namespace foveal::nn
