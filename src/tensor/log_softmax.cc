// log_softmax, a - max - log(sum of exp(a - max)), and cross_entropy, its mean at the targets.

#include <algorithm>
#include <cmath>
#include <vector>

#include "foveal/error.h"
#include "foveal/operations.h"
#include "kernels/targets/registry.h"
#include "tensor/check.h"
#include "tensor/numbers.h"
#include "tensor/operation.h"
#include "tensor/wide_rows.h"

namespace foveal {
namespace {

/// log(sum of exp(line)) in float64, exp by the target's kernel.
template <class T>
class LogSum {
 public:
  explicit LogSum(std::int64_t count)
      : kernel_(find_target("").exponentials_float64.exp), room_(static_cast<std::size_t>(count)) {}

  double of(const T* line) {
    const auto count = static_cast<std::int64_t>(room_.size());
    double largest = -INFINITY;
    for (std::int64_t i = 0; i < count; ++i) {
      const auto value = static_cast<double>(line[i]);
      largest = value > largest || value != value ? value : largest;
    }
    for (std::int64_t i = 0; i < count; ++i) room_[i] = static_cast<double>(line[i]) - largest;
    kernel_(room_.data(), count, room_.data());
    double sum = 0;
    for (const double term : room_) sum += term;
    return largest + std::log(sum);
  }

 private:
  void (*kernel_)(const double* from, std::int64_t count, double* to);
  std::vector<double> room_;
};

/// Of lines along the last axis, float32 or float64.
Tensor log_softmax_rows(const Tensor& rows) {
  Tensor out = TensorBuilder::empty(rows.shape(), rows.dtype());
  const std::int64_t count = rows.size(-1);
  with_wide(rows.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* const from = rows.data<T>();
    T* const to = TensorBuilder::written<T>(out);
    for_rows(rows, 1, [=](std::int64_t first, std::int64_t last) {
      LogSum<T> log_sum(count);
      for (std::int64_t place = first * count; place < last * count; place += count) {
        const double log = log_sum.of(from + place);
        for (std::int64_t i = 0; i < count; ++i) {
          to[place + i] = static_cast<T>(static_cast<double>(from[place + i]) - log);
        }
      }
    });
  });
  return out;
}

class LogSoftmax final : public OperationOf<LogSoftmax> {
 public:
  explicit LogSoftmax(std::int64_t axis) : axis_(axis) {}

  const char* name() const override { return "log_softmax"; }
  Form form(Inputs inputs) const override {
    require_defined(inputs[0], "log_softmax", "a");
    require_floating(inputs[0], "log_softmax", "a");
    normalize_axis(axis_, inputs[0].rank(), "log_softmax");
    return {inputs[0].shape(), inputs[0].dtype()};
  }
  void compute(Inputs inputs, Tensor& out) const override {
    const Tensor lines = inputs[0].to(wide_dtype(out.dtype())).transpose(axis_, -1).contiguous();
    out.copy_(log_softmax_rows(lines).transpose(axis_, -1));
  }
  Saves saves(InputSet) const override { return {0, true}; }
  /// grad - softmax times the sum of grad along the axis, rounded once.
  Tensors gradient(const Recorded& call) const override {
    const DType dtype = call.grad.dtype(), wide = wide_dtype(dtype);
    const Tensor grad = call.grad.to(wide);
    return {(grad - exp(call.output.to(wide)) * sum(grad, axis_, true)).to(dtype)};
  }

 private:
  std::int64_t axis_;
};

/// Inputs: logits (N, C), targets (N).
class CrossEntropy final : public OperationOf<CrossEntropy> {
 public:
  explicit CrossEntropy(std::int64_t ignore_index) : ignored_(ignore_index) {}

  const char* name() const override { return "cross_entropy"; }
  Form form(Inputs inputs) const override;
  void compute(Inputs inputs, Tensor& out) const override;
  Saves saves(InputSet) const override { return {3}; }
  Tensors gradient(const Recorded& call) const override;

