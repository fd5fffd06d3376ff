// attention_backward() alone: the forward runs once, outside the clock.

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

#include "core/thread_pool.h"
#include "foveal/threads.h"
#include "measure/inputs.h"
#include "measure/operation.h"

namespace foveal::measure {
namespace {

struct GradientInputs {
  Tensor query, key, value, grad_output;
  AttentionResult result;
};

/// Of one query head in float64: each row's lse, and delta = dO . O.
struct HeadTerms {
  ExactHead head;
  Tensor grad_output;  // (L_q, D_v)
  std::vector<double> lse, delta;

  const double* grad_row(std::int64_t i) const {
    return std::as_const(grad_output).data<double>() + i * grad_output.size(1);
  }
};

/// More scores than this in one head, and the rows' terms are those that the backward was given.
constexpr std::int64_t kMostExactScores = std::int64_t{1} << 26;

HeadTerms make_terms(const PlanData& plan, const GradientInputs& inputs, std::int64_t b,
                     std::int64_t h) {
  const Problem& problem = plan.problem;
  HeadTerms terms{ExactHead(plan, inputs.query, inputs.key, inputs.value, b, h),
                  exact_copy(inputs.grad_output, b, h),
                  {},
                  {}};
  const std::int64_t queries = problem.query_length;
  terms.lse.resize(static_cast<std::size_t>(queries));
  terms.delta.resize(static_cast<std::size_t>(queries));
  const Tensor output = exact_copy(inputs.result.output, b, h);
  const bool exact = queries <= kMostExactScores / problem.key_length;
  parallel_for(queries, [&](std::int64_t i) {
    const auto at = static_cast<std::size_t>(i);
    if (exact) {
      const ExactHead::Row row = terms.head.row(i);
      terms.lse[at] = row.lse;
      terms.delta[at] = dot(terms.grad_row(i), row.output.data(), problem.value_size);
    } else {
      terms.lse[at] = inputs.result.lse.at({b, h, i});
      const double* const given = output.data<double>() + i * problem.value_size;
      terms.delta[at] = dot(terms.grad_row(i), given, problem.value_size);
    }
  });
  return terms;
}

/// dV_j = sum of P dO, dK_j = scale * sum of P (dP - delta) Q, over the queries of one head.
void add_key_row(const HeadTerms& terms, const Problem& problem, std::int64_t j,
                 std::vector<double>& grad_key, std::vector<double>& grad_value) {
  const ExactHead& head = terms.head;
  for (std::int64_t i = 0; i < problem.query_length; ++i) {
    if (!head.visible(i, j)) continue;
    const auto at = static_cast<std::size_t>(i);
    const double p = std::exp(head.score(i, j) - terms.lse[at]);
    const double* const grad = terms.grad_row(i);
    const double change =
        p * (dot(grad, head.value(j), problem.value_size) - terms.delta[at]) * head.scale();
    for (std::int64_t d = 0; d < problem.head_size; ++d) grad_key[d] += change * head.query(i)[d];
    for (std::int64_t d = 0; d < problem.value_size; ++d) grad_value[d] += p * grad[d];
  }
}

void compare(Error64& error, const Tensor& got, const std::vector<double>& want) {
  for (std::size_t d = 0; d < want.size(); ++d) {
    error.add(got.at({static_cast<std::int64_t>(d)}), want[d]);
  }
}

/// Sampled rows of dK and dV of the last KV head.
void check_keys(const PlanData& plan, const GradientInputs& inputs,
                const AttentionGradients& gradients, Error64& error) {
  const Problem& problem = plan.problem;
  const std::int64_t b = problem.batch - 1, kv = problem.kv_heads - 1;
  const std::int64_t group = problem.heads / problem.kv_heads;
  std::vector<HeadTerms> heads;
  heads.reserve(static_cast<std::size_t>(group));
  for (std::int64_t n = 0; n < group; ++n) {
    heads.push_back(make_terms(plan, inputs, b, kv * group + n));
  }
  const std::vector<std::int64_t> keys = sampled(problem.key_length);
  std::vector<std::vector<double>> key_rows(keys.size()), value_rows(keys.size());
  parallel_for(static_cast<std::int64_t>(keys.size()), [&](std::int64_t n) {
    const auto at = static_cast<std::size_t>(n);
    key_rows[at].resize(static_cast<std::size_t>(problem.head_size));
    value_rows[at].resize(static_cast<std::size_t>(problem.value_size));
    for (const HeadTerms& terms : heads) {
      add_key_row(terms, problem, keys[at], key_rows[at], value_rows[at]);
    }
  });
  const Tensor grad_key = gradients.k.select(0, b).select(0, kv);
  const Tensor grad_value = gradients.v.select(0, b).select(0, kv);
  for (std::size_t n = 0; n < keys.size(); ++n) {
    compare(error, grad_key.select(0, keys[n]), key_rows[n]);
    compare(error, grad_value.select(0, keys[n]), value_rows[n]);
  }
}

/// dQ_i = scale * sum of P (dP - delta) K, of one row.
std::vector<double> query_row(const PlanData& plan, const ExactHead& head, const double* grad,
                              std::int64_t i) {
  const Problem& problem = plan.problem;
  const ExactHead::Row row = head.row(i);
  const double delta = dot(grad, row.output.data(), problem.value_size);
  std::vector<double> sums(static_cast<std::size_t>(problem.head_size));
  for (std::int64_t j = 0; j < problem.key_length; ++j) {
    const double p = row.weights[static_cast<std::size_t>(j)];
    if (p == 0) continue;
    const double change = p * (dot(grad, head.value(j), problem.value_size) - delta) * head.scale();
    for (std::int64_t d = 0; d < problem.head_size; ++d) sums[d] += change * head.key(j)[d];
  }
  return sums;
}

/// Sampled rows of dQ, from all heads.
void check_queries(const PlanData& plan, const GradientInputs& inputs,
                   const AttentionGradients& gradients, Error64& error) {
  const Problem& problem = plan.problem;
  for (const std::int64_t at : sampled(problem.batch * problem.heads * problem.query_length)) {
    const std::int64_t index = at / problem.query_length, i = at % problem.query_length;
    const std::int64_t b = index / problem.heads, h = index % problem.heads;
    const ExactHead head(plan, inputs.query, inputs.key, inputs.value, b, h);
    const Tensor grad = exact_copy(inputs.grad_output, b, h);
    const double* const grad_row = std::as_const(grad).data<double>() + i * problem.value_size;
    compare(error, gradients.q.select(0, b).select(0, h).select(0, i),
            query_row(plan, head, grad_row, i));
  }
}

Error64 gradient_error(const PlanData& plan, const GradientInputs& inputs) {
  const AttentionGradients gradients = attention_backward(
      inputs.grad_output, inputs.query, inputs.key, inputs.value, inputs.result, plan.options);
  Error64 error;
  check_queries(plan, inputs, gradients, error);
  check_keys(plan, inputs, gradients, error);
  return error;
}

double gradient_bytes(const Request& request) {
  const Sizes& s = request.sizes;
  const Shape output{s.batch, s.heads, s.queries, s.value_size};
  return 2 * (bytes_of(s.query(), request.dtype) + bytes_of(s.key(), request.dtype) +
              bytes_of(s.value(), request.dtype) + bytes_of(output, request.dtype));
}

double gradient_memory(const Request& request, const Plan& plan) {
  const Sizes& s = request.sizes;
  return gradient_bytes(request) + bytes_to_draw(s.key(), DType::float32) +
         backward_bytes(plan.data(), num_threads()) + workspace_bytes(plan.data(), num_threads()) +
         result_bytes(plan.data());
}

}  // namespace

Operation make_backward(const Request& request) {
  AttentionOptions options = options_of(request);
  options.return_lse = true;
  const Plan plan = plan_of(request, options);
  require_memory(named(request), gradient_bytes(request));  // keeps what is counted below small
  require_memory(named(request), gradient_memory(request, plan));
  const Sizes& s = request.sizes;
  auto inputs = std::make_shared<GradientInputs>();
  inputs->query = random_numbers(s.query(), request.dtype, 1);
  inputs->key = random_numbers(s.key(), request.dtype, 2);
  inputs->value = random_numbers(s.value(), request.dtype, 3);
  inputs->grad_output = random_numbers(plan.data().problem.output_shape(), request.dtype, 4);
  inputs->result = attention(inputs->query, inputs->key, inputs->value, options);
  Operation operation;
  operation.run = [=](std::int64_t) {
    attention_backward(inputs->grad_output, inputs->query, inputs->key, inputs->value,
                       inputs->result, options);
  };
  operation.verify = [=] { return gradient_error(plan.data(), *inputs); };
  const double per_pair =
      6 * static_cast<double>(s.head_size) + 4 * static_cast<double>(s.value_size);
  operation.flops = per_pair * static_cast<double>(count_work(plan.data()).needed_pairs);
  operation.bytes = gradient_bytes(request);
  set_product_peak(operation, request.dtype);
  return operation;
}

}  // namespace foveal::measure
