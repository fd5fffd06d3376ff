#pragma once
// Tensors of every layout for property tests, and the plain answers to hold results against.

#include <gtest/gtest.h>

#include <functional>
#include <random>
#include <string>
#include <vector>

#include "foveal/error.h"
#include "foveal/tensor.h"

namespace foveal::samples {

/// Sizes on both sides of the widths that vector loops work in.
inline const std::vector<std::int64_t> kEdgeSizes = {1, 7, 8, 15, 16, 17, 31, 33};

inline const std::vector<DType> kFloating = {DType::float32, DType::float64, DType::bfloat16,
                                             DType::float16};
inline const std::vector<DType> kNumbers = {DType::float32, DType::float64, DType::bfloat16,
                                            DType::float16, DType::int64};
inline const std::vector<DType> kAll = {DType::float32, DType::float64, DType::bfloat16,
                                        DType::float16, DType::int64,   DType::boolean};

/// Draws shapes, layouts and values; the same seed gives the same samples.
class Sampler {
 public:
  explicit Sampler(unsigned seed) : engine_(seed) {}

  /// From low to high, both included.
  std::int64_t integer(std::int64_t low, std::int64_t high);
  /// `rank` sizes from 0 to 5; sizes 0 are rare.
  Shape shape(std::int64_t rank);
  /// Integers from -8 to 8 (0 or 1 for bool), row-major: exact in every dtype.
  Tensor dense(const Shape& shape, DType dtype);
  /// The same numbers with other strides: transposed, cut out of a larger tensor with a step,
  /// walked backwards, repeated by stride 0, or dense.
  Tensor tensor(const Shape& shape, DType dtype);

 private:
  Tensor transposed(const Shape& shape, DType dtype);
  Tensor stepped(const Shape& shape, DType dtype);
  Tensor backwards(const Shape& shape, DType dtype);
  Tensor repeated(const Shape& shape, DType dtype);

  std::mt19937 engine_;
};

/// Every index of `shape` in row-major order.
std::vector<Shape> indices(const Shape& shape);

/// a.at(index) with a broadcast from the right: axes of size 1 stay at 0.
double at_broadcast(const Tensor& a, const Shape& index);

/// `call` must throw Error whose message holds each of `parts`.
void expect_error(const std::function<void()>& call, const std::vector<std::string>& parts);

// ---

inline std::int64_t Sampler::integer(std::int64_t low, std::int64_t high) {
  const auto count = static_cast<std::uint64_t>(high - low + 1);
  return low + static_cast<std::int64_t>(engine_() % count);
}

inline Shape Sampler::shape(std::int64_t rank) {
  Shape sizes;
  for (std::int64_t axis = 0; axis < rank; ++axis) {
    sizes.push_back(integer(0, 19) == 0 ? 0 : integer(1, 5));
  }
  return sizes;
}

inline Tensor Sampler::dense(const Shape& shape, DType dtype) {
  std::vector<double> values;
  for (std::int64_t i = 0; i < element_count(shape); ++i) {
    const std::int64_t lowest = dtype == DType::boolean ? 0 : -8;
    values.push_back(static_cast<double>(integer(lowest, dtype == DType::boolean ? 1 : 8)));
  }
  return Tensor::from_vector(values, shape).to(dtype);
}

inline Tensor Sampler::tensor(const Shape& shape, DType dtype) {
  switch (integer(0, 4)) {
    case 0:
      return transposed(shape, dtype);
    case 1:
      return stepped(shape, dtype);
    case 2:
      return backwards(shape, dtype);
    case 3:
      return repeated(shape, dtype);
    default:
      return dense(shape, dtype);
  }
}

inline Tensor Sampler::transposed(const Shape& shape, DType dtype) {
  if (shape.size() < 2) return dense(shape, dtype);
  const auto rank = static_cast<std::int64_t>(shape.size());
  const std::int64_t a = integer(0, rank - 1), b = integer(0, rank - 1);
  Shape swapped = shape;
  std::swap(swapped[a], swapped[b]);
  return dense(swapped, dtype).transpose(a, b);
}

inline Tensor Sampler::stepped(const Shape& shape, DType dtype) {
  Shape larger = shape;
  for (std::int64_t& size : larger) size = 2 * size + 1;
  Tensor result = dense(larger, dtype);
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    const std::int64_t stop = 1 + 2 * shape[axis];
    result = result.slice(static_cast<std::int64_t>(axis), 1, stop, 2);
  }
  return result;
}

inline Tensor Sampler::backwards(const Shape& shape, DType dtype) {
  if (element_count(shape) == 0) return dense(shape, dtype);
  Tensor whole = dense(shape, dtype);
  Strides strides = whole.strides();
  std::int64_t last = 0;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    last += strides[axis] * (shape[axis] - 1);
    strides[axis] = -strides[axis];
  }
  auto* const first = static_cast<char*>(whole.raw_data());
  const std::int64_t bytes = last * static_cast<std::int64_t>(size_of(dtype));
  // The deleter's copy of the handle keeps the memory.
  return Tensor::from_blob(static_cast<void*>(first + bytes), shape, strides, dtype,
                           [whole](void*) {});
}

inline Tensor Sampler::repeated(const Shape& shape, DType dtype) {
  if (shape.empty()) return dense(shape, dtype);
  Shape smaller = shape;
  smaller[integer(0, static_cast<std::int64_t>(shape.size()) - 1)] = 1;
  return dense(smaller, dtype).expand(shape);
}

inline std::vector<Shape> indices(const Shape& shape) {
  std::vector<Shape> all = {{}};
  for (const std::int64_t size : shape) {
    std::vector<Shape> longer;
    for (const Shape& index : all) {
      for (std::int64_t i = 0; i < size; ++i) {
        longer.push_back(index);
        longer.back().push_back(i);
      }
    }
    all = longer;
  }
  return all;
}

inline double at_broadcast(const Tensor& a, const Shape& index) {
  Shape own(index.end() - a.rank(), index.end());
  for (std::size_t axis = 0; axis < own.size(); ++axis) {
    if (a.shape()[axis] == 1) own[axis] = 0;
  }
  return a.at(own);
}

inline void expect_error(const std::function<void()>& call, const std::vector<std::string>& parts) {
  try {
    call();
    ADD_FAILURE() << "no error, but one that says: " << (parts.empty() ? "" : parts.front());
  } catch (const Error& error) {
    const std::string message = error.what();
    for (const std::string& part : parts) {
      EXPECT_NE(message.find(part), std::string::npos) << message << "\nlacks: " << part;
    }
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  }
}

}  // namespace foveal::samples
