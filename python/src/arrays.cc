#include "arrays.h"

#include <nanobind/ndarray.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "foveal/error.h"
#include "tensor/builder.h"
#include "torch_tensors.h"

namespace nb = nanobind;

namespace foveal::python {
namespace {

std::string text_of(const nb::object& object) { return nb::str(object).c_str(); }

std::string name_of_type(nb::handle object) {
  return text_of(nb::borrow(object.type().attr("__name__")));
}

std::string begin_of_error(const char* name) { return std::string("attention: ") + name; }

/// The dtype that a code of Python's struct module stands for, its order of bytes taken off.
std::optional<DType> dtype_of_code(std::string_view code) {
  if (code == "f") return DType::float32;
  if (code == "d") return DType::float64;
  if (code == "e") return DType::float16;
  if (code == "?") return DType::boolean;
  if (code == "q" || (code == "l" && sizeof(long) == 8)) return DType::int64;
  return std::nullopt;
}

struct Format {
  std::optional<DType> dtype;
  bool other_order;  ///< of bytes than this machine's
};

Format format_of(const Py_buffer& view) {
  std::string_view code = view.format != nullptr ? view.format : "B";
  bool other_order = false;
  if (!code.empty() && std::string_view("<>=@!").find(code[0]) != std::string_view::npos) {
    other_order = code[0] == '>' || code[0] == '!';
    code.remove_prefix(1);
  }
  const std::optional<DType> dtype = dtype_of_code(code);
  return {dtype, other_order && dtype && size_of(*dtype) > 1};
}

struct Form {
  Shape shape;
  Strides strides;  ///< in elements
  bool aligned;     ///< the memory, and whole elements between
};

/// Strides of axes with one entry may be anything: 1 for the last one is what costs no copy.
Form form_of(const Py_buffer& view, DType dtype) {
  const auto width = static_cast<std::int64_t>(size_of(dtype));
  Form form{Shape(view.shape, view.shape + view.ndim), {}, true};
  form.aligned = reinterpret_cast<std::uintptr_t>(view.buf) % size_of(dtype) == 0;
  bool empty = false;
  for (int axis = 0; axis < view.ndim; ++axis) {
    const std::int64_t bytes = view.shape[axis] > 1 ? view.strides[axis] : width;
    form.aligned = form.aligned && bytes % width == 0;
    empty = empty || view.shape[axis] == 0;
    form.strides.push_back(bytes / width);
  }
  form.aligned = form.aligned || empty;
  return form;
}

std::optional<DType> dtype_of_dlpack(const nb::dlpack::dtype& dtype) {
  if (dtype.lanes != 1) return std::nullopt;
  const auto is = [&](nb::dlpack::dtype_code code, int bits) {
    return dtype.code == static_cast<std::uint8_t>(code) && dtype.bits == bits;
  };
  if (is(nb::dlpack::dtype_code::Float, 32)) return DType::float32;
  if (is(nb::dlpack::dtype_code::Float, 64)) return DType::float64;
  if (is(nb::dlpack::dtype_code::Float, 16)) return DType::float16;
  if (is(nb::dlpack::dtype_code::Bfloat, 16)) return DType::bfloat16;
  if (is(nb::dlpack::dtype_code::Int, 64)) return DType::int64;
  if (is(nb::dlpack::dtype_code::Bool, 8)) return DType::boolean;
  return std::nullopt;
}

nb::object to_numpy(const Tensor& tensor) {
  auto* kept = new Tensor(tensor);
  const nb::capsule owner(kept,
                          [](void* pointer) noexcept { delete static_cast<Tensor*>(pointer); });
  // NumPy has no bfloat16: its bits go as float16, and are looked at as what they are in Python.
  const DType dtype = tensor.dtype() == DType::bfloat16 ? DType::float16 : tensor.dtype();
  const std::vector<std::size_t> shape(tensor.shape().begin(), tensor.shape().end());
  return nb::ndarray<nb::numpy>(kept->raw_data(), shape.size(), shape.data(), owner,
                                tensor.strides().data(), dlpack_of(dtype))
      .cast(nb::rv_policy::reference);
}

/// A copy as this machine likes it.
nb::object converted(nb::handle array, bool other_order) {
  if (!other_order) return array.attr("copy")();
  return array.attr("astype")(array.attr("dtype").attr("newbyteorder")("="));
}

}  // namespace

nb::dlpack::dtype dlpack_of(DType dtype) {
  switch (dtype) {
    case DType::float32:
      return nb::dtype<float>();
    case DType::float64:
      return nb::dtype<double>();
    case DType::bfloat16:
      return {static_cast<std::uint8_t>(nb::dlpack::dtype_code::Bfloat), 16, 1};
    case DType::float16:
      return {static_cast<std::uint8_t>(nb::dlpack::dtype_code::Float), 16, 1};
    case DType::int64:
      return nb::dtype<std::int64_t>();
    case DType::boolean:
      return nb::dtype<bool>();
  }
  throw nb::type_error("foveal: a dtype that Python doesn't know");
}

void refuse_dtype(const char* name, std::string dtype) {
  constexpr std::string_view kPrefix = "torch.";
  if (dtype.starts_with(kPrefix)) dtype.erase(0, kPrefix.size());
  throw nb::type_error(
      (begin_of_error(name) + " has dtype " + dtype +
       ": foveal knows float32, float64, bfloat16, float16, and bool and int64 for "
       "masks; convert it")
          .c_str());
}

struct Borrowed::Buffer {
  Py_buffer view{};
  ~Buffer() { PyBuffer_Release(&view); }
};

Borrowed::Borrowed() = default;
Borrowed::~Borrowed() = default;

Tensor Borrowed::read(nb::handle array, const char* name) { return take(array, name, false); }
Tensor Borrowed::write(nb::handle array, const char* name) { return take(array, name, true); }

Tensor Borrowed::take(nb::handle array, const char* name, bool writes) {
  if (array.is_none()) return Tensor();
  if (PyObject_CheckBuffer(array.ptr()) != 0) return take_buffer(array, name, writes);
  if (has_torch() && nb::hasattr(array, "data_ptr")) return take_torch(array, name, writes);
  throw nb::type_error((begin_of_error(name) + " is a " + name_of_type(array) +
                        ": give an array of NumPy's, a tensor of PyTorch's, or what has __dlpack__")
                           .c_str());
}

Tensor Borrowed::take_buffer(nb::handle array, const char* name, bool writes) {
  auto buffer = std::make_unique<Buffer>();
  Py_buffer& view = buffer->view;
  if (PyObject_GetBuffer(array.ptr(), &view, PyBUF_RECORDS_RO) != 0) {
    PyErr_Clear();
    // NumPy has no code for what ml_dtypes adds to it.
    const std::string dtype = text_of(nb::getattr(array, "dtype", nb::none()));
    if (dtype != "bfloat16") refuse_dtype(name, dtype);
    Tensor bits = take_buffer(array.attr("view")("float16"), name, writes);
    if (writes) {
      return Tensor::from_blob(bits.raw_data(), bits.shape(), bits.strides(), DType::bfloat16);
    }
    return Tensor::from_blob(std::as_const(bits).raw_data(), bits.shape(), bits.strides(),
                             DType::bfloat16);
  }
  const auto [dtype, other_order] = format_of(view);
  if (!dtype) refuse_dtype(name, text_of(nb::getattr(array, "dtype", nb::str(view.format))));
  const auto [shape, strides, aligned] = form_of(view, *dtype);
  if (!aligned || other_order) {
    if (writes) {
      throw nb::value_error((begin_of_error(name) +
                             " isn't aligned, or has another order of bytes: give an array as "
                             "numpy.empty makes it")
                                .c_str());
    }
    return take_buffer(converted(array, other_order), name, false);
  }
  const bool read_only = view.readonly != 0;
  void* const data = view.buf;
  buffers_.push_back(std::move(buffer));
  if (writes && !read_only) return Tensor::from_blob(data, shape, strides, *dtype);
  return Tensor::from_blob(const_cast<const void*>(data), shape, strides, *dtype);
}

Tensor Borrowed::take_torch(nb::handle array, const char* name, bool writes) {
  SeenTensor seen = see_torch(array, name);
  const nb::dlpack::dltensor& given = seen.lies;
  const std::optional<DType> dtype = dtype_of_dlpack(given.dtype);
  if (!dtype) refuse_dtype(name, text_of(array.attr("dtype")));
  Shape shape(given.shape, given.shape + given.ndim);
  Strides strides = given.strides != nullptr ? Strides(given.strides, given.strides + given.ndim)
                                             : row_major_strides(shape);
  if (!shape.empty() && shape.back() == 1) strides.back() = 1;
  void* const data = static_cast<char*>(given.data) + given.byte_offset;
  const bool empty = element_count(shape) == 0;
  if (given.data == nullptr && !empty) {
    throw nb::value_error(
        (begin_of_error(name) + " is a tensor without memory: give one that holds its numbers")
            .c_str());
  }
  if (!empty && reinterpret_cast<std::uintptr_t>(data) % size_of(*dtype) != 0) {
    if (!writes) return take_torch(array.attr("detach")().attr("clone")(), name, false);
    throw nb::value_error(
        (begin_of_error(name) + " isn't aligned: give a tensor as torch.empty makes it").c_str());
  }
  objects_.push_back(std::move(seen.holder));
  return Tensor::from_blob(data, shape, strides, *dtype);
}

nb::object empty_like_torch(nb::handle like, const std::vector<std::int64_t>& strides) {
  Borrowed borrowed;
  const Tensor shown = borrowed.read(like, "like");
  const Shape& shape = shown.shape();
  std::int64_t last = 0;
  for (std::size_t axis = 0; axis < shape.size() && axis < strides.size(); ++axis) {
    last += strides[axis] < 0 ? element_count(shape) : (shape[axis] - 1) * strides[axis];
  }
  if (strides.size() != shape.size() || last != element_count(shape) - 1) {
    throw Error("empty_like: strides " + to_string(strides) + " don't lay " + to_string(shape) +
                " densely: give those of a tensor without gaps");
  }
  return to_torch(TensorBuilder::make(Storage::allocate(shape, shown.dtype()), shape, strides, 0,
                                      shown.dtype()));
}

nb::object to_python(const Tensor& tensor, Kind kind) {
  if (!tensor.defined()) return nb::none();
  return kind == Kind::numpy ? to_numpy(tensor) : to_torch(tensor);
}

}  // namespace foveal::python
