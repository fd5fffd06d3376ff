#include "foveal/reference.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "errors.h"
#include "foveal/error.h"
#include "foveal/operations.h"
#include "foveal/random.h"

namespace foveal::reference {
namespace {

struct Sizes {
  Shape leading;
  std::int64_t queries, keys, head, value;
};

const std::vector<Sizes> kSizes = {{{}, 1, 1, 1, 1},
                                   {{}, 3, 5, 4, 2},
                                   {{2}, 6, 6, 3, 7},
                                   {{2, 3}, 5, 8, 9, 1},
                                   {{1, 2, 2}, 7, 4, 5, 3}};

Shape shape_of(Shape leading, std::int64_t rows, std::int64_t columns) {
  leading.push_back(rows);
  leading.push_back(columns);
  return leading;
}

struct Inputs {
  Tensor query, key, value;
};

Inputs inputs_of(const Sizes& sizes, Generator& generator, DType dtype = DType::float64) {
  return {randn(shape_of(sizes.leading, sizes.queries, sizes.head), generator, dtype),
          randn(shape_of(sizes.leading, sizes.keys, sizes.head), generator, dtype),
          randn(shape_of(sizes.leading, sizes.keys, sizes.value), generator, dtype)};
}

/// The formula in plain loops, one (L_q, L_k) problem; masked keys are left out.
std::vector<double> by_loops(const Tensor& query, const Tensor& key, const Tensor& value,
                             const Tensor& mask, double scale) {
  std::vector<double> output;
  for (std::int64_t i = 0; i < query.size(0); ++i) {
    std::vector<double> sums(static_cast<std::size_t>(value.size(1)));
    double total = 0;
    for (std::int64_t j = 0; j < key.size(0); ++j) {
      if (mask.defined() && mask.at({i, j}) == 0) continue;
      double score = 0;
      for (std::int64_t d = 0; d < key.size(1); ++d) score += query.at({i, d}) * key.at({j, d});
      const double weight = std::exp(score * scale);
      total += weight;
      for (std::int64_t d = 0; d < value.size(1); ++d) sums[d] += weight * value.at({j, d});
    }
    for (double sum : sums) output.push_back(sum / total);
  }
  return output;
}

TEST(ReferenceTest, EqualsTheFormulaInLoops) {
  Generator generator(1);
  for (const Sizes& sizes : kSizes) {
    const Inputs in = inputs_of(sizes, generator);
    const Tensor mask = causal_mask(sizes.queries, sizes.keys);
    for (const Tensor& chosen : {Tensor(), mask}) {
      const Stages stages = attention(in.query, in.key, in.value, {.mask = chosen});
      const Tensor q = in.query.reshape({-1, sizes.queries, sizes.head});
      const Tensor k = in.key.reshape({-1, sizes.keys, sizes.head});
      const Tensor v = in.value.reshape({-1, sizes.keys, sizes.value});
      std::vector<double> expected;
      for (std::int64_t b = 0; b < q.size(0); ++b) {
        for (double x : by_loops(q[b], k[b], v[b], chosen, 1 / std::sqrt(sizes.head))) {
          expected.push_back(x);
        }
      }
      const std::vector<double> ours = stages.context.to_vector();
      ASSERT_EQ(ours.size(), expected.size());
      for (std::size_t i = 0; i < ours.size(); ++i) EXPECT_NEAR(ours[i], expected[i], 1e-12);
      EXPECT_EQ(stages.context.shape(), shape_of(sizes.leading, sizes.queries, sizes.value));
      EXPECT_EQ(stages.masked_scores.defined(), chosen.defined());
      EXPECT_FALSE(stages.dropped_weights.defined());
    }
  }
}

TEST(ReferenceTest, RowsOfWeightsSumToOneAndMaskedKeysGetNothing) {
  Generator generator(2);
  for (const Sizes& sizes : kSizes) {
    const Inputs in = inputs_of(sizes, generator);
    const Tensor mask = causal_mask(sizes.queries, sizes.keys);
    const Tensor p = attention(in.query, in.key, in.value, {.mask = mask}).weights;
    const Tensor sums = sum(p, -1);
    EXPECT_TRUE(allclose(sums, Tensor::ones(sums.shape(), DType::float64), 0, 1e-14));
    const Tensor hidden = logical_not(mask).to(DType::float64);
    EXPECT_TRUE(equal(p * hidden, Tensor::zeros(p.shape(), DType::float64)));
  }
}

TEST(ReferenceTest, EachStageFollowsFromTheOneBefore) {
  Generator generator(3);
  const Inputs in = inputs_of({{2}, 4, 4, 3, 5}, generator, DType::float32);
  const Tensor kept = dropout_mask({2, 4, 4}, 0.5, generator);
  const Options options = {
      .scale = 0.7, .mask = causal_mask(4, 4), .dropout_mask = kept, .dropout = 0.5};
  const Stages s = attention(in.query, in.key, in.value, options);
  EXPECT_TRUE(equal(s.scores, scores(in.query, in.key)));
  EXPECT_TRUE(equal(s.scaled_scores, scaled_scores(s.scores, 0.7)));
  EXPECT_TRUE(equal(s.masked_scores, masked_scores(s.scaled_scores, options.mask)));
  EXPECT_TRUE(equal(s.weights, weights(s.masked_scores)));
  EXPECT_TRUE(equal(s.dropped_weights, s.weights * kept * 2.0));
  EXPECT_TRUE(equal(s.context, context(s.dropped_weights, in.value)));
  EXPECT_TRUE(equal(dropped_weights(s.weights, kept, 1), Tensor::zeros({2, 4, 4})));
}

TEST(ReferenceTest, FullyMaskedRowIsNanInItsRowAlone) {
  Generator generator(4);
  const Inputs in = inputs_of({{}, 2, 3, 2, 2}, generator);
  const Tensor mask = tensor({{false, false, false}, {true, false, true}});
  const Tensor out = attention(in.query, in.key, in.value, {.mask = mask}).context;
  EXPECT_TRUE(std::isnan(out.at({0, 0})) && std::isnan(out.at({0, 1})));
  EXPECT_TRUE(std::isfinite(out.at({1, 0})) && std::isfinite(out.at({1, 1})));
}

TEST(ReferenceTest, EmptyLengths) {
  const auto zeros = [](std::int64_t rows, std::int64_t columns) {
    return Tensor::zeros({2, rows, columns});
  };
  EXPECT_EQ(attention(zeros(0, 3), zeros(4, 3), zeros(4, 5)).context.shape(), (Shape{2, 0, 5}));
  const Tensor none = attention(zeros(4, 3), zeros(0, 3), zeros(0, 5)).context;
  EXPECT_TRUE(equal(none, Tensor::zeros({2, 4, 5})));
}

TEST(ReferenceTest, HeadsShareKeysByBroadcasting) {
  Generator generator(5);
  const Tensor q = randn({3, 4, 2}, generator, DType::float64);
  const Tensor k = randn({1, 5, 2}, generator, DType::float64);
  const Tensor v = randn({5, 2}, generator, DType::float64);
  const Tensor all = attention(q, k, v).context;
  for (std::int64_t h = 0; h < 3; ++h) {
    EXPECT_TRUE(equal(all[h], attention(q[h], k[0], v).context));
  }
}

TEST(ReferenceTest, CausalMaskIsTopLeft) {
  EXPECT_TRUE(equal(causal_mask(2, 3), tensor({{true, false, false}, {true, true, false}})));
  EXPECT_TRUE(equal(causal_mask(3, 2), tensor({{true, false}, {true, true}, {true, true}})));
  EXPECT_EQ(causal_mask(0, 2).shape(), (Shape{0, 2}));
}

TEST(ReferenceTest, ArgumentsAreChecked) {
  const auto expect = [](const std::string& rule, const auto& function) {
    const std::string message = message_of(function);
    EXPECT_NE(message.find(rule), std::string::npos) << rule << "\n" << message;
  };
  const Tensor q = Tensor::zeros({2, 4, 3});
  const Tensor v = Tensor::zeros({2, 4, 5});
  const double nan = std::nan("");
  expect("query is undefined", [&] { attention(Tensor(), q, v); });
  expect("value is undefined", [&] { attention(q, q, Tensor()); });
  expect("query has shape (3)", [&] { scores(Tensor::zeros({3}), q); });
  expect("query is int64", [&] { scores(Tensor::zeros({4, 3}, DType::int64), q); });
  expect("key is float64", [&] { scores(q, q.to(DType::float64)); });
  expect("value is float64", [&] { attention(q, q, v.to(DType::float64)); });
  expect("head sizes (last axis)", [&] { scores(q, Tensor::zeros({2, 4, 2})); });
  expect("one value for each key", [&] { attention(q, q, Tensor::zeros({2, 5, 3})); });
  expect("scores: query has shape (2, 4, 3) but key has shape (3, 4, 3): axes before the last two",
         [&] { scores(q, Tensor::zeros({3, 4, 3})); });
  expect("context: weights has shape (2, 4, 4) but value has shape (3, 4, 5)",
         [&] { attention(q, q, Tensor::zeros({3, 4, 5})); });
  expect("a mask must broadcast",
         [&] { attention(q[0], q[0], v[0], {.mask = Tensor::zeros({2, 4, 4}, DType::boolean)}); });
  expect("scale is nan", [&] { attention(q, q, v, {.scale = nan}); });
  expect("mask is float32", [&] { attention(q, q, v, {.mask = Tensor::ones({4, 4})}); });
  expect("masked_scores: scores and mask: shapes (2, 4, 4) and (4, 5)",
         [&] { attention(q, q, v, {.mask = causal_mask(4, 5)}); });
  expect("dropout is 0.5 but dropout_mask is undefined",
         [&] { attention(q, q, v, {.dropout = 0.5}); });
  expect("from 0 to 1", [&] { attention(q, q, v, {.dropout = nan}); });
  const Tensor small = Tensor::ones({4, 4});
  expect("dropout_mask has shape (4, 4)",
         [&] { attention(q, q, v, {.dropout_mask = small, .dropout = 0.5}); });
  expect("give a scale", [&] { attention(Tensor::zeros({4, 0}), Tensor::zeros({4, 0}), v); });
}

}  // namespace
}  // namespace foveal::reference
