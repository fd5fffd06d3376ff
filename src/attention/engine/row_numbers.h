#pragma once
// A number for each row: lse, maxima and sums of (B, H, L_q).

#include "foveal/tensor.h"

namespace foveal {

/// (B, H, L_q) in memory of element type T, the last axis with stride 1.
template <class T>
struct RowNumbers {
  T* data = nullptr;
  std::int64_t strides[2] = {0, 0};

  T* row(std::int64_t b, std::int64_t h, std::int64_t i) const {
    return data + b * strides[0] + h * strides[1] + i;
  }
};

/// `tensor` must have three axes and outlive the result. What is only read is not written to.
template <class T>
RowNumbers<T> row_numbers_of(const Tensor& tensor) {
  return {const_cast<T*>(tensor.data<T>()), {tensor.strides()[0], tensor.strides()[1]}};
}

}  // namespace foveal
