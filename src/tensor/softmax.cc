// softmax: exp(a - max) / sum, along one axis, by the target's kernel.

#include <vector>

#include "foveal/operations.h"
#include "tensor/builder.h"
#include "tensor/check.h"
#include "tensor/chunks.h"
#include "tensor/lines.h"
#include "tensor/visit.h"

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
  const HalfKernels convert = half_kernels<Half>();
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

}  // namespace

Tensor softmax(const Tensor& a, std::int64_t axis) {
  require_defined(a, "softmax", "a");
  require_floating(a, "softmax", "a");
  const std::int64_t along = normalize_axis(axis, a.rank(), "softmax");
  if (a.element_count() == 0) return TensorBuilder::empty(a.shape(), a.dtype());
  // Transposed copies take less time than a walk across rows.
  const Tensor lines = a.transpose(along, -1);
  const Tensor out = softmax_rows(lines.strides().back() == 1 ? lines : lines.contiguous());
  return out.transpose(along, -1).contiguous();
}

}  // namespace foveal
