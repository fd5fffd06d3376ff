// Numbers of gradients where they are special: NaN, infinities, 16-bit types with many elements.
// What PyTorch 2.15 gives was written down from it.

#include <gtest/gtest.h>

#include <cmath>

#include "foveal/foveal.h"

namespace foveal {
namespace {

constexpr double kInfinity = INFINITY, kNan = NAN;

using Function = std::function<Tensor(const Tensor&)>;

void expect_numbers(const Tensor& ours, const std::vector<double>& theirs,
                    const std::string& what) {
  const std::vector<double> numbers = ours.to_vector();
  ASSERT_EQ(numbers.size(), theirs.size()) << what;
  for (std::size_t n = 0; n < theirs.size(); ++n) {
    if (std::isnan(theirs[n])) {
      EXPECT_TRUE(std::isnan(numbers[n])) << what << " at " << n << ": " << numbers[n];
    } else if (std::isinf(theirs[n]) || theirs[n] == 0) {
      EXPECT_EQ(numbers[n], theirs[n]) << what << " at " << n;
    } else {
      EXPECT_NEAR(numbers[n] / theirs[n], 1, 1e-12) << what << " at " << n;
    }
  }
}

TEST(Numbers, SpecialNumbersGoWhereTheyGoInPyTorch) {
  struct Row {
    const char* name;
    Function run;
    std::vector<double> results, grads;
  };
  const double i = kInfinity, n = kNan;
  const auto power = [](double exponent) {
    return [exponent](const Tensor& a) { return pow(a, exponent); };
  };
  // Of 0, infinity, -infinity, NaN, 1e20, -1e20.
  const std::vector<Row> rows = {
      {"abs",
       [](const Tensor& a) { return abs(a); },
       {0, i, i, n, 1e20, 1e20},
       {0, 1, -1, 0, 1, -1}},
      {"sqrt",
       [](const Tensor& a) { return sqrt(a); },
       {0, i, n, n, 1e10, n},
       {i, 0, n, n, 5e-11, n}},
      {"log",
       [](const Tensor& a) { return log(a); },
       {-i, i, n, n, 46.051701859880914, n},
       {i, 0, 0, n, 1e-20, -1e-20}},
      {"exp", [](const Tensor& a) { return exp(a); }, {1, i, 0, n, i, 0}, {1, i, 0, n, i, 0}},
      {"tanh", [](const Tensor& a) { return tanh(a); }, {0, 1, -1, n, 1, -1}, {1, 0, 0, n, 0, 0}},
      {"relu", [](const Tensor& a) { return relu(a); }, {0, i, 0, n, 1e20, 0}, {0, 1, 0, 1, 1, 0}},
      {"gelu",
       [](const Tensor& a) { return gelu(a); },
       {0, i, n, n, 1e20, 0},
       {0.5, n, n, n, 1, 0}},
      {"gelu tanh",
       [](const Tensor& a) { return gelu(a, GeluForm::tanh); },
       {0, i, n, n, 1e20, 0},
       {0.5, n, n, n, 1, 0}},
      {"pow 1", power(1), {0, i, -i, n, 1e20, -1e20}, {1, 1, 1, 1, 1, 1}},
      {"pow 2", power(2), {0, i, i, n, 1e40, 1e40}, {0, i, -i, n, 2e20, -2e20}},
      {"pow 3", power(3), {0, i, -i, n, 1e60, -1e60}, {0, i, i, n, 3e40, 3e40}},
      {"pow -1", power(-1), {i, 0, 0, n, 1e-20, -1e-20}, {-i, 0, 0, n, -1e-40, -1e-40}},
      {"pow -2", power(-2), {i, 0, 0, n, 1e-40, 1e-40}, {-i, 0, 0, n, -2e-60, 2e-60}},
      {"pow 0.5", power(0.5), {0, i, n, n, 1e10, n}, {i, 0, n, n, 5e-11, n}},
      {"pow 1.5", power(1.5), {0, i, i, n, 1e30, n}, {0, i, n, n, 1.5e10, n}},
  };
  for (const Row& row : rows) {
    Tensor a = tensor({0.0, i, -i, n, 1e20, -1e20}, DType::float64).requires_grad_();
    const Tensor result = row.run(a);
    result.backward(Tensor::ones({6}, DType::float64));
    expect_numbers(result, row.results, row.name);
    expect_numbers(a.grad(), row.grads, std::string(row.name) + "'s gradient");
  }
}

TEST(Numbers, AMeanOfMoreThanFloat16Counts) {
  Tensor a = Tensor::ones({2, 100000}, DType::float16).requires_grad_();
  mean(a.select(0, 0)).backward();
  sum(mean(a.slice(0, 1, 2), 1)).backward();
  for (const std::int64_t row : {0, 1}) EXPECT_NEAR(a.grad().at({row, 5}), 1e-5, 1e-7);
}

/// The number of elements isn't rounded before it divides.
TEST(Numbers, AMeanOf257InBfloat16) {
  Tensor a = Tensor::ones({257}, DType::bfloat16).requires_grad_();
  mean(a).backward();
  EXPECT_NEAR(a.grad().at({0}), 1.0 / 257, 1e-6);
}

/// Within the rounding of the result.
TEST(Numbers, LogSoftmaxOfHalvesComputesWide) {
  Generator generator(1);
  for (const DType dtype : {DType::bfloat16, DType::float16}) {
    const Tensor values = (randn({16, 50}, generator) * 2.0).to(dtype);
    const Tensor weights = (randn({16, 50}, generator) + 1.0).to(dtype);
    Tensor narrow = values.clone().requires_grad_();
    log_softmax(narrow, -1).backward(weights);
    Tensor wide = log_softmax(values, -1).to(DType::float64);
    const Tensor exact =
        weights.to(DType::float64) - exp(wide) * sum(weights.to(DType::float64), -1, true);
    EXPECT_TRUE(equal(narrow.grad(), exact.to(DType::float32).to(dtype))) << to_string(dtype);
  }
}

TEST(Numbers, AnyInt64MayBeIgnored) {
  const Tensor logits = tensor({{1.0, 2.0}, {3.0, 4.0}}, DType::float64);
  for (const std::int64_t ignored : {INT64_MAX, INT64_MAX - 1, INT64_MIN}) {
    const Tensor targets = Tensor::from_vector(std::vector<std::int64_t>{ignored, 1}, {2});
    Tensor leaf = logits.clone().requires_grad_();
    const Tensor loss = cross_entropy(leaf, targets, ignored);
    loss.backward();
    EXPECT_NEAR(loss.item(), std::log1p(std::exp(-1.0)), 1e-14);
    EXPECT_EQ(leaf.grad().at({0, 0}), 0);
    const Tensor near = Tensor::from_vector(std::vector<std::int64_t>{ignored ^ 1, 1}, {2});
    EXPECT_THROW(cross_entropy(logits, near, ignored), Error);
  }
}

}  // namespace
}  // namespace foveal