 private:
  /// The rows that count, of contiguous targets. ignore_index may be any int64: float64 isn't
  /// enough.
  double counted(const Tensor& targets) const {
    const std::int64_t* const target = targets.data<std::int64_t>();
    const std::int64_t rows = targets.size(0);
    return static_cast<double>(rows - std::count(target, target + rows, ignored_));
  }

  std::int64_t ignored_;
};

Form CrossEntropy::form(Inputs inputs) const {
  const Tensor &logits = inputs[0], &targets = inputs[1];
  require_defined(logits, "cross_entropy", "logits");
  require_defined(targets, "cross_entropy", "targets");
  require_floating(logits, "cross_entropy", "logits");
  if (logits.rank() != 2 || targets.shape() != Shape{logits.size(0)} ||
      targets.dtype() != DType::int64) {
    throw Error("cross_entropy: logits has shape " + to_string(logits.shape()) + " and targets " +
                to_string(targets.shape()) + " of dtype " + to_string(targets.dtype()) +
                ": they must be (N, C) and (N) of int64");
  }
  const std::int64_t classes = logits.size(1);
  const std::int64_t* const first = targets.data<std::int64_t>();
  for (std::int64_t n = 0; n < targets.size(0); ++n) {
    const std::int64_t target = first[n * targets.strides()[0]];
    if ((target >= 0 && target < classes) || target == ignored_) continue;
    throw Error("cross_entropy: targets[" + std::to_string(n) + "] is " + std::to_string(target) +
                " but logits has " + std::to_string(classes) + " classes: it must be from 0 to " +
                std::to_string(classes - 1) + ", or ignore_index (" + std::to_string(ignored_) +
                ")");
  }
  return {{}, logits.dtype()};
}

void CrossEntropy::compute(Inputs inputs, Tensor& out) const {
  const Tensor rows = inputs[0].to(wide_dtype(out.dtype())).contiguous();
  const Tensor targets = inputs[1].contiguous();
  const std::int64_t count = rows.size(1), *const target = targets.data<std::int64_t>();
  Tensor losses = Tensor::zeros({rows.size(0)}, DType::float64);
  with_wide(rows.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* const from = rows.data<T>();
    auto* const loss = TensorBuilder::written<double>(losses);
    for_rows(rows, 1, [=, this](std::int64_t first, std::int64_t last) {
      LogSum<T> log_sum(count);
      for (std::int64_t row = first; row < last; ++row) {
        if (target[row] == ignored_) continue;
        const T* const line = from + row * count;
        loss[row] = log_sum.of(line) - static_cast<double>(line[target[row]]);
      }
    });
  });
  out.copy_(sum(losses) / counted(targets));
}

/// softmax less 1 at the target, over the number of rows that count.
Tensors CrossEntropy::gradient(const Recorded& call) const {
  const Tensor targets = call.inputs[1].contiguous();
  const DType wide = wide_dtype(call.forms[0].dtype);
  Tensor result = softmax(call.inputs[0].to(wide), 1);
  const std::int64_t count = result.size(1), *const target = targets.data<std::int64_t>();
  const double share = call.grad.item() / counted(targets);
  with_wide(wide, [&](auto zero) {
    using T = decltype(zero);
    T* const to = TensorBuilder::written<T>(result);
    for_rows(result, 1, [=, this](std::int64_t first, std::int64_t last) {
      for (std::int64_t row = first; row < last; ++row) {
        T* const line = to + row * count;
        if (target[row] == ignored_) {
          std::fill_n(line, count, T{0});
          continue;
        }
        line[target[row]] -= 1;
        for (std::int64_t i = 0; i < count; ++i) line[i] *= static_cast<T>(share);
      }
    });
  });
  return {result.to(call.forms[0].dtype), Tensor()};
}

}  // namespace

Tensor log_softmax(const Tensor& a, std::int64_t axis) { return apply(LogSoftmax(axis), {a}); }

Tensor cross_entropy(const Tensor& logits, const Tensor& targets, std::int64_t ignore_index) {
  return apply(CrossEntropy(ignore_index), {logits, targets});
}

}  // namespace foveal
