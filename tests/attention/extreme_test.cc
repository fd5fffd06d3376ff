// Numbers at the ends of their range: a finite score is a score, however large. Scores are sums of
// powers of 2 here, exact in float32, so that they can be compared with the formula's to the bit.

#include <limits>

#include "attention/backward_cases.h"
#include "attention/naive.h"
#include "attention/shrink.h"
#include "case_count.h"
#include "foveal/operations.h"
#include "kernels/targets/registry.h"

namespace foveal {
namespace {

constexpr double kLeast = -static_cast<double>(std::numeric_limits<float>::max());
constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Whole numbers from -2 to 2, times `unit`.
Tensor whole_numbers(Cases& cases, const Shape& shape, double unit) {
  Tensor tensor = Tensor::zeros(shape, DType::float64);
  double* const numbers = tensor.data<double>();
  for (std::int64_t n = 0; n < tensor.element_count(); ++n) {
    numbers[n] = unit * static_cast<double>(cases.number(-2, 2));
  }
  return tensor;
}

/// A number that scores have been taken for masked at, or overflow at, or one that does nothing.
double extreme(Cases& cases, DType dtype) {
  const double numbers[] = {0,       0,      1,          -1e9, -1e29, -1e30,
                            -2.4e38, kLeast, kLeast / 2, 1e30, 1e-40, -kInfinity};
  const double number = numbers[cases.number(0, 11)];
  if (dtype != DType::float64) return number;
  return number == kLeast ? std::numeric_limits<double>::lowest() : number;
}

/// A bias whose rows are all one number, or a number for each key, or all different ones.
Tensor extreme_bias(Cases& cases, const Shape& scores, DType dtype) {
  Tensor bias = Tensor::zeros(scores, DType::float64);
  const std::int64_t keys = scores[3];
  double* const numbers = bias.data<double>();
  std::vector<double> columns;
  for (std::int64_t j = 0; j < keys; ++j) columns.push_back(extreme(cases, dtype));
  for (std::int64_t row = 0; row * keys < bias.element_count(); ++row) {
    const bool one = cases.chance(40), column = cases.chance(70);
    const double all = extreme(cases, dtype);
    for (std::int64_t j = 0; j < keys; ++j) {
      numbers[row * keys + j] = one      ? all
                                : column ? columns[static_cast<std::size_t>(j)]
                                         : extreme(cases, dtype);
    }
  }
  return bias.to(dtype == DType::float64 ? dtype : DType::float32);
}

Case make_extreme(Cases& cases, DType dtype) {
  const std::int64_t batch = cases.number(1, 2), kv = cases.number(1, 2);
  const std::int64_t heads = kv * cases.pick({1, 2, 4});
  const std::int64_t queries = cases.pick({1, 2, 3, 24, 33, 65, 97});
  const std::int64_t keys = cases.pick({1, 2, 31, 64, 65, 130});
  const std::int64_t d = cases.pick({1, 2, 3}), dv = cases.pick({1, 3, 16});
  // Products of float32's largest powers, or of ordinary numbers.
  const bool large = dtype != DType::float16 && cases.chance(30);
  const double unit = large ? 0x1p61 : 1;
  Case one;
  one.query = whole_numbers(cases, {batch, heads, queries, d}, unit).to(dtype);
  one.key = whole_numbers(cases, {batch, kv, keys, d}, unit).to(dtype);
  one.value = cases.normal({batch, kv, keys, dv}).to(dtype);
  AttentionOptions& options = one.options;
  options.scale = large ? 1.0 : cases.chance(20) ? 0x1p-140 : 0.25;
  if (cases.chance(20)) options.softcap = cases.chance(50) ? 3e38 : 1e-30;
  if (cases.chance(70)) options.bias = extreme_bias(cases, {batch, heads, queries, keys}, dtype);
  if (cases.chance(20)) {
    options.sinks = Tensor::full({heads}, extreme(cases, dtype),
                                 dtype == DType::float64 ? dtype : DType::float32);
  }
  if (cases.chance(30)) options.mask = dense(gt(cases.normal({1, heads, queries, keys}), -0.5));
  options.return_lse = true;
  return one;
}

double unit_of(DType dtype) {
  switch (dtype) {
    case DType::float64:
      return 0x1p-50;
    case DType::bfloat16:
      return 0x1p-8;
    case DType::float16:
      return 0x1p-11;
    default:
      return 0x1p-21;
  }
}

void expect_near(const Tensor& got, const Tensor& want, double tolerance, const char* what) {
  ASSERT_EQ(got.shape(), want.shape()) << what;
  const std::vector<double> a = got.to_vector(), b = want.to_vector();
  for (std::size_t n = 0; n < a.size(); ++n) {
    if (a[n] == b[n] || (std::isnan(a[n]) && std::isnan(b[n]))) continue;
    ASSERT_LE(std::fabs(a[n] - b[n]), tolerance * std::max(1.0, std::fabs(b[n])))
        << what << " at " << n << ": " << a[n] << ", not " << b[n];
  }
}

void check_forward(const Case& one) {
  const NaiveResult want = naive_attention(one.query, one.key, one.value, one.options);
  const AttentionResult got = attention(one.query, one.key, one.value, one.options);
  const double unit = unit_of(one.query.dtype());
  // Weights are up to 100 below the maximum in the exponent: 2^-22 of that, see notation.md.
  expect_near(got.output, want.output, 64 * unit * std::max(1.0, largest(one.value)), "output");
  const bool wide = one.query.dtype() == DType::float64;
  const DType sums = wide ? DType::float64 : DType::float32;
  expect_near(got.lse, want.lse.to(sums), wide ? 0x1p-48 : 0x1p-17, "lse");
}

void check_weights(const Case& one) {
  Case asked = one;
  asked.options.return_weights = true;
  asked.options.statistics = {3, true, true, true, {0}};
  const NaiveResult want = naive_attention(one.query, one.key, one.value, one.options);
  const AttentionResult got = attention(asked.query, asked.key, asked.value, asked.options);
  const double tolerance = one.query.dtype() == DType::float64 ? 0x1p-44 : 0x1p-15;
  expect_near(got.weights, want.weights, tolerance, "weights");
  const std::vector<double> scores = want.scores.to_vector(), weights = want.weights.to_vector();
  const std::vector<double> keys = got.statistics.top_k_keys.to_vector();
  const auto count = static_cast<std::size_t>(one.key.size(2));
  for (std::size_t row = 0; row * count < scores.size(); ++row) {
    std::vector<std::size_t> order;
    for (std::size_t j = 0; j < count; ++j) {
      if (scores[row * count + j] != -kInfinity) order.push_back(j);
    }
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return scores[row * count + a] > scores[row * count + b];
    });
    for (std::size_t n = 0; n < 3; ++n) {
      const double key = n < order.size() ? static_cast<double>(order[n]) : -1;
      ASSERT_EQ(keys[row * 3 + n], key) << "row " << row << ", place " << n;
    }
    double entropy = 0, maximum = 0;
    for (std::size_t j = 0; j < count; ++j) {
      const double p = weights[row * count + j];
      if (p > 0) entropy -= p * std::log(p);
      maximum = std::max(maximum, p);
    }
    ASSERT_NEAR(got.statistics.entropy.to_vector()[row], entropy, 1e-4 * (1 + entropy));
    ASSERT_NEAR(got.statistics.maximum.to_vector()[row], maximum, 1e-4);
  }
}

