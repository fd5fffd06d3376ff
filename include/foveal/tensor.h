#pragma once
// Tensor: a small handle on shape, strides, offset and shared storage.

#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "foveal/dtype.h"
#include "foveal/shape.h"

namespace foveal {
struct TensorBody;
}

#pragma GCC visibility push(default)
namespace foveal {

/// A strided array of numbers. Copying a Tensor copies the handle: both are the same tensor. Views
/// (transpose, slice, view, ...) share storage too; clone() and contiguous() make memory of their
/// own where it is needed. Strides count elements and may be 0 or negative. Const use from several
/// threads is safe. When large memory is let go of, up to 256 MB, and two blocks larger than that,
/// stay with the process for the next tensors (docs/decisions/kept-memory.md).
///
/// Axes may be given from the end (-1 is the last). Every function checks its arguments and throws
/// Error with the shapes, the rule and the mend.
class Tensor {
 public:
  /// An undefined tensor: no shape, no memory. It stands for "not given" in options.
  Tensor() = default;
  bool defined() const { return body_ != nullptr; }

  static Tensor zeros(const Shape& shape, DType dtype = DType::float32);
  static Tensor ones(const Shape& shape, DType dtype = DType::float32);
  static Tensor full(const Shape& shape, double value, DType dtype = DType::float32);
  /// 0, 1, ..., stop - 1.
  static Tensor arange(std::int64_t stop, DType dtype = DType::int64);
  /// Copies `values`, row by row. T is one of dtype_of's types (std::vector<bool> excepted).
  template <class T>
  static Tensor from_vector(const std::vector<T>& values, const Shape& shape);
  /// Memory of the caller's, used in place; `deleter` runs when the last handle goes. Empty
  /// `strides` mean row-major. Alignment is not assumed beyond the element's own. Of a bool any
  /// byte but 0 is true.
  static Tensor from_blob(void* data, const Shape& shape, const Strides& strides, DType dtype,
                          std::function<void(void*)> deleter = nullptr);
  /// The same over memory that must not be written: data<T>() on it throws.
  static Tensor from_blob(const void* data, const Shape& shape, const Strides& strides, DType dtype,
                          std::function<void(const void*)> deleter = nullptr);

  const Shape& shape() const;
  const Strides& strides() const;
  DType dtype() const;
  std::int64_t rank() const { return static_cast<std::int64_t>(shape().size()); }
  std::int64_t size(std::int64_t axis) const;
  std::int64_t element_count() const;
  bool is_contiguous() const;
  bool read_only() const;
  /// How often the storage was written through set, fill_, copy_ or masked_fill_ of any handle on
  /// it, or a writable pointer to it handed out. What is written through such a pointer later, or
  /// by the owner of a blob, isn't counted. Any thread may ask.
  std::uint64_t version() const;
  /// True where both look at the same storage.
  bool shares_storage(const Tensor& other) const;

  /// The first element; the others lie at strides(). T must match dtype(). On a Tensor that isn't
  /// const the pointer is a writable one, and counts in version().
  template <class T>
  T* data();
  template <class T>
  const T* data() const;
  /// The first element, without its type.
  void* raw_data();
  const void* raw_data() const;

  /// The element at `index`, as a float64 (bool: 0 or 1). Bounds are checked.
  double at(const std::vector<std::int64_t>& index) const;
  void set(const std::vector<std::int64_t>& index, double value);
  /// The only element of a tensor that has one.
  double item() const;
  /// All elements in row-major order, as float64.
  std::vector<double> to_vector() const;

