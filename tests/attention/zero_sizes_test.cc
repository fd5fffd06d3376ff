// Every size but D may be 0, alone and together: results and gradients are empty, or zeros.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "attention/backward_cases.h"
#include "attention/guarded.h"
#include "attention/naive.h"
#include "attention/shrink.h"
#include "case_count.h"
#include "errors.h"
#include "foveal/plan.h"
#include "kernels/targets/registry.h"

namespace foveal {
namespace {

std::int64_t size_or_zero(Cases& cases, std::initializer_list<std::int64_t> sizes) {
  return cases.chance(25) ? 0 : cases.pick(sizes);
}

/// A shape that broadcasts to `full`.
Shape broadcasting(Cases& cases, const Shape& full) {
  Shape shape;
  for (const std::int64_t size : full) shape.push_back(cases.chance(35) ? 1 : size);
  return shape;
}

Tensor bools(Cases& cases, const Shape& shape) { return gt(cases.normal(shape), 0.0); }

Mask mask_for(Cases& cases, std::int64_t batch, std::int64_t keys, const Shape& scores) {
  std::vector<std::int64_t> lengths;
  for (std::int64_t b = 0; b < batch; ++b) lengths.push_back(cases.number(0, keys));
  const auto count = static_cast<std::size_t>(keys);
  std::vector<std::vector<std::int64_t>> ids(static_cast<std::size_t>(batch),
                                             std::vector<std::int64_t>(count));
  for (auto& list : ids) {
    for (auto& id : list) id = cases.number(0, 2);
  }
  switch (cases.number(0, 7)) {
    case 0:
      return causal(Corner::bottom_right);
    case 1:
      return padding(lengths);
    case 2:
      return document(ids) | (!causal(Corner::top_left));
    case 3:
      return dense(bools(cases, broadcasting(cases, scores)));
    case 4:
      return dense(bools(cases, scores)) & window(3, -1);
    case 5:
      return document(std::vector<std::int64_t>(count, 1)) & prefix(keys);
    default:
      return none();
  }
}

BackwardCase zero_case(unsigned seed, DType dtype) {
  Cases cases(seed);
  const std::int64_t batch = size_or_zero(cases, {1, 2}), kv = size_or_zero(cases, {1, 2});
  const std::int64_t heads = kv * (cases.chance(80) ? cases.pick({1, 3}) : 0);
  const std::int64_t queries = size_or_zero(cases, {1, 2, 17, 70}),
                     keys = size_or_zero(cases, {1, 5, 64, 90});
  const std::int64_t d = cases.pick({1, 8, 20}), dv = size_or_zero(cases, {1, 8, 33});
  const Shape scores{batch, heads, queries, keys};
  BackwardCase one;
  one.forward = {cases.normal({batch, heads, queries, d}).to(dtype),
                 cases.normal({batch, kv, keys, d}).to(dtype),
                 cases.normal({batch, kv, keys, dv}).to(dtype),
                 {}};
  one.grad_output = cases.normal({batch, heads, queries, dv}).to(dtype);
  AttentionOptions& options = one.forward.options;
  options.mask = mask_for(cases, batch, keys, scores);
  options.return_lse = true;
  if (cases.chance(40)) options.bias = cases.normal(broadcasting(cases, scores)).to(dtype);
  if (cases.chance(40)) options.alibi_slopes = abs(cases.normal({heads}));
  if (cases.chance(40)) options.sinks = cases.normal({heads});
  if (cases.chance(30)) options.softcap = 5;
  if (cases.chance(40)) options.dropout = 0.3;
  if (cases.chance(30)) options.dropout_mask = bools(cases, broadcasting(cases, scores));
  options.gradients = {options.bias.defined(), options.sinks.defined(),
                       options.alibi_slopes.defined()};
  return one;
}

/// The helpers divide by H_kv: without KV heads there are no heads, and any one KV head will do.
BackwardCase with_a_kv_head(BackwardCase one) {
  if (one.forward.key.size(1) > 0) return one;
  for (Tensor* tensor : {&one.forward.key, &one.forward.value}) {
    Shape shape = tensor->shape();
    shape[1] = 1;
    *tensor = Tensor::zeros(shape, tensor->dtype());
  }
  return one;
}

double unit_of(DType dtype) {
  if (dtype == DType::float64) return 0x1p-44;
  return dtype == DType::float32 ? 0x1p-16 : 0x1p-5;
}

void expect_naive_gradients(const BackwardCase& one, const AttentionGradients& got, double unit) {
  const auto& [query, key, value, options] = one.forward;
  ASSERT_EQ(got.q.shape(), query.shape());
  ASSERT_EQ(got.k.shape(), key.shape());
  ASSERT_EQ(got.v.shape(), value.shape());
  const BackwardCase given = with_a_kv_head(one);
  const auto want = named(naive_gradients(given.grad_output, given.forward.query, given.forward.key,
                                          given.forward.value, options));
  const auto have = named(got);
  const std::vector<double> terms = term_sizes(given);
  for (std::size_t n = 0; n < have.size(); ++n) {
    if (!have[n].second.defined()) continue;
    if (have[n].second.element_count() == 0) continue;
    const double size = std::max(1 + largest(want[n].second), terms[n] / 16);
    expect_close(have[n].second, want[n].second, 8 * unit * size, have[n].first);
  }
}

void check_call(const BackwardCase& one) {
  const auto& [query, key, value, options] = one.forward;
  const double unit = unit_of(query.dtype());
  const BackwardCase given = with_a_kv_head(one);
  const NaiveResult want =
      naive_attention(given.forward.query, given.forward.key, given.forward.value, options);
  const AttentionResult got = attention(query, key, value, options);
  const double size = 1 + largest(want.output);
  expect_close(got.output, want.output, unit * size, "output");
  expect_close(got.lse, want.lse, unit * (1 + largest(want.lse)), "lse");
  const AttentionResult state =
      finish(merge(attention_state(query, key, value, options),
                   attention_state(query, key.slice(2, 0, 0), value.slice(2, 0, 0))));
  if (!options.sinks.defined()) {
    expect_close(state.output, want.output, unit * size, "output of a state");
  }
  expect_naive_gradients(one, attention_backward(one.grad_output, query, key, value, got, options),
                         unit);
}

void check_statistics(const BackwardCase& one) {
  const auto& [query, key, value, plain] = one.forward;
  AttentionOptions options = plain;
  options.return_weights = true;
  options.statistics = {2, true, true, true, {}};
  if (query.size(2) > 0) options.statistics.rows = {0};
  const BackwardCase given = with_a_kv_head(one);
  const NaiveResult want =
      naive_attention(given.forward.query, given.forward.key, given.forward.value, options);
  const AttentionResult got = attention(query, key, value, options);
  const std::int64_t batch = query.size(0), heads = query.size(1), queries = query.size(2),
                     keys = key.size(2);
  const double unit = unit_of(query.dtype());
  expect_close(got.weights, want.weights, unit, "weights");
  expect_close(got.statistics.column_mass, sum(want.weights, 2), unit * 100, "column mass");
  EXPECT_EQ(got.statistics.top_k_keys.shape(), (Shape{batch, heads, queries, 2}));
  EXPECT_EQ(got.statistics.maximum.shape(), (Shape{batch, heads, queries}));
  EXPECT_TRUE(keys > 0 || largest(got.statistics.entropy) == 0);
}

void check_plan(const BackwardCase& one) {
  const auto& [query, key, value, options] = one.forward;
  const Plan plan =
      plan_attention(query.shape(), key.shape(), value.shape(), query.dtype(), options);
  EXPECT_NE(plan.explain().find("L_q"), std::string::npos);
  const auto json = nlohmann::json::parse(plan.to_json());
  const std::int64_t pairs = query.size(0) * query.size(1) * query.size(2) * key.size(2);
  EXPECT_EQ(json["work"]["pairs_without_mask"], pairs);
  EXPECT_TRUE(pairs > 0 || json["work"]["pairs_done"] == 0);
}

void for_each_case(unsigned percent, const std::function<void(const BackwardCase&)>& check) {
  const DType dtypes[] = {DType::float32, DType::float64, DType::bfloat16, DType::float16};
  for (const Target* target : usable_targets()) {
    for (unsigned seed = 0; seed < case_count(percent); ++seed) {
      BackwardCase one = zero_case(seed, dtypes[seed % 4]);
      one.forward.options.target = target->name;
      SCOPED_TRACE("seed " + std::to_string(seed) + ": " + describe(one.forward));
      check(one);
      if (::testing::Test::HasFatalFailure() || ::testing::Test::HasNonfatalFailure()) return;
    }
  }
}

TEST(ZeroSizes, GiveTheFormulasResultsAndGradients) { for_each_case(100, check_call); }

TEST(ZeroSizes, StayWithinTheirArrays) {
  for (const Guard guard : {Guard::before, Guard::after}) {
    for_each_case(20, [guard](BackwardCase one) {
      AttentionOptions& options = one.forward.options;
      for (Tensor* tensor : {&one.forward.query, &one.forward.key, &one.forward.value,
                             &one.grad_output, &options.bias, &options.dropout_mask}) {
        if (tensor->defined()) *tensor = guarded(*tensor, guard);
      }
      check_call(one);
      check_statistics(one);
    });
  }
}

TEST(ZeroSizes, GiveStatistics) { for_each_case(40, check_statistics); }

TEST(ZeroSizes, GiveAPlanThatCountsNothing) { for_each_case(40, check_plan); }

/// Packed sequences, some or all of which are empty, against each alone.
void check_packed(unsigned seed) {
  Cases cases(seed);
  const std::int64_t count = size_or_zero(cases, {1, 3}), heads = size_or_zero(cases, {2, 4});
  std::vector<std::int64_t> queries{0}, keys{0};
  for (std::int64_t n = 0; n < count; ++n) {
    queries.push_back(queries.back() + size_or_zero(cases, {1, 2, 40}));
    keys.push_back(keys.back() + size_or_zero(cases, {1, 30, 70}));
  }
  const Tensor query = cases.normal({1, heads, queries.back(), 8}).to(DType::float32);
  const Tensor key = cases.normal({1, heads / 2, keys.back(), 8}).to(DType::float32);
  const Tensor grad_output = cases.normal(query.shape()).to(DType::float32);
  AttentionOptions alone{.mask = causal(Corner::bottom_right)};
  alone.return_lse = alone.return_weights = true;
  alone.sinks = cases.normal({heads});
  AttentionOptions packed = alone;
  packed.query_starts = queries;
  packed.key_starts = keys;
  SCOPED_TRACE("seed " + std::to_string(seed));
  const AttentionResult whole = attention(query, key, key, packed);
  const AttentionGradients gradients =
      attention_backward(grad_output, query, key, key, whole, packed);
  ASSERT_EQ(whole.output.shape(), query.shape());
  ASSERT_EQ(gradients.k.shape(), key.shape());
  EXPECT_FALSE(plan_attention(query.shape(), key.shape(), key.shape(), query.dtype(), packed)
                   .to_json()
                   .empty());
  for (std::size_t n = 0; n + 1 < queries.size(); ++n) {
    const auto of = [n](const Tensor& tensor, const std::vector<std::int64_t>& starts) {
      return tensor.slice(2, starts[n], starts[n + 1]).contiguous();
    };
    const Tensor q = of(query, queries), k = of(key, keys), g = of(grad_output, queries);
    const AttentionResult one = attention(q, k, k, alone);
    const AttentionGradients own = attention_backward(g, q, k, k, one, alone);
    EXPECT_TRUE(equal(of(whole.output, queries), one.output)) << n;
    EXPECT_TRUE(equal(of(whole.lse, queries), one.lse)) << n;
    EXPECT_TRUE(equal(of(gradients.q, queries), own.q)) << n;
    EXPECT_TRUE(equal(of(gradients.k, keys), own.k)) << n;
    EXPECT_TRUE(equal(of(gradients.v, keys), own.v)) << n;
  }
}

TEST(ZeroSizes, OfPackedSequencesAreThoseOfEachAlone) {
  for (unsigned seed = 0; seed < case_count(40); ++seed) {
    check_packed(seed);
    if (HasFatalFailure() || HasNonfatalFailure()) return;
  }
}

TEST(ZeroSizes, OfABatchOrHeadsNeedNoTimeForTheOtherSizes) {
  constexpr std::int64_t kHuge = std::int64_t{1} << 40;
  for (const Shape& query : {Shape{0, 2, kHuge, 8}, Shape{2, 0, kHuge, 8}}) {
    Shape key = query;
    key[1] = 2;
    const Plan plan =
        plan_attention(query, key, key, DType::float32, {.mask = causal() & !window(3, 0)});
    EXPECT_NE(plan.explain().find("0 full, 0 partial"), std::string::npos) << plan.explain();
  }
}

TEST(ZeroSizes, OfAHeadIsRefused) {
  const Tensor x = Tensor::zeros({1, 1, 3, 0}), v = Tensor::zeros({1, 1, 3, 4});
  EXPECT_NE(message_of([&] { attention(x, x, v); }).find("head size (axis 3)"), std::string::npos);
}

TEST(ZeroSizes, AreNothingToTheLinter) {
  const Tensor no_heads = Tensor::zeros({1, 0, 4, 4}, DType::boolean);
  EXPECT_TRUE(lint(dense(no_heads) & causal(), 1, 4, 4).empty());
  EXPECT_TRUE(lint(document(std::vector<std::vector<std::int64_t>>{}), 0, 4, 4).empty());
  for (std::int64_t keys : {0, 4}) EXPECT_TRUE(lint(causal(Corner::top_left), 2, 0, keys).empty());
}

}  // namespace
}  // namespace foveal
