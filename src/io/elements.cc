#include "io/elements.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "tensor/builder.h"

namespace foveal {
namespace {

static_assert(std::endian::native == std::endian::little, "elements are copied as they lie");

std::size_t byte_count(const Tensor& tensor) {
  return static_cast<std::size_t>(tensor.element_count()) * size_of(tensor.dtype());
}

char truth_of(char byte) { return byte != 0 ? 1 : 0; }

}  // namespace

void read_elements(const char* data, Tensor& tensor) {
  const std::size_t size = byte_count(tensor);
  if (size == 0) return;
  auto* const to = TensorBuilder::written<char>(tensor);
  if (tensor.dtype() == DType::boolean) {
    std::transform(data, data + size, to, truth_of);
  } else {
    std::memcpy(to, data, size);
  }
}

void append_elements(const Tensor& tensor, std::string* bytes) {
  const Tensor dense = tensor.contiguous();
  const std::size_t before = bytes->size(), size = byte_count(dense);
  if (size == 0) return;
  bytes->append(static_cast<const char*>(dense.raw_data()), size);
  if (tensor.dtype() != DType::boolean) return;
  const auto begin = bytes->begin() + static_cast<std::ptrdiff_t>(before);
  std::transform(begin, bytes->end(), begin, truth_of);
}

}  // namespace foveal
