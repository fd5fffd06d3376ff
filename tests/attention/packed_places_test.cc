// Packed sequences with places, lengths and terms of their own: each is what it is alone, and what
// the formula gives with its places written out as a bias.

#include <gtest/gtest.h>

#include <limits>

#include "attention/naive.h"
#include "attention/shard_cases.h"
#include "case_count.h"
#include "kernels/targets/registry.h"

namespace foveal {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr std::int64_t kHeads = 4;

struct PackedCase {
  BackwardCase whole;
  /// Whether a key at place j is seen from place i.
  std::function<bool(std::int64_t i, std::int64_t j)> seen;

  std::size_t count() const { return whole.forward.options.key_lengths.size(); }
  Rows queries(std::size_t n) const {
    const Numbers& starts = whole.forward.options.query_starts;
    return {starts[n], starts[n + 1]};
  }
  /// Those that it has: rows past its length are nobody's.
  Rows keys(std::size_t n) const {
    const AttentionOptions& options = whole.forward.options;
    return {options.key_starts[n], options.key_starts[n] + options.key_lengths[n]};
  }

  BackwardCase alone(std::size_t n) const {
    const auto& [query, key, value, all] = whole.forward;
    BackwardCase one{
        {rows_of(query, queries(n)), rows_of(key, keys(n)), rows_of(value, keys(n)), all},
        rows_of(whole.grad_output, queries(n))};
    AttentionOptions& options = one.forward.options;
    options.query_starts = options.key_starts = options.key_lengths = options.query_offsets = {};
    options.query_offset = all.query_offsets[n];
    options.statistics.rows = {};
    return one;
  }

