#include "measure/operation.h"

#include "foveal/plan.h"
#include "measure/inputs.h"

namespace foveal::measure {

void set_product_peak(Operation& operation, DType dtype) {
  operation.peak = dtype == DType::bfloat16 ? PeakKind::bfloat16 : PeakKind::float32;
  operation.peak_factor = dtype == DType::float64 ? 0.5 : 1;  // half as many fit into a register
}

AttentionOptions options_of(const Request& request) {
  AttentionOptions options;
  options.mask = request.mask;
  options.target = request.target;
  return options;
}

std::string named(const Request& request) { return "bench: " + describe(request); }

Plan plan_of(const Request& request, const AttentionOptions& options) {
  const Sizes& s = request.sizes;
  // Each tile of queries has runs of key tiles, for each head at worst.
  constexpr double kBytesPerQuery = 4;
  require_memory(named(request), kBytesPerQuery * static_cast<double>(s.batch) *
                                     static_cast<double>(s.heads) * static_cast<double>(s.queries));
  return plan_attention(s.query(), s.key(), s.value(), request.dtype, options);
}

Operation make_operation(const Request& request) {
  switch (request.op) {
    case Op::forward:
    case Op::call:
      return make_forward(request);
    case Op::backward:
      return make_backward(request);
    case Op::decode:
      return make_decode(request);
    case Op::gemm:
      return make_gemm(request);
    case Op::plan:
      return make_plan(request);
    case Op::naive:
    case Op::online:
    case Op::tiled:
      break;
  }
  return make_rung(request);
}

Operation make_plan(const Request& request) {
  const AttentionOptions options = options_of(request);
  plan_of(request, options);  // says what doesn't fit
  Operation operation;
  operation.run = [=](std::int64_t) { plan_of(request, options); };
  return operation;
}

}  // namespace foveal::measure
