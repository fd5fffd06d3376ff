#include "attention/engine/overlap.h"

#include <algorithm>
#include <vector>

namespace foveal {
namespace {

struct Bytes {
  std::uintptr_t begin = 0, end = 0;
};

std::int64_t width_of(const Tensor& tensor) {
  return static_cast<std::int64_t>(size_of(tensor.dtype()));
}

std::uintptr_t address_of(const Tensor& tensor, std::int64_t element) {
  const auto first = reinterpret_cast<std::uintptr_t>(tensor.raw_data());
  return first + static_cast<std::uintptr_t>(element * width_of(tensor));
}

/// From the lowest to the highest byte of a tensor that has elements.
Bytes extent_of(const Tensor& tensor) {
  std::int64_t low = 0, high = 0;
  for (std::size_t axis = 0; axis < tensor.shape().size(); ++axis) {
    const std::int64_t reach = (tensor.shape()[axis] - 1) * tensor.strides()[axis];
    (reach < 0 ? low : high) += reach;
  }
  return {address_of(tensor, low), address_of(tensor, high + 1)};
}

/// Adds the rows of the axes from `axis` on, the last one left out if its elements lie side by
/// side.
void add_rows(const Tensor& tensor, std::size_t axis, std::int64_t element,
              std::vector<Bytes>& rows) {
  const std::size_t rank = tensor.shape().size();
  const bool is_row =
      axis + 1 == rank && (tensor.shape()[axis] == 1 || tensor.strides()[axis] == 1);
  if (axis == rank || is_row) {
    const std::int64_t size = axis == rank ? 1 : tensor.shape()[axis];
    rows.push_back({address_of(tensor, element), address_of(tensor, element + size)});
    return;
  }
  for (std::int64_t n = 0; n < tensor.shape()[axis]; ++n) {
    add_rows(tensor, axis + 1, element + n * tensor.strides()[axis], rows);
  }
}

std::vector<Bytes> rows_of(const Tensor& tensor) {
  std::vector<Bytes> rows;
  add_rows(tensor, 0, 0, rows);
  std::sort(rows.begin(), rows.end(),
            [](const Bytes& a, const Bytes& b) { return a.begin < b.begin; });
  return rows;
}

}  // namespace

bool overlap(const Tensor& a, const Tensor& b) {
  if (!a.defined() || !b.defined() || a.element_count() == 0 || b.element_count() == 0) {
    return false;
  }
  const Bytes whole_a = extent_of(a), whole_b = extent_of(b);
  if (whole_a.end <= whole_b.begin || whole_b.end <= whole_a.begin) return false;
  const std::vector<Bytes> left = rows_of(a), right = rows_of(b);
  auto x = left.begin(), y = right.begin();
  while (x != left.end() && y != right.end()) {
    if (x->end <= y->begin) {
      ++x;
    } else if (y->end <= x->begin) {
      ++y;
    } else {
      return true;
    }
  }
  return false;
}

bool overlaps_itself(const Tensor& tensor) {
  std::int64_t inner = 0;  // how far the axes with smaller strides reach
  std::int64_t before = -1;
  for (std::size_t seen = 0; seen < tensor.shape().size(); ++seen) {
    // The axis with the next larger stride: there are few.
    std::int64_t next = -1, reach = 0;
    for (std::size_t axis = 0; axis < tensor.shape().size(); ++axis) {
      const std::int64_t size = tensor.shape()[axis], stride = std::abs(tensor.strides()[axis]);
      if (size == 0) return false;
      if (size == 1 || stride <= before) continue;
      if (next >= 0 && stride > next) continue;
      if (stride == next) return true;
      next = stride;
      reach = (size - 1) * stride;
    }
    if (next < 0) break;
    if (next <= inner) return true;
    inner += reach;
    before = next;
  }
  return false;
}

}  // namespace foveal
