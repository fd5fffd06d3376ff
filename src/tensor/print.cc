// Tensors as text, by PyTorch's rules: one number format for the whole tensor, columns aligned,
// lines of at most 80 characters, and a summary of what holds more than 1000 elements.

#include <algorithm>
#include <cmath>
#include <limits>
#include <string_view>

#include "core/door.h"
#include "core/number_text.h"
#include "foveal/error.h"
#include "foveal/tensor.h"
#include "tensor/numbers.h"

namespace foveal {
namespace {

constexpr std::int64_t kLineWidth = 80;
constexpr std::int64_t kLargestPrintedInFull = 1000;
constexpr std::int64_t kEdgeItems = 3;
constexpr std::string_view kPrefix = "tensor(";

/// One element, `offset` elements after the first. int64 keeps its own type: beyond 2^53 a float64
/// would round it.
struct Element {
  double number = 0;
  std::int64_t integer = 0;
};

Element element_at(const Tensor& tensor, std::int64_t offset) {
  switch (tensor.dtype()) {
    case DType::float32:
      return {tensor.data<float>()[offset]};
    case DType::float64:
      return {tensor.data<double>()[offset]};
    case DType::bfloat16:
      return {static_cast<double>(tensor.data<BFloat16>()[offset])};
    case DType::float16:
      return {static_cast<double>(tensor.data<Float16>()[offset])};
    case DType::int64:
      return {0, tensor.data<std::int64_t>()[offset]};
    case DType::boolean:
      return {0, number_at(tensor.data<bool>() + offset) ? 1 : 0};
  }
  throw Error("to_string: unknown dtype", ErrorKind::internal);
}

/// How every element of one tensor is written.
class Format {
 public:
  explicit Format(DType dtype) : dtype_(dtype) {}

  /// Chooses between integers ("3."), 4 decimals and powers of ten. Zeros and non-finite numbers
  /// have no say, not even in the width: that is PyTorch's rule.
  void choose(const std::vector<Element>& elements) {
    if (!is_floating(dtype_)) {
      for (const Element& element : elements) widen(element);
      return;
    }
    double smallest = std::numeric_limits<double>::infinity();
    double largest = 0;
    for (const Element& element : elements) {
      if (!counts(element)) continue;
      smallest = std::min(smallest, std::abs(element.number));
      largest = std::max(largest, std::abs(element.number));
      integers_ = integers_ && element.number == std::ceil(element.number);
    }
    powers_ = largest > 0 && (largest / smallest > 1000.0 || largest > 1e8 || smallest < 1e-4);
    for (const Element& element : elements) {
      if (counts(element)) widen(element);
    }
  }

  std::int64_t width() const { return width_; }

  std::string padded(const Element& element) const {
    const std::string plain = text(element);
    const std::int64_t missing = width_ - static_cast<std::int64_t>(plain.size());
    return std::string(static_cast<std::size_t>(std::max<std::int64_t>(missing, 0)), ' ') + plain;
  }

 private:
  static bool counts(const Element& element) {
    return std::isfinite(element.number) && element.number != 0;
  }

  void widen(const Element& element) {
    width_ = std::max(width_, static_cast<std::int64_t>(text(element).size()));
  }

  std::string text(const Element& element) const {
    if (dtype_ == DType::boolean) return element.integer != 0 ? "True" : "False";
    if (dtype_ == DType::int64) return std::to_string(element.integer);
    if (powers_) return number_text(element.number, 4, std::chars_format::scientific);
    if (!integers_) return number_text(element.number, 4, std::chars_format::fixed);
    return number_text(element.number, 0, std::chars_format::fixed) +
           (std::isfinite(element.number) ? "." : "");
  }

  DType dtype_;
  bool integers_ = true;
  bool powers_ = false;
  std::int64_t width_ = 1;
};

/// Writes the nested brackets.
class Printer {
 public:
  explicit Printer(const Tensor& tensor)
      : tensor_(tensor),
        summarize_(tensor.element_count() > kLargestPrintedInFull),
        format_(tensor.dtype()) {
    std::vector<Element> shown;
    collect(0, 0, shown);
    format_.choose(shown);
  }

