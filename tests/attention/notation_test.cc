// docs/notation.md, statement by statement, on examples small enough to work out by hand.

#include <gtest/gtest.h>

#include <cmath>

#include "errors.h"
#include "foveal/attention.h"
#include "foveal/operations.h"
#include "kernels/targets/registry.h"

namespace foveal {
namespace {

const double kInfinity = std::numeric_limits<double>::infinity();

/// (1, 1, rows, columns), float64.
Tensor matrix(const NestedList& rows) {
  return tensor(rows, DType::float64).unsqueeze(0).unsqueeze(0);
}

/// Weights (L_q, L_k) where every visible score is 0, so that a visible key weighs more than 0.
Tensor weights_of(std::int64_t queries, std::int64_t keys, AttentionOptions options) {
  options.return_weights = true;
  const Tensor q = Tensor::zeros({1, 1, queries, 1}), k = Tensor::zeros({1, 1, keys, 1});
  return attention(q, k, k, options).weights.select(0, 0).select(0, 0);
}

/// Rows of '1' where a key is visible and '0' where not: "1000 1100".
std::string visible(std::int64_t queries, std::int64_t keys, const Mask& mask) {
  const Tensor weights = weights_of(queries, keys, {.mask = mask});
  std::string text;
  for (std::int64_t i = 0; i < queries; ++i) {
    if (i > 0) text += ' ';
    for (std::int64_t j = 0; j < keys; ++j) text += weights.at({i, j}) > 0 ? '1' : '0';
  }
  return text;
}

TEST(Notation, OrderOfOperations) {
  // Two queries, three keys: i' = 1, 2. Q K^T = 2 for key 0, 4 for key 1, 0 for key 2.
  const Tensor q = matrix({{2.0}, {2.0}}), k = matrix({{1.0}, {2.0}, {0.0}});
  const Tensor v = matrix({{1.0, 0.0}, {0.0, 1.0}, {5.0, 5.0}});
  AttentionOptions options{.mask = prefix(2)};
  options.scale = 0.5;
  options.softcap = 3;
  options.bias = tensor({0.25, -0.5, 9.0}, DType::float64);
  options.alibi_slopes = tensor({0.125}, DType::float64);
  options.sinks = tensor({0.75}, DType::float64);
  options.return_lse = options.return_weights = true;
  const AttentionResult result = attention(q, k, v, options);
  for (std::int64_t i = 0; i < 2; ++i) {
    const double place = static_cast<double>(i + 1);
    const double s0 = 3 * std::tanh(2 * 0.5 / 3) + 0.25 - 0.125 * std::fabs(place - 0);
    const double s1 = 3 * std::tanh(4 * 0.5 / 3) - 0.5 - 0.125 * std::fabs(place - 1);
    const double sum = std::exp(s0) + std::exp(s1) + std::exp(0.75);
    EXPECT_NEAR(result.lse.at({0, 0, i}), std::log(sum), 1e-14);
    EXPECT_NEAR(result.weights.at({0, 0, i, 0}), std::exp(s0) / sum, 1e-14);
    EXPECT_NEAR(result.output.at({0, 0, i, 1}), std::exp(s1) / sum, 1e-14);
    EXPECT_EQ(result.weights.at({0, 0, i, 2}), 0);
  }
}

TEST(Notation, ScaleDefaultsToTheHeadSizes) {
  const Tensor q = Tensor::ones({1, 1, 1, 16}, DType::float64);
  const AttentionOptions options{.return_lse = true};
  EXPECT_NEAR(attention(q, q, q, options).lse.item(), 16 / std::sqrt(16.0), 1e-14);
}

TEST(Notation, QueryHeadsShareKvHeadsInTheirOrder) {
  const Tensor q = Tensor::zeros({1, 6, 1, 1}), k = Tensor::zeros({1, 2, 1, 1});
  Tensor v = Tensor::zeros({1, 2, 1, 1});
  v.fill_(1);
  v.select(1, 1).fill_(2);
  EXPECT_EQ(attention(q, k, v).output.to_vector(), (std::vector<double>{1, 1, 1, 2, 2, 2}));
}

TEST(Notation, MasksAreThoseOfTheTable) {
  EXPECT_EQ(visible(2, 4, none()), "1111 1111");
  EXPECT_EQ(visible(2, 4, causal(Corner::top_left)), "1000 1100");
  EXPECT_EQ(visible(2, 4, causal(Corner::bottom_right)), "1110 1111");
  EXPECT_EQ(visible(4, 2, causal(Corner::bottom_right)), "00 00 10 11");
  EXPECT_EQ(visible(3, 3, causal()), "100 110 111");
  EXPECT_EQ(visible(2, 4, window(1, 0)), "0110 0011");
  EXPECT_EQ(visible(2, 4, window(-1, 0)), "1110 1111");
  EXPECT_EQ(visible(2, 4, window(0, -1)), "0011 0001");
  EXPECT_EQ(visible(2, 4, causal(Corner::top_left) & window(2, 0)), "1000 0100");
  EXPECT_EQ(visible(2, 4, document({0, 0, 1, 0})), "0010 1101");
  EXPECT_EQ(visible(4, 2, document({5, 6})), "00 00 10 01");
  EXPECT_EQ(visible(2, 3, prefix(2)), "110 110");
  EXPECT_EQ(visible(2, 3, padding({1})), "100 100");
  EXPECT_EQ(visible(2, 3, dense(tensor({true, false, true}))), "101 101");
  EXPECT_EQ(visible(3, 3, ((!causal()) & prefix(2)) | window(0, 0)), "110 010 001");
  EXPECT_EQ(visible(3, 3, parse_mask("!causal&prefix( 2 )|window(0,0)")), "110 010 001");
  const std::string text = message_of([] { visible(2, 4, causal()); });
  EXPECT_NE(text.find("causal(top_left)"), std::string::npos) << text;
  EXPECT_NE(text.find("causal(bottom_right)"), std::string::npos) << text;
}

TEST(Notation, AFullyMaskedRowIsZeroAndItsLseMinusInfinityOrTheSink) {
  for (const std::int64_t keys : {0, 3}) {
    const Tensor q = Tensor::ones({1, 2, 2, 4}), k = Tensor::ones({1, 2, keys, 4});
    AttentionOptions options{.mask = prefix(0), .return_lse = true};
    EXPECT_EQ(attention(q, k, k, options).lse.to_vector(), std::vector<double>(4, -kInfinity));
    options.sinks = tensor({0.5, -2.0});
    const AttentionResult result = attention(q, k, k, options);
    EXPECT_EQ(result.lse.to_vector(), (std::vector<double>{0.5, 0.5, -2, -2}));
    EXPECT_EQ(result.output.to_vector(), std::vector<double>(16, 0));
    const AttentionGradients gradients = attention_backward(q, q, k, k, result, options);
    EXPECT_EQ(gradients.q.to_vector(), std::vector<double>(16, 0));
  }
}

TEST(Notation, AVisibleInfiniteScoreMakesItsOwnRowNaN) {
  for (const Target* target : usable_targets()) {
    for (const double score : {kInfinity, std::nan("")}) {
      const Tensor q = Tensor::ones({1, 1, 20, 4}), k = Tensor::ones({1, 1, 9, 4});
      AttentionOptions options{.mask = !prefix(1), .return_lse = true};
      options.bias = Tensor::zeros({20, 9});
      options.bias.set({3, 5}, score);
      options.bias.set({7, 0}, score);  // hidden
      options.target = target->name;
      const AttentionResult result = attention(q, k, k, options);
      for (std::int64_t i = 0; i < 20; ++i) {
        EXPECT_EQ(std::isnan(result.output.at({0, 0, i, 0})), i == 3) << target->name << " " << i;
        EXPECT_EQ(std::isfinite(result.lse.at({0, 0, i})), i != 3) << target->name << " " << i;
      }
    }
  }
}

TEST(Notation, ResultsAreFloat32OrFloat64) {
  for (const DType dtype : {DType::float32, DType::bfloat16, DType::float16, DType::float64}) {
    const DType wide = dtype == DType::float64 ? DType::float64 : DType::float32;
    const Tensor x = Tensor::ones({1, 2, 12, 4}, dtype);
    AttentionOptions options{.return_lse = true, .return_weights = true};
    options.statistics = {2, true, true, true, {1}};
    const AttentionResult r = attention(x, x, x, options);
    EXPECT_EQ(r.output.dtype(), dtype);
    const Statistics& s = r.statistics;
    for (const Tensor* tensor :
         {&r.lse, &r.weights, &s.top_k_weights, &s.entropy, &s.maximum, &s.column_mass, &s.rows}) {
      EXPECT_EQ(tensor->dtype(), wide);
    }
    EXPECT_EQ(r.weights.shape(), (Shape{1, 2, 12, 12}));
    EXPECT_EQ(s.column_mass.shape(), (Shape{1, 2, 12}));
  }
}

TEST(Notation, StatisticsAreOfTheWeightsBeforeDropout) {
  AttentionOptions options{.mask = prefix(4)};
  options.dropout = 0.5;
  options.statistics = {6, true, true, true, {}};
  const Tensor q = Tensor::zeros({1, 1, 3, 1}), k = Tensor::zeros({1, 1, 5, 1});
  const Statistics s = attention(q, k, k, options).statistics;
  for (std::int64_t i = 0; i < 3; ++i) {
    EXPECT_NEAR(s.entropy.at({0, 0, i}), std::log(4.0), 1e-6);
    EXPECT_NEAR(s.maximum.at({0, 0, i}), 0.25, 1e-7);
  }
  EXPECT_NEAR(s.column_mass.at({0, 0, 3}), 0.75, 1e-6);
  EXPECT_EQ(s.column_mass.at({0, 0, 4}), 0);
  EXPECT_EQ(s.top_k_keys.slice(2, 0, 1).to_vector(), (std::vector<double>{0, 1, 2, 3, -1, -1}));
  EXPECT_EQ(s.top_k_weights.at({0, 0, 0, 5}), 0);
}

/// Where the weights of row i, all alike, are kept: '1', of one head and 4 keys.
std::string kept(AttentionOptions options, std::int64_t i = 0, std::int64_t queries = 1) {
  const Tensor q = Tensor::zeros({1, 1, queries, 1}), k = Tensor::zeros({1, 1, 4, 1});
  Tensor v = Tensor::zeros({1, 1, 4, 4});
  for (std::int64_t j = 0; j < 4; ++j) v.set({0, 0, j, j}, 1);
  const Tensor output = attention(q, k, v, options).output;
  std::string text;
  for (std::int64_t j = 0; j < 4; ++j) {
    const double weight = output.at({0, 0, i, j});
    EXPECT_TRUE(weight == 0 || std::fabs(weight - 0.25 / (1 - options.dropout)) < 1e-6) << weight;
    text += weight > 0 ? '1' : '0';
  }
  return text;
}

TEST(Notation, DropoutIsThatOfPhilox) {
  // The generator's published answer to counter 0 and key 0: 6627e8d5 e169c58d bc57ac4c 9b00dbd8,
  // which are 0.399, 0.881, 0.736 and 0.606 of 2^32.
  for (const auto& [p, want] : {std::pair(0.3, "1111"),
                                {0.5, "0111"},
                                {0.7, "0110"},
                                {0.8, "0100"},
                                {0.9, "0000"},
                                {1.0, "0000"}}) {
    EXPECT_EQ(kept({.dropout = p}), want) << p;
  }
}

/// kept() of 16 queries one after the other.
std::string kept_rows(const AttentionOptions& options) {
  std::string text;
  for (std::int64_t i = 0; i < 16; ++i) text += kept(options, i, 16);
  return text;
}

TEST(Notation, DropoutsOffsetsBeyond32BitsHaveKeysOfTheirOwn) {
  AttentionOptions options{.dropout = 0.5}, beyond = options;
  options.offset = 7;
  beyond.seed = 0x123456789abcdef0;
  beyond.offset = (std::uint64_t{3} << 32) + 7;
  options.seed = 0x41dd413b1e2a270a;  // by Philox of counter (3, 0, 0, 2^32 - 1)
  EXPECT_EQ(kept_rows(options), kept_rows(beyond));
  options.seed = beyond.seed;
  EXPECT_NE(kept_rows(options), kept_rows(beyond));
}

TEST(Notation, PackedSequencesDropAsEachAlone) {
  const Tensor q = Tensor::zeros({1, 2, 30, 1}), k = Tensor::ones({1, 2, 30, 1});
  AttentionOptions options{.dropout = 0.5};
  options.seed = 3;
  const Tensor alone =
      attention(q.slice(2, 0, 15), k.slice(2, 0, 15), k.slice(2, 0, 15), options).output;
  options.query_starts = options.key_starts = {0, 15, 30};
  const Tensor packed = attention(q, k, k, options).output;
  EXPECT_TRUE(equal(packed.slice(2, 0, 15).contiguous(), alone));
  EXPECT_TRUE(equal(packed.slice(2, 15, 30).contiguous(), alone));
}

}  // namespace
}  // namespace foveal
