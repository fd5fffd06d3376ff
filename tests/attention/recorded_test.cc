// Attention as one operation of the record.

#include <gtest/gtest.h>

#include "case_count.h"
#include "foveal/foveal.h"
#include "tensor/samples.h"

namespace foveal {
namespace {

using samples::expect_error;
using samples::Sampler;

struct Call {
  Tensor q, k, v;
  AttentionOptions options;
};

/// float64, small, with every kind of option now and then.
Call draw_call(Sampler& sampler, Generator& generator) {
  const std::int64_t batch = sampler.integer(1, 2), kv_heads = sampler.integer(1, 2),
                     heads = kv_heads * sampler.integer(1, 2), queries = sampler.integer(1, 4),
                     keys = sampler.integer(1, 5), size = sampler.integer(1, 4),
                     value_size = sampler.integer(1, 3);
  const auto draw = [&](const Shape& shape) { return randn(shape, generator, DType::float64); };
  Call call{draw({batch, heads, queries, size}),
            draw({batch, kv_heads, keys, size}),
            draw({batch, kv_heads, keys, value_size}),
            {}};
  const auto now_and_then = [&] { return sampler.integer(0, 2) == 0; };
  if (now_and_then()) call.options.mask = causal(Corner::top_left);
  if (now_and_then()) call.options.bias = draw({heads, 1, keys});
  if (now_and_then()) call.options.sinks = draw({heads});
  if (now_and_then()) call.options.alibi_slopes = abs(draw({heads})) * 0.1;
  if (now_and_then()) call.options.softcap = 5;
  if (now_and_then()) call.options.dropout = 0.3;
  return call;
}

/// The tensors of a call in a list, undefined ones left out, and back.
std::vector<Tensor*> tensors_of(Call& call) {
  std::vector<Tensor*> all = {&call.q, &call.k, &call.v};
  for (Tensor* const tensor :
       {&call.options.bias, &call.options.sinks, &call.options.alibi_slopes}) {
    if (tensor->defined()) all.push_back(tensor);
  }
  return all;
}

TEST(RecordedAttention, GradientsAreThoseOfDifferences) {
  Sampler sampler(1);
  Generator generator(1);
  for (unsigned n = 0; n < case_count(20); ++n) {
    Call call = draw_call(sampler, generator);
    std::vector<Tensor> inputs;
    for (const Tensor* const tensor : tensors_of(call)) inputs.push_back(*tensor);
    const GradientCheck check = check_gradients(
        [&call](const std::vector<Tensor>& given) {
          Call changed = call;
          std::size_t place = 0;
          for (Tensor* const tensor : tensors_of(changed)) *tensor = given[place++];
          return attention(changed.q, changed.k, changed.v, changed.options).output;
        },
        inputs);
    ASSERT_TRUE(check.agrees) << n << ": " << check.where;
  }
}

TEST(RecordedAttention, IsOneOperationWithTheEnginesBackward) {
  Generator generator(2);
  Tensor q = randn({2, 4, 70, 16}, generator).requires_grad_();
  const Tensor k = randn({2, 2, 70, 16}, generator), v = randn({2, 2, 70, 16}, generator);
  const AttentionOptions options{.mask = causal()};
  const AttentionResult recorded = attention(q, k, v, options);
  EXPECT_TRUE(recorded.output.requires_grad());
  EXPECT_FALSE(recorded.lse.defined()) << "it wasn't asked for";
  const Tensor grad = randn(recorded.output.shape(), generator);
  recorded.output.backward(grad);

  AttentionOptions with_lse = options;
  with_lse.return_lse = true;
  const NoGrad off;
  const AttentionResult plain = attention(q, k, v, with_lse);
  EXPECT_TRUE(equal(plain.output, recorded.output.detach()));
  EXPECT_TRUE(equal(q.grad(), attention_backward(grad, q, k, v, plain, with_lse).q));
  EXPECT_FALSE(k.grad().defined());
}

TEST(RecordedAttention, OnlyTheOutputCarriesAGradient) {
  Generator generator(3);
  Tensor q = randn({1, 1, 5, 4}, generator).requires_grad_();
  const AttentionResult result = attention(
      q, q, q, {.return_lse = true, .return_weights = true, .statistics = {.entropy = true}});
  EXPECT_TRUE(result.output.requires_grad());
  EXPECT_FALSE(result.lse.requires_grad() || result.weights.requires_grad() ||
               result.statistics.entropy.requires_grad());
}

TEST(RecordedAttention, TheMaskIsThatOfTheCall) {
  Generator generator(4);
  Tensor q = randn({1, 1, 3, 4}, generator, DType::float64).requires_grad_();
  Tensor visible = Tensor::ones({3, 3}, DType::boolean);
  const Tensor output = attention(q, q, q, {.mask = dense(visible)}).output;
  const Tensor once = gradients({sum(output * output)}, {q}, true)[0];
  visible.fill_(0);
  EXPECT_TRUE(equal(once, gradients({sum(output * output)}, {q}, true)[0]));
}

TEST(RecordedAttention, ABiasThatWasWrittenIsAnError) {
  Generator generator(5);
  Tensor q = randn({1, 1, 3, 4}, generator).requires_grad_(), bias = Tensor::zeros({3, 3});
  const Tensor output = attention(q, q, q, {.bias = bias}).output;
  bias.fill_(1);
  expect_error([&] { sum(output).backward(); }, {"attention", "input 3", "version 0", "at 1"});
}

}  // namespace
}  // namespace foveal
