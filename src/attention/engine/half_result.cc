#include "attention/engine/half_result.h"

#include "attention/engine/decode.h"
#include "tensor/builder.h"

namespace foveal {

AttentionResult make_half_result(const PlanData& plan) {
  const Problem& problem = plan.problem;
  AttentionResult result;
  result.output = TensorBuilder::empty(problem.output_shape(), problem.dtype);
  if (plan.options.return_lse || needs_second_pass(plan.options)) {
    result.lse = TensorBuilder::empty(problem.row_shape(), DType::float32);
  }
  return result;
}

void round_decodes(const PlanData& plan, const Tensor& query, const Tensor& key,
                   const Tensor& value, AttentionResult& result, DoubtfulRows& doubtful) {
  if (!plan.decodes_any()) return;
  Tensor wide = TensorBuilder::empty(result.output.shape(), DType::float32);
  run_decodes(plan, query, key, value, wide, result.lse, doubtful);
  for (const SequencePlan& sequence : plan.sequences) {
    if (!sequence.decode) continue;
    const std::int64_t first = sequence.sequence.first_query;
    const std::int64_t last = first + sequence.sequence.query_length;
    const Tensor rows = wide.slice(2, first, last).to(plan.problem.dtype);
    result.output.slice(2, first, last).copy_(rows);
  }
}

}  // namespace foveal
