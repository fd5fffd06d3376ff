#pragma once
// From a DType to its C++ type: visit(dtype, [&](auto zero) { using T = decltype(zero); ... }).

#include "foveal/dtype.h"
#include "foveal/error.h"

namespace foveal {

template <class Function>
auto visit_floating(DType dtype, Function function) {
  switch (dtype) {
    case DType::float32:
      return function(float{});
    case DType::float64:
      return function(double{});
    case DType::bfloat16:
      return function(BFloat16{});
    case DType::float16:
      return function(Float16{});
    default:
      throw Error("dtype " + to_string(dtype) + " is not a floating one", ErrorKind::internal);
  }
}

template <class Function>
auto visit(DType dtype, Function function) {
  switch (dtype) {
    case DType::int64:
      return function(std::int64_t{});
    case DType::boolean:
      return function(bool{});
    default:
      return visit_floating(dtype, function);
  }
}

}  // namespace foveal
