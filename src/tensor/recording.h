#pragma once
// The hook through which operations are recorded: this room declares it, src/autograd fills it.

#include "tensor/operation.h"

namespace foveal {

/// Whether the tensor, or the one that it looks at, may have to do with gradients.
inline bool has_history(const Tensor& tensor) {
  const TensorBody* const body = TensorBuilder::body(tensor).get();
  return body != nullptr && (body->history || (body->base && body->base->history));
}

/// Whether this thread records, and the tensor requires a gradient.
bool is_recorded(const Tensor& tensor);

/// Whether this thread records, and `target`, or the tensor that it looks at, requires a gradient:
/// one that was made under NoGrad looks at it too.
bool is_recorded_write(const Tensor& target);

/// Notes that `output` came from `inputs`, one of which is_recorded.
void record(const Operation& operation, Inputs inputs, Tensor& output);

/// Throws Error where `target` can't be written in place: it, or the tensor that it looks at, is a
/// leaf that requires a gradient, and this thread records.
void require_no_leaf(const Tensor& target, const char* function);

/// Notes that `target` was written: it comes from inputs[0], what it was, and the others.
void record_in_place(const Operation& operation, Inputs inputs, Tensor& target);

/// Where TensorBuilder::replace gave the tensor another dtype: its grad() takes it too.
void convert_grad(const Tensor& tensor);

/// Whether this thread records; NoGrad turns it off.
bool& recording();

/// While one lives this thread records nothing.
class Unrecorded {
 public:
  Unrecorded() : before_(recording()) { recording() = false; }
  ~Unrecorded() { recording() = before_; }
  Unrecorded(const Unrecorded&) = delete;
  Unrecorded& operator=(const Unrecorded&) = delete;

 private:
  bool before_;
};

}  // namespace foveal
