// Gradients at the edges: what is masked, not finite, packed, or wrong, and the arrays' own edges.

#include <gtest/gtest.h>

#include <limits>

#include "attention/backward_cases.h"
#include "attention/guarded.h"
#include "case_count.h"
#include "foveal/error.h"
#include "kernels/targets/registry.h"

namespace foveal {
namespace {

const double kInfinity = std::numeric_limits<double>::infinity();

/// Keys that no query of a batch entry sees hold `poison`: from 100 on, from 1 on.
void poison_hidden(BackwardCase& one, double poison) {
  for (Tensor* tensor : {&one.forward.key, &one.forward.value}) {
    *tensor = tensor->clone();
    tensor->slice(0, 0, 1).slice(2, 100, 131).fill_(poison);
    tensor->slice(0, 1, 2).slice(2, 1, 131).fill_(poison);
  }
}

BackwardCase hiding_case(const std::string& target, DType dtype = DType::float32) {
  Cases cases(3);
  BackwardCase one;
  one.forward = {cases.normal({2, 2, 70, 17}).to(dtype),
                 cases.normal({2, 1, 131, 17}).to(dtype),
                 cases.normal({2, 1, 131, 5}).to(dtype),
                 {}};
  one.grad_output = cases.normal({2, 2, 70, 5}).to(dtype);
  one.forward.options.return_lse = true;
  one.forward.options.target = target;
  return one;
}

TEST(BackwardEdges, MaskedKeysAndValuesNeverReachTheGradients) {
  for (const Target* target : usable_targets()) {
    for (double poison : {kInfinity, -kInfinity, std::nan("")}) {
      for (double softcap : {0.0, 3.0}) {
        BackwardCase one = hiding_case(target->name);
        one.forward.options.softcap = softcap;
        one.forward.options.mask = padding({100, 1}) & !(prefix(3) & window(-1, 60));
        const AttentionGradients clean = differentiate(one);
        poison_hidden(one, poison);
        SCOPED_TRACE(std::string(target->name) + " " + std::to_string(poison));
        expect_equal_bits(differentiate(one), clean);
        if (HasFatalFailure()) return;
      }
    }
  }
}

/// bfloat16 may go another way around what isn't finite: within rounding then, not to the bit.
TEST(BackwardEdges, MaskedKeysAndValuesNeverReachTheGradientsOfBfloat16) {
  for (const Target* target : usable_targets()) {
    for (double poison : {kInfinity, -kInfinity, std::nan("")}) {
      BackwardCase one = hiding_case(target->name, DType::bfloat16);
      one.forward.options.mask = padding({100, 1}) & !(prefix(3) & window(-1, 60));
      const auto clean = named(differentiate(one));
      poison_hidden(one, poison);
      const auto got = named(differentiate(one));
      SCOPED_TRACE(std::string(target->name) + " " + std::to_string(poison));
      for (std::size_t n = 0; n < 3; ++n) {
        expect_close(got[n].second, clean[n].second, 0x1p-6 * largest(clean[n].second),
                     got[n].first);
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST(BackwardEdges, ABiasOfMinusInfinityMasks) {
  for (const Target* target : usable_targets()) {
    BackwardCase one = hiding_case(target->name);
    const auto& [query, key, value, options] = one.forward;
    Tensor bias = Tensor::zeros({2, 1, 1, 131});
    bias.slice(0, 0, 1).slice(3, 100, 131).fill_(-kInfinity);
    bias.slice(0, 1, 2).slice(3, 1, 131).fill_(-kInfinity);
    one.forward.options.bias = bias;
    one.forward.options.gradients.bias = true;
    const AttentionResult result = attention(query, key, value, options);
    const AttentionGradients clean =
        attention_backward(one.grad_output, query, key, value, result, options);
    poison_hidden(one, std::nan(""));
    expect_equal_bits(attention_backward(one.grad_output, query, key, value, result, options),
                      clean);
    if (HasFatalFailure()) return;
    EXPECT_EQ(largest(clean.bias.slice(0, 1, 2).slice(3, 1, 131)), 0);
  }
}

TEST(BackwardEdges, AVisibleNaNStaysInItsRow) {
  BackwardCase one = hiding_case("");
  one.forward.options.mask = causal(Corner::top_left);
  one.grad_output = one.grad_output.clone();
  one.grad_output.set({0, 0, 30, 0}, std::nan(""));
  const AttentionGradients got = differentiate(one);
  EXPECT_TRUE(std::isnan(got.q.at({0, 0, 30, 0})));
  EXPECT_FALSE(std::isnan(got.q.at({0, 0, 29, 0})));
  EXPECT_FALSE(std::isnan(got.q.at({0, 0, 31, 0})));
  EXPECT_TRUE(std::isnan(got.v.at({0, 0, 30, 0})));
  EXPECT_TRUE(std::isnan(got.k.at({0, 0, 30, 0})));
  EXPECT_FALSE(std::isnan(got.v.at({0, 0, 31, 0})));  // hidden from query 30
  EXPECT_FALSE(std::isnan(got.k.at({0, 0, 31, 0})));
}

TEST(BackwardEdges, FullyMaskedRowsGiveZeros) {
  for (const Target* target : usable_targets()) {
    Cases cases(5);
    BackwardCase one;
    one.forward = {
        cases.normal({1, 2, 60, 8}), cases.normal({1, 2, 40, 8}), cases.normal({1, 2, 40, 8}), {}};
    one.grad_output = cases.normal({1, 2, 60, 8});
    AttentionOptions& options = one.forward.options;
    options.return_lse = true;
    options.target = target->name;
    options.mask = causal(Corner::bottom_right);  // queries 0 .. 19 see nothing
    for (bool sinks : {false, true}) {
      if (sinks) options.sinks = cases.normal({2});
      options.gradients.sinks = sinks;
      const AttentionGradients clean = differentiate(one);
      EXPECT_EQ(largest(clean.q.slice(2, 0, 20)), 0);
      EXPECT_GT(largest(clean.q.slice(2, 20, 60)), 0);
      BackwardCase poisoned = one;
      poisoned.forward.query = one.forward.query.clone();
      poisoned.grad_output = one.grad_output.clone();
      poisoned.forward.query.slice(2, 0, 20).fill_(std::nan(""));
      poisoned.grad_output.slice(2, 0, 20).fill_(kInfinity);
      expect_equal_bits(differentiate(poisoned), clean);
      if (HasFatalFailure()) return;
    }
  }
}

TEST(BackwardEdges, StaysWithinItsArrays) {
  for (const Target* target : usable_targets()) {
    for (Guard guard : {Guard::before, Guard::after}) {
      for (unsigned seed = 0; seed < case_count(20); ++seed) {
        Cases cases(seed);
        const DType dtypes[] = {DType::float32, DType::float64, DType::bfloat16};
        BackwardCase one = make_backward_case(cases, dtypes[seed % 3]);
        AttentionOptions& options = one.forward.options;
        options.target = target->name;
        for (Tensor* tensor : {&one.forward.query, &one.forward.key, &one.forward.value,
                               &one.grad_output, &options.bias, &options.dropout_mask}) {
          if (tensor->defined()) *tensor = guarded(*tensor, guard);
        }
        AttentionResult result =
            attention(one.forward.query, one.forward.key, one.forward.value, options);
        result.output = guarded(result.output, guard);
        result.lse = guarded(result.lse, guard);
        attention_backward(one.grad_output, one.forward.query, one.forward.key, one.forward.value,
                           result, options);
      }
    }
  }
}

TEST(BackwardEdges, PackedSequencesEqualEachAlone) {
  Cases cases(9);
  BackwardCase one;
  one.forward = {cases.normal({1, 4, 150, 12}),
                 cases.normal({1, 2, 190, 12}),
                 cases.normal({1, 2, 190, 6}),
                 {}};
  one.grad_output = cases.normal({1, 4, 150, 6});
  AttentionOptions& options = one.forward.options;
  options.return_lse = true;
  options.mask = causal(Corner::bottom_right);
  const std::vector<std::int64_t> queries{0, 60, 60, 61, 150}, keys{0, 80, 83, 90, 190};
  options.query_starts = queries;
  options.key_starts = keys;
  const AttentionGradients packed = differentiate(one);
  for (std::size_t n = 0; n + 1 < queries.size(); ++n) {
    const auto of = [n](const Tensor& tensor, const std::vector<std::int64_t>& starts) {
      return tensor.slice(2, starts[n], starts[n + 1]);
    };
    BackwardCase alone = one;
    alone.forward = {of(one.forward.query, queries), of(one.forward.key, keys),
                     of(one.forward.value, keys), options};
    alone.forward.options.query_starts = alone.forward.options.key_starts = {};
    alone.grad_output = of(one.grad_output, queries);
    const AttentionGradients got = differentiate(alone);
    EXPECT_TRUE(equal(got.q, of(packed.q, queries))) << n;
    EXPECT_TRUE(equal(got.k, of(packed.k, keys))) << n;
    EXPECT_TRUE(equal(got.v, of(packed.v, keys))) << n;
  }
}

TEST(BackwardEdges, ErrorsNameTheArgument) {
  BackwardCase one = long_case({});
  const auto& [query, key, value, options] = one.forward;
  const AttentionResult result = attention(query, key, value, options);
  const auto expect_error = [&](const Tensor& gradient, const AttentionResult& given,
                                const AttentionOptions& with, const std::string& text) {
    try {
      attention_backward(gradient, query, key, value, given, with);
      FAIL() << text;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(text), std::string::npos) << error.what();
    }
  };
  AttentionResult no_lse = result;
  no_lse.lse = {};
  expect_error(one.grad_output, no_lse, options, "return_lse");
  expect_error({}, result, options, "grad_output is undefined");
  expect_error(query, result, options, "grad_output has shape");
  AttentionOptions asks = options;
  asks.gradients.sinks = true;
  expect_error(one.grad_output, result, asks, "gradients.sinks");
}

}  // namespace
}  // namespace foveal
