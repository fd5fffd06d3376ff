#pragma once
// Arrays of Python's as tensors, and tensors as arrays, over the same memory.

#include <nanobind/nanobind.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "foveal/tensor.h"

namespace foveal::python {

/// Makes an array of NumPy's out of a tensor, or a tensor of PyTorch's.
enum class Kind { numpy = 0, torch = 1 };

/// Holds arrays for as long as tensors look at their memory. Made and destroyed with the GIL held.
class Borrowed {
 public:
  Borrowed();
  ~Borrowed();
  Borrowed(const Borrowed&) = delete;
  Borrowed& operator=(const Borrowed&) = delete;

  /// A NumPy array, or what has a buffer, or a tensor of PyTorch's on a CPU. None gives an
  /// undefined tensor. What foveal can't look at where it lies (another order of bytes, memory that
  /// isn't aligned, strides that aren't whole elements) is copied. Throws TypeError for another
  /// dtype or thing, naming it `name`.
  Tensor read(nanobind::handle array, const char* name);
  /// The same to write to: never copied; throws ValueError where that would be needed.
  Tensor write(nanobind::handle array, const char* name);

 private:
  struct Buffer;
  Tensor take(nanobind::handle array, const char* name, bool writes);
  Tensor take_buffer(nanobind::handle array, const char* name, bool writes);
  Tensor take_torch(nanobind::handle array, const char* name, bool writes);

  std::vector<std::unique_ptr<Buffer>> buffers_;
  std::vector<nanobind::object> objects_;
};

/// A tensor of PyTorch's with the shape and dtype of `like`, which is one too, in memory of the
/// library's that isn't initialised. Throws Error where `strides` don't lay its elements densely.
nanobind::object empty_like_torch(nanobind::handle like, const std::vector<std::int64_t>& strides);

/// An array over the tensor's memory, which it keeps; None where it is undefined.
nanobind::object to_python(const Tensor& tensor, Kind kind);

}  // namespace foveal::python
