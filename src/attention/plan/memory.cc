// How much memory a run takes, before it takes any.

#include <algorithm>

#include "attention/plan/key_blocks.h"

namespace foveal {
namespace {

/// Bytes of a number that is computed with.
double width_of(const PlanData& plan) { return plan.problem.dtype == DType::float64 ? 8 : 4; }

double rows_of(const Problem& problem) {
  return static_cast<double>(problem.batch) * static_cast<double>(problem.heads) *
         static_cast<double>(problem.query_length);
}

double keys_of(const Problem& problem) {
  return static_cast<double>(problem.batch) * static_cast<double>(problem.kv_heads) *
         static_cast<double>(problem.key_length);
}

/// Half-precision inputs are widened to float32, and the output narrowed, unless they are
/// multiplied as they are in all passes, or widened a head at a time. A decode reads keys and
/// values as they are.
double widened_bytes(const PlanData& plan, int threads) {
  const Problem& problem = plan.problem;
  if (size_of(problem.dtype) != 2) return 0;
  if ((plan.pair_products() || plan.decodes_all()) && !needs_second_pass(plan.options)) return 0;
  const double sizes = static_cast<double>(problem.head_size + problem.value_size);
  if (plan.widens_rows() && !needs_second_pass(plan.options)) {
    return 4.0 * threads * sizes * static_cast<double>(problem.key_length + plan.query_tile);
  }
  return 4 * sizes * (rows_of(problem) + keys_of(problem));
}

/// The parts of each split of a decode, until they are merged.
double split_bytes(const PlanData& plan) {
  return static_cast<double>(plan.decoded.parts()) * width_of(plan) *
         static_cast<double>(decode_width(plan.problem.value_size) + 2);
}

/// Scores of the largest weights, and sums of columns, a piece each.
double statistics_workspace(const PlanData& plan, int threads) {
  const StatisticsOptions& asked = plan.options.statistics;
  double bytes = 8.0 * asked.top_k * static_cast<double>(plan.query_tile) * threads;
  if (asked.column_mass) {
    bytes += 8.0 * static_cast<double>(kStatisticsPieces * plan.problem.key_length) *
             static_cast<double>(plan.problem.batch * plan.problem.heads);
  }
  return bytes;
}

double block_workspace(const PlanData& plan, std::int64_t keys) {
  const auto size = plan.problem.dtype == DType::float64 ? plan.target->backward_float64.workspace
                    : plan.pair_products()               ? plan.target->backward_bfloat16.workspace
                                                         : plan.target->backward_float32.workspace;
  return static_cast<double>(size(plan.problem.head_size, plan.problem.value_size, keys)) *
         width_of(plan);
}

/// Q, K, V, O, dO and the three gradients in float32, where they are given in 16 bits; where the
/// target multiplies bfloat16, dQ alone, if several blocks add to it.
double widened_backward_bytes(const PlanData& plan, std::int64_t blocks) {
  const Problem& problem = plan.problem;
  if (size_of(problem.dtype) != 2) return 0;
  const auto d = static_cast<double>(problem.head_size);
  const auto dv = static_cast<double>(problem.value_size);
  if (plan.pair_products()) return blocks > 1 ? 4 * rows_of(problem) * d : 0;
  return 4 * (rows_of(problem) * (2 * d + 2 * dv) + keys_of(problem) * 2 * (d + dv));
}

}  // namespace

double result_bytes(const PlanData& plan) {
  const Problem& problem = plan.problem;
  const StatisticsOptions& asked = plan.options.statistics;
  const double rows = rows_of(problem), keys = static_cast<double>(problem.key_length);
  const double heads = static_cast<double>(problem.batch) * static_cast<double>(problem.heads);
  double bytes =
      rows * static_cast<double>(problem.value_size) * static_cast<double>(size_of(problem.dtype));
  double numbers = 0;
  if (plan.options.return_lse || needs_second_pass(plan.options)) numbers += rows;
  if (plan.options.return_weights) numbers += rows * keys;
  if (asked.entropy) numbers += rows;
  if (asked.maximum) numbers += rows;
  if (asked.column_mass) numbers += heads * keys;
  numbers += heads * static_cast<double>(asked.rows.size()) * keys;
  numbers += rows * asked.top_k;
  bytes += numbers * width_of(plan) + 8 * rows * asked.top_k;
  return bytes;
}

double workspace_bytes(const PlanData& plan, int threads) {
  const Problem& problem = plan.problem;
  const auto workspace = problem.dtype == DType::float64 ? plan.target->forward_float64.workspace
                         : plan.pair_products()          ? plan.target->forward_bfloat16.workspace
                                                         : plan.target->forward_float32.workspace;
  const std::int64_t numbers = workspace(problem.head_size, problem.value_size);
  return threads * static_cast<double>(numbers) * width_of(plan) + widened_bytes(plan, threads) +
         split_bytes(plan) + statistics_workspace(plan, threads);
}

double backward_bytes(const PlanData& plan, int threads) {
  const KeyBlockSizes blocks = key_block_sizes(plan);
  const auto parts = static_cast<double>(std::max<std::int64_t>(blocks.most_blocks - 1, 0));
  const double query_parts =
      parts * rows_of(plan.problem) * static_cast<double>(plan.problem.head_size) * width_of(plan);
  return threads * block_workspace(plan, blocks.widest) + query_parts +
         widened_backward_bytes(plan, blocks.most_blocks);
}

}  // namespace foveal
