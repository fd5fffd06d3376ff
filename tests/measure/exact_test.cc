// The float64 rows that measured results are held to, against the reference.

#include "measure/exact.h"

#include <gtest/gtest.h>

#include <cmath>

#include "attention/cases.h"
#include "foveal/plan.h"
#include "foveal/reference.h"
#include "measure/inputs.h"

namespace foveal::measure {
namespace {

TEST(Exact, RowsEqualTheReference) {
  const Shape query{2, 4, 70, 5}, key{2, 2, 70, 5}, value{2, 2, 70, 3};
  const Tensor q = random_numbers(query, DType::float64, 1);
  const Tensor k = random_numbers(key, DType::float64, 2);
  const Tensor v = random_numbers(value, DType::float64, 3);
  AttentionOptions options;
  options.mask = causal() & !window(3, 0);  // the first rows see nothing
  const Plan plan = plan_attention(query, key, value, DType::float64, options);
  reference::Options wanted;
  wanted.mask = reference::causal_mask(70, 70);
  for (std::int64_t i = 0; i < 70; ++i) {
    for (std::int64_t j = std::max<std::int64_t>(0, i - 3); j <= i; ++j) wanted.mask.set({i, j}, 0);
  }
  for (const auto& [b, h] : {std::pair<std::int64_t, std::int64_t>{0, 0}, {1, 1}, {1, 3}}) {
    const ExactHead head(plan.data(), q, k, v, b, h);
    const reference::Stages stages = reference::attention(
        exact_copy(q, b, h), exact_copy(k, b, h / 2), exact_copy(v, b, h / 2), wanted);
    for (std::int64_t i = 0; i < 70; ++i) {
      const ExactHead::Row row = head.row(i);
      for (std::int64_t d = 0; d < 3; ++d) {
        const double want = i < 4 ? 0 : stages.context.at({i, d});
        EXPECT_NEAR(row.output[static_cast<std::size_t>(d)], want, 1e-12) << i;
      }
      EXPECT_EQ(std::isinf(row.lse), i < 4);
    }
  }
}

TEST(Exact, ANaNIsTheLargestError) {
  Error64 error;
  error.add(1, 1.5);
  error.add(NAN, 2);
  error.add(5, 1);
  EXPECT_TRUE(std::isnan(error.error));
  EXPECT_EQ(error.largest, 2);
}

TEST(Exact, SamplesHoldBothEnds) {
  EXPECT_EQ(sampled(3), (std::vector<std::int64_t>{0, 1, 2}));
  EXPECT_EQ(sampled(1), (std::vector<std::int64_t>{0}));
  const std::vector<std::int64_t> many = sampled(1000000007);
  EXPECT_EQ(many.size(), 64U);
  EXPECT_EQ(many.front(), 0);
  EXPECT_EQ(many.back(), 1000000006);
}

TEST(Exact, RandomNumbersLookNormalAndKeepTheirPlaces) {
  const Tensor numbers = random_numbers({100000}, DType::float32, 7);
  double sum = 0, squares = 0;
  for (const double x : numbers.to_vector()) {
    sum += x;
    squares += x * x;
  }
  EXPECT_NEAR(sum / 100000, 0, 0.02);
  EXPECT_NEAR(squares / 100000, 1, 0.02);
  EXPECT_TRUE(equal(random_numbers({10}, DType::float32, 7), numbers.slice(0, 0, 10)));
  EXPECT_FALSE(equal(random_numbers({10}, DType::float32, 8), numbers.slice(0, 0, 10)));
}

}  // namespace
}  // namespace foveal::measure
