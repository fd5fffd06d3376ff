#pragma once
// Results as Python gets them.

#include <nanobind/nanobind.h>

#include "arrays.h"
#include "foveal/attention.h"

namespace foveal::python {

/// (output, lse, weights, top_k_keys, top_k_weights, entropy, maximum, column_mass, rows), None for
/// what wasn't asked for.
inline nanobind::tuple to_python(const AttentionResult& result, Kind kind) {
  const Statistics& s = result.statistics;
  return nanobind::make_tuple(
      to_python(result.output, kind), to_python(result.lse, kind), to_python(result.weights, kind),
      to_python(s.top_k_keys, kind), to_python(s.top_k_weights, kind), to_python(s.entropy, kind),
      to_python(s.maximum, kind), to_python(s.column_mass, kind), to_python(s.rows, kind));
}

}  // namespace foveal::python
