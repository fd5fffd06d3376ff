#include "attention/mask/sources.h"

#include "foveal/error.h"

namespace foveal {

std::string list_text(const std::vector<std::int64_t>& values) {
  std::string text = "[";
  for (std::size_t index = 0; index < values.size(); ++index) {
    if (index > 0) text += ",";
    text += std::to_string(values[index]);
  }
  return text + "]";
}

std::vector<std::int64_t> integers_of(const Tensor& tensor, std::int64_t max_rank,
                                      const std::string& mask) {
  const std::string what = "mask " + mask;
  if (!tensor.defined()) throw Error(what + ": its tensor is undefined: give an int64 tensor");
  if (tensor.dtype() != DType::int64) {
    throw Error(what + ": its tensor has dtype " + to_string(tensor.dtype()) +
                ": it must be int64");
  }
  if (tensor.rank() < 1 || tensor.rank() > max_rank) {
    throw Error(what + ": its tensor has shape " + to_string(tensor.shape()) + ": it must have " +
                (max_rank == 1 ? "one axis" : "one axis (L_k), or two (B, L_k)"));
  }
  const Tensor dense = tensor.contiguous();
  const std::int64_t* data = dense.data<std::int64_t>();
  return {data, data + dense.element_count()};
}

}  // namespace foveal
