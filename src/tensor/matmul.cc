// Products of matrices: shapes, batches and dtypes; products.cc does the work.

#include <algorithm>
#include <array>
#include <vector>

#include "foveal/error.h"
#include "foveal/operations.h"
#include "foveal/threads.h"
#include "tensor/builder.h"
#include "tensor/check.h"
#include "tensor/parallel.h"
#include "tensor/products.h"
#include "tensor/visit.h"
#include "tensor/walk.h"

namespace foveal {
namespace {

/// sums[j] += a[k] * b[k][j] for each k in order; throws where a sum leaves int64.
void multiply_matrices(const Matrix<std::int64_t>& a, const Matrix<std::int64_t>& b,
                       const std::int64_t*, std::int64_t* out, const ProductSize& size) {
  std::fill_n(out, size.rows * size.columns, 0);
  for (std::int64_t i = 0; i < size.rows; ++i) {
    for (std::int64_t k = 0; k < size.inner; ++k) {
      const std::int64_t left = a.data[i * a.row + k * a.step];
      for (std::int64_t j = 0; j < size.columns; ++j) {
        std::int64_t product = 0, *sum = out + i * size.columns + j;
        if (__builtin_mul_overflow(left, b.data[k * b.row + j * b.step], &product) ||
            __builtin_add_overflow(*sum, product, sum)) {
          throw Error(
              "matmul: a sum of int64 products is outside int64: convert the tensors with "
              "to(float64)");
        }
      }
    }
  }
}

/// The last two axes of a tensor, from `offset` on.
template <class T>
Matrix<T> matrix_of(const Tensor& tensor, std::int64_t offset = 0) {
  const Strides& strides = tensor.strides();
  return {tensor.data<T>() + offset, strides[strides.size() - 2], strides.back()};
}

/// a (..., M, K) and b (..., K, N) with the same leading axes -> out (..., M, N), row-major.
template <class T>
void multiply_batches(const Tensor& a, const Tensor& b, Tensor& out) {
  const Shape batch(a.shape().begin(), a.shape().end() - 2);
  const auto leading = [](const Tensor& t) {
    return Strides(t.strides().begin(), t.strides().end() - 2);
  };
  const ProductSize size{out.size(-2), a.size(-1), out.size(-1)};
  if (size.rows == 0 || size.columns == 0) return;
  T* const result = TensorBuilder::written<T>(out);
  std::vector<std::array<std::int64_t, 3>> places;
  for_each_element<3>(batch, {leading(a), leading(b), leading(out)},
                      [&](const auto& at) { places.push_back(at); });
  const auto multiply = [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t index = first; index < last; ++index) {
      const auto& at = places[static_cast<std::size_t>(index)];
      const Compute<T>* const no_bias = nullptr;
      multiply_matrices(matrix_of<T>(a, at[0]), matrix_of<T>(b, at[1]), no_bias, result + at[2],
                        size);
    }
  };
  // Of a few products each is shared by the threads; of many, each has one thread.
  const auto count = static_cast<std::int64_t>(places.size());
  if (count < 4 * num_threads()) {
    multiply(0, count);
  } else {
    for_ranges(count, size.rows * size.columns + size.rows * size.inner, multiply);
  }
}

void require_multipliable(const Tensor& a, const char* name_a, const Tensor& b, const char* name_b,
                          const char* function) {
  require_defined(a, function, name_a);
  require_defined(b, function, name_b);
  require_same_dtype(a, name_a, b, name_b, function);
  if (a.dtype() == DType::boolean) {
    throw Error(std::string(function) + ": " + name_a + " and " + name_b +
                " have dtype bool: products need numbers; convert them with to(float32)");
  }
}

std::string shapes_of(const Tensor& a, const char* name_a, const Tensor& b, const char* name_b) {
  return std::string(name_a) + " has shape " + to_string(a.shape()) + " and " + name_b +
         " has shape " + to_string(b.shape());
}

}  // namespace

