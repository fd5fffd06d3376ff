#pragma once
// Tensors as the kernels see them: a pointer and four strides.

#include "attention/plan/plan_data.h"
#include "foveal/tensor.h"
#include "kernels/forward/task.h"

namespace foveal {

/// (B, H, L, D) in memory of element type T.
template <class T>
struct Heads {
  T* data = nullptr;
  std::int64_t strides[4] = {0, 0, 0, 0};

  T* row(std::int64_t b, std::int64_t h, std::int64_t i) const {
    return data + b * strides[0] + h * strides[1] + i * strides[2];
  }
};

/// tensor.to(dtype), which walks the whole tensor.
Tensor converted(const Tensor& tensor, DType dtype);

/// How many tensors the engine has converted so far: what tests look at to see that a call's number
/// doesn't grow with its sequences.
std::int64_t conversion_count();

/// `tensor` must have four axes and outlive the result. What is only read is not written to.
template <class T>
Heads<T> heads_of(const Tensor& tensor) {
  Heads<T> heads;
  heads.data = const_cast<T*>(tensor.data<T>());
  for (std::size_t axis = 0; axis < 4; ++axis) heads.strides[axis] = tensor.strides()[axis];
  return heads;
}

/// Numbers of bfloat16 as the kernels take them.
inline std::uint16_t* bits_of(BFloat16* numbers) {
  return reinterpret_cast<std::uint16_t*>(numbers);
}

/// The tensor itself where its last stride is 1, else a dense copy.
Tensor unit_rows(const Tensor& tensor);

/// Query, key or value in the type that is computed in, with a last stride of 1.
template <class T>
Tensor rows_as(const Tensor& tensor) {
  return unit_rows(converted(tensor, dtype_of<T>()));
}

/// `tensor`, which must outlive the result, broadcast from the right to each sequence's scores: the
/// stride of an axis that is missing or of size 1 is 0.
template <class T>
Heads<T> broadcast_heads(const Tensor& tensor) {
  Heads<T> heads;
  heads.data = const_cast<T*>(tensor.data<T>());
  const std::size_t missing = 4 - tensor.shape().size();
  for (std::size_t axis = missing; axis < 4; ++axis) {
    const std::size_t own = axis - missing;
    heads.strides[axis] = tensor.shape()[own] == 1 ? 0 : tensor.strides()[own];
  }
  return heads;
}

/// Throws Error where the option `name` holds a finite number that `dtype`, float32 or float64,
/// doesn't.
void check_holds(const Tensor& tensor, const char* name, DType dtype);

/// An option's tensor as T; throws as check_holds does.
template <class T>
Tensor option_as(const Tensor& tensor, const char* name) {
  check_holds(tensor, name, dtype_of<T>());
  return converted(tensor, dtype_of<T>());
}

/// The plan's ALiBi slopes and sinks, a number a head each; null without such an option.
template <class T>
struct HeadTerms {
  const T *slopes = nullptr, *sinks = nullptr;
};

/// In memory of the calling thread, valid while its ThreadMemoryScope lives. Throws as check_holds
/// does, and where a slope times the longest distance of the plan is too large for T.
template <class T>
HeadTerms<T> head_terms(const PlanData& plan);

/// Throws as option_as and head_terms do, of the type that is computed in.
void check_terms(const PlanData& plan);

/// 1 / sqrt(D) unless the options say otherwise.
double scale_of(const PlanData& plan);

/// The options' dropout, head by head.
class HeadDropout {
 public:
  explicit HeadDropout(const PlanData& plan);

  /// Whether weights are dropped at all.
  bool drops() const { return drops_; }
  /// Of one head of a sequence.
  DropoutCounter of(const Sequence& sequence, std::int64_t b, std::int64_t h) const;

 private:
  bool drops_;
  std::int64_t heads_;
  DropoutCounter counter_;
  Tensor mask_;  // what the counter looks into
  Heads<bool> kept_;
};

}  // namespace foveal
