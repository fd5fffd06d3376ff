// softmax: exp(a - max) / sum, along one axis, by the target's kernel.

#include <vector>

#include "foveal/operations.h"
#include "tensor/builder.h"
#include "tensor/check.h"
#include "tensor/chunks.h"
#include "tensor/lines.h"
#include "tensor/operation.h"
#include "tensor/visit.h"
#include "tensor/wide_rows.h"

namespace foveal {
namespace {

/// The kernel's room goes beyond a line by so many numbers.
constexpr std::int64_t kBeyond = 8;

/// A line's numbers while they are worked on.
template <class T>
std::vector<T> room_for(std::int64_t count) {
  return std::vector<T>(static_cast<std::size_t>(count));
}

/// float32 or float64.
template <class T>
auto line_worker(const T* from, std::int64_t count, T* to) {
  const Target& target = find_target("");
  const auto kernel = [&target] {
    if constexpr (sizeof(T) == 8) return target.exponentials_float64.softmax;
    if constexpr (sizeof(T) == 4) return target.exponentials_float32.softmax;
  }();
  return
      [=, room = room_for<double>(count + kBeyond)](std::int64_t line, std::int64_t place) mutable {
        kernel(from + line, count, room.data(), to + place);
      };
}

/// A 16-bit type.
template <class Half>
auto half_line_worker(const Half* from, std::int64_t count, Half* to) {
  const ConversionKernels convert = conversion_kernels(dtype_of<Half>());
  const auto kernel = find_target("").softmax_for_halves;
  return [=, room = room_for<double>(count + kBeyond), numbers = room_for<float>(count)](
             std::int64_t line, std::int64_t place) mutable {
    convert.widen(&from[line].bits, count, numbers.data());
    kernel(numbers.data(), count, room.data(), numbers.data());
    convert.narrow(numbers.data(), count, &to[place].bits);
  };
}

/// Along the last axis, whose elements lie one after the other.
Tensor softmax_rows(const Tensor& a) {
  Tensor out = TensorBuilder::empty(a.shape(), a.dtype());
  visit_floating(a.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* const from = a.data<T>();
    T* const to = TensorBuilder::written<T>(out);
    const std::int64_t count = a.size(-1);
    for_lines(a, out, a.rank() - 1, [=] {
      if constexpr (is_half<T>) return half_line_worker(from, count, to);
      if constexpr (!is_half<T>) return line_worker(from, count, to);
    });
  });
  return out;
}

/// grad (y - sum of grad y along a line) y, in float32 lanes whose sums are added in float64.
template <class T>
void softmax_line_gradient(const T* output, const T* grad, std::int64_t count, T* to) {
  constexpr std::int64_t kLanes = 32;
  T lanes[kLanes] = {};
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (std::int64_t n = 0; n < kLanes; ++n) lanes[n] += output[i + n] * grad[i + n];
  }
  double total = 0;
  for (const T lane : lanes) total += lane;
  for (; i < count; ++i) total += static_cast<double>(output[i]) * grad[i];
  const T sum = static_cast<T>(total);
  for (i = 0; i < count; ++i) to[i] = output[i] * (grad[i] - sum);
}

class Softmax final : public OperationOf<Softmax> {
 public:
  explicit Softmax(std::int64_t axis) : axis_(axis) {}

  const char* name() const override { return "softmax"; }
  Form form(Inputs inputs) const override {
    require_defined(inputs[0], "softmax", "a");
    require_floating(inputs[0], "softmax", "a");
    normalize_axis(axis_, inputs[0].rank(), "softmax");
    return {inputs[0].shape(), inputs[0].dtype()};
  }
  void compute(Inputs, Tensor&) const override {}  // run() does it
  Tensor run(Inputs inputs) const override {
    const Form result = form(inputs);
    if (inputs[0].element_count() == 0) return TensorBuilder::empty(result.shape, result.dtype);
    // Transposed copies take less time than a walk across rows.
    if (normalize_axis(axis_, inputs[0].rank(), "softmax") == inputs[0].rank() - 1) {
      return softmax_rows(inputs[0].strides().back() == 1 ? inputs[0] : inputs[0].contiguous());
    }
    const Tensor lines = inputs[0].transpose(axis_, -1);
    const Tensor out = softmax_rows(lines.strides().back() == 1 ? lines : lines.contiguous());
    const Tensor turned = out.transpose(axis_, -1);
    return turned.is_contiguous() ? out.view(result.shape) : turned.contiguous();
  }
  Saves saves(InputSet) const override { return {0, true}; }
  Tensors gradient(const Recorded& call) const override;

 private:
  std::int64_t axis_;
};

Tensors Softmax::gradient(const Recorded& call) const {
  const DType dtype = call.grad.dtype(), wide = wide_dtype(dtype);
  const auto lines = [&](const Tensor& tensor) {
    return tensor.transpose(axis_, -1).to(wide).contiguous();
  };
  const Tensor output = lines(call.output), grad = lines(call.grad);
  Tensor result = TensorBuilder::empty(grad.shape(), wide);
  const std::int64_t count = grad.size(-1);
  with_wide(wide, [&](auto zero) {
    using T = decltype(zero);
    const T* const from = output.data<T>();
    const T* const grads = grad.data<T>();
    T* const to = TensorBuilder::written<T>(result);
    for_rows(grad, 1, [=](std::int64_t first, std::int64_t last) {
      for (std::int64_t place = first * count; place < last * count; place += count) {
        softmax_line_gradient(from + place, grads + place, count, to + place);
      }
    });
  });
  return {result.transpose(axis_, -1).to(dtype)};
}

}  // namespace

Tensor softmax(const Tensor& a, std::int64_t axis) { return apply(Softmax(axis), {a}); }

}  // namespace foveal
