// Each allocation of an operation, a view, a layer or a backward fails in turn: what leaves is an
// Error, and what comes after works.

#include <gtest/gtest.h>

#include <functional>

#include "fail_each.h"
#include "foveal/foveal.h"

namespace foveal {
namespace {

TEST(NoMemory, LeavesOperationsAsAnError) {
  Generator generator(1);
  const Tensor a = randn({3, 4}, generator), b = randn({4}, generator), turned = a.transpose(0, 1),
               flags = gt(a, 0.0), ids = tensor({0, 2, 1}), targets = tensor({0, 3, 1});
  const Tensor weight = randn({5, 4}, generator), bias = randn({5}, generator);
  const std::vector<Tensor> both = {a, a};
  const Shape flat = {12}, wide = {2, 3, 4};
  const std::vector<std::int64_t> order = {1, 0}, index = {1, 2};
  const std::string equation = "ab,cb->ac";
  const NestedList list = {{1.0, 2.0}, {3.0, 4.0}};
  Tensor written = a.clone();
  const std::vector<std::function<void()>> calls = {
      [&] { a + b; },
      [&] { a * 2.0; },
      [&] { turned + turned; },
      [&] { exp(a); },
      [&] { gelu(a); },
      [&] { eq(a, b); },
      [&] { equal(a, a); },
      [&] { allclose(a, turned.transpose(0, 1)); },
      [&] { masked_fill(a, flags, 1); },
      [&] { where(flags, a, b); },
      [&] { triu(a); },
      [&] { sum(a); },
      [&] { mean(a, 0); },
      [&] { max(a, 1); },
      [&] { softmax(a, 0); },
      [&] { log_softmax(a, 1); },
      [&] { layer_norm(a, b, b); },
      [&] { cross_entropy(a, targets); },
      [&] { matmul(a, turned); },
      [&] { linear(a, weight, bias); },
      [&] { einsum(equation, a, weight); },
      [&] { embedding(a, ids); },
      [&] { index_select(a, 0, ids); },
      [&] { cat(both, 0); },
      [&] { stack(both, 1); },
      [&] { unbind(a, 0); },
      [&] { a.view(flat); },
      [&] { turned.reshape(flat); },
      [&] { a.permute(order); },
      [&] { a.slice(0, 1, 2); },
      [&] { a.select(1, 0); },
      [&] { a.unsqueeze(0); },
      [&] { a.expand(wide); },
      [&] { turned.contiguous(); },
      [&] { a.to(DType::bfloat16); },
      [&] { a.detach(); },
      [&] { a.at(index); },
      [&] { a.to_vector(); },
      [&] { to_string(a); },
      [&] { tensor(list); },
      [&] { Tensor::zeros(wide); },
      [&] { Tensor::full(wide, 2); },
      [&] { Tensor::arange(5); },
      [&] { randn(wide, generator); },
      [&] { dropout(a, 0.5, generator); },
      [&] { written.fill_(1); },
      [&] { written.copy_(turned.transpose(0, 1)); },
      [&] { written.masked_fill_(flags, 3); },
      [&] { written.set(index, 2); },
  };
  for (std::size_t n = 0; n < calls.size(); ++n) {
    SCOPED_TRACE(n);
    fail_each(calls[n]);
  }
}

TEST(NoMemory, LeavesMasksAsAnError) {
  const std::vector<std::int64_t> numbers = {3, 4};
  const Tensor visible = Tensor::ones({4, 4}, DType::boolean), ids = tensor({0, 0, 1, 1});
  const Mask a = causal(), b = window(2, 0);
  const std::vector<std::function<void()>> calls = {[&] { none(); },
                                                    [&] { causal(); },
                                                    [&] { causal(Corner::top_left); },
                                                    [&] { window(1, 2); },
                                                    [&] { padding(numbers); },
                                                    [&] { prefix(2); },
                                                    [&] { document(ids); },
                                                    [&] { document(numbers); },
                                                    [&] { dense(visible); },
                                                    [&] { a & b; },
                                                    [&] { a | b; },
                                                    [&] { !a; },
                                                    [&] { to_string(a & b); }};
  for (std::size_t n = 0; n < calls.size(); ++n) {
    SCOPED_TRACE(n);
    fail_each(calls[n]);
  }
}

TEST(NoMemory, LeavesLayersAndTheirBackwardAsAnError) {
  Generator generator(2);
  nn::MultiHeadAttention mha({.d_in = 4, .d_out = 4, .context_length = 5, .num_heads = 2},
                             generator);
  const Tensor x = randn({1, 5, 4}, generator), grad = randn({1, 5, 4}, generator);
  for (const bool fused : {false, true}) {
    mha.fused = fused;
    EXPECT_GT(fail_each([&] { mha.forward(x); }), 0);
    EXPECT_GT(fail_each([&] { mha.forward(x).backward(grad); }), 0);
    EXPECT_GT(fail_each([&] { mha.state_dict(); }), 0);
    EXPECT_GT(fail_each([&] { mha.parameters(); }), 0);
    mha.zero_grad();
    mha.forward(x).backward(grad);
    const Tensor once = mha.W_query.weight.grad().clone();
    mha.zero_grad();
    mha.forward(x).backward(grad);
    EXPECT_TRUE(equal(once, mha.W_query.weight.grad()));
  }
  const StateDict state = mha.state_dict();
  fail_each([&] { mha.load_state_dict(state); });
  fail_each([&] { mha.to(DType::float64); });
}

}  // namespace
}  // namespace foveal
