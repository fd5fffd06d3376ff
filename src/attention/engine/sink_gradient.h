#pragma once
// What a loss gains by a sink: dSink = -sum of exp(sink - lse) * delta over the rows of its head.

#include <cmath>

#include "attention/engine/split_lse.h"

namespace foveal {

/// O and dO where a sink's gradient looks at them, in the type that is computed in.
template <class T>
struct OutputRows {
  Tensor output_rows, gradient_rows;
  Heads<T> output, gradient;

  OutputRows(const Tensor& o, const Tensor& g)
      : output_rows(rows_as<T>(o)),
        gradient_rows(rows_as<T>(g)),
        output(heads_of<T>(output_rows)),
        gradient(heads_of<T>(gradient_rows)) {}
};

/// What one row adds to dSink: -exp(sink - lse) * delta.
template <class T>
double sink_term(const Terms<T>& terms, const SplitLse& split, const OutputRows<T>& rows,
                 std::int64_t b, std::int64_t h, std::int64_t i) {
  const Problem& problem = terms.plan.problem;
  const double sink = terms.heads.sinks[h];
  const std::int64_t row = (b * problem.heads + h) * problem.query_length + i;
  const bool whole = !split.rest.defined();
  const double lse = whole ? *terms.lse.row(b, h, i) : split.maximum.template data<T>()[row];
  const double rest = whole ? 0 : split.rest.template data<T>()[row];
  if (std::isinf(sink) && sink < 0) return 0;
  const T* const output = rows.output.row(b, h, i);
  const T* const gradient = rows.gradient.row(b, h, i);
  double delta = 0;
  for (std::int64_t d = 0; d < problem.value_size; ++d) {
    // A fully masked row may hold anything in dO.
    if (output[d] != 0) delta += static_cast<double>(output[d]) * static_cast<double>(gradient[d]);
  }
  return delta == 0 ? 0 : -std::exp((sink - lse) - rest) * delta;
}

/// dSink[h]; `split` is undefined where lse serves alone.
template <class T>
Tensor sink_gradient(const Terms<T>& terms, const SplitLse& split, const OutputRows<T>& rows) {
  const Problem& problem = terms.plan.problem;
  Tensor result = Tensor::zeros({problem.heads}, DType::float64);
  double* const sums = result.data<double>();
  parallel_for(problem.heads, [&](std::int64_t h) {
    double sum = 0;
    for (std::int64_t b = 0; b < problem.batch; ++b) {
      for (std::int64_t i = 0; i < problem.query_length; ++i)
        sum += sink_term(terms, split, rows, b, h, i);
    }
    sums[h] = sum;
  });
  return result.to(terms.plan.options.sinks.dtype());
}

}  // namespace foveal
