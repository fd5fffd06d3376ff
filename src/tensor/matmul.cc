// Products of matrices. Plain loops with a float64 row of sums; the fast ones live with attention.

#include <algorithm>
#include <vector>

#include "foveal/error.h"
#include "foveal/operations.h"
#include "tensor/builder.h"
#include "tensor/check.h"
#include "tensor/numbers.h"
#include "tensor/visit.h"
#include "tensor/walk.h"

namespace foveal {
namespace {

/// The elements of a tensor, row-major, in the type that products are summed in.
template <class Sum, class T>
std::vector<Sum> pack(const Tensor& tensor) {
  std::vector<Sum> packed;
  packed.reserve(static_cast<std::size_t>(tensor.element_count()));
  const T* const elements = tensor.data<T>();
  for_each_run<1>(tensor.shape(), {tensor.strides()}, [&](const Run<1>& run) {
    const T* from = elements + run.starts[0];
    for (std::int64_t i = 0; i < run.count; ++i) {
      packed.push_back(static_cast<Sum>(from[i * run.steps[0]]));
    }
  });
  return packed;
}

/// sums[j] += a[k] * b[k][j] for each k in order, b's rows `stride` apart.
void add_products(double* sums, const double* a, const double* b, std::int64_t inner,
                  std::int64_t stride, std::int64_t count) {
  std::int64_t k = 0;
  // Four at a time, so that a sum is read and written less often; the order stays the same.
  for (; k + 4 <= inner; k += 4) {
    const double* const b0 = b + k * stride;
    const double* const b1 = b0 + stride;
    const double* const b2 = b1 + stride;
    const double* const b3 = b2 + stride;
    for (std::int64_t j = 0; j < count; ++j) {
      double sum = sums[j];
      sum += a[k] * b0[j];
      sum += a[k + 1] * b1[j];
      sum += a[k + 2] * b2[j];
      sum += a[k + 3] * b3[j];
      sums[j] = sum;
    }
  }
  for (; k < inner; ++k) {
    for (std::int64_t j = 0; j < count; ++j) sums[j] += a[k] * b[k * stride + j];
  }
}

void add_products(std::int64_t* sums, const std::int64_t* a, const std::int64_t* b,
                  std::int64_t inner, std::int64_t stride, std::int64_t count) {
  for (std::int64_t k = 0; k < inner; ++k) {
    for (std::int64_t j = 0; j < count; ++j) {
      std::int64_t product = 0;
      if (__builtin_mul_overflow(a[k], b[k * stride + j], &product) ||
          __builtin_add_overflow(sums[j], product, &sums[j])) {
        throw Error(
            "matmul: a sum of int64 products is outside int64: convert the tensors with "
            "to(float64)");
      }
    }
  }
}

/// One matrix product: a (rows, inner), b (inner, columns), row-major -> out, row-major. Where
/// `bias` is not null, bias[j] is added to each sum before it is rounded.
template <class Sum, class T>
void multiply(const std::vector<Sum>& a, const std::vector<Sum>& b, const Sum* bias, T* out,
              std::int64_t rows, std::int64_t inner, std::int64_t columns) {
  // A block of columns, so that its sums stay in the nearest cache.
  constexpr std::int64_t block = 512;
  std::vector<Sum> sums(static_cast<std::size_t>(std::min(block, columns)));
  for (std::int64_t first = 0; first < columns; first += block) {
    const std::int64_t width = std::min(block, columns - first);
    for (std::int64_t i = 0; i < rows; ++i) {
      std::fill_n(sums.begin(), width, Sum{0});
      if (inner > 0) {
        add_products(sums.data(), &a[i * inner], &b[first], inner, columns, width);
      }
      for (std::int64_t j = 0; j < width; ++j) {
        const Sum sum = bias == nullptr ? sums[j] : sums[j] + bias[first + j];
        out[i * columns + first + j] = convert<T>(sum);
      }
    }
  }
}

/// a (..., M, K) and b (..., K, N) with the same leading axes -> out (..., M, N), row-major.
template <class Sum, class T>
void multiply_batches(const Tensor& a, const Tensor& b, Tensor& out) {
  const Shape batch(a.shape().begin(), a.shape().end() - 2);
  const auto leading = [](const Tensor& t) {
    return Strides(t.strides().begin(), t.strides().end() - 2);
  };
  const auto matrix_at = [](const Tensor& t, std::int64_t offset) {
    return TensorBuilder::view(t, Shape(t.shape().end() - 2, t.shape().end()),
                               Strides(t.strides().end() - 2, t.strides().end()), offset);
  };
  const std::int64_t rows = out.size(-2), columns = out.size(-1), inner = a.size(-1);
  if (rows == 0 || columns == 0) return;
  T* const result = out.data<T>();
  std::vector<Sum> packed_b;
  std::int64_t packed_offset = -1;
  for_each_element<3>(batch, {leading(a), leading(b), leading(out)}, [&](const auto& at) {
    // A matrix that is broadcast over the batch is packed once.
    if (packed_b.empty() || packed_offset != at[1]) packed_b = pack<Sum, T>(matrix_at(b, at[1]));
    packed_offset = at[1];
    const std::vector<Sum> packed_a = pack<Sum, T>(matrix_at(a, at[0]));
    multiply<Sum, T>(packed_a, packed_b, nullptr, result + at[2], rows, inner, columns);
  });
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
  Tensor out = TensorBuilder::empty(with_matrix(left.size(-2), right.size(-1)), a.dtype());
  const Tensor wide_left = left.expand(with_matrix(left.size(-2), left.size(-1)));
  const Tensor wide_right = right.expand(with_matrix(right.size(-2), right.size(-1)));
  if (a.dtype() == DType::int64) {
    multiply_batches<std::int64_t, std::int64_t>(wide_left, wide_right, out);
  } else {
    visit_floating(a.dtype(), [&](auto zero) {
      multiply_batches<double, decltype(zero)>(wide_left, wide_right, out);
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
  const std::int64_t rows = element_count(Shape(shape.begin(), shape.end() - 1));
  visit_floating(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const std::vector<double> packed_bias =
        bias.defined() ? pack<double, T>(bias) : std::vector<double>();
    multiply<double, T>(pack<double, T>(x), pack<double, T>(weight.transpose(0, 1)),
                        bias.defined() ? packed_bias.data() : nullptr, out.data<T>(), rows, d_in,
                        d_out);
  });
  return out;
}

}  // namespace foveal
