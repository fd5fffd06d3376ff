// The loader notebook: tokens, windows, embeddings, and its two variants of multi-head attention.

#include <cmath>

#include "golden/golden.h"

namespace foveal {
namespace {

/// Shape, first and last row, and the sum of absolute values of a (8, 4, 256) tensor.
void check_embeddings(Golden& golden, const std::string& path, const Tensor& x) {
  std::vector<double> shape;
  for (std::int64_t size : x.shape()) shape.push_back(static_cast<double>(size));
  golden.expect_equal(path + "/shape", Tensor::from_vector(shape, {x.rank()}));
  golden.expect_close(path + "/first_row", x[0][0]);
  golden.expect_close(path + "/last_row", x[x.size(0) - 1][x.size(1) - 1]);
  double sum_abs = 0;
  for (double value : x.to_vector()) sum_abs += std::abs(value);
  golden.expect_close(path + "/sum_abs", sum_abs);
}

/// Batches of indices; the last one may be shorter.
std::vector<std::vector<std::int64_t>> order_of(const json& order) {
  return order.get<std::vector<std::vector<std::int64_t>>>();
}

TEST_F(Golden, data_loading) {
  const text::Tokenizer tokenizer = text::Tokenizer::from_merges_file(FOVEAL_GPT2_MERGES);
  const std::string text = at("/text").get<std::string>();
  const std::vector<std::int64_t> ids = tokenizer.encode(text);
  expect_equal("/token_ids", Tensor::from_vector(ids, {static_cast<std::int64_t>(ids.size())}));
  EXPECT_EQ(tokenizer.decode(ids), text);

  const text::DataLoader loader(
      ids, {.batch_size = 8, .length = 4, .stride = 4, .shuffle = true, .drop_last = false});
  expect_equal("/windows", static_cast<double>(loader.window_count()));

  Generator generator(seed());
  const nn::Embedding token_embedding(50257, 256, generator);
  const nn::Embedding position_embedding(1024, 256, generator);
  expect_equal("/token_embedding_row_0", token_embedding.weight[0]);
  expect_equal("/position_embedding_row_0", position_embedding.weight[0]);

  const auto order = loader.epoch_order(generator);
  EXPECT_EQ(order, order_of(look_at("/order")));
  const text::Batch batch = loader.batch(order[0]);
  expect_equal("/x", batch.inputs);
  expect_equal("/y", batch.targets);

  const Tensor embeddings =
      token_embedding.forward(batch.inputs) + position_embedding.forward(Tensor::arange(4));
  check_embeddings(*this, "/input_embeddings", embeddings);

  generator.seed(seed());
  const nn::MultiHeadAttentionWrapperWithProjection variant_a(
      {.d_in = 256, .d_out = 128, .context_length = 4}, 2, generator);
  check_embeddings(*this, "/variant_a", variant_a.forward(embeddings));

  generator.seed(seed());
  const nn::MultiHeadAttention variant_b(
      {.d_in = 256, .d_out = 256, .context_length = 4, .dropout = 0.0, .num_heads = 2}, generator);
  check_embeddings(*this, "/variant_b", variant_b.forward(embeddings));
}

}  // namespace
}  // namespace foveal
