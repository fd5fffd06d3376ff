#include "c/tensors.h"

#include <algorithm>
#include <string_view>

#include "foveal/error.h"

namespace foveal::c {
namespace {

constexpr std::pair<std::int32_t, DType> kDtypes[] = {
    {FOVEAL_FLOAT32, DType::float32},   {FOVEAL_FLOAT64, DType::float64},
    {FOVEAL_BFLOAT16, DType::bfloat16}, {FOVEAL_FLOAT16, DType::float16},
    {FOVEAL_INT64, DType::int64},       {FOVEAL_BOOL, DType::boolean}};

constexpr std::int32_t kMostAxes = 8;

std::string name_of(const Argument& argument) {
  return std::string(argument.function) + ": " + argument.name;
}

DType dtype_of_code(std::int32_t code, const Argument& argument) {
  std::string known;
  for (const auto& [number, dtype] : kDtypes) {
    if (number == code) return dtype;
    known += (known.empty() ? "" : ", ") + std::to_string(number) + " " + to_string(dtype);
  }
  throw Error(name_of(argument) + " has dtype " + std::to_string(code) +
              ": it must be DLPack's type code times 256 plus the bits, one of " + known);
}

/// Strides that nobody filled in would make every element the first one.
void refuse_forgotten_strides(const Shape& shape, const Strides& strides,
                              const Argument& argument) {
  const auto zero = [](std::int64_t stride) { return stride == 0; };
  const auto several = [](std::int64_t size) { return size > 1; };
  if (std::none_of(shape.begin(), shape.end(), several)) return;
  if (!std::all_of(strides.begin(), strides.end(), zero)) return;
  throw Error(name_of(argument) + " has shape " + to_string(shape) +
              " but all its strides are 0: count them in elements; those of dense rows are " +
              to_string(row_major_strides(shape)));
}

/// To the engine no numbers are the same as no list.
[[noreturn]] void refuse_no_numbers(const Argument& argument) {
  throw Error(name_of(argument) + " has no numbers: give them, or NULL where there are none");
}

/// The Tensor that `make` gives for shape, strides and dtype. Its errors name the argument.
template <class Make>
Tensor described(const foveal_tensor& tensor, const Argument& argument, const Make& make) {
  const Form form = form_of(&tensor, argument);
  const Strides strides(tensor.strides, tensor.strides + tensor.rank);
  if (element_count(form.shape) > 0) refuse_forgotten_strides(form.shape, strides, argument);
  try {
    return make(form.shape, strides, form.dtype);
  } catch (const Error& error) {
    constexpr std::string_view kFunction = "from_blob: ";
    std::string_view text = error.what();
    if (text.starts_with(kFunction)) text.remove_prefix(kFunction.size());
    throw Error(name_of(argument) + ": " + std::string(text), error.kind());
  }
}

}  // namespace

Form form_of(const foveal_tensor* tensor, const Argument& argument) {
  if (tensor == nullptr) throw Error(name_of(argument) + " is NULL: give a tensor");
  if (tensor->rank < 0 || tensor->rank > kMostAxes) {
    throw Error(name_of(argument) + " has rank " + std::to_string(tensor->rank) +
                ": it must be from 0 to " + std::to_string(kMostAxes));
  }
  Form form{Shape(tensor->shape, tensor->shape + tensor->rank),
            dtype_of_code(tensor->dtype, argument)};
  try {
    element_count(form.shape);
  } catch (const Error& error) {
    throw Error(name_of(argument) + ": " + error.what(), error.kind());
  }
  return form;
}

Tensor read_tensor(const foveal_tensor* tensor, const Argument& argument) {
  if (tensor == nullptr) form_of(tensor, argument);
  const void* const data = tensor->data;
  return described(*tensor, argument,
                   [data](const Shape& shape, const Strides& strides, DType dtype) {
                     return Tensor::from_blob(data, shape, strides, dtype);
                   });
}

Tensor read_if_given(const foveal_tensor* tensor, const Argument& argument) {
  return tensor == nullptr ? Tensor() : read_tensor(tensor, argument);
}

Tensor written_if_given(const foveal_tensor* tensor, const Argument& argument) {
  if (tensor == nullptr) return {};
  void* const data = tensor->data;
  return described(*tensor, argument,
                   [data](const Shape& shape, const Strides& strides, DType dtype) {
                     return Tensor::from_blob(data, shape, strides, dtype);
                   });
}

std::vector<std::int64_t> numbers_of(const foveal_tensor* tensor, const Argument& argument) {
  if (tensor == nullptr) return {};
  const Tensor numbers = read_tensor(tensor, argument);
  if (numbers.dtype() != DType::int64 || numbers.rank() != 1) {
    throw Error(name_of(argument) + " has shape " + to_string(numbers.shape()) + " and dtype " +
                to_string(numbers.dtype()) + ": it must be int64 with one axis");
  }
  const Tensor dense = numbers.contiguous();
  const std::int64_t* const data = dense.data<std::int64_t>();
  if (dense.element_count() == 0) refuse_no_numbers(argument);
  return {data, data + dense.element_count()};
}

}  // namespace foveal::c
