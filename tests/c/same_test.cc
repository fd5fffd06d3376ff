// foveal/c.h gives what the C++ functions give, to the bit, in memory of the caller's.

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <thread>

#include "attention/backward_cases.h"
#include "c/describe.h"
#include "case_count.h"
#include "foveal/error.h"
#include "foveal/plan.h"

namespace foveal {
namespace {

const DType kDtypes[] = {DType::float32, DType::float64, DType::bfloat16, DType::float16};

/// Memory of that shape and dtype, with the heads or the rows outermost.
Tensor room(const Tensor& like, bool rows_outermost) {
  if (!like.defined()) return {};
  Shape shape = like.shape();
  if (shape.size() != 4 || !rows_outermost) return Tensor::full(shape, 9, like.dtype());
  std::swap(shape[1], shape[2]);
  return Tensor::full(shape, 9, like.dtype()).transpose(1, 2);
}

AttentionResult room(const AttentionResult& like, bool rows_outermost) {
  const auto of = [&](const Tensor& tensor) { return room(tensor, rows_outermost); };
  const Statistics& s = like.statistics;
  return {of(like.output),
          of(like.lse),
          of(like.weights),
          {of(s.top_k_keys), of(s.top_k_weights), of(s.entropy), of(s.maximum), of(s.column_mass),
           of(s.rows)},
          {}};
}

void expect_same_bits(const Tensor& got, const Tensor& want, const char* name) {
  ASSERT_EQ(got.defined(), want.defined()) << name;
  if (!got.defined()) return;
  const std::vector<double> x = got.to_vector(), y = want.to_vector();
  ASSERT_EQ(x.size(), y.size()) << name;
  if (x.empty()) return;
  EXPECT_EQ(std::memcmp(x.data(), y.data(), x.size() * sizeof(double)), 0) << name;
}

void expect_same_bits(const AttentionResult& got, const AttentionResult& want) {
  const Statistics &a = got.statistics, &b = want.statistics;
  expect_same_bits(got.output, want.output, "output");
  expect_same_bits(got.lse, want.lse, "lse");
  expect_same_bits(got.weights, want.weights, "weights");
  expect_same_bits(a.top_k_keys, b.top_k_keys, "top_k_keys");
  expect_same_bits(a.top_k_weights, b.top_k_weights, "top_k_weights");
  expect_same_bits(a.entropy, b.entropy, "entropy");
  expect_same_bits(a.maximum, b.maximum, "maximum");
  expect_same_bits(a.column_mass, b.column_mass, "column_mass");
  expect_same_bits(a.rows, b.rows, "rows");
}

void expect_same_bits(const AttentionGradients& got, const AttentionGradients& want) {
  expect_same_bits(got.q, want.q, "query");
  expect_same_bits(got.k, want.k, "key");
  expect_same_bits(got.v, want.v, "value");
  expect_same_bits(got.bias, want.bias, "bias");
  expect_same_bits(got.sinks, want.sinks, "sinks");
  expect_same_bits(got.alibi_slopes, want.alibi_slopes, "alibi_slopes");
}

/// A call with a mask as C says it.
struct CCase {
  BackwardCase call;
  std::string mask;
  std::vector<Tensor> mask_tensors;

  explicit CCase(unsigned seed) {
    Cases cases(seed);
    call = make_backward_case(cases, kDtypes[seed % 4]);
    auto& [query, key, value, options] = call.forward;
    mask = to_string(options.mask);
    if (mask.find("tensor") != std::string::npos || seed % 5 == 0) {
      // All three kinds of tensors that a mask takes.
      const std::int64_t keys = key.size(2), batch = query.size(0);
      std::vector<std::int64_t> ids, lengths;
      for (std::int64_t j = 0; j < keys; ++j) ids.push_back(cases.number(0, 2));
      for (std::int64_t b = 0; b < batch; ++b) lengths.push_back(cases.number(0, keys));
      const Tensor visible = gt(cases.normal({query.size(1), query.size(2), keys}), -0.5);
      mask_tensors = {visible, Tensor::from_vector(lengths, {batch}),
                      Tensor::from_vector(ids, {keys})};
      mask = "dense(0) & padding(1) | document(2) & dense(0)";
      options.mask = (dense(mask_tensors[0]) & padding(mask_tensors[1])) |
                     (document(mask_tensors[2]) & dense(mask_tensors[0]));
    } else if (seed % 3 == 0) {
      options.key_lengths.assign(static_cast<std::size_t>(query.size(0)), key.size(2));
      options.query_offset = 3;
      options.key_offset = 2;
      options.mask = causal() & window(40, -1);
      mask = "causal() & window(40, -1)";
    }
    options.return_lse = true;
    if (seed % 7 != 0) return;
    options.return_weights = options.statistics.column_mass = options.statistics.entropy = true;
    options.statistics.maximum = true;
    options.statistics.top_k = 3;
    if (query.size(2) > 0) options.statistics.rows = {0, query.size(2) - 1};
  }
};

/// A backward of C's doesn't know what else the forward was asked for.
AttentionOptions without_statistics(AttentionOptions options) {
  options.return_weights = false;
  options.statistics = StatisticsOptions();
  return options;
}

class EveryCase : public testing::Test {
 protected:
  /// check(case, its options in C, seed); the descriptions of its tensors are in `with`.
  template <class Check>
  void for_each_case(unsigned percent, const Check& check) {
    for (unsigned seed = 0; seed < case_count(percent); ++seed) {
      SCOPED_TRACE("seed " + std::to_string(seed));
      const CCase one(seed);
      with = Descriptions();
      const foveal_options options =
          with.options(one.call.forward.options, one.mask.c_str(), one.mask_tensors);
      check(one, options, seed);
      if (testing::Test::HasFailure()) FAIL() << one.mask;
    }
  }

