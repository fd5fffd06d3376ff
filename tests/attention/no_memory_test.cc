// Each allocation of a call fails in turn: what leaves the call is an Error, and the next call
// finds everything as it should be.

#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "allocations.h"
#include "foveal/attention.h"
#include "foveal/error.h"
#include "foveal/memory.h"
#include "foveal/operations.h"
#include "foveal/plan.h"
#include "foveal/random.h"
#include "foveal/threads.h"

namespace foveal {
namespace {

using Call = std::function<std::vector<Tensor>()>;

/// A call's results, which the test itself may copy.
template <class... Tensors>
std::vector<Tensor> collect(const Tensors&... tensors) {
  allocations.last = 0;
  return {tensors...};
}

bool same(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  bool all = a.size() == b.size();
  for (std::size_t n = 0; all && n < a.size(); ++n) all = equal(a[n], b[n]);
  return all;
}

/// What the call gives while allocation n fails, or n and all that follow; nothing where it throws
/// an Error. Anything else that it throws ends the test.
std::vector<Tensor> call_without(long n, bool all_that_follow, const Call& call) {
  std::vector<Tensor> result;
  release_memory();  // so that the call asks for all that it needs
  allocations.count = 0;
  allocations.first = n;
  allocations.last = all_that_follow ? std::numeric_limits<long>::max() : n + 1;
  try {
    result = call();
  } catch (const Error& error) {
    allocations.last = 0;
    EXPECT_STRNE(error.what(), "");
  }
  allocations.last = 0;
  return result;
}

void expect_strong(const Call& call) {
  const std::vector<Tensor> expected = call();
  for (const bool all_that_follow : {false, true}) {
    long asked = 1;
    for (long n = 0; n < asked; ++n) {
      const std::vector<Tensor> result = call_without(n, all_that_follow, call);
      asked = allocations.count;
      if (!result.empty()) {
        ASSERT_TRUE(same(result, expected)) << n;
      }
      ASSERT_TRUE(same(call(), expected)) << "after allocation " << n << " failed";
    }
  }
}

class NoMemory : public ::testing::TestWithParam<DType> {
 protected:
  ~NoMemory() override { set_num_threads(before_); }

  Tensor draw(const Shape& shape) { return randn(shape, generator_).to(GetParam()); }