  /// A view of entry `index` of the first axis.
  Tensor operator[](std::int64_t index) const { return select(0, index); }
  Tensor select(std::int64_t axis, std::int64_t index) const;
  /// Entries start, start + step, ... before stop, as Python slices them: negative bounds count
  /// from the end, bounds past the end are cut. step >= 1.
  Tensor slice(std::int64_t axis, std::int64_t start, std::int64_t stop,
               std::int64_t step = 1) const;
  /// A view of `length` entries of an axis from `start` on. Throws where slice would cut: with a
  /// negative start or length, or past the end.
  Tensor narrow(std::int64_t axis, std::int64_t start, std::int64_t length) const;
  /// The same elements in another shape, without a copy; one size may be -1. Throws where the
  /// strides don't allow it (then reshape or contiguous().view).
  Tensor view(const Shape& shape) const;
  /// view where that is possible, else a copy.
  Tensor reshape(const Shape& shape) const;
  Tensor transpose(std::int64_t axis0, std::int64_t axis1) const;
  Tensor permute(const std::vector<std::int64_t>& axes) const;
  Tensor unsqueeze(std::int64_t axis) const;
  Tensor squeeze(std::int64_t axis) const;
  /// Repeats axes of size 1 with stride 0; new axes come in front; -1 keeps a size.
  Tensor expand(const Shape& shape) const;
  /// This tensor if it is dense and row-major, else a copy that is.
  Tensor contiguous() const;
  Tensor clone() const;
  /// Converted to `dtype`, to nearest even; this tensor itself if it has it already. To bool:
  /// nonzero (NaN too) is true. To int64: towards zero; NaN, infinity or out of range throws.
  Tensor to(DType dtype) const;

  // --- gradients (foveal/autograd.h)

  /// Marks a floating leaf as one whose gradient is wanted; all handles on it are marked.
  Tensor& requires_grad_(bool on = true);
  /// Whether a gradient is wanted for this tensor, or for one that it was made from.
  bool requires_grad() const;
  /// Not made by a recorded operation.
  bool is_leaf() const;
  /// Of this tensor's shape and dtype; undefined until a backward has reached it. Kept for leaves,
  /// and where retain_grad() asked; adds up over backwards.
  Tensor grad() const;
  void zero_grad();
  /// Keeps grad() of a tensor that isn't a leaf.
  void retain_grad();
  /// The same memory without its history.
  Tensor detach() const;
  /// Adds the gradients of this tensor to grad() of the leaves that it came from. `gradient`, of
  /// its shape and dtype, weighs its elements; a tensor of one element needs none (1). What was
  /// saved is let go of as the backward passes, unless `retain_graph`; a second backward then
  /// throws.
  void backward(const Tensor& gradient = {}, bool retain_graph = false) const;

  /// Writes in place and returns this handle. Recorded like any operation; on a leaf that requires
  /// a gradient, or a view of one, this throws outside NoGrad.
  Tensor& fill_(double value);
  /// Elements of `source`, broadcast to this shape and converted to this dtype. Throws where an
  /// axis of source has one entry and this tensor none: it would be lost.
  Tensor& copy_(const Tensor& source);
  /// masked_fill (operations.h) in place.
  Tensor& masked_fill_(const Tensor& mask, double value);

 private:
  friend class TensorBuilder;
  std::shared_ptr<TensorBody> body_;
};

/// A nested list as `tensor` takes it: {{1, 2}, {3, 4}}.
class NestedList {
 public:
  NestedList(double value) : kind_(DType::float32), value_(value) {}        // NOLINT
  NestedList(int value) : kind_(DType::int64), integer_(value) {}           // NOLINT
  NestedList(std::int64_t value) : kind_(DType::int64), integer_(value) {}  // NOLINT
  NestedList(bool value) : kind_(DType::boolean), integer_(value) {}        // NOLINT
  NestedList(std::initializer_list<NestedList> items) : items_(items), is_list_(true) {}

 private:
  friend class NestedListReader;
  DType kind_ = DType::float32;
  double value_ = 0;
  std::int64_t integer_ = 0;
  std::vector<NestedList> items_;
  bool is_list_ = false;
};

/// From a nested list: float32 if any number is a floating one, else int64, else bool (PyTorch's
/// rule), unless `dtype` is given. Ragged lists throw, with the place.
Tensor tensor(const NestedList& values, std::optional<DType> dtype = std::nullopt);

/// As PyTorch prints a tensor, to 4 decimals: "tensor([[0.4300, 0.1500], ...". See src/tensor.
std::string to_string(const Tensor& tensor);

}  // namespace foveal
#pragma GCC visibility pop
