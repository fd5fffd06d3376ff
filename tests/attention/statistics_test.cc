// Weights and statistics against the formula in float64, and against one another.

#include <algorithm>
#include <limits>
#include <set>

#include "attention/cases.h"
#include "attention/naive.h"
#include "attention/plan/problem.h"
#include "case_count.h"
#include "foveal/error.h"
#include "foveal/threads.h"
#include "kernels/targets/registry.h"

namespace foveal {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

void ask_for_all(AttentionOptions& options, std::int64_t queries, int k) {
  options.return_weights = true;
  options.statistics = {k, true, true, true, {}};
  if (queries > 0) options.statistics.rows = {queries - 1, 0, queries / 2, 0};
}

/// One row: its weights, the scores in float64 (-inf where a key isn't seen), and how far a weight
/// may be off.
struct Row {
  const double* weights;
  const double* scores;
  std::int64_t keys;
  double tolerance;

  double off(double weight) const { return tolerance * (weight + 1e-9); }
};

/// The keys are k different ones that are seen, of falling weights, none of the others heavier.
void expect_top(const Row& row, const double* keys, const double* weights, std::int64_t k) {
  std::set<std::int64_t> left;
  for (std::int64_t j = 0; j < row.keys; ++j) {
    if (row.scores[j] != -kInfinity) left.insert(j);
  }
  for (std::int64_t n = 0; n < k; ++n) {
    if (left.empty()) {
      ASSERT_EQ(keys[n], -1);
      ASSERT_EQ(weights[n], 0);
      continue;
    }
    ASSERT_EQ(left.erase(static_cast<std::int64_t>(keys[n])), 1U) << "place " << n;
    const double weight = row.weights[static_cast<std::int64_t>(keys[n])];
    ASSERT_NEAR(weights[n], weight, row.off(weight));
    for (std::int64_t other : left) {
      ASSERT_LE(row.weights[other], weight + row.off(weight)) << "key " << other;
    }
  }
}

/// What is gathered must be what the weights say, but for rounding.
void expect_consistent(const Case& one, const AttentionResult& got, const NaiveResult& want,
                       double tolerance) {
  const std::int64_t keys = one.key.size(2), queries = one.query.size(2),
                     k = one.options.statistics.top_k;
  const Statistics& s = got.statistics;
  const std::vector<double> weights = got.weights.to_vector(), scores = want.scores.to_vector();
  const std::vector<double> top_keys = s.top_k_keys.to_vector(), top = s.top_k_weights.to_vector();
  const std::vector<double> maximum = s.maximum.to_vector(), entropy = s.entropy.to_vector();
  std::vector<double> mass(static_cast<std::size_t>(s.column_mass.element_count()));
  for (std::size_t n = 0; n < maximum.size(); ++n) {
    const std::size_t first = n * static_cast<std::size_t>(keys);
    const Row row{weights.data() + first, scores.data() + first, keys, tolerance};
    const std::size_t place = n * static_cast<std::size_t>(k);
    expect_top(row, top_keys.data() + place, top.data() + place, k);
    if (testing::Test::HasFatalFailure()) return;
    double most = 0, sum = 0;
    for (std::int64_t j = 0; j < keys; ++j) {
      const double p = row.weights[j];
      most = std::max(most, p);
      if (p > 0) sum -= p * std::log(p);
      mass[n / static_cast<std::size_t>(queries) * static_cast<std::size_t>(keys) +
           static_cast<std::size_t>(j)] += p;
    }
    ASSERT_NEAR(maximum[n], most, row.off(most));
    ASSERT_NEAR(entropy[n], std::max(sum, 0.0), (1e-5 + tolerance) * (1 + sum));
  }
  const std::vector<double> got_mass = s.column_mass.to_vector();
  for (std::size_t n = 0; n < mass.size(); ++n)
    ASSERT_NEAR(got_mass[n], mass[n], 1e-5 * (1 + mass[n]));
  for (std::size_t n = 0; n < one.options.statistics.rows.size(); ++n) {
    const Tensor row =
        got.weights.slice(2, one.options.statistics.rows[n], one.options.statistics.rows[n] + 1);
    ASSERT_TRUE(
        equal(s.rows.slice(2, static_cast<std::int64_t>(n), static_cast<std::int64_t>(n) + 1)
                  .contiguous(),
              row.contiguous()));
  }
}

void run_cases(const std::string& target, DType dtype, double unit, unsigned count) {
  for (unsigned seed = 0; seed < count; ++seed) {
    Cases cases(seed);
    Case one = make_case(cases, dtype);
    one.options.target = target;
    one.options.return_lse = cases.chance(50);
    one.options.statistics.entropy = true;
    const AttentionResult first = attention(one.query, one.key, one.value, one.options);
    ask_for_all(one.options, one.query.size(2), static_cast<int>(cases.pick({1, 2, 5, 300})));
    SCOPED_TRACE(target + " case " + std::to_string(seed));
    const AttentionResult got = attention(one.query, one.key, one.value, one.options);
    const NaiveResult want = naive_attention(one.query, one.key, one.value, one.options);
    expect_close(got.weights, want.weights, unit * (32 + 2 * score_size(one, want.scores)),
                 "weights");
    if (testing::Test::HasFatalFailure()) return;
    expect_consistent(one, got, want, unit * (32 + 2 * score_size(one, want.scores)));
    if (testing::Test::HasFatalFailure()) return;
    ASSERT_TRUE(equal(got.output, first.output)) << "a second pass must not change the first";
    ASSERT_TRUE(equal(got.statistics.entropy, first.statistics.entropy));
    ASSERT_EQ(got.lse.defined(), one.options.return_lse);
  }
}

TEST(Statistics, EqualTheFormulaOnEveryTarget) {
  for (const Target* target : usable_targets()) {
    run_cases(target->name, DType::float32, 0x1p-22, case_count(20));
    if (HasFatalFailure()) return;
    run_cases(target->name, DType::float64, 0x1p-50, case_count(10));
    if (HasFatalFailure()) return;
    run_cases(target->name, DType::bfloat16, 0x1p-22, case_count(7));
    if (HasFatalFailure()) return;
  }
}

TEST(Statistics, SameBitsForAnyNumberOfThreads) {
  const int before = num_threads();
  for (unsigned seed = 0; seed < case_count(4); ++seed) {
    Cases cases(seed);
    Case one = make_case(cases, DType::float32);
    ask_for_all(one.options, one.query.size(2), 3);
    set_num_threads(1);
    const AttentionResult first = attention(one.query, one.key, one.value, one.options);
    for (int threads : {2, 3, 8}) {
      set_num_threads(threads);
      const AttentionResult again = attention(one.query, one.key, one.value, one.options);
      EXPECT_TRUE(equal(again.weights, first.weights));
      EXPECT_TRUE(equal(again.statistics.column_mass, first.statistics.column_mass));
      EXPECT_TRUE(equal(again.statistics.entropy, first.statistics.entropy));
      EXPECT_TRUE(equal(again.statistics.top_k_keys, first.statistics.top_k_keys));
    }
  }
  set_num_threads(before);
}

TEST(Statistics, TiesGoToTheLowerKeyAndMissingOnesAreMinusOne) {
  const Tensor query = Tensor::zeros({1, 1, 4, 8}), key = Tensor::zeros({1, 1, 4, 8});
  AttentionOptions options{.mask = causal()};
  options.statistics.top_k = 3;
  const Statistics s = attention(query, key, key, options).statistics;
  EXPECT_EQ(s.top_k_keys.to_vector(), (std::vector<double>{0, -1, -1, 0, 1, -1, 0, 1, 2, 0, 1, 2}));
  EXPECT_EQ(s.top_k_weights.at({0, 0, 0, 1}), 0);
  EXPECT_FLOAT_EQ(static_cast<float>(s.top_k_weights.at({0, 0, 3, 2})), 0.25F);
  EXPECT_FALSE(s.entropy.defined());
}

TEST(Statistics, CountAKeyThatIsSeenButWeighsNothing) {
  const Tensor query = Tensor::ones({1, 1, 1, 1});
  const Tensor key = tensor({-1e6, 1.0, -1e6}).view({1, 1, 3, 1});
  AttentionOptions options{.scale = 1};
  options.bias = tensor({0.0, 0.0, -kInfinity});
  options.statistics.top_k = 3;
  const Statistics s = attention(query, key, key, options).statistics;
  EXPECT_EQ(s.top_k_keys.to_vector(), (std::vector<double>{1, 0, -1}));
  EXPECT_EQ(s.top_k_weights.to_vector(), (std::vector<double>{1, 0, 0}));
}

TEST(Statistics, AreZeroWhereEveryKeyIsMasked) {
  const Tensor query = Tensor::ones({1, 2, 3, 4}), key = Tensor::full({1, 1, 5, 4}, NAN);
  AttentionOptions options{.mask = padding(std::vector<std::int64_t>{0})};
  options.sinks = tensor({0.5, -1.0});
  ask_for_all(options, 3, 2);
  const AttentionResult r = attention(query, key, key, options);
  const Statistics& s = r.statistics;
  EXPECT_EQ(largest(r.weights), 0);
  for (const Tensor* zero :
       {&r.weights, &s.top_k_weights, &s.entropy, &s.maximum, &s.column_mass, &s.rows}) {
    EXPECT_TRUE(equal(*zero, Tensor::zeros(zero->shape())));
  }
  EXPECT_TRUE(equal(s.top_k_keys, Tensor::full({1, 2, 3, 2}, -1, DType::int64)));
}

TEST(Statistics, ANaNStaysInItsRow) {
  Cases cases(7);
  Tensor query = cases.normal({1, 1, 20, 8}).to(DType::float32);
  const Tensor key = cases.normal({1, 1, 30, 8}).to(DType::float32);
  query.set({0, 0, 3, 2}, NAN);
  AttentionOptions options;
  options.statistics = {2, true, true, false, {3, 4}};
  const Statistics s = attention(query, key, key, options).statistics;
  EXPECT_TRUE(std::isnan(s.entropy.at({0, 0, 3})) && std::isnan(s.maximum.at({0, 0, 3})));
  EXPECT_TRUE(std::isnan(s.rows.at({0, 0, 0, 29})) && std::isnan(s.top_k_weights.at({0, 0, 3, 0})));
  EXPECT_TRUE(std::isfinite(s.entropy.at({0, 0, 4})) && std::isfinite(s.rows.at({0, 0, 1, 29})));
}

TEST(Statistics, OfAPackedBatchAreThoseOfItsSequences) {
  Cases cases(11);
  const Tensor query = cases.normal({1, 2, 90, 16}).to(DType::float32);
  const Tensor key = cases.normal({1, 2, 100, 16}).to(DType::float32);
  AttentionOptions options{.mask = causal(Corner::bottom_right)};
  ask_for_all(options, 90, 4);
  AttentionOptions packed = options;
  packed.query_starts = {0, 20, 20, 90};
  packed.key_starts = {0, 25, 30, 100};
  const AttentionResult whole = attention(query, key, key, packed);
  for (std::size_t n = 0; n < 3; ++n) {
    const std::int64_t q0 = packed.query_starts[n], q1 = packed.query_starts[n + 1];
    const std::int64_t k0 = packed.key_starts[n], k1 = packed.key_starts[n + 1];
    options.statistics.rows = {};
    const Tensor keys = key.slice(2, k0, k1);
    const AttentionResult alone = attention(query.slice(2, q0, q1), keys, keys, options);
    EXPECT_TRUE(equal(whole.weights.slice(2, q0, q1).slice(3, k0, k1).contiguous(), alone.weights));
    EXPECT_TRUE(equal(whole.statistics.column_mass.slice(2, k0, k1).contiguous(),
                      alone.statistics.column_mass));
    EXPECT_TRUE(
        equal(whole.statistics.entropy.slice(2, q0, q1).contiguous(), alone.statistics.entropy));
    for (std::int64_t i = q0; i < q1; ++i) {
      const double found = whole.statistics.top_k_keys.at({0, 1, i, 0});
      const double own = alone.statistics.top_k_keys.at({0, 1, i - q0, 0});
      EXPECT_EQ(found, own < 0 ? -1 : own + static_cast<double>(k0));
    }
  }
  EXPECT_TRUE(equal(whole.statistics.rows.select(2, 0).contiguous(),
                    whole.weights.select(2, 89).contiguous()));
}

TEST(Statistics, OfARowWhoseMaximumRisesAgainAndAgain) {
  // Scores of -60, -50, ... 60: each tile of keys raises the maximum of the tiles before.
  const Tensor query = Tensor::ones({1, 1, 70, 1}, DType::float32);
  Tensor key = Tensor::zeros({1, 1, 64 * 13, 1}, DType::float32);
  for (std::int64_t j = 0; j < key.size(2); ++j) {
    key.set({0, 0, j, 0},
            static_cast<double>(j / 64 * 10 - 60) + 0.01 * static_cast<double>(j % 7));
  }
  AttentionOptions options{.scale = 1};
  ask_for_all(options, 70, 5);
  const Case one{query, key, key, options};
  const NaiveResult want = naive_attention(query, key, key, options);
  for (const Target* target : usable_targets()) {
    options.target = target->name;
    expect_consistent(one, attention(query, key, key, options), want, 1e-4);
    if (HasFatalFailure()) return;
  }
}

TEST(Statistics, StrictRefusesTheSecondPass) {
  const Tensor x = Tensor::ones({1, 1, 2, 2});
  AttentionOptions options;
  options.strict = true;
  EXPECT_NO_THROW(attention(x, x, x, options));
  EXPECT_THROW(attention(x.transpose(2, 3), x, x, options), Error);
  options.statistics.entropy = true;
  EXPECT_NO_THROW(attention(x, x, x, options));
  options.statistics.column_mass = true;
  EXPECT_THROW(attention(x, x, x, options), Error);
  options = {};
  options.statistics.rows = {2};
  EXPECT_THROW(attention(x, x, x, options), Error);
}

}  // namespace
}  // namespace foveal
