// Numbers at the ends of their range: a finite score is a score, however large. Scores are sums of
// powers of 2 here, exact in float32, so that they can be compared with the formula's to the bit.

#include <bit>
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

/// A bias that pads the first keys or the last; or whose rows are all one number, or a number for
/// each key, or all different ones.
Tensor extreme_bias(Cases& cases, const Shape& scores, DType dtype) {
  Tensor bias = Tensor::zeros(scores, DType::float64);
  const std::int64_t keys = scores[3];
  if (cases.chance(30)) {
    const std::int64_t edge = cases.number(0, keys);
    const bool first = cases.chance(70);
    bias.slice(3, first ? 0 : edge, first ? edge : keys).fill_(extreme(cases, dtype));
    return bias.to(dtype == DType::float64 ? dtype : DType::float32);
  }
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

/// Units of Q and K, and the scale. Among them products of float32's largest powers, numbers that
/// overflow where the scale comes before the product, and a scale that lets all scores vanish.
struct Units {
  double query, key, scale;
};

Units extreme_units(Cases& cases, DType dtype, bool overflowing) {
  const bool wide_range = dtype != DType::float16;
  if (wide_range && cases.chance(30)) return {0x1p61, 0x1p61, 1};
  if (wide_range && overflowing && cases.chance(20)) return {0x1p110, 0x1p-126, 0x1p20};
  return {1, 1, cases.chance(20) ? 0x1p-140 : 0.25};
}

/// Where `overflowing`, some V are so large that sums of them overflow where their mean doesn't,
/// and some scales so large that Q times them overflows: gradients may then be infinite.
Case make_extreme(Cases& cases, DType dtype, bool overflowing) {
  const std::int64_t batch = cases.number(1, 2), kv = cases.number(1, 2);
  const std::int64_t heads = kv * cases.pick({1, 2, 4});
  const std::int64_t queries = cases.pick({1, 2, 3, 24, 33, 65, 97});
  const std::int64_t keys = cases.pick({1, 2, 31, 64, 65, 130});
  const std::int64_t d = cases.pick({1, 2, 3}), dv = cases.pick({1, 3, 16});
  const Units units = extreme_units(cases, dtype, overflowing);
  Case one;
  one.query = whole_numbers(cases, {batch, heads, queries, d}, units.query).to(dtype);
  one.key = whole_numbers(cases, {batch, kv, keys, d}, units.key).to(dtype);
  one.value = cases.normal({batch, kv, keys, dv}).to(dtype);
  if (overflowing && dtype != DType::float16 && cases.chance(20)) {
    one.value = whole_numbers(cases, {batch, kv, keys, dv}, 0x1p126).to(dtype);
  }
  AttentionOptions& options = one.options;
  options.scale = units.scale;
  if (cases.chance(20)) options.softcap = cases.chance(50) ? 3e38 : 1e-30;
  if (cases.chance(70)) options.bias = extreme_bias(cases, {batch, heads, queries, keys}, dtype);
  if (cases.chance(20)) {
    options.sinks = Tensor::full({heads}, extreme(cases, dtype),
                                 dtype == DType::float64 ? dtype : DType::float32);
  }
  if (cases.chance(20)) {
    options.alibi_slopes =
        Tensor::full({heads}, cases.pick({1, 40, 90}) == 1 ? 0.5 : 0x1p90, DType::float32);
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
    // What cancels in dQ is as large as K times the scale, in dK as Q.
    const std::string name = left[n].first;
    const double terms = name == "query" ? largest(one.key)
                         : name == "key" ? largest(one.query)
                                         : 1;
    const double size = std::max({1.0, largest(right[n].second), terms * *options.scale});
    expect_close(left[n].second, right[n].second, 256 * unit_of(one.query.dtype()) * size,
                 left[n].first);
  }
}

template <class Check>
void for_every_target(unsigned percent, const Check& check, bool overflowing = true) {
  for (const Target* target : usable_targets()) {
    for (const DType dtype : {DType::float32, DType::float64, DType::bfloat16, DType::float16}) {
      check_generated(
          case_count(percent),
          [&](unsigned seed) {
            Cases cases(seed);
            Case one = make_extreme(cases, dtype, overflowing);
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
TEST(Extreme, GradientsAreTheChainRules) { for_every_target(15, check_gradients, false); }

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
          const AttentionState state = attention_state(one.query, one.key, one.value, one.options);
          const double want = one.value.at({0, 0, 0, 0});
          for (const Tensor& output : {attention(one.query, one.key, one.value, one.options).output,
                                       finish(state).output, finish(merge(state, state)).output}) {
            for (const double number : output.to_vector()) {
              ASSERT_NEAR(number, want, want * 0x1p-7) << target->name << " " << to_string(dtype);
            }
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

/// Keys that a bias pads at the front weigh nothing, however far below the others they are.
TEST(Extreme, AfterPaddedKeysTheOthersAreWhatTheyAre) {
  for (const Target* target : usable_targets()) {
    for (const DType dtype : {DType::float32, DType::bfloat16, DType::float16}) {
      for (const double padding : {-1e4, -1e9, -1e30, kLeast}) {
        for (const std::int64_t queries : {1, 70}) {
          Cases cases(6);
          Case one;
          one.query = whole_numbers(cases, {1, 2, queries, 4}, 1).to(dtype);
          one.key = whole_numbers(cases, {1, 2, 128, 4}, 1).to(dtype);
          one.value = cases.normal({1, 2, 128, 8}).to(dtype);
          one.options.bias = Tensor::zeros({128});
          one.options.bias.slice(0, 0, 80).fill_(padding);
          one.options.return_lse = true;
          one.options.target = target->name;
          check_forward(one);
          if (HasFatalFailure()) return;
        }
      }
    }
  }
}

/// All scores of a row are finite, though Q times the scale is not.
TEST(Extreme, QueriesThatTheScaleWouldOverflowAreQueries) {
  for (const Target* target : usable_targets()) {
    for (const DType dtype : {DType::float32, DType::bfloat16}) {
      for (const std::int64_t queries : {1, 40}) {
        Case one;
        one.query = Tensor::full({1, 1, queries, 1}, 0x1p126, dtype);
        one.key = Tensor::full({1, 1, 3, 1}, -0x1p-124, dtype);
        one.key.set({0, 0, 1, 0}, -0x1p-123);
        one.value = Tensor::from_vector(std::vector<float>{1, 2, 3}, {1, 1, 3, 1}).to(dtype);
        one.options.scale = 8;
        one.options.target = target->name;
        one.options.return_lse = true;
        for (const auto& check : {check_forward, check_weights, check_state}) {
          check(one);
          if (HasFatalFailure()) return;
        }
      }
    }
  }
}

/// A NaN of any bits makes its own row NaN, and no weight of another row; its masked keys have
/// weight 0. Row 0's scores are large.
TEST(Extreme, ANaNOfAnyBitsStaysInItsRow) {
  for (const Target* target : usable_targets()) {
    for (const DType dtype : {DType::float32, DType::bfloat16, DType::float16}) {
      for (const std::uint32_t bits : {0x7fc00000U, 0x7fffffffU, 0xffffffffU, 0xff800001U}) {
        Cases cases(5);
        Case one;
        one.query = cases.normal({1, 1, 40, 8}).to(dtype);
        one.key = cases.normal({1, 1, 70, 8}).to(dtype);
        one.value = cases.normal({1, 1, 70, 4}).to(dtype);
        one.options.bias = Tensor::zeros({40, 70});
        one.options.bias.slice(0, 0, 1).fill_(5000);
        one.options.bias.data<float>()[7 * 70 + 3] = std::bit_cast<float>(bits);
        one.options.mask = prefix(61);
        one.options.return_lse = one.options.return_weights = true;
        one.options.target = target->name;
        const AttentionResult got = attention(one.query, one.key, one.value, one.options);
        for (std::int64_t i = 0; i < 40; ++i) {
          ASSERT_EQ(std::isnan(got.output.at({0, 0, i, 0})), i == 7) << target->name << " " << i;
          ASSERT_EQ(std::isnan(got.lse.at({0, 0, i})), i == 7) << target->name << " " << i;
          ASSERT_EQ(std::isnan(got.weights.at({0, 0, i, 0})), i == 7) << target->name << " " << i;
          for (std::int64_t j = 61; j < 70; ++j) ASSERT_EQ(got.weights.at({0, 0, i, j}), 0);
        }
      }
    }
  }
}

/// A row of K twice gives one score, wherever it stands: of equal weights the lower key comes
/// first, in rows that are computed once more because their sums overflow too.
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
      const double huge = dtype == DType::float64 ? 1.7e308 : 3e38;
      for (const Tensor& value : {key, Tensor::full({1, 1, 200, 1}, huge, DType::float64)}) {
        const Tensor keys =
            attention(query, key.to(dtype), value.to(dtype), options).statistics.top_k_keys;
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
}

}  // namespace
}  // namespace foveal