  /// Sequence n without places: what mask and ALiBi make of them is a bias.
  BackwardCase formula(std::size_t n) const {
    BackwardCase one = alone(n);
    AttentionOptions& options = one.forward.options;
    const std::int64_t query_count = queries(n).count(), key_count = keys(n).count();
    Tensor bias = Tensor::zeros({1, kHeads, query_count, key_count}, DType::float64);
    double* number = bias.data<double>();
    for (std::int64_t h = 0; h < kHeads; ++h) {
      const double slope = options.alibi_slopes.defined() ? options.alibi_slopes.at({h}) : 0;
      for (std::int64_t i = *options.query_offset; i < *options.query_offset + query_count; ++i) {
        for (std::int64_t j = options.key_offset; j < options.key_offset + key_count; ++j) {
          *number++ = seen(i, j) ? -slope * std::fabs(static_cast<double>(i - j)) : -kInfinity;
        }
      }
    }
    options.bias = bias;
    options.mask = none();
    options.alibi_slopes = {};
    options.query_offset = {};
    options.key_offset = 0;
    return one;
  }
};

void choose_mask(Cases& cases, PackedCase& packed) {
  Mask& mask = packed.whole.forward.options.mask;
  const std::int64_t left = cases.number(0, 60);
  switch (cases.number(0, 3)) {
    case 0:
      packed.seen = [](std::int64_t, std::int64_t) { return true; };
      return;
    case 1:
      mask = causal();
      packed.seen = [](std::int64_t i, std::int64_t j) { return j <= i; };
      return;
    case 2:
      mask = window(left, 9);
      packed.seen = [left](std::int64_t i, std::int64_t j) { return i - left <= j && j <= i + 9; };
      return;
    default:
      mask = causal() & window(left, -1);
      packed.seen = [left](std::int64_t i, std::int64_t j) { return i - left <= j && j <= i; };
  }
}

PackedCase make_packed(unsigned seed, DType dtype) {
  Cases cases(seed);
  PackedCase packed;
  auto& [query, key, value, options] = packed.whole.forward;
  options.query_starts = options.key_starts = {0};
  for (std::int64_t n = cases.number(1, 4); n > 0; --n) {
    options.query_starts.push_back(options.query_starts.back() + cases.number(0, 70));
    const std::int64_t rows = cases.number(0, 130);
    options.key_starts.push_back(options.key_starts.back() + rows);
    options.key_lengths.push_back(cases.chance(20) ? rows : cases.number(0, rows));
    options.query_offsets.push_back(cases.number(0, 140));
  }
  options.key_offset = cases.number(0, 5);
  choose_mask(cases, packed);
  if (cases.chance(50)) options.alibi_slopes = abs(cases.normal({kHeads}, 0.1)).to(dtype);
  if (cases.chance(50)) options.sinks = cases.normal({kHeads}).to(dtype);
  if (cases.chance(50)) options.softcap = 1.5;
  options.gradients = {false, options.sinks.defined(), options.alibi_slopes.defined()};
  options.return_lse = true;
  options.return_weights = cases.chance(30);
  options.statistics = {static_cast<int>(cases.pick({1, 3, 200})), true, true, true, {}};
  const std::int64_t queries = options.query_starts.back(), keys = options.key_starts.back();
  if (queries > 0) options.statistics.rows = {queries - 1, queries / 2, 0};
  query = cases.normal({1, kHeads, queries, 16}).to(dtype);
  key = cases.normal({1, 2, keys, 16}).to(dtype);
  value = cases.normal({1, 2, keys, 8}).to(dtype);
  packed.whole.grad_output = cases.normal({1, kHeads, queries, 8}).to(dtype);
  return packed;
}

/// Keys of one sequence as they are counted through the batch; -1 stays.
Tensor counted_from(const Tensor& keys, std::int64_t first) {
  Tensor counted = keys.clone();
  auto* key = counted.data<std::int64_t>();
  for (std::int64_t n = 0; n < counted.element_count(); ++n) {
    if (key[n] >= 0) key[n] += first;
  }
  return counted;
}

/// What of (1, H, L_q, all keys) isn't of these keys is 0.
void expect_zeros_beside(const Tensor& weights, const Rows& keys) {
  for (const Tensor& side :
       {weights.slice(3, 0, keys.first), weights.slice(3, keys.last, weights.size(3))}) {
    for (const double number : side.to_vector()) ASSERT_EQ(number, 0);
  }
}

void expect_statistics_alone(const PackedCase& packed, std::size_t n, const AttentionResult& whole,
                             const AttentionResult& own) {
  const Rows queries = packed.queries(n), keys = packed.keys(n);
  const Statistics &all = whole.statistics, &s = own.statistics;
  EXPECT_TRUE(equal(rows_of(all.top_k_keys, queries), counted_from(s.top_k_keys, keys.first)));
  EXPECT_TRUE(equal(rows_of(all.top_k_weights, queries), s.top_k_weights));
  EXPECT_TRUE(equal(rows_of(all.entropy, queries), s.entropy));
  EXPECT_TRUE(equal(rows_of(all.maximum, queries), s.maximum));
  EXPECT_TRUE(equal(rows_of(all.column_mass, keys), s.column_mass));
  if (!whole.weights.defined()) return;
  const Tensor weights = rows_of(whole.weights, queries);
  EXPECT_TRUE(equal(weights.slice(3, keys.first, keys.last), own.weights));
  expect_zeros_beside(weights, keys);
}

TEST(PackedPlaces, AreThoseOfEachSequence) {
  for (unsigned seed = 0; seed < case_count(30); ++seed) {
    const DType dtypes[] = {DType::float32, DType::float64, DType::bfloat16};
    const PackedCase packed = make_packed(seed, dtypes[seed % 3]);
    const auto& [query, key, value, options] = packed.whole.forward;
    SCOPED_TRACE("seed " + std::to_string(seed) + ": " + to_string(options.mask));
    const AttentionResult whole = attention(query, key, value, options);
    for (std::size_t n = 0; n < packed.count(); ++n) {
      SCOPED_TRACE("sequence " + std::to_string(n));
      const BackwardCase one = packed.alone(n);
      const AttentionResult own =
          attention(one.forward.query, one.forward.key, one.forward.value, one.forward.options);
      const Rows queries = packed.queries(n);
      EXPECT_TRUE(equal(rows_of(whole.output, queries), own.output));
      EXPECT_TRUE(equal(rows_of(whole.lse, queries), own.lse));
      expect_statistics_alone(packed, n, whole, own);
    }
    if (HasFatalFailure() || HasNonfatalFailure()) return;
  }
}

constexpr double kUnit = 0x1p-42;

/// Keys of weights that aren't 0, the heaviest first.
std::vector<std::size_t> falling_keys(const std::vector<double>& weights) {
  std::vector<std::size_t> keys;
  for (std::size_t j = 0; j < weights.size(); ++j) {
    if (weights[j] > 0) keys.push_back(j);
  }
  std::sort(keys.begin(), keys.end(),
            [&](std::size_t a, std::size_t b) { return weights[a] > weights[b]; });
  return keys;
}

/// The k largest of a row's weights, whose first key is `first_key` of the batch.
void expect_top(const std::vector<double>& weights, std::int64_t first_key, const double* top_keys,
                const double* top, std::size_t k) {
  const std::vector<std::size_t> falling = falling_keys(weights);
  for (std::size_t at = 0; at < k; ++at) {
    const bool is_left = at < falling.size();
    const double key =
        is_left ? static_cast<double>(first_key) + static_cast<double>(falling[at]) : -1;
    ASSERT_EQ(top_keys[at], key) << "place " << at;
    ASSERT_NEAR(top[at], is_left ? weights[falling[at]] : 0, kUnit);
  }
}

double entropy_of(const std::vector<double>& weights) {
  double sum = 0;
  for (const double p : weights) sum -= p == 0 ? 0 : p * std::log(p);
  return sum;
}

/// What is gathered of sequence n against the formula's weights, (1, H, L_q, L_k).
void expect_statistics(const PackedCase& packed, std::size_t n, const Statistics& all,
                       const Tensor& formula) {
  const Rows queries = packed.queries(n), keys = packed.keys(n);
  expect_close(rows_of(all.column_mass, keys), sum(formula, 2), 256 * kUnit, "column mass");
  const std::vector<double> weights = formula.to_vector();
  const std::vector<double> entropy = rows_of(all.entropy, queries).to_vector(),
                            maximum = rows_of(all.maximum, queries).to_vector(),
                            top_keys = rows_of(all.top_k_keys, queries).to_vector(),
                            top = rows_of(all.top_k_weights, queries).to_vector();
  const auto k = static_cast<std::size_t>(all.top_k_keys.size(3));
  for (std::size_t row = 0; row < entropy.size(); ++row) {
    SCOPED_TRACE("row " + std::to_string(row));
    const auto first = weights.begin() + static_cast<std::int64_t>(row) * keys.count();
    const std::vector<double> own(first, first + keys.count());
    ASSERT_NEAR(entropy[row], entropy_of(own), 16 * kUnit);
    ASSERT_NEAR(maximum[row], own.empty() ? 0 : *std::max_element(own.begin(), own.end()), kUnit);
    expect_top(own, keys.first, top_keys.data() + row * k, top.data() + row * k, k);
    if (testing::Test::HasFatalFailure()) return;
  }
}

/// Rows asked for that are of sequence n.
void expect_rows(const PackedCase& packed, std::size_t n, const Tensor& rows,
                 const Tensor& formula) {
  const Rows queries = packed.queries(n), keys = packed.keys(n);
  const Numbers& asked = packed.whole.forward.options.statistics.rows;
  for (std::size_t at = 0; at < asked.size(); ++at) {
    if (asked[at] < queries.first || asked[at] >= queries.last) continue;
    const auto place = static_cast<std::int64_t>(at);
    const std::int64_t row = asked[at] - queries.first;
    const Tensor got = rows.slice(2, place, place + 1);
    expect_close(got.slice(3, keys.first, keys.last), formula.slice(2, row, row + 1), kUnit,
                 "rows");
    expect_zeros_beside(got, keys);
  }
}

/// The slopes' gradient, from that of the bias which the slopes were written out as.
Tensor slope_gradient(const PackedCase& packed, std::size_t n, const Tensor& bias) {
  const AttentionOptions& options = packed.whole.forward.options;
  Tensor slopes = Tensor::zeros({kHeads}, DType::float64);
  const double* number = bias.data<double>();
  for (std::int64_t h = 0; h < kHeads; ++h) {
    for (std::int64_t i = 0; i < packed.queries(n).count(); ++i) {
      for (std::int64_t j = 0; j < packed.keys(n).count(); ++j) {
        const std::int64_t apart = options.query_offsets[n] + i - options.key_offset - j;
        slopes.data<double>()[h] -= std::fabs(static_cast<double>(apart)) * *number++;
      }
    }
  }
  return slopes;
}

/// What the formula gives for each sequence.
struct Formula {
  NaiveResult forward;
  NaiveGradients gradients;
};

std::vector<Formula> formulas_of(const PackedCase& packed) {
  std::vector<Formula> formulas;
  for (std::size_t n = 0; n < packed.count(); ++n) {
    const BackwardCase one = packed.formula(n);
    const auto& [query, key, value, options] = one.forward;
    formulas.push_back({naive_attention(query, key, value, options),
                        naive_gradients(one.grad_output, query, key, value, options)});
  }
  return formulas;
}

void expect_results(const PackedCase& packed, std::size_t n, const AttentionResult& whole,
                    const NaiveResult& want) {
  SCOPED_TRACE("sequence " + std::to_string(n));
  expect_close(rows_of(whole.output, packed.queries(n)), want.output, kUnit, "output");
  expect_close(rows_of(whole.lse, packed.queries(n)), want.lse, 16 * kUnit, "lse");
  expect_statistics(packed, n, whole.statistics, want.weights);
  if (whole.statistics.rows.defined()) {
    expect_rows(packed, n, whole.statistics.rows, want.weights);
  }
}

/// The packed gradients against those of each sequence; what the sequences share is summed.
void expect_gradients(const PackedCase& packed, const AttentionGradients& got,
                      const std::vector<Formula>& formulas) {
  const auto& [query, key, value, options] = packed.whole.forward;
  Tensor k = Tensor::zeros(key.shape(), DType::float64);
  Tensor v = Tensor::zeros(value.shape(), DType::float64);
  Tensor sinks = Tensor::zeros({kHeads}, DType::float64), slopes = sinks.clone();
  for (std::size_t n = 0; n < packed.count(); ++n) {
    const NaiveGradients& want = formulas[n].gradients;
    expect_close(rows_of(got.q, packed.queries(n)), want.q, kUnit * (1 + largest(want.q)), "q");
    rows_of(k, packed.keys(n)).copy_(want.k);
    rows_of(v, packed.keys(n)).copy_(want.v);
    if (want.sinks.defined()) sinks = sinks + want.sinks;
    slopes = slopes + slope_gradient(packed, n, want.bias);
  }
  expect_close(got.k, k, kUnit * (1 + largest(k)), "k");  // 0 past each length
  expect_close(got.v, v, kUnit * (1 + largest(v)), "v");
  ASSERT_EQ(got.sinks.defined(), options.sinks.defined());
  if (got.sinks.defined()) expect_close(got.sinks, sinks, kUnit * (1 + largest(sinks)), "sinks");
  ASSERT_EQ(got.alibi_slopes.defined(), options.alibi_slopes.defined());
  if (!got.alibi_slopes.defined()) return;
  expect_close(got.alibi_slopes, slopes, 64 * kUnit * (1 + largest(slopes)), "slopes");
}

TEST(PackedPlaces, EqualTheFormula) {
  for (unsigned seed = 0; seed < case_count(12); ++seed) {
    PackedCase packed = make_packed(seed + 100, DType::float64);
    auto& [query, key, value, options] = packed.whole.forward;
    const std::vector<Formula> formulas = formulas_of(packed);
    for (const Target* target : usable_targets()) {
      options.target = target->name;
      SCOPED_TRACE("seed " + std::to_string(seed) + " " + target->name + ": " +
                   to_string(options.mask));
      const AttentionResult whole = attention(query, key, value, options);
      for (std::size_t n = 0; n < packed.count(); ++n) {
        expect_results(packed, n, whole, formulas[n].forward);
      }
      expect_gradients(
          packed, attention_backward(packed.whole.grad_output, query, key, value, whole, options),
          formulas);
      if (HasFatalFailure() || HasNonfatalFailure()) return;
    }
  }
}

}  // namespace
}  // namespace foveal
