#pragma once
// `weights` of an input: W drawn as PyTorch draws it, in the place of numbers.

#include "trace/input/fields.h"
#include "trace/input/input.h"

namespace foveal::trace {

/// Reads `weights` of `file`, whose `inputs` are read, and draws W_query, W_key and W_value
/// (d_in, d_out), with qkv_bias their b (d_out), with out_proj W_out (d_out, d_out) and b_out
/// (d_out): float32 numbers, widened to float64. Fails where a key is missing or wrong, where W is
/// given too, and where more than 2^24 numbers would be drawn.
void draw_weights(const Field& file, Input* input);

}  // namespace foveal::trace