  std::string write(std::int64_t axis, std::int64_t offset, std::int64_t indent) const {
    if (axis == tensor_.rank()) return format_.padded(element_at(tensor_, offset));
    if (axis == tensor_.rank() - 1) return write_row(axis, offset, indent);
    const std::string blank_lines(static_cast<std::size_t>(tensor_.rank() - axis - 1), '\n');
    const std::string separator = "," + blank_lines + spaces(indent + 1);
    std::string text;
    std::int64_t previous = -1;
    for (std::int64_t index : shown_indices(axis)) {
      if (index > 0) text += separator;
      if (index != previous + 1) text += "..." + separator;
      text += write(axis + 1, offset + index * tensor_.strides()[axis], indent + 1);
      previous = index;
    }
    return "[" + text + "]";
  }

 private:
  static std::string spaces(std::int64_t count) {
    return std::string(static_cast<std::size_t>(count), ' ');
  }

  /// All indices of an axis, or its first and last three.
  std::vector<std::int64_t> shown_indices(std::int64_t axis) const {
    const std::int64_t size = tensor_.shape()[axis];
    std::vector<std::int64_t> indices;
    for (std::int64_t index = 0; index < size; ++index) {
      if (summarize_ && size > 2 * kEdgeItems && index == kEdgeItems) index = size - kEdgeItems;
      indices.push_back(index);
    }
    return indices;
  }

  void collect(std::int64_t axis, std::int64_t offset, std::vector<Element>& elements) const {
    if (axis == tensor_.rank()) {
      elements.push_back(element_at(tensor_, offset));
      return;
    }
    for (std::int64_t index : shown_indices(axis)) {
      collect(axis + 1, offset + index * tensor_.strides()[axis], elements);
    }
  }

  /// The last axis: as many elements a line as fit.
  std::string write_row(std::int64_t axis, std::int64_t offset, std::int64_t indent) const {
    std::vector<std::string> items;
    std::int64_t previous = -1;
    for (std::int64_t index : shown_indices(axis)) {
      if (index != previous + 1) items.push_back(" ...");
      items.push_back(
          format_.padded(element_at(tensor_, offset + index * tensor_.strides()[axis])));
      previous = index;
    }
    const std::int64_t fitting = (kLineWidth - indent) / (format_.width() + 2);
    const std::size_t per_line = static_cast<std::size_t>(std::max<std::int64_t>(fitting, 1));
    std::string text;
    for (std::size_t item = 0; item < items.size(); ++item) {
      if (item > 0) text += item % per_line == 0 ? ",\n" + spaces(indent + 1) : ", ";
      text += items[item];
    }
    return "[" + text + "]";
  }

  const Tensor& tensor_;
  bool summarize_;
  Format format_;
};

/// What the numbers alone don't tell: the size of an empty tensor, and a dtype that isn't obvious.
std::vector<std::string> suffixes(const Tensor& tensor) {
  std::vector<std::string> parts;
  const bool empty = tensor.element_count() == 0;
  if (empty && tensor.rank() != 1) parts.push_back("size=" + to_string(tensor.shape()));
  const DType dtype = tensor.dtype();
  const bool obvious =
      dtype == DType::float32 || (!empty && (dtype == DType::int64 || dtype == DType::boolean));
  if (!obvious) parts.push_back("dtype=" + to_string(dtype));
  return parts;
}

}  // namespace

std::string to_string(const Tensor& tensor) try {
  if (!tensor.defined()) return "tensor(undefined)";
  const std::int64_t indent = static_cast<std::int64_t>(kPrefix.size());
  std::string text(kPrefix);
  text += tensor.element_count() == 0 ? "[]" : Printer(tensor).write(0, 0, indent);

  const std::size_t line_start = text.rfind('\n');
  // PyTorch counts two characters more than the last line has.
  std::size_t line = text.size() + 2 - (line_start == std::string::npos ? 0 : line_start + 1);
  for (const std::string& suffix : suffixes(tensor)) {
    const bool fits = line + suffix.size() + 2 <= static_cast<std::size_t>(kLineWidth);
    text += fits ? ", " : ",\n" + std::string(static_cast<std::size_t>(indent), ' ');
    line = suffix.size() + (fits ? line + 2 : static_cast<std::size_t>(indent));
    text += suffix;
  }
  return text + ")";
} catch (...) {
  rethrow_as_error("to_string");
}

}  // namespace foveal
