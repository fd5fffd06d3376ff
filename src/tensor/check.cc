#include "tensor/check.h"

#include <string>

#include "foveal/error.h"

namespace foveal {

void require_defined(const Tensor& tensor, const char* function, const char* argument) {
  if (tensor.defined()) return;
  throw Error(std::string(function) + ": " + argument +
              " is undefined: it must hold a tensor, from Tensor::zeros, tensor({...}) or another "
              "function that makes one");
}

void require_same_dtype(const Tensor& a, const char* name_a, const Tensor& b, const char* name_b,
                        const char* function) {
  if (a.dtype() == b.dtype()) return;
  throw Error(std::string(function) + ": " + name_a + " has dtype " + to_string(a.dtype()) +
              " but " + name_b + " has dtype " + to_string(b.dtype()) +
              ": they must be the same; convert one with to(" + to_string(a.dtype()) + ") or to(" +
              to_string(b.dtype()) + ")");
}

void require_floating(const Tensor& tensor, const char* function, const char* argument) {
  if (is_floating(tensor.dtype())) return;
  throw Error(std::string(function) + ": " + argument + " has dtype " + to_string(tensor.dtype()) +
              ": it must be a floating one; convert it with to(float32)");
}

void require_writable(const Tensor& tensor, const char* function) {
  require_defined(tensor, function);
  if (tensor.read_only()) {
    throw Error(std::string(function) + ": the tensor's memory is read-only: write into clone()");
  }
  if (tensor.element_count() == 0) return;
  for (std::int64_t axis = 0; axis < tensor.rank(); ++axis) {
    if (tensor.size(axis) > 1 && tensor.strides()[axis] == 0) {
      throw Error(std::string(function) + ": the tensor of shape " + to_string(tensor.shape()) +
                  " is expanded: the entries along axis " + std::to_string(axis) +
                  " share one place in memory; write into clone()");
    }
  }
}

std::int64_t normalize_index(std::int64_t index, std::int64_t size, std::int64_t axis,
                             const char* function) {
  if (index >= -size && index < size) return index < 0 ? index + size : index;
  const std::string rule =
      size == 0 ? "the axis is empty"
                : "it must be from " + std::to_string(-size) + " to " + std::to_string(size - 1);
  throw Error(std::string(function) + ": index " + std::to_string(index) +
              " is out of range for axis " + std::to_string(axis) + " of size " +
              std::to_string(size) + ": " + rule);
}

}  // namespace foveal