  Descriptions with;
};

using CSame = EveryCase;

TEST_F(CSame, AttentionAndItsGradients) {
  for_each_case(60, [&](const CCase& one, const foveal_options& options, unsigned seed) {
    const auto& [query, key, value, own] = one.call.forward;
    const AttentionResult want = attention(query, key, value, own);
    const AttentionResult got = room(want, seed % 2 == 0);
    const foveal_tensor *q = with.of(query), *k = with.of(key), *v = with.of(value);
    foveal_result result = with.result(got);
    ASSERT_EQ(foveal_attention(q, k, v, &options, &result), 0) << foveal_last_error();
    EXPECT_STREQ(foveal_last_error(), "");
    expect_same_bits(got, want);

    const AttentionGradients wanted =
        attention_backward(one.call.grad_output, query, key, value, want, without_statistics(own));
    const AttentionGradients given{room(wanted.q, seed % 2 == 0), room(wanted.k, false),
                                   room(wanted.v, true),          room(wanted.bias, false),
                                   room(wanted.sinks, false),     room(wanted.alibi_slopes, false)};
    foveal_gradients gradients = with.gradients(given, false);
    ASSERT_EQ(foveal_attention_backward(with.of(one.call.grad_output), q, k, v, &result, &options,
                                        &gradients),
              0)
        << foveal_last_error();
    expect_same_bits(given, wanted);
  });
}

TEST_F(CSame, PlansWhateverTheirRunsAskFor) {
  for_each_case(30, [&](const CCase& one, const foveal_options& options, unsigned) {
    const auto& [query, key, value, own] = one.call.forward;
    const foveal_tensor *q = with.of(query), *k = with.of(key), *v = with.of(value);
    foveal_plan* plan = nullptr;
    ASSERT_EQ(foveal_plan_create(q, k, v, &options, &plan), 0) << foveal_last_error();

    // The output alone, then all, then with other statistics, and all once more.
    for (int round = 0; round < 4; ++round) {
      AttentionOptions asked = own;
      if (round == 0) {
        asked.return_lse = asked.return_weights = false;
        asked.statistics = StatisticsOptions();
      }
      if (round == 2) asked.statistics.entropy = !asked.statistics.entropy;
      const AttentionResult want = attention(query, key, value, asked);
      const AttentionResult got = room(want, round % 2 == 0);
      foveal_result result = with.result(got);
      ASSERT_EQ(foveal_plan_run(plan, q, k, v, &result), 0) << foveal_last_error();
      expect_same_bits(got, want);
      if (round == 0) continue;
      const bool all = round == 3;
      AttentionOptions backward = without_statistics(own);
      backward.gradients = {all && own.gradients.bias, false, false};
      const AttentionGradients wanted =
          attention_backward(one.call.grad_output, query, key, value, want, backward);
      const AttentionGradients given{room(wanted.q, true),
                                     all ? room(wanted.k, false) : Tensor(),
                                     all ? room(wanted.v, false) : Tensor(),
                                     all ? room(wanted.bias, false) : Tensor(),
                                     {},
                                     {}};
      foveal_gradients gradients = with.gradients(given, false);
      ASSERT_EQ(
          foveal_plan_backward(plan, with.of(one.call.grad_output), q, k, v, &result, &gradients),
          0)
          << foveal_last_error();
      expect_same_bits(given.q, wanted.q, "query");
      if (all) expect_same_bits(given.k, wanted.k, "key");
      if (all) expect_same_bits(given.bias, wanted.bias, "bias");
    }
    EXPECT_EQ(foveal_plan_destroy(plan), 0);
  });
}

TEST_F(CSame, StatesSplitAndMerged) {
  for (unsigned seed = 0; seed < case_count(30); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Cases cases(seed);
    const Case one = make_case(cases, kDtypes[seed % 4]);
    const std::int64_t keys = one.key.size(2), cut = cases.number(0, keys);
    AttentionOptions options;
    options.softcap = one.options.softcap;
    options.mask = causal();
    options.query_offset = 5;
    with = Descriptions();
    foveal_options c_options = with.options(options, "causal", {});
    AttentionState states[2];
    for (const bool second : {false, true}) {
      const std::int64_t first = second ? cut : 0, count = second ? keys - cut : cut;
      const Tensor key = one.key.narrow(2, first, count), value = one.value.narrow(2, first, count);
      options.key_offset = c_options.key_offset = first;
      const AttentionState want = attention_state(one.query, key, value, options);
      states[second] = {room(want.output, second), room(want.maximum, false),
                        room(want.sum, false)};
      foveal_partial partial = with.partial(states[second]);
      ASSERT_EQ(
          foveal_state(with.of(one.query), with.of(key), with.of(value), &c_options, &partial), 0)
          << foveal_last_error();
      expect_same_bits(states[second].output, want.output, "output");
      expect_same_bits(states[second].maximum, want.maximum, "maximum");
      expect_same_bits(states[second].sum, want.sum, "sum");
    }
    const AttentionState whole = merge(states[0], states[1]);
    foveal_partial a = with.partial(states[0]);
    const foveal_partial b = with.partial(states[1]);
    ASSERT_EQ(foveal_state_merge(&a, &b), 0) << foveal_last_error();
    expect_same_bits(states[0].output, whole.output, "merged output");
    const AttentionResult want = finish(whole, one.query.dtype()), got = room(want, true);
    foveal_result result = with.result(got);
    ASSERT_EQ(foveal_state_finish(&a, &result), 0) << foveal_last_error();
    expect_same_bits(got, want);
  }
}

TEST(CDoor, APlanIsRunFromSeveralThreads) {
  Cases cases(3);
  const Tensor x = cases.normal({2, 3, 70, 16}).to(DType::float32);
  AttentionOptions options{.mask = causal(), .return_lse = true};
  options.statistics.entropy = true;
  const AttentionResult all = attention(x, x, x, options);
  const AttentionResult some = attention(x, x, x, without_statistics(options));
  Descriptions with;
  const foveal_options c_options = with.options(options, "causal", {});
  const foveal_tensor q = described(x);
  foveal_plan* plan = nullptr;
  ASSERT_EQ(foveal_plan_create(&q, &q, &q, &c_options, &plan), 0);
  std::array<AttentionResult, 4> results;
  std::array<std::thread, 4> threads;
  for (std::size_t n = 0; n < threads.size(); ++n) {
    results[n] = room(n % 2 == 0 ? all : some, true);
    threads[n] = std::thread([&, n] {
      Descriptions own;
      for (int round = 0; round < 20; ++round) {
        foveal_result result = own.result(results[n]);
        if (foveal_plan_run(plan, &q, &q, &q, &result) != 0) std::abort();
      }
      foveal_result nothing = {};
      if (n == 0 && foveal_plan_run(plan, &q, &q, &q, &nothing) == 0) std::abort();
      // An error is its thread's own.
      const bool empty = std::string(foveal_last_error()).empty();
      if (empty != (n != 0)) std::abort();
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (std::size_t n = 0; n < results.size(); ++n) {
    expect_same_bits(results[n], n % 2 == 0 ? all : some);
  }
  EXPECT_EQ(foveal_plan_destroy(plan), 0);
}

TEST(CDoor, APlanHoldsTheMaskThatWasThere) {
  Cases cases(5);
  const Tensor x = cases.normal({1, 2, 9, 8}).to(DType::float32);
  Tensor visible = gt(cases.normal({9, 9}), 0.0);
  const Tensor kept = visible.clone();
  Descriptions with;
  const foveal_options options = with.options({}, "dense(0)", {visible});
  const foveal_tensor q = described(x);
  foveal_plan* plan = nullptr;
  ASSERT_EQ(foveal_plan_create(&q, &q, &q, &options, &plan), 0);
  visible.fill_(1);
  AttentionOptions asked{.mask = dense(kept), .return_lse = true};
  for (const bool entropy : {false, true}) {  // planned when it is first asked for
    asked.statistics.entropy = entropy;
    const AttentionResult want = attention(x, x, x, asked), got = room(want, false);
    foveal_result result = with.result(got);
    ASSERT_EQ(foveal_plan_run(plan, &q, &q, &q, &result), 0) << foveal_last_error();
    expect_same_bits(got, want);
  }
  EXPECT_EQ(foveal_plan_destroy(plan), 0);
}

}  // namespace
}  // namespace foveal
