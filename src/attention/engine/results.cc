#include "attention/engine/results.h"

#include <algorithm>
#include <array>

#include "attention/engine/arrays.h"
#include "attention/engine/overlap.h"
#include "core/memory.h"
#include "core/number_text.h"
#include "core/thread_pool.h"
#include "foveal/error.h"
#include "tensor/builder.h"
#include "tensor/wide_rows.h"

namespace foveal {
namespace {

/// In the order of the result's members.
std::array<WrittenTensor, 9> written_of(const PlanData& plan, const AttentionResult& result) {
  const auto& [b, h, kv, l_q, l_k, d, d_v, dtype] = plan.problem;
  const AttentionOptions& options = plan.options;
  const StatisticsOptions& asked = options.statistics;
  const DType sums = wide_dtype(dtype);
  const auto rows = static_cast<std::int64_t>(asked.rows.size());
  const std::int64_t k = asked.top_k;
  const Statistics& s = result.statistics;
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

double bytes_of(const WrittenTensor& written) {
  double bytes = static_cast<double>(size_of(written.dtype));
  for (std::size_t axis = 0; axis < written.rank; ++axis) {
    bytes *= static_cast<double>(written.sizes[axis]);
  }
  return bytes;
}

/// Bytes of what the caller gives, once it is checked.
double given_bytes(std::span<const WrittenTensor> written) {
  double bytes = 0;
  for (const WrittenTensor& one : written) bytes += one.tensor->defined() ? bytes_of(one) : 0;
  return bytes;
}

/// Shape, dtype, strides.
void check_form(const WrittenTensor& written, const char* function) {
  const Tensor& tensor = *written.tensor;
  const Shape& shape = tensor.shape();
  const auto refuse = [&](const std::string& what) {
    throw Error(std::string(function) + ": " + written.name + " has shape " + to_string(shape) +
                " and dtype " + to_string(tensor.dtype()) + what);
  };
  const std::span sizes(written.sizes.data(), written.rank);
  if (!std::equal(shape.begin(), shape.end(), sizes.begin(), sizes.end()) ||
      tensor.dtype() != written.dtype) {
    refuse(": it must have " + to_string(Shape(sizes.begin(), sizes.end())) + " and " +
           to_string(written.dtype) + ", or be undefined, and is made then");
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

void check_apart(const WrittenTensor& written, const NamedTensor& other, const char* function) {
  if (!overlap(*written.tensor, *other.tensor)) return;
  throw Error(std::string(function) + ": " + written.name + " shares memory with " + other.name +
              ": give it memory of its own");
}

}  // namespace

WrittenTensor WrittenTensor::shaped_like(const Tensor& like, const char* name, const Tensor& tensor,
                                         bool asked) {
  WrittenTensor written{name, &tensor, asked, {}, 0, DType::float32};
  if (!asked) return written;
  written.rank = like.shape().size();
  std::copy(like.shape().begin(), like.shape().end(), written.sizes.begin());
  written.dtype = like.dtype();
  return written;
}

std::array<NamedTensor, 7> tensors_read(const PlanData& plan, const CallInputs& inputs) {
  const AttentionOptions& options = plan.options;
  return {{{"query", &inputs.query},
           {"key", &inputs.key},
           {"value", &inputs.value},
           {"bias", &options.bias},
           {"alibi_slopes", &options.alibi_slopes},
           {"sinks", &options.sinks},
           {"dropout_mask", &options.dropout_mask}}};
}

void check_written(std::span<const WrittenTensor> written, std::span<const NamedTensor> read,
                   const WrittenPlace& place, const char* function) {
  for (const WrittenTensor& given : written) {
    if (!given.tensor->defined()) continue;
    if (!given.asked) {
      throw Error(std::string(function) + ": " + place.prefix + given.name +
                  " is given but not asked for: ask in " + place.asked_in +
                  ", or leave it undefined");
    }
    check_form(given, function);
    for (const NamedTensor& other : read) check_apart(given, other, function);
    for (const WrittenTensor& other : written) {
      if (&other != &given) check_apart(given, {other.name, other.tensor}, function);
    }
  }
}

double bytes_to_make(std::span<const WrittenTensor> written) {
  double bytes = 0;
  for (const WrittenTensor& one : written) {
    if (one.asked && !one.tensor->defined()) bytes += bytes_of(one);
  }
  return bytes;
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
  const auto written = written_of(plan, result);
  check_written(written, tensors_read(plan, inputs), {"result.", "the options"}, function);
  require_memory(result_bytes(plan) - given_bytes(written),
                 workspace_bytes(plan, threads_of_call()), function);
  if (result.weights.defined()) check_terms(plan);  // before they are cleared
  if (result.output.defined()) {
    count_write(result.output);
  } else {
    result.output = TensorBuilder::empty(p.output_shape(), p.dtype);
  }
  const DType sums = wide_dtype(p.dtype);
  if (result.lse.defined()) {
    count_write(result.lse);
  } else if (plan.options.return_lse || needs_second_pass(plan.options)) {
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
