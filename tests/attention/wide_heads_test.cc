// The widest heads: D and D_v of 1024, and latent attention's 576 and 512 with V a view of K,
// against attention and its chain rule written out in float64.

#include <gtest/gtest.h>

#include "attention/backward_cases.h"
#include "attention/naive.h"
#include "attention/plan/plan_data.h"
#include "foveal/plan.h"
#include "kernels/targets/registry.h"

namespace foveal {
namespace {

const DType kDtypes[] = {DType::float32, DType::float64, DType::bfloat16};

/// Of results of about 1; scores are sums of up to 1024 products.
double unit_of(DType dtype) {
  if (dtype == DType::float64) return 0x1p-45;
  return dtype == DType::float32 ? 0x1p-17 : 0x1p-7;
}

/// Two query heads to a KV head; each query sees the keys up to its own place.
BackwardCase wide_case(std::int64_t queries, std::int64_t keys, DType dtype) {
  Cases cases(6);
  BackwardCase one;
  one.forward = {cases.normal({1, 2, queries, 1024}).to(dtype),
                 cases.normal({1, 1, keys, 1024}).to(dtype),
                 cases.normal({1, 1, keys, 1024}).to(dtype),
                 {}};
  one.grad_output = cases.normal({1, 2, queries, 1024}).to(dtype);
  one.forward.options.mask = causal(Corner::bottom_right);
  one.forward.options.return_lse = true;
  return one;
}

/// As in latent attention: one KV head, V the first 512 numbers of K.
BackwardCase latent_case(std::int64_t queries, std::int64_t keys, DType dtype) {
  Cases cases(9);
  BackwardCase one;
  one.forward = {cases.normal({1, 4, queries, 576}).to(dtype),
                 cases.normal({1, 1, keys, 576}).to(dtype),
                 {},
                 {}};
  one.forward.value = one.forward.key.slice(3, 0, 512);
  one.grad_output = cases.normal({1, 4, queries, 512}).to(dtype);
  one.forward.options.mask = causal(Corner::bottom_right);
  one.forward.options.return_lse = true;
  return one;
}

bool decodes(const Case& one) {
  const Plan plan = plan_attention(one.query.shape(), one.key.shape(), one.value.shape(),
                                   one.query.dtype(), one.options);
  return plan.data().sequences.front().decode;
}

void expect_forward(Case one) {
  const double unit = unit_of(one.query.dtype());
  const NaiveResult want = naive_attention(one.query, one.key, one.value, one.options);
  for (const Target* target : usable_targets()) {
    one.options.target = target->name;
    SCOPED_TRACE(std::string(target->name) + " " + to_string(one.query.shape()) +
                 to_string(one.key.shape()) + " " + std::string(to_string(one.query.dtype())));
    const AttentionResult got = attention(one.query, one.key, one.value, one.options);
    expect_close(got.output, want.output, unit * largest(want.output), "output");
    const double sums = one.query.dtype() == DType::float64 ? unit : unit_of(DType::float32);
    expect_close(got.lse, want.lse, 4 * sums, "lse");
    if (testing::Test::HasFatalFailure()) return;
  }
}

void expect_gradients(BackwardCase one) {
  auto& [query, key, value, options] = one.forward;
  const double unit = 2 * unit_of(query.dtype());
  const NaiveGradients want = naive_gradients(one.grad_output, query, key, value, options);
  for (const Target* target : usable_targets()) {
    options.target = target->name;
    SCOPED_TRACE(std::string(target->name) + " " + to_string(query.shape()) +
                 to_string(key.shape()) + " " + std::string(to_string(query.dtype())));
    const AttentionGradients got = differentiate(one);
    expect_close(got.q, want.q, unit * largest(want.q), "q");
    expect_close(got.k, want.k, unit * largest(want.k), "k");
    expect_close(got.v, want.v, unit * largest(want.v), "v");
    if (testing::Test::HasFatalFailure()) return;
  }
}

TEST(WideHeads, ForwardEqualsTheFormula) {
  for (const DType dtype : kDtypes) {
    for (const std::int64_t queries : {1, 3, 70}) {
      expect_forward(wide_case(queries, 130, dtype).forward);
      if (HasFatalFailure()) return;
    }
  }
}

TEST(WideHeads, DecodeEqualsTheFormula) {
  for (const DType dtype : kDtypes) {
    const Case one = wide_case(1, 1500, dtype).forward;
    EXPECT_TRUE(decodes(one));
    expect_forward(one);
    if (HasFatalFailure()) return;
  }
}

TEST(WideHeads, GradientsEqualTheChainRule) {
  for (const DType dtype : kDtypes) {
    for (const std::int64_t queries : {1, 3, 70}) {
      expect_gradients(wide_case(queries, 130, dtype));
      if (HasFatalFailure()) return;
    }
  }
}

TEST(WideHeads, GradientsOfLatentAttentionEqualTheChainRule) {
  for (const DType dtype : kDtypes) {
    for (const std::int64_t queries : {1, 40}) {
      expect_gradients(latent_case(queries, 150, dtype));
      if (HasFatalFailure()) return;
    }
  }
}

}  // namespace
}  // namespace foveal
