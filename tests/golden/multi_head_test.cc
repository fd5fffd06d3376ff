// Section 3.6 and its exercises: several heads.

#include "golden/golden.h"

namespace foveal {
namespace {

TEST_F(Golden, multi_head_wrapper) {
  Generator generator(seed());
  const nn::MultiHeadAttentionWrapper module({.d_in = 3, .d_out = 2, .context_length = 6}, 2,
                                             generator);
  expect_state("/parameters", module);
  expect_close("/output", module.forward(chapter_batch()));
}

TEST_F(Golden, exercise_3_2) {
  Generator generator(seed());
  const nn::MultiHeadAttentionWrapper module({.d_in = 3, .d_out = 1, .context_length = 6}, 2,
                                             generator);
  expect_state("/parameters", module);
  expect_close("/output", module.forward(chapter_batch()));
}

TEST_F(Golden, multi_head) {
  Generator generator(seed());
  const nn::MultiHeadAttention module(
      {.d_in = 3, .d_out = 2, .context_length = 6, .dropout = 0.0, .num_heads = 2}, generator);
  expect_state("/parameters", module);
  expect_close("/output", module.forward(chapter_batch()));
}

/// Parameters and dropout masks come from one stream, so the second pass would differ.
TEST_F(Golden, multi_head_dropout) {
  Generator generator(seed());
  const nn::MultiHeadAttention module(
      {.d_in = 3, .d_out = 4, .context_length = 6, .dropout = 0.5, .num_heads = 2}, generator);
  expect_state("/parameters", module);
  expect_close("/output", module.forward(chapter_batch()));
}

TEST_F(Golden, batched_matmul) {
  const Tensor a = given("/values/a");
  expect_close("/output", matmul(a, a.transpose(2, 3)));
  std::vector<Tensor> heads;
  for (const Tensor& head : unbind(a[0], 0)) {
    heads.push_back(matmul(head, head.transpose(0, 1)));
  }
  expect_close("/output", stack(heads, 0).unsqueeze(0));
}

TEST_F(Golden, exercise_3_3) {
  Generator generator(123);
  const nn::MultiHeadAttention module(
      {.d_in = 768, .d_out = 768, .context_length = 1024, .dropout = 0.0, .num_heads = 12},
      generator);
  expect_equal("/parameter_count", static_cast<double>(module.parameter_count()));
}

}  // namespace
}  // namespace foveal
