// Masks: masked_fill, triu, tril.

#include <algorithm>
#include <bit>
#include <cstdint>
#include <type_traits>

#include "foveal/error.h"
#include "foveal/operations.h"
#include "tensor/builder.h"
#include "tensor/check.h"
#include "tensor/copy.h"
#include "tensor/elementwise.h"
#include "tensor/numbers.h"
#include "tensor/parallel.h"
#include "tensor/visit.h"

namespace foveal {
namespace {

/// The mask as bool, broadcast to a's shape.
Tensor checked_mask(const Tensor& a, const Tensor& mask, const char* function) {
  require_defined(a, function, "a");
  require_defined(mask, function, "mask");
  if (mask.dtype() != DType::boolean && mask.dtype() != a.dtype()) {
    const std::string dtype = to_string(a.dtype());
    throw Error(std::string(function) + ": mask has dtype " + to_string(mask.dtype()) +
                " but a has dtype " + dtype +
                ": a mask must be bool or have a's dtype; convert it with mask.to(" + dtype +
                "), or register it as a buffer so that Module::to moves it");
  }
  const std::string context = std::string(function) + ": a and mask";
  if (broadcast_shapes(a.shape(), mask.shape(), context) != a.shape()) {
    throw Error(std::string(function) + ": mask has shape " + to_string(mask.shape()) +
                " but a has shape " + to_string(a.shape()) +
                ": mask must broadcast to a's shape; expand a first");
  }
  return mask.to(DType::boolean).expand(a.shape());
}

template <std::size_t bytes>
using UnsignedBits = std::conditional_t<
    bytes == 8, std::uint64_t,
    std::conditional_t<bytes == 4, std::uint32_t,
                       std::conditional_t<bytes == 2, std::uint16_t, std::uint8_t>>>;

/// Writes `value` to `out` where `mask` is true, and `a` elsewhere.
void fill_where(Tensor& out, const Tensor& a, const Tensor& mask, double value,
                const char* function) {
  visit(a.dtype(), [&](auto zero) {
    using T = decltype(zero);
    // By bits: a branch would be guessed wrong, and keep the loop from becoming a vector loop.
    using Bits = UnsignedBits<sizeof(T)>;
    const auto filling = std::bit_cast<Bits>(convert_scalar<T>(value, function));
    map<T, T, bool>(out, a, mask, [filling](Raw<T> old, bool masked) {
      const auto chosen = static_cast<Bits>(Bits{0} - std::bit_cast<std::uint8_t>(masked));
      const Bits kept = std::bit_cast<Bits>(owned<T>(old)) & static_cast<Bits>(~chosen);
      return std::bit_cast<Raw<T>>(static_cast<Bits>((filling & chosen) | kept));
    });
  });
}

/// Zeroes, in each row, the columns before row + diagonal, or the others.
Tensor triangle(const Tensor& a, const char* function, std::int64_t diagonal, bool before) {
  require_defined(a, function, "a");
  if (a.rank() < 2) {
    throw Error(std::string(function) + ": a has shape " + to_string(a.shape()) +
                ": it must have rows and columns, so at least 2 axes");
  }
  const std::int64_t rows = a.size(-2), columns = a.size(-1);
  const std::int64_t first = std::clamp(diagonal, -rows, columns);
  Tensor dropped = TensorBuilder::empty({rows, columns}, DType::boolean);
  bool* const flags = TensorBuilder::written<bool>(dropped);
  for_ranges(rows, columns, [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const std::int64_t boundary = std::clamp<std::int64_t>(row + first, 0, columns);
      std::fill_n(flags + row * columns, boundary, before);
      std::fill_n(flags + row * columns + boundary, columns - boundary, !before);
    }
  });
  return masked_fill(a, dropped, 0);
}

}  // namespace

Tensor masked_fill(const Tensor& a, const Tensor& mask, double value) {
  const Tensor where = checked_mask(a, mask, "masked_fill");
  Tensor out = TensorBuilder::empty(a.shape(), a.dtype());
  fill_where(out, a, where, value, "masked_fill");
  return out;
}

Tensor& Tensor::masked_fill_(const Tensor& mask, double value) {
  require_writable(*this, "masked_fill_");
  Tensor where = checked_mask(*this, mask, "masked_fill_");
  // Filling must not change the mask that is still being read.
  if (may_overlap(*this, where)) where = where.clone();
  fill_where(*this, *this, where, value, "masked_fill_");
  storage_->count_write();
  return *this;
}

Tensor triu(const Tensor& a, std::int64_t diagonal) { return triangle(a, "triu", diagonal, true); }

Tensor tril(const Tensor& a, std::int64_t diagonal) {
  // The first column to go is the one after the diagonal.
  return triangle(a, "tril", diagonal < INT64_MAX ? diagonal + 1 : diagonal, false);
}

}  // namespace foveal
