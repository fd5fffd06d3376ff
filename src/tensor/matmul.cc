// Products of matrices: shapes, batches and dtypes; products.cc does the work.

#include <algorithm>
#include <array>
#include <vector>

#include "foveal/error.h"
#include "foveal/operations.h"
#include "foveal/threads.h"
#include "tensor/builder.h"
#include "tensor/check.h"
#include "tensor/operation.h"
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

/// A vector is a row on the left and a column on the right.
Tensor as_left(const Tensor& a) { return a.rank() == 1 ? a.unsqueeze(0) : a; }
Tensor as_right(const Tensor& b) { return b.rank() == 1 ? b.unsqueeze(1) : b; }

/// (..., rows, columns) -> (all rows, columns)
Tensor as_rows(const Tensor& a) {
  if (a.rank() == 2) return a;
  const std::int64_t columns = a.size(-1);
  return a.reshape({element_count(Shape(a.shape().begin(), a.shape().end() - 1)), columns});
}

class Matmul final : public OperationOf<Matmul> {
 public:
  explicit Matmul(const char* name) : name_(name) {}

  const char* name() const override { return name_; }
  Form form(Inputs inputs) const override;
  void compute(Inputs inputs, Tensor& out) const override;
  Saves saves(InputSet wanted) const override {
    return {(holds(wanted, 0) ? InputSet{2} : 0) | (holds(wanted, 1) ? InputSet{1} : 0)};
  }
  Tensors gradient(const Recorded& call) const override;

 private:
  const char* name_;
};

Form Matmul::form(Inputs inputs) const {
  const Tensor &a = inputs[0], &b = inputs[1];
  require_multipliable(a, "a", b, "b", name_);
  if (a.rank() == 0 || b.rank() == 0) {
    throw Error("matmul: " + shapes_of(a, "a", b, "b") +
                ": a scalar has no rows or columns; use a * b");
  }
  const std::int64_t inner = b.size(b.rank() == 1 ? 0 : -2);
  if (a.size(-1) != inner) {
    throw Error("matmul: " + shapes_of(a, "a", b, "b") + ": a's last size (" +
                std::to_string(a.size(-1)) + ") must equal b's " +
                (b.rank() == 1 ? "size (" : "second to last size (") + std::to_string(inner) +
                "); is a transpose missing?");
  }
  const auto leading = [](const Tensor& tensor) {
    const std::int64_t axes = std::max<std::int64_t>(tensor.rank() - 2, 0);
    return Shape(tensor.shape().begin(), tensor.shape().begin() + axes);
  };
  Shape shape = leading(a);
  if (leading(b) != shape) {
    shape = broadcast_shapes(shape, leading(b),
                             "matmul: " + shapes_of(a, "a", b, "b") + "; leading axes");
  }
  if (a.rank() > 1) shape.push_back(a.size(-2));
  if (b.rank() > 1) shape.push_back(b.size(-1));
  return {shape, a.dtype()};
}

/// left (..., M, K) and right (..., K, N), leading axes broadcast -> out (..., M, N).
void multiply(const Tensor& left, const Tensor& right, Tensor& out) {
  const auto with_matrix = [&out](const Tensor& tensor) {
    Shape full(out.shape().begin(), out.shape().end() - 2);
    full.push_back(tensor.size(-2));
    full.push_back(tensor.size(-1));
    return full;
  };
  const Tensor wide_left = left.expand(with_matrix(left));
  const Tensor wide_right = right.expand(with_matrix(right));
  if (out.dtype() == DType::int64) {
    multiply_batches<std::int64_t>(wide_left, wide_right, out);
  } else {
    visit_floating(out.dtype(), [&](auto zero) {
      multiply_batches<decltype(zero)>(wide_left, wide_right, out);
    });
  }
}

void Matmul::compute(Inputs inputs, Tensor& out) const {
  const Tensor left = as_left(inputs[0]), right = as_right(inputs[1]);
  Tensor result = inputs[1].rank() == 1 ? out.unsqueeze(-1) : out;
  if (inputs[0].rank() == 1) result = result.unsqueeze(-2);
  if (right.rank() == 2 && left.rank() > 2) {  // one product of all rows
    result = as_rows(result);
    multiply(as_rows(left), right, result);
  } else {
    multiply(left, right, result);
  }
}

