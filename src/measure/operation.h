#pragma once
// What is timed: one kind of work on inputs of its own, with how it is verified.

#include <functional>
#include <optional>

#include "measure/exact.h"
#include "measure/peak.h"
#include "measure/request.h"

namespace foveal::measure {

struct Operation {
  double flops = 0;  ///< of one run; 0 where none are counted
  double bytes =
      0;  ///< inputs and results once each; of a decode the keys and values that are seen
  /// What the share is of, times `peak_factor`; nothing where there is no such peak.
  std::optional<PeakKind> peak;
  double peak_factor = 1;
  /// Run number n; those of a decode take turns with the caches they read.
  std::function<void(std::int64_t n)> run;
  /// Runs once, and compares with float64; empty where there is nothing to compare.
  std::function<Error64()> verify;
};

/// Makes inputs and plan. Throws Error (kind data) for what doesn't fit together, or into memory;
/// nothing that is large has been allocated then.
Operation make_operation(const Request& request);

/// The peak of a dtype's products, and what it is to be multiplied with.
void set_product_peak(Operation& operation, DType dtype);

AttentionOptions options_of(const Request& request);

/// The plan of a request, refused where it would not fit into memory.
Plan plan_of(const Request& request, const AttentionOptions& options);

/// "bench: forward float32 B8 ...".
std::string named(const Request& request);

Operation make_forward(const Request& request);
Operation make_decode(const Request& request);
Operation make_backward(const Request& request);
Operation make_gemm(const Request& request);
Operation make_plan(const Request& request);
Operation make_rung(const Request& request);

}  // namespace foveal::measure
