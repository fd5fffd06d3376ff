#pragma once
// Calls with all that their gradients need.

#include <gtest/gtest.h>

#include "attention/cases.h"
#include "foveal/attention.h"
#include "foveal/operations.h"

namespace foveal {

/// A call with what its gradients need.
struct BackwardCase {
  Case forward;
  Tensor grad_output;
};

inline BackwardCase make_backward_case(Cases& cases, DType dtype) {
  BackwardCase one{make_case(cases, dtype), {}};
  AttentionOptions& options = one.forward.options;
  if (options.bias.defined() && cases.chance(30)) options.bias = options.bias.slice(3, 0, 1);
  options.gradients = {options.bias.defined(), options.sinks.defined(),
                       options.alibi_slopes.defined()};
  Shape shape = one.forward.query.shape();
  shape[3] = one.forward.value.size(3);
  one.grad_output = cases.normal(shape).to(dtype);
  if (cases.chance(30)) {
    one.grad_output = one.grad_output.transpose(1, 2).contiguous().transpose(1, 2);
  }
  return one;
}

inline AttentionGradients differentiate(const BackwardCase& one) {
  const auto& [query, key, value, options] = one.forward;
  const AttentionResult result = attention(query, key, value, options);
  return attention_backward(one.grad_output, query, key, value, result, options);
}

/// Each gradient with its name; undefined ones too.
template <class Gradients>
std::vector<std::pair<const char*, Tensor>> named(const Gradients& g) {
  return {{"query", g.q},   {"key", g.k},       {"value", g.v},
          {"bias", g.bias}, {"sinks", g.sinks}, {"alibi_slopes", g.alibi_slopes}};
}

/// The sizes of the gradients' terms, in the order of `named`; a sum of n roundings grows as
/// sqrt(n). Typical terms are a third of the largest ones, hence the divisor.
inline std::vector<double> term_sizes(const BackwardCase& one) {
  const auto& [query, key, value, options] = one.forward;
  const auto root = [](std::int64_t count) { return std::sqrt(static_cast<double>(count) + 1); };
  const double keep = options.dropout > 0 && options.dropout < 1 ? 1 / (1 - options.dropout) : 1;
  const double scale = options.scale.value_or(1 / root(query.size(3)));
  const double upstream = largest(one.grad_output) * keep;
  const double cell = std::max(1.0, upstream * largest(value) * root(value.size(3))) / 8;
  const std::int64_t group = key.size(1) == 0 ? 1 : query.size(1) / key.size(1);
  const double rows = root(query.size(2) * group), all = root(query.size(0) * query.size(1)) * rows;
  return {cell * scale * largest(key),
          cell * scale * largest(query) * rows,
          std::max(1.0, upstream) * rows,
          cell * all,
          cell * all,
          cell * all * static_cast<double>(query.size(2) + key.size(2)) / 8};
}

inline void expect_equal_bits(const AttentionGradients& a, const AttentionGradients& b) {
  const auto left = named(a), right = named(b);
  for (std::size_t n = 0; n < left.size(); ++n) {
    if (!left[n].second.defined()) continue;
    const std::vector<double> x = left[n].second.to_vector(), y = right[n].second.to_vector();
    for (std::size_t at = 0; at < x.size(); ++at) {
      if (std::isnan(x[at]) && std::isnan(y[at])) continue;
      ASSERT_EQ(x[at], y[at]) << left[n].first << " at " << at;
    }
  }
}

/// One head and keys enough for several blocks.
inline BackwardCase long_case(const Shape& bias) {
  Cases cases(7);
  BackwardCase one;
  one.forward = {cases.normal({2, 4, 30, 20}).to(DType::float32),
                 cases.normal({2, 2, 2500, 20}).to(DType::float32),
                 cases.normal({2, 2, 2500, 9}).to(DType::float32),
                 {}};
  one.grad_output = cases.normal({2, 4, 30, 9}).to(DType::float32);
  AttentionOptions& options = one.forward.options;
  options.return_lse = true;
  options.mask = causal(Corner::bottom_right) & !window(40, -1);
  options.alibi_slopes = Tensor::full({4}, 0.01);
  options.gradients.alibi_slopes = true;
  if (!bias.empty()) {
    options.bias = cases.normal(bias).to(DType::float32);
    options.gradients.bias = true;
  }
  return one;
}

}  // namespace foveal