  int before_ = num_threads();
  Generator generator_{3};
};

INSTANTIATE_TEST_SUITE_P(DTypes, NoMemory,
                         ::testing::Values(DType::float32, DType::float64, DType::bfloat16,
                                           DType::float16),
                         [](const auto& dtype) { return to_string(dtype.param); });

TEST_P(NoMemory, Forward) {
  const Tensor q = draw({1, 4, 130, 24}), k = draw({1, 2, 150, 24}), v = draw({1, 2, 150, 20});
  const AttentionOptions options{.mask = causal(Corner::top_left) & window(40, 0),
                                 .bias = draw({130, 150}),
                                 .return_lse = true};
  for (const int threads : {1, 2}) {
    set_num_threads(threads);
    expect_strong([&] {
      const AttentionResult r = attention(q, k, v, options);
      return collect(r.output, r.lse);
    });
  }
}

TEST_P(NoMemory, ForwardOfTransposedAndPacked) {
  const Tensor q = draw({1, 2, 24, 130}).transpose(2, 3), k = draw({1, 130, 2, 24}).transpose(1, 2);
  AttentionOptions options;
  options.query_starts = {0, 50, 51, 130};
  options.key_starts = {0, 60, 65, 130};
  expect_strong([&] { return collect(attention(q, k, k, options).output); });
}

TEST_P(NoMemory, Plan) {
  const Shape shape{1, 2, 200, 24};
  const Tensor q = draw(shape);
  const AttentionOptions options{.mask = window(20, 0) | prefix(3)};
  expect_strong([&] {
    const Plan plan = plan_attention(shape, shape, shape, GetParam(), options);
    const std::string text = plan.explain();
    return text.empty() ? std::vector<Tensor>() : collect(plan.run(q, q, q).output);
  });
}

TEST_P(NoMemory, Statistics) {
  const Tensor q = draw({1, 2, 70, 16}), k = draw({1, 2, 90, 16});
  AttentionOptions options;
  options.return_weights = true;
  options.statistics.top_k = 3;
  options.statistics.entropy = options.statistics.maximum = options.statistics.column_mass = true;
  options.statistics.rows = {1, 69};
  expect_strong([&] {
    const AttentionResult r = attention(q, k, k, options);
    const Statistics& s = r.statistics;
    return collect(r.output, r.weights, s.top_k_keys, s.top_k_weights, s.entropy, s.maximum,
                   s.column_mass, s.rows);
  });
}

TEST_P(NoMemory, Decode) {
  const Tensor q = draw({1, 4, 1, 24}), k = draw({1, 2, 2500, 24}), v = draw({1, 2, 2500, 20});
  const AttentionOptions options{.sinks = draw({4})};
  for (const int threads : {1, 2}) {
    set_num_threads(threads);
    expect_strong([&] { return collect(attention(q, k, v, options).output); });
  }
}

TEST_P(NoMemory, Backward) {
  const Tensor q = draw({1, 4, 70, 16}), k = draw({1, 2, 90, 16});
  const Tensor bias = draw({70, 90}), slopes = draw({4}), sinks = draw({4});
  const AttentionOptions options{.bias = bias,
                                 .alibi_slopes = slopes,
                                 .sinks = sinks,
                                 .return_lse = true,
                                 .gradients = {.bias = true, .sinks = true, .alibi_slopes = true}};
  const AttentionResult r = attention(q, k, k, options);
  for (const int threads : {1, 2}) {
    set_num_threads(threads);
    expect_strong([&] {
      const AttentionGradients g = attention_backward(r.output, q, k, k, r, options);
      return collect(g.q, g.k, g.v, g.bias, g.sinks, g.alibi_slopes);
    });
  }
}

TEST_P(NoMemory, BackwardOfProductsAlone) {
  const Tensor q = draw({1, 2, 70, 32}), k = draw({1, 2, 90, 32});
  const AttentionOptions options{.return_lse = true};
  const AttentionResult r = attention(q, k, k, options);
  expect_strong([&] {
    const AttentionGradients g = attention_backward(r.output, q, k, k, r, options);
    return collect(g.q, g.k, g.v);
  });
}

TEST_P(NoMemory, States) {
  const Tensor q = draw({1, 2, 70, 16}), k = draw({1, 2, 90, 16}), other = draw({1, 2, 50, 16});
  const AttentionOptions options;
  expect_strong([&] {
    const AttentionState both =
        merge(attention_state(q, k, k, options), attention_state(q, other, other, options));
    const AttentionResult r = finish(both);
    return collect(r.output, r.lse);
  });
}

/// How many allocations a call asks for, all of them granted.
long allocations_of(const std::function<void()>& call) {
  allocations.count = 0;
  allocations.first = allocations.last = std::numeric_limits<long>::max();
  call();
  allocations.last = 0;
  return allocations.count;
}

TEST_P(NoMemory, RepeatedRunsIntoGivenTensorsTakeNone) {
  for (const std::int64_t queries : {1, 2, 70}) {
    const Tensor query = draw({2, 4, queries, 16}), key = draw({2, 2, 150, 16});
    AttentionOptions options;
    options.mask = causal(Corner::bottom_right);
    options.return_lse = true;
    options.alibi_slopes = Tensor::full({4}, 0.1);
    options.sinks = Tensor::ones({4}).to(DType::bfloat16);
    options.key_lengths = {150, 90};
    options.dropout = 0.25;
    const Plan plan =
        plan_attention(query.shape(), key.shape(), key.shape(), query.dtype(), options);
    AttentionResult result = plan.run(query, key, key);
    const auto run = [&] { plan.run_into(result, query, key, key); };
    set_num_threads(1);
    run();
    for (int round = 0; round < 5; ++round) EXPECT_EQ(allocations_of(run), 0) << queries;
    // A thread of the pool may come to its first task late, and has memory to make then.
    set_num_threads(2);
    long fewest = std::numeric_limits<long>::max();
    for (int round = 0; round < 20; ++round) fewest = std::min(fewest, allocations_of(run));
    EXPECT_EQ(fewest, 0) << queries;
  }
}

}  // namespace
}  // namespace foveal