void check_state(const Case& one) {
  const NaiveResult want = naive_attention(one.query, one.key, one.value, one.options);
  const AttentionResult got = finish(attention_state(one.query, one.key, one.value, one.options));
  const double unit = unit_of(one.query.dtype());
  expect_near(got.output, want.output, 64 * unit * std::max(1.0, largest(one.value)), "output");
}

void check_gradients(const Case& one) {
  BackwardCase asked{one, {}};
  AttentionOptions& options = asked.forward.options;
  options.gradients = {options.bias.defined(), options.sinks.defined(), false};
  Cases cases(3);
  Shape shape = one.query.shape();
  shape[3] = one.value.size(3);
  asked.grad_output = cases.normal(shape).to(one.query.dtype());
  const NaiveGradients want =
      naive_gradients(asked.grad_output, one.query, one.key, one.value, options);
  const auto left = named(differentiate(asked));
  const auto right = named(want);
  for (std::size_t n = 0; n < left.size(); ++n) {
    if (!left[n].second.defined()) continue;
    // What cancels is as large as Q and K.
    const double size =
        std::max({1.0, largest(right[n].second), largest(one.query), largest(one.key)});
    expect_close(left[n].second, right[n].second, 256 * unit_of(one.query.dtype()) * size,
                 left[n].first);
  }
}

