#include <cmath>
#include <numeric>

#include "autograd/update_rule.h"
#include "core/door.h"
#include "core/number_text.h"
#include "foveal/autograd.h"
#include "tensor/check.h"

namespace foveal::optim {
namespace {

/// What one number of the sum covers: fixed, so that its bits don't depend on the threads.
constexpr std::int64_t kPart = 1 << 14;

template <class T>
double squares_of(const T* numbers, std::int64_t count) {
  std::array<Compute<T>, kChunk> room;
  const Reader<T> reader;
  double sum = 0;
  for (std::int64_t at = 0; at < count; at += kChunk) {
    const std::int64_t length = std::min(kChunk, count - at);
    const Compute<T>* const chunk = reader.read(numbers + at, 1, length, room.data());
    for (std::int64_t i = 0; i < length; ++i) sum += double(chunk[i]) * double(chunk[i]);
  }
  return sum;
}

double sum_of_squares(const Tensor& gradient) {
  const Tensor dense = gradient.contiguous();
  const std::int64_t count = dense.element_count();
  std::vector<double> parts((count + kPart - 1) / kPart);
  visit_floating(dense.dtype(), [&](auto zero) {
    const auto* const numbers = dense.data<decltype(zero)>();
    for_ranges(static_cast<std::int64_t>(parts.size()), kPart, [&](auto first, auto last) {
      for (std::int64_t part = first; part < last; ++part) {
        parts[part] = squares_of(numbers + part * kPart, std::min(kPart, count - part * kPart));
      }
    });
  });
  return std::accumulate(parts.begin(), parts.end(), 0.0);
}

/// Each number times `factor`, rounded once.
void scale(Tensor& gradient, double factor) {
  Tensor dense = gradient.contiguous();
  visit_floating(dense.dtype(), [&](auto zero) {
    using T = decltype(zero);
    using C = Compute<T>;
    T* const numbers = TensorBuilder::written<T>(dense);
    const C times = static_cast<C>(factor);
    const Reader<T> reader;
    const Writer<T> writer;
    for_ranges(dense.element_count(), 2, [&](std::int64_t first, std::int64_t last) {
      std::array<C, kChunk> room;
      for (std::int64_t at = first; at < last; at += kChunk) {
        const std::int64_t count = std::min(kChunk, last - at);
        const C* const chunk = reader.read(numbers + at, 1, count, room.data());
        for (std::int64_t i = 0; i < count; ++i) room[i] = chunk[i] * times;
        writer.write(room.data(), count, numbers + at, 1);
      }
    });
  });
  if (dense.shares_storage(gradient)) {
    TensorBuilder::storage(dense).count_write();
  } else {
    gradient.copy_(dense);
  }
}

}  // namespace

double clip_grad_norm_(const std::vector<Tensor>& parameters, double max_norm) try {
  if (!(max_norm >= 0)) {
    throw Error("clip_grad_norm_: max_norm is " + number_text(max_norm) + ": it must be 0 or more");
  }
  const NoGrad off;
  std::vector<Tensor> gradients;
  double sum = 0;
  for (std::size_t n = 0; n < parameters.size(); ++n) {
    const std::string argument = "parameters[" + std::to_string(n) + "]";
    require_defined(parameters[n], "clip_grad_norm_", argument.c_str());
    const Tensor gradient = parameters[n].grad();
    if (!gradient.defined()) continue;
    gradients.push_back(gradient);
    sum += sum_of_squares(gradient);
  }
  const double norm = std::sqrt(sum);
  const double factor = max_norm / (norm + 1e-6);
  if (factor >= 1) return norm;  // not so where the norm is NaN
  for (Tensor& gradient : gradients) scale(gradient, factor);
  return norm;
} catch (...) {
  rethrow_as_error("clip_grad_norm_");
}

}  // namespace foveal::optim
