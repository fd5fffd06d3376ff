#pragma once
// Query, key and value of a call.

#include "attention/engine/engine.h"
#include "c/tensors.h"

namespace foveal::c {

/// Throws Error where one isn't there or their dtypes differ.
struct Inputs {
  Tensor query, key, value;

  Inputs(const foveal_tensor* q, const foveal_tensor* k, const foveal_tensor* v,
         const char* function)
      : query(read_tensor(q, {function, "query"})),
        key(read_tensor(k, {function, "key"})),
        value(read_tensor(v, {function, "value"})) {
    check_dtypes(query, key, value);
  }

  CallInputs all() const { return {query, key, value}; }
};

}  // namespace foveal::c