Tensors Matmul::gradient(const Recorded& call) const {
  const bool vector_a = call.forms[0].shape.size() == 1, vector_b = call.forms[1].shape.size() == 1;
  Tensor grad = vector_b ? call.grad.unsqueeze(-1) : call.grad;
  if (vector_a) grad = grad.unsqueeze(-2);
  Tensors result(2);
  if (holds(call.wanted, 0)) {
    result[0] = matmul(grad, as_right(call.inputs[1]).transpose(-1, -2));
    if (vector_a) result[0] = result[0].squeeze(-2);
  }
  if (holds(call.wanted, 1)) {
    const Tensor left = as_left(call.inputs[0]);
    // One product sums over all that shared b.
    result[1] = call.forms[1].shape.size() <= 2 && left.rank() > 2
                    ? matmul(as_rows(left).transpose(0, 1), as_rows(grad))
                    : matmul(left.transpose(-1, -2), grad);
    if (vector_b) result[1] = result[1].squeeze(-1);
  }
  return result;
}

/// x, weight and, where there is one, bias.
class Linear final : public OperationOf<Linear> {
 public:
  const char* name() const override { return "linear"; }
  Form form(Inputs inputs) const override;
  void compute(Inputs inputs, Tensor& out) const override;
  Saves saves(InputSet wanted) const override {
    return {(holds(wanted, 0) ? InputSet{2} : 0) | (holds(wanted, 1) ? InputSet{1} : 0)};
  }
  Tensors gradient(const Recorded& call) const override;
};

Form Linear::form(Inputs inputs) const {
  const Tensor &x = inputs[0], &weight = inputs[1];
  require_multipliable(x, "x", weight, "weight", "linear");
  require_floating(x, "linear", "x");
  if (weight.rank() != 2 || x.rank() == 0 || x.size(-1) != weight.size(1)) {
    throw Error("linear: " + shapes_of(x, "x", weight, "weight") +
                ": weight must be (d_out, d_in) and x (..., d_in)");
  }
  Shape shape = x.shape();
  shape.back() = weight.size(0);
  if (inputs.size() > 2) {
    const Tensor& bias = inputs[2];
    require_same_dtype(x, "x", bias, "bias", "linear");
    if (bias.shape() != Shape{shape.back()}) {
      throw Error("linear: " + shapes_of(weight, "weight", bias, "bias") +
                  ": bias must be (d_out), here (" + std::to_string(shape.back()) + ")");
    }
  }
  return {shape, x.dtype()};
}

void Linear::compute(Inputs inputs, Tensor& out) const {
  const Tensor rows = as_rows(inputs[0]), columns = inputs[1].transpose(0, 1);
  const ProductSize size{rows.size(0), rows.size(1), columns.size(1)};
  visit_floating(out.dtype(), [&](auto zero) {
    using T = decltype(zero);
    using C = Compute<T>;
    const Tensor bias = inputs.size() > 2 ? inputs[2].to(dtype_of<C>()).contiguous() : Tensor();
    multiply_matrices(matrix_of<T>(rows), matrix_of<T>(columns),
                      bias.defined() ? bias.data<C>() : nullptr, TensorBuilder::written<T>(out),
                      size);
  });
}

Tensors Linear::gradient(const Recorded& call) const {
  Tensors result(call.forms.size());
  const Tensor rows = as_rows(call.grad);
  if (holds(call.wanted, 0)) result[0] = matmul(call.grad, call.inputs[1]);
  if (holds(call.wanted, 1)) result[1] = matmul(rows.transpose(0, 1), as_rows(call.inputs[0]));
  if (holds(call.wanted, 2)) result[2] = sum(rows, 0);
  return result;
}

}  // namespace

Tensor matmul(const Tensor& a, const Tensor& b) { return apply(Matmul("matmul"), {a, b}); }

Tensor dot(const Tensor& a, const Tensor& b) {
  require_multipliable(a, "a", b, "b", "dot");
  if (a.rank() != 1 || b.rank() != 1 || a.size(0) != b.size(0)) {
    throw Error("dot: " + shapes_of(a, "a", b, "b") +
                ": both must be vectors of the same length; matmul takes matrices");
  }
  return apply(Matmul("dot"), {a, b});
}

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  return bias.defined() ? apply(Linear(), {x, weight, bias}) : apply(Linear(), {x, weight});
}

}  // namespace foveal
