// Streams of random numbers: equal to PyTorch's, bit for bit.

#include "golden/golden.h"

namespace foveal {
namespace {

double total(const Tensor& x) {
  double result = 0;
  for (double value : x.to_vector()) result += value;
  return result;
}

/// rand(10), randn(7), randn(40) and dropout of ones(64), all from one stream.
void check_each_kind(Golden& golden) {
  Generator generator(golden.seed());
  golden.expect_equal("/rand", rand({10}, generator));
  golden.expect_equal("/randn_small", randn({7}, generator));
  golden.expect_equal("/randn_large", randn({40}, generator));
  golden.expect_equal("/dropout", dropout(Tensor::ones({64}), 0.1, generator));
}

/// For each length randn, rand, randint and randperm, all from one stream.
void check_mixed(Golden& golden, const std::vector<std::int64_t>& lengths) {
  Generator generator(golden.seed());
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    const std::string place = std::to_string(i);
    const std::string place_and_length = place + "_" + std::to_string(lengths[i]);
    golden.expect_equal("/randn_" + place_and_length, randn({lengths[i]}, generator));
    golden.expect_equal("/rand_" + place_and_length, rand({lengths[i]}, generator));
    golden.expect_equal("/randint_" + place, randint(0, 1000, {5}, generator));
    golden.expect_equal("/randperm_" + place, randperm(lengths[i], generator));
  }
}

TEST_F(Golden, rand_0) { check_each_kind(*this); }
TEST_F(Golden, rand_123) { check_each_kind(*this); }
TEST_F(Golden, rand_789) { check_each_kind(*this); }
TEST_F(Golden, mixed_1) { check_mixed(*this, {15, 16, 17, 33}); }
TEST_F(Golden, mixed_2026) { check_mixed(*this, {1, 5, 31, 100}); }

TEST_F(Golden, linear_768) {
  Generator generator(seed());
  const nn::Linear linear(768, 768, true, generator);
  const Tensor weight = linear.weight.view({768 * 768});
  expect_equal("/weight_first", weight.slice(0, 0, 8));
  expect_equal("/weight_last", weight.slice(0, -8, 768 * 768));
  expect_equal("/bias_first", linear.bias.slice(0, 0, 8));
  expect_close("/weight_sum", total(weight));
  expect_close("/bias_sum", total(linear.bias));
}

}  // namespace
}  // namespace foveal
