// A matrix product, packing included: (M, K) x (K, N).

#include <memory>
#include <utility>

#include "foveal/operations.h"
#include "measure/inputs.h"
#include "measure/operation.h"

namespace foveal::measure {
namespace {

Error64 product_error(const Tensor& a, const Tensor& b) {
  const Tensor product = matmul(a, b);
  const Tensor columns = b.to(DType::float64).transpose(0, 1).contiguous();
  const std::int64_t inner = a.size(1);
  Error64 error;
  for (const std::int64_t i : sampled(a.size(0))) {
    const Tensor row = a.select(0, i).to(DType::float64).contiguous();
    const Tensor got = product.select(0, i).to(DType::float64);
    for (std::int64_t j = 0; j < b.size(1); ++j) {
      const double* const column = columns.data<double>() + j * inner;
      error.add(got.at({j}), dot(std::as_const(row).data<double>(), column, inner));
    }
  }
  return error;
}

}  // namespace

Operation make_gemm(const Request& request) {
  const Sizes& s = request.sizes;
  const Shape a_shape{s.m, s.k}, b_shape{s.k, s.n}, product{s.m, s.n};
  const double bytes = bytes_of(a_shape, request.dtype) + bytes_of(b_shape, request.dtype) +
                       bytes_of(product, request.dtype);
  // Verified on B in float64, transposed; half precision is widened.
  require_memory(named(request), 2 * bytes + bytes_to_draw(a_shape, request.dtype) +
                                     2 * bytes_of(b_shape, DType::float64));
  const Tensor a = random_numbers(a_shape, request.dtype, 1);
  const Tensor b = random_numbers(b_shape, request.dtype, 2);
  Operation operation;
  operation.run = [=](std::int64_t) { matmul(a, b); };
  operation.verify = [=] { return product_error(a, b); };
  operation.flops =
      2 * static_cast<double>(s.m) * static_cast<double>(s.n) * static_cast<double>(s.k);
  operation.bytes = bytes;
  set_product_peak(operation, request.dtype);
  return operation;
}

}  // namespace foveal::measure