Tensor matmul(const Tensor& a, const Tensor& b) {
  require_multipliable(a, "a", b, "b", "matmul");
  if (a.rank() == 0 || b.rank() == 0) {
    throw Error("matmul: " + shapes_of(a, "a", b, "b") +
                ": a scalar has no rows or columns; use a * b");
  }
  const Tensor left = a.rank() == 1 ? a.unsqueeze(0) : a;
  const Tensor right = b.rank() == 1 ? b.unsqueeze(1) : b;
  if (left.size(-1) != right.size(-2)) {
    throw Error("matmul: " + shapes_of(a, "a", b, "b") + ": a's last size (" +
                std::to_string(left.size(-1)) + ") must equal b's " +
                (b.rank() == 1 ? "size (" : "second to last size (") +
                std::to_string(right.size(-2)) + "); is a transpose missing?");
  }
  Shape shape = broadcast_shapes(Shape(left.shape().begin(), left.shape().end() - 2),
                                 Shape(right.shape().begin(), right.shape().end() - 2),
                                 "matmul: " + shapes_of(a, "a", b, "b") + "; leading axes");
  const auto with_matrix = [&shape](std::int64_t rows, std::int64_t columns) {
    Shape full = shape;
    full.push_back(rows);
    full.push_back(columns);
    return full;
  };
  if (right.rank() == 2 && left.rank() > 2) {  // one product of all rows
    const std::int64_t rows = element_count(shape) * left.size(-2);
    const Tensor out = matmul(left.reshape({rows, left.size(-1)}), b);
    if (b.rank() == 1) return out.reshape(Shape(a.shape().begin(), a.shape().end() - 1));
    return out.reshape(with_matrix(left.size(-2), right.size(-1)));
  }
  Tensor out = TensorBuilder::empty(with_matrix(left.size(-2), right.size(-1)), a.dtype());
  const Tensor wide_left = left.expand(with_matrix(left.size(-2), left.size(-1)));
  const Tensor wide_right = right.expand(with_matrix(right.size(-2), right.size(-1)));
  if (a.dtype() == DType::int64) {
    multiply_batches<std::int64_t>(wide_left, wide_right, out);
  } else {
    visit_floating(a.dtype(), [&](auto zero) {
      multiply_batches<decltype(zero)>(wide_left, wide_right, out);
    });
  }
  if (a.rank() == 1) out = out.squeeze(-2);
  if (b.rank() == 1) out = out.squeeze(-1);
  return out;
}

Tensor dot(const Tensor& a, const Tensor& b) {
  require_multipliable(a, "a", b, "b", "dot");
  if (a.rank() != 1 || b.rank() != 1 || a.size(0) != b.size(0)) {
    throw Error("dot: " + shapes_of(a, "a", b, "b") +
                ": both must be vectors of the same length; matmul takes matrices");
  }
  return matmul(a, b);
}

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  require_multipliable(x, "x", weight, "weight", "linear");
  require_floating(x, "linear", "x");
  if (weight.rank() != 2 || x.rank() == 0 || x.size(-1) != weight.size(1)) {
    throw Error("linear: " + shapes_of(x, "x", weight, "weight") +
                ": weight must be (d_out, d_in) and x (..., d_in)");
  }
  const std::int64_t d_out = weight.size(0), d_in = weight.size(1);
  if (bias.defined()) {
    require_same_dtype(x, "x", bias, "bias", "linear");
    if (bias.shape() != Shape{d_out}) {
      throw Error("linear: " + shapes_of(weight, "weight", bias, "bias") +
                  ": bias must be (d_out), here (" + std::to_string(d_out) + ")");
    }
  }
  Shape shape = x.shape();
  shape.back() = d_out;
  Tensor out = TensorBuilder::empty(shape, x.dtype());
  const ProductSize size{element_count(Shape(shape.begin(), shape.end() - 1)), d_in, d_out};
  const Tensor rows = x.reshape({size.rows, d_in}), columns = weight.transpose(0, 1);
  visit_floating(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    using C = Compute<T>;
    const Tensor wide_bias = bias.defined() ? bias.to(dtype_of<C>()).contiguous() : bias;
    multiply_matrices(matrix_of<T>(rows), matrix_of<T>(columns),
                      bias.defined() ? std::as_const(wide_bias).data<C>() : nullptr,
                      TensorBuilder::written<T>(out), size);
  });
  return out;
}

}  // namespace foveal
