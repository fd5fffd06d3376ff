#include "foveal/shape.h"

#include <algorithm>
#include <limits>

#include "foveal/error.h"

namespace foveal {

std::string to_string(const Shape& shape) {
  std::string text = "(";
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    if (axis > 0) text += ", ";
    text += std::to_string(shape[axis]);
  }
  return text + ")";
}

std::int64_t element_count(const Shape& shape) {
  std::int64_t count = 1;
  bool is_empty = false;
  for (std::int64_t size : shape) {
    if (size < 0) {
      throw Error("shape " + to_string(shape) + ": a size must be 0 or more, not " +
                  std::to_string(size));
    }
    // A size 0 is left out here, so that strides never overflow, wherever it stands.
    is_empty = is_empty || size == 0;
    if (__builtin_mul_overflow(count, std::max<std::int64_t>(size, 1), &count)) {
      throw Error("shape " + to_string(shape) + ": holds more elements than 63 bits can count");
    }
  }
  return is_empty ? 0 : count;
}

Strides row_major_strides(const Shape& shape) {
  Strides strides(shape.size());
  std::int64_t stride = 1;
  for (std::size_t axis = shape.size(); axis-- > 0;) {
    strides[axis] = stride;
    stride *= std::max<std::int64_t>(shape[axis], 1);
  }
  return strides;
}

Shape broadcast_shapes(const Shape& a, const Shape& b, const std::string& context) {
  const std::size_t rank = std::max(a.size(), b.size());
  Shape result(rank);
  for (std::size_t from_right = 1; from_right <= rank; ++from_right) {
    const std::int64_t size_a = from_right <= a.size() ? a[a.size() - from_right] : 1;
    const std::int64_t size_b = from_right <= b.size() ? b[b.size() - from_right] : 1;
    if (size_a != size_b && size_a != 1 && size_b != 1) {
      throw Error(context + ": shapes " + to_string(a) + " and " + to_string(b) +
                  " don't broadcast: from the right, sizes must be equal or 1, but axis " +
                  std::to_string(rank - from_right) + " has " + std::to_string(size_a) + " and " +
                  std::to_string(size_b));
    }
    result[rank - from_right] = size_a == 1 ? size_b : size_a;
  }
  return result;
}

std::int64_t normalize_axis(std::int64_t axis, std::int64_t rank, const std::string& context) {
  if (axis < -rank || axis >= rank) {
    throw Error(context + ": axis " + std::to_string(axis) + " is out of range: " +
                (rank == 0 ? "the tensor is a scalar, which has no axes"
                           : "it must be from " + std::to_string(-rank) + " to " +
                                 std::to_string(rank - 1)));
  }
  return axis < 0 ? axis + rank : axis;
}

}  // namespace foveal
