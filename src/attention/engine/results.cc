#include "attention/engine/results.h"

#include <algorithm>
#include <array>

#include "attention/engine/overlap.h"
#include "core/memory.h"
#include "core/number_text.h"
#include "core/thread_pool.h"
#include "foveal/error.h"
#include "tensor/builder.h"

namespace foveal {
namespace {

/// A tensor that a result may hold. Nothing here takes memory: a repeated run makes nothing.
struct Wanted {
  const char* name;
  Tensor* tensor;
  bool asked;
  std::array<std::int64_t, 4> sizes;
  std::size_t rank;
  DType dtype;
};

using AllWanted = std::array<Wanted, 9>;

DType sums_of(const Problem& problem) {
  return problem.dtype == DType::float64 ? DType::float64 : DType::float32;
}

/// In the order of the result's members.
AllWanted wanted_of(const PlanData& plan, AttentionResult& result) {
  const auto& [b, h, kv, l_q, l_k, d, d_v, dtype] = plan.problem;
  const AttentionOptions& options = plan.options;
  const StatisticsOptions& asked = options.statistics;
  const DType sums = sums_of(plan.problem);
  const auto rows = static_cast<std::int64_t>(asked.rows.size());
  const std::int64_t k = asked.top_k;
  Statistics& s = result.statistics;
  return {{{"output", &result.output, true, {b, h, l_q, d_v}, 4, dtype},
           {"lse", &result.lse, options.return_lse, {b, h, l_q}, 3, sums},
           {"weights", &result.weights, options.return_weights, {b, h, l_q, l_k}, 4, sums},
           {"statistics.top_k_keys", &s.top_k_keys, k > 0, {b, h, l_q, k}, 4, DType::int64},
           {"statistics.top_k_weights", &s.top_k_weights, k > 0, {b, h, l_q, k}, 4, sums},
           {"statistics.entropy", &s.entropy, asked.entropy, {b, h, l_q}, 3, sums},
           {"statistics.maximum", &s.maximum, asked.maximum, {b, h, l_q}, 3, sums},
           {"statistics.column_mass", &s.column_mass, asked.column_mass, {b, h, l_k}, 3, sums},
           {"statistics.rows", &s.rows, rows > 0, {b, h, rows, l_k}, 4, sums}}};
}

/// Against what is read and against what else is written.
void check_apart_from_all(const AllWanted& all, const Wanted& written, const CallInputs& inputs,
                          const AttentionOptions& options, const char* function) {
  const std::pair<const char*, const Tensor*> read[] = {{"query", &inputs.query},
                                                        {"key", &inputs.key},
                                                        {"value", &inputs.value},
                                                        {"bias", &options.bias},
                                                        {"alibi_slopes", &options.alibi_slopes},
                                                        {"sinks", &options.sinks},
                                                        {"dropout_mask", &options.dropout_mask}};
  for (const auto& [name, tensor] : read) {
    check_apart(*written.tensor, written.name, *tensor, name, function);
  }
  for (const Wanted& other : all) {
    if (&other == &written) continue;
    check_apart(*written.tensor, written.name, *other.tensor, other.name, function);
  }
}

void check_given(const PlanData& plan, const CallInputs& inputs, AttentionResult& result,
                 const char* function) {
  const AllWanted all = wanted_of(plan, result);
  for (const Wanted& wanted : all) {
    if (!wanted.tensor->defined()) continue;
    if (!wanted.asked) {
      throw Error(std::string(function) + ": result." + wanted.name +
                  " is given but not asked for: ask in the options, or leave it undefined");
    }
    check_written(*wanted.tensor, wanted.name, {wanted.sizes.data(), wanted.rank}, wanted.dtype,
                  function);
    check_apart_from_all(all, wanted, inputs, plan.options, function);
  }
}

}  // namespace

void check_written(const Tensor& tensor, const char* name, std::span<const std::int64_t> sizes,
                   DType dtype, const char* function) {
  const auto refuse = [&](const std::string& what) {
    throw Error(std::string(function) + ": " + name + " has shape " + to_string(tensor.shape()) +
                " and dtype " + to_string(tensor.dtype()) + what);
  };
  const Shape& shape = tensor.shape();
  if (!std::equal(shape.begin(), shape.end(), sizes.begin(), sizes.end()) ||
      tensor.dtype() != dtype) {
    refuse(": it must have " + to_string(Shape(sizes.begin(), sizes.end())) + " and " +
           to_string(dtype) + ", or be undefined, and is made then");
  }
  if (tensor.read_only()) refuse(" and read-only memory: give memory that may be written");
  if (tensor.size(-1) > 1 && tensor.strides().back() != 1) {
    refuse(" and last stride " + std::to_string(tensor.strides().back()) + ": it must be 1");
  }
  if (overlaps_itself(tensor)) {
    refuse(" and strides " + to_string(tensor.strides()) +
           ", with which its rows share memory: give each row its own");
  }
}

void check_apart(const Tensor& written, const char* name, const Tensor& other,
                 const char* other_name, const char* function) {
  if (!overlap(written, other)) return;
  throw Error(std::string(function) + ": " + name + " shares memory with " + other_name +
              ": give it memory of its own");
}

void count_write(const Tensor& tensor) { TensorBuilder::storage(tensor).count_write(); }

void require_memory(double results, double workspace, const char* function) {
  const auto usable = static_cast<double>(usable_memory());
  if (results + workspace <= usable) return;
  throw Error(std::string(function) + ": results take " + number_text(results / 1e9, 3) +
              " GB and the work " + number_text(workspace / 1e9, 3) +
              " GB besides, but this process may use " + number_text(usable / 1e9, 3) +
              " GB: ask for less at a time");
}

void prepare_results(const PlanData& plan, const CallInputs& inputs, AttentionResult& result,
                     const char* function) {
  const Problem& p = plan.problem;
  check_given(plan, inputs, result, function);
  if (!result.output.defined()) {
    require_memory(result_bytes(plan), workspace_bytes(plan, threads_of_call()), function);
  }
  const DType sums = sums_of(p);
  const bool second = needs_second_pass(plan.options);
  if (!result.output.defined()) {
    result.output = TensorBuilder::empty(p.output_shape(), p.dtype);
  } else {
    count_write(result.output);
  }
  if (result.lse.defined()) {
    count_write(result.lse);
  } else if (plan.options.return_lse || second) {
    result.lse = TensorBuilder::empty(p.row_shape(), sums);
  }
  if (!plan.options.return_weights) return;
  if (result.weights.defined()) {
    result.weights.fill_(0);
  } else {
    result.weights = Tensor::zeros(p.score_shape(), sums);
  }
}

void give_statistics(Statistics& given, const Statistics& computed) {
  const std::pair<Tensor*, const Tensor*> all[] = {
      {&given.top_k_keys, &computed.top_k_keys},   {&given.top_k_weights, &computed.top_k_weights},
      {&given.entropy, &computed.entropy},         {&given.maximum, &computed.maximum},
      {&given.column_mass, &computed.column_mass}, {&given.rows, &computed.rows}};
  for (const auto& [to, from] : all) {
    if (!from->defined()) continue;
    if (to->defined()) {
      to->copy_(*from);
    } else {
      *to = *from;
    }
  }
}

}  // namespace foveal
