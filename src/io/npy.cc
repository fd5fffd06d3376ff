#include "io/npy.h"

#include <algorithm>

#include "core/door.h"
#include "foveal/error.h"
#include "io/elements.h"
#include "io/file.h"
#include "io/npy_header.h"
#include "tensor/builder.h"

namespace foveal {
namespace {

void swap_bytes(Tensor& tensor) {
  const std::size_t width = size_of(tensor.dtype());
  auto* element = TensorBuilder::written<unsigned char>(tensor);
  for (std::int64_t n = 0; n < tensor.element_count(); ++n, element += width) {
    std::reverse(element, element + width);
  }
}

/// Column-major elements, read as if the axes stood in reverse, seen with their axes in order.
Tensor reversed(const Tensor& tensor) {
  std::vector<std::int64_t> axes;
  for (std::int64_t axis = tensor.rank(); axis-- > 0;) axes.push_back(axis);
  return tensor.permute(axes).contiguous();
}

std::string code_of(DType dtype) {
  switch (dtype) {
    case DType::float16:
      return "<f2";
    case DType::float32:
      return "<f4";
    case DType::float64:
      return "<f8";
    case DType::int64:
      return "<i8";
    case DType::boolean:
      return "|b1";
    case DType::bfloat16:
      break;
  }
  throw Error("save_npy: tensor has dtype bfloat16, which NumPy lacks: convert with to(float32)");
}

/// "(3, 4)", "(3,)", "()".
std::string tuple_text(const Shape& shape) {
  std::string text = to_string(shape);
  if (shape.size() != 1) return text;
  text.back() = ',';
  return text += ')';
}

}  // namespace

Tensor parse_npy(const std::string& bytes, const std::string& name) try {
  const NpyHeader header = parse_npy_header(bytes, name);
  const char* const data = bytes.data() + header.data_start;
  Shape shape = header.shape;
  if (header.column_major) std::reverse(shape.begin(), shape.end());
  Tensor tensor = Tensor::zeros(shape, header.dtype);
  read_elements(data, tensor);
  if (header.big_endian) swap_bytes(tensor);
  return header.column_major ? reversed(tensor) : tensor;
} catch (...) {
  rethrow_as_error("parse_npy");
}

Tensor load_npy(const std::string& path) try {
  return parse_npy(read_file(path), path);
} catch (...) {
  rethrow_as_error("load_npy");
}

std::string npy_bytes(const Tensor& tensor) {
  if (!tensor.defined()) throw Error("save_npy: tensor is undefined: give a tensor");
  std::string header = "{'descr': '" + code_of(tensor.dtype()) +
                       "', 'fortran_order': False, 'shape': " + tuple_text(tensor.shape()) + ", }";
  // Elements begin at a multiple of 64 bytes, and the header ends with a line feed.
  constexpr std::size_t kBefore = 10, kAlignment = 64;
  const std::size_t whole =
      (kBefore + header.size() + 1 + kAlignment - 1) / kAlignment * kAlignment;
  header.resize(whole - kBefore - 1, ' ');
  header += '\n';
  std::string bytes("\x93NUMPY\x01\x00", 8);
  bytes += static_cast<char>(header.size() & 0xFF);
  bytes += static_cast<char>(header.size() >> 8);
  bytes += header;
  append_elements(tensor, &bytes);
  return bytes;
}

void save_npy(const std::string& path, const Tensor& tensor) try {
  write_file(path, npy_bytes(tensor));
} catch (...) {
  rethrow_as_error("save_npy");
}

}  // namespace foveal