template <class Check>
void for_every_target(unsigned percent, const Check& check) {
  for (const Target* target : usable_targets()) {
    for (const DType dtype : {DType::float32, DType::float64, DType::bfloat16, DType::float16}) {
      check_generated(
          case_count(percent),
          [&](unsigned seed) {
            Cases cases(seed);
            Case one = make_extreme(cases, dtype);
            one.options.target = target->name;
            return one;
          },
          check);
      if (testing::Test::HasFatalFailure()) return;
    }
  }
}

TEST(Extreme, OutputsAreTheFormulas) { for_every_target(30, check_forward); }
TEST(Extreme, WeightsAndStatisticsAreTheFormulas) { for_every_target(15, check_weights); }
TEST(Extreme, StatesAreTheFormulas) { for_every_target(10, check_state); }
TEST(Extreme, GradientsAreTheChainRules) { for_every_target(15, check_gradients); }

/// Weights times values pass the largest float32 on the way, but the result doesn't.
TEST(Extreme, ValuesNearTheLargestGiveTheirMean) {
  for (const Target* target : usable_targets()) {
    for (const DType dtype : {DType::float32, DType::bfloat16}) {
      for (const std::int64_t queries : {1, 3, 70}) {
        for (const std::int64_t keys : {2, 64, 200}) {
          Cases cases(1);
          Case one;
          one.query = cases.normal({1, 2, queries, 8}).to(dtype);
          one.key = cases.normal({1, 2, keys, 8}).to(dtype);
          one.value = Tensor::full({1, 2, keys, 5}, 3e38, dtype);
          one.options.target = target->name;
          const Tensor output = attention(one.query, one.key, one.value, one.options).output;
          const double want = one.value.at({0, 0, 0, 0});
          for (const double number : output.to_vector()) {
            ASSERT_NEAR(number, want, want * 0x1p-7) << target->name << " " << to_string(dtype);
          }
        }
      }
    }
  }
}

/// A sum that passes the largest float32 on the way to a score that is small.
TEST(Extreme, ProductsThatCancelLeaveTheirSum) {
  for (const Target* target : usable_targets()) {
    for (const std::int64_t queries : {1, 40}) {
      Cases cases(2);
      Case one;
      one.query = Tensor::ones({1, 1, queries, 3});
      one.key = Tensor::zeros({1, 1, 70, 3});
      for (std::int64_t j = 0; j < 70; ++j) {
        const double size = j % 2 == 0 ? 2.5e38 : -2.5e38;
        one.key.set({0, 0, j, 0}, size);
        one.key.set({0, 0, j, 1}, -size);
        one.key.set({0, 0, j, 2}, static_cast<double>(j % 3));
      }
      one.value = cases.normal({1, 1, 70, 4}).to(DType::float32);
      one.options.scale = 1;
      one.options.target = target->name;
      one.options.return_lse = true;
      check_forward(one);
      if (HasFatalFailure()) return;
    }
  }
}

/// A row of K twice gives one score, wherever it stands: of equal weights the lower key comes
/// first.
TEST(Extreme, EqualKeysComeInTheirOrder) {
  for (const Target* target : usable_targets()) {
    for (const DType dtype : {DType::float32, DType::float64, DType::bfloat16}) {
      Cases cases(4);
      const Tensor some = cases.normal({1, 1, 3, 33});
      Tensor key = Tensor::zeros({1, 1, 200, 33}, DType::float64);
      std::vector<std::int64_t> kind;
      for (std::int64_t j = 0; j < 200; ++j) {
        kind.push_back(cases.number(0, 2));
        key.slice(2, j, j + 1).copy_(some.slice(2, kind.back(), kind.back() + 1));
      }
      AttentionOptions options;
      options.statistics.top_k = 150;
      options.target = target->name;
      const Tensor query = cases.normal({1, 2, 30, 33}, 3).to(dtype);
      const Tensor keys =
          attention(query, key.to(dtype), key.to(dtype), options).statistics.top_k_keys;
      const std::int64_t* const found = keys.data<std::int64_t>();
      for (std::int64_t n = 0; n < keys.element_count(); ++n) {
        if (n % 150 == 0 || kind[static_cast<std::size_t>(found[n])] !=
                                kind[static_cast<std::size_t>(found[n - 1])]) {
          continue;
        }
        ASSERT_LT(found[n - 1], found[n]) << target->name << " " << to_string(dtype);
      }
    }
  }
}

}  // namespace
}  // namespace foveal
