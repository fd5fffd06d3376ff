// attention() as it is called: forward, call and decode.

#include <algorithm>
#include <memory>

#include "foveal/threads.h"
#include "measure/inputs.h"
#include "measure/operation.h"

namespace foveal::measure {
namespace {

struct CacheInputs {
  Tensor query;
  std::vector<Tensor> keys, values;  ///< caches that take turns
};

double forward_flops(const PlanData& plan, const Sizes& s) {
  return 2 * static_cast<double>(s.head_size + s.value_size) *
         static_cast<double>(count_work(plan).needed_pairs);
}

double input_bytes(const Request& request) {
  const Sizes& s = request.sizes;
  return bytes_of(s.query(), request.dtype) + bytes_of(s.key(), request.dtype) +
         bytes_of(s.value(), request.dtype);
}

void require_forward_memory(const Request& request, const Plan& plan, std::int64_t caches) {
  const Sizes& s = request.sizes;
  const double cache = bytes_of(s.key(), request.dtype) + bytes_of(s.value(), request.dtype);
  const double inputs =
      bytes_to_draw(s.query(), request.dtype) + bytes_to_draw(s.key(), request.dtype) +
      bytes_to_draw(s.value(), request.dtype) + static_cast<double>(caches - 1) * cache;
  // First alone: the workspace is counted in whole numbers, which inputs of this size keep small.
  require_memory(named(request), inputs);
  require_memory(named(request),
                 inputs + result_bytes(plan.data()) + workspace_bytes(plan.data(), num_threads()));
}

Operation make_attention(const Request& request, const Plan& plan, std::int64_t caches) {
  require_forward_memory(request, plan, caches);
  const Sizes& s = request.sizes;
  auto inputs = std::make_shared<CacheInputs>();
  inputs->query = random_numbers(s.query(), request.dtype, 1);
  inputs->keys.push_back(random_numbers(s.key(), request.dtype, 2));
  inputs->values.push_back(random_numbers(s.value(), request.dtype, 3));
  for (std::int64_t n = 1; n < caches; ++n) {
    inputs->keys.push_back(inputs->keys.front().clone());
    inputs->values.push_back(inputs->values.front().clone());
  }
  const AttentionOptions options = plan.data().options;
  Operation operation;
  operation.run = [=](std::int64_t n) {
    const auto cache = static_cast<std::size_t>(n % caches);
    attention(inputs->query, inputs->keys[cache], inputs->values[cache], options);
  };
  operation.verify = [=] {
    const Tensor &key = inputs->keys.front(), &value = inputs->values.front();
    const Tensor output = attention(inputs->query, key, value, options).output;
    return output_error(plan.data(), inputs->query, key, value, output);
  };
  operation.flops = forward_flops(plan.data(), s);
  return operation;
}

/// So many KV caches that none is still in the CPU's when its turn comes again.
std::int64_t caches_to_rotate(double cache_bytes) {
  constexpr double kBytes = 1 << 29, kMost = 1024;
  return static_cast<std::int64_t>(std::clamp(kBytes / cache_bytes, 1.0, kMost)) + 1;
}

}  // namespace

Operation make_forward(const Request& request) {
  const Plan plan = plan_of(request, options_of(request));
  Operation operation = make_attention(request, plan, 1);
  operation.bytes =
      input_bytes(request) + bytes_of(plan.data().problem.output_shape(), request.dtype);
  set_product_peak(operation, request.dtype);
  return operation;
}

Operation make_decode(const Request& request) {
  const Plan plan = plan_of(request, options_of(request));
  const Sizes& s = request.sizes;
  const double cache = bytes_of(s.key(), request.dtype) + bytes_of(s.value(), request.dtype);
  Operation operation = make_attention(request, plan, caches_to_rotate(cache));
  // Each visible key and its value once for all the queries that share the KV head.
  const std::int64_t sharing = s.heads / s.kv_heads * s.queries;
  operation.bytes = operation.flops / 2 / static_cast<double>(sharing) *
                    static_cast<double>(size_of(request.dtype));
  operation.peak = PeakKind::read;
  return operation;
}

}  // namespace foveal::measure
